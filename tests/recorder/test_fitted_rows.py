"""An accuracy on rows seen in training is refused if a clean split of the same data would have fewer such rows."""

import sys
from typing import Any

import numpy as np
import pytest

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # where Python finds the recorder in a training run

from epochal_recorder import fitted_rows
from epochal_recorder.fitted_rows import FittedRows, compare, compare_unlabelled
from epochal_recorder.rows import hash_labels, hash_rows, with_labels
from epochal_recorder.same_rows import are_training_rows

Rows = tuple[Any, Any]


@pytest.fixture
def random() -> np.random.Generator:
    """Return a generator that draws the same numbers in each test."""
    return np.random.default_rng(0)


def _hash(rows: Rows) -> Any:
    return with_labels(hash_rows(rows[0]), hash_labels(rows[1])), hash_labels(rows[1])


def _add(fitted: FittedRows, rows: Rows) -> None:
    fitted.add(hash_rows(rows[0]), rows[1], rows[0])


def _fit(*passes: Rows) -> FittedRows:
    fitted = FittedRows("a fit")
    for rows in passes:
        _add(fitted, rows)
        fitted.end_pass()
    return fitted


def _compare(test: Rows, *train: Rows) -> dict[str, Any]:
    comparison: dict[str, Any] = compare(*_hash(test), [_fit(rows) for rows in train])
    return comparison


def _draw_noise(random: np.random.Generator, count: int, share: float = 0.5) -> Rows:
    return random.normal(size=(count, 15)), (random.random(count) < share).astype(int)


def _draw_repeating_rows(random: np.random.Generator, count: int) -> Rows:
    """Draw rows of four columns with four possible values each, and labels derived from them. Most rows occur repeatedly."""
    x = random.integers(0, 4, (count, 4))
    return x, (x.sum(axis=1) > 6).astype(int)


def _split(random: np.random.Generator, rows: Rows, share: float = 0.75) -> tuple[Rows, Rows]:
    order = random.permutation(len(rows[0]))
    first, last = np.split(order, [int(share * len(order))])
    return _select(rows, first), _select(rows, last)


def _select(rows: Rows, places: Any) -> Rows:
    return rows[0][places], rows[1][places]


def _join(*parts: Rows) -> Rows:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _oversample(random: np.random.Generator, rows: Rows) -> Rows:
    """Add copies of rows of class 1 until the classes are balanced."""
    minority = np.flatnonzero(rows[1])
    return _join(rows, _select(rows, random.choice(minority, len(rows[1]) - 2 * len(minority))))


@pytest.mark.parametrize("make", [_draw_noise, _draw_repeating_rows])
@pytest.mark.parametrize("count", [200, 1_000, 20_000])
def test_clean_split_is_accepted(make: Any, count: int, random: np.random.Generator) -> None:
    """If the data has few distinct rows, even a clean split has equal rows in both parts."""
    train, test = _split(random, make(random, count))
    comparison = _compare(test, train)
    assert not comparison["refused"]
    assert comparison["share"] == pytest.approx(comparison["expected"], abs=0.1)


def test_duplicates_in_the_raw_data_are_accepted(random: np.random.Generator) -> None:
    """A tenth of the rows were collected twice, so a clean split has some of them in both parts."""
    rows = _draw_noise(random, 2_000)
    comparison = _compare(*reversed(_split(random, _join(rows, _select(rows, slice(200))))))
    assert 0.03 < comparison["share"] < 0.2
    assert not comparison["refused"]


@pytest.mark.parametrize(("leaked", "refused"), [(0.04, False), (0.1, True), (0.5, True), (1.0, True)])
def test_leaked_rows_are_refused(leaked: float, refused: bool, random: np.random.Generator) -> None:
    """A leak below 5% is accepted: with pure noise and two balanced classes, it adds at most half of that to the accuracy."""
    train, test = _split(random, _draw_noise(random, 4_000))
    count = int(leaked * len(test[0]))
    test = _join(_select(train, slice(count)), _select(test, slice(count, None)))
    assert _compare(test, train)["refused"] is refused


def test_leak_is_found_among_natural_duplicates(random: np.random.Generator) -> None:
    """The test set is the training data; a clean split would also have many equal rows in both parts, but fewer."""
    train, _ = _split(random, (random.integers(0, 4, (2_000, 5)), random.integers(0, 2, 2_000)))
    comparison = _compare(train, train)
    assert comparison["refused"]
    assert comparison["share"] == 1.0
    assert 0.3 < comparison["expected"] < 0.9


