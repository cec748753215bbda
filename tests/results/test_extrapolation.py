"""Learning curves continued: what is expected of curves whose future is known in closed form."""

import math
import random
from collections.abc import Callable

import pytest

from epochal.results import extrapolation
from epochal.results.extrapolation import Extrapolation, extrapolate

_Law = Callable[[float], float]

_LAWS: dict[str, _Law] = {
    "pow3": lambda epoch: 0.9 - 0.6 * epoch**-0.7,
    "pow4": lambda epoch: 0.9 - 0.6 * (1 + 0.5 * epoch) ** -0.8,
    "exponential": lambda epoch: 0.8 - 0.6 * math.exp(-epoch / 12),
    "Weibull": lambda epoch: 0.8 - 0.6 * math.exp(-((epoch / 15) ** 1.3)),
    "MMF": lambda epoch: 0.85 - 0.6 / (1 + (epoch / 8) ** 1.4),
    "ilog2": lambda epoch: 0.95 - 0.8 / math.log(epoch + math.e - 1),
}
_FLAT: _Law = lambda epoch: 0.1  # noqa: E731
_WIDTH = 1.645
"""Half of a 90 % interval, in standard deviations of a normal distribution."""


def _curve(law: _Law, epochs: int, noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(epoch, law(epoch) + noise * draw.gauss(0, 1)) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_known_laws_are_continued(law: _Law, noise: float) -> None:
    """Continue each family's own curve close to the truth, which lies within the interval."""
    ahead = [41, 60, 80, 160]
    found = extrapolate(_curve(law, 40, noise), ahead)
    for epoch, accuracy, deviation in zip(ahead, found.accuracies, found.deviations, strict=True):
        assert accuracy == pytest.approx(law(epoch), abs=0.01 + 0.02 * math.log2(epoch / 40))
        assert abs(accuracy - law(epoch)) < _WIDTH * deviation
        assert deviation < 0.1
    assert found.begun


def test_the_level_is_where_the_curve_saturates() -> None:
    """Expect a saturated curve to stay where it is, and say so with a narrow interval."""
    found = extrapolate(_curve(_LAWS["exponential"], 120), [121, 1200])
    assert found.accuracies == pytest.approx([0.8, 0.8], abs=0.001)
    assert max(found.deviations) < 0.01


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Cover what is measured at twice the epochs, noise included, in at least nine of ten draws of the noise."""
    law, noise, draws = _LAWS["Weibull"], 0.02, 40
    covered = 0
    for seed in range(draws):
        found = extrapolate(_curve(law, 30, noise, seed), [60])
        measured = law(60) + random.Random(-1 - seed).gauss(0, noise)
        covered += abs(found.accuracies[0] - measured) < _WIDTH * found.deviations[0]
    assert covered >= 0.9 * draws


@pytest.mark.parametrize("law", [_LAWS["pow4"], _LAWS["MMF"], _FLAT])
def test_the_order_of_the_families_does_not_matter(monkeypatch: pytest.MonkeyPatch, law: _Law) -> None:
    """Weigh the families by their evidence alone."""
    curve, ahead = _curve(law, 30, 0.01), [31, 60, 200]
    found = extrapolate(curve, ahead)
    monkeypatch.setattr(extrapolation, "_FAMILIES", extrapolation._FAMILIES[::-1])
    turned = extrapolate(curve, ahead)
    assert turned.accuracies == pytest.approx(found.accuracies, abs=1e-9)
    assert turned.deviations == pytest.approx(found.deviations, abs=1e-9)
    assert turned.begun == found.begun


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
def test_farther_ahead_is_less_certain(law: _Law) -> None:
    """Widen the interval with every doubling of the epochs, and raise the expectation of a curve that still rises."""
    found = extrapolate(_curve(law, 20), [21, 40, 80, 160])
    assert found.deviations == sorted(set(found.deviations))
    assert found.accuracies == sorted(set(found.accuracies))


def test_more_epochs_make_it_more_certain() -> None:
    """Narrow the interval for the same epoch as the curve comes closer to it."""
    law = _LAWS["MMF"]
    deviations = [extrapolate(_curve(law, epochs, 0.01), [100]).deviations[0] for epochs in (10, 20, 40, 80)]
    assert deviations == sorted(set(deviations), reverse=True)


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_noise_is_measured(noise: float) -> None:
    """Right behind a long, level curve nothing but the noise of a single epoch is uncertain."""
    found = extrapolate(_curve(lambda epoch: 0.7 - 0.5 * math.exp(-epoch / 3), 200, noise), [201])
    assert found.deviations[0] == pytest.approx(noise, rel=0.15)


def test_a_short_curve_leaves_its_law_uncertain() -> None:
    """Add what is uncertain about the parameters to the noise, even right behind the curve."""
    curves = [_curve(_LAWS["exponential"], 10, 0.01, seed) for seed in range(5)]
    deviations = [extrapolate(curve, [11]).deviations[0] for curve in curves]
    assert sum(deviations) / len(deviations) > 1.25 * 0.01


def test_errors_that_last_make_it_less_certain() -> None:
    """Count neighbours that err alike for less than the same errors in random order."""
    law = _LAWS["exponential"]
    wave = [0.03 * math.sin(2 * math.pi * epoch / 10) for epoch in range(1, 61)]
    shuffled = random.Random(1).sample(wave, len(wave))
    lasting, single = (
        extrapolate([(epoch, law(epoch) + error) for epoch, error in enumerate(errors, start=1)], [480]).deviations[0]
        for errors in (wave, shuffled)
    )
    assert lasting > 1.4 * single


def test_a_curve_that_has_not_begun_may_begin_at_any_time() -> None:
    """Allow it 15 % of its errors for each doubling of the epochs, so that it is not taken for saturated."""
    found = extrapolate(_curve(_FLAT, 30), [60, 120, 240])
    assert found.accuracies == pytest.approx([0.1] * 3, abs=0.01)
    assert found.deviations == pytest.approx([0.135, 0.27, 0.405], rel=0.02)
    assert not found.begun


def test_a_curve_may_go_on_as_it_did_last() -> None:
    """Allow it, for each doubling of the epochs, 30 % of what the last doubling brought."""

    def law(epoch: float) -> float:  # 0.05 for each doubling
        return 0.3 + 0.05 * math.log2(epoch)

    found = extrapolate(_curve(law, 64), [128, 4096])
    near, far = found.deviations
    assert near > 0.3 * 0.05
    assert far > 6 * 0.3 * 0.05
    assert abs(found.accuracies[0] - law(128)) < _WIDTH * near


@pytest.mark.parametrize(("rise", "begun"), [(0.07, False), (0.13, True)])
def test_a_tenth_of_the_errors_is_a_beginning(rise: float, begun: bool) -> None:
    """Whether a curve has begun to learn depends on which part of its first errors is gone, not on its level."""
    for first in (0.1, 0.5):
        curve = _curve(lambda epoch, first=first: first + rise * (1 - first) * (1 - math.exp(-(epoch - 1) / 5)), 60)  # type: ignore[misc]
        assert extrapolate(curve, [100]).begun is begun


def test_accuracies_end_at_one() -> None:
    """Expect a steep, straight rise to end near 1 and not above."""
    found = extrapolate(_curve(lambda epoch: 0.5 + 0.024 * epoch, 20), [21, 40, 1000])
    assert all(0.95 < accuracy <= 1 for accuracy in found.accuracies)


def test_the_end_of_a_curve_counts_more_than_its_beginning() -> None:
    """Come closer to the truth with a disturbed beginning than with an end that is disturbed as much."""
    law = _LAWS["exponential"]
    curve = _curve(law, 60)
    begin = [(epoch, value - 0.05 * (epoch <= 10)) for epoch, value in curve]
    end = [(epoch, value - 0.05 * (epoch > 50)) for epoch, value in curve]

    def error(found: Extrapolation) -> float:
        return abs(found.accuracies[0] - law(120))

    assert error(extrapolate(begin, [120])) < 0.5 * error(extrapolate(end, [120]))


def test_epochs_need_not_be_whole_nor_begin_at_one() -> None:
    """Continue the means of blocks of epochs as the epochs themselves."""
    law = _LAWS["MMF"]
    blocks = [(epoch + 0.5, (law(epoch) + law(epoch + 1)) / 2) for epoch in range(11, 80, 2)]
    found = extrapolate(blocks, [160])
    assert found.accuracies[0] == pytest.approx(law(160), abs=0.01)
