"""The gate's comparison."""

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epochal.gate import in_words, judge
from epochal.records import Verdict
from tests.notices.reports import unhurried


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


@unhurried
@given(st.floats(0, 1), st.floats(0, 1))
@example(0.7999999999999999, 0.8)
@example(0.1 + 0.2, 0.3)
@example(5e-324, 1e-05)
def test_what_is_shown_compares_as_the_gate_did(accuracy: float, threshold: float) -> None:
    """Whoever compares the two numbers as they are printed comes to the verdict."""
    shown, wanted = in_words(accuracy, threshold)
    assert (Decimal(shown) >= Decimal(wanted)) == (accuracy >= threshold)
    assert "E" not in f"{shown}{wanted}".upper()
