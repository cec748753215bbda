"""The dispatches' rows: what Jenkins was last asked to do for a run."""

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from epochal.records import Dispatch
from epochal.store.schema import dispatches


def of_run(connection: Connection, run: int) -> Dispatch | None:
    """The dispatch of a run."""
    row = connection.execute(select(dispatches).where(dispatches.c.run == run)).first()
    return Dispatch(row.run, row.job, row.item, row.failures, row.requested) if row else None


def keep(connection: Connection, dispatch: Dispatch) -> None:
    """Remember a dispatch instead of the run's one before."""
    connection.execute(delete(dispatches).where(dispatches.c.run == dispatch.run))
    connection.execute(insert(dispatches).values(**asdict(dispatch)))
