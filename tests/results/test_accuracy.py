"""Where the accuracy is read: the file, the output, the epochs; and what is no accuracy."""

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import Reason, RunFailed
from epochal.records import Epoch
from epochal.results.accuracy import Choice, Told, choose_accuracy
from epochal.results.measurements import parse_measured
from epochal.results.metrics import parse_epochs, parse_fits
from tests.printing import printed

_EPOCH = {"event": "epoch", "model": 1, "call": 1, "epoch": 20, "epochs": 20, "seconds": 0.4}
_EPOCHS = [
    {"event": "fit", "model": 1, "call": 1, "epochs": 20, "continued": 0, "why": "", "history": {}},
    _EPOCH | {"metrics": {"accuracy": 0.9, "val_accuracy": 0.7}},
]
_CLEAN = {"rows": 360, "share": 0.0, "expected": 0.0, "refused": False, "checked": True, "why": ""}
_SEEN = _CLEAN | {"share": 0.8, "expected": 0.02, "refused": True}
_CLASSES = {"": {"kind": "classes", "answers": 10, "answer": "3", "chance": 0.1, "by_element": False}}


def _measured(accuracy: float, event: str = "evaluate", **others: Any) -> dict[str, Any]:
    """Return an event as the recorder writes it."""
    whose = {"model": 1} if event == "evaluate" else {"of": "MLPClassifier", "dummy": False}
    facts = {"samples": 360, "test_set": "1f0c", "weights": "a", "trained": True, "seen": _CLEAN, "labels": _CLASSES}
    return {"event": event, "metrics": {"accuracy": accuracy}, "time": 1.0} | whose | facts | others


def _choose(
    *events: dict[str, Any], log: str = "", written: str | None = None, metric: str = "", repeated: bool = False
) -> Choice:
    metrics = "".join(json.dumps(event) + "\n" for event in events)
    told = Told(written, parse_measured(metrics), printed(log), parse_fits(metrics))
    return choose_accuracy(told, metric, repeated_rows=repeated)


def _judged(*events: dict[str, Any], **options: Any) -> tuple[float, str]:
    accuracy = _choose(*events, **options).accuracy
    return accuracy.value, accuracy.source.value


def _refused(*events: dict[str, Any], **options: Any) -> str:
    with pytest.raises(RunFailed) as failure:
        _choose(*events, **options)
    assert failure.value.reason is Reason.NO_ACCURACY
    return failure.value.explanation


def _reason(accuracy_json: str | None, log: str = "") -> tuple[Reason, str]:
    with pytest.raises(RunFailed) as failure:
        _choose(log=log, written=accuracy_json)
    return failure.value.reason, failure.value.explanation


@pytest.mark.parametrize(
    ("written", "log", "events", "judged"),
    [
        ('{"accuracy": 0.6}', "Test accuracy: 0.8", [_measured(0.75), *_EPOCHS], (0.6, "accuracy.json")),
        (None, "Test accuracy: 0.8", [_measured(0.75), *_EPOCHS], (0.75, "evaluate")),
        (None, "Test accuracy: 0.8", _EPOCHS, (0.8, "output")),
        (None, "All is well", _EPOCHS, (0.7, "val_accuracy")),
        # Of a 32-bit float the shortest decimal that means it.
        (None, "", [_measured(0.8999999761581421)], (0.9, "evaluate")),
        # What the recorder wrote is the event's.
        ('{"accuracy": 0.6, "source": "evaluate"}', "", [_measured(0.75)], (0.75, "evaluate")),
        ('{"accuracy": 1, "source": "my own"}', "", [], (1.0, "accuracy.json")),
    ],
)
def test_the_first_source_that_there_is_counts(
    written: str | None, log: str, events: list[dict[str, Any]], judged: tuple[float, str]
) -> None:
    """What nn.py wrote comes before what was measured, that before what was printed, and val_accuracy is the last."""
    assert _judged(*events, log=log, written=written) == judged


def test_the_last_measurement_in_time_counts_whichever_library_made_it() -> None:
    """A classifier behind a network, or a network behind a classifier."""
    network, svm = _measured(0.4, time=1.0), _measured(0.9, "score", weights="b", time=2.0)
    assert _judged(network, svm) == (0.9, "score")
    assert _judged(svm, network | {"time": 3.0}) == (0.4, "evaluate")