@pytest.mark.parametrize("share", [0.08, 0.2, 0.4])
def test_oversampling_before_the_split_is_refused(share: float, random: np.random.Generator) -> None:
    """Both parts have copies from one class; the other class shows that this data has no natural duplicates."""
    train, test = _split(random, _oversample(random, _draw_noise(random, 1_000, share)))
    comparison = _compare(test, train)
    assert comparison["refused"]
    assert comparison["expected"] < 0.01


@pytest.mark.parametrize("times", [2, 3, 5])
def test_duplicating_all_rows_before_the_split_is_refused(times: int, random: np.random.Generator) -> None:
    """Only copying makes all rows occur equally often."""
    train, test = _split(random, _join(*[_draw_noise(random, 600)] * times))
    assert _compare(test, train)["refused"]


@pytest.mark.parametrize("make", [_draw_noise, _draw_repeating_rows])
def test_oversampling_after_the_split_changes_nothing(make: Any, random: np.random.Generator) -> None:
    """A clean test set stays clean, and a leak stays a leak, however often training rows are copied."""
    rows = make(random, 3_000)
    rows = rows[0], rows[1] * (random.random(3_000) < 0.3)
    train, test = _split(random, rows)
    assert not _compare(test, _oversample(random, train))["refused"]
    if make is _draw_noise:
        assert _compare(_join(test, train), _oversample(random, train))["refused"]


def test_resampling_before_the_split_is_refused(random: np.random.Generator) -> None:
    """Drawing five times as many rows with replacement makes more duplicates than the columns can explain."""
    rows = _draw_noise(random, 600)
    train, test = _split(random, _select(rows, random.integers(0, 600, 3_000)))
    assert _compare(test, train)["refused"]


def test_class_of_equal_rows_is_accepted(random: np.random.Generator) -> None:
    """Idle machines give equal readings and busy ones do not; normal customers look alike and fraudsters do not."""
    idle = random.random(4_000) < 0.4
    readings = np.where(idle[:, None], 0, random.normal(size=(4_000, 3))), (~idle).astype(int)
    assert not _compare(*reversed(_split(random, readings)))["refused"]
    fraud = random.random(8_000) < 0.1
    alike, other = (
        [random.integers(0, count, 8_000) for count in counts] for counts in ((3, 3, 9, 4), (40, 8, 24, 30))
    )
    train, test = _split(random, (np.where(fraud, other, alike).T, fraud.astype(int)))
    minority = np.flatnonzero(train[1])
    majority = random.choice(np.flatnonzero(train[1] == 0), len(minority), replace=False)
    assert not _compare(test, train)["refused"]
    assert not _compare(test, _select(train, np.r_[minority, majority]))["refused"]


def test_class_of_equal_rows_may_be_more_frequent_in_the_test(random: np.random.Generator) -> None:
    """A machine may be idle more often during the months in the test set."""
    idle = random.random(5_000) < np.linspace(0.2, 0.8, 5_000)
    rows = np.where(idle[:, None], 0, random.normal(size=(5_000, 3))), (~idle).astype(int)
    assert not _compare(_select(rows, slice(4_000, None)), _select(rows, slice(4_000)))["refused"]


def test_synthetic_training_rows_are_accepted(random: np.random.Generator) -> None:
    """SMOTE interpolates new rows within a class, so training rows repeat less often than test rows."""
    y = (random.random(6_000) < 0.12).astype(int)
    x = np.where(y[:, None], random.poisson(6, (6_000, 4)), random.poisson(1, (6_000, 4))).astype(float)
    train, test = _split(random, (x, y), 0.8)
    minority = train[0][train[1] == 1]
    synthetic = minority[random.integers(0, len(minority), 3_000)] + random.random((3_000, 4))
    assert not _compare(test, _join(train, (synthetic, np.ones(3_000, int))))["refused"]


def test_training_rows_without_duplicates_are_accepted(random: np.random.Generator) -> None:
    """A script may call drop_duplicates() after the split; testing on training rows of pure noise is still refused."""
    train, test = _split(random, _draw_repeating_rows(random, 2_000))
    first = np.unique(train[0], axis=0, return_index=True)[1]
    assert not _compare(test, _select(train, first))["refused"]
    rows = _draw_noise(random, 2_000)
    sampled = random.integers(0, 2_000, 400)
    assert _compare(_select(rows, sampled), rows)["refused"]


