"""What a trial's learning curve promises, in the gate's own accuracy. Values in, values out."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from epochal.analysis.hyperparameters import find_epochs
from epochal.records import Fit, Forecast, StoppedBy, Trial
from epochal.results.forecast import forecast

_SCHEDULE = re.compile(rb"\b[A-Z]\w*(?:Decay|Schedule)")
"""Keras' CosineDecay, ExponentialDecay, LearningRateScheduler and the like."""


def foresee_trial(
    trial: Trial, fits: Sequence[Fit], script: bytes, threshold: float, last_epoch: int
) -> Forecast | None:
    """The forecast of a measured trial below ``threshold``, up to ``last_epoch``; None where its fits give no ground.

    They do where the last one validates to its end, trains the epochs that ``script`` (nn.py) says, so that it would go on
    where they are raised, and does not end itself. A learning rate with a schedule, which more epochs may stretch, says
    nothing of them. The validation has to be over the threshold by the gap that was measured between it and the gate.
    """
    epochs = find_epochs(script)
    if not fits or epochs is None or _SCHEDULE.search(script):
        return None
    if trial.accuracy is None or trial.validation_accuracy is None:
        return None
    fit = fits[-1]
    raised = trial.hyperparameters.get(epochs.name) in (fit.wanted, fit.last_epoch)
    gap = trial.validation_accuracy - trial.accuracy
    if not raised or trial.stopped_by is StoppedBy.SCRIPT or threshold + gap > 1:
        return None
    found = forecast(_validation(fit), threshold + gap, last_epoch)
    return replace(found, threshold=threshold, level=min(max(found.level - gap, 0.0), 1.0))


def _validation(fit: Fit) -> list[float]:
    """The validation accuracy after each epoch from the first one on; NaN where it was not measured."""
    measured = {epoch.number: epoch.validation_accuracy for epoch in fit.epochs}
    known = (measured.get(number) for number in range(1, fit.last_epoch + 1))
    return [math.nan if accuracy is None else accuracy for accuracy in known]
