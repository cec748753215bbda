"""Turn signals sent to a job into exceptions, so that all cleanup code runs, and record the job's heartbeats."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from epochal.store.database import Database
from epochal.store.errors import DatabaseUnavailable
from epochal.store.owner import HEARTBEAT_SECONDS
from epochal.store.runs import record_heartbeat, release_run


class Stopped(BaseException):
    """Raised when a signal asks the job to stop. It is a BaseException, so that no ``except Exception`` catches it."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(signal.Signals(signal_number).name)


@contextmanager
def raise_on_signal() -> Iterator[None]:
    """Raise Stopped in the main thread on the first SIGTERM, SIGINT or SIGHUP, and ignore later ones."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for other in handled_signals:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    # A signal that is already ignored stays ignored, as nohup(1) expects.
    stop_signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handled_signals = [number for number in stop_signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in handled_signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def heartbeat(database: Database, run: int) -> Iterator[None]:
    """Record a heartbeat for the run's owner every HEARTBEAT_SECONDS, and release the run at the end.

    Heartbeats are skipped while the database does not answer. If the run cannot be released, other processes can
    claim it once this process has ended.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(DatabaseUnavailable):
                record_heartbeat(database, run)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(DatabaseUnavailable):
            release_run(database, run)