def test_a_measurement_on_a_tenth_of_the_samples_of_another_does_not_count() -> None:
    """A demonstration on three samples behind the test."""
    assert _judged(_measured(0.8), _measured(1.0, samples=35, time=2.0))[0] == 0.8
    assert _judged(_measured(0.8), _measured(1.0, samples=36, time=2.0))[0] == 1.0


def test_a_network_of_unknown_origin_does_not_count_beside_one_that_was_trained() -> None:
    """Weights from the repository by np.load() and set_weights(); by itself such a network may be a loop's of nn.py's own."""
    unknown = _measured(1.0, model=2, weights="b", trained=None, time=2.0)
    assert _judged(_measured(0.4), unknown)[0] == 0.4
    assert _judged(unknown)[0] == 1.0


def test_answers_of_unknown_origin_are_of_the_predictions_for_as_many_rows() -> None:
    """The mean of five folds' models on all rows; a threshold of nn.py's own."""
    predictions = [_measured(0.0, "predict", metrics={}, labels={}, seen=_SEEN, weights=str(fold)) for fold in range(5)]
    mean = _measured(0.95, "score", trained=None, seen=_CLEAN | {"checked": False}, time=2.0)
    assert "80% of test rows" in _refused(*predictions, mean)
    assert _judged(*predictions, _measured(0.0, "predict", metrics={}, labels={}), mean)[0] == 0.95
    assert _judged(*predictions, mean | {"samples": 400})[0] == 0.95


def test_a_number_that_nn_py_works_out_is_of_the_labels_that_were_measured_for_the_same_rows() -> None:
    """One minus the mean error of a regression, beside its evaluate(); an accuracy of whole labels is known by its chance."""
    prediction, line = _measured(0.0, "predict", metrics={}, labels={}, time=2.0), "Test accuracy: 0.8316"
    regression = _measured(0.91, labels={"": {"kind": "numbers"}})
    assert "a regression" in _refused(regression, prediction, log=line)
    assert _judged(regression, prediction | {"test_set": "other"}, log=line) == (0.8316, "output")
    loss = _measured(0.0, metrics={"loss": 0.4})
    assert _choose(loss, prediction, log=line).accuracy.evidence.chance == 0.1


def test_a_part_of_the_test_set_does_not_count_for_all_of_it() -> None:
    """accuracy_score() for each group of people after that for all of them."""
    group = _measured(0.7, "score", samples=180, trained=None, test_set="other", time=2.0)
    assert _judged(_measured(0.8, "score"), group)[0] == 0.8
    assert _judged(_measured(0.8, "score"), group | {"samples": 360})[0] == 0.7
    assert _judged(group)[0] == 0.7
    resampled = group | {"samples": 360}
    assert _judged(_measured(0.8, "score"), resampled, log="Test accuracy: 0.800")[0] == 0.8


_R2 = _measured(0.44, "score", measures="r2")
_LOADED = _measured(0.97, trained=False)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (_measured(1.0, seen=_SEEN), "80% of test rows were also trained on, where a clean split would show 2%"),
        (_measured(1.0, seen=_SEEN | {"redrawn": True}), "drawn anew at each reading"),
        (_R2, "R², which is no accuracy"),
        (_LOADED, "loaded ready-made"),
        (_measured(0.9, "score", dummy=True), "DummyClassifier"),
        (_measured(0.0, labels={"": {"kind": "numbers"}}), "a regression"),
        (_measured(0.0, labels={"": {"kind": "inputs"}}), "the inputs themselves"),
        (
            _measured(1.0, labels={"": {"kind": "classes", "answers": 1, "answer": "no", "chance": 1.0}}),
            "All test labels",
        ),
        (_measured(0.9, labels={"": {"kind": "several"}}), "accuracy_score(y_test"),
        (
            _measured(0.9, labels={"": {"kind": "one-hot"}}, kinds={"accuracy": "BinaryAccuracy"}),
            "categorical_accuracy",
        ),
    ],
)
def test_what_is_no_accuracy_of_what_was_trained_is_refused(event: dict[str, Any], why: str) -> None:
    """Neither it counts nor a number that nn.py prints or writes of it; what else there is, does."""
    value = event["metrics"]["accuracy"]
    assert why in _refused(event)
    assert why in _refused(event, log=f"Test accuracy: {value:.3f}")
    assert why in _refused(event, log=f"Accuracy: {100 * value:.2f}")
    assert why in _refused(event, written=json.dumps({"accuracy": value}))
    sound = _measured(0.5, time=0.5)
    assert _judged(sound, event) == (0.5, "evaluate")
    assert _judged(sound, event, log="Test accuracy: 0.500") == (0.5, "evaluate")
    assert _judged(event, log="Test accuracy: 0.618") == (0.618, "output")
    assert _judged(event, *_EPOCHS) == (0.7, "val_accuracy")


