"""Ending one training from another thread: it is no use any more, as others do better or one has reached the threshold."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from epochal.errors import Reason


class Stop:
    """A request that a training ends now. It is made once, from any thread, before the training begins or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.reason: Reason | None = None
        """Why it was asked for; None: it was not."""

    def request(self, reason: Reason) -> None:
        """Ask for it; the first reason counts. Returns when what trains was told to end, if anything trains."""
        with self._lock:
            if self.reason is None:
                self.reason = reason
                if self._end:
                    self._end()

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """While this lasts ``end`` is called when it is asked for, at once if it was asked for already."""
        with self._lock:
            self._end = end
            if self.reason:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._end = None
