"""Where the accuracy of a training is read, best source first. Values in, values out."""

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from epochal.errors import Reason, RunFailed
from epochal.metrics import UNREADABLE, number, samples_of, test_set_of
from epochal.records import Accuracy, AccuracySource, Epoch

# Taken whole or not at all: "8.5e-05" must not pass as 8.5, nor "0,83" as 0, nor "83/100" as 83.
_VALUE = (
    r"\s*[\"']?\s*[:=]\s*(?:tensor\()?"
    r"(?P<number>[-+]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[-+]?\d++)?+|nan|inf(?:inity)?+))"
    r"(?![\w/]|[.,]\d)(?:\s*+(?P<percent>%))?"
)
# "Test accuracy: 0.83" where a line begins, behind what logging puts there, or behind a separator ("loss: 0.5, test
# accuracy: 0.83"). Never behind a word, a bracket or a quotation mark: "Goal (test accuracy = 0.80)" measures nothing.
_LOGGED = r"(?:[\d.,:/TZ+\s-]*\[?\b(?:DEBUG|INFO|WARNING|ERROR)\b\]?[\s:-]+(?:[\w.]+:\s*)?)?"
_OPENING = rf"(?:^[^\w(]*{_LOGGED}|[^\w\s()\[:=#\"'`-]\s*[\"']?|\s-+\s+)"
_TEST = re.compile(_OPENING + r"(?:final\s+)?test[ _-]?acc(?:uracy)?" + _VALUE, re.IGNORECASE)
# "accuracy=0.83" where a line begins; what goes on as "accuracy: 0.91 - loss: …" is a piece of Keras' progress.
_BARE = re.compile(
    r"^\s*(?:(?:final|overall|model)\s+)?accuracy(?:\s+score)?" + _VALUE + r"(?!.*\s-\s\w+:)", re.IGNORECASE
)
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# Behind the accuracy: "(299/360)", or "on 360 test samples".
_COUNTED = re.compile(
    r"\s*(?:\(\s*(?P<right>\d{1,9})\s*/\s*(?P<all>\d{1,9})\s*\)"
    r"|\(?\s*on\s+(?P<on>\d{1,9})\s+(?:test\s+)?(?:samples|images|examples)\b)",
    re.IGNORECASE,
)
_AGREES = 0.0005
"""Accuracies that are the same to three decimals, as scripts print them."""
# Keras' progress: "45/45 ━━━━ 0s 2ms/step - accuracy: …", "45/45 - 0s - 3ms/step - accuracy: …", "45/45 [===] - 0s".
_PROGRESS = re.compile(r"\s*\d+/(?:\d+|unknown)\b.*(?:━|\[[=>.]|/step| - )", re.IGNORECASE)


def read_accuracy(accuracy_json: str | None, log: str, scores: Sequence[Accuracy], epochs: Sequence[Epoch]) -> Accuracy:
    """The accuracy of a training that ended well: 0 to 1, with where it was read.

    Looked for, first that is there: ``accuracy_json``, the file that the script wrote itself or the recorder wrote of
    its last ``evaluate()``; the last line ``Test accuracy: …`` of ``log`` (else the last that begins with
    ``accuracy``); the last of ``scores``, which come behind the log as they may be of the training data; the last
    epoch's ``val_accuracy``.
    Raises RunFailed: NO_ACCURACY, ACCURACY_NOT_FINITE, ACCURACY_OUT_OF_RANGE.
    """
    if accuracy_json is not None:
        return _checked(_from_file(accuracy_json))
    found = _from_log(log) or (scores[-1] if scores else _from_epochs(epochs))
    if found is None:
        raise RunFailed(
            Reason.NO_ACCURACY,
            "The training ended well but told no accuracy: no accuracy.json in $EPOCHAL_OUT, no evaluate() with an "
            "accuracy metric, no line like 'Test accuracy: 0.83', no score() or accuracy_score(), no val_accuracy. Print "
            "such a line at nn.py's end.",
        )
    return _checked(found)


