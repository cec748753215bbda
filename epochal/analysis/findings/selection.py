"""Find columns that a script chooses using the labels of all rows before it splits the data.

Classes that select features, such as SelectKBest, are found by ``leaks``; this module finds choices made by hand, such
as the columns with the highest correlation with the labels.
"""

import ast
import builtins
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_used,
    has_row_slice,
    keyword,
    root_name,
)
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, TRAIN_NAME
from epochal.analysis.syntax import last_name

_LABELLED = frozenset({"fit", "score", "evaluate", "train_test_split", "split"})
"""Functions that take rows and their labels as the first two arguments."""
_SPLITS = frozenset({"train_test_split", "split"})
_COLUMN_ATTRIBUTES = frozenset({"columns", "corr", "corrwith"})
_COLUMN_ORIGINS = frozenset(f".{name}" for name in _COLUMN_ATTRIBUTES)
_RANKINGS = frozenset({"argpartition", "argmax", "argsort", "get_support", "max", "nlargest", "sort_values", "sorted"})
"""Functions that rank columns. Only a ranking, or a comparison such as ``>``, counts as a choice."""
_RANKED = ">"
"""The origin (see ``_Origins``) recorded for values that a ranking or a comparison such as ``>`` has produced."""
_CONVERSIONS = frozenset({"astype", "copy", "reset_index", "sample", "to_numpy"})
_NOT_VALUES = frozenset({"dtype", "name", "ndim", "shape", "size"})
_NAME = "''"
"""The origin recorded for constants."""
_PART = ""
"""The origin recorded for values that come from a split, and so from only some of the rows."""


@dataclass(frozen=True)
class _Choice:
    """A choice of columns.

    ``origins``: what determined the choice (see ``_Origins``); ``data``: the origins of the data whose columns are
    chosen. ``sliced``: the line on which only some rows of that data were taken; 0 if all rows were kept.
    """

    step: Step
    origins: frozenset[str]
    data: frozenset[str]
    sliced: int = 0


