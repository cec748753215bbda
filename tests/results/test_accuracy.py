"""How the accuracy of a trial is chosen: the order of the sources, and the numbers that are refused."""

import ast
import base64
import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.findings import Finding, find_leaks
from epochal.analysis.findings.source import parse_source
from epochal.analysis.percentages import Percentages, find_percentages
from epochal.errors import Reason, RunFailed
from epochal.records import Epoch
from epochal.results.accuracy import Choice, Findings, choose_accuracy, explain_empty_test
from epochal.results.measurements import parse_measurements
from epochal.results.metrics import parse_epochs, parse_fits
from epochal.results.written import WrittenFile
from tests.printing import printed

_EPOCH = {"event": "epoch", "model": 1, "call": 1, "epoch": 20, "epochs": 20, "seconds": 0.4}
_EPOCHS = [
    {"event": "fit", "model": 1, "call": 1, "epochs": 20, "continued": 0, "why": "", "history": {}},
    _EPOCH | {"metrics": {"accuracy": 0.9, "val_accuracy": 0.7}},
]
_CLEAN = {"rows": 360, "share": 0.0, "expected": 0.0, "refused": False, "checked": True, "why": ""}
_SEEN = _CLEAN | {"share": 0.8, "expected": 0.02, "refused": True}
_SAME = _SEEN | {"share": 1.0, "part": True}
_CLASSES = {"": {"kind": "classes", "answers": 10, "answer": "3", "chance": 0.1, "by_element": False}}


def _make_event(accuracy: float, event: str = "evaluate", **changes: Any) -> dict[str, Any]:
    """Return a measurement as the recorder writes it."""
    origin = {"model": 1} if event == "evaluate" else {"of": "MLPClassifier", "dummy": False}
    facts = {"samples": 360, "test_set": "1f0c", "weights": "a", "trained": True, "seen": _CLEAN, "labels": _CLASSES}
    return {"event": event, "metrics": {"accuracy": accuracy}, "time": 1.0} | origin | facts | changes


def _choose(
    *events: dict[str, Any],
    log: str = "",
    written: str | None = None,
    metric: str = "",
    repeated: bool = False,
    files: dict[str, str] | None = None,
    percentages: Percentages | None = None,
    leaks: Sequence[Finding] = (),
) -> Choice:
    metrics = "".join(json.dumps(event) + "\n" for event in events)
    results = [WrittenFile(name, text) for name, text in (files or {}).items()]
    recorded, units = parse_measurements(metrics), percentages or Percentages()
    findings = Findings(written, recorded, printed(log), parse_fits(metrics), results, units, leaks=leaks)
    return choose_accuracy(findings, metric, repeated_rows=repeated)


def _read_accuracy(*events: dict[str, Any], **options: Any) -> tuple[float, str]:
    """Return the accuracy to judge and its source."""
    accuracy = _choose(*events, **options).accuracy
    return accuracy.value, accuracy.source.value


def _explain_refusal(*events: dict[str, Any], **options: Any) -> str:
    """Return why there is no accuracy; fail if there is one."""
    with pytest.raises(RunFailed) as failure:
        _choose(*events, **options)
    assert failure.value.reason is Reason.NO_ACCURACY
    return failure.value.explanation


def _read_failure(accuracy_json: str | None, log: str = "") -> tuple[Reason, str]:
    """Return the reason for the failure and its explanation; fail if there is an accuracy."""
    with pytest.raises(RunFailed) as failure:
        _choose(log=log, written=accuracy_json)
    return failure.value.reason, failure.value.explanation


@pytest.mark.parametrize(
    ("written", "log", "events", "expected"),
    [
        ('{"accuracy": 0.6}', "Test accuracy: 0.8", [_make_event(0.75), *_EPOCHS], (0.6, "accuracy.json")),
        (None, "Test accuracy: 0.8", [_make_event(0.75), *_EPOCHS], (0.75, "evaluate")),
        (None, "Test accuracy: 0.8", _EPOCHS, (0.8, "output")),
        (None, "All is well", _EPOCHS, (0.7, "val_accuracy")),
        # A 32-bit float is read as the shortest decimal that represents it.
        (None, "", [_make_event(0.8999999761581421)], (0.9, "evaluate")),
        # The recorder wrote this accuracy.json, so the event counts instead.
        ('{"accuracy": 0.6, "source": "evaluate"}', "", [_make_event(0.75)], (0.75, "evaluate")),
        ('{"accuracy": 1, "source": "my own"}', "", [], (1.0, "accuracy.json")),
    ],
)
def test_first_available_source_counts(
    written: str | None, log: str, events: list[dict[str, Any]], expected: tuple[float, str]
) -> None:
    """accuracy.json takes precedence over measurements, and those over printed lines; val_accuracy comes last."""
    assert _read_accuracy(*events, log=log, written=written) == expected


def test_last_measurement_counts_whichever_library_made_it() -> None:
    """A script may measure a scikit-learn classifier after a Keras model, or the other way round."""
    model, svm = _make_event(0.4, time=1.0), _make_event(0.9, "score", weights="b", time=2.0)
    assert _read_accuracy(model, svm) == (0.9, "score")
    assert _read_accuracy(svm, model | {"time": 3.0}) == (0.4, "evaluate")


def test_measurement_on_less_than_a_tenth_of_the_samples_does_not_count() -> None:
    """After the test, a script may demonstrate its model on a few samples."""
    assert _read_accuracy(_make_event(0.8), _make_event(1.0, samples=35, time=2.0))[0] == 0.8
    assert _read_accuracy(_make_event(0.8), _make_event(1.0, samples=36, time=2.0))[0] == 1.0


def test_network_of_unknown_origin_does_not_count_beside_a_trained_one() -> None:
    """set_weights() may have loaded a model from a file. Alone it counts, as a loop in nn.py may have trained it."""
    unknown = _make_event(1.0, model=2, weights="b", trained=None, time=2.0)
    assert _read_accuracy(_make_event(0.4), unknown)[0] == 0.4
    assert _read_accuracy(unknown)[0] == 1.0


def test_score_of_unknown_origin_belongs_to_predictions_for_as_many_rows() -> None:
    """A script may average the predictions of five models, or apply a threshold, before it calls accuracy_score()."""
    predictions = [
        _make_event(0.0, "predict", metrics={}, labels={}, seen=_SEEN, weights=str(fold)) for fold in range(5)
    ]
    mean = _make_event(0.95, "score", trained=None, seen=_CLEAN | {"checked": False}, time=2.0)
    assert "80% of the test rows" in _explain_refusal(*predictions, mean)
    assert _read_accuracy(*predictions, _make_event(0.0, "predict", metrics={}, labels={}), mean)[0] == 0.95
    assert _read_accuracy(*predictions, mean | {"samples": 400})[0] == 0.95


def test_printed_number_has_the_labels_measured_on_the_same_rows() -> None:
    """The number is refused if the labels belong to a regression; if they are classes, the chance level is known."""
    prediction, line = _make_event(0.0, "predict", metrics={}, labels={}, time=2.0), "Test accuracy: 0.8316"
    regression = _make_event(0.91, labels={"": {"kind": "numbers"}})
    assert "a regression" in _explain_refusal(regression, prediction, log=line)
    assert _read_accuracy(regression, prediction | {"test_set": "other"}, log=line) == (0.8316, "output")
    loss = _make_event(0.0, metrics={"loss": 0.4})
    assert _choose(loss, prediction, log=line).accuracy.evidence.chance == 0.1


def test_printed_loss_is_no_accuracy() -> None:
    """evaluate() returns only the loss if the model has no metrics, but a later accuracy may happen to equal it."""
    loss, line = _make_event(0.0, metrics={"loss": 0.1536}, line=12), "Test accuracy: 0.1536"
    assert "evaluate() on line 12 of nn.py did not measure accuracy (metrics: loss)" in _explain_refusal(loss, log=line)
    assert _read_accuracy(*_EPOCHS, loss, log=line) == (0.7, "val_accuracy")
    written = _explain_refusal(*_EPOCHS, loss, written='{"accuracy": 0.1536}')
    assert written.endswith(
        'the loss that evaluate() on line 12 returned. Compile the model with metrics=["accuracy"], and report the '
        "accuracy that evaluate() then returns."
    )
    squared = _make_event(0.0, metrics={"loss": 0.1536, "mae": 0.3}, labels={"": {"kind": "numbers"}})
    assert "(metrics: loss, mae). Measure the accuracy of a classifier, or count the predictions" in _explain_refusal(
        squared, log=line
    )
    assert _read_accuracy(_make_event(0.1536, metrics={"loss": 0.1536, "accuracy": 0.1536}), log=line)[0] == 0.1536
    later = _make_event(0.0, "predict", metrics={}, labels={}, time=2.0)
    assert _read_accuracy(loss, later, log="Test accuracy: 0.15") == (0.15, "output")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("auc", "AUC", "the AUC"),
        ("recall_1", "Recall", "the Recall"),
        ("mae", "MeanAbsoluteError", "the MeanAbsoluteError"),
        ("mean_squared_error", None, "the mean_squared_error"),
    ],
)
def test_stated_metric_that_is_no_accuracy_is_refused(name: str, kind: str | None, said: str) -> None:
    """The second value that evaluate() returns may be called accuracy; predictions may yield the same number."""
    kinds = {name: kind} if kind else {}
    event = _make_event(0.0, metrics={"loss": 0.3, name: 0.9613}, kinds=kinds, line=14)
    why = (
        f"nn.py reports 0.9613 as its accuracy, but that is {said} that evaluate() on line 14 returned. "
        'Compile the model with metrics=["accuracy"], and report the accuracy that evaluate() then returns.'
    )
    log, written = "Test accuracy: 0.9613", '{"accuracy": 0.9613}'
    assert _explain_refusal(event, written=written) == why
    assert _explain_refusal(event, log=log) == why
    assert "did not measure accuracy (metrics: loss, " in _explain_refusal(event)
    assert "metric =" not in _explain_refusal(event)
    assert _read_accuracy(event, log="Test accuracy: 0.9413") == (0.9413, "output")
    for source in (_make_event(0.0, "predict", metrics={}, labels={}), {"event": "called", "time": 0.5}):
        assert _read_accuracy(source, event, log=log) == (0.9613, "output")