def test_fits_on_parts_of_the_data_count_together(random: np.random.Generator) -> None:
    """A row counts as seen if any fit saw it, and natural duplicates are estimated from all fits together."""
    train, test = _split(random, _draw_repeating_rows(random, 4_000))
    parts = [_select(train, part) for part in np.array_split(np.arange(3_000), 30)]
    assert not _compare(test, *parts)["refused"]
    train, test = _split(random, _draw_noise(random, 4_000))
    parts = [_select(train, part) for part in np.array_split(np.arange(3_000), 30)]
    assert not _compare(test, *parts)["refused"]
    assert _compare(_select(train, slice(500)), *parts)["share"] == 1.0


@pytest.mark.parametrize("make", [_draw_noise, _draw_repeating_rows])
@pytest.mark.parametrize("size", [16, 300, 3_000])
def test_repeated_passes_over_parts_are_not_duplicates(make: Any, size: int, random: np.random.Generator) -> None:
    """partial_fit gets the data in small parts, in several passes with a random order each."""
    train, test = _split(random, make(random, 4_000))
    fitted = FittedRows("a fit")
    for _ in range(3):
        order = random.permutation(3_000)
        for part in np.split(order, range(size, 3_000, size)):
            rows = _select(train, part)
            fitted.add_part(hash_rows(rows[0]), rows[1])
    clean, leaked = (compare(*_hash(rows), [fitted]) for rows in (test, train))
    assert not clean["refused"]
    assert leaked["share"] == 1.0
    assert leaked["refused"] is (make is _draw_noise)


def test_rows_without_labels_match_any_label(random: np.random.Generator) -> None:
    """Rows that are only predicted have no labels, but are compared with training rows that do."""
    train, test = _split(random, _draw_noise(random, 2_000))
    fits = [_fit(train)]
    assert compare_unlabelled(hash_rows(train[0]), fits)["refused"]
    assert not compare_unlabelled(hash_rows(test[0]), fits)["refused"]


def test_rows_without_labels_match_among_very_many_labels(random: np.random.Generator) -> None:
    """Fourteen tags give 16,384 possible labels, too many to try each one."""
    x, tags = random.normal(size=(2_000, 15)), random.integers(0, 2, (2_000, 14))
    train, test = _split(random, (x, tags))
    fits = [_fit(train)]
    assert compare_unlabelled(hash_rows(train[0]), fits)["refused"]
    assert not compare_unlabelled(hash_rows(test[0]), fits)["refused"]


@pytest.mark.parametrize("size", [200, 2_000])
def test_rows_added_in_parts_match_among_many_labels(size: int, random: np.random.Generator) -> None:
    """partial_fit gets each class in a part of its own, so the first parts do not show how many labels there will be."""
    train, test = _split(random, (random.normal(size=(4_000, 15)), random.integers(0, 150, 4_000)))
    fitted = FittedRows("a fit")
    order = train[1].argsort()
    for part in np.split(order, range(size, len(order), size)):
        rows = _select(train, part)
        fitted.add_part(hash_rows(rows[0]), rows[1])
    assert compare_unlabelled(hash_rows(train[0]), [fitted])["refused"]
    assert not compare_unlabelled(hash_rows(test[0]), [fitted])["refused"]


def test_rows_without_labels_match_if_several_fits_have_many_labels_together(random: np.random.Generator) -> None:
    """Each of two fits has few enough labels to try them all, and so does not keep its rows without their labels."""
    rows, labels = random.normal(size=(2, 1_000, 15)), random.integers(0, 75, (2, 1_000))
    fits = [_fit((rows[0], labels[0])), _fit((rows[1], labels[1] + 75))]
    assert compare_unlabelled(hash_rows(rows[1]), fits)["share"] == 1.0
    assert compare_unlabelled(hash_rows(random.normal(size=(1_000, 15))), fits)["share"] == 0.0


def test_natural_duplicates_without_labels_are_accepted(random: np.random.Generator) -> None:
    """Random labels make equal rows differ, so duplicates have to be counted without labels here."""
    x, _ = _draw_repeating_rows(random, 2_000)
    train, test = _split(random, (x, random.integers(0, 2, 2_000)))
    comparison = compare_unlabelled(hash_rows(test[0]), [_fit(train)])
    assert not comparison["refused"]
    assert comparison["share"] > 0.9


