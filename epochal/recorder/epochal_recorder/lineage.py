"""Which fits a model's weights come from, and so which rows they were fitted on.

Weights are known by what is in them, so it does not matter how they came from one model into another: by shared layers,
set_weights, a saved file, a copy. Weights that are nowhere known, but point the same way as known ones (an average of
several epochs, say), come from these.
"""

import hashlib

import numpy

from .seen import Fitted

_SAMPLE = 512
_ALIKE = 0.25
"""The cosine of two samples of 512 values over which one comes from the other: independent ones stay below 0.18 (4 of 1/√512)."""
_MOST_KNOWN = 200_000
_MOST_SAMPLES = 2_000
_MOST_ROWS_OF_ALL = 32_000_000
"""So many hashes of rows are kept of all fits together (288 MB)."""


class Lineage:
    """The fits of this process, and of those before it whose checkpoints were resumed, with the weights that they made."""

    def __init__(self):
        self.fits = {}
        """Each fit's rows (``Fitted``), by its identity."""
        self._known = {}
        self._samples = {}
        self._saved = set()
        self._same = {}

    def begin(self, identity):
        """Start the rows of one more fit; returns them. Of very many rows those of the oldest fits are forgotten."""
        kept = {id(fitted.hashes): len(fitted.hashes) for fitted in self.fits.values()}
        for fitted in list(self.fits.values()):
            if sum(kept.values()) <= _MOST_ROWS_OF_ALL:
                break
            kept.pop(id(fitted.hashes), None)
            self._same.pop(fitted.digest(), None)
            fitted.forget()
        self.fits[identity] = Fitted(identity)
        return self.fits[identity]

    def share(self, fitted):
        """Keep the rows of a fit once if another one, which has ended too, had the very same."""
        known = self._same.setdefault(fitted.digest(), fitted)
        if known is not fitted:
            fitted.hashes, fitted.counts = known.hashes, known.counts

    def remember(self, arrays, identities):
        """Note that weights with these values come from the fits ``identities``; ``arrays``: one for each variable.

        Those that were known before were not changed by the last of these fits, as frozen layers are not.
        """
        identities = frozenset(identities)
        changed = []
        for array in arrays:
            digest = digest_of(array)
            if digest is None or digest in self._known or len(self._known) >= _MOST_KNOWN:
                continue
            self._known[digest] = identities
            changed.append(array)
        samples = [(_direction(array), numpy.shape(array)) for array in changed]
        samples.append((_direction_of_all(changed), tuple(map(numpy.shape, changed))))
        for sample, shape in samples:
            if sample is not None:
                # The newest of the same fits stands for all of its epochs.
                others = [each for each in self._samples.get(shape, ()) if each[1] != identities]
                self._samples[shape] = [*others[-_MOST_SAMPLES:], (sample, identities)]

    def remember_new(self, arrays):
        """Note weights that no fit has made yet: as they are where a fit begins, or a file has them that was there before."""
        for array in arrays:
            digest = digest_of(array)
            if digest is not None and digest not in self._saved and len(self._known) < _MOST_KNOWN:
                self._known.setdefault(digest, frozenset())

    def remember_saved(self, arrays):
        """Note weights that this training writes to a file: they may be of a training loop that cannot be seen."""
        self._saved.update(map(digest_of, arrays))

    def origin(self, arrays):
        """Return the identities of all fits that any of the weights come from, and whether all weights are known exactly.

        Weights that have nothing to be known by, as a single number has not, are not known.
        """
        digests = [(digest, array) for array in arrays if (digest := digest_of(array)) is not None]
        found, unknown = set(), []
        for digest, array in digests:
            if digest in self._known:
                found |= self._known[digest]
            else:
                unknown.append(array)
                found |= self._alike(_direction(array), numpy.shape(array))
        if unknown and not found:  # of small layers all together
            found |= self._alike(_direction_of_all(unknown), tuple(map(numpy.shape, unknown)))
        return frozenset(found), bool(digests) and not unknown

    def rows_of(self, identities):
        """Return the rows (``Fitted``) of these fits, of those that are known."""
        return [self.fits[identity] for identity in identities if identity in self.fits]

    def state(self, identities):
        """Return what is known of these fits and of all weights, as plain data and arrays, for a checkpoint."""
        known = [(digest, sorted(of & set(identities))) for digest, of in self._known.items()]
        groups = sorted({tuple(of) for _, of in known})
        places = {group: place for place, group in enumerate(groups)}
        return {
            "fits": [fitted.state() for fitted in self.rows_of(sorted(identities))],
            "digests": numpy.array([digest for digest, _ in known], numpy.uint64),
            "groups": [list(group) for group in groups],
            "group": numpy.array([places[tuple(of)] for _, of in known], numpy.uint32),
        }

    def restore(self, state):
        """Add what ``state`` returned in an earlier process."""
        for fit in state["fits"]:
            self.fits.setdefault(fit["identity"], Fitted.from_state(fit))
        groups = [frozenset(group) for group in state["groups"]]
        for digest, place in zip(state["digests"].tolist(), state["group"].tolist(), strict=True):
            self._known[digest] = self._known.get(digest, frozenset()) | groups[place]

    def _alike(self, sample, shape):
        if sample is None:
            return frozenset()
        known = self._samples.get(shape, ())
        return frozenset().union(*(of for other, of in known if float(sample @ other) > _ALIKE))


def digest_of(array):
    """Return 64 bits that tell an array's values from others; None if they are all the same, as new biases are."""
    flat = numpy.asarray(array).ravel()
    if not flat.size or ((flat[:64] == flat[0]).all() and (flat == flat[0]).all()):
        return None
    sample = flat[:: max(1, len(flat) // 4096)]
    found = hashlib.blake2b(repr(numpy.shape(array)).encode() + sample.tobytes(), digest_size=8)
    return int.from_bytes(found.digest(), "little")


def digest_of_all(arrays):
    """Return 16 hexadecimal digits that tell a model's weights from others."""
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(repr(digest_of(array)).encode())
    return found.hexdigest()


def _direction(array):
    """Return a sample of an array's values as a vector of length 1; None if it is too small to tell."""
    array = numpy.asarray(array)
    if array.ndim < 2 or array.size < _SAMPLE or array.dtype.kind != "f":
        return None
    flat = array.ravel()
    return _normalised(flat[:: len(flat) // _SAMPLE][:_SAMPLE])


def _direction_of_all(arrays):
    """Return the same of the values of several arrays together, for networks of small layers."""
    arrays = [numpy.asarray(array) for array in arrays]
    flat = [array.ravel()[:_SAMPLE] for array in arrays if array.ndim > 1 and array.dtype.kind == "f"]
    if sum(map(len, flat)) < _SAMPLE // 2:
        return None
    return _normalised(numpy.concatenate([part / (numpy.abs(part).max() or 1) for part in flat]))


def _normalised(values):
    values = values.astype(numpy.float32)
    values = values - values.mean()
    length = float(numpy.sqrt(values @ values))
    return values / length if length and numpy.isfinite(length) else None
