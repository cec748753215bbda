"""The search space: which constants of nn.py a search may change, and to which values. Performs no I/O."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from epochal.analysis.hyperparameters import Constant
from epochal.analysis.script import Script
from epochal.errors import SettingsError
from epochal.folders import SCRIPT
from epochal.records import value_kind
from epochal.settings import Choices, Range

_EXPECTED_VALUES = {
    "number": "a range, or choices that are numbers",
    "text": "choices that are strings",
    "boolean": "{ choices = [true, false] }",
}


@dataclass(frozen=True)
class Dimension:
    """A constant of nn.py and the values that it may take: ints for an int, floats for a float."""

    constant: Constant
    values: Range | Choices


def read_space(script: Script, search: Mapping[str, Range | Choices]) -> tuple[Dimension, ...]:
    """Return one dimension for each entry of ``search``, the table [search] of epochal.toml, in the table's order.

    ``script`` is nn.py. The space is empty if the table is empty. Raises SettingsError, which names every constant that
    cannot be searched and says why.
    """
    searchable = find_searchable(script) if search else {}
    results = [_read_dimension(script, searchable, name, values) for name, values in search.items()]
    faults = [fault for fault in results if isinstance(fault, str)]
    if faults:
        raise SettingsError("\n".join(f"epochal.toml: search.{fault}" for fault in faults))
    return tuple(dimension for dimension in results if isinstance(dimension, Dimension))


def find_searchable(script: Script) -> dict[str, Constant]:
    """Return the constants that a search may change, by name.

    Such a constant is assigned exactly once at the top level, from a literal that no other name shares, and is not the
    number of epochs.
    """
    found, epochs, lines = script.constants, script.epochs, script.assigned_lines
    literal_positions = [constant.start for constant in found] + ([epochs.start] if epochs else [])
    return {
        constant.name: constant
        for constant in found
        if literal_positions.count(constant.start) == 1
        and not (epochs and constant.name == epochs.name)
        and len(lines[constant.name]) == 1
    }


def _read_dimension(
    script: Script, searchable: Mapping[str, Constant], name: str, values: Range | Choices
) -> Dimension | str:
    """Return the dimension for an entry of [search], or a message that says what is wrong with the entry."""
    if name not in searchable:
        similar_names = difflib.get_close_matches(name, searchable, 1)
        hint = f" Searchable names: {', '.join(sorted(searchable))}." if searchable else ""
        return f"{name}: {_explain_unsearchable(script, name)}" + (
            f" Did you mean {similar_names[0]}?" if similar_names else hint
        )
    constant = searchable[name]
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
    """Return why a search cannot change a constant called ``name`` in the script."""
    lines, epochs = script.assigned_lines.get(name, []), script.epochs
    matching = [constant for constant in script.constants if constant.name == name]
    if epochs and (name == epochs.name or epochs.start in [constant.start for constant in matching]):
        return "this is the number of epochs, which [retrain] raises. Remove it from [search]."
    if len(lines) > 1:
        return f"{SCRIPT} assigns it more than once, in lines {', '.join(map(str, lines))}. Assign it only once."
    if matching:
        return f"line {lines[0]} of {SCRIPT} assigns one literal to several names. Write a separate line for each."
    if lines:
        return f"line {lines[0]} of {SCRIPT} does not assign a literal. Assign a number, a string, True or False."
    return f"{SCRIPT} assigns no literal to this name at its top level."


def _find_misfit(constant: Constant, values: Range | Choices) -> str:
    """Return why the constant cannot take these values, or an empty string if it can."""
    kind = value_kind(constant.value)
    if isinstance(values, Range):
        kinds, are_whole = {"number"}, values.is_integer
    else:
        kinds = {value_kind(value) for value in values.choices}
        are_whole = all(isinstance(value, int) for value in values.choices)
    current_value = f"it is {constant.value!r} in line {constant.line} of {SCRIPT}"
    if kinds != {kind}:
        return f"{current_value}. Give {_EXPECTED_VALUES[kind]}."
    if type(constant.value) is int and not are_whole:
        return f"{current_value}, a whole number. Give whole numbers, or write {constant.value}.0 there for floats."
    return ""
