"""Follow the parts of a split through a scope, to learn whether a model is tested or validated on them."""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from enum import Enum, auto

from epochal.analysis.findings.source import (
    GROWING,
    Scope,
    Step,
    first_index,
    inputs_of,
    root_name,
)
from epochal.analysis.syntax import last_name, literal

_METHODS = frozenset({"evaluate", "score"})
_FUNCTIONS = frozenset(
    {"accuracy_score", "balanced_accuracy_score", "classification_report", "confusion_matrix"}
    | {"cross_val_score", "cross_validate", "cross_val_predict"}
)
_AVERAGES = frozenset({"average", "count_nonzero", "mean", "sum"})
_SUMMARIES = _AVERAGES | {"len", "max", "median", "min", "range", "std", "var"}
"""Functions that summarise all rows together, or each row separately if their axis is 1 or -1."""
_SIZES = frozenset({"dtype", "ndim", "shape", "size"})
_FITS = frozenset({"fit", "partial_fit"})
_APPLIES_MODEL = frozenset({"decision_function", "predict", "predict_proba", "transform"})
_VALIDATION = frozenset({"cv", "eval_set", "validation_data"})
_WRITES = frozenset(
    {"copy", "copy2", "copyfile", "dump", "move", "save", "savetxt", "savez", "savez_compressed", "symlink", "write"}
)
"""Functions that may write their arguments to files."""
_QUERIED = re.compile(r"@(\w+)")
_WRITES_TABLE = re.compile(r"to_(?:csv|excel|feather|hdf|json|parquet|pickle)")


class Use(Enum):
    """What the parts of a split are used for."""

    TEST = auto()
    """The last measurement in the scope uses them."""
    VALIDATION = auto()
    """An earlier measurement uses them, or a fit validates on them, but the last measurement uses other rows."""
    OTHER = auto()
    """No measurement in the scope uses them."""
    UNKNOWN = auto()
    """The scope measures nothing, or returns or saves the parts."""


def find_use(scope: Scope, parts: Collection[ast.expr], scopes: Sequence[Scope]) -> Use:
    """Return how a scope uses the parts of a split.

    ``parts``: the expressions whose values are these parts. ``scopes``: all scopes of the code.
    """
    flow = _Flow(parts, scopes)
    measured: list[bool] = []
    is_validation = False
    for step in scope.steps:
        if flow.leaves(step):
            return Use.UNKNOWN
        measured += flow.measure(step)
        is_validation |= flow.validates(step)
        flow.assign(step)
    if not measured:
        return Use.UNKNOWN
    if measured[-1] and not flow.is_measured_later(scope):
        return Use.TEST
    return Use.VALIDATION if is_validation or any(measured) else Use.OTHER


