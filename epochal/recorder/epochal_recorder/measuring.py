"""The state that the observers of Keras and scikit-learn share: the rows that models are fitted and tested on."""

import atexit
import base64
import collections
import functools
import hashlib
import sys
import threading
import time
import uuid
import weakref
from contextlib import suppress
from dataclasses import dataclass

import numpy

from .fitted_rows import ALL_ROWS, MAX_CLASSES, MAX_ROWS, compare, compare_unlabelled, find_labels, is_in
from .labels import Labels
from .lineage import Lineage, digest_of_all
from .output import Output
from .rows import NotHashable, form_of, hash_labels, hash_rows, with_labels
from .same_rows import are_training_rows

SKETCH = 1024
"""The maximum number of row hashes in a test set's sketch. The smallest hashes are used."""
MIN_TEST_ROWS = 16
"""A prediction for fewer rows than this counts as a demonstration, not as a test."""
_UNCHECKED = {
    "rows": 0,
    "share": 0.0,
    "expected": 0.0,
    "refused": False,
    "part": False,
    "learned": None,
    "new_labels": 0.0,
    "checked": False,
    "why": "internal error",
}
_MAX_SPLITS = 1_000
_MAX_SKETCHED = 4 * 1024 * 1024
"""The maximum total size of all sketches, in bytes. Small test sets have small sketches, so more of them fit."""
_MAX_PREDICTIONS = 64
_MAX_COLLECTED = 100_000
_MAX_EVENTS = 5_000
"""The maximum number of predictions to record. A script that plays a game, for example, makes one for each move."""
_MIN_OVERLAP = 0.05
"""A test set counts as used for validation if at least this share of its rows is in a validation set."""


@dataclass
class Origin:
    """Where a model's weights come from.

    ``identities``: the fits that produced the weights. ``trained``: whether the weights were trained in this trial or
    in a trial that it resumed from; None if unknown. ``unchecked``: why some of the training rows are unknown; empty if
    all are known. ``weights``: a digest or other identifier of the weights.
    """

    identities: frozenset
    trained: bool | None
    unchecked: str
    weights: str


