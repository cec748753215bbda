"""The gate: the comparison of an accuracy with the threshold."""

import math

from epochal.records import Verdict


def judge(accuracy: float, threshold: float) -> Verdict:
    """REACHED where ``accuracy`` is at least ``threshold``, else BELOW. Raises ValueError outside of 0 to 1."""
    for value in (accuracy, threshold):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{value} is not between 0 and 1")
    return Verdict.REACHED if accuracy >= threshold else Verdict.BELOW
