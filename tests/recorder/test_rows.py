"""Hashes of rows: the same for the same rows, however they were handed over, and different for others."""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # the training's Python finds it there

from epochal_recorder.rows import NotHashable, hash_labels, hash_rows, with_labels

_RANDOM = np.random.default_rng(0)
_X = _RANDOM.random((50, 7)).astype("float32")


@pytest.mark.parametrize(
    "same",
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
def test_the_same_rows_have_the_same_hashes(same: Any) -> None:
    """In whatever precision, order in memory or container; zeros at a row's end pad it."""
    assert (hash_rows(same) == hash_rows(_X)).all()


def test_a_row_has_its_hash_wherever_it_stands() -> None:
    """Alone, in another order, in a batch of another size."""
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
    """Rows that differ in few bits, and in the same way, included."""
    assert len(np.unique(hash_rows(rows))) == len(rows)


def test_the_kinds_of_data_that_scikit_learn_takes() -> None:
    """Sparse matrices by their values and columns, in whatever order these are stored; texts; a mix of both."""
    dense = _RANDOM.integers(0, 2, (100, 30)).astype(float)
    sparse = csr_matrix(dense)
    backwards = csr_matrix(
        (sparse.data[::-1], sparse.indices[::-1], [0, *np.cumsum(np.diff(sparse.indptr)[::-1])]), sparse.shape
    )
    assert (hash_rows(backwards) == hash_rows(sparse)[::-1]).all()
    assert len(np.unique(hash_rows(sparse))) == len(np.unique(dense, axis=0))
    mixed = np.array([["a", 1.0], ["a", 2.0], ["b", 1.0], ["a", 1.0]], dtype=object)
    assert len(np.unique(hash_rows(mixed))) == 3


def test_inputs_count_by_their_names() -> None:
    """A dictionary's order does not matter, which input has which values does."""
    one, other = _X, _X[::-1].copy()
    assert (hash_rows({"a": one, "b": other}) == hash_rows({"b": other, "a": one})).all()
    assert (hash_rows({"a": one, "b": other}) != hash_rows({"a": other, "b": one})).all()


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_one_hot_labels_are_their_class(kind: str) -> None:
    """Whichever form a data set has its labels in, in a batch of any size."""
    labels = np.arange(12) % 4
    one_hot = np.eye(4)[labels].astype(kind)
    assert (hash_labels(one_hot) == hash_labels(labels)).all()
    assert (hash_labels(labels[:, None]) == hash_labels(labels)).all()
    several = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert (hash_labels(several)[1:2] == hash_labels(several[1:2])).all()
    assert len(np.unique(hash_labels(several))) == 3


def test_a_row_with_another_label_is_another_row() -> None:
    """So an autoencoder, which saw no labels, has not seen the test."""
    rows = hash_rows(_X)
    one, other = (with_labels(rows, hash_labels(np.full(50, label))) for label in (0, 1))
    assert not set(one) & set(other)


@pytest.mark.parametrize("data", [None, 3, "text", object(), [[1, 2], [3]]])
def test_what_has_no_rows_is_refused(data: Any) -> None:
    """With an error that the recorder expects."""
    with pytest.raises(NotHashable):
        hash_rows(data)


@given(st.lists(st.lists(st.floats(allow_subnormal=False), min_size=3, max_size=3), min_size=1, max_size=20))
def test_any_numbers_have_hashes(rows: list[list[float]]) -> None:
    """NaN of whatever bits is one value, and so are both zeros."""
    array = np.array(rows)
    again = np.where(np.isnan(array), -np.nan, np.where(array == 0, -0.0, array))
    assert (hash_rows(array) == hash_rows(again)).all()
