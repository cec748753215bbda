"""The training script: its constants, its number of epochs, and the files that set other hyperparameters."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from epochal.analysis.hyperparameters.changes import assigned_lines, change_all, find_constants, unified_diff
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.epochs import Epochs, find_epochs
from epochal.analysis.hyperparameters.searchable import find_places
from epochal.analysis.hyperparameters.sources import Sources, read_sources
from epochal.analysis.hyperparameters.tracing import Tracer
from epochal.analysis.location import Notebook, change_notebook, locate_script
from epochal.analysis.repeats import describe_ranges
from epochal.analysis.syntax import Module, last_name
from epochal.folders import SCRIPT
from epochal.grammar import join_words
from epochal.records import Value

_MAX_TEXT_LENGTH = 200
"""The maximum length, in characters, of a string that is recorded as a hyperparameter."""

_BARE_LINES = (
    r"(?P<bare>(?:(?<=\b[oO]n )|(?<=\b[rR]emove )|(?<=\b[pP]ut )|(?<=\b[rR]eplace )|(?<=\binto )|(?<= \()(?=line \d+\)))"
    r"lines? (?>\d+(?: to \d+)?(?:, \d+(?: to \d+)?)*(?: and \d+(?: to \d+)?)?)\b(?! of ))"
)
"""Matches line numbers in a remedy that does not name their file, as in ``Remove lines 3 and 5``."""

Change = Mapping[str, bytes]
"""New contents of the files that a trial changes, by path; empty if it runs the code as pushed."""


@dataclass(frozen=True)
class Script:
    """A script, read and parsed once, with the files that hold its hyperparameters.

    ``path``: its path relative to the code's folder. ``files``: the contents of the script, of the local modules that
    it imports, and of its configuration files, by path. ``constants``: the literals assigned to names at its top level,
    in order. ``epochs``: the literals that may set the number of epochs, the most likely first. ``assigned_lines``: for
    each name, the line numbers of its assignments, counted from 1. ``places``: the literals that a search may change,
    keyed by name and by qualified name. ``notebook``: the notebook that the script was exported from; None for a
    Python file. For an exported script, ``path`` does not exist in the commit.
    """

    path: str
    files: Mapping[str, bytes]
    constants: tuple[Constant, ...]
    epochs: tuple[Epochs, ...]
    assigned_lines: Mapping[str, list[int]]
    places: Mapping[str, tuple[Constant, ...]]
    notebook: Notebook | None = None

    @property
    def content(self) -> bytes:
        """The content of the script."""
        return self.files[self.path]

    @property
    def committed_path(self) -> str:
        """The path of the script in the commit; if it was exported from a notebook, the path of the notebook."""
        return self.notebook.path if self.notebook else self.path

    def name_cells(self, message: str, *, is_own: bool = False) -> str:
        """Return ``message`` with the exported script's path and lines replaced by the notebook's path and cells.

        Line numbers without a file are taken to be the script's if the message names no other Python file. ``is_own``:
        whether the message is about the script even if it does not name it.
        """
        if self.notebook is None or (self.path not in message and not is_own):
            return message
        name = re.escape(self.path)
        forms = [rf"{name} line (?P<after>\d+)", rf"\bline (?P<before>\d+) of {name}", rf"(?P<alone>{name})"]
        if not re.search(r"\.py\b", message.replace(self.path, "")):
            forms.append(_BARE_LINES)

        def rename(found: re.Match[str]) -> str:
            assert self.notebook is not None
            form = found.lastgroup
            if form == "alone":
                return self.notebook.path
            if form == "bare":
                return self._describe_cells(found[0])
            cell, line = self.notebook.find_cell(int(found[form or 0]))
            if form == "after":
                return f"{self.notebook.path} cell {cell} line {line}"
            return f"line {line} of cell {cell} of {self.notebook.path}"

        return re.sub("|".join(forms), rename, message)

    def _describe_cells(self, lines: str) -> str:
        """Translate line numbers of the exported script, such as ``lines 3, 5 and 8 to 12``, into lines of notebook cells."""
        assert self.notebook is not None
        cells: dict[int, list[tuple[int, int]]] = {}
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", lines):
            cell, line = self.notebook.find_cell(int(first))
            cells.setdefault(cell, []).append((line, line + int(last or first) - int(first)))
        return join_words([f"{describe_ranges(inside)} of cell {cell}" for cell, inside in cells.items()])

    def find_calls(self, name: str | None = None) -> Iterator[tuple[str, ast.Call]]:
        """Yield each call in the script and its modules, with the path of the file that contains it.

        If ``name`` is given, yield only the calls to functions and classes of that name.
        """
        for path, content in self.files.items():
            module = Module.parse(content) if path.endswith(".py") else None
            for node in ast.walk(module.tree) if module else ():
                if isinstance(node, ast.Call) and name in (None, last_name(node.func)):
                    yield path, node

    def apply(self, values: Mapping[Constant, Value]) -> Change:
        """Return the files changed by setting constants to ``values``. Raises ValueError as ``change_all`` does.

        If the script was exported from a notebook, the changed notebook takes the script's place. If
        ``change_notebook`` cannot change the notebook, neither file is returned.
        """
        change = self._change(values)
        if self.notebook and self.path in change:
            notebook = change_notebook(self.notebook.content, self.content, change.pop(self.path))
            change |= {self.notebook.path: notebook} if notebook else {}
        return change

    def files_to_train(self, values: Mapping[Constant, Value]) -> Change:
        """Return the files to write into a copy of the code in order to train with ``values``."""
        exported = {self.path: self.content} if self.notebook else {}
        return {**exported, **self.apply(values), **self._change(values)}

    def _change(self, values: Mapping[Constant, Value]) -> dict[str, bytes]:
        """Return the new content, by path, of the files that change when constants are set to ``values``."""
        change = {}
        for path in {constant.path: None for constant in values}:
            inside = {constant: value for constant, value in values.items() if constant.path == path}
            changed = change_all(self.files[path], inside)
            if changed != self.files[path]:
                change[path] = changed
        return change

    def hyperparameters(self, values: Mapping[Constant, Value]) -> dict[str, Value]:
        """Return the hyperparameters of a trial by name: all constants, with the new values of those in ``values``.

        Of the literals that may set the number of epochs, only those in ``values`` are included, or the most likely one
        if ``values`` contains none of them. Long or unprintable strings, and numbers outside the range of a float, are
        left out: nobody tunes them, and JSON and some databases cannot store all of them.
        """
        changed = [each.constant for each in self.epochs if each.constant in values]
        epochs = changed or [each.constant for each in self.epochs[:1]]
        epochs_places = {(each.constant.path, each.constant.start) for each in self.epochs}
        others = [each for each in self.constants if (each.path, each.start) not in epochs_places]
        searched = [each for each in values if each not in others and each not in epochs]
        found = {}
        for constant in (*others, *searched, *epochs):
            value = values.get(constant, constant.value)
            if isinstance(value, str):
                storable = len(value) <= _MAX_TEXT_LENGTH and value.isprintable()
            else:
                storable = abs(value) <= sys.float_info.max
            if storable:
                found[constant.name] = value
        return found


def read_script(code: Path, configured: str = "", *, is_commit: bool = True) -> Script:
    """Find, read and parse the script in the folder ``code``, with its local modules and configuration files.

    ``configured``, ``is_commit`` and the errors raised are as in ``locate_script``.
    """
    path, content, notebook = locate_script(code, configured, is_commit=is_commit)
    return replace(_analyse(read_sources(code, path, content)), notebook=notebook)


def parse_script(content: bytes, path: str = SCRIPT) -> Script:
    """Parse ``content`` as a script without local modules or configuration files.

    If ``content`` is not valid Python, the script has no constants.
    """
    return _analyse(Sources(path, {path: content}, {}))


def _analyse(sources: Sources) -> Script:
    tracer, content = Tracer(sources), sources.modules[sources.script]
    changeable = (each for each in find_epochs(tracer) if _can_change(sources.contents, each))
    return Script(
        sources.script,
        sources.contents,
        tuple(find_constants(content, sources.script)),
        tuple(changeable),
        assigned_lines(content),
        find_places(tracer),
    )


def _can_change(contents: Mapping[str, bytes], epochs: Epochs) -> bool:
    """Return whether a trial can change a literal. It cannot if the file sets the same key twice, for example."""
    try:
        change_all(contents[epochs.constant.path], {epochs.constant: epochs.value_for(epochs.number + 1)})
    except ValueError:
        return False
    return True


def differ_only_in_epochs(one: Script, other: Script) -> bool:
    """Return whether the ``files`` of two scripts differ only in a literal that sets the number of epochs."""
    if one.files.keys() != other.files.keys():
        return False
    different = [path for path in one.files if one.files[path] != other.files[path]]
    if len(different) != 1:
        return False
    before, after = (script.files[different[0]] for script in (one, other))
    return any(
        first.constant.path == second.constant.path == different[0]
        and first.constant.value != second.constant.value
        and before[: first.constant.start] == after[: second.constant.start]
        and before[first.constant.end :] == after[second.constant.end :]
        for first in one.epochs
        for second in other.epochs
    )


def diff(code: Path, change: Change, project: str = "") -> str:
    """Return a ``git diff`` between the files in the folder ``code`` and their new contents in ``change``."""
    parts = (
        unified_diff((code / path).read_bytes(), content, str(PurePosixPath(project, path)))
        for path, content in sorted(change.items())
    )
    return "".join(parts)
