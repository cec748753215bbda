"""The moments' rows: what the jobs marked on a run's way."""

from sqlalchemy import Connection, insert, select

from epochal.records import Moment, Step
from epochal.store.schema import moments


def add(connection: Connection, run: int, moment: Moment) -> None:
    """Keep a moment of the run beside those that are there."""
    connection.execute(insert(moments).values(run=run, name=moment.step.value, trial=moment.trial, at=moment.at))


def of_run(connection: Connection, run: int) -> list[Moment]:
    """The moments of a run, in the order in which they were marked."""
    rows = connection.execute(select(moments).where(moments.c.run == run).order_by(moments.c.id))
    return [Moment(Step(row.name), row.at, row.trial) for row in rows]