def test_stated_metric_that_may_be_an_accuracy_counts() -> None:
    """A script's own metric may measure an accuracy and happen to equal the recall."""
    metrics = {"loss": 0.3, "recall": 1.0, "share_right": 1.0}
    event = _make_event(0.0, metrics=metrics, kinds={"recall": "Recall", "share_right": "ShareRight"})
    assert _read_accuracy(event, log="Test accuracy: 1.000") == (1.0, "output")


def test_share_of_close_predictions_counts_for_a_regression() -> None:
    """The script writes it to accuracy.json or prints "within", and the test rows must not be training rows."""
    prediction = _make_event(0.0, "predict", metrics={}, labels={"": {"kind": "numbers"}})
    written = '{"accuracy": 0.91}'
    accuracy = _choose(prediction, _R2, written=written).accuracy
    assert (accuracy.value, accuracy.samples, accuracy.evidence.checked) == (0.91, 360, True)
    targets = {"": {"kind": "numbers", "answer": "72", "chance": 0.04}}
    assert _choose(prediction | {"labels": targets}, _R2, written=written).accuracy.evidence.chance is None
    whole = _choose(prediction | {"labels": {}}, _R2 | {"labels": _CLASSES}, written=written).accuracy.evidence
    assert (whole.chance, whole.answer) == (None, "")
    assert "80% of the test rows" in _explain_refusal(prediction | {"seen": _SEEN}, written=written)
    assert "R²" in _explain_refusal(prediction, _R2, written='{"accuracy": 0.44}')
    assert "a regression" in _explain_refusal(prediction, log="Test accuracy: 0.91")
    assert _read_accuracy(prediction, _R2, log="R2: 0.44\nTest accuracy (within 3): 0.91") == (0.91, "output")
    assert _read_accuracy(prediction, _R2, log="10:11:12 Accuracy within 25 %: 91.0%") == (0.91, "output")
    assert "R²" in _explain_refusal(prediction, _R2, log="Test accuracy (within 3): 0.44")
    assert "mean would miss the threshold" in _explain_refusal(prediction, _R2)


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("R2: 0.44", "not an accuracy. Measure"),
        ("Test accuracy: 0.44", "not an accuracy. Measure"),
        (
            "Test accuracy: 0.91",
            "not an accuracy, and the line 'Test accuracy: 0.91' may state another regression metric",
        ),
        (
            "R2 0.44, accuracy: 0.91",
            "and the line 'R2 0.44, accuracy: 0.91' is in a format that Epochal does not recognise.",
        ),
    ],
)
def test_refusal_of_r2_names_a_line_that_does_not_count(log: str, why: str) -> None:
    """The developer then knows why the accuracy that was printed beside R² did not count."""
    targets = {"": {"kind": "numbers", "answer": "72", "chance": 0.04}}
    prediction = _make_event(0.0, "predict", metrics={}, labels=targets)
    assert why in _explain_refusal(prediction, _R2, log=log)


def test_score_on_a_part_of_the_test_set_does_not_count() -> None:
    """After scoring the whole test set, a script may call accuracy_score() for each group of people in it."""
    group = _make_event(0.7, "score", samples=180, trained=None, test_set="other", time=2.0)
    assert _read_accuracy(_make_event(0.8, "score"), group)[0] == 0.8
    assert _read_accuracy(_make_event(0.8, "score"), group | {"samples": 360})[0] == 0.7
    assert _read_accuracy(group)[0] == 0.7
    resampled = group | {"samples": 360}
    assert _read_accuracy(_make_event(0.8, "score"), resampled, log="Test accuracy: 0.800")[0] == 0.8


_R2 = _make_event(0.44, "score", measures="r2", line=11)
_LOADED = _make_event(0.97, trained=False)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (
            _make_event(1.0, seen=_SEEN),
            "80% of the test rows are identical to training rows (a clean split would yield 2%), so a model may have memorised",
        ),
        (_make_event(1.0, seen=_SEEN | {"share": 0.9956}), "99.6% of the test rows are identical to training rows (a"),
        (_make_event(1.0, seen=_SEEN | {"share": 0.9951, "expected": 0}), "99.5% of the test rows are identical to"),
        (
            _make_event(1.0, "score", seen=_SEEN | {"share": 0.9993}, one_by_one=True),
            "99.9% of the rows that were predicted one by one",
        ),
        (_make_event(1.0, seen=_SEEN | {"redrawn": True}), "includes training rows and changes each time it is read"),
        (
            _R2,
            "nn.py measured 0.44 on line 11. This is R² from a regressor's score() or from r2_score(), not an accuracy",
        ),
        (_R2, '$EPOCHAL_OUT/accuracy.json, for example {"accuracy": 0.83}.'),
        (_LOADED, "evaluated only a model that it loaded"),
        (_make_event(0.9, "score", dummy=True), "DummyClassifier"),
        (_make_event(1.0, "score", seen=_SEEN, one_by_one=True), "80% of the rows that were predicted one by one"),
        (_make_event(0.0, labels={"": {"kind": "numbers"}}), "a regression"),
        (_make_event(0.0, labels={"": {"kind": "inputs"}}), "the inputs themselves"),
        (
            _make_event(1.0, labels={"": {"kind": "classes", "answers": 1, "answer": "no", "chance": 1.0}}),
            "All test labels",
        ),
        (_make_event(0.9, labels={"": {"kind": "several"}}), "accuracy_score(y_test"),
        (
            _make_event(0.9, labels={"": {"kind": "one-hot"}}, kinds={"accuracy": "BinaryAccuracy"}),
            "categorical_accuracy",
        ),
    ],
)
def test_unsound_measurement_is_refused(event: dict[str, Any], why: str) -> None:
    """A printed or written number that equals the measurement is refused too, but every other source still counts."""
    value = event["metrics"]["accuracy"]
    assert why in _explain_refusal(event)
    assert why in _explain_refusal(event, log=f"Test accuracy: {value:.3f}")
    assert why in _explain_refusal(event, log=f"Accuracy: {100 * value:.2f}")
    assert why in _explain_refusal(event, written=json.dumps({"accuracy": value}))
    sound = _make_event(0.5, time=0.5)
    assert _read_accuracy(sound, event) == (0.5, "evaluate")
    assert _read_accuracy(sound, event, log="Test accuracy: 0.500") == (0.5, "evaluate")
    assert _read_accuracy(event, log="Test accuracy: 0.618") == (0.618, "output")
    assert _read_accuracy(event, *_EPOCHS) == (0.7, "val_accuracy")


_VALIDATION_EVENT = _make_event(0.7, "validation", model=1, call=1, metrics={})


def test_trained_rows_count_if_the_repository_accepts_them() -> None:
    """The setting repeated_rows = true in epochal.toml accepts such rows, and the evidence mentions this.

    The setting is neither offered nor obeyed if the test set is the training set or a part of it.
    """
    assert "repeated_rows = true" in _explain_refusal(_make_event(0.9, seen=_SEEN))
    assert "repeated_rows" not in _explain_refusal(_make_event(0.9, seen=_SEEN, one_by_one=True))
    same_rows = _make_event(0.9, seen=_SAME)
    for accepted in (False, True):
        explanation = _explain_refusal(same_rows, repeated=accepted)
        assert "All test rows" in explanation and "train_test_split()" in explanation
        assert "repeated_rows" not in explanation
    accuracy = _choose(_make_event(0.9, seen=_SEEN), repeated=True).accuracy
    assert (accuracy.value, accuracy.evidence.accepted, accuracy.evidence.seen) == (0.9, True, 0.8)
    assert not _choose(_make_event(0.9), repeated=True).accuracy.evidence.accepted
    equal = _make_event(0.9, seen=_SEEN | {"share": 1.0})
    assert _explain_refusal(equal) == (
        "All test rows are identical to training rows (a clean split would yield 2%), so a model may have memorised them. "
        "Keep the test rows out of the training data, or, if the data naturally has repeated rows, set repeated_rows = true "
        "in epochal.toml."
    )
    assert _choose(equal, repeated=True).accuracy.value == 0.9


def test_training_set_is_refused_even_if_its_rows_repeat() -> None:
    """A clean split of such data would also have only test rows that equal training rows."""
    seen = _CLEAN | {"share": 1.0, "expected": 0.997}
    assert _choose(_make_event(0.9, seen=seen)).accuracy.value == 0.9
    for accepted in (False, True):
        assert "train_test_split()" in _explain_refusal(_make_event(0.9, seen=seen | {"part": True}), repeated=accepted)


@pytest.mark.parametrize(
    ("epochs", "event", "line", "explanation"),
    [
        (
            [],
            _make_event(0.9, "score"),
            11,
            "SelectKBest, which is fitted on line 11 of nn.py, has learned from the labels of all test rows, so the accuracy on "
            "them is meaningless. Fit SelectKBest only on the training rows or, in a loop over folds, only on the training rows of "
            "each fold.",
        ),
        (
            _EPOCHS,
            _VALIDATION_EVENT,
            None,
            "SelectKBest has learned from the labels of all validation rows, so the accuracy on them is meaningless. Split off "
            "the validation rows first, fit SelectKBest on the other rows, and pass the validation rows to fit() as "
            "validation_data.",
        ),
    ],
)
def test_selector_that_was_fitted_on_the_test_rows_is_named(
    epochs: list[dict[str, Any]], event: dict[str, Any], line: int | None, explanation: str
) -> None:
    """The model itself was fitted on other rows, so splitting the data once more is no remedy."""
    seen = _SEEN | {"share": 1.0, "learned": {"of": "SelectKBest", "line": line}}
    for accepted in (False, True):
        assert _explain_refusal(*epochs, event | {"seen": seen}, repeated=accepted) == explanation