def find_chosen_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each choice of columns that depends on the labels of all rows and precedes the split."""
    results = {scope.name: _find_results(source, scope) for source in sources for scope in source.scopes if scope.name}
    choosers = {scope.name for source in sources for scope in source.scopes if _Choices(source, results).chooses(scope)}
    for source, scope in find_used(sources):
        yield from _Choices(source, results, choosers).follow(scope)


@dataclass
class _Origins:
    """The variables and columns that a scope's variables are computed from.

    A column ``df["price"]`` has the origin ``['price']``. Rows taken from a variable ``x`` by a slice or an index have
    the origin ``x[]``. ``imported``: the imported names, which are not origins. ``results``: for each function in the
    code, the columns that its result is computed from. ``loops``: loop variables and parameters of lambdas, which are
    assumed not to be row indices.
    """

    imported: Collection[str]
    results: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    loops: set[str] = field(default_factory=set)

    def of(self, node: ast.AST) -> frozenset[str]:
        """Return the origins of an expression. Names and sizes of data have none: they do not depend on the values."""
        match node:
            case ast.Name(id=name):
                known = self.names.get(name, frozenset())
                return frozenset() if name in self.imported or _NAME in known else known | {name}
            case ast.Attribute(attr=attribute) if attribute in _NOT_VALUES:
                return frozenset()
            case ast.Call(func=ast.Name(id="len" | "type")):
                return frozenset()
            case ast.Call(func=ast.Attribute(value=data, attr="pop" | "get"), args=[column, *_]):
                return self.of(data) | {f"[{ast.unparse(column)}]"}
            case ast.Subscript():
                return self._of_subscript(node)
        found = set[str]().union(*map(self.of, ast.iter_child_nodes(node)))
        if isinstance(node, ast.Call):
            found |= self.results.get(last_name(node.func), frozenset())
            found |= {_RANKED} if last_name(node.func) in _RANKINGS else frozenset()
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
            found.add(_RANKED)
        elif isinstance(node, ast.Attribute) and node.attr in _COLUMN_ATTRIBUTES:
            found.add(f".{node.attr}")
        return frozenset(found)

    def _of_subscript(self, node: ast.Subscript) -> frozenset[str]:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        found = self.of(node.value)
        are_labels = isinstance(node.value, ast.Attribute) and node.value.attr in ("columns", "index")
        is_computed = isinstance(parts[-1], ast.Slice | ast.Compare | ast.BinOp | ast.UnaryOp) if parts else True
        if not are_labels and not is_computed:  # the names of columns
            found |= {f"[{ast.unparse(parts[-1])}]"}
            parts = parts[:-1]
        if self.takes_rows(node) and (name := _find_data(node.value)):
            found |= {f"{name}[]"}
        return found.union(*map(self.of, parts))

    def takes_rows(self, node: ast.Subscript) -> bool:
        """Return whether a subscript may take only some rows, by a slice or an index."""
        rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
        if isinstance(rows, ast.Name):
            return rows.id not in self.loops and not self.names.get(rows.id, frozenset()) & _COLUMN_ORIGINS
        return has_row_slice(node) or isinstance(rows, ast.Call | ast.Subscript)

    def assign(self, step: Step) -> None:
        """Record the origins of the variables that a statement assigns or extends."""
        iterated = step.node.iter if isinstance(step.node, ast.For) else None
        self.loops |= {root_name(target) for target, value in step.assigned if value is None and not _splits(iterated)}
        self.loops |= {each.arg for node in step.nodes if isinstance(node, ast.Lambda) for each in node.args.args}
        for target, value in step.assigned:
            expression = value or iterated
            if expression is None:
                continue
            found = frozenset({_PART}) if _splits(expression) else self.of(expression)
            if _is_name(expression):  # the name of a column, for example, which says nothing about its values
                found = frozenset({_NAME})
            for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                name = root_name(each)
                earlier = frozenset() if isinstance(each, ast.Name) else self.names.get(name, frozenset())
                self.names[name] = earlier | found
        for call in step.calls:
            if last_name(call.func) in ("append", "extend", "add", "insert") and isinstance(call.func, ast.Attribute):
                name = root_name(call.func.value)
                self.names[name] = self.names.get(name, frozenset()).union(*map(self.of, call.args))


class _Choices:
    """The choices of columns in a scope, traced to where the data is split."""

    def __init__(
        self, source: Source, results: Mapping[str, frozenset[str]], choosers: Collection[str] = frozenset()
    ) -> None:
        """Start with no choices. ``choosers``: the functions that choose columns of their first argument."""
        self._source = source
        self._choosers = choosers
        self._origins = _Origins(source.names, results)
        self._chosen: dict[str, _Choice] = {}

    def follow(self, scope: Scope) -> Iterator[Finding]:
        labels: set[str] = set()
        splits: list[tuple[_Choice, str]] = []
        for step in scope.steps:
            for call in step.calls:
                labels |= self._find_labels(call)
                splits += [
                    (choice, where) for choice, where in self._find_splits(call, step) if step.follows(choice.step)
                ]
            self._note(step)
        reported = set()
        for choice, where in splits:
            used = choice.origins & (labels - choice.data) and _RANKED in choice.origins
            if used and not _is_of_part(choice, labels) and choice.step.node.lineno not in reported:
                reported.add(choice.step.node.lineno)
                yield Finding(
                    "chosen_before_split",
                    self._source.path,
                    choice.step.node.lineno,
                    f"The columns are chosen using the labels of all rows {where}, so the choice depends on the "
                    f"{'validation' if 'validation' in where else 'test'} labels.",
                    "Split first, and choose the columns using only the training rows.",
                )

    def chooses(self, scope: Scope) -> bool:
        """Return whether a function returns columns that it chooses based on an argument other than the data."""
        if isinstance(scope.node, ast.Module):
            return False
        arguments = {each.arg for each in scope.node.args.args}
        for step in scope.steps:
            if isinstance(step.node, ast.Return) and step.node.value:
                choice = self._choice_of(step.node.value, step)
                is_ranked = choice and _RANKED in choice.origins
                if choice and is_ranked and (choice.origins - choice.data) & arguments and not _is_of_part(choice):
                    return True
            self._note(step)
        return False

    def _note(self, step: Step) -> None:
        """Record the choices and origins of the variables that a statement assigns."""
        changes = [(target, self._choice_of(value, step) if value else None) for target, value in step.assigned]
        self._origins.assign(step)
        for target, choice in changes:
            self._assign(target, choice)

    def _find_labels(self, call: ast.Call) -> frozenset[str]:
        name = last_name(call.func)
        if name not in _LABELLED and name not in CROSS_VALIDATIONS:
            return frozenset()
        node = keyword(call, "y", 2 if name in CROSS_VALIDATIONS else 1)
        return self._origins.of(node) - {_PART} if node else frozenset()

    def _find_splits(self, call: ast.Call, step: Step) -> Iterator[tuple[_Choice, str]]:
        """Yield each choice of columns in the data that a call splits or partly uses.

        With each comes a phrase for the finding, such as "before the split".
        """
        name = last_name(call.func)
        position = 1 if name in CROSS_VALIDATIONS else 0
        if len(call.args) <= position or name not in _LABELLED | CROSS_VALIDATIONS:
            return
        data = call.args[position]
        direct = self._find_columns(data)
        if name == "fit" and direct:
            part, columns = map(self._origins.of, direct)
            if _PART in part:
                yield _Choice(step, columns, part), "before the split"
        for each in ast.walk(data):
            choice = self._chosen.get(each.id) if isinstance(each, ast.Name) else None
            if choice is None:
                continue
            if name in _SPLITS or name in CROSS_VALIDATIONS:
                yield choice, f"before {name}() on line {call.lineno}"
            elif name == "fit" and _PART in choice.data:
                yield choice, "before the split"
            elif name == "fit" and keyword(call, "validation_split"):
                yield choice, f"before fit() splits off validation data on line {call.lineno}"
            elif choice.sliced or (isinstance(data, ast.Subscript) and self._origins.takes_rows(data)):
                yield choice, f"before the split on line {choice.sliced or call.lineno}"

    def _choice_of(self, value: ast.expr, step: Step) -> _Choice | None:
        """Return the choice of columns that an expression makes or contains; None if it has all columns."""
        sliced = step.node.lineno if isinstance(value, ast.Subscript) and self._origins.takes_rows(value) else 0
        for each in ast.walk(value):
            if isinstance(each, ast.Name) and (earlier := self._chosen.get(each.id)):
                return _Choice(earlier.step, earlier.origins, earlier.data, earlier.sliced or sliced)
            if isinstance(each, ast.Call) and each.args and last_name(each.func) in self._choosers:
                origins = frozenset[str]().union(*map(self._origins.of, each.args))
                return _Choice(step, origins | {_RANKED}, self._origins.of(each.args[0]))
            if chosen := self._find_columns(each):
                data, columns = chosen
                return _Choice(step, self._origins.of(columns), self._origins.of(data))
        return None

    def _find_columns(self, node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
        """Return the data and the expression for the chosen or dropped columns; None if ``node`` chooses no columns."""
        match node:
            case ast.Subscript(
                slice=ast.Tuple(
                    elts=[ast.Slice(lower=None, upper=None) | ast.Constant(value=builtins.Ellipsis), columns]
                )
            ):
                return None if isinstance(columns, ast.Slice | ast.Constant) else (node.value, columns)
            case ast.Attribute(attr="T", value=ast.Subscript(value=ast.Attribute(attr="T", value=data), slice=columns)):
                return data, columns
            case ast.Subscript() if self._origins.of(node.slice) & _COLUMN_ORIGINS:
                return node.value, node.slice
            case ast.Call(func=ast.Attribute(attr="drop", value=data)):
                dropped = keyword(node, "columns") or (keyword(node, "labels", 0) if _is_of_columns(node, 1) else None)
                return (data, dropped) if dropped else None
            case ast.Call(func=ast.Attribute(attr="filter" | "reindex" as name, value=data)):
                kept = keyword(node, "items", 0) if name == "filter" else keyword(node, "columns")
                return (data, kept) if kept else None
            case ast.Call(func=ast.Attribute(attr="take" | "delete" | "compress" as name, value=data)):
                is_function = self._source.callee(node).startswith("numpy.")
                arguments = [*node.args, *(each.value for each in node.keywords if each.arg != "axis")]
                if len(arguments) < 1 + is_function or not _is_of_columns(node, 1 + is_function):
                    return None
                first, second = (arguments[0], arguments[1]) if is_function else (data, arguments[0])
                return (second, first) if name == "compress" and is_function else (first, second)
        return None

    def _assign(self, target: ast.expr, choice: _Choice | None) -> None:
        for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            name = root_name(each)
            if isinstance(each, ast.Name):
                self._chosen.pop(name, None)
            if choice and name:
                self._chosen[name] = choice


def _is_of_columns(call: ast.Call, position: int) -> bool:
    """Return whether a call's argument ``axis``, passed by name or at ``position``, stands for columns."""
    axis = keyword(call, "axis", position)
    return axis is not None and ast.unparse(axis) in ("1", "-1", "'columns'")


