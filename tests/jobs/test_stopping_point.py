"""The validation accuracy at which a fit in the retrain job stops."""

import pytest

from epochal.jobs.strategy import choose_stop_accuracy
from epochal.records import Trial, TrialState
from tests.trials import measured


def _make_trial(validation: float | None, accuracy: float | None) -> Trial:
    return Trial(1, TrialState.MEASURED, {}, accuracy=measured(accuracy), validation_accuracy=validation)


@pytest.mark.parametrize(
    ("trials", "stop_at"),
    [
        ([], 0.8),
        ([_make_trial(0.7, 0.72)], 0.8),
        ([_make_trial(None, 0.7)], 0.8),
        ([_make_trial(0.82, 0.77)], 0.85),  # the gap between validation and test is 0.05
        ([_make_trial(0.82, 0.77), _make_trial(0.851, 0.799)], 0.902),
        ([_make_trial(0.82, 0.77), _make_trial(0.84, 0.79)], 0.85),  # the second trial stayed below 0.85
        ([_make_trial(0.8001, 0.7999)], 0.81),  # it rises by at least 0.01
        ([_make_trial(0.95, 0.7)], None),  # no accuracy reaches 1.05
    ],
)
def test_stop_accuracy_rises_by_the_gap_to_the_test_accuracy(trials: list[Trial], stop_at: float | None) -> None:
    """It equals the threshold until a trial reaches the threshold in validation but not in the test."""
    assert choose_stop_accuracy(0.8, trials) == (stop_at if stop_at is None else pytest.approx(stop_at))
