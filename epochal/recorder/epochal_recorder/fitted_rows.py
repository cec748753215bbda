"""Collect the training rows of a fit, and refuse a test on rows that the model was fitted on.

A test on rows that the model was fitted on is meaningless, but even correctly split data may contain duplicate rows.
So s, the share of test rows that the model was fitted on, is compared with e, the share that a clean split of the
same data would yield. e is estimated as the share of training rows that have a twin (an equal row) in the same pass:
the Good-Turing estimate of the probability that another row from the same source is already among the training rows.
"""

import contextlib
import hashlib
import itertools
import math
import threading

import numpy

from .rows import NotHashable, as_array, form_of, hash_labels, leaves_of, sample_rows, with_labels

MAX_ROWS = 4_000_000
"""At most this many row hashes are kept for each fit (32 MB): the smallest ones, which are a random sample."""
ALL_ROWS = 0.9995
"""If the model was fitted on at least this share of the test rows, the test set may be part of the training set."""
_SIGNIFICANT = 4.0
"""A test is refused only if s exceeds e (see the module's docstring) by more than this many standard errors.

With four, none of 800 clean splits of data with many repeated rows is refused (benchmarks/seen_rows.py).
"""
_SMALL = 0.05
"""A test is refused only if s exceeds e (see the module's docstring) by more than this.

With random labels and two balanced classes, a smaller excess raises the accuracy by at most half that excess.
"""
MAX_CLASSES = 1000
"""If a fit has more distinct labels than this, only some of them are kept."""
_MAX_TRIED_LABELS = 100
"""If a fit has more distinct labels than this, it also keeps the hashes of its rows without their labels.

Test rows without labels are then compared with these hashes, so there is no need to try every label.
"""
_UNREPEATED, _REPEATED, _MIN_ROWS = 0.01, 0.10, 50
_COPIED_EVENLY = 0.95
_SMALL_LABELS = 16
_SAMPLE_ROWS, _SAMPLE_OF_BATCH, _SAMPLE_COLUMNS, _MIN_SAMPLE = 512, 32, 256, 16
_MAX_FORMS = 16
_MAX_RECENT_PARTS = 256
_MAX_IN_ORDER = 200_000
_COPIED = 0.8
_ALL_CLASSES = None
"""The key that stands for all classes together."""
_STATE = (
    "hashes",
    "counts",
    "labels",
    "data",
    "repeats",
    "classes",
    "explained",
    "repeats_of_data",
    "has_changing_rows",
    "why_unseen",
    "forms",
    "is_regression",
    "order",
    "source",
)
"""Attributes of a fit that a checkpoint stores, besides ``identity`` and ``ceiling``."""
_KEYS = {"has_changing_rows": "changing", "why_unseen": "unseen", "is_regression": "numbers"}
"""A checkpoint's keys for attributes of a fit, where the keys differ from the attributes' names."""
_UNEQUAL = "the number of labels differs from the number of rows"
_NEARLY_ALL = 0.9
_PASSES_OF_NEW_ROWS = 3


