"""Stop a trial from another thread, for example because another trial has reached the threshold."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from epochal.errors import Reason


class Stop:
    """A request to stop a trial immediately. Any thread may make it, before the trial starts or during training."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callback: Callable[[], None] | None = None
        self.reason: Reason | None = None
        """The reason for the request; None if there has been no request."""

    def request(self, reason: Reason) -> None:
        """Request that the trial stop; only the first request counts.

        If the trial is training, the ``callback`` passed to ``on_request`` is called before this method returns.
        """
        with self._lock:
            if self.reason is None:
                self.reason = reason
                if self._callback:
                    self._callback()

    @contextmanager
    def on_request(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback`` when a stop is requested during the ``with`` block; at once if one was requested before."""
        with self._lock:
            self._callback = callback
            if self.reason:
                callback()
        try:
            yield
        finally:
            with self._lock:
                self._callback = None
