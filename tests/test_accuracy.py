"""Where the accuracy is read: the file, the output, the epochs; and what is no accuracy."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.accuracy import read_accuracy, with_samples
from epochal.errors import Reason, RunFailed
from epochal.metrics import parse_epochs, parse_measured, parse_scores
from epochal.records import Accuracy, AccuracySource, Epoch
from tests.printing import printed

_EPOCH = Epoch(1, 1, 20, 20, {"accuracy": 0.9, "val_accuracy": 0.7}, 0.4)
_SCORES = (Accuracy(0.95, AccuracySource.SCORE, 1437), Accuracy(0.75, AccuracySource.SCORE, 360))


def _reason(accuracy_json: str | None, log: str = "", epochs: tuple[Epoch, ...] = ()) -> tuple[Reason, str]:
    with pytest.raises(RunFailed) as failure:
        read_accuracy(accuracy_json, printed(log), (), epochs)
    return failure.value.reason, failure.value.explanation


@pytest.mark.parametrize(
    ("accuracy_json", "log", "scores", "epochs", "accuracy"),
    [
        (
            '{"accuracy": 0.6, "samples": 360}',
            "Test accuracy: 0.8",
            _SCORES,
            (_EPOCH,),
            Accuracy(0.6, AccuracySource.SCRIPT, 360),
        ),
        (
            '{"accuracy": 0.6, "source": "evaluate", "samples": null}',
            "Test accuracy: 0.8",
            _SCORES,
            (_EPOCH,),
            Accuracy(0.6, AccuracySource.EVALUATE),
        ),
        (
            '{"accuracy": 0.8999999761581421, "source": "evaluate", "samples": 360}',
            "",
            (),
            (),
            Accuracy(0.9, AccuracySource.EVALUATE, 360),
        ),
        ('{"accuracy": 1, "source": "my own"}', "", (), (), Accuracy(1.0, AccuracySource.SCRIPT)),
        (None, "Test accuracy: 0.8", _SCORES, (_EPOCH,), Accuracy(0.8, AccuracySource.OUTPUT)),
        (None, "All is well", _SCORES, (_EPOCH,), _SCORES[-1]),
        (None, "All is well", (), (_EPOCH,), Accuracy(0.7, AccuracySource.VALIDATION)),
    ],
)
def test_the_first_source_that_is_there_counts(
    accuracy_json: str | None, log: str, scores: tuple[Accuracy, ...], epochs: tuple[Epoch, ...], accuracy: Accuracy
) -> None:
    """accuracy.json comes before the output, the output before the last score, and that before val_accuracy."""
    assert read_accuracy(accuracy_json, printed(log), scores, epochs) == accuracy


@pytest.mark.parametrize(
    ("told", "samples"),
    [
        (Accuracy(0.831, AccuracySource.OUTPUT), 360),  # as it is printed of 299 of 360
        (Accuracy(0.83, AccuracySource.OUTPUT), None),
        (Accuracy(0.831, AccuracySource.SCRIPT, 20), 20),
    ],
)
def test_an_accuracy_without_samples_has_those_of_its_measurement(told: Accuracy, samples: int | None) -> None:
    """What a script prints of its score() or evaluate() was measured on what those saw, if the numbers agree."""
    score = {"event": "score", "samples": 360, "test_set": "9a3e", "metrics": {"accuracy": 299 / 360}}
    evaluate = {"event": "evaluate", "samples": 1437, "metrics": {"accuracy": 0.9}}
    measured = parse_measured(f"{json.dumps(score)}\n{json.dumps(evaluate)}\n")
    assert with_samples(told, measured).samples == samples


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
        ('{"accuracy": "NaN", "source": "evaluate"}', ""),
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
    reason, _ = _reason(None, "", (_EPOCH, Epoch(2, 1, 1, 5, {"accuracy": 0.9}, 0.4)))
    assert reason is Reason.NO_ACCURACY


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


def test_scores_are_read_and_the_rest_is_passed_over() -> None:
    """Score events become accuracies, with their samples if those are a number; what else a script may write does not."""
    event = {"event": "score", "of": "MLPClassifier", "samples": 360, "metrics": {"accuracy": 0.5}}
    lines = [
        json.dumps(event),
        json.dumps(event | {"samples": "many", "metrics": {"accuracy": "NaN"}}),
        json.dumps(event | {"event": "evaluate"}),
        json.dumps(event | {"metrics": {"accuracy": "0.5"}}),
        json.dumps(event | {"metrics": {"accuracy": 10**400}}),
        json.dumps(event | {"metrics": {}}),
        json.dumps(event | {"metrics": None}),
        "[" * 9999,
        "[]",
        json.dumps(event)[:-9],
    ]
    first, second = parse_scores("\n".join(lines))
    assert first == Accuracy(0.5, AccuracySource.SCORE, 360)
    assert math.isnan(second.value)
    assert second.samples is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["accuracy", "source", "samples", "event"]), inner),
)
_EVENTS = st.text() | st.builds(
    lambda event, metrics, samples: json.dumps({"event": event, "metrics": metrics, "samples": samples}),
    st.sampled_from(["score", "epoch"]),
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
        assert 0 <= read_accuracy(accuracy_json, printed(log), parse_scores(metrics), parse_epochs(metrics)).value <= 1
    except RunFailed as failure:
        assert failure.explanation


@given(st.floats(0, 1))
def test_any_accuracy_that_python_prints_is_read_back(value: float) -> None:
    """No digit and no exponent is lost between print and the gate; of a 32-bit float, none that it has."""
    read = read_accuracy(None, printed(f"loss 0.1\nTest accuracy: {value}\n"), (), ()).value
    assert read == value or struct.pack("f", read) == struct.pack("f", value)
    assert struct.unpack("f", struct.pack("f", value))[0] == value or read == value
