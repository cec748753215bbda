"""What a trial went on from, in words, and how many epochs are to be adopted."""

import pytest

from epochal.records import Epoch, Fit, StoppedBy
from epochal.results.resumption import resumption_in_words, settled_epochs, stopped_by


def _fit(model: int = 1, continued: int = 0, last: int = 30, **more: object) -> Fit:
    epochs = tuple(Epoch(model, 1, number, 30, {}, 0.1) for number in range(1, last + 1))
    return Fit(model, 1, 30, continued, epochs=epochs, ended=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fits", "source", "retrain", "told"),
    [
        ([_fit()], "", False, ""),
        ([], "", False, ""),
        ([_fit(continued=20)], "trial 1", True, "continued from epoch 20 of trial 1"),
        (
            [_fit(continued=19, why="it is damaged")],
            "trial 1",
            True,
            "continued from epoch 19 of trial 1 (it is damaged)",
        ),
        ([_fit(why="the loss")], "run 7", False, "trained from the beginning: the loss"),
        ([_fit()], "", True, "trained from the beginning: there was no checkpoint"),
        ([], "", True, "trained from the beginning: only Keras' fit can be continued"),
        (
            [_fit(continued=20), _fit(2)],
            "trial 1",
            True,
            "fit 1 of model 1 continued from epoch 20 of trial 1; "
            "fit 1 of model 2 trained from the beginning: there was no checkpoint of it",
        ),
    ],
)
def test_a_trial_tells_what_it_went_on_from(fits: list[Fit], source: str, retrain: bool, told: str) -> None:
    """One sentence, and none for a first trial that had nothing to go on from."""
    assert resumption_in_words(fits, source, retrain=retrain) == told


def test_what_ended_a_trial_early() -> None:
    """The threshold if it ended any of its fits; the script only if it ended all of them itself."""
    itself, there, full = _fit(last=12), _fit(last=24, stopped=True), _fit()
    assert stopped_by([itself, there]) is StoppedBy.THRESHOLD
    assert stopped_by([itself, itself]) is StoppedBy.SCRIPT
    assert stopped_by([itself, full]) is None
    assert stopped_by([]) is None


def test_what_was_trained_is_what_is_adopted() -> None:
    """An early stop lowers the epochs to adopt, if one fit alone has them."""
    there = _fit(last=24, stopped=True)
    assert settled_epochs([there], 30) == 24
    assert settled_epochs([there], 40) == 40
    assert settled_epochs([there, _fit(2)], 30) == 30
    assert settled_epochs([_fit(last=12)], 30) == 30