def test_rows_that_were_trained_on_count_if_the_repository_accepts_them() -> None:
    """repeated_rows = true; the evidence says so."""
    accuracy = _choose(_measured(0.9, seen=_SEEN), repeated=True).accuracy
    assert (accuracy.value, accuracy.evidence.accepted, accuracy.evidence.seen) == (0.9, True, 0.8)
    assert not _choose(_measured(0.9), repeated=True).accuracy.evidence.accepted


def test_validation_on_what_was_trained_is_no_accuracy() -> None:
    """validation_data = (x_train, y_train), with no other measurement."""
    validation = _measured(0.7, "validation", model=1, call=1, metrics={}, seen=_SEEN)
    assert _refused(*_EPOCHS, validation).startswith("80% of validation rows were also trained on")
    sound = _choose(*_EPOCHS, validation | {"seen": _CLEAN}).accuracy
    assert (sound.value, sound.samples, sound.test_set, sound.evidence.chance) == (0.7, 360, "1f0c", 0.1)


def test_a_val_accuracy_that_is_a_refused_measurement_is_refused_too() -> None:
    """Unless its own rows are known not to have been trained on."""
    assert "80% of test rows" in _refused(*_EPOCHS, _measured(0.7, seen=_SEEN))
    validation = _measured(0.7, "validation", model=1, call=1, metrics={})
    assert _judged(*_EPOCHS, _measured(0.7, seen=_SEEN), validation) == (0.7, "val_accuracy")


def test_a_printed_accuracy_has_the_evidence_of_its_measurement() -> None:
    """What a script prints of its score(), or works out of its predict(), was measured on what those saw."""
    of_score = _choose(_measured(299 / 360, "score"), written='{"accuracy": 0.831}').accuracy
    assert (of_score.samples, of_score.evidence.chance, of_score.evidence.checked) == (360, 0.1, True)
    assert _choose(_measured(299 / 360, "score"), written='{"accuracy": 0.83}').accuracy.samples is None

    prediction = _measured(0.0, "predict", metrics={}, labels={"": {"kind": "unknown"}})
    of_predict = _choose(prediction, log="Test accuracy: 0.8").accuracy
    assert (of_predict.samples, of_predict.test_set, of_predict.evidence.checked) == (360, "1f0c", True)
    assert "80% of test rows" in _refused(prediction | {"seen": _SEEN}, log="Test accuracy: 0.8")
    assert _judged(prediction, prediction | {"seen": _SEEN}, log="Test accuracy: 0.8") == (0.8, "output")


def test_a_printed_number_may_be_that_of_a_refused_measurement_by_chance() -> None:
    """Train and test accuracy are both 0.83; what was answered after the refused measurement is what was printed."""
    train = _measured(0.832, "score", seen=_SEEN, time=1.0)
    answered = _measured(0.0, "predict", metrics={}, labels={}, time=2.0)
    assert _judged(train, answered, log="Test accuracy: 0.83") == (0.83, "output")
    assert _judged(train, {"event": "called", "time": 2.0}, log="Test accuracy: 0.83") == (0.83, "output")
    assert "80% of test rows" in _refused(train | {"time": 3.0}, answered, log="Test accuracy: 0.83")
    assert "80% of test rows" in _refused(train, answered, log="Test accuracy: 0.8320")


