"""The gate: the comparison of an accuracy with the threshold."""

import math
from decimal import Decimal
from itertools import count

from epochal.records import Verdict


def judge(accuracy: float, threshold: float) -> Verdict:
    """REACHED where ``accuracy`` is at least ``threshold``, else BELOW. Raises ValueError outside of 0 to 1."""
    for value in (accuracy, threshold):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{value} is not between 0 and 1")
    return Verdict.REACHED if accuracy >= threshold else Verdict.BELOW


def in_words(accuracy: float, threshold: float) -> tuple[str, str]:
    """Both numbers (0 to 1) as text: the accuracy with three decimals, or more where it takes more to show what is so.

    0.7996 of 0.80 stays 0.7996: as 0.800 it would seem to have reached the threshold.
    """
    exact, wanted = Decimal(repr(accuracy)), Decimal(repr(threshold))
    rounded = (f"{exact:.{digits}f}" for digits in count(3))
    shown = next(text for text in rounded if (Decimal(text) >= wanted) == (exact >= wanted))
    return shown, f"{wanted:.2f}" if wanted == round(wanted, 2) else f"{wanted:f}"
