"""What ``epochal init`` proposes as a search space, by the names and the values of nn.py's constants. Values in, values out."""

import math
import re
from collections.abc import Callable
from typing import TypeGuard

from epochal.analysis.script import Script
from epochal.jobs.search.space import searchable
from epochal.records import Value
from epochal.settings import Choices, Range

Rule = Callable[[Value], Range | Choices | None]


def propose(script: Script) -> dict[str, Range | Choices]:
    """A range or choices for each constant of ``script`` (nn.py) whose name tells what it is, in order.

    What ``space_of`` takes for the same script. Nothing for what is no hyperparameter (seeds, sizes of images, numbers of
    classes) or is not known by its name.
    """
    able = searchable(script)
    sizes_of_images = {"width"} if any(name.lower() == "height" for name in able) else set()
    rules = _RULES | (_SKLEARN_RULES if re.search(rb"\bsklearn\b", script.content) else {})
    found = {name: _proposed(name, constant.value, rules) for name, constant in able.items()}
    return {name: values for name, values in found.items() if values and name.lower() not in sizes_of_images}


def _proposed(name: str, value: Value, rules: dict[str, Rule]) -> Range | Choices | None:
    """By the first rule whose pattern is the whole name, in lower case and without underscores."""
    plain = name.replace("_", "").lower()
    return next((rule(value) for pattern, rule in rules.items() if re.fullmatch(pattern, plain)), None)


def _magnitude(value: Value) -> Range | None:
    """About a tenth of the value to about ten times of it, in round numbers, by magnitude."""
    if not isinstance(value, float) or not 1e-100 < value < 1e100:
        return None
    return Range(low=_round(value / 10), high=_round(value * 10), log=True)


def _decay(value: Value) -> Range | None:
    return Range(low=1e-6, high=1e-2, log=True) if value == 0 and isinstance(value, float) else _magnitude(value)


def _fraction(low: float, high: float) -> Rule:
    return lambda value: Range(low=low, high=high) if isinstance(value, float) else None


def _powers_of_two(first: int, last: int) -> Rule:
    """The powers of two from ``first`` to ``last`` steps away from the one that is nearest to the value."""

    def rule(value: Value) -> Choices | None:
        if not _is_count(value):
            return None
        nearest = round(math.log2(value))
        return Choices(choices=tuple(2**power for power in range(max(nearest + first, 0), nearest + last + 1)))

    return rule


def _layers(value: Value) -> Range | None:
    return Range(low=1, high=value + 2) if _is_count(value) else None


def _few_to_many(value: Value) -> Range | None:
    return Range(low=max(value // 4, 1), high=4 * value, log=True) if _is_count(value) else None


def _is_count(value: Value) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= 2**40


def _round(value: float) -> float:
    return float(f"{value:.1g}")


_PART = r"(?:(?:n|num|conv|dense|hidden|base|first|last|lstm|gru|rnn|fc|mlp)\d*)*"
"""What a name of a network's part may begin with: num_filters, conv1_filters, dense_units."""

_RULES: dict[str, Rule] = {
    r"(?:base|init|initial|start|adam|sgd)?(?:lr|learningrate)(?:init)?": _magnitude,
    r"(?:train|mini)?batch(?:size)?": _powers_of_two(-2, 1),
    _PART + r"(?:filters?|units?|neurons?|width|hidden|hidden(?:size|dim))\d*": _powers_of_two(-1, 2),
    _PART + r"(?:layers|blocks|depth)": _layers,
    r"(?:\w+)?drop(?:out)?(?:rate|prob)?\d*": _fraction(0.0, 0.5),
    r"(?:sgd)?momentum": _fraction(0.5, 0.99),
    r"weightdecay|wd|(?:kernel)?l2(?:reg|regularization|lambda|penalty|strength)?": _decay,
}
_SKLEARN_RULES: dict[str, Rule] = {
    r"nestimators": _few_to_many,
    r"maxdepth": _layers,
    r"c|alpha|gamma": _magnitude,
}
