"""Draw the folds of a cross-validation again, to compare their rows and to find out which rows were tested."""

import contextlib
import copy
import math
import numbers
import warnings

import numpy

from .fitted_rows import ALL_ROWS, FittedRows, estimate, judge
from .rows import NotHashable, as_array, hash_labels, with_labels

_MAX_ROWS = 1_000_000
"""The maximum number of rows to compare, and roughly the maximum total of training rows in the folds that are drawn."""
_FEW = 10
"""Up to this many folds are compared one by one. If there are more, several may be compared as one group."""
_ENOUGH, _PART = 100, 5
"""Test folds are compared together if they have fewer than ``_ENOUGH`` rows or, if that is less, 1/``_PART`` of all."""


def compare_folds(estimator, cv, data, hashes):
    """Return how the rows of the test folds compare with those of their training folds (the event's field ``seen``).

    ``cv``: the ``cv`` argument of the cross-validation. ``data``: its rows, their labels and their groups. ``hashes``:
    the hashes of the rows. The folds are drawn again, without affecting the random numbers that the script draws later.
    If the rows cannot be compared, only ``why`` is returned.
    """
    rows, labels, groups = data
    if len(hashes) > _MAX_ROWS:
        return {"why": "the cross-validation uses too many rows to compare"}
    estimates, parts = [], []
    try:
        labels = as_array(labels)
        for trained, tested in _draw_folds(estimator, cv, labels, groups, len(hashes)):
            hashed = hash_labels(labels[tested])
            fitted = FittedRows("training folds")
            fitted.add(hashes[trained], labels[trained], _select(rows, trained))
            fitted.end_pass()
            estimates.append(estimate(with_labels(hashes[tested], hashed), hashed, [fitted]))
            parts.append(bool((trained & tested).any()))
    except NotHashable as fault:
        return {"why": f"the rows of the folds cannot be compared ({fault})"}
    found = judge(estimates)
    return found | {"part": found["share"] >= ALL_ROWS and any(parts), "checked": True, "why": ""}


def find_tested(estimator, cv, labels, groups):
    """Return which rows the test folds of a cross-validation contain, and a lower bound on the number of these rows.

    The first result is a mask, or None if it is unknown which rows were tested. ``estimator`` and ``cv`` are as in
    ``compare_folds``. Raises NotHashable if the folds cannot be drawn again.
    """
    labels = as_array(labels)
    tested, largest = numpy.zeros(len(labels), bool), 0
    with _redrawing(estimator, cv, labels) as (splitter, some):
        for _, test in splitter.split(some, labels, groups):
            in_fold = numpy.zeros(len(labels), bool)
            in_fold[test] = True
            tested |= in_fold
            largest = max(largest, int(in_fold.sum()))
            if tested.all():
                break
        draws_same = _draws_same_rows(splitter)
    return (tested, int(tested.sum())) if draws_same else (None, largest)


def _draws_same_rows(splitter):
    """Return whether the folds of a splitter, taken together, contain the same test rows each time they are drawn.

    The folds of a KFold contain all rows, even if they are drawn at random.
    """
    from sklearn.model_selection import BaseShuffleSplit

    return not isinstance(splitter, BaseShuffleSplit) or isinstance(splitter.random_state, numbers.Integral)


@contextlib.contextmanager
def _redrawing(estimator, cv, labels):
    """Provide a copy of a splitter, with placeholder rows to split, and restore NumPy's random state afterwards.

    Raises NotHashable if the folds cannot be drawn again.
    """
    from sklearn.base import is_classifier
    from sklearn.model_selection import check_cv

    state = numpy.random.get_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            splitter = _copy(check_cv(cv, labels, classifier=is_classifier(estimator)))
            yield splitter, numpy.zeros((len(labels), 1))  # splitters only need to know the number of rows
    except (ValueError, TypeError, IndexError) as fault:
        raise NotHashable(f"{type(fault).__name__}: {fault}") from None
    finally:
        numpy.random.set_state(state)


def _draw_folds(estimator, cv, labels, groups, count):
    """Return masks of training rows and of test rows: a pair for each fold or, if there are many, each group of folds.

    The training rows of a group are those that its folds have in common. If there are many rows, only some of the
    folds are drawn, at random. Raises NotHashable if the folds are unknown.
    """
    with _redrawing(estimator, cv, labels) as (splitter, some):
        splits = splitter.get_n_splits(some, labels, groups)
        share = 0.0 if splits <= _FEW else min(_ENOUGH / count, 1 / _PART)
        group_of = _group_folds(splits, share, max(1, _MAX_ROWS // count))
        drawn = {}
        for number, (train, test) in enumerate(splitter.split(some, labels, groups)):
            if number not in group_of:
                continue
            trained, tested = drawn.setdefault(group_of[number], (numpy.ones(count, bool), numpy.zeros(count, bool)))
            in_training = numpy.zeros(count, bool)
            in_training[train] = True
            trained &= in_training
            tested[test] = True
    pairs = [(trained, tested) for trained, tested in drawn.values() if trained.any() and tested.any()]
    if not pairs:
        raise NotHashable("the folds have no test rows, or no training rows in common")
    return pairs


def _group_folds(count, share, limit):
    """Divide ``count`` folds into groups, and map the folds in the first ``limit`` groups to the groups' numbers.

    Each group has at least one fold, and its test rows are about ``share`` (0 to 1) of all rows.
    The groups are drawn at random, because a group of successive folds could hide leaks: a row and the copies that
    follow it would all be test rows.
    """
    size = max(1, math.ceil(round(count * share, 6)))
    order = numpy.random.default_rng(0).permutation(count).tolist()
    return {fold: place // size for place, fold in enumerate(order) if place // size < limit}


def _copy(splitter):
    """Return a copy of a splitter that draws the same random numbers.

    Raises NotHashable if its class is not scikit-learn's, because other classes may print lines or count calls.
    """
    if not type(splitter).__module__.startswith("sklearn."):
        raise NotHashable("the splitter is not one of scikit-learn's")
    copied = copy.copy(splitter)
    if hasattr(copied, "random_state"):
        copied.random_state = copy.deepcopy(copied.random_state)
    return copied


def _select(rows, mask):
    """Return the rows of an array, data frame or sparse matrix that a mask selects."""
    if hasattr(rows, "iloc"):
        return rows.iloc[numpy.flatnonzero(mask)]
    return rows.tocsr()[mask] if hasattr(rows, "tocsr") else as_array(rows)[mask]
