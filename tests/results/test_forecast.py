"""Whether more epochs will reach the threshold: forecasts of known curves, and what holds for any curve."""

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.records import Forecast
from epochal.results.forecast import forecast

_NOISE = 0.005


def _make_curve(law: Callable[[int], float], epochs: int) -> list[float]:
    noise = random.Random(1)
    return [law(epoch) + noise.gauss(0, _NOISE) for epoch in range(1, epochs + 1)]


def _saturating(epoch: int) -> float:
    return 0.77 - 0.6 * math.exp(-epoch / 5)


def _long_tailed(epoch: int) -> float:
    return 0.95 - 0.7 * float(epoch**-0.45)


def _late(epoch: int) -> float:
    return 0.1 if epoch <= 30 else 0.9


def test_curve_that_levels_off_below_the_threshold_is_hopeless() -> None:
    """The description states the level and its margin."""
    result = forecast(_make_curve(_saturating, 60), 0.8, 200)
    assert result.hopeless
    assert result.expected is None
    assert result.level == pytest.approx(0.77, abs=0.005)
    assert 0.005 < result.margin < 0.03
    assert (
        result.description == f"levels off at 0.77 ± {result.margin:.2f} and will not reach 0.80, even with more epochs"
    )


@pytest.mark.parametrize("seen", [20, 40])
def test_rising_curve_reaches_the_threshold_within_the_interval(seen: int) -> None:
    """The curve reaches 0.85 at epoch 76, which lies within the interval and close to the expected epoch."""
    reached = next(epoch for epoch in range(1, 200) if _long_tailed(epoch) >= 0.85)
    result = forecast(_make_curve(_long_tailed, seen), 0.85, 200)
    assert not result.hopeless
    assert result.earliest is not None
    assert result.earliest <= reached <= (result.latest or 200)
    assert result.expected == pytest.approx(reached, rel=0.3)
    if result.latest:
        interval = f"90% interval: {result.earliest} to {result.latest}"
        assert result.description == f"0.85 is expected at epoch {result.expected} ({interval})"
    else:
        assert (
            result.description == f"0.85 may be reached by epoch 200, but probably not before epoch {result.earliest}"
        )


@pytest.mark.parametrize(
    ("curve", "threshold"),
    [
        ([], 0.8),
        ([0.7, 0.7, 0.7], 0.8),
        ([math.nan] * 40, 0.8),
        ([0.77] * 40, 0.8),
        ([0.1] * 150, 0.8),  # a long wait is not hopeless either
        (_make_curve(_late, 30), 0.8),  # it has not begun to learn
        ([0.9 - 0.01 * epoch for epoch in range(40)], 0.95),
        (_make_curve(_saturating, 200), 0.8),  # no epochs are left
        # One epoch was at the threshold.
        ([*_make_curve(_saturating, 20), 0.81, *_make_curve(_saturating, 60)[20:]], 0.8),
    ],
)
def test_undecided_curve_is_not_hopeless(curve: list[float], threshold: float) -> None:
    """The curve may be too short, not have started to rise, be falling, or have been at the threshold once."""
    result = forecast(curve, threshold, 200)
    assert not result.hopeless
    assert result.description == f"it is not clear yet whether {threshold:.2f} will be reached with more epochs"


def test_second_rise_is_within_the_interval() -> None:
    """The validation accuracy of ml_code/nn.py pauses at 0.4, rises again, and reaches 0.76 at epoch 29."""
    percent = [10, 13, 13, 20, 26, 28, 31, 35, 38, 38, 38, 39, 40, 41, 41, 44, 48, 51, 52, 52]
    result = forecast([value / 100 for value in percent], 0.76, 200, threshold_deviation=0.026)
    assert result.earliest is not None
    assert 20 < result.earliest <= 29
    assert result.latest is None


_accuracies = st.lists(st.floats() | st.floats(0, 1) | st.floats(0.7, 0.8), max_size=40)


@settings(max_examples=40)
@given(_accuracies, st.floats(0, 1), st.integers(-1, 10**9))
def test_any_numbers_give_a_forecast(curve: list[float], threshold: float, last_epoch: int) -> None:
    """A forecast is reproducible and consistent, and a curve that was at the threshold is not hopeless."""
    result = forecast(curve, threshold, last_epoch)
    assert result == forecast(curve, threshold, last_epoch)
    assert Forecast(**json.loads(json.dumps(asdict(result)))) == result  # the database stores it as JSON
    assert 0 <= result.level <= 1
    assert 0 < result.margin <= 1
    assert (result.earliest or math.inf) <= (result.expected or math.inf) <= (result.latest or math.inf)
    assert not result.hopeless or (result.earliest is None and result.level + result.margin < threshold)
    assert not (result.hopeless and any(threshold <= accuracy <= 1 for accuracy in curve))
    assert result.description


@settings(max_examples=20)
@given(st.floats(0.1, 0.9), st.floats(2, 40), st.integers(8, 60), st.floats(0, 1), st.floats(0, 1))
def test_higher_threshold_is_reached_no_sooner(
    level: float, pace: float, epochs: int, one: float, other: float
) -> None:
    """If a threshold is hopeless, so is a higher one."""
    curve = _make_curve(lambda epoch: level * (1 - math.exp(-epoch / pace)), epochs)
    lower, higher = (forecast(curve, threshold, 200) for threshold in sorted((one, other)))
    assert lower.hopeless <= higher.hopeless
    assert (lower.expected or math.inf) <= (higher.expected or math.inf)
    assert (lower.latest or math.inf) <= (higher.latest or math.inf)


def test_very_long_curve_is_forecast() -> None:
    """A hundred thousand epochs are averaged in two hundred blocks."""
    result = forecast([0.77 - 0.6 * math.exp(-epoch / 5000) for epoch in range(100_000)], 0.8, 200_000)
    assert result.hopeless
    assert result.level == pytest.approx(0.77, abs=0.005)


@pytest.mark.parametrize(
    ("level", "margin", "threshold", "ending"),
    [
        (0.7712, 0.0104, 0.8, "0.77 ± 0.01 and will not reach 0.80, even with more epochs"),
        (0.7760, 0.0164, 0.8, "0.776 ± 0.016 and will not reach 0.80, even with more epochs"),
        (0.7961, 0.0031, 0.8, "0.796 ± 0.003 and will not reach 0.80, even with more epochs"),
        (0.7712, 0.0004, 0.8125, "0.7712 ± 0.0004 and will not reach 0.8125, even with more epochs"),
    ],
)
def test_hopeless_level_is_not_rounded_up_to_the_threshold(
    level: float, margin: float, threshold: float, ending: str
) -> None:
    """The description has enough decimals to show the margin, and that level plus margin is below the threshold."""
    assert Forecast(threshold, 200, level, margin, hopeless=True).description == f"levels off at {ending}"


def test_scipy_is_only_imported_to_forecast() -> None:
    """Importing SciPy takes half a second, which other commands and jobs should not have to spend."""
    code = "import epochal.pages.view, epochal.jobs.retrain, sys; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
