"""The forecast of a trial, in the accuracy that its gate judges."""

import math

import pytest

from epochal.analysis.script import parse_script
from epochal.records import Epoch, Fit, StoppedBy, Trial, TrialState
from epochal.results.forecast import forecast_trial
from tests.trials import measured

_SCRIPT = b"epochs = 20\nmodel.fit(x, y, epochs=epochs)\n"


def _fit(epochs: int = 60, name: str = "val_accuracy", wanted: int = 60) -> Fit:
    """A fit whose accuracy saturates at 0.82."""
    levels = {number: 0.82 - 0.6 * math.exp(-number / 5) + 0.003 * (-1) ** number for number in range(1, epochs + 1)}
    told = tuple(Epoch(1, 1, number, wanted, {name: level}, 0.1) for number, level in levels.items())
    return Fit(1, 1, wanted, epochs=told, ended=True)


def _trial(
    accuracy: float, validation: float | None = 0.82, epochs: int = 60, stopped_by: StoppedBy | None = None
) -> Trial:
    trial = Trial(1, TrialState.MEASURED, {"epochs": epochs}, 60, measured(accuracy))
    return Trial(**(trial.__dict__ | {"validation_accuracy": validation, "stopped_by": stopped_by}))


def test_the_gap_between_validation_and_gate_is_taken_off() -> None:
    """Validation at 0.82 is not enough for 0.80 where the test is five points lower: it levels off at 0.77."""
    found = forecast_trial(_trial(0.77), [_fit()], parse_script(_SCRIPT), 0.8, 200)
    assert found is not None
    assert found.hopeless
    assert found.sentence.startswith("levels off at 0.77 ± 0.0")
    assert found.sentence.endswith(": more epochs will not reach 0.80")
    found = forecast_trial(_trial(0.795), [_fit()], parse_script(_SCRIPT), 0.8, 200)
    assert found is not None
    assert not found.hopeless


@pytest.mark.parametrize(
    ("trial", "fits", "script"),
    [
        (_trial(0.77), [], _SCRIPT),  # no fit of Keras
        (_trial(0.77, None), [_fit(name="accuracy")], _SCRIPT),  # it only knows its training data
        (_trial(0.77, epochs=20), [_fit()], _SCRIPT),  # raising the epochs would not train this fit longer
        (_trial(0.77, stopped_by=StoppedBy.SCRIPT), [_fit()], _SCRIPT),
        (_trial(0.6), [_fit()], _SCRIPT),  # validation would have to be over 1
        (_trial(0.77), [_fit()], b"model.fit(x, y, epochs=count())\n"),
        (_trial(0.77), [_fit()], b"rate = keras.optimizers.schedules.CosineDecay(0.1, 20)\n" + _SCRIPT),
    ],
)
def test_without_ground_there_is_no_forecast(trial: Trial, fits: list[Fit], script: bytes) -> None:
    """Where more epochs would not go on with a validated curve, nothing is said of them."""
    assert forecast_trial(trial, fits, parse_script(script), 0.8, 200) is None


def test_a_fit_that_stopped_at_the_threshold_is_the_one_to_raise() -> None:
    """What is to be adopted of such a trial are the epochs that it trained."""
    assert forecast_trial(_trial(0.795, epochs=30), [_fit(30)], parse_script(_SCRIPT), 0.8, 200) is not None