def test_a_network_that_was_called_directly_may_have_answered_for_other_rows() -> None:
    """predict() for a confusion matrix of the training data, then model(x_test)."""
    train = _measured(0.0, "predict", metrics={}, labels={}, seen=_SEEN, time=1.0)
    assert _judged(train, {"event": "called", "time": 2.0}, log="Test accuracy: 0.8") == (0.8, "output")
    assert "80% of test rows" in _refused({"event": "called", "time": 0.5}, train, log="Test accuracy: 0.8")


def test_a_line_that_is_not_understood_is_quoted_and_nothing_else_is_judged() -> None:
    """val_accuracy is no silent substitute."""
    line = "Accuracy on the noisy test images of the field: 0.558"
    assert repr(line) in _refused(*_EPOCHS, log=line)
    assert _judged(*_EPOCHS, log="Train accuracy: 0.99") == (0.7, "val_accuracy")


def test_several_outputs_need_a_choice() -> None:
    """The setting ``metric`` names one of them; without it nothing is judged, and the message has the line to write."""
    metrics = {"aux_accuracy": 0.2, "main_accuracy": 0.5, "loss": 1.0}
    labels = {"main": {"kind": "classes", "answers": 2, "answer": "no", "chance": 0.6}, "aux": {"kind": "classes"}}
    event = _measured(0.0, metrics=metrics, labels=labels)
    told = _refused(event)
    assert "aux_accuracy, main_accuracy" in told
    assert 'metric = "aux_accuracy"' in told
    main = _choose(event, metric="main_accuracy").accuracy
    assert (main.value, main.evidence.chance, main.evidence.answer) == (0.5, 0.6, "no")
    assert _judged(event, _measured(0.7, time=2.0))[0] == 0.7
    assert "measured aux_accuracy, main_accuracy, loss" in _refused(event, metric="side_accuracy")


def test_what_else_was_measured_or_printed_is_reported() -> None:
    """Which number counts, and how to have another one judged."""
    folds = [_measured(0.5 + fold / 100, model=fold, weights=str(fold), time=fold) for fold in range(1, 6)]
    (note,) = _choose(*folds).notes
    assert "5 networks" in note and "0.55" in note and "accuracy.json" in note
    (note,) = _choose(_measured(0.592), log="Accuracy: 0.6417").notes
    assert "'Accuracy: 0.6417'" in note and "0.592" in note and "accuracy.json" in note
    assert _choose(_measured(0.5917), log="Accuracy: 0.592").notes == ()
    (note,) = _choose(*_EPOCHS).notes
    assert "val_accuracy, 0.7, is judged" in note


def test_every_network_that_was_compared_with_the_test_set_is_a_look() -> None:
    """The same weights on the same rows are one look, whatever measured them; an epoch validated on the test set is one."""
    seeds = [_measured(0.5, "predict", weights=str(seed), metrics={}) for seed in range(150)]
    assert _choose(*seeds, _measured(0.7, "score", weights="149")).accuracy.looks == 150
    elsewhere = [_measured(0.5, weights=str(seed), test_set="other") for seed in range(5)]
    assert _choose(*elsewhere, _measured(0.7, time=2.0)).accuracy.looks == 1
    epochs = [_EPOCH | {"epoch": epoch, "weights": f"w{epoch}", "metrics": {}} for epoch in range(1, 21)]
    validation = _measured(0.5, "validation", model=1, call=1, metrics={})
    assert _choose(*epochs, validation, _measured(0.7, weights="w20")).accuracy.looks == 20
    dummy = _measured(0.5, "score", weights="d", dummy=True)
    assert _choose(dummy, _measured(0.7, time=2.0)).accuracy.looks == 1


def test_test_sets_that_share_rows_are_one_for_the_looks() -> None:
    """A new split of the same data is no new test set."""

    def rows(identity: str, first: int) -> dict[str, Any]:
        sketch = b"".join(number.to_bytes(8, "little") for number in range(first, first + 100))
        return {"event": "test_set", "id": identity, "rows": 100, "sketch": base64.b64encode(sketch).decode()}

    sets = [rows("one", 1), rows("other", 90), rows("third", 5000)]
    looks = [_measured(0.5, test_set=name, weights=name, time=at) for at, name in enumerate(("third", "other", "one"))]
    accuracy = _choose(*sets, *looks).accuracy
    assert (accuracy.looks, len(accuracy.test_rows or b"")) == (2, 800)


