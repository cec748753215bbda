"""Compare the rows of a test fold of a cross-validation with those of its training folds."""

import copy
import math
import warnings

import numpy

from .fitted_rows import FittedRows, compare
from .rows import NotHashable, as_array, hash_labels, with_labels

_MAX_ROWS = 1_000_000
_ENOUGH, _PART = 100, 5
"""If test folds have fewer rows than the first number, several are pooled.

They are pooled until they have that many rows, or one fifth of all rows (the second number is the divisor).
"""


def compare_folds(estimator, cv, data, hashes):
    """Return how the rows of a test fold compare with those of its training folds (the event's field ``seen``).

    ``cv``: the cross-validation's argument of this name. ``data``: its rows, their labels and their groups. ``hashes``:
    the hashes of the rows. A splitter that draws its folds at random draws them again, without any effect on the
    random numbers that the script draws later. If the rows cannot be compared, only ``why`` is returned.
    """
    rows, labels, groups = data
    if len(hashes) > _MAX_ROWS:
        return {"why": "the cross-validation has too many rows"}
    try:
        labels = as_array(labels)
        trained, tested = _draw_fold(estimator, cv, labels, groups, len(hashes))
        hashed = hash_labels(labels[tested])
        fitted = FittedRows("training folds")
        fitted.add(hashes[trained], labels[trained], _select(rows, trained))
        fitted.end_pass()
    except NotHashable as fault:
        return {"why": f"the rows of the folds cannot be compared ({fault})"}
    return compare(with_labels(hashes[tested], hashed), hashed, [fitted]) | {"checked": True, "why": ""}


def _draw_fold(estimator, cv, labels, groups, count):
    """Return masks of the training rows and the test rows of one fold, or of several if they are small.

    Raises NotHashable if the folds are unknown.
    """
    from sklearn.base import is_classifier
    from sklearn.model_selection import check_cv

    state = numpy.random.get_state()
    trained, tested = numpy.ones(count, bool), numpy.zeros(count, bool)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            splitter = _copy(check_cv(cv, labels, classifier=is_classifier(estimator)))
            some = numpy.zeros((count, 1))  # splitters only need to know the number of rows
            enough = max(1, min(_ENOUGH, count // _PART))
            chosen = _choose_folds(splitter.get_n_splits(some, labels, groups), enough / count)
            for number, (train, test) in enumerate(splitter.split(some, labels, groups)):
                if number not in chosen:
                    continue
                in_training = numpy.zeros(count, bool)
                in_training[train] = True
                trained &= in_training
                tested[test] = True
                if tested.sum() >= enough or number == max(chosen):
                    break
    except (ValueError, TypeError, IndexError) as fault:
        raise NotHashable(f"{type(fault).__name__}: {fault}") from None
    finally:
        numpy.random.set_state(state)
    if not tested.any() or not trained.any():
        raise NotHashable("a fold has no test rows, or no row is in all training folds")
    return trained, tested


def _choose_folds(count, share):
    """Choose at random just enough of ``count`` folds to contain about ``share`` of all rows; return their numbers.

    If successive folds were pooled, copies that follow their originals would all be among the test rows.
    """
    size = min(count, math.ceil(round(count * share, 6)))
    return set(numpy.random.default_rng(0).choice(count, size, replace=False).tolist())


def _copy(splitter):
    """Return a copy of a splitter that draws the same random numbers.

    Raises NotHashable if its class is not scikit-learn's, because a class from elsewhere may print lines or count its
    calls.
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
