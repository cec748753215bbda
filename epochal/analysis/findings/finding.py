"""Findings about a developer's code, each with a remedy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a finding."""

    NOTE = "note"
    """Worth knowing, but unlikely to make training fail or to invalidate the accuracy."""
    WARNING = "warning"
    """Training may fail, or the accuracy may be too high or not count."""
    ERROR = "error"
    """A run would fail before training starts."""


@dataclass(frozen=True)
class Finding:
    """A problem found in the code, or something worth knowing about it.

    ``kind``: a name for this kind of problem, to filter by. ``path``: the file, relative to the checked folder.
    ``line``: the line, counted from 1 (in a notebook, within its cell); 0 for the whole file. ``cell``: the code cell
    of a notebook, counted from 1; 0 for other files. ``message``: what is wrong. ``remedy``: what to do about it.
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
        """The finding's location, such as ``nn.py:12`` or ``digits.ipynb cell 3:2``."""
        cell = f" cell {self.cell}" if self.cell else ""
        return f"{self.path}{cell}" + (f":{self.line}" if self.line else "")


def drop_repeated(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings, except those with the same place and message as an earlier one."""
    seen = set()
    for finding in findings:
        said = finding.path, finding.line, finding.message
        if said not in seen:
            seen.add(said)
            yield finding
