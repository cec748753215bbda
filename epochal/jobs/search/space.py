"""The search space: which constants of nn.py a search may change, and to which values. Performs no I/O."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from epochal.analysis.hyperparameters import Constant
from epochal.analysis.script import Script
from epochal.errors import SettingsError
from epochal.folders import SCRIPT
from epochal.records import kind_of
from epochal.settings import Choices, Range

_FITTING = {
    "number": "a range, or choices of numbers",
    "text": "choices of texts",
    "truth": "{ choices = [true, false] }",
}


@dataclass(frozen=True)
class Dimension:
    """A constant of nn.py and the values that it may take: ints for an int, floats for a float."""

    constant: Constant
    values: Range | Choices


def space_of(script: Script, search: Mapping[str, Range | Choices]) -> tuple[Dimension, ...]:
    """Return one dimension for each entry of ``search``, the table [search] of epochal.toml, in its order.

    ``script`` is nn.py. The space is empty if the table is. Raises SettingsError, which names every constant that
    cannot be searched and says why.
    """
    able = searchable(script) if search else {}
    read = [_read_dimension(script, able, name, values) for name, values in search.items()]
    faults = [fault for fault in read if isinstance(fault, str)]
    if faults:
        raise SettingsError("\n".join(f"epochal.toml: search.{fault}" for fault in faults))
    return tuple(dimension for dimension in read if isinstance(dimension, Dimension))


def searchable(script: Script) -> dict[str, Constant]:
    """Return the constants that a search may change, by name.

    They are assigned once at the top level, from a literal that no other name shares, and are not the number of
    epochs.
    """
    found, epochs, lines = script.constants, script.epochs, script.assigned_lines
    taken = [constant.start for constant in found] + ([epochs.start] if epochs else [])
    return {
        constant.name: constant
        for constant in found
        if taken.count(constant.start) == 1
        and not (epochs and constant.name == epochs.name)
        and len(lines[constant.name]) == 1
    }


def _read_dimension(
    script: Script, able: Mapping[str, Constant], name: str, values: Range | Choices
) -> Dimension | str:
    """Return the dimension for an entry of [search], or a message that says what is wrong with the entry."""
    if name not in able:
        close = difflib.get_close_matches(name, able, 1)
        others = f" Can be searched: {', '.join(sorted(able))}." if able else ""
        return f"{name}: {_explain_unsearchable(script, name)}" + (f" Did you mean {close[0]}?" if close else others)
    constant = able[name]
    if fault := _find_misfit(constant, values):
        return f"{name}: {fault}"
    if isinstance(constant.value, float):  # epochal.toml may give whole numbers for a float
        if isinstance(values, Choices):
            values = Choices(choices=tuple(float(value) for value in values.choices))
        else:
            step = None if values.step is None else float(values.step)
            values = Range(low=float(values.low), high=float(values.high), log=values.log, step=step)
    return Dimension(constant, values)


def _explain_unsearchable(script: Script, name: str) -> str:
    """Return why a search cannot change the name ``name`` in the script."""
    lines, epochs = script.assigned_lines.get(name, []), script.epochs
    named = [constant for constant in script.constants if constant.name == name]
    if epochs and (name == epochs.name or epochs.start in [constant.start for constant in named]):
        return "the epochs are raised by [retrain], a search does not change them: take them out of [search]."
    if len(lines) > 1:
        return f"{SCRIPT} assigns it more than once, in lines {', '.join(map(str, lines))}: a search needs one place to change."
    if named:
        return f"line {lines[0]} of {SCRIPT} gives one literal to several names: write a line for each."
    if lines:
        return f"line {lines[0]} of {SCRIPT} assigns what is no literal: a search needs a number, a text, True or False there."
    return f"{SCRIPT} assigns no literal to this name at its top level."


def _find_misfit(constant: Constant, values: Range | Choices) -> str:
    """Return why the constant cannot take these values, or an empty string if it can."""
    kind = kind_of(constant.value)
    if isinstance(values, Range):
        kinds, are_whole = {"number"}, values.whole
    else:
        kinds = {kind_of(value) for value in values.choices}
        are_whole = all(isinstance(value, int) for value in values.choices)
    present = f"it is {constant.value!r} in line {constant.line} of {SCRIPT}"
    if kinds != {kind}:
        return f"{present}: give {_FITTING[kind]}."
    if type(constant.value) is int and not are_whole:
        return f"{present}, a whole number: give whole numbers, or write {constant.value}.0 there if it is none."
    return ""