class _Flow:
    """The variables of a scope that hold parts of a split."""

    def __init__(self, parts: Collection[ast.expr], scopes: Sequence[Scope]) -> None:
        self._parts = {id(part) for part in parts}
        self._scopes = scopes
        self._functions = {scope.name: scope for scope in scopes if scope.name}
        self._names: set[str] = set()
        self._measuring: dict[str, bool] = {}
        """For each function checked so far, whether it measures an accuracy."""

    def leaves(self, step: Step) -> bool:
        """Return whether a statement returns or saves a part, so that other code may use it."""
        results = [node.value for node in step.nodes if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)]
        if any(map(self._holds, results)):
            return True
        tables = (_receiver(call) for call in step.calls if _WRITES_TABLE.fullmatch(last_name(call.func)))
        written = (call for call in step.calls if last_name(call.func) in _WRITES)
        return any(map(self._has_input, written)) or any(map(self._holds, tables))

    def measure(self, step: Step) -> Iterator[bool]:
        """For each measurement in a statement, yield whether it uses a part."""
        for node in _nodes(step):
            if isinstance(node, ast.Call) and self._measures(node):
                has_rows = bool(node.args or node.keywords) and last_name(node.func) not in _AVERAGES
                held = self._has_input(node) if has_rows else self._is_compared(node) or self._holds(_receiver(node))
                yield held or self._reads_part(node)
            elif isinstance(node, ast.Attribute) and node.attr == "best_score_":
                yield self._holds(node.value)

    def validates(self, step: Step) -> bool:
        """Return whether a statement passes a part to a function that validates a model on it."""
        given = (each for node in _nodes(step) if isinstance(node, ast.Call) for each in node.keywords)
        return any(each.arg in _VALIDATION and self._holds(each.value) for each in given)

    def is_measured_later(self, scope: Scope) -> bool:
        """Return whether code that calls the function ``scope`` measures something after that call."""
        for other in self._scopes:
            calls = [call for step in other.steps for call in step.calls]
            lines = [call.lineno for call in calls if scope.name and last_name(call.func) == scope.name]
            others = [call for call in calls if last_name(call.func) != scope.name and self._measures(call)]
            if lines and any(call.lineno > min(lines) for call in others):
                return True
        return False

    def assign(self, step: Step) -> None:
        """Record which variables hold parts after a statement."""
        for call in step.calls:
            if last_name(call.func) in GROWING and self._has_input(call):
                self._names.add(root_name(call.func))
        for target, value in step.assigned:
            held = any(map(self._holds, step.iterated)) if value is None else self._holds(value)
            for each in _targets(target):
                if held or self._holds(getattr(each, "slice", None)):
                    self._names.add(root_name(each))
                elif isinstance(each, ast.Name) and not step.branch:
                    self._names.discard(each.id)

    def _holds(self, node: ast.AST | None) -> bool:
        """Return whether the value of an expression may contain rows of a part, or their positions."""
        if node is None or id(node) in self._parts:
            return node is not None
        match node:
            case ast.Name(id=name):
                return name in self._names
            case ast.Constant(value=str(text)):  # as in table.query("group in @last")
                return any(name in self._names for name in _QUERIED.findall(text))
            case ast.Attribute(attr=name) if name in _SIZES:
                return False
            case ast.Slice():
                return False
            case ast.Subscript():
                return self._holds(node.value) or self._holds(first_index(node))
            case ast.Call():
                return not self._summarises(node) and self._is_given_part(node)
        return any(map(self._holds, ast.iter_child_nodes(node)))

    def _is_given_part(self, call: ast.Call) -> bool:
        if last_name(call.func) in _FITS:  # returns the model, which may be a search over the folds of a split
            return self._holds(_receiver(call))
        is_model = last_name(call.func) in _APPLIES_MODEL and bool(call.args or call.keywords)
        return self._has_input(call) or self._reads_part(call) or (not is_model and self._holds(_receiver(call)))

    def _has_input(self, call: ast.Call) -> bool:
        return any(map(self._holds, inputs_of(call)))

    def _reads_part(self, call: ast.Call) -> bool:
        """Return whether a call runs a function in this code that reads a variable holding a part."""
        function = self._functions.get(last_name(call.func))
        nodes = ast.walk(function.node) if function else ()
        return any(isinstance(node, ast.Name) and node.id in self._names for node in nodes)

    def _summarises(self, call: ast.Call) -> bool:
        """Return whether a call returns a summary of rows, such as a number, rather than rows."""
        if last_name(call.func) in _METHODS | _FUNCTIONS:
            return last_name(call.func) != "cross_val_predict"
        inputs = inputs_of(call)
        return last_name(call.func) in _SUMMARIES and not any(literal(each) in (1, -1) for each in inputs)

    def _measures(self, call: ast.Call) -> bool:
        """Return whether a call measures an accuracy, either directly or by running one of the code's functions."""
        name = last_name(call.func)
        if name in _FUNCTIONS or (name in _METHODS and isinstance(call.func, ast.Attribute)):
            return True
        if name in _AVERAGES and _find_comparisons(call):
            return True
        if name in self._functions and name not in self._measuring:
            self._measuring[name] = False  # for functions that call themselves
            calls = (each for step in self._functions[name].steps for each in step.calls)
            self._measuring[name] = any(map(self._measures, calls))
        return self._measuring.get(name, False)

    def _is_compared(self, call: ast.Call) -> bool:
        return any(map(self._holds, _find_comparisons(call)))


def _find_comparisons(call: ast.Call) -> list[ast.AST]:
    """Return the comparisons of predictions with labels inside a call, as in ``np.mean(predicted == y_test)``."""
    nodes = (node for part in (_receiver(call), *call.args) if part is not None for node in ast.walk(part))
    return [node for node in nodes if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq)]


def _targets(target: ast.expr) -> Iterator[ast.expr]:
    """Yield the variables, attributes and elements that make up the target of an assignment or a loop."""
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _targets(each)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _receiver(call: ast.Call) -> ast.expr | None:
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def _nodes(step: Step) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, including those in the bodies of its lambdas."""
    for node in step.nodes:
        yield node
        if isinstance(node, ast.Lambda):
            yield from ast.walk(node.body)
