"""On which rows networks are fitted and tested: the state that the observers of Keras and of scikit-learn share."""

import base64
import collections
import functools
import hashlib
import threading
import time
import uuid
import weakref
from contextlib import suppress
from dataclasses import dataclass

import numpy

from .labels import Labels
from .lineage import Lineage, digest_of_all
from .output import Output
from .rows import NotHashable, form_of, hash_labels, hash_rows, with_labels
from .seen import MOST_ROWS, compare, compare_unlabelled, is_in, labels_in

SKETCH = 1024
"""A test set is known by so many of its rows: those with the smallest hashes."""
LEAST_ROWS = 16
"""A prediction for fewer rows is a demonstration, and no test."""
_UNSEEN = {
    "rows": 0,
    "share": 0.0,
    "expected": 0.0,
    "refused": False,
    "checked": False,
    "why": "the recorder failed",
}
_MOST_TEST_SETS = 256
_MOST_PREDICTIONS = 64
_MOST_EVENTS = 5_000
"""So many predictions are told: a script that plays a game predicts for each move."""
_SAME = 0.05
"""Test sets that share so much of their rows are the same."""


@dataclass
class Origin:
    """Where a network's weights come from.

    ``identities``: the fits that made them. ``trained``: whether this run did; None if that cannot be known. ``unchecked``:
    why not all rows that they were fitted on are known; empty if they are. ``weights``: tells them from others.
    """

    identities: frozenset
    trained: bool | None
    unchecked: str
    weights: str


class Tested:
    """The rows of one reading of a test set, with their labels if they are known."""

    def __init__(self, outputs=(), rank=None, is_masked=False):
        """``outputs``: the names of the network's outputs; ``rank`` and ``is_masked``: see ``Labels``."""
        self.rows = 0
        self.labels = {}
        """The labels of each output by its name; of the only one by an empty name."""
        self.forms = set()
        self.unseen = ""
        """Why the rows could not be seen; empty if they could."""
        self.is_autoencoder = False
        self.is_redrawn = False
        """Whether its pipeline draws it anew at each reading, from rows that are trained on."""
        self._outputs = outputs
        self._rank = rank
        self._is_masked = is_masked
        self._x, self._xy, self._y = [], [], []
        self._labelled = True
        self._lock = threading.Lock()

    def begin(self):
        """Forget what was read before: Keras reads a batch more, to find out its shape."""
        with self._lock:
            self.rows, self._x, self._xy, self._y, self.labels = 0, [], [], [], {}

    def fail(self, why):
        """Note why its rows cannot be seen, unless ``why`` is empty."""
        self.unseen = self.unseen or why

    def add(self, x, y):
        """Add a batch of it. Raises NotHashable."""
        x_hashes = hash_rows(x)
        self.forms.add(form_of(x))
        y_hashes = None if y is None else hash_labels(y)
        with self._lock:
            self.rows += len(x_hashes)
            self._x.append(x_hashes)
            if y_hashes is None or len(y_hashes) != len(x_hashes):
                self._labelled = False
            else:
                self._xy.append(with_labels(x_hashes, y_hashes))
                self._y.append(y_hashes)
                self.count_labels(y, x)
            if self.rows > 2 * MOST_ROWS:
                rows = numpy.concatenate(self._x)
                smallest = rows.argsort(kind="stable")[:MOST_ROWS]
                self._x = [rows[smallest]]
                if self._labelled:
                    self._xy = [numpy.concatenate(self._xy)[smallest]]
                    self._y = [numpy.concatenate(self._y)[smallest]]

    def count_labels(self, y, x=None):
        """Count the labels of a batch, whose data are ``x`` if they are known."""
        if isinstance(y, dict):
            by_output = y if len(y) > 1 else {"": next(iter(y.values()), None)}
        elif isinstance(y, (tuple, list)) and len(y) > 1 and len(y) == len(self._outputs):
            by_output = dict(zip(self._outputs, y, strict=True))
        else:
            by_output = {"": y[0] if isinstance(y, (tuple, list)) and len(y) == 1 else y}
        tokens = getattr(x, "numpy", lambda: x)() if not isinstance(x, numpy.ndarray) else x
        kind = getattr(getattr(tokens, "dtype", None), "kind", None)
        if kind not in ("i", "u") or tokens.ndim != 2:  # no sequences of whole numbers (rows × length)
            tokens = None
        for name, labels in by_output.items():
            self.labels.setdefault(name, Labels(self._is_masked)).add(labels, tokens, self._rank)

    @functools.cached_property
    def hashes(self):
        """The hashes of all rows without their labels, sorted, each once."""
        return numpy.unique(self.read)

    @property
    def read(self):
        """The hashes of all rows without their labels, in the order in which they were read."""
        return numpy.concatenate([numpy.empty(0, numpy.uint64), *self._x])

    def labelled_with(self, y):
        """Return the same rows with their labels, for a comparison that came after the prediction."""
        other = Tested()
        other.rows, other._x, other._xy, other.unseen, other.forms = self.rows, self._x, [], self.unseen, self.forms
        other.is_redrawn = self.is_redrawn
        try:
            if not self.unseen:
                labels = hash_labels(y)
                other._xy, other._y = [with_labels(self.read, labels)], [labels]
        except NotHashable:
            other._labelled = False
        other.count_labels(y)
        return other

    def seen(self, fits):
        """Return what its rows say against those of ``fits``: see ``seen.compare``; None if that cannot be known."""
        if self.unseen or not self.rows or not fits:
            return None
        if self._labelled and self._xy:
            labels, fitted = numpy.concatenate(self._y), numpy.concatenate([fit.labels for fit in fits])
            # They may have had other names when the network was fitted: "yes" may have been 1.
            if not len(fitted) or is_in(numpy.unique(labels), numpy.unique(fitted)).all():
                return compare(numpy.concatenate(self._xy), labels, fits)
        return compare_unlabelled(self.read, fits)


