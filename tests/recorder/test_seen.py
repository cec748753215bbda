"""Test rows that were trained on: found if they are more than a clean split of the same data would show, else not."""

import sys
from typing import Any

import numpy as np
import pytest

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # the training's Python finds it there

from epochal_recorder import seen
from epochal_recorder.rows import hash_labels, hash_rows, with_labels
from epochal_recorder.seen import Fitted, compare, compare_unlabelled

Rows = tuple[Any, Any]


@pytest.fixture
def random() -> np.random.Generator:
    """Return the same random numbers in each test."""
    return np.random.default_rng(0)


def _hashes(rows: Rows) -> Any:
    return with_labels(hash_rows(rows[0]), hash_labels(rows[1])), hash_labels(rows[1])


def _add(fitted: Fitted, rows: Rows) -> None:
    fitted.add(hash_rows(rows[0]), rows[1], rows[0])


def _fitted(*passes: Rows) -> Fitted:
    fitted = Fitted("a fit")
    for rows in passes:
        _add(fitted, rows)
        fitted.end_pass()
    return fitted


def _compare(test: Rows, *train: Rows) -> dict[str, Any]:
    found: dict[str, Any] = compare(*_hashes(test), [_fitted(rows) for rows in train])
    return found


def _noise(random: np.random.Generator, count: int, share: float = 0.5) -> Rows:
    return random.normal(size=(count, 15)), (random.random(count) < share).astype(int)


def _discrete(random: np.random.Generator, count: int) -> Rows:
    """Rows of four columns with four values each, and labels that follow from them: most rows repeat by themselves."""
    x = random.integers(0, 4, (count, 4))
    return x, (x.sum(axis=1) > 6).astype(int)


def _split(random: np.random.Generator, rows: Rows, share: float = 0.75) -> tuple[Rows, Rows]:
    order = random.permutation(len(rows[0]))
    first, last = np.split(order, [int(share * len(order))])
    return _at(rows, first), _at(rows, last)


def _at(rows: Rows, places: Any) -> Rows:
    return rows[0][places], rows[1][places]


def _joined(*parts: Rows) -> Rows:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _oversampled(random: np.random.Generator, rows: Rows) -> Rows:
    """The rows with copies of those of class 1, as many as balance the classes."""
    minority = np.flatnonzero(rows[1])
    return _joined(rows, _at(rows, random.choice(minority, len(rows[1]) - 2 * len(minority))))


@pytest.mark.parametrize("make", [_noise, _discrete])
@pytest.mark.parametrize("count", [200, 1_000, 20_000])
def test_a_clean_split_is_accepted(make: Any, count: int, random: np.random.Generator) -> None:
    """Rows that repeat by themselves are expected in both parts."""
    train, test = _split(random, make(random, count))
    found = _compare(test, train)
    assert not found["refused"]
    assert found["share"] == pytest.approx(found["expected"], abs=0.1)


def test_copies_in_the_raw_data_are_accepted(random: np.random.Generator) -> None:
    """A tenth of the rows was collected twice."""
    rows = _noise(random, 2_000)
    found = _compare(*reversed(_split(random, _joined(rows, _at(rows, slice(200))))))
    assert 0.03 < found["share"] < 0.2
    assert not found["refused"]


@pytest.mark.parametrize(("leaked", "refused"), [(0.04, False), (0.1, True), (0.5, True), (1.0, True)])
def test_leaked_rows_are_found(leaked: float, refused: bool, random: np.random.Generator) -> None:
    """Under 5 % are accepted: noise in two balanced classes gains half of it at most."""
    train, test = _split(random, _noise(random, 4_000))
    count = int(leaked * len(test[0]))
    test = _joined(_at(train, slice(count)), _at(test, slice(count, None)))
    assert _compare(test, train)["refused"] is refused


def test_a_leak_is_found_beside_rows_that_repeat_by_themselves(random: np.random.Generator) -> None:
    """The training data are tested on; most of their rows are expected in a test set, but not all of them."""
    train, _ = _split(random, (random.integers(0, 4, (2_000, 5)), random.integers(0, 2, 2_000)))
    found = _compare(train, train)
    assert found["refused"]
    assert found["share"] == 1.0
    assert 0.3 < found["expected"] < 0.9


@pytest.mark.parametrize("share", [0.08, 0.2, 0.4])
def test_copies_of_one_class_before_the_split_are_found(share: float, random: np.random.Generator) -> None:
    """The copies of a class are in both parts, and the other class shows that rows do not repeat by themselves."""
    train, test = _split(random, _oversampled(random, _noise(random, 1_000, share)))
    found = _compare(test, train)
    assert found["refused"]
    assert found["expected"] < 0.01


