"""Measurements that the recorder saw: on which rows, and by a network that was fitted on which. Values in, values out."""

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
"""A metric that counts a right answer among the best k is called accuracy too, and is none."""
_MOST_NAMES = 20
_SKETCH_BYTES = 8 * 1024


class Kind(StrEnum):
    """What made a measurement."""

    EVALUATE = "evaluate"
    SCORE = "score"
    PREDICT = "predict"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Labels:
    """The test labels of one output: "classes", "one-hot", "several" (labels a row), "numbers", "inputs" or "unknown".

    ``chance``: what always giving ``answer`` would score (0 to 1); None if that is not known. ``answers``: how many
    different ones there are.
    """

    kind: str = "unknown"
    answers: int | None = None
    answer: str = ""
    chance: float | None = None


@dataclass(frozen=True)
class Seen:
    """What the test rows say against the rows that the network was fitted on.

    ``share``: of the test rows, that were fitted; ``expected``: the share that a clean split would show (both 0 to 1).
    ``refused``: the test says nothing for that, or because it is ``redrawn``, from rows that may have been fitted, at each
    reading. ``checked``: whether all rows are known; if not, ``why`` not.
    """

    share: float = 0.0
    expected: float = 0.0
    refused: bool = False
    redrawn: bool = False
    checked: bool = False
    why: str = ""


@dataclass(frozen=True)
class Measurement:
    """One evaluate(), score() or accuracy_score(), prediction, or the validation of a fit.

    ``network`` tells the networks of a training apart, ``weights`` what they had learned at the time; ``of``: the name of
    its class, or of the function that measured. ``metrics``: what was measured; ``classes``: the class of each metric.
    ``trained``: whether this run did; None if that is not known. ``is_r2``: it is a regression's.
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
        """The names of its metrics that are accuracies: the one called accuracy or acc alone, if there is one."""
        plain = [name for name in ("accuracy", "acc") if name in self.metrics]
        others = [name for name in self.metrics if name.endswith("_accuracy") and not _TOP_K.search(name)]
        return plain[:1] or others[:_MOST_NAMES]

    def labels_of(self, metric: str) -> Labels:
        """Return the labels that the metric of this name compares with."""
        if len(self.labels) == 1:
            return next(iter(self.labels.values()))
        named = [labels for output, labels in self.labels.items() if output and metric.startswith(f"{output}_")]
        return named[0] if len(named) == 1 else Labels()


@dataclass(frozen=True)
class Measured:
    """All that the recorder saw of a training's measurements, in order of time.

    ``validations``: by model and fit. ``test_sets``: the smallest hashes of the rows of each (see Accuracy.test_rows).
    ``epochs``: by model and fit, what tells the weights after each epoch from others. ``called``: when nn.py called a network
    directly, which answered nobody knows what; 0 if it did not.
    """

    measurements: tuple[Measurement, ...] = ()
    validations: Mapping[tuple[int, int], Measurement] = field(default_factory=dict)
    test_sets: Mapping[str, bytes] = field(default_factory=dict)
    epochs: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    called: float = 0.0

    def looks_at(self, test_set: str | None) -> int:
        """Return how many different networks were compared with a test set, or one that shares rows with it; at least 1."""
        rows = self.test_sets.get(test_set or "")
        shared = (other for other, theirs in self.test_sets.items() if rows and share_seen(rows, [theirs]) >= SAME)
        same = {test_set, *shared} - {None}
        looks = {each.weights for each in self.measurements if each.test_set in same and not each.is_dummy}
        for fit, validation in self.validations.items():
            if validation.test_set in same:
                looks |= set(self.epochs.get(fit, ()))
        return max(1, len(looks))


def parse_measured(metrics_jsonl: str) -> Measured:
    """Return the measurements in ``metrics.jsonl``; lines that are not whole, or not the recorder's, are passed over."""
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
    """Return the last in time of measurements; None if there are none.

    Those on less than a tenth of the most samples do not count, nor a comparison of whoever's answers on fewer samples than
    a network of this training was tested on: it is of a part of them.
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
