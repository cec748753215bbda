"""Optuna's part of the search: what it proposes, and what it takes for tried."""

from pathlib import Path

import pytest

from epochal.analysis.hyperparameters import Constant
from epochal.jobs.search.space import Dimension
from epochal.jobs.search.study import Candidate, Search
from epochal.records import Value
from epochal.settings import Choices, Range


def _constant(name: str, value: Value) -> Constant:
    return Constant(name, value, 1, 0, 1)


_FILTERS = Dimension(_constant("filters", 8), Choices(choices=(4, 8, 16)))
_BLOCKS = Dimension(_constant("blocks", 1), Range(low=1, high=2))
_RATE = Dimension(_constant("rate", 0.01), Range(low=1e-4, high=1e-1, log=True))


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """A storage of its own."""
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def _values(candidate: Candidate) -> dict[str, Value]:
    return {constant.name: value for constant, value in candidate.changes.items()}


def test_no_combination_is_tried_twice(storage: str) -> None:
    """However many processes ask, each combination is proposed once, what was trained before not at all; then none."""
    searches = [Search(storage, 7, [_FILTERS, _BLOCKS], 9) for _ in range(2)]
    searches[0].learn({"filters": 8, "blocks": 1, "epochs": 20}, 0.5)
    proposed: list[dict[str, Value]] = []
    while candidate := searches[len(proposed) % 2].ask():
        proposed.append(_values(candidate))
        if len(proposed) % 3:  # some are still being trained when the next is asked for
            searches[0].measured(candidate, 0.5)
    assert len(proposed) == 5
    assert all(proposed.count(each) == 1 for each in proposed)
    assert {"filters": 8, "blocks": 1} not in proposed


def test_what_failed_is_not_tried_again_and_what_was_interrupted_is(storage: str) -> None:
    """A combination's own failure counts; that of the process which trained it does not."""
    search = Search(storage, 7, [_BLOCKS], None)
    failed, interrupted = search.ask(), search.ask()
    assert failed
    assert interrupted
    search.failed(failed)
    search.started(interrupted, 3)
    search.mark_interrupted([3])
    again = search.ask()
    assert again
    assert again.changes == interrupted.changes
    assert search.ask() is None


def test_the_worse_of_those_that_came_as_far_are_not_worth_going_on(storage: str) -> None:
    """The first one has nobody to be compared with; a later one that is worse after as many epochs is pruned."""
    search = Search(storage, 7, [_FILTERS], 9)
    better, worse = search.ask(), search.ask()
    assert better
    assert worse
    assert search.should_continue(better, 1, 0.6)
    assert not search.should_continue(worse, 1, 0.5)
    search.pruned(worse)
    assert search.should_continue(better, 2, 0.6)


def test_a_drawn_number_is_one_that_a_person_would_write(storage: str) -> None:
    """Three digits, within the range."""
    search = Search(storage, 7, [_RATE], None)
    for _ in range(8):
        candidate = search.ask()
        assert candidate
        (value,) = candidate.changes.values()
        assert isinstance(value, float)
        assert float(f"{value:.3g}") == value
        assert 1e-4 <= value <= 1e-1


def test_what_lies_outside_of_the_space_teaches_nothing(storage: str) -> None:
    """The committed hyperparameters need not be within the ranges."""
    search = Search(storage, 7, [_BLOCKS], None)
    search.learn({"blocks": 5}, 0.5)
    assert search.ask()