_COPIES = Finding("copied_before_split", "nn.py", 10, "It repeats rows.", "Split first.")


@pytest.mark.parametrize(
    ("share", "expected", "refused", "shown"),
    [(0.8, 0.02, True, "80% of the"), (1.0, 0.9, False, "All"), (0.642, 0.624, False, "64% of the")],
)
def test_call_that_copies_rows_is_named(share: float, expected: float, refused: bool, shown: str) -> None:
    """The remedy is to correct the call that ``epochal check`` found, even if such data seems to have repeated rows."""
    seen = _CLEAN | {"share": share, "expected": expected, "refused": refused}
    recorded = parse_measurements(json.dumps(_make_event(0.9, seen=seen)))
    with pytest.raises(RunFailed) as failure:
        choose_accuracy(Findings(None, recorded, printed(""), leaks=(_COPIES,)))
    assert failure.value.explanation == (
        f"{shown} test rows were also used in training, so the accuracy on them is meaningless. nn.py line 10: Split first."
    )


@pytest.mark.parametrize("event", ["score", "predict"])
@pytest.mark.parametrize(("expected", "refused"), [(0.02, True), (0.624, False)])
def test_rows_copied_before_predictions_are_refused(event: str, expected: float, refused: bool) -> None:
    """The line and the remedy are those of the finding; repeated_rows = true does not make copies natural."""
    seen = _CLEAN | {"share": 0.642, "expected": expected, "refused": refused}
    answers = _make_event(0.95, event, trained=None, seen=seen) | ({"metrics": {}} if event == "predict" else {})
    leak = Finding("copied_before_predictions", "nn.py", 4, "The rows are copied.", "Pass the original rows.")
    findings = Findings(None, parse_measurements(json.dumps(answers)), printed("Accuracy: 0.95"), leaks=(leak,))
    for repeated_rows in (False, True):
        with pytest.raises(RunFailed) as failure:
            choose_accuracy(findings, repeated_rows=repeated_rows)
        assert failure.value.explanation == (
            "64% of the test rows were also used in training, so the accuracy on them is meaningless. nn.py line 4: "
            "Pass the original rows."
        )


def test_copies_that_did_not_reach_the_test_rows_are_accepted() -> None:
    """A few equal rows may be natural, and the copied rows may belong to another data set."""
    seen = _CLEAN | {"share": 0.04, "expected": 0.05}
    recorded = parse_measurements(json.dumps(_make_event(0.9, seen=seen)))
    assert choose_accuracy(Findings(None, recorded, printed(""), leaks=(_COPIES,))).accuracy.value == 0.9


def test_model_that_fit_left_unchanged_is_refused_with_the_reason() -> None:
    """All its layers may be frozen. A model that was loaded after the fit has other weights than the fit's epochs."""
    unchanged = _make_event(0.7, trained=False)
    fit = [_EPOCHS[0], _EPOCHS[1] | {"metrics": {}, "weights": "a"}]
    assert _explain_refusal(*fit, unchanged).startswith("fit() did not change the weights of the model")
    assert "a model that it loaded" in _explain_refusal(*fit, unchanged | {"weights": "b"})
    assert _read_accuracy(*fit, unchanged | {"trained": True})[0] == 0.7


def test_training_accuracy_alone_is_no_refused_test() -> None:
    """The script has predicted its test rows, too, but it writes only its training accuracy to a file."""
    test = _make_event(0.0, "predict", metrics={}, labels={})
    training = test | {"seen": _SAME, "test_set": "2e1d", "time": 2.0}
    assert _explain_refusal(test, training).startswith("nn.py finished but reported no accuracy")
    assert "lists several numbers" in _explain_refusal(test, training, log="Test loss | acc: 0.93 | 0.5")
    assert "All test rows" in _explain_refusal(training)
    assert "All test rows" in _explain_refusal(training, log="Test accuracy: 0.99")


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        ("Best accuracy: 0.9633", True),
        ("Best CV accuracy: 96.33%", True),
        ("Best CV accuracy: 96.3%", True),
        ("Best accuracy: 0.9712 (96% CI)", False),
        ("Best accuracy: 0.9712", False),
        ("Best test accuracy: 0.9633\nTest accuracy of class 3: 0.4", False),
    ],
)
def test_printed_best_score_of_a_search_counts(log: str, counts: bool) -> None:
    """The word "best" names the best candidate there, not the best epoch."""
    search = _make_event(
        0.9633, "cross_validation", of="GridSearchCV", folds=5, candidates=12, test_set=None, trained=None
    )
    if counts:
        assert "GridSearchCV's best_score_" in _choose(search, log=log).notes[0]
    else:
        assert "may state the accuracy of the best epoch" in _explain_refusal(search, log=log)
    alone = _make_event(0.9633, "cross_validation", of="SVC", folds=5, candidates=0, test_set=None, trained=None)
    if "CV" not in log:
        assert "may state the accuracy of the best epoch" in _explain_refusal(alone, log=log)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("Accuracy for each fold: [0.96666667 1.         0.93333333 0.96666667 1.        ]", True),
        ("Test accuracy of each fold [0.967 1.    0.933 0.967 1.   ]", True),
        (
            "Fold accuracies (C=0.5): [np.float64(0.9666666666666667), np.float64(1.0), 0.9333333333333333, 0.9667]",
            True,
        ),
        ("Accuracy scores: [ 96.67 100.    93.33  96.67 100.  ]", True),
        ("Accuracy of the folds: 0.967, 1.000, 0.933, 0.967, 1.000", True),
        ("SVC accuracy ['0.97', '1.00', '0.93', '0.97', '1.00']", True),
        ("Accuracy: 0.97 1.00 0.93 0.97 1.00", True),
        ("Test accuracy: ('0.967', '1.000', '0.933', '0.967', '1.000')", True),
        ("Accuracy: [np.float64(0.9666666666666667), np.float64(1.0), np.float64(0.9333333333333333)]", True),
        ("Accuracy per fold: 96.7%, 100.0%, 93.3%, 96.7%, 100.0%", True),
        ("Accuracy per fold: 97%, 100%, 93%, 97%, 100%", True),
        ("Accuracy in % for each fold: [ 96.7 100.   93.3  96.7 100. ]", True),
        ("Accuracy: 0.973 0.933 1.000", True),
        ("Accuracy: 0.973 0.025", True),
        ("Accuracy: 0.97 1.00 0.93 0.97 0.91", False),
        ("Accuracy per fold: 95.7%, 100.0%, 93.3%, 96.7%, 100.0%", False),
        ("Accuracy of the models: ['0.91', '0.93']", False),
        ("Accuracy for each fold: [1.         0.96666667 0.93333333", False),
        ("Accuracy for each class: [0.95, 1.0, 0.93, 0.97, 1.0]", False),
        ("Accuracy of fold 1: 0.967", False),
        ("Accuracy for each fold: [0.967 1.    0.933 0.967 1.    0.967]", False),
    ],
)
def test_printed_scores_of_a_cross_validation_count(line: str, counts: bool) -> None:
    """NumPy wraps a long list, so that the line may contain only some of the scores. Their recorded mean is judged."""
    folds = [0.9666666666666667, 1.0, 0.9333333333333333, 0.9666666666666667, 1.0]
    mean = _make_event(0.9733, "cross_validation", of="SVC", folds=5, scores=folds, test_set=None, trained=None)
    if counts:
        choice = _choose(mean, log=f"{line}\nMean: 0.973, standard deviation: 0.025")
        assert (choice.accuracy.value, choice.accuracy.source.value) == (0.9733, "cross_validation")
        assert "mean accuracy of SVC over 5 folds" in choice.notes[0]
        assert "80% of the rows of a test fold" in _explain_refusal(mean | {"seen": _SEEN}, log=line)
    else:
        assert "except in the line" in _explain_refusal(mean, log=line)


_HISTORY = [
    _EPOCHS[0],
    *(
        _EPOCH | {"epoch": number, "metrics": {"accuracy": known, "val_accuracy": value}}
        for number, (known, value) in enumerate([(0.9, 0.71234), (0.95, 0.8), (0.97, 0.84), (0.99, 0.8612)], 1)
    ),
]
_VALUES = [0.5 + 0.0123 * number for number in range(1, 41)]
_LONG_HISTORY = [
    _EPOCHS[0],
    *(_EPOCH | {"epoch": number, "metrics": {"val_accuracy": value}} for number, value in enumerate(_VALUES, 1)),
]


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        ("Accuracy per epoch: [0.712, 0.8, 0.84, 0.861]", True),
        ("Test accuracy per epoch: [71.2, 80.0, 84.0, 86.1]", True),
        ("Accuracies: 71% 80% 84% 86%", True),
        ("Accuracy: ['0.90', '0.95', '0.97', '0.99']", True),
        ("Accuracy per epoch (lr=0.01): [0.71234 0.8     0.84    0.8612 ]", True),
        ("Accuracy per epoch: [0.8, 0.84, 0.861]", False),
        ("Accuracy per epoch: [0.712, 0.8, 0.84, 0.87]", False),
        ("Accuracy per epoch: [0.712, 0.8, 0.84, 0.861, 0.861]", False),
        ("Accuracy: 0.84, 0.861", False),
        ("Accuracy per epoch: [0.712 0.8 0.84", False),
        ("Test accuracy of class 1: 0.45; per epoch: [0.712, 0.8, 0.84, 0.861]", False),
        ("Test accuracy of class 1: 0.45\nAccuracy per epoch: [0.712, 0.8, 0.84, 0.861]", False),
    ],
)
def test_printed_values_of_all_epochs_are_passed_over(log: str, counts: bool) -> None:
    """A list of what Keras recorded for each epoch states no result of its own, whatever the metric."""
    if counts:
        assert _read_accuracy(*_HISTORY, log=log) == (0.8612, "val_accuracy")
        assert _read_accuracy(*_HISTORY, log=f"Accuracy: 0.875\n{log}") == (0.875, "output")
        assert "except in the line" in _explain_refusal(log=log)
    else:
        assert "except in the line" in _explain_refusal(*_HISTORY, log=log)


