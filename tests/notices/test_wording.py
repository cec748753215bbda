"""The numbers of a mail."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from epochal.notices.wording import compare
from tests.notices.reports import unhurried

fractions = st.floats(0, 1)


@unhurried
@given(fractions, fractions)
@example(0.7999999999999999, 0.8)
@example(0.1 + 0.2, 0.3)
@example(5e-324, 1e-05)
def test_what_is_shown_compares_as_the_gate_did(accuracy: float, threshold: float) -> None:
    """Whoever compares the two numbers as they are printed comes to the verdict."""
    shown, wanted = compare(accuracy, threshold)
    assert (Decimal(shown) >= Decimal(wanted)) == (accuracy >= threshold)
    assert "E" not in f"{shown}{wanted}".upper()
