"""The script that is trained: what it is called, what stands in it, and what it becomes with other hyperparameters."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.hyperparameters import Constant, assigned_lines, change_all, find_epochs, literals, unified_diff
from epochal.folders import SCRIPT
from epochal.records import Value

_LONGEST_TEXT = 200
"""A longer text is no hyperparameter."""

Change = Mapping[str, bytes]
"""The files of the code that a trial trains with another content, by their paths in the code; empty: as pushed."""


@dataclass(frozen=True)
class Script:
    """A script, read and parsed once.

    ``constants``: the literals that its top level gives to names, in order; ``epochs``: the number of epochs that can be
    raised, if there is one; ``assigned_lines``: by name the lines (from 1) that assign to it.
    """

    content: bytes
    constants: tuple[Constant, ...]
    epochs: Constant | None
    assigned_lines: Mapping[str, list[int]]

    def change(self, values: Mapping[Constant, Value]) -> Change:
        """Return what changes in the code if constants take other ``values``. Raises ValueError as ``change_all`` does."""
        changed = change_all(self.content, values)
        return {} if changed == self.content else {SCRIPT: changed}

    def hyperparameters(self, values: Mapping[Constant, Value]) -> dict[str, Value]:
        """Return what a trial trains with: all constants, some with other ``values``, and the epochs wherever they stand.

        Left out is what neither every database nor JSON can hold, which nobody tunes.
        """
        found = {}
        for constant in self.constants:
            value = values.get(constant, constant.value)
            if isinstance(value, str):
                can_be_kept = len(value) <= _LONGEST_TEXT and value.isprintable()
            else:
                can_be_kept = abs(value) <= sys.float_info.max
            if can_be_kept:
                found[constant.name] = value
        if self.epochs:
            found[self.epochs.name] = values.get(self.epochs, self.epochs.value)
        return found


def read_script(code: Path) -> Script:
    """Return the script of the code in this folder."""
    return parse_script((code / SCRIPT).read_bytes())


def parse_script(content: bytes) -> Script:
    """Return the script with these bytes; without constants if they are not valid Python."""
    return Script(content, tuple(literals(content)), find_epochs(content), assigned_lines(content))


def diff(code: Path, change: Change) -> str:
    """Return the difference that ``change`` makes to the files in the folder ``code``, as ``git diff`` shows it."""
    parts = (unified_diff((code / path).read_bytes(), content, path) for path, content in sorted(change.items()))
    return "".join(parts)