def test_passes_are_observed_until_no_row_is_new(random: np.random.Generator) -> None:
    """Shuffling before take() adds new rows for some passes; augmentation adds some in every pass, so observation ends early."""
    rows = _draw_noise(random, 1_000)
    half = [_select(rows, random.permutation(1_000)[:500]) for _ in range(40)]
    fitted = FittedRows("a fit")
    for part in half:
        _add(fitted, part)
        fitted.end_pass()
    assert fitted.is_complete
    assert len(fitted.hashes) > 990
    assert not fitted.has_changing_rows

    augmented = _fit(*[_draw_noise(random, 500) for _ in range(3)])
    assert (augmented.has_changing_rows, augmented.is_complete) == (True, True)
    assert not _fit(rows, rows).has_changing_rows


def test_batch_read_for_its_shape_is_not_a_pass(random: np.random.Generator) -> None:
    """Keras reads the first batch an extra time; its rows must not count as duplicates."""
    rows = _draw_noise(random, 320)
    fitted = FittedRows("a fit")
    _add(fitted, _select(rows, slice(32)))
    fitted.begin_passes()
    _add(fitted, rows)
    fitted.end_pass()
    assert compare(*_hash(_draw_noise(random, 100)), [fitted])["expected"] == 0
    assert len(fitted.hashes) == 320


def test_only_the_smallest_hashes_of_too_many_rows_are_kept(
    monkeypatch: pytest.MonkeyPatch, random: np.random.Generator
) -> None:
    """The smallest hashes are a random sample of the rows, so the share of leaked rows stays about the same."""
    monkeypatch.setattr(fitted_rows, "MAX_ROWS", 1_000)
    train, test = _split(random, _draw_noise(random, 20_000))
    clean = _compare(test, train)
    assert (clean["share"], clean["refused"]) == (0, False)
    assert clean["rows"] == pytest.approx(len(test[0]) * 1_000 / len(train[0]), rel=0.2)
    leaked = _compare(_join(_select(train, slice(-1_000, None)), _select(test, slice(4_000))), train)
    assert leaked["share"] == pytest.approx(0.2, abs=0.07)
    assert leaked["refused"]


def test_fitted_rows_survive_a_checkpoint(random: np.random.Generator) -> None:
    """Rows restored from a checkpoint give the same comparison."""
    train, test = _split(random, _oversample(random, _draw_noise(random, 1_000, 0.2)))
    fitted = _fit(train)
    restored = FittedRows.from_state(fitted.state())
    assert compare(*_hash(test), [restored]) == compare(*_hash(test), [fitted])
    earlier = {name: value for name, value in fitted.state().items() if name not in ("order", "source")}
    restored = FittedRows.from_state(earlier | {"counts": fitted.counts.astype(np.uint8)})
    assert compare(*_hash(test), [restored]) == compare(*_hash(test), [fitted])


@pytest.mark.parametrize(("make", "count"), [(_draw_repeating_rows, 20_000), (_draw_noise, 400)])
def test_equal_rows_are_told_apart_from_training_rows(make: Any, count: int, random: np.random.Generator) -> None:
    """Even a row that recurs thousands of times is counted. Rows that hardly repeat can only be training rows."""
    rows = make(random, count)
    for share in (0.5, 0.75, 0.9):
        train, test = _split(random, rows, share)
        fit, whole = _fit(train), _fit(rows)
        if make is _draw_repeating_rows:
            assert are_training_rows(hash_rows(test[0]), [fit], set()) == "no"
            assert are_training_rows(hash_rows(test[0]), [whole], {count}) == "yes"
        for part in (train, _select(train, random.permutation(len(train[0]))), _select(train, slice(40, 140))):
            answer = are_training_rows(hash_rows(part[0]), [fit], set())
            assert answer == "yes" or (make is _draw_noise and answer == "maybe")


@pytest.mark.parametrize("encode", [np.array, lambda rows: rows.astype(str)])
def test_rows_of_texts_repeat_by_nature(encode: Any, random: np.random.Generator) -> None:
    """Texts are as likely to be equal as numbers, although a text is hashed to two numbers."""
    rows = encode(random.integers(0, 3, (900, 4))), random.integers(0, 2, 900)
    train, test = _split(random, rows)
    assert _compare(test, train)["share"] > 0.95
    assert not _compare(test, train)["refused"]
