"""State that the observers of Keras and scikit-learn share: which rows networks are fitted and tested on."""

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
"""Number of hashes that identify a test set: the smallest ones of its rows."""
LEAST_ROWS = 16
"""A prediction for fewer rows is a demonstration, not a test."""
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
"""At most this many predictions are recorded: a script that plays a game predicts for each move."""
_SAME = 0.05
"""A test set counts as validated on if at least this share of its rows is in a validation set."""


@dataclass
class Origin:
    """Where a network's weights come from.

    ``identities``: the fits that produced them. ``trained``: whether they were fitted in this trial or in one that it
    resumed from; None if that cannot be known. ``unchecked``: the reason if not all rows that they were fitted on are
    known; else empty. ``weights``: a digest or other identifier of the weights.
    """

    identities: frozenset
    trained: bool | None
    unchecked: str
    weights: str


class Tested:
    """The rows of one reading of a test set, with their labels if they are known."""

    def __init__(self, outputs=(), rank=None, is_masked=False):
        """``outputs``: the names of the network's outputs. ``rank`` and ``is_masked``: see ``Labels``."""
        self.rows = 0
        self.labels = {}
        """The ``Labels`` of each output by its name, which is empty if there is only one output."""
        self.forms = set()
        self.unseen = ""
        """The reason if the rows could not be seen; else empty."""
        self.is_autoencoder = False
        self.is_redrawn = False
        """Whether its tf.data pipeline draws it anew at each reading, from rows that may have been trained on."""
        self._outputs = outputs
        self._rank = rank
        self._is_masked = is_masked
        self._x, self._xy, self._y = [], [], []
        self._labelled = True
        self._lock = threading.Lock()

    def begin(self):
        """Drop what was read so far: it is a batch that Keras reads first, only to find out its shape."""
        with self._lock:
            self.rows, self._x, self._xy, self._y, self.labels = 0, [], [], [], {}

    def fail(self, why):
        """Note ``why`` the rows cannot be seen; an empty reason is ignored, and the first one is kept."""
        self.unseen = self.unseen or why

    def add(self, x, y):
        """Add a batch of rows ``x`` and their labels ``y`` (may be None). Raises NotHashable."""
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
        """Count the labels of a batch; ``x``: its rows, if they are known."""
        if isinstance(y, dict):
            by_output = y if len(y) > 1 else {"": next(iter(y.values()), None)}
        elif isinstance(y, (tuple, list)) and len(y) > 1 and len(y) == len(self._outputs):
            by_output = dict(zip(self._outputs, y, strict=True))
        else:
            by_output = {"": y[0] if isinstance(y, (tuple, list)) and len(y) == 1 else y}
        tokens = getattr(x, "numpy", lambda: x)() if not isinstance(x, numpy.ndarray) else x
        kind = getattr(getattr(tokens, "dtype", None), "kind", None)
        if kind not in ("i", "u") or tokens.ndim != 2:  # only matrices of whole numbers (rows × length) can be tokens
            tokens = None
        for name, labels in by_output.items():
            self.labels.setdefault(name, Labels(self._is_masked)).add(labels, tokens, self._rank)

    @functools.cached_property
    def hashes(self):
        """Hashes of all rows without their labels, sorted and unique."""
        return numpy.unique(self.read)

    @property
    def read(self):
        """Hashes of all rows without their labels, in the order in which they were read."""
        return numpy.concatenate([numpy.empty(0, numpy.uint64), *self._x])

    def labelled_with(self, y):
        """Return the same rows with the labels ``y``, which the script has compared with its predictions for them."""
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
        """Return the comparison of its rows with those of ``fits`` (``seen.compare``); None if it cannot be made."""
        if self.unseen or not self.rows or not fits:
            return None
        if self._labelled and self._xy:
            labels, fitted = numpy.concatenate(self._y), numpy.concatenate([fit.labels for fit in fits])
            # Labels may have been encoded differently for the fit (1 for "yes"); then they are not compared.
            if not len(fitted) or is_in(numpy.unique(labels), numpy.unique(fitted)).all():
                return compare(numpy.concatenate(self._xy), labels, fits)
        return compare_unlabelled(self.read, fits)


