"""Forecast whether the learning curve of a trial will reach the threshold."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.analysis.script import Script
from epochal.records import Fit, Forecast, StoppedBy, Trial

WIDTH = 1.95
"""Half-width of a 90% interval, in standard deviations of the extrapolation. Calibrated with benchmarks/forecast.py."""
_HOPELESS_WIDTH = 2.4
"""Like ``WIDTH``, but for judging a curve hopeless.

If ``WIDTH`` itself were used for that, one run in twenty would be abandoned too early.
"""
_MIN_EPOCHS = 8
_MAX_POINTS = 200
"""To save time, a curve is reduced to at most this many points, and only about this many future epochs are forecast."""
_SCHEDULE = re.compile(rb"\b[A-Z]\w*(?:Decay|Schedule)")
"""Matches Keras' CosineDecay, ExponentialDecay, LearningRateScheduler and the like."""


def forecast(curve: Sequence[float], threshold: float, last_epoch: int, threshold_deviation: float = 0.0) -> Forecast:
    """Forecast when ``curve`` will reach ``threshold``, looking no further than ``last_epoch``.

    ``curve``: the accuracy (0 to 1) after each epoch, starting with the first; any other value, such as NaN, counts as
    missing. ``threshold_deviation``: the standard deviation of ``threshold``, if it is an estimate. A curve is hopeless
    if the model has begun to learn, but the curve has never reached the threshold and is expected to stay clearly below
    it. With fewer than eight known accuracies, or no later epochs to forecast, the forecast is undecided. Identical
    curves give identical forecasts.
    """
    points = [(epoch, value) for epoch, value in enumerate(curve, start=1) if math.isfinite(value) and 0 <= value <= 1]
    if len(points) < _MIN_EPOCHS or last_epoch <= len(curve):
        return Forecast(threshold, last_epoch)
    from epochal.results.extrapolation import (
        extrapolate,  # imported here because SciPy takes half a second and is rarely needed
    )

    first = len(curve) + 1
    steps = min(last_epoch - first, _MAX_POINTS)
    ahead = [first + (last_epoch - first) * step // steps for step in range(steps + 1)] if steps else [first]
    extrapolation = extrapolate(_average_blocks(points), ahead)
    deviations = [math.hypot(deviation, threshold_deviation) for deviation in extrapolation.deviations]
    bounds = list(zip(extrapolation.accuracies, deviations, strict=True))
    best = max(
        *(accuracy + _HOPELESS_WIDTH * deviation for accuracy, deviation in bounds), *(value for _, value in points)
    )
    return Forecast(
        threshold,
        last_epoch,
        level=extrapolation.accuracies[-1],
        margin=min(WIDTH * deviations[-1], 1.0),
        expected=_first_epoch_at_least(ahead, extrapolation.accuracies, threshold),
        earliest=_first_epoch_at_least(
            ahead, (accuracy + WIDTH * deviation for accuracy, deviation in bounds), threshold
        ),
        latest=_first_epoch_at_least(
            ahead, (accuracy - WIDTH * deviation for accuracy, deviation in bounds), threshold
        ),
        hopeless=extrapolation.is_learning and best < threshold,
    )


def _first_epoch_at_least(epochs: Sequence[int], accuracies: Iterable[float], threshold: float) -> int | None:
    return next((epoch for epoch, value in zip(epochs, accuracies, strict=True) if value >= threshold), None)


def _average_blocks(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Average groups of successive points, so that at most _MAX_POINTS remain."""
    size = math.ceil(len(points) / _MAX_POINTS)
    blocks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (math.fsum(x for x, _ in block) / len(block), math.fsum(y for _, y in block) / len(block)) for block in blocks
    ]


def forecast_trial(
    trial: Trial, fits: Sequence[Fit], script: Script, epochs: Epochs | None, threshold: float, last_epoch: int
) -> Forecast | None:
    """Return a forecast up to ``last_epoch`` for a trial whose accuracy is below ``threshold``; None if impossible.

    A forecast is possible if the last fit measured a validation accuracy and trained for the number of epochs that
    ``epochs``, a literal in ``script``, sets for the trial; otherwise, a larger literal would not make the fit
    longer. No forecast is possible if the script itself stopped the trial's fits, or if it has a learning rate
    schedule, which more epochs may stretch. The validation accuracy has to reach ``threshold`` plus the gap, which is
    ``trial.validation_accuracy`` minus ``trial.accuracy``; if that sum is over 1, no forecast is possible. The standard
    deviation of the gap is taken to be the standard error of the trial's accuracy.
    """
    if not fits or epochs is None or _SCHEDULE.search(script.content):
        return None
    if trial.accuracy is None or trial.validation_accuracy is None:
        return None
    fit = fits[-1]
    is_extendable = epochs.number_in(trial.hyperparameters) in (fit.target_epoch, fit.last_epoch)
    gap = trial.validation_accuracy - trial.accuracy.value
    if not is_extendable or trial.stopped_by is StoppedBy.SCRIPT or threshold + gap > 1:
        return None
    measured = {epoch.number: epoch.validation_accuracy for epoch in fit.epochs}
    known = (measured.get(number) for number in range(1, fit.last_epoch + 1))
    curve = [math.nan if accuracy is None else accuracy for accuracy in known]
    value, samples = trial.accuracy.value, trial.accuracy.samples
    # Part of the gap is chance: another test set of the same size would show another gap.
    gap_deviation = math.sqrt(value * (1 - value) / samples) if samples else 0.0
    found = forecast(curve, threshold + gap, last_epoch, gap_deviation)
    return replace(found, threshold=threshold, level=min(max(found.level - gap, 0.0), 1.0))
