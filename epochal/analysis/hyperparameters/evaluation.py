"""Evaluate expressions in the pushed code, as far as possible without running it.

Epochal runs the script without arguments or special environment variables, so the outcome of many conditions is known.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from epochal.analysis.hyperparameters.definitions import (
    RECORDS,
    Definition,
    find_default,
    find_definitions,
    is_environment,
    read_keys,
)
from epochal.analysis.hyperparameters.sources import Sources, find_config_constants, imported_module
from epochal.analysis.hyperparameters.unit import Binding, Function, Scope, Unit, position
from epochal.analysis.syntax import COMPARISONS, Module, last_name

UNKNOWN: Any = object()
"""The result of evaluating an expression whose value cannot be determined without running the code."""

_KINDS = dict.fromkeys(("parse_args", "parse_known_args"), "option") | dict.fromkeys(
    ("safe_load", "load", "full_load", "loads", "compose", "merge", "unsafe_load", "to_container"), "config"
)
"""For each function name: the kind of definition that sets the attributes or keys of the returned object."""
_OPERATIONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    **COMPARISONS,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
MAX_DEPTH = 40
MAX_STEPS = 500
"""The maximum number of steps in evaluating an expression. Without a limit, the number could grow exponentially."""


Owner = tuple[ast.AST | None, str]
"""Where an attribute or key is defined.

