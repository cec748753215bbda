"""Distinguish test rows that are training rows from test rows that merely equal training rows.

If each row of the data occurs many times, all test rows of a clean split also occur among the training rows.
"""

import numpy

from .fitted_rows import MAX_CLASSES, is_in
from .rows import with_labels

_NEARLY_ALL = 0.95
"""The data counts as repetitive only if at least this share of test rows occurs repeatedly in the training rows."""
_MIN_DISTINCT, _MIN_ROWS = 4, 16
"""Minimum number of distinct test rows, and of test rows in total; fewer may match the training order by chance."""


def are_training_rows(rows, fits, totals):
    """Return whether test rows are themselves training rows: "yes", "maybe" or "no".

    ``rows``: the hashes of the test rows without labels, in reading order; all of them occur in ``fits``, the training
    rows of a model. ``totals``: the row counts of the data sets from which these test rows were split off.
    """
    unique, counts = numpy.unique(rows, return_counts=True)
    times = [_count_fitted(unique, fit) for fit in fits]
    if not fits or any(each is None for each in times):
        return "maybe"
    sizes = [fit.size for fit in fits]
    fitted = [*zip(times, sizes, strict=True), (sum(times), sum(sizes))]
    included = [(each, size) for each, size in fitted if (counts <= each).all()]
    is_same = any(counts.sum() == size or size in totals for _, size in included)
    if len(unique) >= _MIN_DISTINCT and (is_same or any(_is_run(rows, fit.order) for fit in fits)):
        return "yes"
    # A test row proves nothing if copies of it would be left after all test rows were taken out of the training rows.
    remaining = [counts[each > counts] for each, _ in included]
    repeated = counts[numpy.max(times, axis=0) > 1]
    return "maybe" if any(each.sum() < _NEARLY_ALL * counts.sum() for each in (*remaining, repeated)) else "no"


def _count_fitted(unique, fit):
    """Return how often each row in ``unique`` occurred in a fit's first pass, whatever its label; None if unknown."""
    if not 0 < len(fit.labels) <= MAX_CLASSES:
        return None
    hashes, counts = fit.counted()
    times = numpy.zeros(len(unique), int)
    for place in range(len(fit.labels)):
        labelled = with_labels(unique, fit.labels[place : place + 1])
        known = is_in(labelled, hashes)
        times[known] += counts[numpy.searchsorted(hashes, labelled[known])]
    return times


def _is_run(rows, order):
    """Return whether ``rows`` are consecutive in ``order``, the training rows in the order in which they were read."""
    if not _MIN_ROWS <= len(rows) <= len(order):
        return False
    starts = numpy.flatnonzero(order[: len(order) - len(rows) + 1] == rows[0])
    for place in range(1, len(rows)):
        if not len(starts):
            return False
        starts = starts[order[starts + place] == rows[place]]
    return bool(len(starts))