class FittedRows:
    """The training rows of one fit, with their labels, collected during the fit. Thread-safe."""

    def __init__(self, identity):
        self.identity = identity
        self.hashes = numpy.empty(0, numpy.uint64)
        """Sorted unique hashes of the rows with their labels; only those up to ``ceiling`` if there are too many."""
        self.counts = numpy.empty(0, numpy.uint32)
        """How often each row in ``hashes`` occurred in the first complete pass; 0 if it was absent."""
        self.ceiling = numpy.iinfo(numpy.uint64).max
        self.labels = numpy.empty(0, numpy.uint64)
        """Hashes of the labels, sorted and unique."""
        self.data = numpy.empty(0, numpy.uint64)
        """Sorted hashes of the rows without their labels; may be empty if there are few enough labels to try them all."""
        self.repeats = []
        """How often the rows of each class repeat in the first pass; empty if unknown.

        Each class has a list of pairs: a number of occurrences, and the number of distinct rows that occur that often.
        """
        self.classes = numpy.empty(0, numpy.uint64)
        """Hashes of the labels of the classes in ``repeats``."""
        self.explained = []
        """The share (0 to 1) of each class's rows that would repeat if the columns were independent.

        The share is None if unknown. For classes whose rows rarely repeat, it is not estimated but set to 1.
        """
        self.repeats_of_data = []
        """Pairs as in ``repeats``, but for all rows together, without their labels."""
        self.has_changing_rows = False
        """Whether each pass has different rows, because they are augmented or generated."""
        self.why_unseen = ""
        """Why some rows are unknown; empty if all rows are known."""
        self.is_regression = False
        """Whether the fit is a regression, with targets that are not whole numbers."""
        self.forms = []
        """The different forms of the rows (``rows.form_of``)."""
        self.order = numpy.empty(0, numpy.uint64)
        """Hashes of the rows without their labels, in first-pass order; empty unless nearly all rows repeat."""
        self.source = None
        """The class of the transformation that yielded the rows, and the line of its fit; None if there was none."""
        self.line = None
        """The line of the script that called fit(); None if unknown."""
        self.in_parts = False
        """Whether the rows were added in parts (``add_part``)."""
        self._recent = {}
        self._recent_data = []
        self._is_past_first_pass = False
        self._parts = []
        self._sample = []
        self._passes = 0
        self.is_complete = False
        """Whether to ignore further passes because none, or nearly all, of the rows in the last pass were new."""
        self._lock = threading.Lock()

    def add(self, rows, labels, data=None):
        """Add rows of the current pass.

        ``rows``: the hashes of the rows without their labels. ``labels``: the labels themselves. ``data``: the rows
        themselves, or None; a sample of them is kept. Raises NotHashable unless there are as many labels as rows.
        """
        arrays = [as_array(leaf) for leaf in leaves_of(labels)]
        if any(len(array) != len(rows) for array in arrays):
            raise NotHashable(_UNEQUAL)
        # Small labels are kept and hashed all at once, which is faster; big ones (one per pixel) are hashed here.
        is_small = len(arrays) == 1 and arrays[0].size <= _SMALL_LABELS * len(rows)
        part = rows, arrays[0].copy() if is_small else None, None if is_small else hash_labels(labels)
        with self._lock:
            if self.is_complete:
                return
            self._parts.append(part)
            if data is None or self._passes:
                return
            room = _SAMPLE_ROWS - sum(len(each[0]) for each in self._sample)
            if room <= 0:
                return
            count = min(room, len(rows), _SAMPLE_ROWS if len(rows) > _SAMPLE_ROWS else _SAMPLE_OF_BATCH)
            places = numpy.unique(numpy.linspace(0, len(rows) - 1, count).astype(int))
            with contextlib.suppress(Exception):  # the sample is optional
                sampled = sample_rows(data, places, _SAMPLE_COLUMNS)
                self._sample.append((rows[places], hash_labels(labels)[places], sampled))

    def _estimate_explained(self, label, pairs):
        """Return the share of a class's rows that would repeat if the columns were independent; None if unknown."""
        rows, data = [], []
        for hashes, labels, sampled in self._sample:
            rows.append(hashes[labels == label])
            data.append(sampled[labels == label])
        if not rows or len({part.shape[1] for part in data}) > 1:
            return None
        rows, first = numpy.unique(numpy.concatenate(rows), return_index=True)
        values = numpy.sort(_drop_equivalent(numpy.concatenate(data)[first]), axis=0)
        count = _count_rows(pairs)
        if _count_distinct(pairs) == 1:
            return 1.0
        if len(rows) < min(_MIN_SAMPLE, _count_distinct(pairs)):
            return None
        alike = 1.0
        for column in values.T:
            times = numpy.unique(column, return_counts=True)[1]
            alike *= (times * (times - 1)).sum() / (len(column) * (len(column) - 1))
        return float(1 - math.exp(-(count - 1) * alike))

    def note_form(self, data):
        """Record the form (``rows.form_of``) of some of the fit's rows."""
        form = form_of(data)
        if form not in self.forms and len(self.forms) < _MAX_FORMS:
            self.forms.append(form)

    def add_part(self, rows, labels):
        """Add rows of a fit that receives its data in parts (``partial_fit``) and does not say where a pass ends.

        Recurring rows count as repeated until a part consists almost entirely of known rows. That part begins a new
        pass, and from then on recurring rows are not counted. Raises NotHashable as ``add`` does.
        """
        labels = hash_labels(labels)
        if len(labels) != len(rows):
            raise NotHashable(_UNEQUAL)
        data, rows = rows, with_labels(rows, labels)
        with self._lock:
            self.in_parts = True
            self._recent_data.append(data[~is_in(rows, self.hashes)])  # later parts may bring more labels
            self.labels = numpy.union1d(self.labels, labels) if len(self.labels) <= MAX_CLASSES else self.labels
            unique, counts = numpy.unique(rows, return_counts=True)
            known = is_in(unique, self.hashes)
            recent = [self._recent.get(row) for row in unique[~known].tolist()] if self._recent else []
            share = (known.sum() + sum(count is not None for count in recent)) / max(1, len(unique))
            self._is_past_first_pass |= share > _NEARLY_ALL
            if not self._is_past_first_pass and known.any():
                places = numpy.searchsorted(self.hashes, unique[known])
                self.counts[places] = self.counts[places] + counts[known]
            for row, count in zip(unique[~known].tolist(), counts[~known].tolist(), strict=True):
                self._recent[row] = self._recent.get(row, 0) + (
                    0 if self._is_past_first_pass and row in self._recent else count
                )
            is_much = len(self._recent) > max(_SAMPLE_ROWS, len(self.hashes) // 8)
            if is_much or len(self._recent_data) > _MAX_RECENT_PARTS:
                self._merge_recent()

    def _merge_recent(self):
        if self._recent:
            rows = numpy.array(sorted(self._recent), numpy.uint64)
            counts = numpy.array([self._recent[row] for row in rows.tolist()])
            self._recent = {}
            self._merge(rows, counts)
        if self._recent_data:
            self.data = numpy.unique(numpy.concatenate([self.data, *self._recent_data]))[:MAX_ROWS]
            self._recent_data = []

    def rows_without_labels(self):
        """Return the sorted hashes of the rows without their labels; empty if they are not kept."""
        with self._lock:
            self._merge_recent()
            return self.data

    def counted(self):
        """Return the sorted hashes of the rows with their labels, and how often each row occurred in the first pass."""
        with self._lock:
            self._merge_recent()
            return self.hashes, self.counts

    @property
    def size(self):
        """The number of rows in the first pass, including repeated rows."""
        return _count_rows(self.repeats_of_parts() if self.in_parts else self.repeats_of_data)

    def repeats_of_parts(self):
        """Return pairs as in ``repeats``, for all classes together. The rows must have been added in parts."""
        with self._lock:
            self._merge_recent()
            times, counts = numpy.unique(self.counts[self.counts > 0], return_counts=True)
            return [list(pair) for pair in zip(times.tolist(), counts.tolist(), strict=True)]

    def add_hashed(self, rows, labels):
        """Add rows of the current pass, given the hashes of the labels and of the rows without their labels."""
        with self._lock:
            self._parts.append((rows, None, labels))

    def _take_parts(self):
        """Remove the current pass's rows, and return three arrays of hashes.

        The hashes are those of the rows with their labels, of the rows without their labels, and of the labels alone.
        """
        parts, self._parts = self._parts, []
        rows = numpy.concatenate([part[0] for part in parts])
        kept = [part[1] for part in parts]
        if all(each is not None and each.shape[1:] == kept[0].shape[1:] for each in kept):
            labels = hash_labels(numpy.concatenate(kept))
        else:
            labels = numpy.concatenate([hash_labels(kept) if hashed is None else hashed for _, kept, hashed in parts])
        found = with_labels(rows, labels)
        is_kept = found <= self.ceiling
        return found[is_kept], rows[is_kept], labels[is_kept]

    def begin_passes(self):
        """Start counting passes. Rows that were read earlier just to determine their shape do not count as a pass."""
        with self._lock:
            if self._parts and not self._passes:
                unique = numpy.unique(self._take_parts()[0])
                self._merge(unique, numpy.zeros(len(unique), int))

    def end_pass(self):
        """Record the rows of the pass that has ended; after a pass without new rows, further passes are ignored."""
        with self._lock:
            if not self._parts or self.is_complete:
                return
            rows, data, labels = self._take_parts()
            if not len(rows) and not self._passes:
                return
            unique, counts = numpy.unique(rows, return_counts=True)
            is_new = ~is_in(unique, self.hashes)
            if not self._passes:
                self.classes, self.repeats = _repeats_by_class(rows, labels)
                self.explained = [
                    self._estimate_explained(label, pairs) if _repeated_share(pairs) >= _REPEATED else 1.0
                    for label, pairs in zip(self.classes, self.repeats, strict=True)
                ]
                self._sample = []
                self.repeats_of_data = _repeats_by_class(data, numpy.zeros(len(data), numpy.uint64))[1][0]
                if len(data) <= _MAX_IN_ORDER and _repeated_share(self.repeats_of_data) > _NEARLY_ALL:
                    self.order = data
            self._merge(unique, counts if not self._passes else numpy.zeros(len(counts), int))
            if len(self.labels) <= MAX_CLASSES:
                self.labels = numpy.union1d(self.labels, labels)
            if len(self.labels) > _MAX_TRIED_LABELS:
                self.data = numpy.union1d(self.data, data)[:MAX_ROWS]
            self._passes += 1
            self.has_changing_rows = self._passes > 1 and bool(is_new.mean() > _NEARLY_ALL)
            self.is_complete = not is_new.any() or (self.has_changing_rows and self._passes >= _PASSES_OF_NEW_ROWS)

    def _merge(self, hashes, counts):
        known = is_in(hashes, self.hashes)
        places = numpy.searchsorted(self.hashes, hashes[known])
        self.counts[places] = numpy.maximum(self.counts[places], counts[known].astype(numpy.uint32))
        merged = numpy.concatenate([self.hashes, hashes[~known]])
        times = numpy.concatenate([self.counts, counts[~known].astype(numpy.uint32)])
        order = merged.argsort(kind="stable")[:MAX_ROWS]
        if len(merged) > MAX_ROWS:
            self.ceiling = merged[order[-1]]
        self.hashes, self.counts = merged[order], times[order]

    def digest(self):
        """Return a digest of the fit's rows and of how often each of them occurs."""
        found = hashlib.blake2b(self.hashes.tobytes(), digest_size=16)
        found.update(self.counts.tobytes())
        return found.digest()

    def forget(self):
        """Drop the fit's rows to save memory, and record that they are no longer known."""
        with self._lock:
            self.hashes, self.counts = self.hashes[:0].copy(), self.counts[:0].copy()
            self.why_unseen = "there were too many fits to keep all their rows"

    def state(self):
        """Return the fit's rows as plain data and arrays, for a checkpoint."""
        with self._lock:
            kept = {_KEYS.get(name, name): getattr(self, name) for name in _STATE}
            return kept | {"identity": self.identity, "ceiling": int(self.ceiling)}

    @classmethod
    def from_state(cls, state):
        """Restore a fit's rows from what the method ``state`` returned in an earlier process."""
        fitted = cls(state["identity"])
        for name in _STATE:  # an earlier version of the recorder stored fewer attributes, and 8-bit counts
            setattr(fitted, name, state.get(_KEYS.get(name, name), getattr(fitted, name)))
        fitted.counts = fitted.counts.astype(numpy.uint32)
        fitted.ceiling = numpy.uint64(state["ceiling"])
        return fitted

    def snapshot(self):
        """Return the hashes of all rows so far, including those of the current pass."""
        with self._lock:
            self._merge_recent()
            if not self._parts:
                return self.hashes
            parts = list(self._parts)
            rows = self._take_parts()[0]
            self._parts = parts
            return numpy.union1d(self.hashes, rows)


def compare(rows, labels, fits, by_class=True, fitted=None):
    """Compare test rows with the rows of ``fits``, and return a dict that says whether the test is refused.

    The arguments are those of ``estimate``, and the result is that of ``judge``.
    """
    return judge([estimate(rows, labels, fits, by_class, fitted)])


def estimate(rows, labels, fits, by_class=True, fitted=None):
    """Estimate what share of the test rows is among the rows of ``fits``, and what share a clean split would yield.

    ``rows``: hashes of the test rows, labels included; ``labels``: hashes of the labels alone. ``by_class``: whether to
    estimate the expected share class by class. ``fitted``: for each fit, the sorted hashes of the rows to compare
    with; by default, the hashes that include the labels.

    Returns an estimate for ``judge``: the number of rows and of distinct rows, both shares, and the number of distinct
    rows in the fits.
    """
    ceiling = min([fit.ceiling for fit in fits], default=numpy.iinfo(numpy.uint64).max)
    fitted = [fit.snapshot() for fit in fits] if fitted is None else fitted
    if ceiling < numpy.iinfo(numpy.uint64).max:
        labels, rows = labels[rows <= ceiling], rows[rows <= ceiling]
        fitted = [hashes[hashes <= ceiling] for hashes in fitted]
    fitted = _union(fitted)
    unique, counts = numpy.unique(rows, return_counts=True)
    if not len(unique) or not len(fitted):
        return len(rows), len(unique), 0.0, 0.0, 0
    share = float(counts[is_in(unique, fitted)].sum() / len(rows))
    classes, repeats = _repeats_by_class(rows, labels)
    test_repeats = dict(zip(classes.tolist(), repeats, strict=True))
    repeats_of_fits = [_repeats_of(fit, by_class) for fit in fits]
    expected, all_distinct = 0.0, 0
    for fit, train_repeats in zip(fits, repeats_of_fits, strict=True):
        distinct = sum(_count_distinct(pairs) for pairs, _ in train_repeats.values())
        all_distinct += distinct
        if not _is_copied_evenly(fit, unique, counts):
            expected = max(
                expected, _share_at_size(_expected_share(test_repeats, train_repeats), distinct, len(fitted))
            )
    if len(fits) > 1 and not any(_find_copied_classes(train_repeats) for train_repeats in repeats_of_fits):
        expected = max(expected, _twin_share(fits))
    return len(rows), len(unique), share, expected, all_distinct


def judge(estimates):
    """Judge the test rows of one or more estimates (see ``estimate``) together, and return a dict.

    ``rows`` is the number of rows compared, ``share`` the share of them that the model was fitted on, ``expected`` the
    share that a clean split would yield, and ``refused`` whether these rows make the test meaningless. Shares range
    from 0 to 1.
    """
    rows, unique, shares, expectations, distinct = (numpy.array(each) for each in zip(*estimates, strict=True))
    weights = rows / max(1, rows.sum())
    share, expected = float(weights @ shares), float(weights @ expectations)
    pooled = (share + expected) / 2
    # The training rows of several folds are nearly the same, so they do not make the expected share more certain.
    error = math.sqrt(
        pooled * (1 - pooled) / max(1, unique.sum()) + expected * (1 - expected) / max(1, distinct.mean())
    )
    excess = share - expected
    refused = excess > _SMALL and excess > _SIGNIFICANT * error
    return {
        "rows": int(rows.sum()),
        "share": round(share, 4),
        "expected": round(expected, 4),
        "refused": bool(refused),
    }


def compare_unlabelled(rows, fits):
    """Compare unlabelled test rows with the rows of ``fits``, whatever labels those have. See ``compare``."""
    found = find_labels(rows, fits)
    same_label = numpy.zeros(len(rows), numpy.uint64)
    if found is None:
        return compare(rows, same_label, fits, by_class=False, fitted=[fit.rows_without_labels() for fit in fits])
    is_found, labels = found
    rows = numpy.where(is_found, with_labels(rows, labels), rows)
    by_class = any(_find_copied_classes(_repeats_of(fit, by_class=True)) for fit in fits)
    return compare(rows, labels if by_class else same_label, fits, by_class)


def find_labels(rows, fits):
    """Return a mask of the rows that a model was fitted on, whatever their labels, and the hashes of these labels.

    ``rows``: hashes of rows without labels. Both results have one element per row; a label's hash is 0 if its row is
    not in the mask. Returns None if there are too many labels to try: more than 100, or more than 1000 if
    any fit lacks the hashes of its rows without labels.
    """
    candidates = _union([fit.labels for fit in fits])
    keep_data = all(len(fit.rows_without_labels()) for fit in fits)
    if len(candidates) > (_MAX_TRIED_LABELS if keep_data else MAX_CLASSES):
        return None
    fitted = _union([fit.snapshot() for fit in fits])
    labels, is_found = numpy.zeros(len(rows), numpy.uint64), numpy.zeros(len(rows), bool)
    for place in range(len(candidates)):
        hits = is_in(with_labels(rows, candidates[place : place + 1]), fitted) & ~is_found
        labels[hits] = candidates[place]
        is_found |= hits
    return is_found, labels


def _drop_equivalent(values):
    """Return a matrix without the columns that divide the rows into the same groups as an earlier column.

    For example, hashing a text column yields two equivalent columns, and so does one-hot encoding two classes.
    """
    kept = {}
    for column in values.T:
        _, first, codes = numpy.unique(column, return_index=True, return_inverse=True)
        kept.setdefault(first[codes].tobytes(), column)
    return numpy.stack([*kept.values()], axis=1) if kept else values


def is_in(hashes, others):
    """Return a mask that says which of ``hashes`` are in ``others``, which must be sorted."""
    if not len(others):
        return numpy.zeros(len(hashes), bool)
    places = numpy.searchsorted(others, hashes)
    places[places == len(others)] = 0
    return others[places] == hashes


def _union(arrays):
    return arrays[0] if len(arrays) == 1 else numpy.unique(numpy.concatenate([numpy.empty(0, numpy.uint64), *arrays]))


def _repeats_of(fit, by_class):
    """Map each class to its (repeats, explained) pair in ``fit``, or ``_ALL_CLASSES`` to one pair for all rows."""
    if by_class and not fit.in_parts:
        return dict(zip(fit.classes.tolist(), zip(fit.repeats, fit.explained, strict=True), strict=True))
    return {_ALL_CLASSES: (fit.repeats_of_parts() if fit.in_parts else fit.repeats_of_data, 1.0)}


def _expected_share(test_repeats, train_repeats):
    """Return the share of test rows that would be among the training rows after a clean split.

    ``test_repeats``: for each class, how often the test rows repeat, as in ``FittedRows.repeats``. ``train_repeats``:
    for each class, how often the training rows repeat, and the class's entry in ``FittedRows.explained``. Each class is
    weighted by its share of the test rows, because the training rows may have been balanced.
    """
    copied = _find_copied_classes(train_repeats)
    rows = sum(map(_count_rows, test_repeats.values()))
    expected = 0.0
    for label, pairs in test_repeats.items():
        fitted = train_repeats.get(label, train_repeats.get(_ALL_CLASSES, ([], 1.0)))[0]
        share, alone = _repeated_share(fitted), _repeated_share(pairs)
        count, distinct = _count_rows(pairs), _count_distinct(pairs)
        # After a clean split, a random part of the training rows, as big as the test set, has as many repeated rows as
        # the test set. If that part has more, training rows were copied after the split, and only the test set shows
        # how often rows repeat.
        likely = _repeated_share(fitted, min(1.0, (count - 1) / max(1, _count_rows(fitted) - 1)))
        error = math.sqrt(max(likely * (1 - likely), 1 / count) / count)
        if likely - alone > max(_SMALL, _SIGNIFICANT * error):
            # A small test set gives only a rough estimate, so two standard errors are added.
            upper = min(1.0, alone + 2 * math.sqrt(alone * (1 - alone) / distinct))
            share = min(share, _share_at_size(upper, distinct, _count_distinct(fitted)))
        # Training rows that do not repeat at all were deduplicated, so only the test set shows how often rows repeat.
        # Rows that were generated for training repeat less often than test rows, so the greater share counts.
        is_deduplicated = share <= _UNREPEATED and alone > _SMALL
        share = _share_at_size(alone, distinct, _count_distinct(fitted)) if is_deduplicated else max(share, alone)
        expected += count / rows * min(share, copied.get(label, 1.0))
    return expected


def _count_rows(pairs):
    """Return the number of rows described by ``pairs``, the entry for one class in ``FittedRows.repeats``."""
    return sum(times * number for times, number in pairs)


def _count_distinct(pairs):
    return sum(number for _, number in pairs)


def _twin_share(fits):
    """Return the share of rows that have a twin, among all rows in the first passes of several fits.

    If a fit has more rows in common with the earlier fits than repeated rows would explain, the shared rows are not
    twins: the model was fitted on them again.
    """
    hashes, counts = fits[0].hashes, fits[0].counts.astype(int)
    for fit in fits[1:]:
        rows = counts.sum()
        expected = 1 - (counts == 1).sum() / rows if rows else 0.0
        known = is_in(fit.hashes, hashes)
        share = fit.counts[known].sum() / max(1, int(fit.counts.sum()))
        error = math.sqrt(max(expected * (1 - expected), 1 / max(1, len(fit.hashes))) / max(1, len(fit.hashes)))
        if share - expected <= max(_SMALL, _SIGNIFICANT * error):
            counts[numpy.searchsorted(hashes, fit.hashes[known])] += fit.counts[known]
        hashes = numpy.concatenate([hashes, fit.hashes[~known]])
        counts = numpy.concatenate([counts, fit.counts[~known].astype(int)])
        order = hashes.argsort(kind="stable")
        hashes, counts = hashes[order], counts[order]
    return 1 - (counts == 1).sum() / counts.sum() if counts.sum() else 0.0


def _find_copied_classes(train_repeats):
    """Find the classes whose rows were duplicated before the split.

    Returns a dict from each such class to the share of its rows that would repeat without the duplication. In such a
    class, more rows repeat than chance would explain, and either at least 80% of its rows repeat, or it has fewer
    distinct rows than another class whose rows do not repeat.
    """
    shares = {label: _repeated_share(pairs) for label, (pairs, _) in train_repeats.items()}
    big = {
        label: _count_distinct(pairs) for label, (pairs, _) in train_repeats.items() if _count_rows(pairs) >= _MIN_ROWS
    }
    copied = {}
    for label, distinct in big.items():
        share, explained = shares[label], train_repeats[label][1]
        bigger = [shares[other] for other, more in big.items() if shares[other] <= _UNREPEATED and more > distinct]
        if share < _REPEATED or (explained is not None and explained > share / 2):
            continue
        if bigger or (share >= _COPIED and explained is not None):
            copied[label] = min(bigger, default=0.0)
    return copied


def _is_copied_evenly(fit, unique, counts):
    """Return whether nearly all distinct rows occur equally often, and at least twice.

    The rows of a fit and of a test set are counted together.
    """
    if not len(fit.hashes) or not fit.counts.all():
        return False
    together = fit.counts.astype(int)
    places = numpy.searchsorted(fit.hashes, unique)
    places[places == len(fit.hashes)] = 0
    known = fit.hashes[places] == unique
    numpy.add.at(together, places[known], counts[known])
    together = numpy.concatenate([together, counts[~known]])
    times = numpy.bincount(together)
    most = int(times.argmax())
    return most > 1 and len(together) >= _MIN_ROWS and times[most] >= _COPIED_EVENLY * len(together)


def _repeated_share(pairs, part=1.0):
    """Return the share of rows that have a twin among all rows, or among a random ``part`` (0 to 1) of them."""
    rows = _count_rows(pairs)
    single = sum(times * number * (1 - part) ** (times - 1) for times, number in pairs)
    return 1 - single / rows if rows else 0.0


def _share_at_size(share, rows, more):
    """Extrapolate the share of repeated rows among ``rows`` rows to a larger number of rows, ``more``."""
    if more <= rows or not rows or share >= 1:
        return share
    return 1 - (1 - share) ** (more / rows)


def _repeats_by_class(rows, labels):
    """Return the sorted unique hashes of labels, and how often each label's rows repeat (``FittedRows.repeats``)."""
    classes, codes = numpy.unique(labels, return_inverse=True)
    if len(classes) > MAX_CLASSES:
        classes, codes = numpy.zeros(1, numpy.uint64), numpy.zeros(len(rows), int)
    order = numpy.lexsort((rows, codes))
    rows, codes = rows[order], codes[order]
    starts = numpy.flatnonzero(numpy.concatenate([[True], (rows[1:] != rows[:-1]) | (codes[1:] != codes[:-1])]))
    times = numpy.diff(numpy.append(starts, len(rows)))
    bounds = numpy.searchsorted(codes[starts], numpy.arange(len(classes) + 1))
    repeats = []
    for start, end in itertools.pairwise(bounds):
        values, counts = numpy.unique(times[start:end], return_counts=True)
        repeats.append([list(pair) for pair in zip(values.tolist(), counts.tolist(), strict=True)])
    return classes, repeats
