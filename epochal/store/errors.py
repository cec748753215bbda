"""Why the store refuses a request or cannot answer it."""

from epochal.errors import EpochalError
from epochal.records import State


class Busy(EpochalError):
    """A run cannot be claimed: another process works on it, or it has moved on. Nothing is wrong; there is nothing to do."""


class NotOwner(EpochalError):
    """The calling process may not write to a run or trial: it has ended, or another process owns it. Stop working on it."""


class StopRequested(EpochalError):
    """The run was asked to end as ``state`` (CANCELLED or SUPERSEDED) and accepts no other state."""

    def __init__(self, run: int, state: State) -> None:
        self.state = state
        super().__init__(f"Run {run} was asked to end as {state}.")


class NothingReached(EpochalError):
    """A run cannot be stored as reached, because the gate let none of its trials through."""


class DatabaseUnavailable(EpochalError):
    """The database does not answer. Nothing was changed, and the same request may be made again."""


class CommitLost(DatabaseUnavailable):
    """The database went away during a commit: whether the change was stored is not known."""
