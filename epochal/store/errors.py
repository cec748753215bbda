"""The exceptions raised by the functions in ``epochal.store``."""

from epochal.errors import EpochalError
from epochal.records import State


class Busy(EpochalError):
    """A run cannot be claimed, because another process is working on it or because of its state.

    This is not a failure: the process that tried to claim the run simply has nothing to do.
    """


class NotOwner(EpochalError):
    """The calling process may not write to a run or trial that has ended or that another process owns.

    The calling process has to stop working on that run or trial.
    """


class StopRequested(EpochalError):
    """The run was asked to stop, so it can only end in ``state`` (CANCELLED or SUPERSEDED)."""

    def __init__(self, run: int, state: State) -> None:
        self.state = state
        super().__init__(f"Run {run} was {state}.")


class NothingReached(EpochalError):
    """A run cannot end in state REACHED, because none of its trials passed the gate."""


class DatabaseUnavailable(EpochalError):
    """The database does not answer. Nothing was changed, so the same call may be repeated."""


class CommitLost(DatabaseUnavailable):
    """The connection was lost during a commit, so it is unknown whether the change was stored."""
