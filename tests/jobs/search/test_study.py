"""The Optuna study of a search: which combinations it proposes."""

from pathlib import Path

import pytest

from epochal.analysis.hyperparameters.constant import Constant
from epochal.jobs.search.space import Dimension
from epochal.jobs.search.study import Candidate, Study
from epochal.records import Value
from epochal.settings import Choices, Range


def _make_constant(name: str, value: Value) -> Constant:
    return Constant(name, value, 1, 0, 1)


_FILTERS = Dimension(_make_constant("filters", 8), Choices(choices=(4, 8, 16)))
_BLOCKS = Dimension(_make_constant("blocks", 1), Range(low=1, high=2))
_RATE = Dimension(_make_constant("rate", 0.01), Range(low=1e-4, high=1e-1, log=True))


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """Return the URL of an empty storage."""
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def _get_values(candidate: Candidate) -> dict[str, Value]:
    return {constant.name: value for constant, value in candidate.changes.items()}


def test_no_combination_is_tried_twice(storage: str) -> None:
    """Two studies that share a storage propose each combination once, except the one that has already been trained."""
    studies = [Study(storage, 7, [_FILTERS, _BLOCKS], 9) for _ in range(2)]
    studies[0].add_result({"filters": 8, "blocks": 1, "epochs": 20}, 0.5)
    proposed: list[dict[str, Value]] = []
    while candidate := studies[len(proposed) % 2].ask():
        proposed.append(_get_values(candidate))
        if len(proposed) % 3:  # every third one is still training when the next one is asked for
            studies[0].record_measured(candidate, 0.5)
    assert len(proposed) == 5
    assert all(proposed.count(each) == 1 for each in proposed)
    assert {"filters": 8, "blocks": 1} not in proposed


def test_failed_combination_is_not_retried_but_an_interrupted_one_is(storage: str) -> None:
    """The combination may have caused the failure, but not the interruption."""
    study = Study(storage, 7, [_BLOCKS], None)
    failed, interrupted = study.ask(), study.ask()
    assert failed
    assert interrupted
    study.record_failed(failed)
    study.record_started(interrupted, 3)
    study.mark_interrupted([3])
    again = study.ask()
    assert again
    assert again.changes == interrupted.changes
    assert study.ask() is None


def test_trial_worse_than_others_after_as_many_epochs_is_pruned(storage: str) -> None:
    """The first trial continues, because there is no other trial to compare it with."""
    study = Study(storage, 7, [_FILTERS], 9)
    better, worse = study.ask(), study.ask()
    assert better
    assert worse
    assert study.should_continue(better, 1, 0.6)
    assert not study.should_continue(worse, 1, 0.5)
    study.record_pruned(worse)
    assert study.should_continue(better, 2, 0.6)


def test_drawn_floats_are_rounded(storage: str) -> None:
    """Drawn floats have at most three significant digits and lie within the range."""
    study = Study(storage, 7, [_RATE], None)
    for _ in range(8):
        candidate = study.ask()
        assert candidate
        (value,) = candidate.changes.values()
        assert isinstance(value, float)
        assert float(f"{value:.3g}") == value
        assert 1e-4 <= value <= 1e-1


def test_result_outside_the_space_is_ignored(storage: str) -> None:
    """The pushed hyperparameters may lie outside the ranges. The study then has no result to start from."""
    study = Study(storage, 7, [_BLOCKS], None)
    study.add_result({"blocks": 5}, 0.5)
    study.add_result({"blocks": 2}, 0.5)  # counts only because the study still has no trial
    candidate = study.ask()
    assert candidate
    assert _get_values(candidate) == {"blocks": 1}
    assert study.ask() is None
