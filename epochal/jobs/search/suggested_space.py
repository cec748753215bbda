"""Suggest a search space for ``epochal init``, based on the names and values of nn.py's constants. Performs no I/O."""

import math
import re

from epochal.analysis.script import Script
from epochal.jobs.search.space import find_keywords, find_searchable
from epochal.records import Value
from epochal.settings import Choices, Range

_PART = r"(?:(?:n|num|conv|dense|hidden|base|first|last|lstm|gru|rnn|fc|mlp)\d*)*"
"""Matches any prefix that the name of a layer size may have, as in num_filters, conv1_filters or dense_units."""

_KINDS = {
    r"(?:base|init|initial|start|adam|sgd)?(?:lr|learningrate)(?:init)?": "magnitude",
    r"(?:train|mini)?batch(?:size)?": "batch",
    _PART + r"(?:filters?|units?|neurons?|width|hidden|hidden(?:size|dim))\d*": "width",
    _PART + r"(?:layers|blocks|depth)": "layers",
    r"(?:\w+)?drop(?:out)?(?:rate|prob)?\d*": "dropout",
    r"(?:sgd)?momentum": "momentum",
    r"weightdecay|wd|(?:kernel)?l2(?:reg|regularization|lambda|penalty|strength)?": "decay",
}
"""Maps patterns for whole names (lower case, no underscores) to kinds of hyperparameters. The first match wins."""
_SKLEARN_KINDS = {
    r"nestimators|nneighbors|minsamplesleaf": "estimators",
    r"maxdepth": "layers",
    r"c|alpha|gamma": "magnitude",
}


def suggest(script: Script) -> dict[str, Range | Choices]:
    """Suggest a range or choices for each constant of ``script`` (nn.py) whose name matches a known hyperparameter.

    If the name does not match, but the constant is passed as a keyword argument, as in ``n_neighbors=k``, the keyword
    is tried, too. The result lists the constants in script order, and ``read_space`` accepts it for the same
    script. Other constants, such as seeds, image sizes and class counts, are left out.
    """
    searchable = find_searchable(script)
    has_height = any(name.lower() == "height" for name in searchable)
    kinds = _KINDS | (_SKLEARN_KINDS if re.search(rb"\bsklearn\b", script.content) else {})
    found: dict[str, Range | Choices] = {}
    for name, constant in searchable.items():
        plain_names = [each.replace("_", "").lower() for each in (name, *find_keywords(script, name))]
        matches = (kind for plain in plain_names for pattern, kind in kinds.items() if re.fullmatch(pattern, plain))
        kind = next(matches, "")
        values = _suggest_values(kind, constant.value)
        if values and not (has_height and name.lower() == "width"):  # next to a height, this is an image's width
            found[name] = values
    return found


def _suggest_values(kind: str, value: Value) -> Range | Choices | None:
    """Return a range or choices around ``value``, in round numbers; None if ``kind`` is empty or does not suit it."""
    if type(value) is int and 1 <= value <= 2**40:
        return _suggest_for_count(kind, value)
    return _suggest_for_fraction(kind, value) if isinstance(value, float) else None


def _suggest_for_count(kind: str, value: int) -> Range | Choices | None:
    """Return a range or choices around a whole number: powers of two for batch and layer sizes."""
    match kind:
        case "batch" | "width":
            nearest = round(math.log2(value))
            first, last = (nearest - 2, nearest + 1) if kind == "batch" else (nearest - 1, nearest + 2)
            return Choices(choices=tuple(2**power for power in range(max(first, 0), last + 1)))
        case "layers":
            return Range(low=1, high=value + 2)
        case "estimators":
            return Range(low=max(value // 4, 1), high=4 * value, log=True)
    return None


def _suggest_for_fraction(kind: str, value: float) -> Range | None:
    """Return a range around a float: usually from about a tenth to about ten times its value, in round numbers."""
    if kind == "dropout":
        return Range(low=0.0, high=0.5)
    if kind == "momentum":
        return Range(low=0.5, high=0.99)
    if kind == "decay" and value == 0:
        return Range(low=1e-6, high=1e-2, log=True)
    if kind in ("magnitude", "decay") and 1e-100 < value < 1e100:
        return Range(low=float(f"{value / 10:.1g}"), high=float(f"{value * 10:.1g}"), log=True)
    return None
