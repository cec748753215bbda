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
"""Tells of a number of epochs and the validation accuracy (0 to 1) after them whether others did not do better."""


class Comparing:
    """Hears of a trial's epochs; asks its ``stop`` where others did better after as many."""

    def __init__(
        self, number: int, stop: Stop, look_elsewhere: Callable[[], None], should_continue: ShouldContinue
    ) -> None:
        """``look_elsewhere`` is called with each epoch, and sees to it that this trial ends where it is overtaken."""
        self._number = number
        self._stop = stop
        self._look_elsewhere = look_elsewhere
        self._should_continue = should_continue
        self._epochs = 0
        self._failed = False

    def hear(self, epoch: Epoch) -> None:
        """An epoch has ended. A fault of the comparison is told, and the trial goes on without it."""
        log(f"  trial {self._number}: {epoch_line(epoch)}")
        self._epochs += 1
        if self._failed or self._stop.reason or self._epochs > _MOST_EPOCHS:
            return
        try:
            self._look_elsewhere()
            if not self._is_to_go_on(epoch):
                self._stop.request(Reason.PRUNED)
        except DatabaseUnavailable:
            return  # compared again at the next epoch
        except Exception as fault:
            self._failed = True
            log(f"note: trial {self._number} is not compared with others: {type(fault).__name__}: {fault}")

    def _is_to_go_on(self, epoch: Epoch) -> bool:
        accuracy = epoch.validation_accuracy
        # What is left of one at its last epoch is its test, which says more than any comparison.
        if accuracy is None or (epoch.epochs is not None and epoch.number >= epoch.epochs):
            return True
        return math.isfinite(accuracy) and self._should_continue(self._epochs, accuracy)
