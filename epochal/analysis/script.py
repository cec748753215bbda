"""The script to train: its content, its constants, and variants of it with other hyperparameters."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from epochal.analysis.hyperparameters import (
    Constant,
    assigned_lines,
    change_all,
    find_constants,
    find_epochs,
    unified_diff,
)
from epochal.analysis.location import Notebook, change_notebook, locate_script
from epochal.folders import SCRIPT
from epochal.records import Value

_MAX_TEXT_LENGTH = 200
"""The maximum length, in characters, of a string that is recorded as a hyperparameter."""

Change = Mapping[str, bytes]
"""New contents of the files that a trial changes, by path; empty if the trial trains the code as pushed."""


@dataclass(frozen=True)
class Script:
    """A script, read and parsed once.

    ``content``: its bytes. ``path``: its path in the code. ``constants``: the literals assigned to names at its top
    level, in order. ``epochs``: the constant that holds the number of epochs, if it can be raised. ``assigned_lines``:
    for each name, the line numbers of its assignments, counted from 1. ``notebook``: the notebook that the script was exported
    from, in which case ``path`` does not exist in the commit; None for a Python file.
    """

    content: bytes
    constants: tuple[Constant, ...]
    epochs: Constant | None
    assigned_lines: Mapping[str, list[int]]
    path: str = SCRIPT
    notebook: Notebook | None = None

    def apply(self, values: Mapping[Constant, Value]) -> Change:
        """Return the files changed by setting constants to ``values``. Raises ValueError as ``change_all`` does.

        If the script is a notebook's export, that is the notebook, or no file if the same lines cannot be found in it.
        """
        changed = change_all(self.content, values)
        if changed == self.content:
            return {}
        if not self.notebook:
            return {self.path: changed}
        notebook = change_notebook(self.notebook.content, self.content, changed)
        return {self.notebook.path: notebook} if notebook else {}

    @property
    def committed_path(self) -> str:
        """The path of the file of the commit that contains the script: the script itself, or the notebook."""
        return self.notebook.path if self.notebook else self.path

    def files_to_train(self, values: Mapping[Constant, Value]) -> Change:
        """Return the files to write into a copy of the code in order to train with ``values``."""
        exported = {self.path: change_all(self.content, values)} if self.notebook else {}
        return {**self.apply(values), **exported}

    def hyperparameters(self, values: Mapping[Constant, Value]) -> dict[str, Value]:
        """Return a trial's hyperparameters by name: all constants, changed to ``values``, and the number of epochs.

        Values that JSON or some databases cannot hold (long or unprintable strings, numbers too large for a float) are
        left out, because nobody tunes them.
        """
        found = {}
        for constant in self.constants:
            value = values.get(constant, constant.value)
            if isinstance(value, str):
                storable = len(value) <= _MAX_TEXT_LENGTH and value.isprintable()
            else:
                storable = abs(value) <= sys.float_info.max
            if storable:
                found[constant.name] = value
        if self.epochs:
            found[self.epochs.name] = values.get(self.epochs, self.epochs.value)
        return found


def read_script(code: Path, configured: str = "") -> Script:
    """Find, read and parse the script in the folder ``code``; ``configured`` and errors are as in ``locate_script``."""
    path, content, notebook = locate_script(code, configured)
    return replace(parse_script(content), path=path, notebook=notebook)


def parse_script(content: bytes) -> Script:
    """Parse ``content`` as a script. If it is not valid Python, the script has no constants."""
    return Script(content, tuple(find_constants(content)), find_epochs(content), assigned_lines(content))


def diff(code: Path, change: Change, project: str = "") -> str:
    """Return the difference between the files in the folder ``code`` and ``change`` in the format of ``git diff``."""
    parts = (
        unified_diff((code / path).read_bytes(), content, str(PurePosixPath(project, path)))
        for path, content in sorted(change.items())
    )
    return "".join(parts)
