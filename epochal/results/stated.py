"""Read and compare the numbers that a script states as its accuracy."""

import json
import math
import re
import statistics
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from epochal.errors import Reason, RunFailed
from epochal.records import Accuracy, AccuracySource
from epochal.results.metrics import PARSE_ERRORS, read_number, read_samples, read_test_set

TOLERANCE = 0.0005
"""Accuracies that differ by at most this much count as equal, because scripts may round to three decimal places."""

_MIN_CUT_LIST = 5
"""A part of a list must have at least this many numbers to be recognised."""
_IN_PARENTHESES = re.compile(r"\([^()]*\)")


def parse_accuracy_json(text: str) -> Accuracy | None:
    """Return the accuracy that nn.py wrote to accuracy.json; None if the recorder wrote the file."""
    fault = "which is not a JSON object"
    try:
        content = json.loads(text)
        if content.get("source") == "evaluate":
            return None
        fault = 'in which "accuracy" is not a number' if "accuracy" in content else 'which has no key "accuracy"'
        return Accuracy(
            read_number(content["accuracy"]), AccuracySource.SCRIPT, read_samples(content), read_test_set(content)
        )
    except PARSE_ERRORS:
        raise RunFailed(
            Reason.NO_ACCURACY,
            f"accuracy.json contains {text[:80]!r}, {fault}. Change the code that writes the file so that it writes "
            'a number from 0 to 1, as in {"accuracy": 0.83}.',
        ) from None


def is_same_number(stated: float, measured: float, tolerance: float) -> bool:
    """Return whether ``stated`` (perhaps in percent) equals ``measured``.

    ``tolerance``: the largest permitted difference, in the unit of ``stated``.
    """
    return any(abs(value - measured) <= tolerance * scale for value, scale in ((stated, 1.0), (stated / 100, 0.01)))


def find_shares(text: str) -> list[float]:
    """Return the numbers in a text that have a decimal point or a percent sign, in order.

    A number that has a percent sign or is over 1 is divided by 100: 96.5% gives 0.965.
    """
    found = re.findall(r"(?<![\w.])(\d+(?:\.\d*(?![\w.])|(?=\s*%(?!\s*(?:CI\b|conf|interval)))))\s*(%?)", text)
    return [float(Decimal(number) / 100) if sign or float(number) > 1 else float(number) for number, sign in found]


def states_one_of(line: str, values: Iterable[float]) -> bool:
    """Return whether a number in a line is one of ``values`` (0 to 1), perhaps rounded."""
    return any(_rounds(stated, value) for value in values for stated in find_shares(line))


def _rounds(stated: float, value: float) -> bool:
    return abs(stated - value) <= rounding_error(stated)


def lists_some(line: str, numbers: Sequence[float]) -> bool:
    """Return whether the numbers in a line's last pair of brackets are at least two consecutive items of ``numbers``.

    The numbers may be rounded. If a line has no brackets, this applies to the whole line. Some ``numbers`` may be
    absent, because lines may be cut or wrapped. A list may also begin with the mean of ``numbers``, followed by any of
    ``numbers`` or their standard deviation.
    """
    listed = find_shares(line.rpartition("[")[2].partition("]")[0])
    if len(listed) < 2 or len(numbers) < 2:
        return False
    windows = (numbers[start : start + len(listed)] for start in range(len(numbers) - len(listed) + 1))
    known = (*numbers, statistics.pstdev(numbers), statistics.stdev(numbers))
    return any(all(map(_rounds, listed, window)) for window in windows) or (
        _rounds(listed[0], statistics.fmean(numbers))
        and all(any(_rounds(each, number) for number in known) for each in listed[1:])
    )


def lists_all(line: str, numbers: Sequence[float]) -> bool:
    """Return whether a line lists all ``numbers`` (at least two), perhaps rounded, and states no others.

    If the line was wrapped or cut, the beginning or end of the list is enough, provided that it has several numbers.
    """
    before, opened, rest = line.rpartition("[")
    inside, closed, after = rest.partition("]")
    listed = find_shares(inside)
    if not 2 <= len(listed) <= len(numbers) or find_shares(f"{_IN_PARENTHESES.sub('', before)} {after}"):
        return False
    if len(listed) == len(numbers) and all(map(_rounds, listed, numbers)):
        return True
    if (opened and closed) or len(listed) < _MIN_CUT_LIST:
        return False
    if opened:
        return all(map(_rounds, listed, numbers))
    complete = listed[1:]  # the first number may have lost its beginning
    return all(map(_rounds, complete, numbers[-len(complete) :]))


def rounding_error(value: float) -> float:
    """Return the maximum rounding error of ``value``, given its number of decimal places; at least TOLERANCE.

    Fewer than two decimal places count as two.
    """
    return max(TOLERANCE, 0.501 * 10.0 ** -max(2, _count_decimals(value)))


def is_share_of(value: float, count: int) -> bool:
    """Return whether ``value``, which may be rounded, is a whole number divided by ``count``.

    For example, 0.33 is such a value if ``count`` is 3.
    """
    return abs(round(value * count) / count - value) <= max(1e-9, 0.501 * 10.0 ** -_count_decimals(value))


def _count_decimals(value: float) -> int:
    exponent = Decimal(repr(value)).as_tuple().exponent if math.isfinite(value) else 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _shortest_decimal(value: float) -> float:
    """Return the shortest decimal that rounds to the same 32-bit float as ``value``: Keras computes in 32-bit floats.

    For example, an accuracy of 324 out of 360 is 0.9. As a 32-bit float, it is 0.8999999761581421, which would be below
    a threshold of 0.9. A number that is not a 32-bit float is returned unchanged.
    """
    if not math.isfinite(value) or abs(value) > 1 or struct.unpack("f", struct.pack("f", value))[0] != value:
        return value
    decimals = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next(short for short in decimals if struct.unpack("f", struct.pack("f", short))[0] == value)


def validate(accuracy: Accuracy, quote: str = "") -> Accuracy:
    """Return an accuracy with its value as the shortest equivalent decimal.

    Raises RunFailed if the accuracy is not between 0 and 1. ``quote``: the line that states the accuracy, enclosed in
    commas, for the error message.
    """
    if not math.isfinite(accuracy.value):
        raise RunFailed(
            Reason.ACCURACY_NOT_FINITE,
            f"The accuracy {accuracy.source.description}{quote} is {accuracy.value}, not a finite number. "
            f"{Reason.ACCURACY_NOT_FINITE.remedy}",
        )
    if not 0 <= accuracy.value <= 1:
        is_json = accuracy.source is AccuracySource.SCRIPT  # its numbers have no percent sign
        remedy = "Write it as a number from 0 to 1, such as 0.832." if is_json else "Write it as 0.832 or 83.2%."
        if 1 < accuracy.value <= 100:
            share = float(Decimal(str(accuracy.value)) / 100)
            remedy = f"If it is a percentage, write {share:g}" + ("." if is_json else f" or {accuracy.value:g}%.")
        raise RunFailed(
            Reason.ACCURACY_OUT_OF_RANGE,
            f"The accuracy {accuracy.source.description}{quote} is {accuracy.value:g}, not between 0 and 1. {remedy}",
        )
    return replace(accuracy, value=_shortest_decimal(accuracy.value))
