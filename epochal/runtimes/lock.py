"""A file lock that lets only one thread or process build an environment at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epochal.records import Log


@contextmanager
def file_lock(path: Path, log: Log) -> Iterator[None]:
    """Hold an exclusive lock on the file ``path`` during the ``with`` block; log a line if that requires waiting.

    The kernel releases the lock if its holder dies (flock(2)).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("Another job is building the same training environment; waiting for it to finish.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
