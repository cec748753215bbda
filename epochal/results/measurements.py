"""Parse the recorded measurements: which model was evaluated on which rows, and whether it was fitted on them."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from epochal.results.metrics import (
    PARSE_ERRORS,
    keep_printable,
    parse_events,
    read_count,
    read_fit_key,
    read_number,
    read_samples,
    read_test_set,
)
from epochal.results.sketches import MIN_SHARED, estimate_shared_rows

_TOP_K = re.compile(r"(^|_)top_?(k|(?!1_)\d+)_")
"""Matches names of top-k accuracies, which count a prediction as correct if the true class is among the k most likely."""
_ACCURACY_CLASSES = frozenset({"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"})
"""The Keras metric classes that measure accuracy, whatever name the script gives the metric."""
_MAX_NAMES = 20
_MAX_GROUPS = 10
"""The measurements from one line of a script are divided into at most this many groups for averaging."""
_SKETCH_BYTES = 8 * 1024


class Kind(StrEnum):
    """How a measurement was made: by a method such as evaluate(), by validation during a fit or by cross-validation."""

    EVALUATE = "evaluate"
    SCORE = "score"
    PREDICT = "predict"
    VALIDATION = "validation"
    CROSS_VALIDATION = "cross_validation"


@dataclass(frozen=True)
class Labels:
    """The test labels of one output of a model.

    ``kind``: "classes", "one-hot", "several" (more than one label per row), "numbers" (in a regression), "inputs" (in
    an autoencoder) or "unknown". ``answers``: the number of different labels. ``answer``: the most frequent label.
    ``chance``: the accuracy (0 to 1) of a model that always predicts ``answer``; None if unknown.
    """

    kind: str = "unknown"
    answers: int | None = None
    answer: str = ""
    chance: float | None = None


@dataclass(frozen=True)
class Overlap:
    """Whether the test rows were among the rows that the model was fitted on.

    ``share``: the share of the test rows that the model was fitted on; ``expected``: the share to expect in a clean
    split (both 0 to 1).
    ``new_labels``: the share of the test rows (0 to 1) whose labels are not among the training labels.
    ``redrawn``: whether the test set is drawn anew each time it is read, from rows that may include training rows.
    ``refused``: whether the test is meaningless, because ``share`` is too high or the test set is redrawn.
    ``is_part``: whether the test set is the training set or part of it, rather than a separate set with identical rows.
    ``learned_by``: a class such as SelectKBest that was fitted on the test rows, if the model itself was not; otherwise
    empty. ``learned_on``: the line of that fit; None if unknown.
    ``checked``: whether all rows could be checked; if not, ``unchecked_reason`` says why.
    """

    share: float = 0.0
    expected: float = 0.0
    refused: bool = False
    redrawn: bool = False
    checked: bool = False
    unchecked_reason: str = ""
    new_labels: float = 0.0
    is_part: bool = False
    learned_by: str = ""
    learned_on: int | None = None


@dataclass(frozen=True)
class Measurement:
    """A call to evaluate(), score() or accuracy_score(), a prediction, the validation of a fit, or a cross-validation.

    ``model``: identifies the model within this trial; ``weights``: identifies its weights when it was measured.
    ``measured_by``: for scikit-learn, the name of the estimator's class, or of the measuring function. ``metrics``: the
    measured values by name; ``classes``: each metric's Keras class. ``samples``: the number of test samples;
    ``test_set``: a digest of these samples; either is None if unknown. ``labels``: the labels by output name.
    ``trained``: whether this trial, or one that it resumed from, trained the model; None if unknown. ``is_dummy``:
    whether a DummyClassifier was measured. ``is_r2``: whether the value is the R² of a regression. ``is_selected``:
    whether the features for a cross-validation had been selected using the labels of its rows. ``is_training``: whether
    the value is a cross-validation's mean accuracy on its training folds. ``at``: the time, in seconds since 1970.
    ``folds``: the number of folds in a cross-validation; ``scores``: their scores, at most 100. ``candidates``: the
    number of candidates in a hyperparameter search; 0 for any other measurement. ``line``: the line of the script that
    called evaluate(), score() or a metric; None if unknown. ``is_one_by_one``: whether a loop predicted the rows a few
    at a time. ``outer``: if a scikit-learn estimator used a Keras model to predict, the weights of that estimator;
    otherwise empty. ``outer_call``: identifies the call to the estimator.
    """

    kind: Kind
    model: str
    measured_by: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    samples: int | None = None
    test_set: str | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    weights: str = ""
    trained: bool | None = None
    is_dummy: bool = False
    is_r2: bool = False
    is_selected: bool = False
    is_training: bool = False
    overlap: Overlap = Overlap()
    at: float = 0.0
    folds: int = 0
    scores: Sequence[float] = ()
    candidates: int = 0
    line: int | None = None
    is_one_by_one: bool = False
    outer: str = ""
    outer_call: str = ""

    @property
    def is_across_folds(self) -> bool:
        """Whether the models of several folds were measured together, for example with cross_val_predict()."""
        return self.kind is Kind.CROSS_VALIDATION or (self.trained is None and self.overlap.checked)

    @property
    def has_seen_rows(self) -> bool:
        """Whether more of the test rows were among the training rows than a clean split would yield."""
        return self.overlap.refused or self.overlap.is_part

    @property
    def accuracies(self) -> list[str]:
        """The names of the metrics that are accuracies; if "accuracy" or "acc" is among the metrics, only that name."""
        plain = [name for name in ("accuracy", "acc") if name in self.metrics]
        others = [
            name
            for name in self.metrics
            if (name.endswith(("_accuracy", "_acc")) and not _TOP_K.search(name))
            or self.classes.get(name) in _ACCURACY_CLASSES
        ]
        return plain[:1] or others[:_MAX_NAMES]

    def labels_of(self, metric: str) -> Labels:
        """Return a metric's labels, or ``Labels()`` if its name does not single out one of several outputs."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        named = [labels for output, labels in self.labels.items() if output and metric.startswith(f"{output}_")]
        return named[0] if len(named) == 1 else Labels()


