"""Determine which variables in a scope hold a data frame's column names or per-column values."""

import ast
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from epochal.analysis.findings.source import GROWING, Step, called, is_literal, keyword, names_in, root_name
from epochal.analysis.syntax import last_name

NAMES = "names"
"""The kind of a variable that holds column names (see ``Kinds``)."""
VALUES = "values"
"""The kind of a variable that holds per-column values, such as a series or dictionary with a score for each column."""
_NAMING = frozenset(
    {"Index", "array", "asarray", "filter", "fromkeys", "list", "max", "min", "next", "nlargest", "nsmallest"}
    | {"reversed", "set", "sorted", "tuple"}
)
"""Functions that return column names, given column names or per-column values."""
_VALUING = frozenset({"Counter", "DataFrame", "Series", "abs", "dict", "enumerate", "fabs", "zip"})
"""Functions that return per-column values, given column names or per-column values."""
_CORRELATIONS = frozenset({"corr", "corrwith"})
_REDUCTIONS = frozenset({"agg", "max", "mean", "median", "min", "nunique", "std", "sum", "var"})
"""Methods that compute a value for each column, unless ``axis`` is 1."""
_WINDOWS = frozenset({"ewm", "expanding", "resample", "rolling"})
_MAPPINGS = frozenset({"Counter", "OrderedDict", "Series", "defaultdict", "dict"})


@dataclass(frozen=True)
class Result:
    """What the result of a function is computed from.

    ``arguments``: the function's parameters, each with its default value. ``kind``: see ``Kinds``. ``elements``: the
    origins of each element of the result, if the function's only return statement returns a tuple.
    """

    arguments: Mapping[str, ast.expr | None] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    kind: str = ""
    elements: tuple[frozenset[str], ...] = ()


@dataclass
class Kinds:
    """Which variables hold a data frame's column names (``NAMES``) or per-column values (``VALUES``).

    ``imported``: the imported names. ``results``: the result of each function, keyed by the function's name.
    ``mappings``: the variables that hold dictionaries or series. ``texts``: the variables that hold lists of strings,
    which may be column names.
    """

    imported: Collection[str]
    results: Mapping[str, Result] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    mappings: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def of(self, node: ast.AST) -> str:
        """Return the kind of an expression, ``NAMES`` or ``VALUES``; empty if it is neither."""
        match node:
            case ast.Name(id=name):
                return self.variables.get(name, "")
            case ast.Attribute(attr="columns"):
                return NAMES
            case ast.Attribute(attr="index", value=value):
                return NAMES if self.of(value) else ""
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                return self.of(value)
            case ast.Call():
                return self._of_call(node)
            case ast.BinOp(left=first, right=second) | ast.IfExp(body=first, orelse=second):
                return self.of(first) or self.of(second)
        return self._of_collection(node)

    def _of_collection(self, node: ast.AST) -> str:
        match node:
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                with self.bound(node):
                    return self.of(node.elt)
            case ast.DictComp():
                with self.bound(node):
                    return VALUES if self.of(node.key) else ""
            case ast.List() | ast.Tuple() | ast.Set():
                kinds = {*map(self.of, node.elts)}
                return NAMES if NAMES in kinds else VALUES if VALUES in kinds else ""
            case ast.Dict():
                return VALUES if any(each and self.of(each) == NAMES for each in (*node.keys, *node.values)) else ""
        return ""

    def _of_call(self, call: ast.Call) -> str:
        name, function = last_name(call.func), call.func
        first = self.of(call.args[0]) if call.args else ""
        if name in self.results:
            return self.results[name].kind or first
        if isinstance(function, ast.Attribute) and not self.is_imported(function):
            kind = self.of(function.value)
            if name in _CORRELATIONS:
                return VALUES
            if kind or called(function.value) in _WINDOWS:
                return NAMES if kind and name in ("tolist", "keys") else kind
            is_applied = name == "apply" and any(isinstance(each, ast.Lambda | ast.Name) for each in call.args[:1])
            axis = keyword(call, "axis", 0 if name in _REDUCTIONS and name != "agg" else 1)
            return VALUES if (name in _REDUCTIONS or is_applied) and (axis is None or is_literal(axis, 0)) else ""
        given = [*call.args, *(each.value for each in call.keywords if each.arg in ("data", "index"))]
        if name == "DataFrame" and any(isinstance(each, ast.DictComp) for each in given):  # columns, not their names
            return ""
        result = NAMES if name in _NAMING else VALUES if name in _VALUING else first
        return result if any(map(self.of, given)) else ""

    def is_imported(self, function: ast.expr) -> bool:
        """Return whether a function comes from an import, as ``np.abs`` does, and is not a method of a value."""
        while isinstance(function, ast.Attribute):
            function = function.value
        return isinstance(function, ast.Name) and function.id in self.imported

    def iterates_over_columns(self, loop: ast.AST, target: ast.expr, iterated: ast.expr) -> bool:
        """Return whether a loop's variable is the name of a column, as in ``for c in df: print(df[c])``."""
        if self.of(iterated):
            return True
        indexed = {
            each.value.id
            for each in ast.walk(loop)
            if isinstance(each, ast.Subscript)
            and isinstance(each.value, ast.Name)
            and isinstance(each.slice, ast.Name)
            and isinstance(target, ast.Name)
            and each.slice.id == target.id
        }
        if _is_list_of_texts(iterated) or (isinstance(iterated, ast.Name) and iterated.id in self.texts):
            return bool(indexed - self.mappings)
        is_frame = isinstance(iterated, ast.Name) and iterated.id not in self.mappings
        if not is_frame and called(iterated) not in ("drop", "select_dtypes"):
            return False
        return root_name(iterated) in indexed

    @contextmanager
    def bound(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[None]:
        """Set the kinds of a comprehension's variables for the duration of a ``with`` block."""
        earlier = self.variables
        self.variables = dict(earlier)
        try:
            for each in node.generators:
                kind = NAMES if self.iterates_over_columns(node, each.target, each.iter) else ""
                self.variables |= dict.fromkeys(names_in(each.target), kind)
            yield
        finally:
            self.variables = earlier

    def assign(self, step: Step) -> None:
        """Record the kinds of the variables that a statement assigns or extends."""
        changes = [(target, value, self.of(value) if value else "") for target, value in step.assigned]
        for target, value, kind in changes:
            if isinstance(target, ast.Subscript):
                name = root_name(target)
                if name in self.mappings and self.of(target.slice) == NAMES:
                    self.variables[name] = VALUES
                continue
            names = names_in(target)
            self.variables |= dict.fromkeys(names, kind)
            is_mapping = isinstance(value, ast.Dict | ast.DictComp) or (value and called(value) in _MAPPINGS)
            self.mappings = self.mappings | names if is_mapping else self.mappings - names
            self.texts = self.texts | names if value and _is_list_of_texts(value) else self.texts - names
        if isinstance(step.node, ast.For):
            found = self.iterates_over_columns(step.node, step.node.target, step.node.iter)
            self.variables |= dict.fromkeys(names_in(step.node.target), NAMES if found else "")
        for call in step.calls:
            if last_name(call.func) in GROWING and isinstance(call.func, ast.Attribute):
                name = root_name(call.func.value)
                self.variables[name] = next(filter(None, map(self.of, call.args)), self.variables.get(name, ""))


def _is_list_of_texts(node: ast.expr) -> bool:
    """Return whether an expression is a list of strings, or splits a string into a list."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "split" and isinstance(node.func.value, ast.Constant)
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return bool(elements) and all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in elements)
