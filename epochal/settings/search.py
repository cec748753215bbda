"""``[search]`` in epochal.toml: which constants in nn.py a search may change, and the values that they may take."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Discriminator, PlainValidator, Tag, model_validator

from epochal.records import Value, is_same_value, value_kind
from epochal.settings.toml import Table, table_tag

_MAX_INTEGER = 2**53
"""The largest whole number that a search may use: Optuna stores numbers as floats, which are exact up to this value."""


def _check_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("Input should be a number")
    return _check_bounds(value)


def _check_bounds(value: int | float) -> int | float:
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError("Input should be a whole number from -2^53 to 2^53")
    if not math.isfinite(value):
        raise ValueError("Input should be a finite number")
    return value


def _check_choices(values: Any) -> tuple[Value, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, bool | int | float | str) for value in values):
        raise ValueError("Input should be a list of numbers, of strings, or of booleans (true, false)")
    if len({value_kind(value) for value in values}) > 1:
        raise ValueError("the choices should be all numbers, all strings, or all booleans")
    for index, value in enumerate(values):
        if any(is_same_value(value, other) for other in values[:index]):
            raise ValueError(f"the choice {value!r} is listed twice")
    if len(values) < 2:
        raise ValueError("there should be at least two choices")
    return tuple(_check_bounds(value) if value_kind(value) == "number" else value for value in values)


Number = Annotated[int | float, PlainValidator(_check_number)]


class Range(Table):
    """A range of numbers that a search may propose, from ``low`` to ``high`` inclusive.

    The numbers are integers if ``low``, ``high`` and ``step`` are all written as integers, otherwise floats.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        "min": "low",
        "max": "high",
        "start": "low",
        "stop": "high",
        "from": "low",
        "to": "high",
    }

    low: Number
    """The lowest value."""
    high: Number
    """The highest value."""
    log: bool = False
    """Whether values are proposed on a logarithmic scale."""
    step: Number | None = None
    """Propose only ``low``, ``low + step`` and so on. Cannot be combined with ``log``."""

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are proposed."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 0))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low >= self.high:
            raise ValueError("the range is empty or a single value: low should be less than high")
        if not math.isfinite(float(self.high) - float(self.low)):
            raise ValueError("the range is too wide")
        if self.log and self.low <= 0:
            raise ValueError("low should be greater than 0 for a log scale")
        if self.step is not None and self.log:
            raise ValueError("a log scale cannot have a step: remove log or step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError("step should be greater than 0 and at most high - low")
        return self


class Choices(Table):
    """The values that a search may choose from: only numbers, only strings, or ``true`` and ``false``."""

    SYNONYMS: ClassVar[Mapping[str, str]] = dict.fromkeys(("choice", "values", "options"), "choices")

    choices: Annotated[tuple[Value, ...], PlainValidator(_check_choices)]
    """The values to choose from: two or more numbers, two or more strings, or ``true`` and ``false``."""


def _choose_tag(values: Any) -> str | None:
    if isinstance(values, Range | Choices):
        return table_tag(type(values))
    if not isinstance(values, dict) or not values:
        return None
    is_range = not values.keys().isdisjoint({"low", "high"})
    has_choices = any(name in ("choices", *Choices.SYNONYMS) or isinstance(values[name], list) for name in values)
    return table_tag(Choices if "choices" in values or (has_choices and not is_range) else Range)


Values = Annotated[
    Annotated[Range, Tag(table_tag(Range))] | Annotated[Choices, Tag(table_tag(Choices))],
    Discriminator(
        _choose_tag,
        custom_error_type="values",
        custom_error_message="Input should be a range, as in { low = 1, high = 4 }, or choices, as in { choices = [8, 16] }",
    ),
]
"""The values that a constant may take.

A table is checked as Choices if it contains ``choices``, or if it contains neither ``low`` nor ``high`` but a list or a
synonym for ``choices``. Any other table is checked as a Range.
"""