@pytest.mark.parametrize("times", [2, 3, 5])
def test_copies_of_all_rows_before_the_split_are_found(times: int, random: np.random.Generator) -> None:
    """Nothing but copying makes all rows stand equally often."""
    train, test = _split(random, _joined(*[_noise(random, 600)] * times))
    assert _compare(test, train)["refused"]


@pytest.mark.parametrize("make", [_noise, _discrete])
def test_copies_after_the_split_change_nothing(make: Any, random: np.random.Generator) -> None:
    """A clean test set stays clean however often training rows are copied, and a leak stays a leak."""
    rows = make(random, 3_000)
    rows = rows[0], rows[1] * (random.random(3_000) < 0.3)
    train, test = _split(random, rows)
    assert not _compare(test, _oversampled(random, train))["refused"]
    if make is _noise:
        assert _compare(_joined(test, train), _oversampled(random, train))["refused"]


def test_samples_drawn_again_and_again_before_the_split_are_found(random: np.random.Generator) -> None:
    """Both classes are drawn with repetition, five times as many rows as there are: no column explains that."""
    rows = _noise(random, 600)
    train, test = _split(random, _at(rows, random.integers(0, 600, 3_000)))
    assert _compare(test, train)["refused"]


def test_a_class_that_is_always_alike_is_no_copied_one(random: np.random.Generator) -> None:
    """A machine that is idle has the same readings, one at work never has; normal customers look alike, fraud does not."""
    idle = random.random(4_000) < 0.4
    readings = np.where(idle[:, None], 0, random.normal(size=(4_000, 3))), (~idle).astype(int)
    assert not _compare(*reversed(_split(random, readings)))["refused"]
    fraud = random.random(8_000) < 0.1
    alike, other = (
        [random.integers(0, count, 8_000) for count in counts] for counts in ((3, 3, 9, 4), (40, 8, 24, 30))
    )
    train, test = _split(random, (np.where(fraud, other, alike).T, fraud.astype(int)))
    few = np.flatnonzero(train[1])
    many = random.choice(np.flatnonzero(train[1] == 0), len(few), replace=False)
    assert not _compare(test, train)["refused"]
    assert not _compare(test, _at(train, np.r_[few, many]))["refused"]


def test_more_test_rows_of_a_class_that_repeats_are_expected(random: np.random.Generator) -> None:
    """The machine is idle more often in the test months."""
    idle = random.random(5_000) < np.linspace(0.2, 0.8, 5_000)
    rows = np.where(idle[:, None], 0, random.normal(size=(5_000, 3))), (~idle).astype(int)
    assert not _compare(_at(rows, slice(4_000, None)), _at(rows, slice(4_000)))["refused"]


def test_rows_made_up_for_training_repeat_less(random: np.random.Generator) -> None:
    """SMOTE's rows lie between those of a class, which repeat by themselves."""
    y = (random.random(6_000) < 0.12).astype(int)
    x = np.where(y[:, None], random.poisson(6, (6_000, 4)), random.poisson(1, (6_000, 4))).astype(float)
    train, test = _split(random, (x, y), 0.8)
    few = train[0][train[1] == 1]
    made = few[random.integers(0, len(few), 3_000)] + random.random((3_000, 4))
    assert not _compare(test, _joined(train, (made, np.ones(3_000, int))))["refused"]


def test_copies_that_were_taken_out_of_the_training_rows_are_expected(random: np.random.Generator) -> None:
    """drop_duplicates() after the split; of noise, whose rows do not repeat, nothing else is expected."""
    train, test = _split(random, _discrete(random, 2_000))
    first = np.unique(train[0], axis=0, return_index=True)[1]
    assert not _compare(test, _at(train, first))["refused"]
    rows = _noise(random, 2_000)
    drawn = random.integers(0, 2_000, 400)
    assert _compare(_at(rows, drawn), rows)["refused"]


def test_fits_of_parts_of_the_data_count_together(random: np.random.Generator) -> None:
    """Rows that one of several fits saw are seen; data that repeat by themselves are expected in their union."""
    train, test = _split(random, _discrete(random, 4_000))
    parts = [_at(train, part) for part in np.array_split(np.arange(3_000), 30)]
    assert not _compare(test, *parts)["refused"]
    train, test = _split(random, _noise(random, 4_000))
    parts = [_at(train, part) for part in np.array_split(np.arange(3_000), 30)]
    assert not _compare(test, *parts)["refused"]
    assert _compare(_at(train, slice(500)), *parts)["share"] == 1.0


