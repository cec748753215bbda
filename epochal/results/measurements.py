"""Parse the recorder's measurements: of which network, on which rows, and whether it was fitted on these. No I/O."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from epochal.results.known_rows import SAME, share_seen
from epochal.results.metrics import UNREADABLE, count_of, events, fit_of, number, one_line, samples_of, test_set_of

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""Matches top-k metrics. They are called accuracy, too, but count an answer as right if it is among the best k."""
_MOST_NAMES = 20
_SKETCH_BYTES = 8 * 1024


class Kind(StrEnum):
    """The kind of a measurement: the method that made it, or the validation of a fit."""

    EVALUATE = "evaluate"
    SCORE = "score"
    PREDICT = "predict"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Labels:
    """The test labels of one output of a network.

    ``kind``: "classes", "one-hot", "several" (labels per row), "numbers" (a regression's), "inputs" (an autoencoder's)
    or "unknown". ``answers``: the number of different labels. ``answer``: the most frequent label. ``chance``: the
    accuracy (0 to 1) of always giving ``answer``; None if that is not known.
    """

    kind: str = "unknown"
    answers: int | None = None
    answer: str = ""
    chance: float | None = None


@dataclass(frozen=True)
class Seen:
    """Whether the test rows were among the rows that the network was fitted on.

    ``share``: the share of test rows that were; ``expected``: the share that a clean split would show (both 0 to 1).
    ``redrawn``: the test set is drawn anew at each reading, from rows that may have been fitted. ``refused``: the test
    says nothing, because ``share`` is too high or the test set is redrawn. ``checked``: whether all rows are known; if
    not, ``why`` says why.
    """

    share: float = 0.0
    expected: float = 0.0
    refused: bool = False
    redrawn: bool = False
    checked: bool = False
    why: str = ""


@dataclass(frozen=True)
class Measurement:
    """One evaluate(), score() or accuracy_score(), one prediction, or the validation of a fit.

    ``network``: identifies the network within its training; ``weights``: identifies its weights at the time. ``of``:
    for scikit-learn, the name of the estimator's class, or of the function that measured. ``metrics``: the measured
    values by name; ``classes``: the class of each metric. ``samples``: the number of test samples; ``test_set``: the
    digest of their rows; None if not known. ``labels``: by the name of the output. ``trained``: whether this run
    trained the network; None if that is not known. ``is_dummy``: a DummyClassifier was measured. ``is_r2``: the value
    is the R² of a regression. ``at``: the time, in seconds since 1970.
    """

    kind: Kind
    network: str
    of: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    samples: int | None = None
    test_set: str | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    weights: str = ""
    trained: bool | None = None
    is_dummy: bool = False
    is_r2: bool = False
    seen: Seen = Seen()
    at: float = 0.0

    @property
    def accuracies(self) -> list[str]:
        """The names of the metrics that are accuracies; only the one called accuracy or acc, if there is one."""
        plain = [name for name in ("accuracy", "acc") if name in self.metrics]
        others = [name for name in self.metrics if name.endswith("_accuracy") and not _TOP_K.search(name)]
        return plain[:1] or others[:_MOST_NAMES]

    def labels_of(self, metric: str) -> Labels:
        """Return the labels that the metric of this name was computed from; unknown ones if no single output fits."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        named = [labels for output, labels in self.labels.items() if output and metric.startswith(f"{output}_")]
        return named[0] if len(named) == 1 else Labels()


@dataclass(frozen=True)
class Measured:
    """All measurements that the recorder saw in a training, in chronological order.

    ``validations``: those of fits, by the numbers of model and fit. ``test_sets``: the sketch of each test set by its
    digest, in the format of ``Accuracy.test_rows``. ``epochs``: digests of the weights after each epoch, by model and
    fit. ``called``: when nn.py last called a network directly, in seconds since 1970; 0 if it did not. The recorder
    does not see the answers of such a call.
    """

    measurements: tuple[Measurement, ...] = ()
    validations: Mapping[tuple[int, int], Measurement] = field(default_factory=dict)
    test_sets: Mapping[str, bytes] = field(default_factory=dict)
    epochs: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    called: float = 0.0

    def looks_at(self, test_set: str | None) -> int:
        """Return how many different networks were compared with a test set, at least 1.

        Test sets that share at least 5 % of their rows count as one. Each state of the weights counts as a network, so
        each epoch that was validated on the test set counts.
        """
        rows = self.test_sets.get(test_set or "")
        shared = (other for other, theirs in self.test_sets.items() if rows and share_seen(rows, [theirs]) >= SAME)
        same = {test_set, *shared} - {None}
        looks = {each.weights for each in self.measurements if each.test_set in same and not each.is_dummy}
        for fit, validation in self.validations.items():
            if validation.test_set in same:
                looks |= set(self.epochs.get(fit, ()))
        return max(1, len(looks))


def parse_measured(metrics_jsonl: str) -> Measured:
    """Return the measurements in ``metrics.jsonl``. Lines that are incomplete or not the recorder's are skipped."""
    measurements: list[Measurement] = []
    validations: dict[tuple[int, int], Measurement] = {}
    test_sets: dict[str, bytes] = {}
    epochs: dict[tuple[int, int], list[str]] = {}
    called = 0.0
    for event in events(metrics_jsonl):
        try:
            kind = event["event"]
            if kind == "test_set":
                test_sets[str(event["id"])[:64]] = _sketch(event["sketch"])
            elif kind == "epoch":
                epochs.setdefault(fit_of(event), []).append(one_line(event["weights"]))
            elif kind == "called":
                called = float(event["time"])
            elif kind == Kind.VALIDATION:
                validations[fit_of(event)] = _measurement(event)
            elif kind in tuple(Kind):
                measurements.append(_measurement(event))
        except (*UNREADABLE, binascii.Error):
            continue
    weights = {fit: tuple(dict.fromkeys(each)) for fit, each in epochs.items()}
    return Measured(tuple(measurements), validations, test_sets, weights, called)


