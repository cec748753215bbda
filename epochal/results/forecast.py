"""Whether a learning curve will reach the threshold: the forecast of a trial."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from epochal.analysis.script import Script
from epochal.records import Fit, Forecast, StoppedBy, Trial

WIDTH = 1.95
"""Half of a 90 % interval, in the extrapolation's standard deviations. benchmarks/forecast.py calibrates it."""
_CAUTION = 2.4
"""The same for what is called hopeless: to give up one run in twenty too early would be too many."""
_FEWEST_EPOCHS = 8
_MOST_POINTS = 200
"""Longer curves are averaged in blocks, and a longer way ahead is looked at in steps: more would only cost time."""
_SCHEDULE = re.compile(rb"\b[A-Z]\w*(?:Decay|Schedule)")
"""Keras' CosineDecay, ExponentialDecay, LearningRateScheduler and the like."""


def forecast(curve: Sequence[float], threshold: float, last_epoch: int) -> Forecast:
    """Return when ``curve`` will reach ``threshold``, looking no further than ``last_epoch``.

    ``curve``: the accuracy (0 to 1) after each epoch from the first one on; what is no such number, like NaN, is not
    known. Hopeless is what has begun to learn, has never been at the threshold, and will not be by more than the interval.
    The same curve gives the same forecast, and any list of numbers gives one.
    """
    seen = [(epoch, value) for epoch, value in enumerate(curve, start=1) if math.isfinite(value) and 0 <= value <= 1]
    if len(seen) < _FEWEST_EPOCHS or last_epoch <= len(curve):
        return Forecast(threshold, last_epoch)
    from epochal.results.extrapolation import (
        extrapolate,  # here: SciPy's import takes half a second, and most forecast nothing
    )

    first = len(curve) + 1
    steps = min(last_epoch - first, _MOST_POINTS)
    ahead = [first + (last_epoch - first) * step // steps for step in range(steps + 1)] if steps else [first]
    coming = extrapolate(_blocks(seen), ahead)
    bounds = list(zip(coming.accuracies, coming.deviations, strict=True))
    best = max(*(accuracy + _CAUTION * deviation for accuracy, deviation in bounds), *(value for _, value in seen))
    return Forecast(
        threshold,
        last_epoch,
        level=coming.accuracies[-1],
        margin=min(WIDTH * coming.deviations[-1], 1.0),
        expected=_first(ahead, coming.accuracies, threshold),
        earliest=_first(ahead, (accuracy + WIDTH * deviation for accuracy, deviation in bounds), threshold),
        latest=_first(ahead, (accuracy - WIDTH * deviation for accuracy, deviation in bounds), threshold),
        hopeless=coming.begun and best < threshold,
    )


def _first(epochs: Sequence[int], accuracies: Iterable[float], threshold: float) -> int | None:
    return next((epoch for epoch, value in zip(epochs, accuracies, strict=True) if value >= threshold), None)


def _blocks(seen: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the means of successive points, no more than _MOST_POINTS of them."""
    size = math.ceil(len(seen) / _MOST_POINTS)
    blocks = [seen[start : start + size] for start in range(0, len(seen), size)]
    return [
        (math.fsum(x for x, _ in block) / len(block), math.fsum(y for _, y in block) / len(block)) for block in blocks
    ]


def forecast_trial(
    trial: Trial, fits: Sequence[Fit], script: Script, threshold: float, last_epoch: int
) -> Forecast | None:
    """Return the forecast of a measured trial below ``threshold``, up to ``last_epoch``; None where its fits give no ground.

    They do where the last one validates to its end, trains the epochs that ``script`` (nn.py) says, so that it would go on
    where they are raised, and does not end itself. A learning rate with a schedule, which more epochs may stretch, says
    nothing of them. The validation has to be over the threshold by the gap that was measured between it and the gate.
    """
    epochs = script.epochs
    if not fits or epochs is None or _SCHEDULE.search(script.content):
        return None
    if trial.accuracy is None or trial.validation_accuracy is None:
        return None
    fit = fits[-1]
    raised = trial.hyperparameters.get(epochs.name) in (fit.wanted, fit.last_epoch)
    gap = trial.validation_accuracy - trial.accuracy.value
    if not raised or trial.stopped_by is StoppedBy.SCRIPT or threshold + gap > 1:
        return None
    measured = {epoch.number: epoch.validation_accuracy for epoch in fit.epochs}
    known = (measured.get(number) for number in range(1, fit.last_epoch + 1))
    curve = [math.nan if accuracy is None else accuracy for accuracy in known]
    found = forecast(curve, threshold + gap, last_epoch)
    return replace(found, threshold=threshold, level=min(max(found.level - gap, 0.0), 1.0))
