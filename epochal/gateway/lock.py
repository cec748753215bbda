"""A lock that allows only one server per EPOCHAL_HOME."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epochal.errors import UsageError


@contextmanager
def server_lock(home: Path) -> Iterator[None]:
    """Hold the server lock in the folder *home* (EPOCHAL_HOME).

    Raises UsageError if another ``epochal serve`` holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"Another epochal serve process is already running for {home}. Stop it first.") from None
        yield


def is_server_running(home: Path) -> bool:
    """Return whether ``epochal serve`` is running for the folder *home* (EPOCHAL_HOME)."""
    try:
        with server_lock(home):
            return False
    except UsageError:
        return True