def _is_of_part(choice: _Choice, labels: Collection[str] = frozenset()) -> bool:
    """Return whether a choice was made using only some rows of the data or the labels."""
    parts = {f"{name}[]" for name in {*labels, *choice.data}} | {_PART}
    return bool(choice.origins & parts) or any(map(TRAIN_NAME.search, choice.origins))


def _find_results(source: Source, scope: Scope) -> frozenset[str]:
    """Return the columns, and the attributes in ``_COLUMN_ATTRIBUTES``, that a function's result is computed from."""
    origins, found = _Origins(source.names), set[str]()
    for step in scope.steps:
        origins.assign(step)
        if isinstance(step.node, ast.Return) and step.node.value:
            found |= origins.of(step.node.value)
    return frozenset(origin for origin in found if origin.startswith(("[", ".", _RANKED)))


def _splits(node: ast.expr | None) -> bool:
    """Return whether an expression calls a function that splits the rows."""
    return node is not None and any(
        isinstance(each, ast.Call) and last_name(each.func) in _SPLITS for each in ast.walk(node)
    )


def _is_name(node: ast.expr) -> bool:
    """Return whether an expression is a constant, or a list of constants."""
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and all(map(_is_name, node.elts))
    return isinstance(node, ast.Constant | ast.JoinedStr)


def _find_data(node: ast.expr) -> str:
    """Return the variable whose rows an expression holds, perhaps converted; empty for values such as ``x.mean()``."""
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Call):
            if last_name(node.func) not in _CONVERSIONS:
                return ""
            node = node.func
        elif node.attr in {"T", "iloc", "loc", "values", *_CONVERSIONS}:
            node = node.value
        else:
            return ""
    return node.id if isinstance(node, ast.Name) else ""