@pytest.mark.parametrize("make", [_noise, _discrete])
@pytest.mark.parametrize("size", [16, 300, 3_000])
def test_parts_of_the_data_given_again_and_again_are_no_twins(
    make: Any, size: int, random: np.random.Generator
) -> None:
    """partial_fit on small parts, in several passes in a random order."""
    train, test = _split(random, make(random, 4_000))
    fitted = Fitted("a fit")
    for _ in range(3):
        order = random.permutation(3_000)
        for part in np.split(order, range(size, 3_000, size)):
            rows = _at(train, part)
            fitted.add_part(hash_rows(rows[0]), rows[1])
    clean, leaked = (compare(*_hashes(rows), [fitted]) for rows in (test, train))
    assert not clean["refused"]
    assert leaked["share"] == 1.0
    assert leaked["refused"] is (make is _noise)


def test_rows_without_labels_are_found_with_any_label(random: np.random.Generator) -> None:
    """What is predicted and compared by hand is compared with the rows that were fitted with labels."""
    train, test = _split(random, _noise(random, 2_000))
    fits = [_fitted(train)]
    assert compare_unlabelled(hash_rows(train[0]), fits)["refused"]
    assert not compare_unlabelled(hash_rows(test[0]), fits)["refused"]


def test_rows_without_labels_are_found_if_there_are_very_many_labels(random: np.random.Generator) -> None:
    """Fourteen tags are 16,384 labels: trying them all would take too long."""
    x, tags = random.normal(size=(2_000, 15)), random.integers(0, 2, (2_000, 14))
    train, test = _split(random, (x, tags))
    fits = [_fitted(train)]
    assert compare_unlabelled(hash_rows(train[0]), fits)["refused"]
    assert not compare_unlabelled(hash_rows(test[0]), fits)["refused"]


def test_rows_without_labels_that_repeat_by_themselves_are_expected(random: np.random.Generator) -> None:
    """Labels of noise part the rows that repeat, and their number with any label is what counts here."""
    x, _ = _discrete(random, 2_000)
    train, test = _split(random, (x, random.integers(0, 2, 2_000)))
    found = compare_unlabelled(hash_rows(test[0]), [_fitted(train)])
    assert not found["refused"]
    assert found["share"] > 0.9


def test_passes_are_looked_at_until_they_bring_no_new_row(random: np.random.Generator) -> None:
    """A shuffle before take() brings new rows for some passes; augmentation always, which is given up."""
    rows = _noise(random, 1_000)
    half = [_at(rows, random.permutation(1_000)[:500]) for _ in range(40)]
    fitted = Fitted("a fit")
    for part in half:
        _add(fitted, part)
        fitted.end_pass()
    assert fitted.is_done
    assert len(fitted.hashes) > 990
    assert not fitted.changing

    augmented = _fitted(*[_noise(random, 500) for _ in range(3)])
    assert (augmented.changing, augmented.is_done) == (True, True)
    assert not _fitted(rows, rows).changing


def test_rows_that_were_only_read_for_their_shape_are_no_pass(random: np.random.Generator) -> None:
    """Keras reads the first batch once more: its rows do not repeat for that."""
    rows = _noise(random, 320)
    fitted = Fitted("a fit")
    _add(fitted, _at(rows, slice(32)))
    fitted.begin_passes()
    _add(fitted, rows)
    fitted.end_pass()
    assert compare(*_hashes(_noise(random, 100)), [fitted])["expected"] == 0
    assert len(fitted.hashes) == 320


def test_of_too_many_rows_the_smallest_hashes_are_kept(
    monkeypatch: pytest.MonkeyPatch, random: np.random.Generator
) -> None:
    """Which rows those are does not depend on their order, so shares stay what they are."""
    monkeypatch.setattr(seen, "MOST_ROWS", 1_000)
    train, test = _split(random, _noise(random, 20_000))
    clean = _compare(test, train)
    assert (clean["share"], clean["refused"]) == (0, False)
    assert clean["rows"] == pytest.approx(len(test[0]) * 1_000 / len(train[0]), rel=0.2)
    leaked = _compare(_joined(_at(train, slice(-1_000, None)), _at(test, slice(4_000))), train)
    assert leaked["share"] == pytest.approx(0.2, abs=0.07)
    assert leaked["refused"]


def test_a_fit_is_kept_in_a_checkpoint(random: np.random.Generator) -> None:
    """What comes back says the same."""
    train, test = _split(random, _oversampled(random, _noise(random, 1_000, 0.2)))
    fitted = _fitted(train)
    again = Fitted.from_state(fitted.state())
    assert compare(*_hashes(test), [again]) == compare(*_hashes(test), [fitted])
