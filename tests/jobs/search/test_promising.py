"""Which trial of a search is resumed with more epochs."""

import pytest

from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.errors import Reason
from epochal.jobs.search.promising import choose_trial_to_resume
from epochal.records import Forecast, StoppedBy, Strategy, Trial, TrialState
from epochal.settings import RetrainSettings
from tests.trials import measured

_EPOCHS = Epochs(Constant("epochs", 20, 1, 0, 2))
_SETTINGS = RetrainSettings(max_epochs=60)


def _make_trial(number: int, accuracy: float, expected: int | None, filters: int = 8, epochs: int = 20) -> Trial:
    return Trial(
        number,
        TrialState.MEASURED,
        {"filters": filters, "epochs": epochs},
        accuracy=measured(accuracy),
        strategy=Strategy.SEARCH,
        forecast=Forecast(0.8, 60, expected=expected),
    )


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], None),
        ([_make_trial(2, 0.7, None)], None),
        ([_make_trial(2, 0.7, 43)], (2, 43)),
        ([_make_trial(2, 0.7, 22)], (2, 30)),  # at least one step: two epochs are not worth a trial
        ([_make_trial(2, 0.7, 60, epochs=55)], (2, 60)),
        ([_make_trial(2, 0.7, 61, epochs=60)], None),  # already has max_epochs
        ([_make_trial(2, 0.7, 43), _make_trial(3, 0.75, 50, filters=16)], (3, 50)),  # the most accurate one first
        ([_make_trial(2, 0.7, 43), _make_trial(3, 0.72, None, epochs=43)], None),  # trial 3 already resumed trial 2
    ],
)
def test_best_trial_expected_to_reach_the_threshold_is_resumed(
    trials: list[Trial], expected: tuple[int, int] | None
) -> None:
    """The trial gets as many epochs as its forecast expects, but at least one step more and at most ``max_epochs``."""
    trial = choose_trial_to_resume(trials, _EPOCHS, _SETTINGS)
    assert (trial and (trial[0].number, trial[1])) == expected


def test_trials_of_other_kinds_are_not_resumed() -> None:
    """Trials outside the search are not resumed, nor are trials that were ended by the script's own callbacks.

    A trial is resumed again if its resumption was interrupted.
    """
    trial = _make_trial(2, 0.7, 43)
    assert (
        choose_trial_to_resume([Trial(**vars(trial) | {"strategy": Strategy.MORE_EPOCHS})], _EPOCHS, _SETTINGS) is None
    )
    assert choose_trial_to_resume([Trial(**vars(trial) | {"stopped_by": StoppedBy.SCRIPT})], _EPOCHS, _SETTINGS) is None
    interrupted = Trial(3, TrialState.FAILED, {"filters": 8, "epochs": 43}, reason=Reason.INTERRUPTED)
    assert choose_trial_to_resume([trial, interrupted], _EPOCHS, _SETTINGS) == (trial, 43)