class TestRows:
    """The rows of a test set that were read in one pass, with their labels if known."""

    def __init__(self, outputs=(), rank=None, is_masked=False):
        """Start with no rows. ``outputs``: the model's output names. ``rank``, ``is_masked``: see ``Labels``."""
        self.count = 0
        self.labels = {}
        """The ``Labels`` of each output, keyed by its name (an empty string if there is only one output)."""
        self.forms = set()
        self.why_unseen = ""
        """Why the rows could not be seen; empty if they could."""
        self.compared = None
        """How the rows compare with the training rows; None if that must be determined from the model's fits."""
        self.is_autoencoder = False
        self.expects_classes = False
        """Whether the accuracy compares classes, and so is meaningless for a regression, even with integer labels."""
        self.is_redrawn = False
        """Whether a tf.data pipeline selects the rows again on each pass, so that they may include training rows."""
        self._outputs = outputs
        self._rank = rank
        self._is_masked = is_masked
        self._x, self._xy, self._y = [], [], []
        self._is_labelled = True
        self._lock = threading.Lock()

    def restart(self):
        """Drop the rows read so far, because Keras is about to read them again."""
        with self._lock:
            self.count, self._x, self._xy, self._y, self.labels = 0, [], [], [], {}

    def fail(self, why):
        """Record ``why`` the rows cannot be seen, unless a reason is already recorded; an empty reason is ignored."""
        self.why_unseen = self.why_unseen or why

    def add(self, x, y):
        """Add a batch of rows ``x`` and their labels ``y`` (or None). Raises NotHashable if a row cannot be hashed."""
        x_hashes = hash_rows(x)
        self.forms.add(form_of(x))
        y_hashes = None if y is None else hash_labels(y)
        with self._lock:
            self.count += len(x_hashes)
            self._x.append(x_hashes)
            if y_hashes is None or len(y_hashes) != len(x_hashes):
                self._is_labelled = False
            else:
                self._xy.append(with_labels(x_hashes, y_hashes))
                self._y.append(y_hashes)
                self.count_labels(y, x)
            if self.count > 2 * MAX_ROWS:
                rows = numpy.concatenate(self._x)
                smallest = rows.argsort(kind="stable")[:MAX_ROWS]
                self._x = [rows[smallest]]
                if self._is_labelled:
                    self._xy = [numpy.concatenate(self._xy)[smallest]]
                    self._y = [numpy.concatenate(self._y)[smallest]]

    def count_labels(self, y, x=None):
        """Count the labels ``y`` of a batch. ``x``: the rows of the batch, or None if they are unknown."""
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
        """Sorted unique hashes of the rows without their labels; only the smallest ones if there are too many."""
        return numpy.unique(self.hashes_in_order)

    @property
    def hashes_in_order(self):
        """Hashes of the rows without their labels, in the order read; if too many, only the smallest, sorted."""
        return numpy.concatenate([numpy.empty(0, numpy.uint64), *self._x])

    def extend(self, other):
        """Append the rows of ``other``, another ``TestRows`` without labels."""
        self.count += other.count
        self._x += other._x
        self.forms |= other.forms
        self._is_labelled = False
        self.fail(other.why_unseen)

    def copy_with_labels(self, y):
        """Return the same rows with the labels ``y``, which the script has compared with predictions for these rows."""
        copy = TestRows()
        copy.count, copy._x, copy._xy, copy.why_unseen, copy.forms = (
            self.count,
            self._x,
            [],
            self.why_unseen,
            self.forms,
        )
        copy.is_redrawn, copy.compared = self.is_redrawn, self.compared
        try:
            if not self.why_unseen:
                labels = hash_labels(y)
                copy._xy, copy._y = [with_labels(self.hashes_in_order, labels)], [labels]
        except NotHashable:
            copy._is_labelled = False
        copy.count_labels(y)
        return copy

    def compare_with(self, fits):
        """Return how the rows compare with those of ``fits`` (see ``fitted_rows.compare``); None if that is unknown."""
        if self.why_unseen or not self.count or not fits:
            return None
        if self._is_labelled and self._xy:
            labels, fitted = numpy.concatenate(self._y), numpy.concatenate([fit.labels for fit in fits])
            # Labels that were encoded differently for the fit (such as 1 for "yes") are not compared.
            is_known = is_in(labels, numpy.unique(fitted))
            if not len(fitted) or is_known.all():
                return compare(numpy.concatenate(self._xy), labels, fits)
            if is_known.any() and self._has_one_label_per_row and all(len(fit.labels) <= MAX_CLASSES for fit in fits):
                found = compare_unlabelled(self.hashes_in_order, fits)
                return found | {"new_labels": round(float(1 - is_known.mean()), 4)}
        return compare_unlabelled(self.hashes_in_order, fits)

    @property
    def _has_one_label_per_row(self):
        return len(self.labels) == 1 and all(labels.is_one_per_row for labels in self.labels.values())


@dataclass
class _Collected:
    """Predictions of one model, each for a few rows.

    ``parts``: the rows and answers of each prediction. ``places``: where the script made each one (``_find_place``).
    """

    origin: Origin
    names: dict
    parts: list
    places: list

    def split_loops(self):
        """Return one list of parts for each loop that predicted at least ``MIN_TEST_ROWS`` rows.

        A loop may predict in several places. It ends when the script no longer returns to any of them. If no loop has
        enough rows, all parts are returned as a single list.
        """
        last = {place: at for at, place in enumerate(self.places)}
        loops, end = [], -1
        for at, place in enumerate(self.places):
            if at > end:
                loops.append([])
            end = max(end, last[place])
            loops[-1].append(self.parts[at])
        return [loop for loop in loops if _count_rows(loop) >= MIN_TEST_ROWS] or [self.parts]


