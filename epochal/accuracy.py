"""Where the accuracy of a training is read, best source first. Values in, values out."""

import json
import math
import re
from collections.abc import Sequence

from epochal.errors import Reason, RunFailed
from epochal.records import Accuracy, AccuracySource, Epoch

_NUMBER = r"(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?))\s*(?P<percent>%?)"
# "Test accuracy: 0.83", also behind a separator: "Test loss: 0.5, test accuracy: 0.83".
_TEST = re.compile(
    r"(?:^|[,;|\-])\s*(?:the\s+)?(?:final\s+)?test[ _-]?acc(?:uracy)?(?:\s+score)?\s*(?:[:=]|is)\s*" + _NUMBER + r"(?![\w.])",
    re.IGNORECASE,
)
# "accuracy=0.83", "Final accuracy: 83 %", "Model accuracy: 0.83": at the beginning of a line only.
_BARE = re.compile(
    r"^\s*(?:the\s+)?(?:(?:final|overall|model)\s+)*acc(?:uracy)?(?:\s+score)?\s*(?:[:=]|is)\s*" + _NUMBER + r"(?![\w.])",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08")
# What Keras prints of its own progress: "45/45 ━━━━ 0s 2ms/step - accuracy: …", "45/45 - 0s - 3ms/step - accuracy: …".
_PROGRESS = re.compile(r"\bEpoch \d+/\d+|\b\d+/(?:\d+|Unknown)\b.*(?:━|step|\[=|- loss:| - acc)")


def read_accuracy(accuracy_json: str | None, log: str, epochs: Sequence[Epoch]) -> Accuracy:
    """The accuracy of a training that ended well: 0 to 1, with where it was read.

    Looked for, first that is there: the file that the script wrote, or that the recorder wrote of its last ``evaluate()``;
    the last line ``Test accuracy: …`` of ``log`` (else the last that begins with ``accuracy``); the last epoch's
    ``val_accuracy``. Raises RunFailed: NO_ACCURACY, ACCURACY_NOT_FINITE, ACCURACY_OUT_OF_RANGE.
    """
    found = _from_file(accuracy_json) if accuracy_json is not None else None
    found = found or _from_log(log) or _from_epochs(epochs)
    if found is None:
        raise RunFailed(
            Reason.NO_ACCURACY,
            "The training ended well but told no accuracy: no accuracy.json in $EPOCHAL_OUT, no evaluate() with an accuracy "
            "metric, no line like 'Test accuracy: 0.83', no val_accuracy. Print such a line at the end of nn.py.",
        )
    return _checked(found)


def parse_epochs(metrics: str) -> list[Epoch]:
    """The epochs in the recorder's ``metrics.jsonl``; other events, and lines that are not whole, are passed over."""
    return [epoch for line in metrics.splitlines() if (epoch := _epoch(line))]


def _epoch(line: str) -> Epoch | None:
    try:
        event = json.loads(line)
        if event["event"] != "epoch":
            return None
        metrics = {name: float(value) for name, value in event["metrics"].items() if value is not None}
        total = int(event["epochs"]) if event.get("epochs") else None
        return Epoch(
            int(event["model"]), int(event["call"]), int(event["epoch"]), total, metrics, float(event["seconds"])
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _from_file(text: str) -> Accuracy:
    try:
        content = json.loads(text)
        samples = content.get("samples")
        source = AccuracySource.EVALUATE if content.get("source") == "evaluate" else AccuracySource.SCRIPT
        return Accuracy(float(content["accuracy"]), source, int(samples) if isinstance(samples, int) else None)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise RunFailed(
            Reason.NO_ACCURACY,
            f'accuracy.json should be like {{"accuracy": 0.83}}; it is {text[:80]!r}. Mend what nn.py writes there.',
        ) from None


def _from_log(log: str) -> Accuracy | None:
    tests, bare = [], []
    for line in _lines(log):
        tests += _TEST.finditer(line)
        bare += _BARE.finditer(line)
    found = tests or bare
    if not found:
        return None
    value = float(found[-1]["number"])
    return Accuracy(value / 100 if found[-1]["percent"] else value, AccuracySource.OUTPUT)


def _lines(log: str) -> list[str]:
    """The lines as a terminal would have shown them in the end: what a carriage return wrote over is gone."""
    plain = _CONTROL.sub("", log.replace("\r\n", "\n"))
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n")]
    return [line for line in shown if not _PROGRESS.search(line)]


def _from_epochs(epochs: Sequence[Epoch]) -> Accuracy | None:
    validation = epochs[-1].validation_accuracy if epochs else None
    return None if validation is None else Accuracy(validation, AccuracySource.VALIDATION)


def _checked(accuracy: Accuracy) -> Accuracy:
    if not math.isfinite(accuracy.value):
        raise RunFailed(
            Reason.ACCURACY_NOT_FINITE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value}, not a finite number: the training diverged, or "
            "there was nothing to measure it on.",
        )
    if not 0 <= accuracy.value <= 1:
        raise RunFailed(
            Reason.ACCURACY_OUT_OF_RANGE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value:g}, not between 0 and 1. Percent are written with "
            "their sign: 0.832 or 83.2%.",
        )
    return accuracy
