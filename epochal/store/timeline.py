"""Read and write the table of moments, which records when each run reached each step."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from epochal.records import Moment, Step
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import moments


@writes
def record_step(
    connection: Connection, run: int, step: Step, trial: int | None = None, at: datetime | None = None
) -> None:
    """Record that a run, or its trial ``trial``, reached ``step``; earlier records of the same step are kept.

    ``at`` is the time, which must be timezone-aware; the default is the current time.
    """
    row = {"run": run, "step": step, "trial": trial, "at": at or datetime.now(UTC)}
    connection.execute(insert(moments).values(**row))


@reads
def list_moments(connection: Connection, run: int) -> list[Moment]:
    """Return the recorded steps of a run, in the order in which they were recorded."""
    rows = connection.execute(select(moments).where(moments.c.run == run).order_by(moments.c.id))
    return [read_row(Moment, row) for row in rows]
