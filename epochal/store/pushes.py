"""How a push becomes a run: its delivery, its row, and what it takes the place of."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from epochal.records import Commit, Origin, State
from epochal.store.ends import UNENDED, end
from epochal.store.owner import is_alive
from epochal.store.schema import deliveries, runs


def change(connection: Connection, run: int, **columns: Any) -> None:
    """Set columns of a run."""
    connection.execute(update(runs).where(runs.c.id == run).values(**columns))


def seen(connection: Connection, delivery: str) -> int | None:
    """The run that a delivery started; None if it did not come yet, or started none."""
    return connection.execute(select(deliveries.c.run).where(deliveries.c.id == delivery)).scalar()


def keep_delivery(
    connection: Connection, delivery: tuple[str, str], received: datetime, result: str, run: int | None
) -> None:
    """Remember a delivery (its id and event) and what came of it, instead of what came of it before."""
    connection.execute(delete(deliveries).where(deliveries.c.id == delivery[0]))
    row = {"id": delivery[0], "event": delivery[1], "received": received, "result": result, "run": run}
    connection.execute(insert(deliveries).values(**row))


def pushed_run(connection: Connection, commit: Commit) -> int | None:
    """The one run that pushes of the commit have; None if there is none."""
    same = runs.c.repository == commit.repository, runs.c.branch == commit.branch, runs.c.sha == commit.sha
    return connection.execute(select(runs.c.id).where(*same, runs.c.origin == Origin.PUSH.value)).scalar()


def insert_run(connection: Connection, commit: Commit, origin: Origin) -> int:
    """A new, queued run; returns its number."""
    result = connection.execute(
        insert(runs)
        .values(
            repository=commit.repository,
            branch=commit.branch,
            sha=commit.sha,
            message=commit.message,
            author_name=commit.author_name,
            author_email=commit.author_email,
            origin=origin.value,
            state=State.QUEUED.value,
            created=datetime.now(UTC),
            notes=[],
        )
        .returning(runs.c.id)
    )
    return int(result.scalar_one())


def add_author(connection: Connection, run: int, commit: Commit) -> None:
    """Message and author, where whoever told of the commit first (a poll knows its name only) did not know them."""
    known = {"message": commit.message, "author_name": commit.author_name, "author_email": commit.author_email}
    if commit.author_email:
        connection.execute(update(runs).where(runs.c.id == run, runs.c.author_email == "").values(**known))


def revive(connection: Connection, run: int) -> bool:
    """Queue a superseded run again (its commit is pushed once more, by a forced push back to it); whether it was one."""
    superseded = runs.c.id == run, runs.c.state == State.SUPERSEDED.value
    cleared = {"reason": None, "successor": None, "ended": None, "stop_requested": None, "owner": None}
    return connection.execute(update(runs).where(*superseded).values(state=State.QUEUED.value, **cleared)).rowcount > 0


def supersede_older(connection: Connection, commit: Commit, successor: int, supersede: str) -> tuple[str, ...]:
    """Put ``successor`` into the place of the branch's older pushed runs; returns the owners of those to be stopped.

    Queued ones that nobody works on end here. With ``supersede = "running"`` the others are asked to end.
    """
    older = connection.execute(
        select(runs.c.id, runs.c.state, runs.c.owner, runs.c.heartbeat, runs.c.stop_requested).where(
            runs.c.repository == commit.repository,
            runs.c.branch == commit.branch,
            runs.c.origin == Origin.PUSH.value,
            runs.c.id < successor,
            runs.c.state.in_(UNENDED),
        )
    ).all()
    stop = []
    for row in older:
        owned = row.owner is not None and is_alive(row.owner, row.heartbeat)
        if supersede == "running" and owned:
            asked = row.stop_requested or State.SUPERSEDED.value  # the first request counts
            change(connection, row.id, stop_requested=asked, successor=successor)
            stop.append(row.owner)
        elif not owned and (row.state == State.QUEUED.value or supersede == "running"):
            reason = State.SUPERSEDED.value
            ended = datetime.now(UTC)
            end(connection, row.id, row.owner, State.SUPERSEDED, reason=reason, successor=successor, ended=ended)
    return tuple(stop)


def is_foremost() -> ColumnElement[bool]:
    """Of a run: it is unended, a push started it, and no older one of its branch is unended."""
    older = runs.alias()
    waits = select(older.c.id).where(
        older.c.repository == runs.c.repository,
        older.c.branch == runs.c.branch,
        older.c.origin == Origin.PUSH.value,
        older.c.state.in_(UNENDED),
        older.c.id < runs.c.id,
    )
    return and_(runs.c.state.in_(UNENDED), runs.c.origin == Origin.PUSH.value, ~waits.exists())
