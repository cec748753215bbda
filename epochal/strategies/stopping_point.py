"""The validation accuracy with which a retrain's fit ends. Values in, values out."""

from collections.abc import Sequence

from epochal.records import Trial

_LEAST_RISE = 0.01
"""A gap that is next to nothing must not make the trials crawl, an epoch each."""


def stopping_point(wanted: float, trials: Sequence[Trial]) -> float | None:
    """The validation accuracy (0 to 1) to stop at after ``trials``; None where there is none: all epochs are trained.

    The accuracy that is ``wanted`` of the gate's data; but where a trial's validation was there and the gate then
    measured less, it is higher by the gap seen.
    """
    point = wanted
    for trial in trials:
        if trial.accuracy is None or trial.validation_accuracy is None:
            continue
        if trial.validation_accuracy >= point and trial.accuracy < wanted:
            point += max(trial.validation_accuracy - trial.accuracy, _LEAST_RISE)
    return point if point <= 1 else None