def _measurement(event: dict[str, Any]) -> Measurement:
    seen = event.get("seen") or {}
    model, estimator, trained = event.get("model"), event.get("estimator"), event.get("trained")
    weights = one_line(event.get("weights") or "")
    network = weights
    if model is not None:
        network = f"model {count_of(model)}"
    elif estimator:
        network = f"estimator {count_of(estimator)}"
    return Measurement(
        kind=Kind(event["event"]),
        network=network,
        of=one_line(event.get("of") or ""),
        metrics={one_line(name): number(value) for name, value in (event.get("metrics") or {}).items()},
        classes={one_line(name): one_line(value) for name, value in (event.get("kinds") or {}).items()},
        samples=samples_of(event),
        test_set=test_set_of(event),
        labels={one_line(name): _labels(value) for name, value in (event.get("labels") or {}).items()},
        weights=weights,
        trained=trained if isinstance(trained, bool) else None,
        is_dummy=event.get("dummy") is True,
        is_r2=event.get("measures") == "r2",
        seen=Seen(
            _share(seen.get("share", 0.0)),
            _share(seen.get("expected", 0.0)),
            seen.get("refused") is True,
            seen.get("redrawn") is True,
            seen.get("checked") is True,
            one_line(seen.get("why") or ""),
        ),
        at=float(event.get("time") or 0.0),
    )


def _labels(value: Mapping[str, Any]) -> Labels:
    chance = value.get("chance")
    answers = value.get("answers")
    return Labels(
        one_line(value.get("kind") or "unknown"),
        count_of(answers) if answers is not None else None,
        one_line(value.get("answer", "")),
        None if chance is None else _share(chance),
    )


def _share(value: Any) -> float:
    share = number(value)
    if not 0 <= share <= 1:
        raise ValueError(value)
    return share


def _sketch(text: str) -> bytes:
    sketch = base64.b64decode(text, validate=True)
    if len(sketch) > _SKETCH_BYTES or len(sketch) % 8:
        raise ValueError("no sketch")
    return sketch


def networks_of(measurements: Iterable[Measurement]) -> int:
    """Return how many different networks were measured."""
    return len({each.network for each in measurements})


def last_of(measurements: Sequence[Measurement]) -> Measurement | None:
    """Return the latest measurement of those on enough samples; None if there are no measurements.

    A measurement on less than a tenth of the largest number of samples is left out. So is the score of answers of
    unknown origin on fewer samples than a trained network was tested on, because it covers only a part of the test set.
    """
    most = max((each.samples or 0 for each in measurements), default=0)
    tested = max((each.samples or 0 for each in measurements if each.trained), default=0)
    big = [
        each
        for each in measurements
        if not each.samples
        or (each.samples * 10 >= most and (each.trained or each.kind is not Kind.SCORE or each.samples >= tested))
    ]
    return max(enumerate(big), key=lambda pair: (pair[1].at, pair[0]))[1] if big else None
