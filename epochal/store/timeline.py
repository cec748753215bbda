"""The moments' rows: what the jobs marked on a run's way."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from epochal.records import Moment, Step
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import moments


@writes
def mark_step(
    connection: Connection, run: int, step: Step, trial: int | None = None, at: datetime | None = None
) -> None:
    """Keep that a run (one of its trials) came to ``step`` now, or at the aware time ``at``; earlier marks stay."""
    row = {"run": run, "step": step, "trial": trial, "at": at or datetime.now(UTC)}
    connection.execute(insert(moments).values(**row))


@reads
def marked_moments(connection: Connection, run: int) -> list[Moment]:
    """Return what was marked of a run, in that order."""
    rows = connection.execute(select(moments).where(moments.c.run == run).order_by(moments.c.id))
    return [read_row(Moment, row) for row in rows]
