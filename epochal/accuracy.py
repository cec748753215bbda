"""Where the accuracy of a training is read, best source first. Values in, values out."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from epochal.errors import Reason, RunFailed
from epochal.metrics import UNREADABLE, number, samples_of, test_set_of
from epochal.printed import PrintedLines
from epochal.records import Accuracy, AccuracySource, Epoch

_AGREES = 0.0005
"""Accuracies that are the same to three decimals, as scripts print them."""


def read_accuracy(
    accuracy_json: str | None, printed: PrintedLines, scores: Sequence[Accuracy], epochs: Sequence[Epoch]
) -> Accuracy:
    """The accuracy of a training that ended well: 0 to 1, with where it was read.

    Looked for, first that is there: ``accuracy_json``, the file that the script wrote itself or the recorder wrote of
    its last ``evaluate()``; the last test accuracy that was ``printed``; the last of ``scores``, which come behind it as
    they may be of the training data; the last epoch's ``val_accuracy``.
    Raises RunFailed: NO_ACCURACY, ACCURACY_NOT_FINITE, ACCURACY_OUT_OF_RANGE.
    """
    if accuracy_json is not None:
        return _checked(_from_file(accuracy_json))
    found = _from_lines(printed) or (scores[-1] if scores else _from_epochs(epochs))
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


def _from_lines(printed: PrintedLines) -> Accuracy | None:
    line = printed.test
    return None if line is None else Accuracy(line.value, AccuracySource.OUTPUT, line.samples)


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
