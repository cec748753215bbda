"""Making what has to be unmade, whenever the interruption comes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def made(make: Callable[[], T], unmake: Callable[[T], None]) -> Iterator[T]:
    """What ``make`` returns; ``unmake`` gets it on the way out.

    An exception that a signal handler raises can come in the middle of ``make``, when the thing exists but nobody has
    hold of it yet. Handlers run in the main thread, so ``make`` runs in another one, and is waited for before leaving.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        making = pool.submit(make)
        try:
            yield making.result()
        finally:
            wait([making])
            if making.exception() is None:
                unmake(making.result())
