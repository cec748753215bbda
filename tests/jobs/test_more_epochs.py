"""More epochs: what comes after the trials so far."""

from dataclasses import replace

import pytest

from epochal.analysis.script import parse_script
from epochal.errors import Reason
from epochal.jobs.strategy import GiveUp, Proposal, next_trial
from epochal.records import Forecast, Trial, TrialState
from epochal.settings import RetrainSettings
from tests.trials import measured

_SCRIPT = b"epochs = 20\nmodel.fit(x, y, epochs=epochs)\n"


def _trials(*accuracies: float | None, seconds: float = 60.0) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            number,
            TrialState.MEASURED if accuracy is not None else TrialState.FAILED,
            {},
            20,
            measured(accuracy),
            seconds=seconds,
        )
        for number, accuracy in enumerate(accuracies, start=1)
    )


@pytest.mark.parametrize(
    ("trials", "epochs"),
    [
        (_trials(0.5), 30),
        (_trials(0.5, 0.6), 40),
        (_trials(0.5, None), 30),  # the second one was interrupted: what it would have trained is trained again
    ],
)
def test_each_trial_adds_the_step(trials: tuple[Trial, ...], epochs: int) -> None:
    """Epochs rise by the step from one measured trial to the next."""
    proposal = next_trial(parse_script(_SCRIPT), trials, RetrainSettings(), 0.8)
    assert isinstance(proposal, Proposal)
    assert {constant.name: value for constant, value in proposal.changes.items()} == {"epochs": epochs}


@pytest.mark.parametrize(
    ("script", "trials", "settings", "reason"),
    [
        (b"model.fit(x, y, epochs=count())\n", _trials(0.5), RetrainSettings(), Reason.NO_EPOCHS),
        (_SCRIPT, _trials(0.5, 0.6, 0.7), RetrainSettings(max_trials=3), Reason.MAX_TRIALS),
        (_SCRIPT, _trials(0.5, 0.6), RetrainSettings(max_minutes=2), Reason.MAX_MINUTES),
        (_SCRIPT, _trials(0.5, 0.6), RetrainSettings(max_epochs=39), Reason.MAX_EPOCHS),
        (_SCRIPT, _trials(0.6, 0.5, 0.6), RetrainSettings(patience=2), Reason.NO_IMPROVEMENT),
    ],
)
def test_it_gives_up_with_a_reason(
    script: bytes, trials: tuple[Trial, ...], settings: RetrainSettings, reason: Reason
) -> None:
    """Each part of the budget ends the run, and so does a script without epochs."""
    proposal = next_trial(parse_script(script), trials, settings, 0.8)
    assert isinstance(proposal, GiveUp)
    assert proposal.reason is reason
    assert proposal.explanation


@pytest.mark.parametrize(
    ("trials", "settings"),
    [
        (_trials(0.5, 0.6), RetrainSettings(max_trials=3)),
        (_trials(0.5, seconds=119.0), RetrainSettings(max_minutes=2)),
        (_trials(0.5, 0.6), RetrainSettings(max_epochs=40)),
        (_trials(0.5, 0.6, 0.6), RetrainSettings(patience=2)),
    ],
)
def test_it_goes_on_up_to_the_last_of_the_budget(trials: tuple[Trial, ...], settings: RetrainSettings) -> None:
    """A budget that is not used up yet stops nothing."""
    assert isinstance(next_trial(parse_script(_SCRIPT), trials, settings, 0.8), Proposal)


def test_what_levels_off_gets_no_more_epochs() -> None:
    """The forecast of the last measured trial decides, and only where it is hopeless."""
    first, second = _trials(0.5, 0.6)
    hopeless = Forecast(0.8, 200, level=0.61, margin=0.02, hopeless=True)
    proposal = next_trial(parse_script(_SCRIPT), (first, replace(second, forecast=hopeless)), RetrainSettings(), 0.8)
    assert proposal == GiveUp(
        Reason.LEVELS_OFF, "The accuracy levels off at 0.61 ± 0.02: more epochs will not reach 0.80."
    )
    for trials in ((replace(first, forecast=hopeless), second), (first, replace(second, forecast=Forecast(0.8, 200)))):
        assert isinstance(next_trial(parse_script(_SCRIPT), trials, RetrainSettings(), 0.8), Proposal)
