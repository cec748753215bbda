"""Find out which fits a model's weights come from, and therefore which rows the model was fitted on.

Weights are identified by their values, so it does not matter how they got from one model into another: through shared
layers, set_weights, a saved file or a copy. Unknown weights whose direction is similar to that of known ones (an
average over several epochs, for example) are taken to come from the same fits.
"""

import contextlib
import hashlib
import itertools

import numpy

from .fitted_rows import FittedRows, is_in

_SAMPLE = 512
_MIN_COSINE = 0.25
"""Weights count as related if the cosine similarity between samples of their values is higher than this.

For independent samples of 512 values, the similarity stays below 0.18 (4/√512).
"""
_MAX_DIGESTS = 200_000
_MAX_SAMPLES = 2_000
LOADED = "loaded"
"""The identity shared by all fits of models that the script loads from files, except files that this trial saved."""
_MAX_RESULTS, _MAX_RESULT_COLUMNS, _MIN_RESULTS, _RESULT_ROWS = 4_000_000, 256, 16, 64
_NEARLY_ALL = 0.9
_MAX_ROWS_OF_ALL = 32_000_000
"""The approximate maximum number of row hashes that are kept for all fits together (288 MB)."""


class Lineage:
    """The fits of this process, and of the earlier trials that it resumed from, with the weights that they produced."""

    def __init__(self):
        self.fits = {}
        """The rows of each fit (``FittedRows``), by the fit's identity."""
        self._identities_by_digest = {}
        self._samples = {}
        self._saved_digests = set()
        self._fits_by_digest = {}
        self.loaded_results = LoadedResults()

    def register(self, identity):
        """Register a fit and return an empty ``FittedRows`` for its rows.

        If all fits together keep too many rows, the rows of the oldest fits are dropped.
        """
        kept = {id(fitted.hashes): len(fitted.hashes) for fitted in self.fits.values()}
        for fitted in list(self.fits.values()):
            if sum(kept.values()) <= _MAX_ROWS_OF_ALL:
                break
            kept.pop(id(fitted.hashes), None)
            self._fits_by_digest.pop(fitted.digest(), None)
            fitted.forget()
        self.fits[identity] = FittedRows(identity)
        return self.fits[identity]

    def share_rows(self, fitted):
        """Make a finished fit share the stored rows of an earlier finished fit that had the same rows, to save memory."""
        known = self._fits_by_digest.setdefault(fitted.digest(), fitted)
        if known is not fitted:
            fitted.hashes, fitted.counts = known.hashes, known.counts

    def remember(self, arrays, identities):
        """Record that the weights in ``arrays`` (one array per variable) come from the fits with these ``identities``.

        Weights that are already known stay assigned to their earlier fits, because the newest fit has not changed them
        (they belong to frozen layers, for example).
        """
        identities = frozenset(identities)
        changed = []
        for array in arrays:
            digest = digest_of(array)
            if (
                digest is None
                or digest in self._identities_by_digest
                or len(self._identities_by_digest) >= _MAX_DIGESTS
            ):
                continue
            self._identities_by_digest[digest] = identities
            changed.append(array)
        samples = [(_direction(array), numpy.shape(array)) for array in changed]
        samples.append((_direction_of_all(changed), tuple(map(numpy.shape, changed))))
        for sample, shape in samples:
            if sample is not None:
                # One sample is enough for all epochs of the same fits, and the newest one is kept.
                others = [each for each in self._samples.get(shape, ()) if each[1] != identities]
                self._samples[shape] = [*others[-_MAX_SAMPLES:], (sample, identities)]

    def remember_untrained(self, arrays):
        """Record weights that no fit has produced: those that a fit starts with.

        Weights that are already known, and those that this trial has saved (``remember_saved``), are left out.
        """
        self._remember_unless_known(arrays, frozenset())

    def remember_pretrained(self, arrays):
        """Record weights that a library provides, even if a model that the script has loaded also contains them."""
        for digest in map(digest_of, arrays):
            if self._identities_by_digest.get(digest) == {LOADED}:
                self._identities_by_digest[digest] = frozenset()
        self.remember_untrained(arrays)

    def remember_loaded(self, arrays):
        """Record weights that the script has loaded from a file. It is unknown which rows they were fitted on.

        Weights that are already known or were saved by this trial are left out. Vectors are recorded as untrained,
        because some (means and variances) have the same values in a model trained from scratch on the same data.
        """
        matrices = [array for array in arrays if numpy.ndim(array) > 1]
        self._remember_unless_known(matrices, self.loaded())
        self.remember_untrained(arrays)

    def loaded(self):
        """Return the identities that stand for the fits of a model that was loaded from a file."""
        if LOADED not in self.fits:
            self.register(LOADED).why_unseen = "the model builds on one that was loaded from a file"
        return frozenset({LOADED})

    def is_loaded(self, array):
        """Return whether an array of weights comes from a model that the script has loaded from a file."""
        return LOADED in self._identities_by_digest.get(digest_of(array), ())

    def _remember_unless_known(self, arrays, identities):
        for array in arrays:
            digest = digest_of(array)
            if (
                digest is not None
                and digest not in self._saved_digests
                and len(self._identities_by_digest) < _MAX_DIGESTS
            ):
                self._identities_by_digest.setdefault(digest, identities)

    def remember_saved(self, arrays):
        """Record weights that this trial saves to a file. A training loop that does not call fit may have produced them."""
        self._saved_digests.update(map(digest_of, arrays))

    def find_origin(self, arrays):
        """Return the identities of the fits that any of the weights come from, and whether all weights are known.

        Arrays whose values are all equal identify nothing and are left out. If no arrays remain, the weights count
        as unknown.
        """
        digests = [(digest, array) for array in arrays if (digest := digest_of(array)) is not None]
        found, unknown = set(), []
        for digest, array in digests:
            if digest in self._identities_by_digest:
                found |= self._identities_by_digest[digest]
            else:
                unknown.append(array)
                found |= self._find_similar_fits(_direction(array), numpy.shape(array))
        if unknown and not found:  # small layers can only be compared together
            found |= self._find_similar_fits(_direction_of_all(unknown), tuple(map(numpy.shape, unknown)))
        return frozenset(found), bool(digests) and not unknown

    def rows_of(self, identities):
        """Return the rows (``FittedRows``) of the fits with these identities; unknown fits are left out."""
        return [self.fits[identity] for identity in identities if identity in self.fits]

    def state(self, identities):
        """Return plain data for a checkpoint: the fits with these ``identities``, and which of them produced each known array."""
        known = [(digest, sorted(of & set(identities))) for digest, of in self._identities_by_digest.items()]
        groups = sorted({tuple(of) for _, of in known})
        places = {group: place for place, group in enumerate(groups)}
        return {
            "fits": [fitted.state() for fitted in self.rows_of(sorted(identities))],
            "digests": numpy.array([digest for digest, _ in known], numpy.uint64),
            "groups": [list(group) for group in groups],
            "group": numpy.array([places[tuple(of)] for _, of in known], numpy.uint32),
        }

    def restore(self, state):
        """Add the fits and weights that the method ``state`` returned in an earlier process."""
        for fit in state["fits"]:
            self.fits.setdefault(fit["identity"], FittedRows.from_state(fit))
        groups = [frozenset(group) for group in state["groups"]]
        for digest, place in zip(state["digests"].tolist(), state["group"].tolist(), strict=True):
            self._identities_by_digest[digest] = self._identities_by_digest.get(digest, frozenset()) | groups[place]

    def _find_similar_fits(self, sample, shape):
        if sample is None:
            return frozenset()
        known = self._samples.get(shape, ())
        return frozenset().union(*(of for other, of in known if float(sample @ other) > _MIN_COSINE))


