"""The search space: the constants in nn.py that a search may change, and their possible values. Performs no I/O."""

import ast
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.epochs import is_epochs_name
from epochal.analysis.script import Script
from epochal.analysis.syntax import last_name
from epochal.errors import SettingsError
from epochal.grammar import join_words
from epochal.records import value_kind
from epochal.settings import Choices, Range

_MAX_NAMES = 20
"""The maximum number of names or places that a message lists."""
_NOT_SUGGESTED = frozenset({"n_jobs", "verbose"})
"""Constants that a search may change but that messages do not suggest, because they do not affect the model."""
_SEED = re.compile(r"\w*seed\w*|\w*randomstate|defaultrng|prngkey")
"""Matches the names (lower case, no underscores) of seeds, and of arguments and functions that take a seed."""
_TEST_SHARE = re.compile(
    r"(?:test|val|valid|validation)(?:split|size)|test(?:frac|fraction|ratio|share|start|offset)|trainsize"
    r"|(?:test|val|valid|validation)?fold(?:index|idx|id|no|number)?"
)
"""Matches the names (lower case, no underscores) of fold indices and of training, test or validation sizes."""
_EXPECTED_VALUES = {
    "number": "a range, or a list of numbers as choices",
    "text": "a list of strings as choices",
    "boolean": "{ choices = [true, false] }",
}


@dataclass(frozen=True)
class Dimension:
    """A constant that a search changes, and the values that it may take: ints for an int, floats for a float."""

    constant: Constant
    values: Range | Choices


def read_space(script: Script, search: Mapping[str, Range | Choices]) -> tuple[Dimension, ...]:
    """Return one dimension for each entry of ``search``, the [search] table of epochal.toml, in the table's order.

    ``script`` is the training script. The space is empty if the table is empty. Raises SettingsError if any entry
    cannot be used; the error names each such entry and says why.
    """
    results = [_read_dimension(script, name, values) for name, values in search.items()]
    faults = [fault for fault in results if isinstance(fault, str)]
    if faults:
        raise SettingsError(script.name_cells("\n".join(f"epochal.toml: search.{fault}" for fault in faults)))
    return tuple(dimension for dimension in results if isinstance(dimension, Dimension))


def find_searchable(script: Script) -> dict[str, Constant]:
    """Return the constants that a search may change, by name.

    Such a constant is assigned exactly once at the script's top level, from a literal that no other name shares. A
    literal elsewhere is named after the variable, option, key or argument that it sets, and is also included if
    no other literal has that name. The number of epochs is left out.
    """
    found, lines = script.constants, script.assigned_lines
    literal_positions = [constant.start for constant in found]
    at_top = {
        constant.name: constant
        for constant in found
        if literal_positions.count(constant.start) == 1
        and not _sets_epochs(script, constant)
        and len(lines[constant.name]) == 1
    }
    names_at_top = {constant.name for constant in found}
    elsewhere = {
        places[0].name: places[0]
        for name, places in script.places.items()
        if len(places) == 1 and name == places[0].name and name not in names_at_top
        if not _sets_epochs(script, places[0])
    }
    return at_top | elsewhere


def find_keywords(script: Script, name: str) -> Iterator[str]:
    """Yield the keyword of each argument whose value is the variable ``name``."""
    for _, call in script.find_calls():
        for each in call.keywords:
            if each.arg and isinstance(each.value, ast.Name) and each.value.id == name:
                yield each.arg


def _find_constant(script: Script, name: str) -> Constant | None:
    """Return the constant that the [search] entry ``name`` changes; None if there is not exactly one such constant.

    ``name`` may be qualified, as in ``train.learning_rate``. The returned constant has exactly this name.
    """
    if constant := find_searchable(script).get(name):
        return constant
    places = script.places.get(name, ())
    is_other = "." in name and len(places) == 1 and not _sets_epochs(script, places[0])
    return replace(places[0], name=name) if is_other else None


def _sets_epochs(script: Script, constant: Constant) -> bool:
    """Return whether a constant sets the number of epochs, or, judging by its name, may do so."""
    place = constant.path, constant.start
    return any(
        (each.constant.path, each.constant.start) == place and (not index or is_epochs_name(constant.name))
        for index, each in enumerate(script.epochs)
    )


def _read_dimension(script: Script, name: str, values: Range | Choices) -> Dimension | str:
    """Return the dimension for an entry of [search], or a message that says what is wrong with the entry."""
    constant = _find_constant(script, name)
    if constant is None:
        return f"{name}: {_explain_unsearchable(script, name)}"
    if fault := _explain_luck(script, constant) or _find_misfit(constant, values):
        return f"{name}: {fault}"
    if isinstance(constant.value, float):  # epochal.toml may give whole numbers for a float
        if isinstance(values, Choices):
            values = Choices(choices=tuple(float(value) for value in values.choices))
        else:
            step = None if values.step is None else float(values.step)
            values = Range(low=float(values.low), high=float(values.high), log=values.log, step=step)
    return Dimension(constant, values)


