"""The dispatches' rows: what Jenkins was last asked to do for a run."""

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from epochal.records import Dispatch
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import dispatches


@reads
def last_dispatch(connection: Connection, run: int) -> Dispatch | None:
    """Return what Jenkins was last asked to do for a run; None if nothing yet."""
    row = connection.execute(select(dispatches).where(dispatches.c.run == run)).first()
    return read_row(Dispatch, row) if row else None


@writes
def keep_dispatch(connection: Connection, dispatch: Dispatch) -> None:
    """Remember what Jenkins was asked to do for a run, instead of what it was asked before."""
    connection.execute(delete(dispatches).where(dispatches.c.run == dispatch.run))
    connection.execute(insert(dispatches).values(**asdict(dispatch)))
