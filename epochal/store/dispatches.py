"""Read and write the table of dispatches: for each run, the Jenkins job that was last requested or seen running."""

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from epochal.records import Dispatch
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import dispatches


@reads
def last_dispatch(connection: Connection, run: int) -> Dispatch | None:
    """Return the latest Jenkins job for a run, or None if there is none."""
    row = connection.execute(select(dispatches).where(dispatches.c.run == run)).first()
    return read_row(Dispatch, row) if row else None


@writes
def store_dispatch(connection: Connection, dispatch: Dispatch) -> None:
    """Store the latest Jenkins job for a run, replacing the previous one."""
    connection.execute(delete(dispatches).where(dispatches.c.run == dispatch.run))
    connection.execute(insert(dispatches).values(**asdict(dispatch)))
