"""A trial of a search, compared with the others after each epoch, and stopped where it is not worth its end."""

import math
from collections.abc import Callable

from epochal.errors import Reason
from epochal.jobs.log import log
from epochal.jobs.progress import epoch_line
from epochal.records import Epoch
from epochal.runtimes.stop import Stop
from epochal.store.errors import DatabaseUnavailable

_MOST_EPOCHS = 10_000
"""So many are compared: each of them is a question to two databases, and code may tell of any number."""

ShouldContinue = Callable[[int, float], bool]
"""Returns for a number of epochs and the validation accuracy (0 to 1) after them whether the trial should train on."""


class Comparing:
    """Compares a trial with others after each of its epochs, and requests its ``stop`` if they did better after as many."""

    def __init__(
        self, number: int, stop: Stop, stop_if_over: Callable[[], None], should_continue: ShouldContinue
    ) -> None:
        """``stop_if_over`` is called after each epoch, and stops this trial if the search is over."""
        self._number = number
        self._stop = stop
        self._stop_if_over = stop_if_over
        self._should_continue = should_continue
        self._epochs = 0
        self._failed = False

    def hear(self, epoch: Epoch) -> None:
        """Log an epoch that has ended, and compare it. A fault of the comparison is logged, and ends only the comparing."""
        log(f"  trial {self._number}: {epoch_line(epoch)}")
        self._epochs += 1
        if self._failed or self._stop.reason or self._epochs > _MOST_EPOCHS:
            return
        try:
            self._stop_if_over()
            accuracy = epoch.validation_accuracy
            # After the last epoch only the test is left, which says more than any comparison.
            is_last = epoch.epochs is not None and epoch.number >= epoch.epochs
            if accuracy is None or is_last:
                return
            if not math.isfinite(accuracy) or not self._should_continue(self._epochs, accuracy):
                self._stop.request(Reason.PRUNED)
        except DatabaseUnavailable:
            return  # compared again at the next epoch
        except Exception as fault:
            self._failed = True
            log(f"note: trial {self._number} is not compared with others: {type(fault).__name__}: {fault}")