class LoadedResults:
    """The numbers that loaded models have computed, kept in order to detect a fit that uses them as features."""

    def __init__(self):
        self._digests = set()
        self._values = numpy.empty(0, numpy.float32)

    def add(self, results, rows):
        """Record what a loaded model computed for ``rows``, except columns that it merely copied from ``rows``."""
        copied = set(map(digest_of, _columns_of(rows)))
        for column in itertools.islice(_columns_of(results), _MAX_RESULT_COLUMNS):
            digest = digest_of(column)
            if digest is not None and digest not in copied:
                self._digests.add(digest)
                if _is_mostly_distinct(column) and len(self._values) < _MAX_RESULTS:
                    self._values = numpy.union1d(self._values, column)

    def are_among(self, data):
        """Return whether any column of ``data`` was recorded, or consists almost entirely of recorded numbers."""
        if not self._digests:
            return False
        return any(digest_of(column) in self._digests or self._contain(column) for column in _columns_of(data))

    def _contain(self, column):
        sample = column[:: max(1, len(column) // _RESULT_ROWS)]
        return _is_mostly_distinct(sample) and bool(is_in(sample, self._values).mean() > _NEARLY_ALL)


def _columns_of(data):
    """Yield the numeric columns of a matrix, vector or data frame; yield nothing for other data."""
    if isinstance(data, (list, tuple)):
        with contextlib.suppress(ValueError):  # its parts may differ in length
            data = numpy.asarray(data)
    columns = numpy.atleast_2d(data.T) if isinstance(data, numpy.ndarray) and data.ndim in (1, 2) else ()
    if hasattr(data, "items") and hasattr(data, "columns"):
        columns = (numpy.asarray(column) for _, column in data.items())
    for column in columns:
        if column.dtype.kind in "fiub":
            yield column.astype(numpy.float32)


def _is_mostly_distinct(column):
    """Return whether a column has so few repeated values that its values show where it comes from."""
    return len(column) >= _MIN_RESULTS and len(numpy.unique(column)) > _NEARLY_ALL * len(column)


def digest_of(array):
    """Return a 64-bit digest of an array's shape and a sample of its values.

    Returns None if all values are equal, as in newly created biases.
    """
    flat = numpy.asarray(array).ravel()
    if not flat.size or ((flat[:64] == flat[0]).all() and (flat == flat[0]).all()):
        return None
    sample = flat[:: max(1, len(flat) // 4096)]
    found = hashlib.blake2b(repr(numpy.shape(array)).encode() + sample.tobytes(), digest_size=8)
    return int.from_bytes(found.digest(), "little")


def digest_of_all(arrays):
    """Return a digest (16 hexadecimal digits) of all weights of a model; ``arrays`` has one array per variable."""
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(repr(digest_of(array)).encode())
    return found.hexdigest()


def _direction(array):
    """Return a sample of an array's values as a unit vector; None for small or one-dimensional arrays and for integers."""
    array = numpy.asarray(array)
    if array.ndim < 2 or array.size < _SAMPLE or array.dtype.kind != "f":
        return None
    flat = array.ravel()
    return _normalise(flat[:: len(flat) // _SAMPLE][:_SAMPLE])


def _direction_of_all(arrays):
    """Return a sample of the values in several small arrays as one unit vector; None if there are too few values."""
    arrays = [numpy.asarray(array) for array in arrays]
    flat = [array.ravel()[:_SAMPLE] for array in arrays if array.ndim > 1 and array.dtype.kind == "f"]
    if sum(map(len, flat)) < _SAMPLE // 2:
        return None
    return _normalise(numpy.concatenate([part / (numpy.abs(part).max() or 1) for part in flat]))


def _normalise(values):
    values = values.astype(numpy.float32)
    values = values - values.mean()
    length = float(numpy.sqrt(values @ values))
    return values / length if length and numpy.isfinite(length) else None