@dataclass(frozen=True)
class Measurements:
    """All measurements that the recorder saw in a trial, in chronological order.

    ``validations``: the validations of fits, by model and fit. ``test_sets``: a sketch of each test set (in the format
    of ``Accuracy.test_rows``), by the digest of the test set. ``epochs``: digests of the weights after each epoch, by
    model and fit. ``last_direct_call``: when the script last called a model directly, in seconds since 1970; 0 if it
    never did. The recorder does not see what such a call returns.
    """

    measurements: tuple[Measurement, ...] = ()
    validations: Mapping[tuple[int, int], Measurement] = field(default_factory=dict)
    test_sets: Mapping[str, bytes] = field(default_factory=dict)
    epochs: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    last_direct_call: float = 0.0

    def is_unchanged_by_fit(self, measurement: Measurement) -> bool:
        """Return whether a measurement was made with weights that a fit had left unchanged."""
        return measurement.trained is False and any(measurement.weights in each for each in self.epochs.values())

    def count_looks(self, test_set: str | None) -> int:
        """Return the number of different models evaluated on a test set, or 1 if there were none.

        Test sets that share at least 5% of their rows count as one. Each state of the weights counts as a model, so
        each epoch that was validated on the test set counts. A scikit-learn estimator and the Keras models inside it
        count as one.
        """
        rows = self.test_sets.get(test_set or "")
        shared = (
            other
            for other, other_rows in self.test_sets.items()
            if rows and estimate_shared_rows(rows, [other_rows]) >= MIN_SHARED
        )
        same_test_sets = {test_set, *shared} - {None}
        tested = [each for each in self.measurements if each.test_set in same_test_sets and not each.is_dummy]
        looks = _find_states(tested)
        for fit, validation in self.validations.items():
            if validation.test_set in same_test_sets:
                looks |= set(self.epochs.get(fit, ()))
        return max(1, len(looks))

    def count_resplits(self, last: Measurement, measurements: Iterable[Measurement]) -> int:
        """Return how many different models in ``measurements`` were tested on other random splits of the data behind ``last``.

        The model of ``last`` counts, too. A test set is from another split if it shares some rows with the test
        set of ``last``, and each of the two also has rows that the other lacks. Rows that repeat in the data do not
        count as shared. Returns 0 if the rows were not checked.
        """
        rows = self.test_sets.get(last.test_set or "")
        if not rows or not last.overlap.checked:
            return 0
        least = MIN_SHARED + last.overlap.share + last.overlap.expected
        splits = {
            other
            for other, other_rows in self.test_sets.items()
            if least <= estimate_shared_rows(rows, [other_rows]) < 1 and estimate_shared_rows(other_rows, [rows]) < 1
        }
        return len(_find_states([last, *(each for each in measurements if each.test_set in splits)]))


