"""How a push becomes a run: its delivery, its row, and what it takes the place of."""

from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from epochal.errors import Reason
from epochal.records import Accepted, Commit, Delivery, Origin, State
from epochal.store.database import Database, reads, writes
from epochal.store.ends import UNENDED, end
from epochal.store.owner import is_alive
from epochal.store.rows import read_row
from epochal.store.schema import deliveries, runs


def accept_commit(
    source: Database | Connection,
    commit: Commit,
    origin: Origin,
    *,
    delivery: tuple[str, str] | None = None,
    supersede: str,
) -> Accepted:
    """Store a delivery (its id and event, if a webhook brought it) and its run, or find the run that is there already.

    Older queued runs of the branch that nobody works on become superseded; with ``supersede = "running"`` those that are
    worked on are asked to stop, and their owners are returned.
    """
    received = datetime.now(UTC)  # now: the transaction may have to wait for another one
    return _accept(source, commit, origin, delivery, supersede, received)


@writes
def _accept(
    connection: Connection,
    commit: Commit,
    origin: Origin,
    delivery: tuple[str, str] | None,
    supersede: str,
    received: datetime,
) -> Accepted:
    if delivery and (seen := _run_of_delivery(connection, delivery[0])):
        return Accepted(seen, new=False)
    known = _run_of_push(connection, commit) if origin is Origin.PUSH else None
    run = known or _insert_run(connection, commit, origin)
    if known:
        _add_author(connection, run, commit)
    if known and delivery and _queue_again(connection, run):
        known = None
    if delivery:
        _keep_delivery(connection, delivery, received, "already known" if known else "queued", run)
    stop = () if known or origin is Origin.PERSON else _supersede_older(connection, commit, run, supersede)
    return Accepted(run, new=known is None, stop=stop)


@writes
def ignore_delivery(connection: Connection, delivery: str, event: str, result: str) -> None:
    """Remember a delivery that starts no run, and why. A later one with the same id takes its place."""
    if not _run_of_delivery(connection, delivery):
        _keep_delivery(connection, (delivery, event), datetime.now(UTC), result, None)


@reads
def list_deliveries(connection: Connection, limit: int = 20) -> list[Delivery]:
    """Return the newest deliveries, newest first."""
    rows = connection.execute(select(deliveries).order_by(deliveries.c.received.desc()).limit(limit))
    return [read_row(Delivery, row) for row in rows]


@reads
def deliveries_of_run(connection: Connection, run: int) -> list[Delivery]:
    """Return the deliveries of a run's commit, oldest first."""
    rows = connection.execute(select(deliveries).where(deliveries.c.run == run).order_by(deliveries.c.received))
    return [read_row(Delivery, row) for row in rows]


def _run_of_delivery(connection: Connection, delivery: str) -> int | None:
    """Return the run that a delivery started; None if it did not arrive yet, or started none."""
    return connection.execute(select(deliveries.c.run).where(deliveries.c.id == delivery)).scalar()


def _keep_delivery(
    connection: Connection, delivery: tuple[str, str], received: datetime, result: str, run: int | None
) -> None:
    """Remember a delivery (its id and event) and what came of it, instead of what came of it before."""
    connection.execute(delete(deliveries).where(deliveries.c.id == delivery[0]))
    row = {"id": delivery[0], "event": delivery[1], "received": received, "result": result, "run": run}
    connection.execute(insert(deliveries).values(**row))


def _run_of_push(connection: Connection, commit: Commit) -> int | None:
    """Return the one run that pushes of the commit have; None if there is none."""
    same = runs.c.repository == commit.repository, runs.c.branch == commit.branch, runs.c.sha == commit.sha
    return connection.execute(select(runs.c.id).where(*same, runs.c.origin == Origin.PUSH)).scalar()


def _insert_run(connection: Connection, commit: Commit, origin: Origin) -> int:
    row = asdict(commit) | {"origin": origin, "state": State.QUEUED, "created": datetime.now(UTC), "notes": ()}
    return int(connection.execute(insert(runs).values(**row).returning(runs.c.id)).scalar_one())


def _add_author(connection: Connection, run: int, commit: Commit) -> None:
    """Add message and author, which whoever told of the commit first (a poll knows its name only) did not know."""
    known = {"message": commit.message, "author_name": commit.author_name, "author_email": commit.author_email}
    if commit.author_email:
        connection.execute(update(runs).where(runs.c.id == run, runs.c.author_email == "").values(**known))


def _queue_again(connection: Connection, run: int) -> bool:
    """Queue a superseded run whose commit is pushed once more, by a forced push back to it; returns whether it was one."""
    superseded = runs.c.id == run, runs.c.state == State.SUPERSEDED
    cleared = {"reason": None, "successor": None, "ended": None, "stop_requested": None, "owner": None}
    return connection.execute(update(runs).where(*superseded).values(state=State.QUEUED, **cleared)).rowcount > 0


def _supersede_older(connection: Connection, commit: Commit, successor: int, supersede: str) -> tuple[str, ...]:
    """Put ``successor`` into the place of the branch's older pushed runs; returns the owners of those to be stopped.

    Queued ones that nobody works on end here. With ``supersede = "running"`` the others are asked to end.
    """
    older = connection.execute(
        select(runs.c.id, runs.c.state, runs.c.owner, runs.c.heartbeat, runs.c.stop_requested).where(
            runs.c.repository == commit.repository,
            runs.c.branch == commit.branch,
            runs.c.origin == Origin.PUSH,
            runs.c.id < successor,
            runs.c.state.in_(UNENDED),
        )
    ).all()
    stop = []
    for row in older:
        owned = row.owner is not None and is_alive(row.owner, row.heartbeat)
        if supersede == "running" and owned:
            asked = row.stop_requested or State.SUPERSEDED  # the first request counts
            changed = {"stop_requested": asked, "successor": successor}
            connection.execute(update(runs).where(runs.c.id == row.id).values(**changed))
            stop.append(row.owner)
        elif not owned and (row.state is State.QUEUED or supersede == "running"):
            reason, ended = Reason.SUPERSEDED, datetime.now(UTC)
            end(connection, row.id, row.owner, State.SUPERSEDED, reason=reason, successor=successor, ended=ended)
    return tuple(stop)
