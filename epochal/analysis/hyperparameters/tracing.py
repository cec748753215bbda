"""Trace an expression in the pushed code back to the literals that set its value, without running the code.

A value is followed through variables, parameters, attributes, keys, options and configuration files.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.definitions import (
    Label,
    find_default,
    is_environment,
    label_parameter,
    label_variable,
    make_number,
    read_keys,
)
from epochal.analysis.hyperparameters.evaluation import MAX_DEPTH, MAX_STEPS, Evaluator, imported_name, is_likely
from epochal.analysis.hyperparameters.sources import Sources
from epochal.analysis.hyperparameters.unit import Scope, Unit
from epochal.analysis.syntax import last_name, literal

_CASTS = frozenset({"int", "float", "round", "abs", "ceil", "floor", "int32", "int64", "str", "bool"})
_DEFAULTS = frozenset({"Option", "Argument", "Field", "field", "attrib", "ib"})
"""Functions that define an option or field and take its default as the first argument or as ``default``."""


@dataclass(frozen=True)
class Traced:
    """A literal that sets the value of an expression: the value is ``factor`` × literal + ``offset``."""

    constant: Constant
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


class Tracer(Evaluator):
    """The code of a script, indexed so that expressions can be traced."""

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._tracing: set[ast.AST] = set()
        self._traced = 0

    def trace(self, unit: Unit, node: ast.expr, label: Label) -> list[Traced]:
        """Return the literals that may set the integer value of ``node``, most likely first.

        ``label``: the name and location of ``node``, used if ``node`` itself is a literal.
        """
        self._traced = self._traced + 1 if self._tracing else 0
        if node in self._tracing or len(self._tracing) > MAX_DEPTH or self._traced > MAX_STEPS:
            return []
        self._tracing.add(node)
        try:
            return self._trace(unit, node, label)
        finally:
            self._tracing.discard(node)

    def _trace(self, unit: Unit, node: ast.expr, label: Label) -> list[Traced]:
        constant = make_number(unit, node, label)
        if constant:
            return [Traced(constant)] if isinstance(constant.value, int) else []
        match node:
            case ast.Name():
                return self._trace_name(unit, node)
            case ast.Attribute():
                return self._trace_attribute(unit, node)
            case ast.Subscript():
                base, keys = self.read_keys(unit, node)
                return self._look_up(unit, base, keys) if keys else []
            case ast.Call():
                return self._trace_call(unit, node, label)
            case ast.BinOp():
                return self._trace_arithmetic(unit, node, label)
            case ast.IfExp():
                return self._trace_choice(unit, node, label)
            case ast.BoolOp() | ast.List() | ast.Tuple():
                # Of several values that the code tries in turn, the last is usually the largest.
                values = node.values if isinstance(node, ast.BoolOp) else node.elts[::-1]
                return [traced for value in values for traced in self.trace(unit, value, label)]
            case ast.NamedExpr():
                return self.trace(unit, node.value, label)
        return []

    def _trace_choice(self, unit: Unit, node: ast.IfExp, label: Label) -> list[Traced]:
        decided = self.decide(unit, node.test)
        body, orelse = self.trace(unit, node.body, label), self.trace(unit, node.orelse, label)
        if decided is not None:
            return body if decided else orelse
        return [*body, *orelse] if is_likely(node.test) else [*orelse, *body]

    def _trace_name(self, unit: Unit, node: ast.Name) -> list[Traced]:
        scope = unit.find_scope(node, node.id)
        if scope is None:
            for statement in unit.star_imports:
                if other := self.find_module(statement, unit):
                    return self.trace_variable(other, other.module.tree, node.id)
            return []
        return self._trace_bindings(unit, scope, node.id, node)

    def trace_variable(self, unit: Unit, scope: Scope, name: str) -> list[Traced]:
        """Return the literals that may set the value that a variable has at the end of its scope."""
        return self._trace_bindings(unit, scope, name, None)

    def trace_key(self, unit: Unit, node: ast.expr, key: str) -> list[Traced]:
        """Return the literals that may set an attribute or key of the object ``node``."""
        base, keys = read_keys(node)
        return self._look_up(unit, base, (*keys, key))

    def _trace_bindings(self, unit: Unit, scope: Scope, name: str, use: ast.AST | None) -> list[Traced]:
        label = label_variable(unit, scope, name)
        found = []
        for binding in self.find_effective(unit, scope, name, use):
            statement = binding.statement
            if isinstance(statement, ast.AugAssign):
                before = self._trace_bindings(unit, scope, name, statement)
                found += self._combine(statement.op, before, self.evaluate(unit, statement.value))
            elif isinstance(statement, ast.arg):
                found += self._trace_parameter(unit, statement)
            elif isinstance(statement, ast.ImportFrom):
                if other := self.find_module(statement, unit):
                    found += self.trace_variable(other, other.module.tree, imported_name(statement, name))
            elif isinstance(statement, ast.For):
                for item in _find_items(statement, name):
                    found += self.trace(unit, item, label)
            elif binding.value is not None:
                found += self.trace(unit, binding.value, label)
        return found

    def _trace_parameter(self, unit: Unit, parameter: ast.arg) -> list[Traced]:
        """Trace a function's parameter to the arguments passed for it, and to its default if a call may omit it."""
        function = unit.function(parameter)
        if function is None:
            return []
        found, uses_default = [], True
        for call_unit, argument in self.find_arguments(unit, function, parameter.arg):
            uses_default = False
            if argument is None:
                uses_default = True
            else:
                place = f"the {parameter.arg} argument of {function.name}()"
                found += self.trace(
                    call_unit, argument, Label(parameter.arg, f"{function.name}.{parameter.arg}", place)
                )
        default = find_default(function, parameter)
        if uses_default and default is not None:
            found += self.trace(unit, default, label_parameter(function, parameter))
        options = [each for each in self.definitions.get(parameter.arg, []) if each.kind == "option"]
        if not found:
            for option in options:
                found += self.trace(option.unit, option.value, option.label)
        return found

    def _trace_attribute(self, unit: Unit, node: ast.Attribute) -> list[Traced]:
        if isinstance(node.value, ast.Name) and (other := self.find_imported_module(unit, node.value)):
            return self.trace_variable(other, other.module.tree, node.attr)
        if node.attr == "value":  # of a flag that DEFINE_integer returned
            return self.trace(unit, node.value, Label("", "", ""))
        base, keys = self.read_keys(unit, node)
        return self._look_up(unit, base, keys)

    def _look_up(self, unit: Unit, base: ast.expr, keys: tuple[str, ...]) -> list[Traced]:
        """Trace the attribute or key that is reached by following ``keys`` from the object ``base``."""
        base, keys = self._expand(unit, base, keys)
        owner, kind = self.find_owner(unit, base)
        for key in keys[:-1]:
            owner = self._find_part(owner, key)
        definitions = self.definitions.get(keys[-1], [])
        if owner is not None:
            # After config = {…}, config["epochs"] = 5 sets a key of the same dictionary.
            prefix = f"{base.id}." if isinstance(base, ast.Name) else "?"
            own = [
                each
                for each in definitions
                if each.owner is owner or (each.owner is None and each.label.qualified_name.startswith(prefix))
            ]
            definitions = own or ([] if isinstance(owner, ast.Dict) else definitions)
        order = {"set": 0, kind: 1}
        ranked = sorted(
            enumerate(definitions),
            key=lambda each: (order.get(each[1].kind, 2), -each[0] if each[1].kind == "set" else each[0]),
        )
        certain: list[Traced] = []
        doubtful: list[Traced] = []
        for _, definition in ranked:
            is_certain, is_probable = self.is_effective(definition.unit, definition.value)
            if is_certain is not False:
                traced = self.trace(definition.unit, definition.value, definition.label)
                (certain if is_probable else doubtful).extend(traced)
        in_files = [Traced(each) for each in self._find_config_constants(keys) if type(each.value) is int]
        return [*in_files, *certain, *doubtful] if kind == "config" else [*certain, *in_files, *doubtful]

    def _expand(self, unit: Unit, base: ast.expr, keys: tuple[str, ...]) -> tuple[ast.expr, tuple[str, ...]]:
        """Replace a variable with the expression assigned to it.

        For example, ``train.epochs`` becomes ``cfg.train.epochs`` after ``train = cfg.train``.
        """
        for _ in range(MAX_DEPTH):
            scope = unit.find_scope(base, base.id) if isinstance(base, ast.Name) else None
            if scope is None or not isinstance(base, ast.Name):
                break
            bindings = self.find_effective(unit, scope, base.id, base)
            if len(bindings) != 1 or bindings[0].value is None:
                break
            start, more = self.read_keys(unit, bindings[0].value)
            if not more:
                break
            base, keys = start, (*more, *keys)
        return base, keys

    def _find_part(self, owner: ast.AST | None, key: str) -> ast.AST | None:
        """Return the class or dictionary that an attribute or key of ``owner`` holds; None if unknown."""
        for each in self.definitions.get(key, []) if owner else ():
            if each.owner is owner:
                return self.find_owner_of_value(each.unit, each.value)[0]
        return None

    def _find_config_constants(self, keys: tuple[str, ...]) -> list[Constant]:
        """Return the configuration values whose key is the last of ``keys``.

        The values that match the most keys come first.
        """

        def count_matches(constant: Constant) -> int:
            parts = constant.path.rpartition(".")[0].split("/") + constant.qualified_name.split(".")
            matches = 0
            while matches < min(len(parts), len(keys)) and parts[-1 - matches] == keys[-1 - matches]:
                matches += 1
            if len(keys) > matches > 0 and parts[-1 - matches : -matches] != [keys[-1 - matches]]:
                # The key model.units is the key units of model/small.yaml.
                group = constant.path.split("/")[-2:-1]
                matches += group == [keys[-1 - matches]]
            return matches

        found = [each for each in self.config_constants if each.name == keys[-1]]
        return sorted(found, key=count_matches, reverse=True)

    def _trace_call(self, unit: Unit, node: ast.Call, label: Label) -> list[Traced]:
        name, arguments = last_name(node.func), node.args
        default = next((each.value for each in node.keywords if each.arg == "default"), None)
        first = arguments[0] if arguments else None
        if name in ("min", "max"):
            literals = [each for each in arguments if literal(each) is not None]
            largest_first = sorted(literals, key=lambda each: -getattr(each, "value", 0))
            ordered = [each for each in arguments if each not in literals] + largest_first
            return [traced for each in ordered for traced in self.trace(unit, each, label)]
        if name == "getattr" and len(arguments) > 1 and isinstance(arguments[1], ast.Constant):
            key = str(arguments[1].value)
            found = self._look_up(unit, arguments[0], (key,))
            default_label = Label(key, key, f"the default of {key}")
            return found + [each for value in arguments[2:3] for each in self.trace(unit, value, default_label)]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            key, found = first.value, []
            is_variable = is_environment(node)
            if isinstance(node.func, ast.Attribute) and name in ("get", "pop", "setdefault") and not is_variable:
                base, keys = read_keys(node.func.value)
                found = self._look_up(unit, base, (*keys, key))
            place = f"the default of the environment variable {key}" if is_variable else f"the default of {key}"
            given = default if default is not None else arguments[1] if len(arguments) > 1 else None
            return found + (self.trace(unit, given, Label(key, key, place)) if given is not None else [])
        if name == "int" and first is not None and (constant := make_number(unit, first, label)):
            return [Traced(constant)] if constant.value == int(constant.value) else []
        if (name in _CASTS or name in _DEFAULTS) and first is not None:
            return self.trace(unit, first, label)
        if default is not None:
            return self.trace(unit, default, label)
        found = []
        for other, function in self.functions.get(name, []):
            returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
            found += [traced for value in returned for traced in self.trace(other, value, label)]
        return found

    def _trace_arithmetic(self, unit: Unit, node: ast.BinOp, label: Label) -> list[Traced]:
        left, right = node.left, node.right
        left_literal, right_literal = literal(left) is not None, literal(right) is not None
        if left_literal and right_literal:
            larger = max((left, right), key=lambda each: literal(each) or 0)
            smaller = right if larger is left else left
            return self._combine(node.op, self.trace(unit, larger, label), literal(smaller), is_left=larger is left)
        found = []
        # In a sum such as initial_epochs + fine_tune_epochs, the last term sets the last phase of training.
        sides = [(right, left), (left, right)]
        for side, other in sides[1:] if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod) else sides:
            if literal(side) is None:
                traced = self.trace(unit, side, label)
                found += self._combine(node.op, traced, self.evaluate(unit, other), is_left=side is left)
        return found

    def _combine(self, op: ast.operator, traced: Iterable[Traced], other: Any, *, is_left: bool = True) -> list[Traced]:
        """Combine traced literals with ``other``: ``traced op other``, or ``other op traced`` if not ``is_left``.

        An unknown operand or an unsupported operation has no effect.
        """
        if isinstance(other, bool) or not isinstance(other, int | float):
            return list(traced)
        number = Fraction(other)
        found = []
        for each in traced:
            match op:
                case ast.Add():
                    found.append(replace(each, offset=each.offset + number))
                case ast.Sub() if is_left:
                    found.append(replace(each, offset=each.offset - number))
                case ast.Mult() if number > 0:
                    found.append(replace(each, factor=each.factor * number, offset=each.offset * number))
                case ast.Div() | ast.FloorDiv() if is_left and number > 0:
                    found.append(replace(each, factor=each.factor / number, offset=each.offset / number))
                case _:
                    found.append(each)
        return found


def _find_items(loop: ast.For, name: str) -> list[ast.expr]:
    """Return the expressions that give a loop variable its values, such as ``[5, 20]`` in ``for epochs in [5, 20]``."""
    if not isinstance(loop.target, ast.Tuple):
        return [loop.iter]
    places = [index for index, each in enumerate(loop.target.elts) if last_name(each) == name]
    if isinstance(loop.iter, ast.Call) and last_name(loop.iter.func) == "zip":
        return [loop.iter.args[place] for place in places if place < len(loop.iter.args)]
    items = loop.iter.elts[::-1] if isinstance(loop.iter, ast.List | ast.Tuple) else []
    tuples = [each.elts for each in items if isinstance(each, ast.Tuple | ast.List)]
    return [each[place] for each in tuples for place in places if place < len(each)]
