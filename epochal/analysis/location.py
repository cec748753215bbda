"""Find the training script among the pushed files: a Python file, or a notebook, which is exported to Python."""

import difflib
import json
import re
import shlex
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from epochal.analysis.candidates import OTHER_NAMES, guess_script
from epochal.analysis.files import list_code_files
from epochal.analysis.missing_files import adding_command, explain_adding, find_ignore_rule
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT
from epochal.grammar import join_words

_NOTEBOOK_SUFFIX = ".ipynb"
# These run the rest of their line. The export comments out all other magics.
_TIMING_MAGIC = re.compile(r"^(\s*)%(?:time|prun)\s+(?=\S)", re.MULTILINE)


@dataclass(frozen=True)
class Notebook:
    """A Jupyter notebook, and the position of each code cell in its export.

    ``path``: its path, relative to the code folder. ``markers``: for each code cell, the line of the export, counted
    from 1, that marks the beginning of the cell.
    """

    path: str
    content: bytes
    markers: tuple[int, ...]

    def find_cell(self, line: int) -> tuple[int, int]:
        """Return the number of the code cell that contains a line of the export, and the line's number in that cell.

        Both are counted from 1.
        """
        cell = bisect_right(self.markers, line)
        return cell, line - (self.markers[cell - 1] if cell else 0)


def locate_script(code: Path, configured: str = "", *, is_commit: bool = True) -> tuple[str, bytes, Notebook | None]:
    """Return the path and content of the training script, and the notebook that it was exported from, if any.

    The path of an exported script is that of its notebook, followed by ``.py``.

    ``code``: the folder of the pushed code. ``configured``: the ``script`` setting in epochal.toml; empty if it is not
    set. Without it, the script is nn.py; if there is no nn.py, it is train.py or main.py, whichever exists (having both
    is an error); if neither exists, it is the only notebook at the top level. ``is_commit``: whether the folder contains
    only what is committed, so that a missing script may be one that git ignores.

    Raises RunFailed: NO_SCRIPT if there is no script, if there are several candidates, or if the notebook cannot be
    exported; SYNTAX_ERROR if the notebook cannot be read.
    """
    path = configured or _find_at_top(code, is_commit=is_commit)
    if configured:
        _check(code, configured, is_commit=is_commit)
    content = (code / path).read_bytes()
    if path.endswith(_NOTEBOOK_SUFFIX):
        exported, markers = _export(path, content)
        return f"{path}.py", exported, Notebook(path, content, markers)
    return path, content, None


def read_module(code: Path, path: str) -> bytes | None:
    """Return the content of a Python file in the folder ``code``; None if it cannot be read.

    ``path`` may also be that of a script exported from a notebook, as returned by ``locate_script``.
    """
    try:
        return (code / path).read_bytes()
    except (OSError, ValueError):  # ValueError: a path with a null byte
        notebook = path.removesuffix(".py")
        is_exported = notebook.endswith(_NOTEBOOK_SUFFIX) and (code / notebook).is_file()
        return locate_script(code, notebook)[1] if is_exported else None


def change_notebook(notebook: bytes, exported: bytes, changed: bytes) -> bytes | None:
    """Return ``notebook`` with the changes that turned its export, ``exported``, into ``changed``.

    All other bytes stay the same. Returns None if lines were added or removed, or if the notebook does not contain each
    changed line exactly once.
    """
    text = notebook.decode("utf-8")
    old_lines, new_lines = exported.decode("utf-8").splitlines(), changed.decode("utf-8").splitlines()
    if len(old_lines) != len(new_lines):
        return None
    for old, new in zip(old_lines, new_lines, strict=True):
        if old == new:
            continue
        # A notebook stores a cell as JSON strings, either one for each line or one for the whole cell.
        stored, replacement = (json.dumps(line, ensure_ascii=False)[1:-1] for line in (old, new))
        line = re.compile(rf'(^\s*"|\\n){re.escape(stored)}(?=\\n|")', re.MULTILINE)
        text, count = line.subn("\\g<1>" + replacement.replace("\\", "\\\\"), text)
        if count != 1:
            return None
    return text.encode("utf-8")


def is_exported(path: str) -> bool:
    """Return whether ``path`` is that of a script exported from a notebook."""
    return path.endswith(f"{_NOTEBOOK_SUFFIX}.py")


def explain_notebook_function(function: str, path: str) -> str:
    """Return a sentence saying why the script ``path`` cannot call ``function``, which IPython defines."""
    if is_exported(path):
        return f"{function}() is not available when the notebook runs as a script."
    return f"{function}() works only in a notebook."


def _find_at_top(code: Path, *, is_commit: bool) -> str:
    if (code / SCRIPT).is_file():
        return SCRIPT
    found = [name for name in OTHER_NAMES if (code / name).is_file()]
    found = found or sorted(path.name for path in code.glob(f"*{_NOTEBOOK_SUFFIX}") if path.is_file())
    if len(found) == 1:
        return found[0]
    if found:
        settings = join_words([f'script = "{name}"' for name in found], "or")
        raise RunFailed(
            Reason.NO_SCRIPT,
            f"The repository has {join_words(found)} but no {SCRIPT}. "
            f"In epochal.toml, name the training script: {settings}.",
        )
    ignored = _explain_ignored_names(code) if is_commit else ""
    guess = guess_script(code, may_be_missing=bool(ignored))
    missing = f"There is no {SCRIPT}, train.py, main.py or notebook at the top level of the repository"
    setting = f'script = "{guess or "path/to/train.py"}"'
    start = f"{missing}, and {ignored} If it is another file, name it in" if ignored else f"{missing}. In"
    name = "" if ignored else ", name the training script"
    raise RunFailed(Reason.NO_SCRIPT, f"{start} epochal.toml{name}: {setting}.")


