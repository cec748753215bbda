"""The database: the only reader and writer of it. The runs' own table is the queue."""

from epochal.store.store import Accepted, Busy, Notice, NoticeState, Store

__all__ = ["Accepted", "Busy", "Notice", "NoticeState", "Store"]