def test_printed_values_of_many_epochs_are_passed_over() -> None:
    """Only the end of a long line is kept, and NumPy wraps lists; such a part must be the end or the beginning."""
    for start, counts in ((0, True), (1, False)):
        part = " ".join(f"{value:.4f}" for value in _VALUES[start : start + 6])
        line = f"Accuracy per epoch: [{part}"
        if counts:
            assert _read_accuracy(*_LONG_HISTORY, log=line)[1] == "val_accuracy"
        else:
            assert "except in the line" in _explain_refusal(*_LONG_HISTORY, log=line)
    assert _read_accuracy(*_LONG_HISTORY, log=f"Accuracy per epoch: {_VALUES}")[1] == "val_accuracy"
    assert "except in the line" in _explain_refusal(*_LONG_HISTORY, log=f"Accuracy per epoch: {_VALUES[:-1]}")


_TRAINED = _make_event(0.5, "predict", metrics={}, weights="b", time=0.5)
_LOADS, _LOADS_SPACED = (
    Finding("loaded_model", "nn.py", 7, f"nn.py loads {path}. If that model was trained", "")
    for path in ("models/a.joblib", "saved models/v1. best.joblib")
)


@pytest.mark.parametrize(
    ("events", "leaks", "remedy"),
    [
        ([_TRAINED, _LOADED], [_LOADS], "Evaluate the model that fit() trained."),
        (
            [_LOADED],
            [],
            "If the script trains only when a saved model is missing, remove the model file from the commit with git rm --cached "
            "and "
            "list it in .gitignore; otherwise, train a model in the script and evaluate it.",
        ),
        (
            [_LOADED],
            [_LOADS],
            "nn.py loads models/a.joblib on line 7. If the script trains only when that file is missing, remove it from the "
            "commit with git rm --cached models/a.joblib and list it in .gitignore; otherwise, train a model in the script and "
            "evaluate it.",
        ),
        (
            [_LOADED],
            [_LOADS_SPACED],
            "nn.py loads saved models/v1. best.joblib on line 7. If the script trains only when that file is missing, remove it "
            "from the commit with git rm --cached 'saved models/v1. best.joblib' and list it in .gitignore; otherwise, train a "
            "model in the script and evaluate it.",
        ),
    ],
)
def test_loaded_model_is_refused_with_a_remedy(events: list[dict[str, Any]], leaks: list[Finding], remedy: str) -> None:
    """The run may never call fit(), because the script skips training if the commit contains a model."""
    recorded = parse_measurements("".join(f"{json.dumps(event)}\n" for event in events))
    with pytest.raises(RunFailed) as failure:
        choose_accuracy(Findings(None, recorded, printed(""), leaks=leaks))
    assert failure.value.explanation == (
        f"nn.py evaluated only a model that it loaded, not one that it trained in this run. {remedy}"
    )


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("SelectKBest()", "nn.py line 4: SelectKBest() is fitted on all rows. Split first."),
        ("StandardScaler()", "Split the data"),
    ],
)
def test_class_that_learned_from_the_test_labels_is_named(what: str, remedy: str) -> None:
    """Only a class that is fitted on labels can explain why all test rows count as training rows."""
    leak = Finding("fitted_before_split", "nn.py", 4, f"{what} is fitted on all rows.", "Split first.")
    event = _make_event(0.9, seen=_SAME)
    with pytest.raises(RunFailed) as failure:
        choose_accuracy(Findings(None, parse_measurements(json.dumps(event)), printed(""), leaks=(leak,)))
    assert f"meaningless. {remedy}" in failure.value.explanation


@pytest.mark.parametrize("kind", ["augmented_before_split", "chosen_before_split", "learned_before_split"])
def test_accuracy_on_columns_chosen_with_the_test_labels_is_refused(kind: str) -> None:
    """The columns with the highest correlation predict even random labels, although no test row was trained on."""
    leak = Finding(kind, "nn.py", 4, "The columns are chosen using all labels.", "Split first.")
    with pytest.raises(RunFailed) as failure:
        choose_accuracy(Findings(None, parse_measurements(json.dumps(_make_event(0.9))), printed(""), leaks=(leak,)))
    assert failure.value.explanation == (
        "nn.py line 4: The columns are chosen using all labels. The accuracy does not count. Split first."
    )


def test_validation_on_training_rows_is_refused() -> None:
    """The training data may be passed as validation_data, and nothing else may be measured."""
    validation = _make_event(0.7, "validation", model=1, call=1, metrics={}, seen=_SEEN)
    assert _explain_refusal(*_EPOCHS, validation).startswith(
        "80% of the validation rows are identical to training rows"
    )
    sound = _choose(*_EPOCHS, validation | {"seen": _CLEAN}).accuracy
    assert (sound.value, sound.samples, sound.test_set, sound.evidence.chance) == (0.7, 360, "1f0c", 0.1)


def test_val_accuracy_equal_to_a_refused_measurement_is_refused() -> None:
    """val_accuracy still counts if its own rows are known not to have been used in training."""
    assert "80% of the test rows" in _explain_refusal(*_EPOCHS, _make_event(0.7, seen=_SEEN))
    validation = _make_event(0.7, "validation", model=1, call=1, metrics={})
    assert _read_accuracy(*_EPOCHS, _make_event(0.7, seen=_SEEN), validation) == (0.7, "val_accuracy")


def test_mean_training_accuracy_is_refused() -> None:
    """It comes from cross_validate() or learning_curve(). A script that does not state it may have called them to plot."""
    mean = _make_event(0.7, "cross_validation", folds=5, test_set=None, trained=None)
    training = mean | {"metrics": {"accuracy": 0.99}, "of": "learning_curve", "training": True}
    assert "that learning_curve() returned" in _explain_refusal(training, log="Accuracy: 0.990")
    with pytest.raises(RunFailed, match="learning_curve"):
        _choose(training, written='{"accuracy": 0.99}')
    choice = _choose(mean, training, log="Accuracy: 0.990")
    assert (choice.accuracy.value, choice.accuracy.source.value) == (0.7, "cross_validation")
    assert "that learning_curve() returned for training rows. Report the mean of its scores" in choice.notes[0]
    search = training | {"of": "GridSearchCV", "candidates": 12}
    assert "GridSearchCV measured on training rows. Report best_score_ instead" in _explain_refusal(
        search, written='{"accuracy": 0.99}'
    )
    assert len(_choose(mean, training, log="Accuracy: 0.7").notes) == 1
    assert _read_accuracy(training, log="Accuracy: 0.991") == (0.991, "output")
    assert _read_accuracy(training, log="Validation accuracy: 0.8") == (0.8, "val_accuracy")
    predicted = _make_event(0.0, "predict", metrics={}, labels={}, time=2.0)
    assert _read_accuracy(training, predicted, log="Accuracy: 0.99") == (0.99, "output")
    assert "reported no accuracy" in _explain_refusal(training)
    # Of 360 predictions, none or all can be right, or 356, but not 99.0412%.
    for share in ("1.0", f"{356 / 360}", "0.989"):
        equal = training | {"metrics": {"accuracy": float(share)}}
        assert _read_accuracy(equal, predicted, written=f'{{"accuracy": {share}}}')[1] == "accuracy.json"
        assert "training rows" in _explain_refusal(predicted | {"time": 0.5}, equal, written=f'{{"accuracy": {share}}}')
    # A line that does not count is explained at once, too, unless it states what was measured on validation rows.
    for log in ("Best accuracy: 0.990", "Accuracy of the best tree: 99.0%", "Best test accuracy: 0.99"):
        assert "that learning_curve() returned" in _explain_refusal(training, log=log)
        assert "GridSearchCV measured on training rows" in _explain_refusal(mean, search, log=log)
    for log, before in (("Best accuracy: 0.995", training), ("Best accuracy: 0.99", predicted)):
        assert "the accuracy of the best epoch" in _explain_refusal(training, before, log=log)
    best = mean | {"of": "GridSearchCV", "candidates": 12}
    assert _read_accuracy(best, training | {"metrics": {"accuracy": 0.7}}, log="Best accuracy: 0.7")[0] == 0.7
    other = training | {"metrics": {"accuracy": 0.990412}}
    assert "training rows" in _explain_refusal(other, predicted, written='{"accuracy": 0.990412}')


def test_printed_accuracy_has_the_evidence_of_its_measurement() -> None:
    """The printed number is what score() returned, or was computed from what predict() returned."""
    of_score = _choose(_make_event(299 / 360, "score"), written='{"accuracy": 0.831}').accuracy
    assert (of_score.samples, of_score.evidence.chance, of_score.evidence.checked) == (360, 0.1, True)
    assert _choose(_make_event(299 / 360, "score"), written='{"accuracy": 0.83}').accuracy.samples is None

    prediction = _make_event(0.0, "predict", metrics={}, labels={"": {"kind": "unknown"}})
    of_predict = _choose(prediction, log="Test accuracy: 0.8").accuracy
    assert (of_predict.samples, of_predict.test_set, of_predict.evidence.checked) == (360, "1f0c", True)
    assert "80% of the test rows" in _explain_refusal(prediction | {"seen": _SEEN}, log="Test accuracy: 0.8")
    assert _read_accuracy(prediction, prediction | {"seen": _SEEN}, log="Test accuracy: 0.8") == (0.8, "output")