def _find_states(measurements: Sequence[Measurement]) -> set[str]:
    """Return an identifier for each state of a model that was measured.

    The state of an estimator with Keras models inside it consists of its own weights and those of the models that it
    used in a call.
    """
    inner: dict[tuple[str, str], set[str]] = {}
    for each in measurements:
        if each.outer:
            inner.setdefault((each.outer, each.outer_call), set()).add(each.weights)
    outer = {weights for weights, _ in inner}
    states = {each.weights for each in measurements if not each.outer and each.weights not in outer}
    return states | {" ".join([weights, *sorted(models)]) for (weights, _), models in inner.items()}


def parse_measurements(metrics_jsonl: str) -> Measurements:
    """Return the measurements in ``metrics.jsonl``. Lines that are incomplete or not from the recorder are skipped."""
    measurements: list[Measurement] = []
    validations: dict[tuple[int, int], Measurement] = {}
    test_sets: dict[str, bytes] = {}
    epochs: dict[tuple[int, int], list[str]] = {}
    last_direct_call = 0.0
    for event in parse_events(metrics_jsonl):
        try:
            kind = event["event"]
            if kind == "test_set":
                test_sets[str(event["id"])[:64]] = _decode_sketch(event["sketch"])
            elif kind == "epoch":
                epochs.setdefault(read_fit_key(event), []).append(keep_printable(event["weights"]))
            elif kind == "called":
                last_direct_call = float(event["time"])
            elif kind == Kind.VALIDATION:
                validations[read_fit_key(event)] = _parse_measurement(event)
            elif kind in tuple(Kind):
                measurements.append(_parse_measurement(event))
        except (*PARSE_ERRORS, binascii.Error):
            continue
    weights = {fit: tuple(dict.fromkeys(each)) for fit, each in epochs.items()}
    return Measurements(tuple(measurements), validations, test_sets, weights, last_direct_call)


def _parse_measurement(event: dict[str, Any]) -> Measurement:
    number, estimator, trained = event.get("model"), event.get("estimator"), event.get("trained")
    weights = keep_printable(event.get("weights") or "")
    model = weights
    if number is not None:
        model = f"model {read_count(number)}"
    elif estimator:
        model = f"estimator {read_count(estimator)}"
    return Measurement(
        kind=Kind(event["event"]),
        model=model,
        measured_by=keep_printable(event.get("of") or ""),
        metrics={keep_printable(name): read_number(value) for name, value in (event.get("metrics") or {}).items()},
        classes={keep_printable(name): keep_printable(value) for name, value in (event.get("kinds") or {}).items()},
        samples=read_samples(event),
        test_set=read_test_set(event),
        labels={keep_printable(name): _parse_labels(value) for name, value in (event.get("labels") or {}).items()},
        weights=weights,
        trained=trained if isinstance(trained, bool) else None,
        is_dummy=event.get("dummy") is True,
        is_r2=event.get("measures") == "r2",
        is_selected=event.get("selected") is True,
        is_training=event.get("training") is True,
        overlap=_parse_overlap(event.get("seen") or {}),
        at=float(event.get("time") or 0.0),
        folds=read_count(event.get("folds") or 0),
        scores=tuple(map(read_number, event.get("scores") or ())),
        candidates=read_count(event.get("candidates") or 0),
        line=read_count(event.get("line") or 0) or None,
        is_one_by_one=event.get("one_by_one") is True,
        outer=keep_printable(event.get("outer") or ""),
        outer_call=keep_printable(event.get("outer_call") or ""),
    )


