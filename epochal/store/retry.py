"""Wait for a database that does not answer."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from epochal.store.errors import DatabaseUnavailable

FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 10.0

CONNECTION_ERRORS = (OperationalError, InterfaceError)
"""SQLAlchemy's exceptions for a connection that fails or is lost, or an SQLite file that is locked or unreadable."""

_T = TypeVar("_T")


class RetryPolicy:
    """Waits up to ``seconds`` for a database that does not answer, and logs each wait once with ``log``."""

    def __init__(self, seconds: float = 0.0, log: Callable[[str], None] | None = None) -> None:
        self._seconds = seconds
        self._log = log
        self._stopped = threading.Event()

    def stop_waiting(self) -> None:
        """Stop waiting for the database in all threads, and never wait for it again."""
        self._stopped.set()

    def run(self, transaction: Callable[[], _T]) -> _T:
        """Run ``transaction`` and return its result; retry it while the database does not respond.

        Raises DatabaseUnavailable once the waiting time is up or ``stop_waiting`` has been called. Raises CommitLost,
        without repeating the transaction, if the connection is lost during the commit.
        """
        deadline, pause, logged = time.monotonic() + self._seconds, FIRST_PAUSE_SECONDS, False
        while True:
            try:
                return transaction()
            except CONNECTION_ERRORS as error:
                why = f"the database does not answer: {error.orig}"
                if self._stopped.is_set() or time.monotonic() + pause > deadline:
                    raise DatabaseUnavailable(why) from error
            if self._log and not logged:
                self._log(f"waiting up to {self._seconds:.0f} s because {why}")
                logged = True
            self._stopped.wait(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)