def test_printed_number_may_equal_a_refused_measurement_by_chance() -> None:
    """Training and test accuracy may both round to 0.83; the printed one then belongs to the last predictions."""
    train = _make_event(0.832, "score", seen=_SEEN, time=1.0)
    answered = _make_event(0.0, "predict", metrics={}, labels={}, time=2.0)
    assert _read_accuracy(train, answered, log="Test accuracy: 0.83") == (0.83, "output")
    assert _read_accuracy(train, {"event": "called", "time": 2.0}, log="Test accuracy: 0.83") == (0.83, "output")
    assert "80% of the test rows" in _explain_refusal(train | {"time": 3.0}, answered, log="Test accuracy: 0.83")
    assert "80% of the test rows" in _explain_refusal(train, answered, log="Test accuracy: 0.8320")


@pytest.mark.parametrize(
    ("changes", "log", "is_refused"),
    [
        ([{"seen": _SEEN}] * 3, "Mean accuracy: 0.9123", True),
        ([{"seen": _SEEN}] * 3, "Mean accuracy: 91.23%", True),
        ([{"seen": _SEEN, "samples": samples} for samples in (100, 200, 300)], "Mean accuracy: 0.9349", True),
        ([{"seen": _SEEN, "line": line} for line in (7, 8, 9)], "Mean accuracy: 0.9123", True),
        ([{"seen": _SEEN, "line": line} for line in (7, 8, 8)], "Mean accuracy: 0.9434", True),
        ([{"trained": False}] * 3, "Mean accuracy: 0.9123", True),
        ([{"measures": "r2"}] * 3, "Mean accuracy: 0.9123", True),
        # Such a number comes from elsewhere, such as oob_score_ or predictions that the recorder did not see.
        ([{"seen": _SEEN}] * 3, "Mean accuracy: 0.8123", False),
        # When each speaker gives a single answer, the mean over all of them is still meaningful.
        ([{"labels": {"": _CLASSES[""] | {"answers": 1}}}] * 3, "Mean accuracy: 0.9123", False),
        ([{"seen": _SEEN, "labels": {"": _CLASSES[""] | {"answers": 1}}}] * 3, "Mean accuracy: 0.9123", True),
        ([{"labels": {"": _CLASSES[""] | {"answers": 1}}}, *[{"seen": _SEEN}] * 2], "Mean accuracy: 0.9123", False),
    ],
)
@pytest.mark.parametrize("event", ["score", "evaluate"])
def test_average_of_refused_measurements_is_refused(
    changes: list[dict[str, Any]], log: str, is_refused: bool, event: str
) -> None:
    """A script may measure a model in each fold, and state only the mean, perhaps for several models in turn."""
    folds = [
        _make_event(accuracy, event, time=float(fold), **change)
        for fold, (accuracy, change) in enumerate(zip((0.8501, 0.9012, 0.9856), changes, strict=True))
    ]
    others = [each | {"metrics": {"accuracy": 0.7}} for each in folds if not is_refused or "line" not in each]
    for events in (folds, folds + others, others + folds):
        if is_refused:
            _explain_refusal(*events, log=log)
        else:
            assert _read_accuracy(*events, log=log)[1] == "output"
    predicted = _make_event(0.0, "predict", metrics={}, time=9.0)
    assert _read_accuracy(*folds, predicted, log="Mean accuracy: 0.91")[1] == "output"


def test_direct_call_may_be_for_other_rows() -> None:
    """A script may call predict() on the training data for a confusion matrix, and then model(x_test)."""
    train = _make_event(0.0, "predict", metrics={}, labels={}, seen=_SEEN, time=1.0)
    assert _read_accuracy(train, {"event": "called", "time": 2.0}, log="Test accuracy: 0.8") == (0.8, "output")
    assert "80% of the test rows" in _explain_refusal({"event": "called", "time": 0.5}, train, log="Test accuracy: 0.8")


def test_unreadable_accuracy_line_is_quoted_and_nothing_else_judged() -> None:
    """val_accuracy must not silently replace the number that the script meant."""
    line = "Best accuracy of all epochs: 0.558"
    assert repr(line) in _explain_refusal(*_EPOCHS, log=line)
    test_line = "Best test accuracy: 0.558"
    assert repr(test_line) in _explain_refusal(log=f"Accuracy: 0.99\n{test_line}")
    assert _read_accuracy(log=f"Accuracy: 0.99\n{line}") == (0.99, "output")
    assert _read_accuracy(log=f"Test accuracy: 0.5\n{test_line}") == (0.5, "output")
    assert _read_accuracy(*_EPOCHS, log="Train accuracy: 0.99") == (0.7, "val_accuracy")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "Loss: 0.9039, Accuracy: 0.9000",
            "mentions 'Loss' first and does not say 'test', so it may state a training accuracy",
        ),
        ("Fold 3 accuracy: 0.9", "may state the accuracy of the best epoch or of only part of the test data"),
        (
            "Best accuracy: 0.97 at epoch 12",
            "may state the accuracy of the best epoch or of only part of the test data",
        ),
        ("Test accuracy: 0.83/0.91", "is in a format that Epochal does not recognise"),
        ("Train/test accuracy: 0.99 0.83", "lists several numbers without saying which of them is the accuracy"),
    ],
)
def test_reason_why_a_line_does_not_count_is_given(line: str, why: str) -> None:
    """The reasons are the ones listed in docs/explanation/printed-lines.md."""
    assert f"the line {line!r}, which {why}. Print" in _explain_refusal(log=f"{line}\n")


_MULTIPLIES = Percentages("line 4 of nn.py", computed=True)
_DISTINCT = Percentages("line 4 of nn.py", True, frozenset({"batch acc"}), frozenset({"Test accuracy:"}))
_NEVER = Percentages("", computed=False)
_LOGS = b"""\
basicConfig(format="%(asctime)s %(name)s: %(message)s")
log.info("batch %d accuracy: %.1f", i, 100 * acc)
log.info("Test accuracy: %.3f", acc)
"""
_LOGGED = find_percentages({"nn.py": _LOGS})


@pytest.mark.parametrize(
    ("log", "percentages", "events"),
    [
        ("Test accuracy: 0.91", _MULTIPLIES, []),
        ("Epoch 1, Accuracy: 0.91, Test Loss: 4.60, Test Accuracy: 0.91", _MULTIPLIES, [_make_event(0.5, "predict")]),
        ("Test accuracy: 1.00", _MULTIPLIES, []),
        ("Test accuracy: 0.91%", _NEVER, []),
        ("val_acc: 0.91", _MULTIPLIES, []),
    ],
)
def test_number_that_may_be_a_percentage_is_refused(
    log: str, percentages: Percentages, events: list[dict[str, Any]]
) -> None:
    """Without a percent sign, 0.91 is ambiguous if the code multiplies by 100; with one, if the code never does."""
    explanation = _explain_refusal(*events, log=log, percentages=percentages)
    assert ("% or 0.91%" in explanation or "100% or 1%" in explanation) and "rint" in explanation
    assert ("line 4 of nn.py" in explanation) is (percentages is _MULTIPLIES)


@pytest.mark.parametrize(
    ("log", "percentages", "events", "value"),
    [
        ("Test accuracy: 0.91", Percentages(), [], 0.91),
        ("Test accuracy: 0.91%", Percentages(), [], 0.0091),
        ("Test accuracy: 0.91\nTest accuracy: 91%", _MULTIPLIES, [], 0.91),
        ("Test accuracy: 97.3", _MULTIPLIES, [], 0.973),
        ("Test accuracy: 97", _MULTIPLIES, [], 0.97),
        ("Test accuracy: 0.00", _MULTIPLIES, [], 0.0),
        ("batch acc 97.3\nTest accuracy: 0.91", _DISTINCT, [], 0.91),
        ("10:11:12 batch acc 97.3\n10:11:12,123 INFO Test accuracy: 0.91", _DISTINCT, [], 0.91),
        ("INFO:nn:batch acc 97.3\nINFO:nn:Test accuracy: 0.91", _DISTINCT, [], 0.91),
        ("2026-11-28 14:04:48,123 batch: Test accuracy: 0.91", _LOGGED, [], 0.91),
        # Another line of the same form, or another number on the line, can only be a percentage.
        ("Epoch 9 test accuracy: 1.52\nEpoch 10 test accuracy: 0.91", Percentages(), [], 0.0091),
        ("Train accuracy: 1.37, test accuracy: 0.91", Percentages(), [], 0.0091),
        ("Train accuracy: 1.37\nTest accuracy: 0.91", Percentages(), [], 0.91),
        # A measurement has the same number.
        ("Test accuracy: 0.91", _MULTIPLIES, [_make_event(0.9091, "score", seen=_CLEAN)], 0.9091),
    ],
)
def test_unit_of_a_printed_number(
    log: str, percentages: Percentages, events: list[dict[str, Any]], value: float
) -> None:
    """If the code multiplies by 100, a number over 1 is a percentage. An unambiguous number counts as printed."""
    assert _read_accuracy(*events, log=log, percentages=percentages)[0] == value


def test_written_percentage_is_known_by_its_measurement() -> None:
    """In accuracy.json, 0.91 means 0.91% and not 91% if evaluate() measured 0.0091."""
    assert _read_accuracy(_make_event(0.0091), written='{"accuracy": 0.91}') == (0.0091, "accuracy.json")


