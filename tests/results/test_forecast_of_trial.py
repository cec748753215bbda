"""The forecast for a trial, expressed in the accuracy that the gate judges."""

import math
from dataclasses import replace

import pytest

from epochal.analysis.script import parse_script
from epochal.records import Epoch, Fit, Forecast, StoppedBy, Trial, TrialState
from epochal.results.forecast import forecast_trial
from tests.trials import measured

_SCRIPT = b"epochs = 20\nmodel.fit(x, y, epochs=epochs)\n"


def _make_fit(epochs: int = 60, name: str = "val_accuracy", target_epoch: int = 60) -> Fit:
    """Return a fit whose accuracy saturates at 0.82."""
    levels = {number: 0.82 - 0.6 * math.exp(-number / 5) + 0.003 * (-1) ** number for number in range(1, epochs + 1)}
    recorded = tuple(Epoch(1, 1, number, target_epoch, {name: level}, 0.1) for number, level in levels.items())
    return Fit(1, 1, target_epoch, epochs=recorded, ended=True)


def _make_trial(
    accuracy: float, validation: float | None = 0.82, epochs: int = 60, stopped_by: StoppedBy | None = None
) -> Trial:
    trial = Trial(1, TrialState.MEASURED, {"epochs": epochs}, 60, measured(accuracy))
    return Trial(**(trial.__dict__ | {"validation_accuracy": validation, "stopped_by": stopped_by}))


def _forecast(trial: Trial, fits: list[Fit], content: bytes) -> Forecast | None:
    script = parse_script(content)
    return forecast_trial(trial, fits, script, next(iter(script.epochs), None), 0.8, 200)


def test_gap_between_validation_and_gate_is_subtracted() -> None:
    """If the test accuracy is five points below the validation accuracy, levelling off at 0.82 means only 0.77."""
    result = _forecast(_make_trial(0.77), [_make_fit()], _SCRIPT)
    assert result is not None
    assert result.hopeless
    assert result.description.startswith("levels off at 0.77 ± 0.0")
    assert result.description.endswith(" and will not reach 0.80, even with more epochs")
    result = _forecast(_make_trial(0.795), [_make_fit()], _SCRIPT)
    assert result is not None
    assert not result.hopeless


@pytest.mark.parametrize(
    ("trial", "fits", "script"),
    [
        (_make_trial(0.77), [], _SCRIPT),  # no Keras fit
        (_make_trial(0.77, None), [_make_fit(name="accuracy")], _SCRIPT),  # no validation
        (_make_trial(0.77, epochs=20), [_make_fit()], _SCRIPT),  # raising the epochs would not train this fit longer
        (_make_trial(0.77, stopped_by=StoppedBy.SCRIPT), [_make_fit()], _SCRIPT),
        (_make_trial(0.6), [_make_fit()], _SCRIPT),  # the validation accuracy would have to be over 1
        (_make_trial(0.77), [_make_fit()], b"model.fit(x, y, epochs=count())\n"),
        (_make_trial(0.77), [_make_fit()], b"rate = keras.optimizers.schedules.CosineDecay(0.1, 20)\n" + _SCRIPT),
    ],
)
def test_no_forecast_unless_more_epochs_extend_a_validated_curve(trial: Trial, fits: list[Fit], script: bytes) -> None:
    """In these cases, nothing is known about the effect of more epochs."""
    assert _forecast(trial, fits, script) is None


def test_fit_that_stopped_early_has_a_forecast() -> None:
    """What counts is how many epochs the fit trained, not how many it was started with."""
    assert _forecast(_make_trial(0.795, epochs=30), [_make_fit(30)], _SCRIPT) is not None


@pytest.mark.parametrize(("samples", "hopeless"), [(100, False), (100_000, True)])
def test_small_test_set_makes_the_forecast_uncertain(samples: int, hopeless: bool) -> None:
    """With only 100 samples, the gap of five points between validation and test may be due to chance."""
    trial = _make_trial(0.77)
    trial = replace(trial, accuracy=measured(0.77, samples=samples))
    result = _forecast(trial, [_make_fit()], _SCRIPT)
    assert result is not None
    assert result.hopeless is hopeless
