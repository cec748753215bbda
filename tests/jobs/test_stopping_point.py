"""The validation accuracy that a retrain's fit stops at."""

import pytest

from epochal.jobs.strategy import stopping_point
from epochal.records import Trial, TrialState
from tests.trials import measured


def _trial(validation: float | None, accuracy: float | None) -> Trial:
    return Trial(1, TrialState.MEASURED, {}, accuracy=measured(accuracy), validation_accuracy=validation)


@pytest.mark.parametrize(
    ("trials", "point"),
    [
        ([], 0.8),
        ([_trial(0.7, 0.72)], 0.8),
        ([_trial(None, 0.7)], 0.8),
        ([_trial(0.82, 0.77)], 0.85),  # five points between validation and test
        ([_trial(0.82, 0.77), _trial(0.851, 0.799)], 0.902),
        ([_trial(0.82, 0.77), _trial(0.84, 0.79)], 0.85),  # it did not get there: nothing new is known of the gap
        ([_trial(0.8001, 0.7999)], 0.81),  # no crawling
        ([_trial(0.95, 0.7)], None),  # 1.05 is never reached
    ],
)
def test_it_rises_by_the_gap_that_was_seen(trials: list[Trial], point: float | None) -> None:
    """The threshold, until a trial's validation was there and its test was not."""
    assert stopping_point(0.8, trials) == (point if point is None else pytest.approx(point))