def test_precision_in_another_language_counts_with_a_note() -> None:
    """The Spanish word for precision is also used for accuracy, but not alongside recall."""
    line = "Precisión en el conjunto de prueba: 0,83"
    choice = _choose(log=line)
    assert choice.accuracy.value == 0.83
    assert "precision for a single class" in choice.notes[0]
    assert "no printed test accuracy" in _explain_refusal(log=f"{line}\nExhaustividad: 0,7\n")
    assert _read_accuracy(log=f"{line}\nRecall: 0,7\nExactitud: 0,8") == (0.8, "output")


@pytest.mark.parametrize(
    ("files", "value"),
    [
        ({"metrics.json": '{"loss": 0.4, "accuracy": 0.591}', "accuracy.txt": "59.11\n"}, 0.591),
        ({"results/test_metrics.json": '{"train": {"accuracy": 0.99}, "test": {"accuracy": 0.83}}'}, 0.83),
        ({"all_results.json": '{"epoch": 3.0, "eval_accuracy": 0.91, "eval_loss": 0.3, "train_loss": 0.1}'}, 0.91),
        ({"metrics.json": '{"history": {"accuracy": [0.1, 0.2]}, "test_acc": 0.83, "val_acc": 0.9}'}, 0.83),
        ({"accuracy.txt": "0.83"}, 0.83),
        ({"accuracy.txt": "83,1 %"}, 0.831),
        ({"report.txt": "    accuracy                           0.97       360\n"}, 0.97),
        ({"results.txt": "Test accuracy: 0.83\n"}, 0.83),
    ],
)
def test_accuracy_is_read_from_written_files(files: dict[str, str], value: float) -> None:
    """A note names the file. A printed accuracy takes precedence over it; a validation accuracy comes last."""
    choice = _choose(*_EPOCHS, files=files)
    assert (choice.accuracy.value, choice.accuracy.source.value) == (value, "file")
    assert any(name in choice.notes[0] for name in files)
    assert _read_accuracy(files=files, log="Test accuracy: 0.5") == (0.5, "output")


@pytest.mark.parametrize(
    "files",
    [
        {"metrics.json": '{"accuracy": true}'},
        {"metrics.json": '{"model_a": {"accuracy": 0.8}, "model_b": {"accuracy": 0.9}}'},
        {"metrics.json": '{"train_accuracy": 0.99, "threshold_accuracy": 0.9}'},
        {"metrics.json": "[" * 9999},
        {"results.txt": "0.83"},
    ],
)
def test_file_without_one_accuracy_is_left_out(files: dict[str, str]) -> None:
    """The file may state several accuracies, only other numbers, or nothing that can be read."""
    assert _read_accuracy(*_EPOCHS, files=files) == (0.7, "val_accuracy")


def test_contradicting_files_are_refused() -> None:
    """The message names both files and says how to make one of the numbers count."""
    explanation = _explain_refusal(files={"metrics.json": '{"accuracy": 0.6}', "acc.txt": "0.7"})
    assert "0.6 in metrics.json" in explanation
    assert "0.7 in acc.txt. Print the accuracy that counts, as in 'Test accuracy: 0.83', or write it to" in explanation


def test_cross_validation_of_copied_rows_is_refused() -> None:
    """No recorded measurement shows that the folds share rows, because the models of the folds are not kept."""
    mean = _make_event(0.9633, "cross_validation", folds=5, candidates=0, test_set=None, trained=None)
    script = """\
import numpy as np
from sklearn.model_selection import cross_val_score
x, y = np.concatenate([x, x]), np.concatenate([y, y])
print(cross_val_score(model, x, y).mean())
"""
    leaks = find_leaks((parse_source("nn.py", ast.parse(script)),), ())
    with pytest.raises(
        RunFailed, match=r"nn.py line 3: concatenate\(\) repeats rows before cross_val_score\(\) on line 4"
    ):
        choose_accuracy(Findings(None, parse_measurements(json.dumps(mean)), printed(""), leaks=leaks))


_FOLDS_EVENT = _make_event(0.9633, "cross_validation", folds=5, candidates=0, test_set=None, trained=None)
_UNKNOWN_ROWS = _make_event(0.9, "score", trained=None, seen=_CLEAN | {"checked": False})


@pytest.mark.parametrize(
    ("kind", "events", "written"),
    [
        ("copied_before_folds", [_FOLDS_EVENT], None),
        ("copied_before_folds", [_FOLDS_EVENT], '{"accuracy": 0.9633}'),
        ("learned_before_folds", [_FOLDS_EVENT], None),
        ("learned_before_folds", [_FOLDS_EVENT], '{"accuracy": 0.9633}'),
        ("learned_before_folds", [*_EPOCHS, _VALIDATION_EVENT], None),
        ("copied_before_predictions", [_UNKNOWN_ROWS], None),
    ],
)
def test_leak_into_validation_data_is_refused(kind: str, events: list[dict[str, Any]], written: str | None) -> None:
    """The leak concerns the number that is judged, even if the script writes this number itself."""
    metrics = "".join(json.dumps(event) + "\n" for event in events)
    leak = Finding(kind, "nn.py", 4, "The rows are copied.", "Split first.")
    findings = Findings(written, parse_measurements(metrics), printed(""), parse_fits(metrics), leaks=(leak,))
    with pytest.raises(RunFailed) as failure:
        choose_accuracy(findings)
    assert failure.value.explanation == "nn.py line 4: The rows are copied. The accuracy does not count. Split first."


@pytest.mark.parametrize("kind", ["copied_before_folds", "learned_before_folds", "copied_before_predictions"])
def test_leak_into_validation_data_does_not_concern_the_test(kind: str) -> None:
    """The model may be tested on rows from elsewhere after its training rows were copied for a cross-validation."""
    recorded = parse_measurements("\n".join(map(json.dumps, [_FOLDS_EVENT, _make_event(0.9)])))
    leak = Finding(kind, "nn.py", 4, "The rows are copied.", "Split first.")
    assert choose_accuracy(Findings(None, recorded, printed(""), leaks=(leak,))).accuracy.value == 0.9


def test_cross_validation_counts_if_no_model_was_tested() -> None:
    """A printed line that rounds the mean does not replace it; the note says what the number is."""
    mean = _make_event(0.9633, "cross_validation", folds=5, candidates=0, test_set=None, trained=None)
    line = "0.96 accuracy with a standard deviation of 0.02"
    for choice in (_choose(mean), _choose(mean, log=line), _choose(mean, *_EPOCHS)):
        assert (choice.accuracy.value, choice.accuracy.source.value) == (0.9633, "cross_validation")
        assert "over 5 folds" in choice.notes[0]
    unknown = mean | {"samples": None}
    assert _choose(unknown, log="Test accuracy: 0.9633 (289/300)").accuracy.samples == 300
    search = mean | {"of": "GridSearchCV", "candidates": 12}
    assert "GridSearchCV's best_score_" in _choose(search).notes[0]
    assert "best of 12 candidates" in _choose(search).notes[0]
    selected = mean | {"selected": True}
    assert "make_pipeline(selector, model)" in _explain_refusal(selected)
    assert "make_pipeline(selector, model)" in _explain_refusal(selected, log="Test accuracy: 0.9633")
    leak = Finding("learned_before_folds", "nn.py", 10, "SelectPercentile() is fitted on all rows.", "Pass a pipeline.")
    assert _explain_refusal(selected, leaks=[leak]).startswith(
        "nn.py line 10: SelectPercentile() is fitted on all rows."
    )
    seen = _make_event(0.99, "score", line=15, time=2.0, seen=_SAME)
    assert (
        _choose(search, seen)
        .notes[0]
        .startswith("score() on line 15 of nn.py does not count, because GridSearchCV was fitted on")
    )
    own = _explain_refusal(mean | {"seen": _SAME}, repeated=True)
    assert own.startswith("In the cross-validation, the rows of a test fold are also in the training folds")
    copied = mean | {"seen": _SEEN}
    for log in ("", "Test accuracy: 0.9633", "0.96 accuracy"):
        assert "80% of the rows of a test fold" in _explain_refusal(copied, log=log)
    assert "99.6% of the rows of a test fold" in _explain_refusal(mean | {"seen": _SEEN | {"share": 0.9956}})
    assert _read_accuracy(copied, repeated=True) == (0.9633, "cross_validation")
    assert _read_accuracy(copied, log="Test accuracy: 0.8") == (0.8, "output")
    assert _choose(mean).accuracy.evidence.checked
    assert _read_accuracy(mean, _make_event(0.8, "score", time=0.5)) == (0.8, "score")
    assert _read_accuracy(mean, log="Test accuracy: 0.8") == (0.8, "output")
    assert "R²" in _explain_refusal(mean | {"measures": "r2"})
    assert _read_accuracy(mean, mean | {"metrics": {"accuracy": 0.1}, "dummy": True}) == (0.9633, "cross_validation")


def test_accuracy_of_any_name_is_known_by_its_class() -> None:
    """bin_acc ends in "acc", and quality is a BinaryAccuracy, so both count; auc and top_5_accuracy do not."""
    metrics = {"loss": 0.3, "auc": 0.9, "top_5_accuracy": 0.95}
    assert _read_accuracy(_make_event(0.0, metrics=metrics | {"bin_acc": 0.6}))[0] == 0.6
    named: dict[str, Any] = {
        "metrics": metrics | {"quality": 0.6},
        "kinds": {"quality": "BinaryAccuracy", "auc": "AUC"},
    }
    assert _read_accuracy(_make_event(0.0, **named))[0] == 0.6
    epoch = _EPOCH | {"metrics": {"bin_acc": 0.7, "val_bin_acc": 0.6, "val_auc": 0.9}}
    assert _read_accuracy(_EPOCHS[0], epoch) == (0.6, "val_accuracy")