def _explain_unsearchable(script: Script, name: str) -> str:
    """Return why a search cannot change a constant called ``name`` in the script, and what to write instead."""
    lines, places = script.assigned_lines.get(name, []), script.places.get(name, ())
    matching = [constant for constant in script.constants if constant.name == name]
    epochs_names = [each.name for each in script.epochs[:1]]
    if name in epochs_names or any(_sets_epochs(script, each) for each in (*matching, *places)):
        return "this is the number of epochs, which [retrain] raises. Remove it from [search]."
    if len(lines) > 1:
        where = ", ".join(f"line {line} of {script.path}" for line in lines[:_MAX_NAMES])
        return f"it is assigned more than once: {where}. Assign it only once."
    if matching:
        return f"line {lines[0]} of {script.path} assigns one literal to several names. Write a separate line for each."
    if len(places) > 1:
        return _explain_ambiguous(script, places)
    if lines:
        return f"line {lines[0]} of {script.path} does not assign a literal. Assign a number, a string, True or False."
    suggested = find_searchable(script).items()
    searchable = sorted(
        each for each, found in suggested if not _explain_luck(script, found) and each not in _NOT_SUGGESTED
    )
    similar_names = difflib.get_close_matches(name, searchable, 1)
    hint = f"Searchable names: {', '.join(searchable[:_MAX_NAMES])}."
    if similar_names:
        hint = f"Did you mean {similar_names[0]}?"
    elif not searchable:
        hint = f"Assign a value to {name} at the top level of {script.path}, and use {name} in the code."
    return (
        f"Neither {script.path} nor the files that it reads set this name to a number, a string, True or False. {hint}"
    )


def _explain_ambiguous(script: Script, places: Sequence[Constant]) -> str:
    """Explain that a name is set in several places, and suggest its qualified names, if any."""
    where = ", ".join(dict.fromkeys(f"line {each.line} of {each.path}" for each in places[:_MAX_NAMES]))
    unambiguous = [each.qualified_name for each in places if len(script.places.get(each.qualified_name, ())) == 1]
    choices = [f'"{name}"' for name in unambiguous if "." in name]
    remedy = (
        f"Write {join_words(choices, 'or')} instead."
        if choices
        else "Set it in one place only, as a constant at the top level."
    )
    return f"it is set in several places: {where}. {remedy}"


def _explain_luck(script: Script, constant: Constant) -> str:
    """Return why a search over the constant would find only lucky seeds or easy test rows; empty if it would not."""
    names = {constant.name.rpartition(".")[2], *find_keywords(script, constant.name)}
    names |= {
        last_name(call.func)
        for _, call in script.find_calls()
        if any(isinstance(each, ast.Name) and each.id == constant.name for each in call.args)
    }
    plain_names = [name.replace("_", "").lower() for name in names]
    if any(map(_SEED.fullmatch, plain_names)):
        return (
            "this is a random seed. A search would find the luckiest seed, not a better model. Remove it from [search]."
        )
    shares = [name for name in plain_names if _TEST_SHARE.fullmatch(name)]
    if not shares:
        return ""
    rows = "test data"
    if all(name.startswith("val") for name in shares) and _validates_only_in_fit(script):
        rows = "validation data, on which a search compares trials"
    return (
        f"this decides which rows are {rows}. A search would find the easiest rows, not a better model. "
        "Remove it from [search]."
    )


def _validates_only_in_fit(script: Script) -> bool:
    """Return whether ``validation_split`` is passed only to ``fit``, where it does not affect the test data."""
    splits = [
        last_name(call.func)
        for _, call in script.find_calls()
        if any(each.arg == "validation_split" for each in call.keywords)
    ]
    return set(splits) == {"fit"}


def _find_misfit(constant: Constant, values: Range | Choices) -> str:
    """Return why the constant cannot take these values, or an empty string if it can."""
    kind = value_kind(constant.value)
    if isinstance(values, Range):
        kinds, are_whole = {"number"}, values.is_integer
    else:
        kinds = {value_kind(value) for value in values.choices}
        are_whole = all(isinstance(value, int) for value in values.choices)
    current_value = f"it is set to {constant.value!r} on line {constant.line} of {constant.path}"
    if kinds != {kind}:
        return f"{current_value}. Give {_EXPECTED_VALUES[kind]}."
    if type(constant.value) is int and not are_whole:
        return f"{current_value}. Use whole numbers."
    return ""
