"""Create a resource that is cleaned up even if a signal handler interrupts its creation."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def managed_resource(create: Callable[[], T], remove: Callable[[T], None]) -> Iterator[T]:
    """Yield what ``create`` returns, and pass it to ``remove`` on exit.

    A signal handler may raise an exception in the middle of ``create``, when the resource exists but has not been
    returned yet. Signal handlers run in the main thread, so ``create`` runs in another thread, and cleanup waits
    until that thread has finished.
    """
    creation: Future[T] = Future()
    try:
        Thread(target=_create, args=(create, creation), daemon=True).start()
        yield creation.result()
    finally:
        # Cancelling succeeds only if the interruption came before the thread called ``create``.
        if not creation.cancel():
            wait([creation])
            if creation.exception() is None:
                remove(creation.result())


def _create(create: Callable[[], T], creation: Future[T]) -> None:
    if creation.set_running_or_notify_cancel():
        try:
            creation.set_result(create())
        except BaseException as error:
            creation.set_exception(error)