def test_evaluate_without_an_accuracy_is_explained() -> None:
    """The message gives the line of the call and says what evaluate() measured instead."""
    empty = _explain_refusal(_make_event(0.0, metrics={}, samples=None, line=14))
    assert "evaluate() on line 14 of nn.py received no samples" in empty
    metrics = json.dumps(_make_event(0.0, metrics={}, samples=None, line=14))
    assert explain_empty_test(Findings(None, parse_measurements(metrics), printed(""))) == empty
    assert explain_empty_test(Findings(None, parse_measurements(json.dumps(_make_event(0.5))), printed(""))) == ""
    other = _explain_refusal(_make_event(0.0, metrics={"loss": 0.3, "auc": 0.9}, line=14))
    assert "line 14 of nn.py did not measure accuracy (metrics: loss, auc)" in other
    assert 'metrics=["accuracy"]' in other
    assert 'metric = "auc"' in other
    assert "metric =" not in _explain_refusal(_make_event(0.0, metrics={"loss": 0.3}))


def test_printed_validation_accuracy_counts_last_and_without_fits() -> None:
    """A script with its own training loop may report nothing else."""
    choice = _choose(log="val Loss: 0.31 Acc: 0.71\nval Loss: 0.30 Acc: 0.72\n")
    assert (choice.accuracy.value, choice.accuracy.source.value) == (0.72, "val_accuracy")
    assert "'val Loss: 0.30 Acc: 0.72'" in choice.notes[0]
    assert _read_accuracy(*_EPOCHS, log="val_acc: 0.9") == (0.7, "val_accuracy")
    assert _read_accuracy(log="val_acc: 0.9\nAccuracy: 0.8") == (0.8, "output")


def test_several_outputs_need_a_choice() -> None:
    """The setting ``metric`` names one output; without it, nothing is judged and the message gives the line to add."""
    metrics = {"aux_accuracy": 0.2, "main_accuracy": 0.5, "loss": 1.0}
    labels = {"main": {"kind": "classes", "answers": 2, "answer": "no", "chance": 0.6}, "aux": {"kind": "classes"}}
    event = _make_event(0.0, metrics=metrics, labels=labels)
    explanation = _explain_refusal(event)
    assert "aux_accuracy, main_accuracy" in explanation
    assert 'metric = "aux_accuracy"' in explanation
    main = _choose(event, metric="main_accuracy").accuracy
    assert (main.value, main.evidence.chance, main.evidence.answer) == (0.5, 0.6, "no")
    assert _read_accuracy(event, _make_event(0.7, time=2.0))[0] == 0.7


@pytest.mark.parametrize(
    ("metric", "events", "explanation"),
    [
        ("side_accuracy", 1, "but evaluate() reported only loss, auc and accuracy. Name an accuracy (accuracy), or"),
        ("loss", 1, 'metric = "loss", which is not an accuracy. Name an accuracy (accuracy), or remove the setting.'),
        ("auc", 1, 'metric = "auc", which is not an accuracy.'),
        ("f1", 0, "but only a metric that Keras' evaluate() returns can be chosen. Remove the setting."),
    ],
)
def test_metric_that_is_no_accuracy_is_refused(metric: str, events: int, explanation: str) -> None:
    """A printed accuracy is not used instead: otherwise, a typo would turn off the check for training rows."""
    event = _make_event(0.0, metrics={"loss": 0.7, "auc": 0.9, "accuracy": 0.5}, kinds={"auc": "AUC"})
    assert explanation in _explain_refusal(*[event] * events, metric=metric, log="Test accuracy: 0.5")
    without = event | {"metrics": {"loss": 0.7, "auc": 0.9}}
    is_compiled = 'Remove the setting. Compile the model with metrics=["accuracy"].' in _explain_refusal(
        *[without] * events, metric=metric, log="Test accuracy: 0.5"
    )
    assert is_compiled is bool(events)
    assert _choose(event, metric=metric, written='{"accuracy": 0.5}').accuracy.value == 0.5


def test_other_numbers_are_noted() -> None:
    """A note says which number counts, and how to make another one count."""
    folds = [_make_event(0.5 + fold / 100, model=fold, weights=str(fold), time=fold) for fold in range(1, 6)]
    (note,) = _choose(*folds).notes
    assert "5 models" in note and "0.55" in note and "accuracy.json" in note
    (note,) = _choose(*folds, log="Mean accuracy: 0.6417").notes
    assert "5 models" in note and "'Mean accuracy: 0.6417'" in note and "0.55" in note
    (note,) = _choose(_make_event(0.592), log="Accuracy: 0.6417").notes
    assert "'Accuracy: 0.6417'" in note and "0.592" in note and "accuracy.json" in note
    assert _choose(_make_event(0.5917), log="Accuracy: 0.592").notes == ()
    (note,) = _choose(*_EPOCHS).notes
    assert "the verdict uses the last epoch's val_accuracy, 0.7." in note


def test_each_network_compared_with_the_test_set_is_a_look() -> None:
    """The same weights on the same rows are one look, whatever measured them; each validated epoch is a look, too."""
    seeds = [_make_event(0.5, "predict", weights=str(seed), metrics={}) for seed in range(150)]
    assert _choose(*seeds, _make_event(0.7, "score", weights="149")).accuracy.looks == 150
    elsewhere = [_make_event(0.5, weights=str(seed), test_set="other") for seed in range(5)]
    assert _choose(*elsewhere, _make_event(0.7, time=2.0)).accuracy.looks == 1
    epochs = [_EPOCH | {"epoch": epoch, "weights": f"w{epoch}", "metrics": {}} for epoch in range(1, 21)]
    validation = _make_event(0.5, "validation", model=1, call=1, metrics={})
    assert _choose(*epochs, validation, _make_event(0.7, weights="w20")).accuracy.looks == 20
    dummy = _make_event(0.5, "score", weights="d", dummy=True)
    assert _choose(dummy, _make_event(0.7, time=2.0)).accuracy.looks == 1


def _make_test_set(name: str, rows: range) -> dict[str, Any]:
    """Return a test set with this name and these row hashes, as the recorder writes it."""
    sketch = b"".join(number.to_bytes(8, "little") for number in rows)
    return {"event": "test_set", "id": name, "rows": len(rows), "sketch": base64.b64encode(sketch).decode()}


def test_test_sets_with_common_rows_share_their_looks() -> None:
    """A new split of the same data is not a new test set."""
    rows = {"one": range(1, 101), "other": range(90, 190), "third": range(5000, 5100)}
    sets = [_make_test_set(*each) for each in rows.items()]
    looks = [
        _make_event(0.5, test_set=name, weights=name, time=at) for at, name in enumerate(("third", "other", "one"))
    ]
    accuracy = _choose(*sets, *looks).accuracy
    assert (accuracy.looks, len(accuracy.test_rows or b"")) == (2, 800)