class Measuring:
    """One process's fits, test sets and predictions, and the events that tell of measurements."""

    def __init__(self, output):
        self.output = output
        self.lineage = Lineage()
        self.predictions = collections.deque(maxlen=_MOST_PREDICTIONS)
        self.own = weakref.WeakKeyDictionary()
        """The fits of each Keras model, for those with weights that have nothing to be known by."""
        self.validated = []
        """The hashes of the rows of each validation set so far."""
        self._transformed = []
        self._test_sets = set()
        self._predicted = 0
        self.others = collections.deque(maxlen=_MOST_PREDICTIONS)
        """References to answers that are no network's of the script's, such as those of a cross-validation."""
        self._is_called = False
        self._lock = threading.Lock()

    @property
    def has_room(self):
        """Whether more predictions are to be recorded."""
        return self._predicted < _MOST_EVENTS

    def transformed(self, rows, results, fits):
        """Note that a transformation that was fitted with labels, in ``fits``, made ``results`` of ``rows`` (hashes of both).

        Results of rows that it was fitted on know their labels: a network that is trained on any of them has seen them all.
        """
        found = labels_in(rows, fits) if fits and len(rows) == len(results) else None
        if found is None or not found[0].any():
            return
        is_found, labels = found
        fitted = self.lineage.begin(uuid.uuid4().hex)
        fitted.add_hashed(results[is_found], labels[is_found])
        fitted.end_pass()
        self._transformed.append((numpy.unique(results[is_found]), fitted.identity))

    def made_of(self, rows):
        """Return the identities of the transformations that any of these hashes of rows are results of."""
        unique = numpy.unique(rows) if self._transformed else rows
        return {identity for results, identity in self._transformed if is_in(unique, results).any()}

    def origin_of(self, arrays):
        """Return where weights with these values come from (``Origin``)."""
        identities, known = self.lineage.origin(arrays)
        why = "" if known else "the weights were changed outside of fit()"
        return Origin(identities, True if identities else False if known else None, why, digest_of_all(arrays))

    def called(self):
        """Record that the script called a network directly: what it answered is not known."""
        if not self._is_called:
            self._is_called = True
            self.output.event(event="called", time=time.time())

    def predicted(self, tested, origin, answers, names, returned=None, results=None):
        """Record a prediction, and keep its answers for a comparison with labels that may follow.

        ``results``: hashes of its rows, if they may become the features of another network.
        """
        told = self.described(tested, origin)
        self._predicted += 1
        self._is_called = False
        if results is not None and not tested.unseen:
            self.transformed(tested.read, results, self.lineage.rows_of(origin.identities))
        self.predictions.append(Prediction(tested, origin, answers, names, returned))
        self.output.event(event="predict", **names, **told)

    def described(self, tested, origin, counts_padding=False):
        """Return what is known of the rows of a measurement and of the network, as JSON."""
        told = {
            "samples": tested.rows or None,
            "test_set": None,
            "labels": {},
            "validated": False,
            "seen": dict(_UNSEEN),
        }
        # A measurement without what is known of its rows is still one.
        with self.output.telling_faults(), self._lock:
            told["test_set"] = self._keep(tested)
        fits = self.lineage.rows_of(origin.identities)
        with self.output.telling_faults():
            if tested.is_autoencoder:
                told["labels"] = {"": {"kind": "inputs"}}
            elif not tested.labels and fits and all(fit.numbers for fit in fits):
                told["labels"] = {"": {"kind": "numbers"}}
            else:
                told["labels"] = {name: labels.as_json(counts_padding) for name, labels in tested.labels.items()}
        with self.output.telling_faults():
            if tested.rows and not tested.unseen:
                told["validated"] = any(is_in(tested.hashes, other).mean() >= _SAME for other in self.validated)
        with self.output.telling_faults():
            told["seen"] = self._seen(tested, origin, fits)
        if tested.is_redrawn:
            told["seen"] |= {"refused": True, "redrawn": True}
        return told | {"weights": origin.weights, "trained": origin.trained, "time": time.time()}

    def _seen(self, tested, origin, fits):
        why = tested.unseen or origin.unchecked
        why = why or next((f"of the training data: {fit.unseen}" for fit in fits if fit.unseen), "")
        if not why and any(fit.changing for fit in fits):
            why = "the training rows are augmented, or made anew for each epoch"
        forms = {form for fit in fits for form in fit.forms}
        if forms and not tested.forms <= forms:
            why = why or "the test rows have another form than the training rows"
        found = tested.seen(fits)
        if found is None:
            why = why or "it is not known on which rows the network was trained"
            found = {}
        return _UNSEEN | found | {"checked": not why, "why": why}

    def _keep(self, tested):
        """Record a test set that is new. Returns 16 hexadecimal digits that tell its set of rows from others; None if unknown."""
        if tested.unseen or not tested.rows:
            return None
        identity = hashlib.blake2b(tested.hashes.tobytes(), digest_size=8).hexdigest()
        if identity in self._test_sets or len(self._test_sets) >= _MOST_TEST_SETS:
            return identity
        self._test_sets.add(identity)
        sketch = tested.hashes[:SKETCH].astype("<u8").tobytes()
        self.output.event(event="test_set", id=identity, rows=tested.rows, sketch=base64.b64encode(sketch).decode())
        return identity