def with_samples(accuracy: Accuracy, measured: Sequence[Accuracy]) -> Accuracy:
    """An accuracy that came without its number of samples, with that of the last one ``measured`` that agrees with it.

    Most scripts print, or write, what evaluate() or score() has just returned to them.
    """
    if accuracy.samples:
        return accuracy
    agreeing = [each for each in measured if each.samples and abs(each.value - accuracy.value) <= _AGREES]
    if not agreeing:
        return accuracy
    return replace(accuracy, samples=agreeing[-1].samples, test_set=agreeing[-1].test_set)


def _from_file(text: str) -> Accuracy:
    try:
        content = json.loads(text)
        source = AccuracySource.EVALUATE if content.get("source") == "evaluate" else AccuracySource.SCRIPT
        return Accuracy(number(content["accuracy"]), source, samples_of(content), test_set_of(content))
    except UNREADABLE:
        raise RunFailed(
            Reason.NO_ACCURACY,
            f'accuracy.json should be like {{"accuracy": 0.83}}; it is {text[:80]!r}. Mend what nn.py writes there.',
        ) from None


def _from_log(log: str) -> Accuracy | None:
    lines = [line for line in re.split(r"[\r\n\b]+", _ANSI.sub("", log)) if "acc" in line.lower()]
    lines = [line for line in lines if not _PROGRESS.match(line)]
    found = _last(_TEST, lines) or _last(_BARE, lines)
    if found is None:
        return None
    value = float(found["number"])
    # In decimal: 83.2% is the very number 0.832, which a threshold of 0.832 is compared with.
    value = float(Decimal(str(value)) / 100) if found["percent"] else value
    return Accuracy(value, AccuracySource.OUTPUT, _counted(found.string[found.end() :], value))


def _counted(text: str, accuracy: float) -> int | None:
    """The number of test samples that a line goes on with; None where it does not, or where they tell of another accuracy."""
    found = _COUNTED.match(text)
    if found is None:
        return None
    samples = int(found["on"] or found["all"])
    if samples and found["right"] and abs(int(found["right"]) / samples - accuracy) > 10 * _AGREES:
        return None
    return samples or None


def _last(pattern: re.Pattern[str], lines: list[str]) -> re.Match[str] | None:
    return next((found[-1] for line in reversed(lines) if (found := list(pattern.finditer(line)))), None)


def _from_epochs(epochs: Sequence[Epoch]) -> Accuracy | None:
    validation = epochs[-1].validation_accuracy if epochs else None
    return None if validation is None else Accuracy(validation, AccuracySource.VALIDATION)


def _as_measured(value: float) -> float:
    """Of a 32-bit float, which is what Keras measures in, the shortest decimal that means it.

    324 of 360 right is 0.9, but as a 32-bit float 0.8999999761581421, which is below a threshold of 0.9.
    """
    if not math.isfinite(value) or abs(value) > 1 or struct.unpack("f", struct.pack("f", value))[0] != value:
        return value
    decimals = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next(short for short in decimals if struct.unpack("f", struct.pack("f", short))[0] == value)


def _checked(accuracy: Accuracy) -> Accuracy:
    if not math.isfinite(accuracy.value):
        raise RunFailed(
            Reason.ACCURACY_NOT_FINITE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value}, not a finite number: the training diverged, "
            "or there was nothing to measure it on.",
        )
    if not 0 <= accuracy.value <= 1:
        raise RunFailed(
            Reason.ACCURACY_OUT_OF_RANGE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value:g}, not between 0 and 1. "
            + _remedy(accuracy.value),
        )
    return replace(accuracy, value=_as_measured(accuracy.value))


def _remedy(value: float) -> str:
    if 1 < value <= 100:
        return f"If it is in percent, write {float(Decimal(str(value)) / 100):g} or {value:g}%."
    return "Write it as 0.832 or as 83.2%."