class SharedState:
    """The fits, test sets and predictions of this process. Records its measurements as events."""

    def __init__(self, output):
        self.output = output
        self.lineage = Lineage()
        self.predictions = collections.deque(maxlen=_MAX_PREDICTIONS)
        self.name_outer_call = dict
        """Returns the event fields that identify the current call to a scikit-learn estimator; empty if none."""
        self.fits_by_model = weakref.WeakKeyDictionary()
        """The identities of each Keras model's fits, used if the model's weights do not identify them."""
        self.validation_sets = []
        """The row hashes of each validation set so far."""
        self._transformations = []
        self._splits = set()
        """For each split so far, its number of rows and a digest of its test rows."""
        self._test_sets = set()
        self._sketched = 0
        """The number of bytes in all sketches so far."""
        self._prediction_count = 0
        self._is_call_recorded = False
        self._lock = threading.Lock()
        self._collected = None
        atexit.register(self.record_collected)

    @property
    def has_room(self):
        """Whether more predictions may be recorded."""
        return self._prediction_count < _MAX_EVENTS

    def note_split(self, count, test):
        """Record that ``count`` rows were split, and that ``test`` (hashes of rows) became the test rows."""
        if len(self._splits) < _MAX_SPLITS:
            self._splits.add((count, _digest_rows(test)))

    def note_transformation(self, rows, results, fits, name):
        """Record that a transformation learned in ``fits`` turned ``rows`` into ``results`` (both are hashes of rows).

        ``name``: the class of the transformation.

        For rows that the transformation was fitted on, the results contain information about the rows' labels. So a
        model that is fitted on any of these results counts as fitted on all of them.
        """
        found = find_labels(rows, fits) if fits and len(rows) == len(results) else None
        if found is None or not found[0].any():
            return
        is_found, labels = found
        fitted = self.lineage.register(uuid.uuid4().hex)
        fitted.source = [name, next((fit.line for fit in fits if fit.line), None)]
        fitted.add_hashed(results[is_found], labels[is_found])
        fitted.end_pass()
        earlier = {fit.identity for fit in fits if fit.source}
        self._transformations.append((numpy.unique(results[is_found]), {fitted.identity, *earlier}))

    def transformations_of(self, rows):
        """Return the identities of the transformations that ``rows`` (hashes) come from, including any earlier ones.

        In a loop over folds, several selectors may choose the same columns and so produce the same row. Such a row
        counts as the result of the one that produced the most of ``rows``; in a tie, the last one counts.
        """
        identities, unexplained = set(), numpy.unique(rows) if self._transformations else rows
        counts = [is_in(unexplained, results).sum() for results, _ in self._transformations]
        for place in sorted(range(len(counts)), key=lambda place: (counts[place], place), reverse=True):
            if not len(unexplained) or not counts[place]:
                break
            results, chain = self._transformations[place]
            is_explained = is_in(unexplained, results)
            if is_explained.any():
                identities |= chain
                unexplained = unexplained[~is_explained]
        return identities

    def find_origin(self, arrays):
        """Return where the weights in ``arrays`` (one array per variable) come from."""
        identities, known = self.lineage.find_origin(arrays)
        why = "" if known else "the weights were changed outside of fit()"
        return Origin(identities, True if identities else False if known else None, why, digest_of_all(arrays))

    def record_call(self):
        """Record that the script called a model directly. The recorder does not see what such a call returns.

        Later calls are ignored until the next prediction.
        """
        if not self._is_call_recorded:
            self._is_call_recorded = True
            self.output.write_event(event="called", time=time.time())

    def collect_prediction(self, test_rows, origin, answers, names):
        """Collect a prediction that is too small to be a test by itself: a script may predict its test rows one by one.

        The arguments are those of ``record_prediction``. ``record_collected`` records successive predictions of one
        model as a single prediction.
        """
        collected = self._collected
        if collected is None or (collected.origin.weights, collected.names) != (origin.weights, names):
            self.record_collected()
            collected = self._collected = _Collected(origin, names, [], [])
        if len(collected.parts) < _MAX_COLLECTED:
            collected.parts.append((test_rows, answers))
            collected.places.append(_find_place())

    def record_collected(self, count=None):
        """Record the predictions collected in each loop as a single prediction.

        ``count``: the number of rows that the script is comparing with labels. If the last loop predicted more, only
        its last ``count`` rows are recorded; if it predicted fewer, the loops count as one.
        """
        collected, self._collected = self._collected, None
        if collected is None:
            return
        loops = collected.split_loops()
        if count is not None and _count_rows(loops[-1]) < count:
            loops = [collected.parts]
        if count is not None:
            loops[-1] = _take_last(loops[-1], count)
        for loop in loops:
            self._record_loop(loop, collected)

    def _record_loop(self, parts, collected):
        """Record ``parts`` of the collected predictions as a single prediction, unless they are a demonstration.

        They are a demonstration if they have fewer rows than an earlier prediction. If that prediction was for training
        rows, only a tenth of its rows count, because a smaller test set may follow. Without an earlier prediction,
        they are a demonstration if they have fewer than ``MIN_TEST_ROWS`` rows.
        """
        limits = [each.test_rows.count / (10 if each.is_refused else 1) for each in self.predictions]
        if not self.has_room or _count_rows(parts) < max(limits, default=MIN_TEST_ROWS):
            return
        with self.output.recording_faults():
            test_rows = TestRows()
            for rows, _ in parts:
                test_rows.extend(rows)
            answers = zip(*(each for _, each in parts), strict=False)
            together = [numpy.concatenate(each) for each in answers]
            names = collected.names | {"one_by_one": True}
            self.record_prediction(test_rows, collected.origin, together, names)

    def record_prediction(self, test_rows, origin, answers, names, returned=None, results=None):
        """Record a prediction, and keep its answers in case the script compares them with labels later.

        ``answers``: the prediction as classes, one array for each way to interpret it. ``names``: the fields of the
        event that identify the model. ``returned``: the object returned to the script. ``results``: hashes of the
        rows of that object, if another model may use these rows as features.
        """
        self.record_collected()
        fields = self.describe(test_rows, origin)
        self._prediction_count += 1
        self._is_call_recorded = False
        if results is not None and not test_rows.why_unseen:
            fits = self.lineage.rows_of(origin.identities)
            self.note_transformation(test_rows.hashes_in_order, results, fits, names.get("of", ""))
        is_refused = fields["seen"]["refused"]
        self.predictions.append(Prediction(test_rows, origin, answers, names, returned, is_refused))
        self.output.write_event(event="predict", **names, **fields)

    def describe(self, test_rows, origin, counts_padding=False):
        """Return the fields that describe the rows and the model of a measurement (ROWS in the package's docstring).

        ``counts_padding``: see ``Labels.as_json``.
        """
        fields = {
            "samples": test_rows.count or None,
            "test_set": None,
            "labels": {},
            "validated": False,
            "seen": dict(_UNCHECKED),
        }
        # A measurement is recorded even if its rows cannot be described.
        with self.output.recording_faults(), self._lock:
            fields["test_set"] = self._record_test_set(test_rows)
        fits = self.lineage.rows_of(origin.identities)
        is_regression = bool(fits) and all(fit.is_regression for fit in fits)
        with self.output.recording_faults():
            if test_rows.is_autoencoder:
                fields["labels"] = {"": {"kind": "inputs"}}
            elif is_regression and (test_rows.expects_classes or not test_rows.labels):
                fields["labels"] = {"": {"kind": "numbers"}}
            else:
                fields["labels"] = {name: labels.as_json(counts_padding) for name, labels in test_rows.labels.items()}
        with self.output.recording_faults():
            if test_rows.count and not test_rows.why_unseen:
                fields["validated"] = any(
                    is_in(test_rows.hashes, other).mean() >= _MIN_OVERLAP for other in self.validation_sets
                )
        with self.output.recording_faults():
            fields["seen"] = self._compare_with_fits(test_rows, origin, fits)
        if test_rows.is_redrawn:
            fields["seen"] |= {"refused": True, "redrawn": True}
        return fields | {"weights": origin.weights, "trained": origin.trained, "time": time.time()}

    def _compare_with_fits(self, test_rows, origin, fits):
        if test_rows.compared is not None:
            return _UNCHECKED | test_rows.compared
        why = test_rows.why_unseen or origin.unchecked
        reason = next((fit.why_unseen for fit in fits if fit.why_unseen), "")
        why = why or (f"some training rows are unknown, because {reason}" if reason else "")
        if not why and any(fit.has_changing_rows for fit in fits):
            why = "the training rows are augmented or generated anew in each epoch"
        forms = {form for fit in fits for form in fit.forms}
        if forms and not test_rows.forms <= forms:
            why = why or "the test rows have a different structure from the training rows"
        found = test_rows.compare_with(fits)
        if found is None:
            why = why or "the training rows are unknown"
            found = {}
        found = found | self._find_causes(test_rows, fits, found)
        return _UNCHECKED | found | {"checked": not why, "why": why}

    def _find_causes(self, test_rows, fits, found):
        """Return the fields that explain the use of test rows in training.

        ``found``: how these rows compare with ``fits``.
        """
        own = [fit for fit in fits if fit.source is None]
        if found.get("refused") and len(own) < len(fits):
            compared = test_rows.compare_with(own)
            if compared is None or not compared["refused"]:
                name, line = next(fit.source for fit in fits if fit.source)
                return {"learned": {"of": name, "line": line}}
        if found.get("share", 0.0) < ALL_ROWS:
            return {}
        test = _digest_rows(test_rows.hashes_in_order)
        answer = are_training_rows(
            test_rows.hashes_in_order, own, {count for count, part in self._splits if part == test}
        )
        return {"part": answer == "yes" or (answer == "maybe" and found["refused"])}

    def _record_test_set(self, test_rows):
        """Record a test set if it is new; return a digest of its rows (16 hexadecimal digits; None if unknown)."""
        if test_rows.why_unseen or not test_rows.count:
            return None
        identity = hashlib.blake2b(test_rows.hashes.tobytes(), digest_size=8).hexdigest()
        if identity in self._test_sets or self._sketched >= _MAX_SKETCHED:
            return identity
        self._test_sets.add(identity)
        sketch = test_rows.hashes[:SKETCH].astype("<u8").tobytes()
        self._sketched += len(sketch)
        self.output.write_event(
            event="test_set", id=identity, rows=test_rows.count, sketch=base64.b64encode(sketch).decode()
        )
        return identity


