"""Learning curves drawn as text."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from epochal.pages.curve import draw_curves

_CURVE = st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1) | st.just(math.nan)), min_size=1).map(sorted)


def test_rising_curve_crosses_the_threshold() -> None:
    """The curve runs straight from the lower left to the upper right corner; the axes are labelled at their ends."""
    lines = draw_curves([[(1, 0.2), (11, 1.0)]], threshold=0.6, width=20, height=5)
    assert [line[:6] for line in lines] == ["1.00 ┤", "     │", "0.60 ┤", "     │", "0.20 ┤", "     └", "      "]
    assert lines[6] == "      1   epoch   11"
    inked = [[column for column, character in enumerate(line[6:]) if character not in " ╌"] for line in lines[4::-1]]
    assert inked[0][0] == 0
    assert inked[-1][-1] == 13
    assert all(lower[-1] <= upper[0] for lower, upper in pairwise(inked))
    assert lines[2].count("╌") == 14 - len(inked[2])


def test_trials_are_drawn_separately() -> None:
    """No line joins the end of one trial to the beginning of the next."""
    first, second = [(1, 0.1), (2, 0.1)], [(9, 0.9), (10, 0.9)]
    drawn = draw_curves([first, second], threshold=0.5, width=40, height=9)
    together = draw_curves([first + second], threshold=0.5, width=40, height=9)
    assert all("⣀" not in line and "⠉" not in line for line in drawn[2:-3])
    assert drawn != together


def test_without_accuracies_nothing_is_drawn() -> None:
    """A training run that diverges may report only NaN."""
    assert draw_curves([], 0.8) == []
    assert draw_curves([[(1, math.nan)]], 0.8) == []


@given(st.lists(_CURVE, min_size=1, max_size=4), st.floats(0, 1), st.integers(20, 120), st.integers(2, 20))
def test_any_curves_fit_the_given_size(
    curves: list[list[tuple[int, float]]], threshold: float, width: int, height: int
) -> None:
    """Terminal sizes differ, and a script can produce any curve."""
    lines = draw_curves(curves, threshold, width, height)
    assert len(lines) in (0, height + 2)
    assert all(len(line) <= width for line in lines)