def _test_on_splits(splits: list[range], accuracies: list[float], changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the measurements of one model for each test set, which consists of the rows with the given hashes."""
    events = []
    for number, (rows, accuracy) in enumerate(zip(splits, accuracies, strict=True)):
        facts: dict[str, Any] = {"test_set": f"set {number}", "weights": f"w{number}", "time": float(number)}
        events += [_make_test_set(f"set {number}", rows), _make_event(accuracy, **facts | changes)]
    return events


_RESPLITS = [range(1, 101), range(51, 151), range(90, 190)]


@pytest.mark.parametrize(
    ("splits", "changes", "log", "is_noted"),
    [
        (_RESPLITS, {}, "", True),
        (_RESPLITS, {}, "found a good model, accuracy: 0.87", True),
        pytest.param(_RESPLITS, {}, "Mean accuracy: 0.8", False, id="reports their mean"),
        pytest.param(_RESPLITS[1:], {}, "", False, id="two models"),
        pytest.param([range(1, 101), range(101, 201), range(201, 301)], {}, "", False, id="folds"),
        pytest.param([range(90, 110), range(100, 150), range(90, 190)], {}, "", False, id="parts of one test set"),
        pytest.param(_RESPLITS, {"weights": "a"}, "", False, id="one model"),
        pytest.param(_RESPLITS, {"seen": _CLEAN | {"share": 0.7, "expected": 0.7}}, "", False, id="rows repeat"),
        pytest.param(_RESPLITS, {"seen": _CLEAN | {"checked": False}}, "", False, id="rows unchecked"),
    ],
)
def test_models_measured_on_different_splits_are_noted(
    splits: list[range], changes: dict[str, Any], log: str, is_noted: bool
) -> None:
    """The verdict uses one of several accuracies, which may be the best. Folds, parts and repeated rows get no note."""
    note = (
        "nn.py evaluated at least 3 models on test sets that share rows, and the verdict uses the last accuracy, 0.87, "
        "which may be the best rather than a typical one. Split the data once, with a fixed random_state."
    )
    events = _test_on_splits(splits, [0.87] * len(splits), changes)
    assert (note in _choose(*events, log=log).notes) == is_noted
    # A script may compute all accuracies but the last from predictions.
    for event in events[:-1]:
        event |= {"event": "predict", "metrics": {}, "labels": {}} if event["event"] == "evaluate" else {}
    assert (note in _choose(*events, log=log).notes) == is_noted


@pytest.mark.parametrize(
    ("log", "written", "used"),
    [
        ("accuracy: 0.9312", None, "the last accuracy, 0.9, which may be the best rather than a typical one"),
        ("", '{"accuracy": 0.9312}', "the accuracy in accuracy.json, 0.9312, which is the highest one measured"),
        ("accuracy: 0.8937", None, None),
        ("", '{"accuracy": 0.8937}', None),
    ],
)
def test_best_of_different_splits_is_noted(log: str, written: str | None, used: str | None) -> None:
    """The note does not say how to make the best accuracy count. The mean (0.8937) is a sound number to write."""
    events = _test_on_splits(_RESPLITS, [0.85, 0.9312, 0.9], {})
    notes = _choose(*events, log=log, written=written).notes
    if used:
        assert notes == (
            f"nn.py evaluated at least 3 models on test sets that share rows, and the verdict uses {used}. "
            "Split the data once, with a fixed random_state.",
        )
    else:
        assert not any("Split the data" in note for note in notes)


def test_training_without_an_accuracy_is_explained() -> None:
    """The explanation says what to print, and which other sources would count."""
    reason, explanation = _read_failure(None, "All is well")
    assert reason is Reason.NO_ACCURACY
    assert "Test accuracy: 0.83" in explanation
    assert "rows that were not used in training" in explanation
    assert "score()" in explanation
    assert "no .json or .txt file with a test accuracy" in explanation
    assert "last line" not in explanation
    assert "'hit rate .... 0.9', is not labelled" in _read_failure(None, "Saved\n  hit rate .... 0.9\n\n")[1]


_SEVERAL = "lists several numbers without saying which of them is the accuracy"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("hit rate .... 0.9", "is not labelled as a test accuracy"),
        ("Train accuracy: 0.9 0.8", "is not labelled as a test accuracy"),
        ("Top-5 accuracy: 0.98", "does not state the plain accuracy"),
        ("Test accuracy (top-1, top-2): 0.981, 0.990", _SEVERAL),
        ("Test top-1/top-5 accuracy: 98.1% 99.0%", _SEVERAL),
        ("Test accuracy (top-5): 0.98", "does not state the plain accuracy"),
        ("Accuracy (top-5): 0.98", "does not state the plain accuracy"),
        ("Balanced test accuracy: 0.98", "does not state the plain accuracy"),
        ("Balanced test accuracy: 0.98 0.96", "does not state the plain accuracy"),
        ("Balanced accuracy: 0.98 0.96", "does not state the plain accuracy"),
        ("Test accuracy per class: 0.98 0.96", "does not state the plain accuracy"),
        ("Test accuracy (top-3, top-5): 0.98, 0.99", "does not state the plain accuracy"),
        ("Target test accuracy: 0.9 0.8", "does not state the plain accuracy"),
    ],
)
def test_reason_why_the_last_line_does_not_count_is_given(line: str, why: str) -> None:
    """A line that names the test is not said to leave it out."""
    assert f"the last printed line, {line!r}, {why})" in _read_failure(None, f"Saved\n  {line}")[1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "which is not a JSON object"),
        ("0.83", "which is not a JSON object"),
        ("{", "which is not a JSON object"),
        ("[0.83]", "which is not a JSON object"),
        ('{"acc": 0.83}', 'which has no key "accuracy"'),
        ('{"accuracy": "0.83"}', 'in which "accuracy" is not a number'),
        ('{"accuracy": "89.9%"}', 'in which "accuracy" is not a number'),
        ('{"accuracy": true}', 'in which "accuracy" is not a number'),
        ('{"accuracy": null}', 'in which "accuracy" is not a number'),
        ("[" * 9999, "which is not a JSON object"),
    ],
)
def test_unusable_accuracy_json_fails_the_trial(text: str, fault: str) -> None:
    """The script meant the file to count, so no other number is judged instead."""
    reason, explanation = _read_failure(text, "Test accuracy: 0.83")
    assert reason is Reason.NO_ACCURACY
    assert explanation == (
        f"accuracy.json contains {text[:80]!r}, {fault}. Change the code that writes the file so that it writes a number "
        'from 0 to 1, as in {"accuracy": 0.83}.'
    )


@pytest.mark.parametrize(
    ("accuracy_json", "log"),
    [
        (None, "Test accuracy: nan"),
        (None, "Test accuracy: -inf"),
        (None, "Test accuracy: 1e999"),
        ('{"accuracy": NaN}', ""),
    ],
)
def test_accuracy_that_is_not_finite_fails(accuracy_json: str | None, log: str) -> None:
    """NaN and infinity have a reason of their own."""
    reason, explanation = _read_failure(accuracy_json, log)
    assert reason is Reason.ACCURACY_NOT_FINITE
    assert explanation.endswith(
        "Lower the learning rate if training diverged, and check that the test set is not empty."
    )


@pytest.mark.parametrize(
    ("accuracy_json", "log", "advice"),
    [
        (None, "Test accuracy: 83", "a line that the script printed, 'Test accuracy: 83', is 83, not between"),
        (None, "Test accuracy: 83", "write 0.83 or 83%"),
        ('{"accuracy": 83.2}', "", "If it is a percentage, write 0.832."),
        ('{"accuracy": 832}', "", "not between 0 and 1. Write it as a number from 0 to 1, such as 0.832."),
        (None, "Test accuracy: 8320%", "between 0 and 1"),
        (None, "Test accuracy: -0.1", "between 0 and 1"),
    ],
)
def test_accuracy_out_of_range_fails(accuracy_json: str | None, log: str, advice: str) -> None:
    """A number over 1 is not simply assumed to be a percentage; the explanation says how to write it."""
    reason, explanation = _read_failure(accuracy_json, log)
    assert reason is Reason.ACCURACY_OUT_OF_RANGE
    assert advice in explanation


def test_only_the_last_epoch_counts() -> None:
    """The val_accuracy of an earlier epoch does not measure the final model."""
    later = _EPOCH | {"model": 2, "metrics": {"accuracy": 0.9}}
    assert "no val_accuracy" in _explain_refusal(*_EPOCHS, later)


def test_last_validated_epoch_counts() -> None:
    """With validation_freq=2, the last of 21 epochs has no val_accuracy; the note names the epoch that counts."""
    last = _EPOCH | {"epoch": 21, "metrics": {"accuracy": 0.9}}
    choice = _choose(*_EPOCHS, last)
    assert choice.accuracy.value == 0.7
    assert "the val_accuracy of epoch 20, 0.7" in choice.notes[0]


def test_only_whole_epoch_events_become_epochs() -> None:
    """Infinite metrics are read; other events, truncated lines and other JSON are skipped."""
    event = {
        "event": "epoch",
        "model": 1,
        "call": 2,
        "epoch": 3,
        "epochs": 20,
        "metrics": {"accuracy": 0.5, "loss": "Infinity"},
        "seconds": 0.4,
    }
    lines = [
        json.dumps(event),
        json.dumps({"event": "evaluate", "model": 1, "metrics": {"accuracy": 0.5}}),
        "[]",
        "null",
        "",
        json.dumps(event | {"metrics": None}),
        json.dumps(event | {"epochs": None, "metrics": {}}),
        json.dumps(event)[:-9],
    ]
    assert parse_epochs("\n".join(lines)) == [
        Epoch(1, 2, 3, 20, {"accuracy": 0.5, "loss": float("inf")}, 0.4),
        Epoch(1, 2, 3, None, {}, 0.4),
    ]


def test_only_whole_measurements_are_read() -> None:
    """The number of samples is left out if it is not a number; whatever else a script writes is skipped."""
    event = _make_event(0.5, "score")
    lines = [
        json.dumps(event),
        json.dumps(event | {"samples": "many", "metrics": {"accuracy": "NaN"}}),
        json.dumps(event | {"event": "other"}),
        json.dumps(event | {"metrics": {"accuracy": "0.5"}}),
        json.dumps(event | {"metrics": {"accuracy": 10**400}}),
        json.dumps(event | {"seen": {"share": 2}}),
        json.dumps(event | {"labels": [1]}),
        json.dumps({"event": "test_set", "id": "1f0c", "rows": 1, "sketch": "not base64"}),
        "[" * 9999,
        "[]",
        json.dumps(event)[:-9],
    ]
    measurements = parse_measurements("\n".join(lines))
    first, second = measurements.measurements
    assert (first.metrics, first.samples, first.trained) == ({"accuracy": 0.5}, 360, True)
    assert math.isnan(second.metrics["accuracy"])
    assert second.samples is None
    assert measurements.test_sets == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["accuracy", "source", "samples", "event"]), inner),
)
_EVENTS = st.text() | st.builds(
    lambda event, metrics, samples: json.dumps({"event": event, "metrics": metrics, "samples": samples}),
    st.sampled_from(["score", "evaluate", "predict", "validation", "epoch", "test_set"]),
    _JSON,
    _JSON,
)
_PIECES = st.lists(
    st.sampled_from(
        ["Test accuracy", "accuracy", ": ", "=", "0.8", "83", "%", "e-", ".", "nan", "\r", "\b", "\n", " - "]
    )
    | st.text(max_size=3)
)


@given(st.none() | st.text() | _JSON.map(json.dumps), _PIECES.map("".join), _EVENTS)
def test_any_output_gives_an_accuracy_or_an_explanation(accuracy_json: str | None, log: str, metrics: str) -> None:
    """Whatever a script leaves behind, the result is an accuracy from 0 to 1 or a RunFailed."""
    try:
        findings = Findings(accuracy_json, parse_measurements(metrics), printed(log), parse_fits(metrics))
        assert 0 <= choose_accuracy(findings).accuracy.value <= 1
    except RunFailed as failure:
        assert failure.explanation


@given(st.floats(0, 1))
def test_any_printed_accuracy_is_read_back(value: float) -> None:
    """No digit or exponent is lost, and a 32-bit float stays the same 32-bit float."""
    read = _choose(log=f"loss 0.1\nTest accuracy: {value}\n").accuracy.value
    assert read == value or struct.pack("f", read) == struct.pack("f", value)
    assert struct.unpack("f", struct.pack("f", value))[0] == value or read == value
