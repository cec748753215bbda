"""Whether more epochs will reach the threshold: what is foreseen of known curves, and what holds for any."""

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


def _curve(law: Callable[[int], float], epochs: int) -> list[float]:
    noise = random.Random(1)
    return [law(epoch) + noise.gauss(0, _NOISE) for epoch in range(1, epochs + 1)]


def _saturating(epoch: int) -> float:
    return 0.77 - 0.6 * math.exp(-epoch / 5)


def _long_tailed(epoch: int) -> float:
    return 0.95 - 0.7 * float(epoch**-0.45)


def _late(epoch: int) -> float:
    return 0.1 if epoch <= 30 else 0.9


def test_what_levels_off_below_is_hopeless() -> None:
    """A curve that has levelled off at 0.77 will not reach 0.80, which is said with level and margin."""
    found = forecast(_curve(_saturating, 60), 0.8, 200)
    assert found.hopeless
    assert found.expected is None
    assert found.level == pytest.approx(0.77, abs=0.005)
    assert 0.005 < found.margin < 0.03
    assert found.sentence == f"levels off at 0.77 ± {found.margin:.2f}: more epochs will not reach 0.80"


@pytest.mark.parametrize("seen", [20, 40])
def test_what_rises_is_expected_within_its_interval(seen: int) -> None:
    """A long-tailed rise reaches 0.85 at epoch 76: before that the interval holds it, and it is expected about there."""
    reached = next(epoch for epoch in range(1, 200) if _long_tailed(epoch) >= 0.85)
    found = forecast(_curve(_long_tailed, seen), 0.85, 200)
    assert not found.hopeless
    assert found.earliest is not None
    assert found.earliest <= reached <= (found.latest or 200)
    assert found.expected == pytest.approx(reached, rel=0.3)
    assert found.sentence.startswith(f"0.85 is expected at epoch {found.expected} ({found.earliest} ")


@pytest.mark.parametrize(
    ("curve", "threshold"),
    [
        ([], 0.8),
        ([0.7, 0.7, 0.7], 0.8),
        ([math.nan] * 40, 0.8),
        ([0.77] * 40, 0.8),
        ([0.1] * 150, 0.8),  # however long that takes
        (_curve(_late, 30), 0.8),  # it has not begun to learn, and will
        ([0.9 - 0.01 * epoch for epoch in range(40)], 0.95),
        (_curve(_saturating, 200), 0.8),  # nothing is ahead
        ([*_curve(_saturating, 20), 0.81, *_curve(_saturating, 60)[20:]], 0.8),  # it has been there
    ],
)
def test_what_cannot_be_told_is_not_guessed(curve: list[float], threshold: float) -> None:
    """Too few epochs, nothing learnt yet, a fall, or one epoch that was there: none of them is called hopeless."""
    found = forecast(curve, threshold, 200)
    assert not found.hopeless
    assert found.sentence == f"whether more epochs will reach {threshold:.2f} cannot be told yet"


_accuracies = st.lists(st.floats() | st.floats(0, 1) | st.floats(0.7, 0.8), max_size=40)


@settings(deadline=None, max_examples=40)
@given(_accuracies, st.floats(0, 1), st.integers(-1, 10**9))
def test_any_numbers_give_a_forecast(curve: list[float], threshold: float, last_epoch: int) -> None:
    """Whatever was measured, there is one forecast, its parts agree, and what has been there is not hopeless."""
    found = forecast(curve, threshold, last_epoch)
    assert found == forecast(curve, threshold, last_epoch)
    assert Forecast(**json.loads(json.dumps(asdict(found)))) == found  # as the database keeps it
    assert 0 <= found.level <= 1
    assert 0 < found.margin <= 1
    assert (found.earliest or math.inf) <= (found.expected or math.inf) <= (found.latest or math.inf)
    assert not found.hopeless or (found.earliest is None and found.level + found.margin < threshold)
    assert not (found.hopeless and any(threshold <= accuracy <= 1 for accuracy in curve))
    assert found.sentence


@settings(deadline=None, max_examples=20)
@given(st.floats(0.1, 0.9), st.floats(2, 40), st.integers(8, 60), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_is_reached_no_sooner(
    level: float, pace: float, epochs: int, one: float, other: float
) -> None:
    """Where a threshold is hopeless a higher one is too, and it is never expected earlier."""
    curve = _curve(lambda epoch: level * (1 - math.exp(-epoch / pace)), epochs)
    lower, higher = (forecast(curve, threshold, 200) for threshold in sorted((one, other)))
    assert lower.hopeless <= higher.hopeless
    assert (lower.expected or math.inf) <= (higher.expected or math.inf)
    assert (lower.latest or math.inf) <= (higher.latest or math.inf)


def test_a_very_long_curve_is_foreseen_too() -> None:
    """A hundred thousand epochs are as many as two hundred blocks of them."""
    found = forecast([0.77 - 0.6 * math.exp(-epoch / 5000) for epoch in range(100_000)], 0.8, 200_000)
    assert found.hopeless
    assert found.level == pytest.approx(0.77, abs=0.005)


@pytest.mark.parametrize(
    ("level", "margin", "threshold", "told"),
    [
        (0.7712, 0.0104, 0.8, "0.77 ± 0.01: more epochs will not reach 0.80"),
        (0.7760, 0.0164, 0.8, "0.776 ± 0.016: more epochs will not reach 0.80"),
        (0.7961, 0.0031, 0.8, "0.796 ± 0.003: more epochs will not reach 0.80"),
        (0.7712, 0.0004, 0.8125, "0.7712 ± 0.0004: more epochs will not reach 0.8125"),
    ],
)
def test_what_is_hopeless_is_not_rounded_up_to_the_threshold(
    level: float, margin: float, threshold: float, told: str
) -> None:
    """The sentence has as many decimals as show the margin, and that level and margin stay below."""
    assert Forecast(threshold, 200, level, margin, hopeless=True).sentence == f"levels off at {told}"


def test_who_does_not_forecast_does_not_import_scipy() -> None:
    """It takes half a second, which commands and jobs without a learning curve do not pay."""
    code = "import epochal.pages.view, epochal.jobs.retrain, sys; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