class Prediction:
    """What a network has answered, by which a comparison with labels finds out whose answers it compares."""

    def __init__(self, tested, origin, answers, names, returned=None):
        self._returned = None
        with suppress(TypeError):  # a list cannot be referred to so
            self._returned = weakref.ref(returned)
        self.tested = tested
        self.origin = origin
        self.names = names
        """What the event says of the network: its number, its class."""
        self._answers = {grouping(each) for each in answers if each is not None}

    def returned(self, answers):
        """Return whether ``answers`` are the very array that it returned."""
        return self._returned is not None and self._returned() is answers

    def is_of(self, answers):
        """Return whether ``answers`` are its own, perhaps under other names."""
        return len(answers) == self.tested.rows and grouping(answers) in self._answers


def grouping(answers):
    """Return what tells which answers are equal to which, whatever they are called; None of what is no list of answers."""
    array = numpy.asarray(answers)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        array = numpy.array([repr(row) for row in array.tolist()])
    if array.dtype.kind == "O":
        array = array.astype(str)
    _, first, codes = numpy.unique(array, return_index=True, return_inverse=True)
    in_order = numpy.empty(len(first), int)
    in_order[first.argsort()] = numpy.arange(len(first))
    return hashlib.blake2b(in_order[codes].astype(numpy.int32).tobytes(), digest_size=8).digest()


@functools.cache
def measuring(out):
    """Return the process's one Measuring, which writes to the folder ``out``."""
    return Measuring(Output(out))
