"""A finding: a place in the code that will cause trouble when Epochal trains it, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    """Something to know; training and verdict are not affected."""
    WARNING = "warning"
    """The training may fail, or its accuracy may not count or be too high."""
    ERROR = "error"
    """A run would fail before it trains."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    ``kind``: a word to filter by. ``path``: the file, relative to the checked folder. ``line``: its line, from 1, or 0
    for the whole file. ``cell``: in a notebook, the number of the code cell, from 1, whose lines ``line`` counts; 0 for
    other files. ``message``: what is wrong. ``remedy``: what to do about it.
    """

    kind: str
    path: str
    line: int
    message: str
    remedy: str
    severity: Severity = Severity.WARNING
    cell: int = 0

    @property
    def place(self) -> str:
        """The place as compilers write it, as in ``nn.py:12``, or ``digits.ipynb cell 3:2``."""
        cell = f" cell {self.cell}" if self.cell else ""
        return f"{self.path}{cell}" + (f":{self.line}" if self.line else "")
