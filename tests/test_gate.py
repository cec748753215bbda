"""The gate's comparison."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.gate import judge
from epochal.records import Verdict


@pytest.mark.parametrize(
    ("accuracy", "threshold", "verdict"),
    [
        (0.8, 0.8, Verdict.REACHED),
        (math.nextafter(0.8, 0), 0.8, Verdict.BELOW),
        (1.0, 1.0, Verdict.REACHED),
        (0.0, 0.0, Verdict.REACHED),
    ],
)
def test_the_threshold_itself_is_reached(accuracy: float, threshold: float, verdict: Verdict) -> None:
    """An accuracy equal to the threshold reaches it, the next smaller number does not."""
    assert judge(accuracy, threshold) is verdict


@given(st.floats(), st.floats())
def test_numbers_outside_of_the_range_are_refused(accuracy: float, threshold: float) -> None:
    """The gate never gives a verdict on what is no accuracy."""
    if 0 <= accuracy <= 1 and 0 <= threshold <= 1:
        assert (judge(accuracy, threshold) is Verdict.REACHED) == (accuracy >= threshold)
    else:
        with pytest.raises(ValueError, match="not between 0 and 1"):
            judge(accuracy, threshold)
