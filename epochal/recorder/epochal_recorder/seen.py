"""Whether a network is tested on rows that it was fitted on: the fitted rows, and the rule that refuses a test.

A test of rows that were fitted says nothing, but data may repeat rows by themselves. So the share of test rows that were
fitted, s, is compared with the share e that a clean split of the same data would show: that of the training rows that have
a twin in the same pass (the estimate of Good and Turing: what one row more of the same source would find there).
"""

import contextlib
import hashlib
import itertools
import math
import threading

import numpy

from .rows import as_array, form_of, hash_labels, leaves_of, sample_rows, with_labels

MOST_ROWS = 4_000_000
"""So many hashes of rows are kept (32 MB); of more rows those with the smallest hashes, whichever rows those are."""
_SIGNIFICANT = 4.0
"""In standard errors: of 800 clean splits of data with many repeated rows none is refused then (benchmarks/seen_rows.py)."""
_SMALL = 0.05
"""An excess that is not more is not refused: noise in two balanced classes gains at most half of it."""
_MOST_CLASSES = 1000
_MOST_TRIED = 100
"""So many labels are tried for a row whose label is not known; if there are more, rows are kept without them, too."""
_UNREPEATED, _REPEATED, _FEW = 0.01, 0.10, 50
_COPIED_ALIKE = 0.95
_SMALL_LABELS = 16
_SAMPLE_ROWS, _SAMPLE_OF_BATCH, _SAMPLE_COLUMNS, _FEWEST = 512, 32, 256, 16
_COPIED = 0.8
_ALL = None
"""The key of all classes together."""
_STATE = (
    "hashes",
    "counts",
    "labels",
    "data",
    "repeats",
    "classes",
    "explained",
    "repeats_of_data",
    "changing",
    "unseen",
    "forms",
    "numbers",
)
"""What a checkpoint keeps of a fit, besides its identity and ceiling."""
_NEW = 0.9
_PASSES_OF_NEW_ROWS = 3


