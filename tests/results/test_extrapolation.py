"""Extrapolated learning curves, compared with curves whose future is known in closed form."""

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
"""Half-width of a 90% interval, in standard deviations of a normal distribution."""


def _make_curve(law: _Law, epochs: int, noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(epoch, law(epoch) + noise * draw.gauss(0, 1)) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_known_laws_are_extrapolated(law: _Law, noise: float) -> None:
    """For a curve from each family, the extrapolation stays close to the true curve, which lies within the interval."""
    ahead = [41, 60, 80, 160]
    prediction = extrapolate(_make_curve(law, 40, noise), ahead)
    for epoch, accuracy, deviation in zip(ahead, prediction.accuracies, prediction.deviations, strict=True):
        assert accuracy == pytest.approx(law(epoch), abs=0.01 + 0.02 * math.log2(epoch / 40))
        assert abs(accuracy - law(epoch)) < _WIDTH * deviation
        assert deviation < 0.1
    assert prediction.is_learning


def test_saturated_curve_stays_level() -> None:
    """The interval around the extrapolated level is narrow, too."""
    prediction = extrapolate(_make_curve(_LAWS["exponential"], 120), [121, 1200])
    assert prediction.accuracies == pytest.approx([0.8, 0.8], abs=0.001)
    assert max(prediction.deviations) < 0.01


def test_interval_covers_the_truth_as_often_as_it_claims() -> None:
    """At twice the epochs, the interval contains the noisy accuracy in at least nine of ten random draws."""
    law, noise, draws = _LAWS["Weibull"], 0.02, 40
    covered = 0
    for seed in range(draws):
        prediction = extrapolate(_make_curve(law, 30, noise, seed), [60])
        measured = law(60) + random.Random(-1 - seed).gauss(0, noise)
        covered += abs(prediction.accuracies[0] - measured) < _WIDTH * prediction.deviations[0]
    assert covered >= 0.9 * draws


@pytest.mark.parametrize("law", [_LAWS["pow4"], _LAWS["MMF"], _FLAT])
def test_the_order_of_the_families_does_not_matter(monkeypatch: pytest.MonkeyPatch, law: _Law) -> None:
    """The families are weighted by their evidence alone."""
    curve, ahead = _make_curve(law, 30, 0.01), [31, 60, 200]
    prediction = extrapolate(curve, ahead)
    monkeypatch.setattr(extrapolation, "_FAMILIES", extrapolation._FAMILIES[::-1])
    reordered = extrapolate(curve, ahead)
    assert reordered.accuracies == pytest.approx(prediction.accuracies, abs=1e-9)
    assert reordered.deviations == pytest.approx(prediction.deviations, abs=1e-9)
    assert reordered.is_learning == prediction.is_learning


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
def test_interval_widens_with_the_distance(law: _Law) -> None:
    """Each doubling of the epochs widens the interval, and the expected accuracy of a rising curve keeps rising."""
    prediction = extrapolate(_make_curve(law, 20), [21, 40, 80, 160])
    assert prediction.deviations == sorted(set(prediction.deviations))
    assert prediction.accuracies == sorted(set(prediction.accuracies))


def test_interval_narrows_with_more_epochs() -> None:
    """The prediction is always for epoch 100, and the known part of the curve gets closer to it."""
    law = _LAWS["MMF"]
    deviations = [extrapolate(_make_curve(law, epochs, 0.01), [100]).deviations[0] for epochs in (10, 20, 40, 80)]
    assert deviations == sorted(set(deviations), reverse=True)


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_noise_of_a_level_curve_is_estimated(noise: float) -> None:
    """Right after a long, level curve, only the noise of a single epoch is uncertain."""
    prediction = extrapolate(_make_curve(lambda epoch: 0.7 - 0.5 * math.exp(-epoch / 3), 200, noise), [201])
    assert prediction.deviations[0] == pytest.approx(noise, rel=0.15)


def test_short_curve_leaves_its_parameters_uncertain() -> None:
    """The uncertainty of the parameters adds to the noise, even for the very next epoch."""
    curves = [_make_curve(_LAWS["exponential"], 10, 0.01, seed) for seed in range(5)]
    deviations = [extrapolate(curve, [11]).deviations[0] for curve in curves]
    assert sum(deviations) / len(deviations) > 1.25 * 0.01


def test_correlated_errors_widen_the_interval() -> None:
    """Errors that resemble their neighbours carry less information than the same errors in random order."""
    law = _LAWS["exponential"]
    wave = [0.03 * math.sin(2 * math.pi * epoch / 10) for epoch in range(1, 61)]
    shuffled = random.Random(1).sample(wave, len(wave))
    correlated, independent = (
        extrapolate([(epoch, law(epoch) + error) for epoch, error in enumerate(errors, start=1)], [480]).deviations[0]
        for errors in (wave, shuffled)
    )
    assert correlated > 1.4 * independent


def test_flat_curve_may_start_to_learn_at_any_time() -> None:
    """The interval grows by 15% of the errors with each doubling of the epochs; the curve may still rise."""
    prediction = extrapolate(_make_curve(_FLAT, 30), [60, 120, 240])
    assert prediction.accuracies == pytest.approx([0.1] * 3, abs=0.01)
    assert prediction.deviations == pytest.approx([0.135, 0.27, 0.405], rel=0.02)
    assert not prediction.is_learning


def test_rising_curve_may_keep_rising() -> None:
    """For each doubling of the epochs, the interval allows for 30% of the gain from the last doubling."""

    def law(epoch: float) -> float:  # rises by 0.05 with each doubling
        return 0.3 + 0.05 * math.log2(epoch)

    prediction = extrapolate(_make_curve(law, 64), [128, 4096])
    near, far = prediction.deviations
    assert near > 0.3 * 0.05
    assert far > 6 * 0.3 * 0.05
    assert abs(prediction.accuracies[0] - law(128)) < _WIDTH * near


@pytest.mark.parametrize(("rise", "is_learning"), [(0.07, False), (0.13, True)])
def test_curve_is_learning_once_a_tenth_of_its_errors_is_gone(rise: float, is_learning: bool) -> None:
    """The share of the initial errors decides, not the level of the curve."""
    for first in (0.1, 0.5):

        def law(epoch: float, first: float = first) -> float:
            return first + rise * (1 - first) * (1 - math.exp(-(epoch - 1) / 5))

        assert extrapolate(_make_curve(law, 60), [100]).is_learning is is_learning


def test_extrapolation_does_not_exceed_one() -> None:
    """The extrapolation of a steep, straight rise ends near 1."""
    prediction = extrapolate(_make_curve(lambda epoch: 0.5 + 0.024 * epoch, 20), [21, 40, 1000])
    assert all(0.95 < accuracy <= 1 for accuracy in prediction.accuracies)


def test_late_epochs_count_more_than_early_ones() -> None:
    """Disturbing the early epochs causes less than half the error of the same disturbance in the late ones."""
    law = _LAWS["exponential"]
    curve = _make_curve(law, 60)
    disturbed_early = [(epoch, value - 0.05 * (epoch <= 10)) for epoch, value in curve]
    disturbed_late = [(epoch, value - 0.05 * (epoch > 50)) for epoch, value in curve]

    def measure_error(prediction: Extrapolation) -> float:
        return abs(prediction.accuracies[0] - law(120))

    assert measure_error(extrapolate(disturbed_early, [120])) < 0.5 * measure_error(extrapolate(disturbed_late, [120]))


def test_epochs_need_not_be_whole_or_start_at_one() -> None:
    """Long curves are averaged in blocks, whose mean epochs may be fractions."""
    law = _LAWS["MMF"]
    blocks = [(epoch + 0.5, (law(epoch) + law(epoch + 1)) / 2) for epoch in range(11, 80, 2)]
    prediction = extrapolate(blocks, [160])
    assert prediction.accuracies[0] == pytest.approx(law(160), abs=0.01)
