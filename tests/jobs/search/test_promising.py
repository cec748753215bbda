"""Which of a search's trials gets more epochs."""

import pytest

from epochal.analysis.hyperparameters import Constant
from epochal.errors import Reason
from epochal.jobs.search.promising import next_to_resume
from epochal.records import Forecast, StoppedBy, Strategy, Trial, TrialState
from epochal.settings import RetrainSettings
from tests.trials import measured

_EPOCHS = Constant("epochs", 20, 1, 0, 2)
_SETTINGS = RetrainSettings(max_epochs=60)


def _trial(number: int, accuracy: float, expected: int | None, filters: int = 8, epochs: int = 20) -> Trial:
    return Trial(
        number,
        TrialState.MEASURED,
        {"filters": filters, "epochs": epochs},
        accuracy=measured(accuracy),
        strategy=Strategy.SEARCH,
        forecast=Forecast(0.8, 60, expected=expected),
    )


@pytest.mark.parametrize(
    ("trials", "found"),
    [
        ([], None),
        ([_trial(2, 0.7, None)], None),
        ([_trial(2, 0.7, 43)], (2, 43)),
        ([_trial(2, 0.7, 22)], (2, 30)),  # a step at least: an epoch more would not be worth starting for
        ([_trial(2, 0.7, 60, epochs=55)], (2, 60)),
        ([_trial(2, 0.7, 61, epochs=60)], None),  # max_epochs
        ([_trial(2, 0.7, 43), _trial(3, 0.75, 50, filters=16)], (3, 50)),  # the best first
        ([_trial(2, 0.7, 43), _trial(3, 0.72, None, epochs=43)], None),  # it has gone on, and it was of no use
    ],
)
def test_the_best_that_is_expected_to_get_there(trials: list[Trial], found: tuple[int, int] | None) -> None:
    """It gets the epochs that are expected to do, once."""
    trial = next_to_resume(trials, _EPOCHS, _SETTINGS)
    assert (trial and (trial[0].number, trial[1])) == found


def test_who_does_not_go_on() -> None:
    """Not a trial of the raising of epochs, nor one that its own callbacks ended; an interrupted attempt is none."""
    trial = _trial(2, 0.7, 43)
    assert next_to_resume([Trial(**vars(trial) | {"strategy": Strategy.MORE_EPOCHS})], _EPOCHS, _SETTINGS) is None
    assert next_to_resume([Trial(**vars(trial) | {"stopped_by": StoppedBy.SCRIPT})], _EPOCHS, _SETTINGS) is None
    interrupted = Trial(3, TrialState.FAILED, {"filters": 8, "epochs": 43}, reason=Reason.INTERRUPTED)
    assert next_to_resume([trial, interrupted], _EPOCHS, _SETTINGS) == (trial, 43)
