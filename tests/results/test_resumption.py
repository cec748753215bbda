"""The sentence that says what a trial resumed from, and how many epochs to adopt from the trial."""

import pytest

from epochal.records import Epoch, Fit, StoppedBy
from epochal.results.resumption import describe_resumption, effective_epochs, find_stop_cause


def _make_fit(model: int = 1, continued: int = 0, last: int = 30, **others: object) -> Fit:
    epochs = tuple(Epoch(model, 1, number, 30, {}, 0.1) for number in range(1, last + 1))
    return Fit(model, 1, 30, continued, epochs=epochs, ended=True, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fits", "source", "retrain", "sentence"),
    [
        ([_make_fit()], "", False, ""),
        ([], "", False, ""),
        ([_make_fit(continued=20)], "trial 1", True, "resumed from epoch 20 of trial 1"),
        (
            [_make_fit(continued=19, why="it is damaged")],
            "trial 1",
            True,
            "resumed from epoch 19 of trial 1 (it is damaged)",
        ),
        ([_make_fit(why="the loss")], "run 7", False, "trained from the beginning: the loss"),
        ([_make_fit()], "", True, "trained from the beginning: there was no checkpoint"),
        ([], "", True, "trained from the beginning: only Keras' fit can be resumed"),
        (
            [_make_fit(continued=20), _make_fit(2)],
            "trial 1",
            True,
            "fit 1 of model 1 resumed from epoch 20 of trial 1; "
            "fit 1 of model 2 trained from the beginning: there was no checkpoint for this fit",
        ),
    ],
)
def test_trial_says_what_it_resumed_from(fits: list[Fit], source: str, retrain: bool, sentence: str) -> None:
    """A first trial that had nothing to resume from says nothing."""
    assert describe_resumption(fits, source, retrain=retrain) == sentence


def test_trial_knows_what_ended_it_early() -> None:
    """The cause is the threshold if that ended any fit, and the script only if it ended every fit."""
    by_script, at_threshold, complete = _make_fit(last=12), _make_fit(last=24, stopped=True), _make_fit()
    assert find_stop_cause([by_script, at_threshold]) is StoppedBy.THRESHOLD
    assert find_stop_cause([by_script, by_script]) is StoppedBy.SCRIPT
    assert find_stop_cause([by_script, complete]) is None
    assert find_stop_cause([]) is None


def test_early_stop_lowers_the_epochs_to_adopt() -> None:
    """An early stop lowers the epochs to adopt only if a single fit has the trial's number of epochs."""
    at_threshold = _make_fit(last=24, stopped=True)
    assert effective_epochs([at_threshold], 30) == 24
    assert effective_epochs([at_threshold], 40) == 40
    assert effective_epochs([at_threshold, _make_fit(2)], 30) == 30
    assert effective_epochs([_make_fit(last=12)], 30) == 30
