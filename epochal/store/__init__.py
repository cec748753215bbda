"""The database: the only reader and writer of it. The runs' own table is the queue."""

from epochal.store.errors import Busy, CommitLost, DatabaseUnavailable, NothingReached, NotOwner, StopRequested
from epochal.store.patience import Patience
from epochal.store.store import Accepted, Notice, NoticeState, Store

__all__ = [
    "Accepted",
    "Busy",
    "CommitLost",
    "DatabaseUnavailable",
    "NotOwner",
    "NothingReached",
    "Notice",
    "NoticeState",
    "Patience",
    "StopRequested",
    "Store",
]
