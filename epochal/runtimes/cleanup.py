"""Create a resource that is cleaned up even if a signal handler interrupts its creation."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def made(make: Callable[[], T], unmake: Callable[[T], None]) -> Iterator[T]:
    """Yield what ``make`` returns, and pass it to ``unmake`` on exit.

    A signal handler may raise an exception in the middle of ``make``, when the resource exists but has not been
    returned yet. Signal handlers run in the main thread, so ``make`` runs in another one, which is waited for before
    cleaning up.
    """
    making: Future[T] = Future()
    try:
        Thread(target=_make, args=(make, making), daemon=True).start()
        yield making.result()
    finally:
        # Cancelling succeeds only if the interruption came before the thread called ``make``.
        if not making.cancel():
            wait([making])
            if making.exception() is None:
                unmake(making.result())


def _make(make: Callable[[], T], making: Future[T]) -> None:
    if making.set_running_or_notify_cancel():
        try:
            making.set_result(make())
        except BaseException as error:
            making.set_exception(error)