The class or dictionary that holds it (None if unknown), and its most likely kind, such as ``field`` or ``option``.
"""


class Evaluator:
    """The code of a script, indexed so that expressions in it can be evaluated."""

    def __init__(self, sources: Sources) -> None:
        self._script = sources.script
        parsed = {path: Module.parse(content) for path, content in sources.modules.items()}
        self.units = {path: Unit(path, module) for path, module in parsed.items() if module}
        self.config_constants = find_config_constants(sources)
        self.definitions: dict[str, list[Definition]] = {}
        self._calls: dict[str, list[tuple[Unit, ast.Call]]] = {}
        self.functions: dict[str, list[tuple[Unit, Function]]] = {}
        self._classes: dict[str, ast.ClassDef] = {}
        self._evaluating: set[ast.AST] = set()
        self._evaluated = 0
        for unit in self.units.values():
            for node in unit.nodes:
                if isinstance(node, ast.ClassDef):
                    self._classes.setdefault(node.name, node)
                elif isinstance(node, Function):
                    self.functions.setdefault(node.name, []).append((unit, node))
                elif isinstance(node, ast.Call):
                    for name in _find_called(unit, node):
                        self._calls.setdefault(name, []).append((unit, node))
        for unit in self.units.values():
            for node in unit.nodes:
                for definition in find_definitions(unit, node, self._classes):
                    self.definitions.setdefault(definition.label.name, []).append(definition)

    def decide(self, unit: Unit, test: ast.expr) -> bool | None:
        """Return whether a condition holds when the script is run without arguments; None if that is unknown."""
        value = self.evaluate(unit, test)
        return None if value is UNKNOWN else bool(value)

    def evaluate(self, unit: Unit, node: ast.expr) -> Any:
        """Return the value that an expression has when the script is run without arguments, or UNKNOWN."""
        self._evaluated = self._evaluated + 1 if self._evaluating else 0
        if node in self._evaluating or len(self._evaluating) > MAX_DEPTH or self._evaluated > MAX_STEPS:
            return UNKNOWN
        self._evaluating.add(node)
        try:
            return self._evaluate(unit, node)
        except (TypeError, ValueError, ArithmeticError):
            return UNKNOWN
        finally:
            self._evaluating.discard(node)

    def _evaluate(self, unit: Unit, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._evaluate_name(unit, node)
            case ast.Attribute() | ast.Subscript():
                return self._evaluate_part(unit, node)
            case ast.Call():
                return self._evaluate_call(unit, node)
            case ast.UnaryOp() | ast.BinOp() | ast.BoolOp() | ast.Compare():
                return self._evaluate_operation(unit, node)
            case ast.IfExp():
                decided = self.decide(unit, node.test)
                if decided is not None:
                    return self.evaluate(unit, node.body if decided else node.orelse)
        return UNKNOWN

    def _evaluate_part(self, unit: Unit, node: ast.Attribute | ast.Subscript) -> Any:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) == ("sys", "argv"):
                return [self._script]
            if other := self.find_imported_module(unit, node.value):
                return self._evaluate_bindings(other, other.module.tree, node.attr, None)
        base, keys = read_keys(node)
        return self._evaluate_definition(unit, base, keys) if keys else UNKNOWN

    def _evaluate_operation(self, unit: Unit, node: ast.UnaryOp | ast.BinOp | ast.BoolOp | ast.Compare) -> Any:
        match node:
            case ast.UnaryOp():
                value = self.evaluate(unit, node.operand)
                if value is not UNKNOWN and isinstance(node.op, ast.Not | ast.USub):
                    return not value if isinstance(node.op, ast.Not) else -value
            case ast.BoolOp():
                return self._evaluate_all(unit, node)
            case ast.Compare(ops=[ast.In() | ast.NotIn() as op], comparators=[right]) if last_name(right) == "environ":
                return isinstance(op, ast.NotIn)
            case ast.Compare(ops=[op], comparators=[right]):
                return self._apply(op, self.evaluate(unit, node.left), self.evaluate(unit, right))
            case ast.BinOp():
                return self._apply(node.op, self.evaluate(unit, node.left), self.evaluate(unit, node.right))
        return UNKNOWN

    def _apply(self, op: ast.AST, left: Any, right: Any) -> Any:
        if left is UNKNOWN or right is UNKNOWN or type(op) not in _OPERATIONS:
            return UNKNOWN
        return _OPERATIONS[type(op)](left, right)

    def _evaluate_all(self, unit: Unit, node: ast.BoolOp) -> Any:
        is_or = isinstance(node.op, ast.Or)
        values = [self.evaluate(unit, value) for value in node.values]
        for value in values:
            if value is not UNKNOWN and bool(value) is is_or:
                return value if value is values[0] or UNKNOWN not in values[: values.index(value)] else is_or
        return UNKNOWN if any(value is UNKNOWN for value in values) else values[-1]

    def _evaluate_name(self, unit: Unit, node: ast.Name) -> Any:
        if node.id == "__name__":
            return "__main__" if unit.path == self._script else unit.path
        scope = unit.find_scope(node, node.id)
        return UNKNOWN if scope is None else self._evaluate_bindings(unit, scope, node.id, node)

    def _evaluate_bindings(self, unit: Unit, scope: Scope, name: str, use: ast.AST | None) -> Any:
        bindings = self.find_effective(unit, scope, name, use)
        if len(bindings) != 1:
            return UNKNOWN
        statement, value = bindings[0].statement, bindings[0].value
        if isinstance(statement, ast.ImportFrom) and (other := self.find_module(statement, unit)):
            imported = imported_name(statement, name)
            return self._evaluate_bindings(other, other.module.tree, imported, None)
        if isinstance(statement, ast.arg) and (function := unit.function(statement)):
            arguments = list(self.find_arguments(unit, function, name))
            default = find_default(function, statement)
            if len(arguments) == 1 and arguments[0][1] is not None:
                return self.evaluate(arguments[0][0], arguments[0][1])
            passes_none = all(argument is None for _, argument in arguments)
            return self.evaluate(unit, default) if default is not None and passes_none else UNKNOWN
        if value is None or isinstance(statement, ast.AugAssign):
            return UNKNOWN
        return self.evaluate(unit, value)

    def _evaluate_definition(self, unit: Unit, base: ast.expr, keys: tuple[str, ...]) -> Any:
        owner, _ = self.find_owner(unit, base)
        definitions = self.definitions.get(keys[-1], [])
        if owner is not None:
            definitions = [each for each in definitions if each.owner is owner] or definitions
        if len(definitions) != 1:
            return UNKNOWN
        return self.evaluate(definitions[0].unit, definitions[0].value)

    def _evaluate_call(self, unit: Unit, node: ast.Call) -> Any:
        name = last_name(node.func)
        if is_environment(node):
            return self.evaluate(unit, node.args[1]) if len(node.args) > 1 else None
        casts: Mapping[str, Callable[[Any], Any]] = {"int": int, "float": float, "bool": bool, "str": str, "len": len}
        if name in casts and len(node.args) == 1:
            value = self.evaluate(unit, node.args[0])
            return UNKNOWN if value is UNKNOWN else casts[name](value)
        return UNKNOWN

    def find_module(self, statement: ast.ImportFrom, unit: Unit) -> Unit | None:
        """Return the local module that ``from module import …`` imports from; None if the module is not local."""
        paths = imported_module(statement, unit.path, self._script)
        return next((self.units[path] for path in paths if path in self.units), None)

    def find_imported_module(self, unit: Unit, node: ast.Name) -> Unit | None:
        """Return the local module that a name refers to, such as ``config`` after ``import config``.

        Returns None if the name refers to anything else.
        """
        scope = unit.find_scope(node, node.id)
        for binding in unit.bindings(scope, node.id) if scope else ():
            statement = binding.statement
            if isinstance(statement, ast.Import):
                alias = next(each for each in statement.names if (each.asname or each.name.split(".")[0]) == node.id)
                paths = imported_module(alias, unit.path, self._script)
            elif isinstance(statement, ast.ImportFrom):
                alias = next(each for each in statement.names if (each.asname or each.name) == node.id)
                module = ast.ImportFrom(f"{statement.module or ''}.{alias.name}".strip("."), [], statement.level)
                paths = imported_module(module, unit.path, self._script)
            else:
                continue
            for path in paths:
                if path in self.units:
                    return self.units[path]
        return None

    def find_effective(self, unit: Unit, scope: Scope, name: str, use: ast.AST | None) -> list[Binding]:
        """Return the bindings of a variable that may be in effect at the node ``use``, most likely first.

        If ``use`` is None, return those in effect at the end of the scope. Later bindings override earlier ones.
        Bindings under a condition that does not hold are left out.
        """
        found: list[tuple[bool, Binding]] = []
        around = {use, *unit.ancestors(use)} if use else set()
        is_local = use is not None and unit.scope(use) is scope
        for binding in reversed(unit.bindings(scope, name)):
            statement = binding.statement
            if isinstance(statement, ast.For | ast.AsyncFor) and use and statement not in around:
                continue  # the variable of another loop
            if is_local and use is not None and position(statement) > position(use):
                continue
            if statement in around and not isinstance(statement, ast.For | ast.AsyncFor):
                continue
            is_certain, is_probable = self.is_effective(unit, statement, use)
            if is_certain is not False:
                found.append((is_probable, binding))
            if is_certain:
                break
        return [binding for _, binding in sorted(found, key=lambda each: not each[0])]

    def resolve(self, unit: Unit, node: ast.expr) -> ast.expr:
        """Return the expression assigned to the variable ``node`` if there is exactly one, else ``node`` itself."""
        scope = unit.find_scope(node, node.id) if isinstance(node, ast.Name) else None
        if scope is None or not isinstance(node, ast.Name):
            return node
        values = [each.value for each in self.find_effective(unit, scope, node.id, node) if each.value]
        return values[0] if len(values) == 1 else node

    def is_effective(self, unit: Unit, statement: ast.AST, use: ast.AST | None = None) -> tuple[bool | None, bool]:
        """Return whether a statement runs if ``use`` runs (None if unknown), and whether it probably does."""
        known = dict(unit.branches(use)) if use else {}
        is_certain: bool | None = True
        is_probable = True
        for branch, in_body in unit.branches(statement):
            if branch in known:
                if known[branch] is not in_body:
                    return False, False
                continue
            decided = self.decide(unit, branch.test)
            if decided is None:
                is_certain = None
                is_probable = is_probable and in_body is is_likely(branch.test)
            elif decided is not in_body:
                return False, False
        handler = unit.handler(statement)
        if handler and not (use and unit.handler(use) is handler):
            return None, False
        return is_certain, is_probable

    @cached_property
    def running(self) -> set[ast.AST]:
        """The AST nodes that may be executed when the script runs.

        Left out: functions that nothing seems to call, branches whose conditions do not hold, and exception handlers.
        """
        running: set[ast.AST] = set()
        named: set[str] = set()
        queue: list[tuple[Unit, ast.AST]] = [(unit, unit.module.tree) for unit in self.units.values()]
        while queue:
            unit, node = queue.pop()
            if node in running:
                continue
            running.add(node)
            queue += [(unit, child) for child in self._find_running_children(unit, node)]
            name = last_name(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            if name and name not in named:
                named.add(name)
                for other, function in self.functions.get(name, []):
                    queue += [(other, child) for child in function.body]
        return running

    def _find_running_children(self, unit: Unit, node: ast.AST) -> list[ast.AST]:
        match node:
            case ast.If():
                decided = self.decide(unit, node.test)
                return [
                    node.test,
                    *(node.body if decided is not False else []),
                    *(node.orelse if decided is not True else []),
                ]
            case ast.ExceptHandler():
                return []
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # A framework may call methods of its subclasses and decorated functions.
                owner = unit.scope(node)
                is_called = (
                    bool(node.decorator_list)
                    or node.name.startswith("__")
                    or (isinstance(owner, ast.ClassDef) and bool(owner.bases))
                )
                return [*node.decorator_list, node.args, *(node.body if is_called else [])]
        return list(ast.iter_child_nodes(node))

    def find_arguments(self, unit: Unit, function: Function, name: str) -> Iterator[tuple[Unit, ast.expr | None]]:
        """Yield the argument for the parameter ``name`` in each call to ``function``; None if the call omits it."""
        owner = unit.scope(function)
        called = [function.name]
        if isinstance(owner, ast.ClassDef) and function.name == "__init__":
            called = [owner.name, *self._find_heirs(owner)]
        names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        if isinstance(owner, ast.ClassDef) and not any(
            last_name(each) == "staticmethod" for each in function.decorator_list
        ):
            names = names[1:]
        # The last call usually trains longest, as in pre-training and fine-tuning.
        found = [each for other in called for each in self._find_calls(other)]
        calls = sorted(found, key=lambda each: position(each[1]), reverse=True)
        for call_unit, call, arguments, keywords in calls:
            keyword = next((each.value for each in keywords if each.arg == name), None)
            index = names.index(name) if name in names else len(arguments)
            stars = [each.value for each in keywords if each.arg is None]
            if keyword is not None:
                yield call_unit, keyword
            elif index < len(arguments) and not any(isinstance(each, ast.Starred) for each in arguments[: index + 1]):
                yield call_unit, arguments[index]
            elif stars:
                key = ast.copy_location(ast.Constant(name), call)
                yield call_unit, ast.copy_location(ast.Subscript(stars[0], key, ast.Load()), call)
            else:
                yield call_unit, None

    def _find_heirs(self, owner: ast.ClassDef) -> list[str]:
        """Return the names of a class's direct subclasses that do not define ``__init__`` themselves."""
        return [
            name
            for name, each in self._classes.items()
            if owner.name in map(last_name, each.bases)
            and not any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in each.body)
        ]

    def _find_calls(self, called: str) -> Iterator[tuple[Unit, ast.Call, list[ast.expr], list[ast.keyword]]]:
        """Yield the calls to the function named ``called``, each with its positional and keyword arguments.

        Calls that pass the function to another function, such as ``partial(f, …)`` or ``Process(target=f, args=(…))``,
        are included.
        """
        for unit, call in self._calls.get(called, []):
            yield unit, call, call.args, call.keywords
        for name in ("partial", "submit", "spawn", "Process", "Thread"):
            for unit, call in self._calls.get(name, []):
                given = {each.arg: each.value for each in call.keywords}
                passed = given.get("target", call.args[0] if call.args else None)
                if passed is None or last_name(passed) != called:
                    continue
                if name in ("partial", "submit"):
                    yield unit, call, call.args[1:], call.keywords
                    continue
                arguments = self.resolve(unit, given["args"]) if "args" in given else None
                if isinstance(arguments, ast.Tuple | ast.List):
                    # torch.multiprocessing.spawn passes the number of the process first.
                    rank = [passed] if name == "spawn" else []
                    yield unit, call, [*rank, *arguments.elts], []

    def read_keys(self, unit: Unit, node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
        """Read keys as ``definitions.read_keys`` does, but also accept keys that have to be evaluated first.

        For example: ``presets[args.preset]["epochs"]``.
        """
        base, keys = read_keys(node)
        while isinstance(base, ast.Subscript) and isinstance(key := self.evaluate(unit, base.slice), str):
            base, more = read_keys(base.value)
            keys = (*more, key, *keys)
        return base, keys

    def find_owner(self, unit: Unit, base: ast.expr) -> Owner:
        """Return the ``Owner`` of an attribute or key of ``base``."""
        if not isinstance(base, ast.Name):
            return self.find_owner_of_value(unit, base)
        if base.id in ("self", "cls"):
            return unit.class_of(base), "field"
        if base.id in self._classes:
            return self._classes[base.id], "field"
        if base.id == "FLAGS":
            return None, "option"
        scope = unit.find_scope(base, base.id)
        for binding in self.find_effective(unit, scope, base.id, base) if scope else ():
            if isinstance(binding.statement, ast.arg):
                return self._find_owner_of_parameter(unit, binding.statement)
            if isinstance(binding.statement, ast.ImportFrom):
                return self._find_owner_of_import(unit, binding.statement, base.id)
            if binding.value is not None:
                return self.find_owner_of_value(unit, binding.value)
        return None, "item"

    def _find_owner_of_import(self, unit: Unit, statement: ast.ImportFrom, name: str) -> Owner:
        if other := self.find_module(statement, unit):
            for binding in self.find_effective(other, other.module.tree, imported_name(statement, name), None):
                if binding.value is not None:
                    return self.find_owner_of_value(other, binding.value)
        return None, "item"

    def _find_owner_of_parameter(self, unit: Unit, parameter: ast.arg) -> Owner:
        function = unit.function(parameter)
        annotation = last_name(parameter.annotation) if parameter.annotation else ""
        if annotation in self._classes:
            return self._classes[annotation], "field"
        if function is None:
            return None, "item"
        if any(_is_hydra(each) for each in function.decorator_list):
            return None, "config"
        arguments = self.find_arguments(unit, function, parameter.arg)
        return next((self._find_owner_once(other, each) for other, each in arguments if each), (None, "item"))

    def _find_owner_once(self, unit: Unit, value: ast.expr) -> Owner:
        """Like ``find_owner``, but return no owner if ``value`` is already being looked up."""
        if value in self._evaluating or len(self._evaluating) > MAX_DEPTH:
            return None, "item"
        self._evaluating.add(value)
        try:
            return self.find_owner(unit, value)
        finally:
            self._evaluating.discard(value)

    def find_owner_of_value(self, unit: Unit, value: ast.expr) -> Owner:
        """Return what ``find_owner`` returns for a variable that is set to ``value``."""
        if isinstance(value, ast.Dict):
            return value, "item"
        name = last_name(value.func) if isinstance(value, ast.Call) else ""
        if name in self._classes:
            return self._classes[name], "field"
        if name in _KINDS:
            return None, _KINDS[name]
        if isinstance(value, ast.Call) and value.args and (name == "vars" or isinstance(value.args[0], ast.Dict)):
            return self._find_owner_once(unit, value.args[0]) if name in ("vars", *RECORDS) else (None, "item")
        for other, function in self.functions.get(name, []):
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    return self._find_owner_once(other, node.value)
        return None, "item"


def _find_called(unit: Unit, call: ast.Call) -> list[str]:
    """Return the name of the called function; for ``super().__init__(…)``, the names of the base classes."""
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__") if owner := unit.class_of(call):
            return [last_name(each) for each in owner.bases]
    return [last_name(call.func)]


def _is_hydra(decorator: ast.expr) -> bool:
    """Return whether a decorator is from Hydra and so passes its function a configuration, as ``hydra.main`` does."""
    return any(isinstance(each, ast.Name) and each.id == "hydra" for each in ast.walk(decorator))


def is_likely(test: ast.expr) -> bool:
    """Guess whether a condition holds: most conditions test for rare cases, so only a negated one is likely to hold."""
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def imported_name(statement: ast.ImportFrom, name: str) -> str:
    """Return the original name of the object that ``from module import … as name`` imports as ``name``."""
    return next(each.name for each in statement.names if (each.asname or each.name) == name)