def _explain_ignored_names(code: Path) -> str:
    """Return which common script name git ignores, and how to commit that script; empty if it ignores none of them."""
    for name in (SCRIPT, *OTHER_NAMES, f"NOTEBOOK{_NOTEBOOK_SUFFIX}"):
        if rule := find_ignore_rule(name, code):
            is_notebook = name.endswith(_NOTEBOOK_SUFFIX)
            what, which = ("notebooks", "a notebook") if is_notebook else (name, name)
            return f"{rule} excludes {what}. If the training script is {which}, commit it with {adding_command(name)}."
    return ""


def _check(code: Path, configured: str, *, is_commit: bool) -> None:
    if (code / configured).is_file():
        return
    names = [name for name in list_code_files(code) if name.endswith((".py", _NOTEBOOK_SUFFIX))]
    same_name = [name for name in names if PurePosixPath(name).name == PurePosixPath(configured).name]
    similar = same_name or difflib.get_close_matches(configured, names, n=1)
    missing = f'epochal.toml sets script = "{configured}", which is not in the {"commit" if is_commit else "folder"}'
    if is_commit and (rule := find_ignore_rule(configured, code)):
        raise RunFailed(Reason.NO_SCRIPT, f"{missing}: {rule} excludes it. {explain_adding(configured)}.")
    remedy = f"{'Commit' if is_commit else 'Create'} that file, or name another one."
    if similar:
        remedy = f"Did you mean {similar[0]}? If not, {'commit' if is_commit else 'create'} {configured}."
    raise RunFailed(Reason.NO_SCRIPT, f"{missing}. {remedy}")


def _explain_repair(path: str, notebook: bytes) -> str:
    """Return how to repair a notebook that Epochal cannot read. Jupyter can still open it if it is valid JSON."""
    if re.search(rb"^(?:<{7}|>{7}) ", notebook, re.MULTILINE):
        return "Resolve the merge conflict in it, and commit the result."
    try:
        json.loads(notebook.decode("utf-8-sig"))
    except ValueError:
        quoted = shlex.quote(path)
        return (
            f"Restore an earlier version of the notebook: git log --oneline -- {quoted} lists the commits that "
            f"changed it, and git checkout COMMIT -- {quoted} restores it from one of them."
        )
    return "Save it again in Jupyter."


def _export(path: str, notebook: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Return a notebook exported as a script, and the line of the script that marks the beginning of each code cell."""
    if find_spec("jupytext") is None:  # part of an extra, because only notebooks need it
        raise RunFailed(
            Reason.NO_SCRIPT,
            f"{path} is a notebook, but jupytext, which exports it as a script, is not installed. "
            "Run uv tool install 'epochal[notebook]' (on a server, an admin must do this), or commit a Python file.",
        )
    import jupytext

    try:
        with warnings.catch_warnings(action="ignore"):  # about the notebook's version, which does not matter here
            read = jupytext.reads(notebook.decode("utf-8-sig"), fmt="ipynb")
            language = read.metadata.get("kernelspec", {}).get("language", "python")
            read.metadata = {"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "-all"}}
            for cell in read.cells:
                if cell.cell_type == "code":
                    cell.source = _TIMING_MAGIC.sub(r"\1", cell.source)
            exported = str(jupytext.writes(read, fmt="py:percent"))
            markers = tuple(_find_markers(read.cells, exported))
            exported = _fill_blocks([cell.source for cell in read.cells if cell.cell_type == "code"], exported, markers)
            is_python = language.lower() == "python"
    except Exception as error:  # a notebook may contain anything, and jupytext documents no exceptions
        raise RunFailed(
            Reason.SYNTAX_ERROR, f"{path} cannot be read as a notebook: {error}. {_explain_repair(path, notebook)}"
        ) from None
    if not is_python:
        raise RunFailed(
            Reason.NO_SCRIPT,
            f"{path} is a notebook in {language}, but Epochal supports only Python. In epochal.toml, name a Python "
            'script or notebook: script = "train.py".',
        )
    return exported.encode("utf-8"), markers


def _find_markers(cells: Sequence[Any], exported: str) -> Iterator[int]:
    """Yield, for each code cell of a notebook, the line of the export that marks the beginning of the cell.

    A comment in a cell, such as an exported ``%%time``, may look like a marker, so the lines of each cell are skipped.
    """
    lines, after = exported.split("\n"), 0
    for cell in cells:
        marker = next((number for number in range(after, len(lines)) if lines[number].startswith("# %%")), after)
        if cell.cell_type == "code":
            yield marker + 1
        after = marker + 1 + len(cell.source.rstrip("\n").split("\n"))


def _fill_blocks(cells: Sequence[str], exported: str, markers: Sequence[int]) -> str:
    """Return the export with ``pass`` in place of each indented magic, which may be the only statement of its block.

    ``cells``: the code of each code cell. ``markers``: as in ``Notebook``.
    """
    lines = exported.split("\n")
    for cell, marker in zip(cells, markers, strict=True):
        for number, line in enumerate(cell.split("\n"), marker):
            magic = line.lstrip()
            indent = line[: len(line) - len(magic)]
            if indent and not magic.startswith("#") and lines[number : number + 1] == [f"{indent}# {magic}"]:
                lines[number] = f"{indent}pass  # {magic}"
    return "\n".join(lines)