def test_no_accuracy_anywhere() -> None:
    """The explanation names what to print, and what else would be read."""
    reason, explanation = _reason(None, "All is well")
    assert reason is Reason.NO_ACCURACY
    assert "Test accuracy: 0.83" in explanation
    assert "score()" in explanation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.83",
        "{",
        "[0.83]",
        '{"acc": 0.83}',
        '{"accuracy": "0.83"}',
        '{"accuracy": true}',
        '{"accuracy": null}',
        "[" * 9999,
    ],
)
def test_a_file_that_cannot_be_used_is_told(text: str) -> None:
    """An accuracy.json that is not as it should be fails the trial: the script meant it to count."""
    reason, explanation = _reason(text, "Test accuracy: 0.83")
    assert reason is Reason.NO_ACCURACY
    assert "accuracy.json should be" in explanation


@pytest.mark.parametrize(
    ("accuracy_json", "log"),
    [
        (None, "Test accuracy: nan"),
        (None, "Test accuracy: -inf"),
        (None, "Test accuracy: 1e999"),
        ('{"accuracy": NaN}', ""),
    ],
)
def test_not_finite(accuracy_json: str | None, log: str) -> None:
    """What is no finite number fails with a reason of its own."""
    assert _reason(accuracy_json, log)[0] is Reason.ACCURACY_NOT_FINITE


@pytest.mark.parametrize(
    ("accuracy_json", "log", "told"),
    [
        (None, "Test accuracy: 83.2", "write 0.832 or 83.2%"),
        ('{"accuracy": 83.2}', "", "write 0.832 or 83.2%"),
        (None, "Test accuracy: 8320%", "between 0 and 1"),
        (None, "Test accuracy: -0.1", "between 0 and 1"),
    ],
)
def test_out_of_range(accuracy_json: str | None, log: str, told: str) -> None:
    """An accuracy over 1 is not guessed to be in percent; the message says how to write it."""
    reason, explanation = _reason(accuracy_json, log)
    assert reason is Reason.ACCURACY_OUT_OF_RANGE
    assert told in explanation


def test_only_the_last_epoch_counts() -> None:
    """An earlier epoch's val_accuracy is no measure of the network as it became."""
    later = _EPOCH | {"model": 2, "metrics": {"accuracy": 0.9}}
    assert "no val_accuracy" in _refused(*_EPOCHS, later)


def test_epochs_are_read_and_the_rest_is_passed_over() -> None:
    """Epoch events become epochs, NaN included; other events, half lines and what is no event do not."""
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


def test_measurements_are_read_and_the_rest_is_passed_over() -> None:
    """What the recorder wrote, with its samples if those are a number; what else a script may write is not read."""
    event = _measured(0.5, "score")
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
    measured = parse_measured("\n".join(lines))
    first, second = measured.measurements
    assert (first.metrics, first.samples, first.trained) == ({"accuracy": 0.5}, 360, True)
    assert math.isnan(second.metrics["accuracy"])
    assert second.samples is None
    assert measured.test_sets == {}


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
def test_any_text_gives_an_accuracy_or_a_reason(accuracy_json: str | None, log: str, metrics: str) -> None:
    """Whatever a script leaves behind, the answer is an accuracy from 0 to 1 or a RunFailed."""
    try:
        told = Told(accuracy_json, parse_measured(metrics), printed(log), parse_fits(metrics))
        assert 0 <= choose_accuracy(told).accuracy.value <= 1
    except RunFailed as failure:
        assert failure.explanation


@given(st.floats(0, 1))
def test_any_accuracy_that_python_prints_is_read_back(value: float) -> None:
    """No digit and no exponent is lost between print and the gate; of a 32-bit float, none that it has."""
    read = _choose(log=f"loss 0.1\nTest accuracy: {value}\n").accuracy.value
    assert read == value or struct.pack("f", read) == struct.pack("f", value)
    assert struct.unpack("f", struct.pack("f", value))[0] == value or read == value
