"""Find the named literals that a search may change, in the script, its modules and its configuration files."""

import ast
import itertools
import re
from collections.abc import Iterator

from epochal.analysis.hyperparameters.changes import make_constant
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.definitions import (
    Label,
    find_default,
    is_environment,
    label_argument,
    label_parameter,
    label_variable,
    make_number,
)
from epochal.analysis.hyperparameters.tracing import Tracer
from epochal.analysis.hyperparameters.unit import Function, Unit
from epochal.analysis.syntax import last_name, literal

_CASTS = frozenset({"int", "float", "str", "bool", "Option", "Argument", "Field", "field"})
_NOT_HYPERPARAMETERS = re.compile(
    r"print|add_argument|option|argument|open|log|info|format|train_test_split|read_\w+|(?:load|fetch)_\w+"
)
"""Matches the names of functions whose keyword arguments are ignored here.

These arguments either are not hyperparameters or define options, which are found elsewhere.
"""


def find_places(tracer: Tracer) -> dict[str, tuple[Constant, ...]]:
    """Return the literals that a search may change, keyed both by name and by qualified name (``train.learning_rate``).

    They are the values of variables, options, attributes, keys and keyword arguments in any of the modules, the values
    in configuration files, and the defaults of parameters unless every call passes a value.
    """
    found: dict[str, dict[tuple[str, int], Constant]] = {}
    for constant in sorted(_find_all(tracer), key=lambda each: (each.path, each.start)):
        for name in {constant.name, constant.qualified_name}:
            found.setdefault(name, {}).setdefault((constant.path, constant.start), constant)
    return {name: tuple(places.values()) for name, places in found.items()}


def _find_all(tracer: Tracer) -> Iterator[Constant]:
    for definition in itertools.chain.from_iterable(tracer.definitions.values()):
        yield from _read_literal(definition.unit, definition.value, definition.label)
    for unit in tracer.units.values():
        for scope, name in unit.names():
            bindings = [each for each in unit.bindings(scope, name) if not isinstance(each.statement, ast.arg)]
            if len(bindings) == 1 and bindings[0].value is not None and not isinstance(scope, ast.ClassDef):
                yield from _read_literal(unit, bindings[0].value, label_variable(unit, scope, name))
        for node in unit.nodes:
            if isinstance(node, Function):
                yield from _read_parameters(tracer, unit, node)
            elif isinstance(node, ast.Call):
                yield from _read_arguments(unit, node)
    yield from tracer.config_constants


def _read_arguments(unit: Unit, call: ast.Call) -> Iterator[Constant]:
    called = last_name(call.func)
    for keyword in call.keywords if not _NOT_HYPERPARAMETERS.fullmatch(called) else ():
        if keyword.arg:
            yield from _read_literal(unit, keyword.value, label_argument(called, keyword.arg))


def _read_parameters(tracer: Tracer, unit: Unit, function: Function) -> Iterator[Constant]:
    arguments = function.args
    for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        default = find_default(function, parameter)
        if default is None:
            continue
        passed = [argument for _, argument in tracer.find_arguments(unit, function, parameter.arg)]
        if not passed or None in passed:
            yield from _read_literal(unit, default, label_parameter(function, parameter))


def _read_literal(unit: Unit, node: ast.expr, label: Label) -> Iterator[Constant]:
    """Yield the literal in ``node``, even inside a call such as ``float(os.environ.get("LR", "0.01"))``."""
    is_cast = False
    while isinstance(node, ast.Call):
        given = next((each.value for each in node.keywords if each.arg == "default"), None)
        if is_environment(node) and len(node.args) > 1:
            node = node.args[1]
        elif last_name(node.func) in _CASTS and (given is not None or node.args):
            is_cast = is_cast or last_name(node.func) in ("int", "float")
            node = given if given is not None else node.args[0]
        else:
            return
    value = literal(node)
    if value is None or node not in unit:
        return
    number = make_number(unit, node, label) if is_cast or not isinstance(value, str) else None
    yield number or make_constant(unit.module, label.name, node, unit.path, label.qualified_name, label.place)