class Fitted:
    """The rows that one fit trains on, with their labels; filled while it trains. Safe for several threads."""

    def __init__(self, identity):
        self.identity = identity
        self.hashes = numpy.empty(0, numpy.uint64)
        """The rows' hashes, sorted, each once; if there were too many, all those up to ``ceiling``."""
        self.counts = numpy.empty(0, numpy.uint8)
        """How often each of them stood in the first whole pass, at most 255 times; 0: it came later."""
        self.ceiling = numpy.iinfo(numpy.uint64).max
        self.labels = numpy.empty(0, numpy.uint64)
        """The hashes of the labels, each once."""
        self.data = numpy.empty(0, numpy.uint64)
        """The hashes of the rows without labels, sorted, if there are too many labels to try them all."""
        self.repeats = []
        """Of each class in the first pass: pairs of how often rows stood there, and how many different ones; empty if unknown."""
        self.classes = numpy.empty(0, numpy.uint64)
        """The hashes of their labels."""
        self.explained = []
        """Of each class the share of rows that would repeat if its columns were independent; None if that is not known."""
        self.repeats_of_data = []
        """The same of all rows without their labels."""
        self.changing = False
        """Whether each pass brings other rows: they are augmented, or made anew."""
        self.unseen = ""
        """Why not all rows could be seen; empty if they could."""
        self.numbers = False
        """Whether it is a regression: its targets are no whole numbers."""
        self.forms = []
        """The forms of its rows (``rows.form_of``)."""
        self.in_parts = False
        """Whether its rows were given part by part."""
        self._recent = {}
        self._is_again = False
        self._parts = []
        self._sample = []
        self._passes = 0
        self.is_done = False
        """Whether more passes would show nothing new."""
        self._lock = threading.Lock()

    def add(self, rows, labels, data=None):
        """Add rows of the pass that is under way: their hashes, and their labels and the rows themselves as they are."""
        arrays = [as_array(leaf) for leaf in leaves_of(labels)]
        # Labels are small, and are quicker hashed all at once; those of each pixel are not kept so long.
        is_small = len(arrays) == 1 and arrays[0].size <= _SMALL_LABELS * len(rows)
        part = rows, arrays[0].copy() if is_small else None, None if is_small else hash_labels(labels)
        with self._lock:
            if self.is_done:
                return
            self._parts.append(part)
            if data is None or self._passes:
                return
            room = _SAMPLE_ROWS - sum(len(each[0]) for each in self._sample)
            if room <= 0:
                return
            count = min(room, len(rows), _SAMPLE_ROWS if len(rows) > _SAMPLE_ROWS else _SAMPLE_OF_BATCH)
            places = numpy.unique(numpy.linspace(0, len(rows) - 1, count).astype(int))
            with contextlib.suppress(Exception):  # data that cannot be sampled are known by their hashes alone
                sampled = sample_rows(data, places, _SAMPLE_COLUMNS)
                self._sample.append((rows[places], hash_labels(labels)[places], sampled))

    def _explained(self, label, numbers):
        """Return which share of a class's rows would repeat by itself if its columns were independent; None if unknown."""
        rows, data = [], []
        for hashes, labels, sampled in self._sample:
            rows.append(hashes[labels == label])
            data.append(sampled[labels == label])
        if not rows or len({part.shape[1] for part in data}) > 1:
            return None
        rows, first = numpy.unique(numpy.concatenate(rows), return_index=True)
        values = numpy.sort(numpy.concatenate(data)[first], axis=0)
        count = _rows(numbers)
        if _distinct(numbers) == 1:
            return 1.0
        if len(rows) < min(_FEWEST, _distinct(numbers)):
            return None
        alike = 1.0
        for column in values.T:
            times = numpy.unique(column, return_counts=True)[1]
            alike *= (times * (times - 1)).sum() / (len(column) * (len(column) - 1))
        return float(1 - math.exp(-(count - 1) * alike))

    def note_form(self, data):
        """Note the form of some of its rows."""
        form = form_of(data)
        if form not in self.forms and len(self.forms) < _FEWEST:
            self.forms.append(form)

    def add_part(self, rows, labels):
        """Add rows of a training that is given its data part by part, in one pass or in many: no pass is told from the next.

        Rows count as repeated until a part comes that was there before: then they are given again.
        """
        labels = hash_labels(labels)
        rows = with_labels(rows, labels)
        with self._lock:
            self.in_parts = True
            self.labels = numpy.union1d(self.labels, labels) if len(self.labels) <= _MOST_CLASSES else self.labels
            unique, counts = numpy.unique(rows, return_counts=True)
            known = is_in(unique, self.hashes)
            recent = [self._recent.get(row) for row in unique[~known].tolist()] if self._recent else []
            share = (known.sum() + sum(count is not None for count in recent)) / max(1, len(unique))
            self._is_again |= share > _NEW
            if not self._is_again and known.any():
                places = numpy.searchsorted(self.hashes, unique[known])
                self.counts[places] = numpy.minimum(self.counts[places] + counts[known].astype(int), 255)
            for row, count in zip(unique[~known].tolist(), counts[~known].tolist(), strict=True):
                self._recent[row] = self._recent.get(row, 0) + (0 if self._is_again and row in self._recent else count)
            if len(self._recent) > max(_SAMPLE_ROWS, len(self.hashes) // 8):
                self._merge_recent()

    def _merge_recent(self):
        if self._recent:
            rows = numpy.array(sorted(self._recent), numpy.uint64)
            counts = numpy.array([self._recent[row] for row in rows.tolist()])
            self._recent = {}
            self._merge(rows, counts)

    def repeats_of_parts(self):
        """Return the pairs of ``repeats``, of all classes together, if its rows came part by part."""
        with self._lock:
            self._merge_recent()
            times, numbers = numpy.unique(self.counts[self.counts > 0], return_counts=True)
            return [list(pair) for pair in zip(times.tolist(), numbers.tolist(), strict=True)]

    def add_hashed(self, rows, labels):
        """Add rows of the pass that is under way: their hashes, and those of their labels."""
        with self._lock:
            self._parts.append((rows, None, labels))

    def _take_parts(self):
        """Return the hashes of the rows with their labels, without them, and of the labels, of what was added; and forget it."""
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
        """Count passes from here on: rows that were read before, to find out their shape, are no pass."""
        with self._lock:
            if self._parts and not self._passes:
                unique = numpy.unique(self._take_parts()[0])
                self._merge(unique, numpy.zeros(len(unique), int))

    def end_pass(self):
        """Count the rows of the pass that has ended; a pass that brings no new row is the last one to be looked at."""
        with self._lock:
            if not self._parts or self.is_done:
                return
            rows, data, labels = self._take_parts()
            unique, counts = numpy.unique(rows, return_counts=True)
            is_new = ~is_in(unique, self.hashes)
            if not self._passes:
                self.classes, self.repeats = _repeats_by_class(rows, labels)
                self.explained = [
                    self._explained(label, numbers) if _repeated(numbers) >= _REPEATED else 1.0
                    for label, numbers in zip(self.classes, self.repeats, strict=True)
                ]
                self._sample = []
                self.repeats_of_data = _repeats_by_class(data, numpy.zeros(len(data), numpy.uint64))[1][0]
            self._merge(unique, counts if not self._passes else numpy.zeros(len(counts), int))
            if len(self.labels) <= _MOST_CLASSES:
                self.labels = numpy.union1d(self.labels, labels)
            if len(self.labels) > _MOST_TRIED:
                self.data = numpy.union1d(self.data, data)[:MOST_ROWS]
            self._passes += 1
            self.changing = self._passes > 1 and bool(is_new.mean() > _NEW)
            self.is_done = not is_new.any() or (self.changing and self._passes >= _PASSES_OF_NEW_ROWS)

    def _merge(self, hashes, counts):
        known = is_in(hashes, self.hashes)
        places = numpy.searchsorted(self.hashes, hashes[known])
        self.counts[places] = numpy.maximum(self.counts[places], numpy.minimum(counts[known], 255).astype(numpy.uint8))
        merged = numpy.concatenate([self.hashes, hashes[~known]])
        times = numpy.concatenate([self.counts, numpy.minimum(counts[~known], 255).astype(numpy.uint8)])
        order = merged.argsort(kind="stable")[:MOST_ROWS]
        if len(merged) > MOST_ROWS:
            self.ceiling = merged[order[-1]]
        self.hashes, self.counts = merged[order], times[order]

    def digest(self):
        """Return what tells its rows from those of other fits."""
        found = hashlib.blake2b(self.hashes.tobytes(), digest_size=16)
        found.update(self.counts.tobytes())
        return found.digest()

    def forget(self):
        """Forget the rows, to save memory: what they would say is not known any more."""
        with self._lock:
            self.hashes, self.counts = self.hashes[:0].copy(), self.counts[:0].copy()
            self.unseen = "there were too many fits to remember all rows"

    def state(self):
        """Return all of it as plain data and arrays, for a checkpoint."""
        with self._lock:
            kept = {name: getattr(self, name) for name in _STATE}
            return kept | {"identity": self.identity, "ceiling": int(self.ceiling)}

    @classmethod
    def from_state(cls, state):
        """Return the fit that ``state`` was taken of."""
        fitted = cls(state["identity"])
        for name in _STATE:
            setattr(fitted, name, state[name])
        fitted.ceiling = numpy.uint64(state["ceiling"])
        return fitted

    def snapshot(self):
        """Return the hashes so far, those of a pass under way included."""
        with self._lock:
            self._merge_recent()
            if not self._parts:
                return self.hashes
            parts = list(self._parts)
            rows = self._take_parts()[0]
            self._parts = parts
            return numpy.union1d(self.hashes, rows)


def compare(rows, labels, fits, by_class=True, fitted=None):
    """Return what test rows say against those of ``fits``, as JSON.

    ``rows``: the hashes of the rows with their labels; ``labels``: those of the labels. ``by_class``: whether rows repeat
    differently in each class. ``fitted``: the hashes of each fit's rows, sorted; None: with their labels. In the result
    ``rows``: how many were compared; ``share``: of them, that were fitted; ``expected``: the share that a clean split would
    show; ``refused``: whether the test says nothing for that. Shares are from 0 to 1.
    """
    ceiling = min([fit.ceiling for fit in fits], default=numpy.iinfo(numpy.uint64).max)
    fitted = [fit.snapshot() for fit in fits] if fitted is None else fitted
    if ceiling < numpy.iinfo(numpy.uint64).max:
        labels, rows = labels[rows <= ceiling], rows[rows <= ceiling]
        fitted = [hashes[hashes <= ceiling] for hashes in fitted]
    fitted = _union(fitted)
    unique, counts = numpy.unique(rows, return_counts=True)
    if not len(unique) or not len(fitted):
        return {"rows": len(rows), "share": 0.0, "expected": 0.0, "refused": False}
    share = float(counts[is_in(unique, fitted)].sum() / len(rows))
    classes, repeats = _repeats_by_class(rows, labels)
    tested = dict(zip(classes.tolist(), repeats, strict=True))
    known_of_fits = [_repeats_of(fit, by_class) for fit in fits]
    expected, passed = 0.0, 0
    for fit, known in zip(fits, known_of_fits, strict=True):
        distinct = sum(_distinct(numbers) for numbers, _ in known.values())
        passed += distinct
        if not _is_copied_alike(fit, unique, counts):
            expected = max(expected, _grown(_expected(tested, known), distinct, len(fitted)))
    if len(fits) > 1 and not any(_copied_classes(known) for known in known_of_fits):
        expected = max(expected, _covered(fits))
    pooled = (share + expected) / 2
    error = math.sqrt(pooled * (1 - pooled) / len(unique) + expected * (1 - expected) / max(1, passed))
    excess = share - expected
    refused = excess > _SMALL and excess > _SIGNIFICANT * error
    return {"rows": len(rows), "share": round(share, 4), "expected": round(expected, 4), "refused": bool(refused)}


def compare_unlabelled(rows, fits):
    """Return what ``compare`` does for hashes of rows without labels: those fitted with any label count."""
    found = labels_in(rows, fits)
    alike = numpy.zeros(len(rows), numpy.uint64)
    if found is None:
        return compare(rows, alike, fits, by_class=False, fitted=[fit.data for fit in fits])
    is_found, labels = found
    rows = numpy.where(is_found, with_labels(rows, labels), rows)
    by_class = any(_copied_classes(_repeats_of(fit, by_class=True)) for fit in fits)
    return compare(rows, labels if by_class else alike, fits, by_class)


def labels_in(rows, fits):
    """Return which hashes of rows were fitted with any label, and the hashes of these labels; None if there are too many."""
    candidates = _union([fit.labels for fit in fits])
    if len(candidates) > _MOST_TRIED:
        return None
    fitted = _union([fit.snapshot() for fit in fits])
    labels, is_found = numpy.zeros(len(rows), numpy.uint64), numpy.zeros(len(rows), bool)
    for place in range(len(candidates)):
        hits = is_in(with_labels(rows, candidates[place : place + 1]), fitted) & ~is_found
        labels[hits] = candidates[place]
        is_found |= hits
    return is_found, labels


def is_in(hashes, others):
    """Return which of ``hashes`` are among ``others``, which are sorted."""
    if not len(others):
        return numpy.zeros(len(hashes), bool)
    places = numpy.searchsorted(others, hashes)
    places[places == len(others)] = 0
    return others[places] == hashes


def _union(arrays):
    return arrays[0] if len(arrays) == 1 else numpy.unique(numpy.concatenate([numpy.empty(0, numpy.uint64), *arrays]))


def _repeats_of(fit, by_class):
    """Return of each class of a fit, or of all together, the pairs of how rows repeat and the share that is explained."""
    if by_class and not fit.in_parts:
        return dict(zip(fit.classes.tolist(), zip(fit.repeats, fit.explained, strict=True), strict=True))
    return {_ALL: (fit.repeats_of_parts() if fit.in_parts else fit.repeats_of_data, 1.0)}


def _expected(tested, known):
    """Return the share of test rows that a clean split would find among the training rows.

    ``tested`` and ``known``: of each class of the test rows and of the training rows pairs of how often rows stand there, and
    how many different ones; of ``known`` also which share its columns explain. Each class counts by its share of the test
    rows: training rows may be balanced.
    """
    copied = _copied_classes(known)
    rows = sum(map(_rows, tested.values()))
    expected = 0.0
    for label, numbers in tested.items():
        fitted = known.get(label, known.get(_ALL, ([], 1.0)))[0]
        share, alone = _repeated(fitted), _repeated(numbers)
        count, distinct = _rows(numbers), _distinct(numbers)
        # A part of the training rows as big as the test set repeats as much as the test set does, unless training rows were
        # copied after the split: then the test set itself says how often rows repeat.
        likely = _repeated(fitted, min(1.0, (count - 1) / max(1, _rows(fitted) - 1)))
        error = math.sqrt(max(likely * (1 - likely), 1 / count) / count)
        if likely - alone > max(_SMALL, _SIGNIFICANT * error):
            # A small test set says it roughly: two standard errors more are allowed.
            upper = min(1.0, alone + 2 * math.sqrt(alone * (1 - alone) / distinct))
            share = min(share, _grown(upper, distinct, _distinct(fitted)))
        # Training rows without any copy had their copies taken out; rows that were made up for training repeat less.
        is_deduplicated = share <= _UNREPEATED and alone > _SMALL
        share = _grown(alone, distinct, _distinct(fitted)) if is_deduplicated else max(share, alone)
        expected += count / rows * min(share, copied.get(label, 1.0))
    return expected


def _rows(numbers):
    """Return how many rows there are of pairs of how often rows stand there, and how many different ones."""
    return sum(times * number for times, number in numbers)


def _distinct(numbers):
    return sum(number for _, number in numbers)


def _covered(fits):
    """Return the share of rows that have a twin in the first passes of several fits, which may be of different rows.

    Rows that a fit has from an earlier one, beyond what repeats by itself, are the same rows fitted again, and no twins.
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


def _copied_classes(known):
    """Return the classes that were copied before the split, with the share to expect of them.

    A copied class repeats though its columns do not explain it, and either nearly wholly, or it is of fewer different rows than
    another one, which does not repeat.
    """
    shares = {label: _repeated(numbers) for label, (numbers, _) in known.items()}
    big = {label: _distinct(numbers) for label, (numbers, _) in known.items() if _rows(numbers) >= _FEW}
    found = {}
    for label, distinct in big.items():
        share, explained = shares[label], known[label][1]
        bigger = [shares[other] for other, more in big.items() if shares[other] <= _UNREPEATED and more > distinct]
        if share < _REPEATED or (explained is not None and explained > share / 2):
            continue
        if bigger or (share >= _COPIED and explained is not None):
            found[label] = min(bigger, default=0.0)
    return found


def _is_copied_alike(fit, unique, counts):
    """Return whether nearly all rows stand equally often, more than once, in training pass and test set together."""
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
    return most > 1 and len(together) >= _FEW and times[most] >= _COPIED_ALIKE * len(together)


def _repeated(numbers, part=1.0):
    """Return the share of rows that have a twin, or in a random ``part`` (0 to 1) of the rows."""
    rows = _rows(numbers)
    single = sum(times * number * (1 - part) ** (times - 1) for times, number in numbers)
    return 1 - single / rows if rows else 0.0


def _grown(share, rows, more):
    """Return the share of repeated rows among ``more`` different rows where among ``rows`` it is ``share``."""
    if more <= rows or not rows or share >= 1:
        return share
    return 1 - (1 - share) ** (more / rows)


def _repeats_by_class(rows, labels):
    """Return the hashes of the labels, each once and sorted, and of each pairs of how often rows stand there, and how many."""
    classes, codes = numpy.unique(labels, return_inverse=True)
    if len(classes) > _MOST_CLASSES:
        classes, codes = numpy.zeros(1, numpy.uint64), numpy.zeros(len(rows), int)
    order = numpy.lexsort((rows, codes))
    rows, codes = rows[order], codes[order]
    starts = numpy.flatnonzero(numpy.concatenate([[True], (rows[1:] != rows[:-1]) | (codes[1:] != codes[:-1])]))
    times = numpy.diff(numpy.append(starts, len(rows)))
    bounds = numpy.searchsorted(codes[starts], numpy.arange(len(classes) + 1))
    repeats = []
    for one, two in itertools.pairwise(bounds):
        found, numbers = numpy.unique(times[one:two], return_counts=True)
        repeats.append([list(pair) for pair in zip(found.tolist(), numbers.tolist(), strict=True)])
    return classes, repeats
