"""What a strategy answers: the next trial, or that there is none and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from epochal.analysis.hyperparameters import Constant
from epochal.errors import Reason
from epochal.records import Strategy, Value


@dataclass(frozen=True)
class Proposal:
    """The next trial: the constants of nn.py that change, and what they become; none: it is trained as it was pushed.

    ``stop_at``: the validation accuracy (0 to 1) with which its fit ends; None: it trains all its epochs. ``source``: the
    trial from whose checkpoints it goes on; None: in a search none, else the newest that there are.
    """

    strategy: Strategy = Strategy.COMMITTED
    changes: Mapping[Constant, Value] = field(default_factory=dict)
    stop_at: float | None = None
    source: int | None = None


@dataclass(frozen=True)
class GiveUp:
    """There is no next trial, and why."""

    reason: Reason
    explanation: str


class Ended(StrEnum):
    """What ended a run's trials, if not that nothing is left to try (GiveUp).

    INTERRUPTED: another process has ended the run.
    """

    REACHED = "reached"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"
