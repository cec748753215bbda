"""Writing to a run that is owned, and ending it: the only statements that give a run a final state."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from epochal.errors import UsageError
from epochal.records import State, Verdict
from epochal.store.errors import NothingReached, NotOwner, StopRequested
from epochal.store.outbox import Notice
from epochal.store.outbox import add as add_notice
from epochal.store.owner import this_process
from epochal.store.rows import to_judgement
from epochal.store.schema import runs, trials

UNENDED = tuple(state.value for state in State if not state.ended)


def require_owned(connection: Connection, run: int) -> None:
    """Lock the run's row until the transaction ends.

    Raises NotOwner if the calling process does not own the run or it has ended, StopRequested if it was asked to end.
    """
    if connection.execute(select(runs.c.id).where(_is_owned(run)).with_for_update()).first() is None:
        raise _refusal(connection, run)


def is_open(connection: Connection, run: int) -> bool:
    """Lock the run's row until the transaction ends; whether it has neither ended nor been asked to."""
    wanted = runs.c.id == run, runs.c.state.in_(UNENDED), runs.c.stop_requested.is_(None)
    return connection.execute(select(runs.c.id).where(*wanted).with_for_update()).first() is not None


def change_owned(connection: Connection, run: int, **columns: Any) -> None:
    """Set columns of a run that the calling process owns. Raises as ``require_owned`` does."""
    if not connection.execute(update(runs).where(_is_owned(run)).values(**columns)).rowcount:
        raise _refusal(connection, run)


def end_owned(connection: Connection, run: int, state: State, notice: Notice | None, **columns: Any) -> None:
    """End a run that the calling process owns. Raises as ``end`` and ``require_owned`` do; nothing is stored then."""
    if not end(connection, run, this_process(), state, notice, **columns):
        raise _refusal(connection, run)


def end(
    connection: Connection, run: int, owner: str | None, state: State, notice: Notice | None = None, **columns: Any
) -> bool:
    """End a run in ``state`` with ``columns``, and store the notice of it; returns whether it did.

    It does not if the run has ended already, if its owner is not ``owner`` (None: nobody), or if it was asked to end in
    another state. Raises NothingReached for REACHED if none of the run's trials, or of those that it reuses, was judged so.
    """
    if state is State.REACHED and not _is_reached(
        connection, columns.get("taken_over") or run, columns.get("taken_trial")
    ):
        raise NothingReached(f"Run {run} cannot end as reached: no trial of it was judged to reach the threshold.")
    conditions = (
        runs.c.id == run,
        runs.c.owner == owner,
        runs.c.state.in_(UNENDED),
        or_(runs.c.stop_requested.is_(None), runs.c.stop_requested == state.value),
    )
    ended = connection.execute(update(runs).where(*conditions).values(state=state.value, **columns)).rowcount > 0
    if ended and notice:
        add_notice(connection, notice)
    return ended


def _is_owned(run: int) -> ColumnElement[bool]:
    """Whether the calling process may move the run on."""
    mine = runs.c.owner == this_process()
    return and_(runs.c.id == run, mine, runs.c.state.in_(UNENDED), runs.c.stop_requested.is_(None))


def _refusal(connection: Connection, run: int) -> Exception:
    row = connection.execute(select(runs).where(runs.c.id == run)).first()
    if row is None:
        return UsageError(f"There is no run {run} in this home. epochal history lists the runs that there are.")
    if row.owner == this_process() and row.stop_requested and not State(row.state).ended:
        return StopRequested(run, State(row.stop_requested))
    owner = row.owner or "nobody"
    return NotOwner(f"Run {run} is {row.state} and owned by {owner}: this process no longer works on it.")


def _is_reached(connection: Connection, run: int, only: int | None) -> bool:
    """Whether the gate let a trial of the run through; with ``only``, that trial."""
    query = select(trials.c.judgement).where(trials.c.run == run, trials.c.judgement.is_not(None))
    if only is not None:
        query = query.where(trials.c.number == only)
    return any(to_judgement(said).verdict is Verdict.REACHED for said in connection.execute(query).scalars())
