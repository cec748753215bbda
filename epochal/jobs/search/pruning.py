"""Compare a trial of a search with the others after each epoch, and stop it if they did better."""

import math
from collections.abc import Callable

from epochal.errors import Reason
from epochal.jobs.log import log
from epochal.jobs.progress import format_epoch
from epochal.records import Epoch
from epochal.runtimes.stop import Stop
from epochal.store.errors import DatabaseUnavailable

_MAX_EPOCHS = 10_000
"""After this many epochs, a trial is no longer compared with the others.

Each comparison queries two databases, and a script may report any number of epochs.
"""

ShouldContinue = Callable[[int, float], bool]
"""Takes the number of epochs so far and the validation accuracy (0 to 1) of a trial; returns whether to continue it."""


class Pruner:
    """Compares a trial with the others after each epoch, and stops it if they were better at that point."""

    def __init__(
        self, number: int, stop: Stop, stop_if_over: Callable[[], None], should_continue: ShouldContinue
    ) -> None:
        """Compare trial ``number`` with the others.

        ``stop``: ends this trial. ``stop_if_over``: called after each epoch; ends the trial if the search is over.
        ``should_continue``: compares the trial with the others, and returns whether to continue it.
        """
        self._number = number
        self._stop = stop
        self._stop_if_over = stop_if_over
        self._should_continue = should_continue
        self._epochs = 0
        self._failed = False

    def on_epoch(self, epoch: Epoch) -> None:
        """Log an epoch that has ended, compare the trial with the others, and stop it if it is not worth continuing.

        An exception in the comparison is logged and ends the comparisons, but not the trial. If the database does not
        answer, the comparison is made after the next epoch.
        """
        log(f"  trial {self._number}: {format_epoch(epoch)}")
        self._epochs += 1
        if self._failed or self._stop.reason or self._epochs > _MAX_EPOCHS:
            return
        try:
            self._stop_if_over()
            accuracy = epoch.validation_accuracy
            # Do not stop a trial after its last epoch, when only the test is left.
            is_last = epoch.epochs is not None and epoch.number >= epoch.epochs
            if accuracy is None or is_last:
                return
            if not math.isfinite(accuracy) or not self._should_continue(self._epochs, accuracy):
                self._stop.request(Reason.PRUNED)
        except DatabaseUnavailable:
            return  # compare again after the next epoch
        except Exception as fault:
            self._failed = True
            log(f"note: trial {self._number} is no longer compared with other trials: {type(fault).__name__}: {fault}")
