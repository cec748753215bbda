"""Decide whether a choice of columns depends on the values of the labels.

Reading the labels only to filter rows, or reading only the names of columns, does not count.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from epochal.analysis.findings.origins import NOT_VALUES
from epochal.analysis.findings.source import GROWING, Scope, elements_of, names_in, root_name
from epochal.analysis.syntax import last_name

_LABELS_OF_TABLES = frozenset({"columns", "index"})
_CONVERSIONS = frozenset({"astype", "copy", "dropna", "fillna", "reset_index", "to_numpy"})
_SELECTING_ROWS = frozenset({"head", "nth", "sample", "tail", "filter"})


class LabelReads:
    """The expressions in a scope that determine the values of its variables."""

    def __init__(self, scope: Scope, tests: Mapping[int, Iterable[ast.expr]], readers: Collection[str]) -> None:
        """Collect the expressions of ``scope``.

        ``tests``: the conditions under which the statements in loops run, keyed by the statement's ``id()``.
        ``readers``: the functions in the code that read labels themselves.
        """
        self._readers = readers
        self._values: dict[str, list[tuple[int, ast.expr]]] = {}
        """For each variable: the expressions that determine its value, each with the line that sets the variable."""
        self._assigned: dict[str, list[ast.expr]] = {}
        """The expressions that are assigned to each variable."""
        self._split: list[ast.expr] = []
        """The data that the scope splits."""
        self._loops: set[str] = set()
        """The loop variables, which hold no labels even if other variables of the same name do."""
        self._columns: list[tuple[str, str, ast.expr | None]] = []
        """The columns that are added to tables: the table, the column and its values."""
        for step in scope.steps:
            line = step.node.lineno
            conditions = [*tests.get(id(step.node), ())]
            if isinstance(step.node, ast.For):
                conditions.append(step.node.iter)
                self._loops |= names_in(step.node.target)
            for target, value in step.assigned:
                for place, each in enumerate(elements_of(target)):
                    if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Constant):
                        self._columns.append((root_name(each), ast.unparse(each.slice), value))
                        continue
                    found = [_part_of(value, place)] if value else []
                    self._split += [each for each in found if each is not value]
                    self._assigned.setdefault(root_name(each), []).extend(found)
                    self._add(root_name(each), line, [*found, *conditions])
            for call in step.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr in GROWING | {"sort"}:
                    self._add(root_name(call.func.value), line, [*call.args, *conditions])

    def _add(self, name: str, line: int, expressions: Iterable[ast.expr]) -> None:
        self._values.setdefault(name, []).extend((line, each) for each in expressions)

    def lead_to(self, expressions: Iterable[ast.expr], line: int, labels: ast.expr) -> bool:
        """Return whether ``expressions``, or those that they are computed from, read the values of ``labels``.

        Assignments after ``line`` do not count, but columns that are added to tables after it do.
        """
        names, keys = self._identify(labels)
        pending, seen = list(expressions), set[str]()
        while pending:
            expression = pending.pop()
            bound = _bound_in(expression)
            read = names - bound - self._loops
            if any(self._reads(node, read, keys) for node in _value_nodes(expression)):
                return True
            for node in ast.walk(expression):
                if isinstance(node, ast.Name) and node.id not in seen | names | bound:
                    seen.add(node.id)
                    pending += [each for at, each in self._values.get(node.id, []) if at <= line]
                    pending += [
                        each for table, key, each in self._columns if table == node.id and each and key not in keys
                    ]
        return False

    def reach(self, expressions: Iterable[ast.expr], line: int) -> set[str]:
        """Return the variables that ``expressions`` are computed from, tracing no further back than the data split.

        Only assignments up to ``line`` count.
        """
        pending, seen = list(expressions), set[str]()
        while pending:
            for node in ast.walk(pending.pop()):
                if isinstance(node, ast.Name) and node.id not in seen:
                    seen.add(node.id)
                    values = (each for at, each in self._values.get(node.id, []) if at <= line)
                    pending += [each for each in values if each not in self._split]
        return seen

    def _identify(self, labels: ast.expr) -> tuple[set[str], set[str]]:
        """Return the variables and the columns that hold the labels. Columns are returned as source code."""
        names: set[str] = set()
        keys: set[str] = set()
        pending: list[ast.AST] = [labels]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Name):
                if node.id not in names:
                    names.add(node.id)
                    pending += self._assigned.get(node.id, [])
            else:
                columns, sources = self._sources_of(node)
                keys |= columns
                pending += sources
        added = {key for _, key, value in self._columns if isinstance(value, ast.Name) and value.id in names}
        return names, keys | added

    def _sources_of(self, node: ast.AST) -> tuple[set[str], list[ast.expr]]:
        """Return the columns that an expression takes labels from, and the expressions that it computes labels from."""
        match node:
            case ast.Subscript(value=value, slice=column):
                return (
                    (set(), [value]) if self._selects_rows(column) else (set(map(ast.unparse, _columns_of(column))), [])
                )
            case ast.Attribute(value=value, attr="values" | "T" | "astype" | "copy" | "to_numpy"):
                return set(), [value]
            case ast.Attribute(attr=attribute):
                return {repr(attribute)}, []
            case ast.Call(func=ast.Attribute(attr="pop"), args=[column, *_]):
                return {ast.unparse(column)}, []
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=arguments):
                is_data = not isinstance(value, ast.Name) or method in {"map", "replace", "ravel"} | _CONVERSIONS
                return set(), [value] if is_data else arguments
            case ast.Call(args=arguments):
                return set(), arguments
        return set(), [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]

    def _selects_rows(self, index: ast.expr) -> bool:
        """Return whether an index is a slice, or a variable that the scope sets to something other than a constant."""
        if isinstance(index, ast.Name):
            values = self._assigned.get(index.id, [])
            return bool(values) and not all(isinstance(each, ast.Constant) for each in values)
        return isinstance(index, ast.Slice)

    def _reads(self, node: ast.AST, names: set[str], keys: set[str]) -> bool:
        match node:
            case ast.Name(id=name):
                return name in names
            case ast.Subscript(slice=column):
                return any(ast.unparse(each) in keys for each in _columns_of(column))
            case ast.Attribute(attr=attribute):
                return repr(attribute) in keys
            case ast.Call(func=function, args=arguments):
                if last_name(function) in self._readers:
                    return True
                return last_name(function) == "groupby" and any(ast.unparse(each) in keys for each in arguments)
        return False


def _bound_in(expression: ast.expr) -> set[str]:
    """Return the variables of comprehensions and lambdas in an expression."""
    found: set[str] = set()
    for node in ast.walk(expression):
        if isinstance(node, ast.comprehension):
            found |= names_in(node.target)
        elif isinstance(node, ast.Lambda):
            found |= {each.arg for each in node.args.args}
    return found


def _part_of(value: ast.expr, place: int) -> ast.expr:
    """Return the argument of a call to train_test_split() that the result at index ``place`` comes from.

    For other expressions, return ``value`` itself.
    """
    if isinstance(value, ast.Call) and last_name(value.func) == "train_test_split" and value.args:
        return value.args[min(place // 2, len(value.args) - 1)]
    return value


def _columns_of(index: ast.expr) -> list[ast.expr]:
    """Return ``index`` and, if it is a list or tuple, the strings and variables in it."""
    elements = index.elts if isinstance(index, ast.List | ast.Tuple) else []
    texts = [each for each in elements if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return [index, *texts, *(each for each in elements if isinstance(each, ast.Name))]


def _value_nodes(expression: ast.expr) -> Iterator[ast.AST]:
    """Yield the nodes in ``expression`` that may read values. Row filters and conversions applied last are left out."""
    while isinstance(expression, ast.Call) and last_name(expression.func) in _CONVERSIONS | _SELECTING_ROWS:
        if not isinstance(expression.func, ast.Attribute):
            break
        expression = expression.func.value
        if isinstance(expression, ast.Call) and last_name(expression.func) == "groupby":
            return
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Compare | ast.BoolOp | ast.BinOp):
        expression = expression.value
    pending: list[ast.AST] = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Attribute):
            is_table = isinstance(node.value, ast.Name | ast.Subscript)
            if node.attr in NOT_VALUES or (node.attr in _LABELS_OF_TABLES and is_table):
                continue
        yield node
        pending += ast.iter_child_nodes(node)
