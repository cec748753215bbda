"""Change and end runs, after checking who owns them. No other module gives a run a final state."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from epochal.errors import Reason, UsageError
from epochal.records import Message, Run, State, TrialState, Verdict
from epochal.store.database import reads, writes
from epochal.store.errors import NothingReached, NotOwner, StopRequested
from epochal.store.outbox import add_message
from epochal.store.owner import live_owner, this_process
from epochal.store.schema import runs, trials

UNFINISHED_STATES = tuple(state for state in State if not state.ended)
CHANGEABLE = runs.c.state.in_(UNFINISHED_STATES), runs.c.stop_requested.is_(None)
"""The conditions under which a run may be changed: it has neither ended nor been asked to end."""


def no_such_run(run: int) -> UsageError:
    """Return the error to raise if no run has the number ``run``."""
    return UsageError(f"There is no run {run} in this EPOCHAL_HOME. To list the runs, use epochal history.")


def require_owned(connection: Connection, run: int) -> None:
    """Lock the run's row until the transaction ends.

    Raises NotOwner if the calling process does not own the run or the run has ended, and StopRequested if the run was
    asked to end.
    """
    mine = runs.c.id == run, runs.c.owner == this_process()
    if connection.execute(select(runs.c.id).where(*mine, *CHANGEABLE).with_for_update()).first() is None:
        raise _ownership_error(connection, run)


@writes
def change_run(connection: Connection, run: int, /, **columns: Any) -> None:
    """Set columns (state, framework, image, threshold, notes, …) of a run that the calling process owns.

    Raises NotOwner if the calling process does not own the run or the run has ended, and StopRequested if the run was
    asked to end.
    """
    mine = runs.c.id == run, runs.c.owner == this_process()
    if not connection.execute(update(runs).where(*mine, *CHANGEABLE).values(**columns)).rowcount:
        raise _ownership_error(connection, run)


@writes
def end_owned_run(connection: Connection, run: Run, message: Message | None) -> None:
    """End a run that the calling process owns, and store the message about it, in one transaction.

    ``run`` already has its final state, reason, explanation and end time. Raises NothingReached if that state is
    REACHED but no trial passed the gate, StopRequested if the run was asked to end in another state, and NotOwner
    if the calling process does not own the run or the run has ended. In these cases, nothing is stored.
    """
    if not end_run(connection, run.id, this_process(), run.state, message, **_end_columns(run)):
        raise _ownership_error(connection, run.id)


@writes
def end_unowned_run(connection: Connection, run: Run, message: Message | None) -> bool:
    """End a run that no live process owns, and store the message about it; return whether the run was changed.

    ``run`` is as in ``end_owned_run``. Nothing changes if a live process owns the run, if the run has already ended,
    or if it was asked to end in another state. Raises NothingReached as ``end_owned_run`` does.
    """
    row = connection.execute(select(runs).where(runs.c.id == run.id).with_for_update()).one()
    if live_owner(row.owner, row.heartbeat):
        return False
    return end_run(connection, run.id, row.owner, run.state, message, **_end_columns(run))


@writes
def request_stop(connection: Connection, run: int, state: State) -> str | None:
    """Ask a run to end in ``state`` (SUPERSEDED or CANCELLED); return the run's owner if that process is alive.

    The owner sees the request when it next writes to the run, or as soon as it gets a signal. A run without a live
    owner ends at once, and None is returned. Raises UsageError if the run does not exist or has already ended.
    """
    row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).first()
    if row is None:
        raise no_such_run(run)
    if row.state.ended:
        raise UsageError(f"Run {run} has already ended ({row.state}).")
    requested = row.stop_requested or state  # an earlier request takes precedence
    connection.execute(update(runs).where(runs.c.id == run).values(stop_requested=requested))
    if owner := live_owner(row.owner, row.heartbeat):
        return owner
    reason, ended = Reason(requested.value), datetime.now(UTC)
    end_run(connection, run, row.owner, requested, reason=reason, explanation=reason.explanation, ended=ended)
    return None


@reads
def load_stop_request(connection: Connection, run: int) -> State | None:
    """Return the state that the run was asked to end in, or None if it was not asked to end."""
    return connection.execute(select(runs.c.stop_requested).where(runs.c.id == run)).scalar()


def end_run(
    connection: Connection, run: int, owner: str | None, state: State, message: Message | None = None, **columns: Any
) -> bool:
    """End a run in ``state``, set its ``columns``, and store the message about it; return whether the run was changed.

    Nothing changes if the run has already ended, if its owner is not ``owner`` (None for a run without an owner), or if
    it was asked to end in another state. Trials that are still training are marked as interrupted if the run is
    CANCELLED, SUPERSEDED or FAILED. Raises NothingReached if ``state`` is REACHED but neither a trial of the run nor
    the trial that it reuses passed the gate.
    """
    if state is State.REACHED:
        _require_reached(connection, run, columns.get("reused_run"), columns.get("reused_trial"))
    conditions = (
        runs.c.id == run,
        runs.c.owner == owner,
        runs.c.state.in_(UNFINISHED_STATES),
        or_(runs.c.stop_requested.is_(None), runs.c.stop_requested == state),
    )
    ended = connection.execute(update(runs).where(*conditions).values(state=state, **columns)).rowcount > 0
    if ended and message:
        add_message(connection, message)
    if ended and state in (State.CANCELLED, State.SUPERSEDED, State.FAILED):  # its trials are no longer needed
        interrupt_trials(connection, run, explanation="the run ended while this trial was running")
    return ended


def interrupt_trials(
    connection: Connection, run: int, *which: ColumnElement[bool], explanation: str = Reason.INTERRUPTED.description
) -> None:
    """Mark a run's trials as interrupted if they are training and meet all the conditions in ``which``."""
    training = trials.c.run == run, trials.c.state == TrialState.TRAINING, *which
    interrupted = {"state": TrialState.FAILED, "reason": Reason.INTERRUPTED, "explanation": explanation}
    connection.execute(update(trials).where(*training).values(**interrupted))


def _end_columns(run: Run) -> dict[str, Any]:
    names = ("reason", "explanation", "detail", "ended", "reused_run", "reused_trial")
    return {name: getattr(run, name) for name in names}


def _ownership_error(connection: Connection, run: int) -> Exception:
    row = connection.execute(select(runs).where(runs.c.id == run)).first()
    if row is None:
        return no_such_run(run)
    if row.owner == this_process() and row.stop_requested and not row.state.ended:
        return StopRequested(run, row.stop_requested)
    owner = f"is owned by {row.owner}" if row.owner else "has no owner"
    return NotOwner(f'Run {run} is in the state "{row.state}" and {owner}, so this process stops working on it.')


def _require_reached(connection: Connection, run: int, reused_run: int | None, reused_trial: int | None) -> None:
    """Raise NothingReached unless a trial of the run, or the trial that the run reuses, passed the gate."""
    query = select(trials.c.judgement).where(trials.c.run == (reused_run or run), trials.c.judgement.is_not(None))
    if reused_trial is not None:
        query = query.where(trials.c.number == reused_trial)
    if not any(judgement.verdict is Verdict.REACHED for judgement in connection.execute(query).scalars()):
        raise NothingReached(f'Run {run} cannot end in the state "reached": none of its trials reached the threshold.')
