"""Making what has to be unmade, whenever the interruption comes."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def made(make: Callable[[], T], unmake: Callable[[T], None]) -> Iterator[T]:
    """What ``make`` returns; ``unmake`` gets it on the way out.

    An exception that a signal handler raises can come in the middle of ``make``, when the thing exists but nobody has
    hold of it yet. Handlers run in the main thread, so ``make`` runs in another one, and is waited for before leaving.
    """
    making: Future[T] = Future()
    try:
        Thread(target=_make, args=(make, making), daemon=True).start()
        yield making.result()
    finally:
        # Cancelling succeeds only where the interruption came before the thread had begun.
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
