"""The confidence interval that is reported with an accuracy. The gate does not use it: see ``gate.lower_bound``."""

import math
from statistics import NormalDist

_INTERVAL_CONFIDENCE = 0.95
"""The confidence level of every reported interval."""


def wilson_interval(accuracy: float, samples: int) -> tuple[float, float]:
    """Return the 95% interval (both ends 0 to 1) for the true accuracy if ``accuracy`` was measured on ``samples`` rows.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22; recommended by Brown,
    Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16.
    """
    z = NormalDist().inv_cdf((1 + _INTERVAL_CONFIDENCE) / 2)
    weight = z * z / samples
    centre = (accuracy + weight / 2) / (1 + weight)
    half = math.sqrt(accuracy * (1 - accuracy) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, min(accuracy, centre - half)), min(1.0, max(accuracy, centre + half))