def _parse_overlap(seen: Mapping[str, Any]) -> Overlap:
    learned = seen.get("learned") or {}
    return Overlap(
        _read_share(seen.get("share", 0.0)),
        _read_share(seen.get("expected", 0.0)),
        seen.get("refused") is True,
        seen.get("redrawn") is True,
        seen.get("checked") is True,
        keep_printable(seen.get("why") or ""),
        _read_share(seen.get("new_labels", 0.0)),
        seen.get("part") is True,
        keep_printable(learned.get("of") or ""),
        read_count(learned.get("line") or 0) or None,
    )


def _parse_labels(value: Mapping[str, Any]) -> Labels:
    chance = value.get("chance")
    answers = value.get("answers")
    return Labels(
        keep_printable(value.get("kind") or "unknown"),
        read_count(answers) if answers is not None else None,
        keep_printable(value.get("answer", "")),
        None if chance is None else _read_share(chance),
    )


def _read_share(value: Any) -> float:
    share = read_number(value)
    if not 0 <= share <= 1:
        raise ValueError(value)
    return share


def _decode_sketch(text: str) -> bytes:
    sketch = base64.b64decode(text, validate=True)
    if len(sketch) > _SKETCH_BYTES or len(sketch) % 8:
        raise ValueError("not a sketch")
    return sketch


def count_models(measurements: Iterable[Measurement]) -> int:
    """Return how many different models were evaluated."""
    return len({each.model for each in measurements})


def group_for_averages(measurements: Sequence[Measurement]) -> Iterator[Sequence[Measurement]]:
    """Yield the groups of measurements whose average a script may state, such as those of the folds of each model.

    One group contains all measurements. For the other groups, the measurements made on each line of the script are
    divided, in every possible way, into at most ``_MAX_GROUPS`` successive groups of equal size.
    """
    by_line: dict[tuple[Kind, int | None], list[Measurement]] = {}
    for each in measurements:
        by_line.setdefault((each.kind, each.line), []).append(each)
    if len(by_line) > 1:
        yield measurements
    for found in by_line.values():
        for count in range(1, _MAX_GROUPS + 1):
            size, rest = divmod(len(found), count)
            if size > 1 and not rest:
                yield from (found[start : start + size] for start in range(0, len(found), size))


def find_latest(measurements: Sequence[Measurement]) -> Measurement | None:
    """Return the latest measurement that was made on enough samples; None if there are no measurements.

    Measurements on less than a tenth of the largest number of samples are left out. A score for predictions of
    unknown origin is left out, too, if a trained model was tested on more samples: such a score covers only part of the
    test set.
    """
    max_samples = max((each.samples or 0 for each in measurements), default=0)
    max_trained_samples = max((each.samples or 0 for each in measurements if each.trained), default=0)
    large = [
        each
        for each in measurements
        if not each.samples
        or (
            each.samples * 10 >= max_samples
            and (each.trained or each.kind is not Kind.SCORE or each.samples >= max_trained_samples)
        )
    ]
    return max(enumerate(large), key=lambda pair: (pair[1].at, pair[0]))[1] if large else None
