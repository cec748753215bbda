"""Hashes of rows: equal for equal rows in whatever form they arrive, and different for other rows."""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # where Python finds the recorder during training

from epochal_recorder.rows import NotHashable, hash_labels, hash_rows, with_labels

_RANDOM = np.random.default_rng(0)
_X = _RANDOM.random((50, 7)).astype("float32")


@pytest.mark.parametrize(
    "rows",
    [
        _X.astype("float64"),
        _X[:, :, None],
        np.asfortranarray(_X),
        np.pad(_X, ((0, 0), (0, 5))),
        _X.tolist(),
        [list(row) for row in _X],
        (_X,),
        {"only": _X},
        np.where(_X[3, 3] == _X, _X, _X + 0.0),
    ],
)
def test_equal_rows_have_equal_hashes(rows: Any) -> None:
    """Precision, memory order and container type do not matter, and neither does zero padding at the end of a row."""
    assert (hash_rows(rows) == hash_rows(_X)).all()


def test_hash_does_not_depend_on_the_place_of_the_row() -> None:
    """A row may be alone, in another order or in a batch of a different size."""
    hashes = hash_rows(_X)
    order = _RANDOM.permutation(50)
    assert (hash_rows(_X[order]) == hashes[order]).all()
    assert all(hash_rows(_X[row : row + 1])[0] == hashes[row] for row in range(50))


@pytest.mark.parametrize(
    "rows",
    [
        np.eye(300),
        np.concatenate([np.eye(300), np.eye(300) + np.roll(np.eye(300), 1, axis=1)]),
        np.stack(np.meshgrid(*[np.arange(10)] * 5), axis=-1).reshape(-1, 5),
        np.arange(100_000)[:, None],
        _RANDOM.integers(0, 2, (5_000, 100)),
        np.array([f"text {number}" for number in range(100_000)]),
    ],
    ids=["one-hot", "two-hot", "grid", "numbers", "bits", "texts"],
)
def test_different_rows_have_different_hashes(rows: Any) -> None:
    """Hashes differ even for rows that differ in only a few bits, or all in the same way."""
    assert len(np.unique(hash_rows(rows))) == len(rows)


def test_scikit_learn_data_is_hashed() -> None:
    """Sparse matrices are hashed by value and column, in any storage order; columns may mix text and numbers."""
    dense = _RANDOM.integers(0, 2, (100, 30)).astype(float)
    sparse = csr_matrix(dense)
    backwards = csr_matrix(
        (sparse.data[::-1], sparse.indices[::-1], [0, *np.cumsum(np.diff(sparse.indptr)[::-1])]), sparse.shape
    )
    assert (hash_rows(backwards) == hash_rows(sparse)[::-1]).all()
    assert len(np.unique(hash_rows(sparse))) == len(np.unique(dense, axis=0))
    mixed = np.array([["a", 1.0], ["a", 2.0], ["b", 1.0], ["a", 1.0]], dtype=object)
    assert len(np.unique(hash_rows(mixed))) == 3


def test_inputs_are_matched_by_name() -> None:
    """The order of a dictionary does not matter, but which input has which values does."""
    one, other = _X, _X[::-1].copy()
    assert (hash_rows({"a": one, "b": other}) == hash_rows({"b": other, "a": one})).all()
    assert (hash_rows({"a": one, "b": other}) != hash_rows({"a": other, "b": one})).all()


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_one_hot_labels_hash_like_class_numbers(kind: str) -> None:
    """A dataset may have its labels in either form; rows with several labels keep their own hashes."""
    labels = np.arange(12) % 4
    one_hot = np.eye(4)[labels].astype(kind)
    assert (hash_labels(one_hot) == hash_labels(labels)).all()
    assert (hash_labels(labels[:, None]) == hash_labels(labels)).all()
    several = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert (hash_labels(several)[1:2] == hash_labels(several[1:2])).all()
    assert len(np.unique(hash_labels(several))) == 3


def test_label_is_part_of_the_hash() -> None:
    """An autoencoder, which is trained without labels, therefore does not count as having seen the test rows."""
    rows = hash_rows(_X)
    one, other = (with_labels(rows, hash_labels(np.full(50, label))) for label in (0, 1))
    assert not set(one) & set(other)


@pytest.mark.parametrize("data", [None, 3, "text", object(), [[1, 2], [3]]])
def test_data_without_rows_is_not_hashable(data: Any) -> None:
    """Hashing such data raises the exception that the recorder catches."""
    with pytest.raises(NotHashable):
        hash_rows(data)


@given(st.lists(st.lists(st.floats(allow_subnormal=False), min_size=3, max_size=3), min_size=1, max_size=20))
def test_any_numbers_have_hashes(rows: list[list[float]]) -> None:
    """NaNs with different bits have the same hash, and so do both zeros."""
    array = np.array(rows)
    variant = np.where(np.isnan(array), -np.nan, np.where(array == 0, -0.0, array))
    assert (hash_rows(array) == hash_rows(variant)).all()


class _EmptyFrame:
    """A stand-in for a pandas.DataFrame that a filter has left empty, with only what the recorder reads."""

    columns = ("age", "name")
    shape = (0, 2)
    iloc = np.empty(shape, object)


def test_data_frame_without_rows_has_no_hashes() -> None:
    """An empty test set is recorded as such, not as a recorder error."""
    assert hash_rows(_EmptyFrame()).tolist() == []