class Measuring:
    """The fits, test sets and predictions of this process, and the events that record its measurements."""

    def __init__(self, output):
        self.output = output
        self.lineage = Lineage()
        self.predictions = collections.deque(maxlen=_MOST_PREDICTIONS)
        self.own = weakref.WeakKeyDictionary()
        """The identities of each Keras model's fits, for models whose weights cannot be identified by their values."""
        self.validated = []
        """For each validation set so far, the hashes of its rows."""
        self._transformed = []
        self._test_sets = set()
        self._predicted = 0
        self.others = collections.deque(maxlen=_MOST_PREDICTIONS)
        """Weak references to answers that are not of one network, such as those of a cross-validation."""
        self._is_called = False
        self._lock = threading.Lock()

    @property
    def has_room(self):
        """Whether more predictions may be recorded."""
        return self._predicted < _MOST_EVENTS

    def transformed(self, rows, results, fits):
        """Note that a transformation, fitted with labels in ``fits``, made ``results`` from ``rows`` (hashes of both).

        Results of rows that it was fitted on contain information about their labels. So a network that is fitted on any
        of these results counts as fitted on all of them.
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
        """Return the identities of the transformations that produced any of ``rows`` (hashes)."""
        unique = numpy.unique(rows) if self._transformed else rows
        return {identity for results, identity in self._transformed if is_in(unique, results).any()}

    def origin_of(self, arrays):
        """Return where weights with these values come from; ``arrays`` has one array per variable."""
        identities, known = self.lineage.origin(arrays)
        why = "" if known else "the weights were changed outside of fit()"
        return Origin(identities, True if identities else False if known else None, why, digest_of_all(arrays))

    def called(self):
        """Record that the script called a network directly, so that its answers are not known.

        It is recorded once, and again only after the next prediction.
        """
        if not self._is_called:
            self._is_called = True
            self.output.event(event="called", time=time.time())

    def predicted(self, tested, origin, answers, names, returned=None, results=None):
        """Record a prediction, and keep its answers in case the script compares them with labels later.

        ``answers``: the arrays of classes that the prediction may be read as. ``names``: the fields of the event that
        identify the network. ``returned``: the object that the script got. ``results``: hashes of its rows, if they may
        become the features of another network.
        """
        told = self.described(tested, origin)
        self._predicted += 1
        self._is_called = False
        if results is not None and not tested.unseen:
            self.transformed(tested.read, results, self.lineage.rows_of(origin.identities))
        self.predictions.append(Prediction(tested, origin, answers, names, returned))
        self.output.event(event="predict", **names, **told)

    def described(self, tested, origin, counts_padding=False):
        """Return the fields that describe the rows and the network of a measurement (ROWS in the package's docstring).

        ``counts_padding``: see ``Labels.as_json``.
        """
        told = {
            "samples": tested.rows or None,
            "test_set": None,
            "labels": {},
            "validated": False,
            "seen": dict(_UNSEEN),
        }
        # A measurement is recorded even if its rows cannot be described.
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
        """Record a test set if it is new; return the digest of its rows (16 hexadecimal digits; None if unknown)."""
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
    """The answers of a network, by which a later comparison with labels finds the network."""

    def __init__(self, tested, origin, answers, names, returned=None):
        self._returned = None
        with suppress(TypeError):  # a list has no weak references
            self._returned = weakref.ref(returned)
        self.tested = tested
        self.origin = origin
        self.names = names
        """The fields of the event that identify the network, such as its number or class."""
        self._answers = {grouping(each) for each in answers if each is not None}

    def returned(self, answers):
        """Return whether ``answers`` is the same object that the prediction returned."""
        return self._returned is not None and self._returned() is answers

    def is_of(self, answers):
        """Return whether ``answers`` are those of the prediction, perhaps with other names for the classes."""
        return len(answers) == self.tested.rows and grouping(answers) in self._answers


def grouping(answers):
    """Return a digest of which answers are equal to each other, whatever the classes are called."""
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
    """Return the one ``Measuring`` of this process, which writes to the folder ``out``."""
    return Measuring(Output(out))