class Prediction:
    """The answers that a model gave. If the script compares them with labels later, they identify the model."""

    def __init__(self, test_rows, origin, answers, names, returned=None, is_refused=False):
        self._returned = None
        with suppress(TypeError):  # a list cannot have weak references
            self._returned = weakref.ref(returned)
        self.test_rows = test_rows
        self.origin = origin
        self.names = names
        """The fields that identify the model in an event, such as its number or class."""
        self.is_refused = is_refused
        """Whether the model was fitted on so many of the rows that a test on them is meaningless."""
        self._answers = {digest_answers(each) for each in answers if each is not None}

    def has_returned(self, answers):
        """Return whether ``answers`` is the same object that the prediction returned."""
        return self._returned is not None and self._returned() is answers

    def has_answers(self, answers):
        """Return whether ``answers`` match those of the prediction, regardless of how the classes are named."""
        return len(answers) == self.test_rows.count and digest_answers(answers) in self._answers


def _find_place():
    """Return where the script called the recorder, as the current instruction of each frame on the stack."""
    frame, place = sys._getframe(1), []
    while frame:
        place.append((id(frame.f_code), frame.f_lasti))
        frame = frame.f_back
    return tuple(place)


def _digest_rows(rows):
    """Return a digest of ``rows`` (an array of row hashes) that does not depend on their order."""
    return hashlib.blake2b(numpy.sort(rows).tobytes(), digest_size=8).digest()


def _count_rows(parts):
    """Return the number of rows in ``parts`` of the collected predictions."""
    return sum(rows.count for rows, _ in parts)


def _take_last(parts, count):
    """Return the shortest tail of ``parts`` with at least ``count`` rows; all parts if they have fewer."""
    start, found = len(parts), 0
    while start and found < count:
        start -= 1
        found += parts[start][0].count
    return parts[start:]


def digest_answers(answers):
    """Return a digest of answers that does not depend on how the classes are named, only on which answers are equal."""
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
def shared_state(out):
    """Return the process-wide ``SharedState``, which writes to the folder ``out``."""
    return SharedState(Output(out))
