"""Find data leakage: calls that fit on rows, or duplicate them, before the split."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_used,
    has_row_slice,
    has_unknown_arguments,
    is_literal,
    keyword,
    root_name,
)
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, TEST_NAME, TRAIN_NAME
from epochal.analysis.findings.wrong_data import MEASURING
from epochal.analysis.syntax import last_name

# Classes that learn from rows how to transform the data. Encoders of labels and categories are left out on purpose.
_FITTED = re.compile(
    r"sklearn\.(?:preprocessing\.(?:StandardScaler|MinMaxScaler|RobustScaler|MaxAbsScaler|QuantileTransformer"
    r"|PowerTransformer|KBinsDiscretizer|TargetEncoder)|decomposition\.\w+|feature_selection\.(?!VarianceThreshold)\w+"
    r"|impute\.\w+|discriminant_analysis\.\w+)"
)
_OVERSAMPLERS = re.compile(r"imblearn\.(?:over_sampling|combine)\.\w+")
_DATA_ATTRIBUTES = frozenset({"values", "T", "iloc", "loc"})
_DATA_METHODS = frozenset(
    {"astype", "copy", "drop", "dropna", "fillna", "reset_index", "reshape", "sample", "to_numpy", "tolist", "toarray"}
)
_DATA_FUNCTIONS = frozenset(
    {"array", "asarray", "c_", "column_stack", "concat", "concatenate", "DataFrame", "expand_dims", "hstack", "vstack"}
    | {"append", "stack", "shuffle", "Series"}
)
"""Functions in NumPy, pandas and sklearn.utils whose results contain rows from their arguments."""
_JOINING_ROWS = frozenset({"append", "concat", "concatenate", "vstack"})
_JOINING_COLUMNS = frozenset({"c_", "column_stack", "hstack", "stack"})
_DRAW_SIZES = {"integers": 2, "randint": 2, "choice": 1}
"""NumPy functions that draw numbers with replacement, and the positions of their ``size`` argument."""
_PART_NAME = re.compile(r"train|test|val", re.IGNORECASE)
_SPLIT = "sklearn.model_selection.train_test_split"
_CROSS_VALIDATIONS = frozenset(f"sklearn.model_selection.{name}" for name in CROSS_VALIDATIONS)
_REPEATS = "repeats"


@dataclass(frozen=True)
class _Leak:
    """A call that processes all rows, and so leaks data if they are later split into training and test data.

    ``what``: the name of the function or class, or the expression that draws rows. ``copies``: a verb for what the call
    does to rows, such as "duplicates"; empty if it only learns from them. ``step``: the statement that contains the
    call.
    """

    what: str
    line: int
    copies: str
    step: Step


def find_fitted_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each call that fits on all rows or duplicates rows before they are split."""
    for source, scope in find_used(sources):
        yield from _Flow(source).follow(scope)


class _Flow:
    """The flow of data through a scope, from calls that process all rows to the split into training and test data."""

    def __init__(self, source: Source, returned: dict[str, _Leak | None] | None = None) -> None:
        self._source = source
        self._returned = {} if returned is None else returned
        self._leaks: dict[str, _Leak] = {}
        self._calls: dict[str, ast.Call] = {}
        self._sizes: dict[str, str] = {}
        self._classes = {
            name: source.callee(value)
            for step in source.scopes[0].steps
            for target, value in step.assigned
            if isinstance(value, ast.Call) and (name := root_name(target))
        }
        self._fitted: dict[str, ast.Call] = {}
        self._parts: set[str] = set()
        self._sliced: dict[int, set[str]] = {}

    def follow(self, scope: Scope) -> Iterator[Finding]:
        reported = set()
        for step in scope.steps:
            for call in step.calls:
                self._note_fit(call)
                leak = self._find_split_leak(call, step)
                if leak and leak.line not in reported:
                    reported.add(leak.line)
                    split = f"{last_name(call.func)}()" if self._splits(call) else "the split"
                    folds = split if self._source.callee(call) in _CROSS_VALIDATIONS else ""
                    yield self._report(leak, f"before {split} on line {call.lineno}", folds)
            # Examine all values before assigning any, because Python evaluates x, y = y, x in this order.
            changes = [
                (target, value, self._leak_of(value, step) if value else None) for target, value in step.assigned
            ]
            for target, value, leak in changes:
                name = root_name(target)
                part = "train" if TRAIN_NAME.search(name) else "test" if TEST_NAME.search(name) else ""
                if leak and self._completes_split(value, part, leak) and leak.line not in reported:
                    reported.add(leak.line)
                    yield self._report(leak, f"before the split on line {step.node.lineno}")
                self._assign(target, value, leak)

    def find_returned_copies(self, scope: Scope) -> _Leak | None:
        """Return the leak in a function that duplicates rows and returns them as its only or first value."""
        returns = [(step, step.node.value) for step in scope.steps if isinstance(step.node, ast.Return)]
        if len(returns) != 1:
            return None
        list(self.follow(scope))
        step, value = returns[0]
        first = value.elts[0] if isinstance(value, ast.Tuple | ast.List) and value.elts else value
        leak = self._leak_of(first, step) if first else None
        return leak if leak and leak.copies and not step.branch and step.follows(leak.step) else None

    def _note_fit(self, call: ast.Call) -> None:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "fit" and self._is_all_rows(call):
            name = root_name(call.func.value)
            if _FITTED.fullmatch(self._class_of(call.func.value)) and name:
                self._fitted[name] = call

    def _find_split_leak(self, call: ast.Call, step: Step) -> _Leak | None:
        if not self._splits(call):
            method = last_name(call.func)
            part = "train" if method == "fit" else "test" if method in MEASURING else ""
            rows = call.args[0] if call.args and part else None
            leak = self._leak_of(rows, step) if rows else None
            return leak if leak and step.follows(leak.step) and self._completes_split(rows, part, leak) else None
        data = call.args if self._source.callee(call) == _SPLIT else call.args[1:2]
        leaks = [leak for argument in data if (leak := self._leak_of(argument, step)) and step.follows(leak.step)]
        # Equal labels are no copies of rows, unless they are joined with themselves. Rows of the same group stay together.
        found = [self._leak_of(each, step) for each in data[:2]]
        copied = found[0] if found and found[0] and found[0].copies else None
        if not copied and len(found) > 1 and found[1] and found[1].copies == _REPEATS:
            copied = replace(found[1], copies="repeats the labels of")
        if copied and step.follows(copied.step) and not keyword(call, "groups"):
            return copied
        return next((leak for leak in leaks if not leak.copies), None)

    def _splits(self, call: ast.Call) -> bool:
        """Return whether a call splits the data passed to it."""
        return self._source.callee(call) in {_SPLIT, *_CROSS_VALIDATIONS}

    def _completes_split(self, rows: ast.expr | None, part: str, leak: _Leak) -> bool:
        """Return whether using a slice as ``part`` ("train" or "test") completes a split, as in ``x[:n]`` and ``x[n:]``."""
        if not isinstance(rows, ast.Subscript) or not has_row_slice(rows):
            return False
        parts = self._sliced.setdefault(leak.line, set())
        parts.add(part)
        return part == "test" and "train" in parts

    def _report(self, leak: _Leak, where: str, folds: str = "") -> Finding:
        """Return the finding about a leak. ``folds``: the cross-validation that splits the data, if any."""
        if leak.copies:
            remedy = f"Split first, then use {leak.what} on the training rows alone."
            if folds:
                remedy = (
                    f"Pass the original rows to {folds}, and use {leak.what} on the training rows of each fold alone."
                )
            return Finding(
                "copied_before_folds" if folds else "copied_before_split",
                self._source.path,
                leak.line,
                f"{leak.what} {leak.copies} rows {where}, so copies of training rows end up in the test data.",
                remedy,
            )
        remedy = "Split first, fit on the training rows, and only transform the test rows."
        if folds:
            remedy = (
                f"Pass the original data and make_pipeline({leak.what}, model) to {folds}, so that {leak.what} is fitted "
                "separately in each fold."
            )
        return Finding(
            "fitted_before_split",
            self._source.path,
            leak.line,
            f"{leak.what} is fitted on all rows {where}, so it has seen the test rows.",
            remedy,
        )

    def _assign(self, target: ast.expr, value: ast.expr | None, leak: _Leak | None) -> None:
        is_split = isinstance(value, ast.Call) and self._source.callee(value) == _SPLIT
        is_part = self._is_part(value)
        several = isinstance(target, ast.Tuple | ast.List)
        resampled = isinstance(value, ast.Call) and (
            last_name(value.func) in ("fit_resample", "resample", "shuffle") or self._function(value) is not None
        )
        for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            name = root_name(each)
            if isinstance(each, ast.Name):
                self._leaks.pop(name, None)
                self._fitted.pop(name, None)
                self._parts.discard(name)
                self._classes.pop(name, None)
                self._calls.pop(name, None)
                self._sizes.pop(name, None)
                if isinstance(value, ast.Call) and not several:
                    self._classes[name] = self._class_of(value)
                    self._calls[name] = value
                if value and (counted := self._counted(value)):
                    self._sizes[name] = counted
            elif name in self._leaks and self._leaks[name].copies:
                self._leaks.pop(name)  # the copies may differ now
            if is_split or is_part:
                self._parts.add(name)
            elif leak and leak.copies and (not isinstance(each, ast.Name) or self._is_part_name(name)):
                continue
            elif leak and name and (not several or resampled):
                self._leaks[name] = leak

    def _class_of(self, node: ast.expr) -> str:
        """Return the full name of an object's class, even if the object is created and fitted in one expression."""
        if isinstance(node, ast.Name):
            return self._classes.get(node.id, "")
        if isinstance(node, ast.Call):
            is_fit = isinstance(node.func, ast.Attribute) and node.func.attr == "fit"
            if is_fit and isinstance(node.func, ast.Attribute):
                return self._class_of(node.func.value)
            return self._source.callee(node)
        return ""

    def _is_all_rows(self, call: ast.Call) -> bool:
        """Return whether a call receives all rows: no argument is a part of them or has a name like ``x_train``."""
        data = (*call.args, *(each.value for each in call.keywords))
        return bool(call.args) and not any(
            self._is_part(each) or _selects_rows(each) or _PART_NAME.search(root_name(each)) for each in data
        )

    def _is_part(self, node: ast.expr | None) -> bool:
        """Return whether an expression comes from one part of a split."""
        match node:
            case ast.Name():
                return node.id in self._parts
            case ast.Attribute() | ast.Subscript():
                return self._is_part(node.value)
            case ast.BinOp():
                return self._is_part(node.left) or self._is_part(node.right)
            case ast.Call() if last_name(node.func) != "fit":  # a fitted object may transform all rows
                return any(self._is_part(each) for each in (*node.args, getattr(node.func, "value", None)))
        return False

    def _is_part_name(self, name: str) -> bool:
        return name in self._parts or bool(_PART_NAME.search(name))

    def _leak_of(self, node: ast.expr, step: Step) -> _Leak | None:
        match node:
            case ast.Name():
                return self._leaks.get(node.id)
            case ast.Subscript():
                return (
                    self._leak_of(node.value, step) or self._leak_of(node.slice, step) or self._leak_of_draw(node, step)
                )
            case ast.Attribute() if node.attr in _DATA_ATTRIBUTES:
                return self._leak_of(node.value, step)
            case ast.Tuple() | ast.List():
                return self._first_leak(node.elts, step)
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                leak = self._first_leak([node.left, node.right], step)
                return leak if leak and (not leak.copies or _uses_one_variable(node)) else None
            case ast.Lambda():
                leak = self._leak_of(node.body, step)
                return leak if leak and leak.copies else None
            case ast.ListComp() | ast.GeneratorExp():
                leak = self._leak_of(node.elt, step)
                is_part = any(self._is_part_name(root_name(each.iter)) for each in node.generators)
                return leak if leak and leak.copies and not is_part else None
            case ast.Call():
                return self._leak_of_call(node, step)
        return None

    def _leak_of_draw(self, node: ast.Subscript, step: Step) -> _Leak | None:
        """Return the leak caused by an index that may repeat a row, as in ``x[rng.integers(0, len(x), n)]``."""
        index = self._calls.get(node.slice.id) if isinstance(node.slice, ast.Name) else node.slice
        rows = root_name(node.value)
        if not isinstance(index, ast.Call) or self._drawn_from(index) != rows or self._is_part_name(rows):
            return None
        return _Leak(ast.unparse(node), node.lineno, "duplicates", step)

    def _drawn_from(self, call: ast.Call) -> str:
        """Return the variable whose row indices a call draws with replacement; empty if it does not draw any."""
        method = last_name(call.func)
        position = _DRAW_SIZES.get(method)
        size = keyword(call, "size", position)
        replaces = method != "choice" or is_literal(keyword(call, "replace", 2) or ast.Constant(True), True)
        if position is None or size is None or isinstance(size, ast.Tuple | ast.List) or not replaces:
            return ""
        return next(filter(None, map(self._counted, call.args[:position])), "")

    def _counted(self, node: ast.expr) -> str:
        """Return ``x`` for ``len(x)``, ``x.shape[0]``, ``x.index`` or a variable set to one of them; else empty."""
        match node:
            case ast.Name():
                return self._sizes.get(node.id, "")
            case (
                ast.Call(func=ast.Name(id="len"), args=[rows])
                | ast.Subscript(value=ast.Attribute(attr="shape", value=rows), slice=ast.Constant(value=0))
                | ast.Attribute(attr="index", value=rows)
            ):
                return root_name(rows)
        return ""

    def _first_leak(self, nodes: list[ast.expr], step: Step) -> _Leak | None:
        return next(filter(None, (self._leak_of(node, step) for node in nodes)), None)

    def _leak_of_call(self, call: ast.Call, step: Step) -> _Leak | None:
        if leak := self._leak_of_copies(call, step):
            return leak
        callee = self._source.callee(call)
        package, _, name = callee.rpartition(".")
        if package.partition(".")[0] in ("numpy", "pandas", "sklearn") and name in _DATA_FUNCTIONS:
            return self._leak_of_joined(call, step)
        if function := self._function(call):
            return self._leak_of_function(call, function, step)
        if not isinstance(call.func, ast.Attribute):
            return None
        method, owner = call.func.attr, call.func.value
        if method == "apply" and not self._is_part_name(root_name(owner)):
            return self._first_leak(call.args, step)
        name = self._class_of(owner)
        if method == "fit_transform" and _FITTED.fullmatch(name) and self._is_all_rows(call):
            return _Leak(f"{name.rpartition('.')[2]}()", call.lineno, "", step)
        if method == "fit_resample" and _OVERSAMPLERS.fullmatch(name) and self._is_all_rows(call):
            return _Leak(f"{name.rpartition('.')[2]}()", call.lineno, "duplicates or interpolates", step)
        fitted = self._fitted.get(root_name(owner)) if method == "transform" else None
        if fitted and call.args and root_name(call.args[0]) == root_name(fitted.args[0]):
            return _Leak(f"{name.rpartition('.')[2]}()", fitted.lineno, "", step)
        return self._leak_of(owner, step) if method in _DATA_METHODS else None

    def _leak_of_copies(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak caused by a function that returns some of the rows several times, if it receives all rows."""
        callee, method = self._source.callee(call), last_name(call.func)
        if callee == "sklearn.utils.resample":
            copies = not is_literal(keyword(call, "replace"), False) and not has_unknown_arguments(call)
        elif callee == "numpy.repeat":
            copies = is_literal(keyword(call, "axis", 2), 0)
        elif callee == "numpy.tile":
            counts = keyword(call, "reps", 1)
            several = isinstance(counts, ast.Tuple | ast.List) and counts.elts and not is_literal(counts.elts[0], 1)
            copies = bool(several)
        elif callee.partition(".")[0] in ("numpy", "pandas") and method in _JOINING_ROWS:
            return self._leak_of_repeated(call, step)
        elif (
            method == "sample" and isinstance(call.func, ast.Attribute) and not self._is_part_name(root_name(call.func))
        ):
            copies = is_literal(keyword(call, "replace"), True) and not keyword(call, "axis")
            return _Leak("sample(…, replace=True)", call.lineno, "duplicates", step) if copies else None
        else:
            return None
        return _Leak(f"{method}()", call.lineno, "duplicates", step) if copies and self._is_all_rows(call) else None

    def _leak_of_repeated(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak caused by joining rows with themselves, as in ``np.concatenate([x, x])``.

        Labels joined with themselves count, too: the rows must then be joined with (changed) copies of themselves.
        """
        joined = call.args[0] if call.args else None
        parts = joined.elts if isinstance(joined, ast.List | ast.Tuple) else call.args[:2]
        if isinstance(joined, ast.BinOp) and isinstance(joined.op, ast.Mult) and isinstance(joined.left, ast.List):
            parts = joined.left.elts * 2
        axis = keyword(call, "axis")
        if axis is not None and not is_literal(axis, 0):
            return None
        counts = Counter(each.id for each in parts if isinstance(each, ast.Name) and not self._is_part_name(each.id))
        repeated = any(count > 1 for count in counts.values())
        return _Leak(f"{last_name(call.func)}()", call.lineno, _REPEATS, step) if repeated else None

    def _leak_of_joined(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak in the arguments of a function that joins or converts them.

        If only some of the joined columns are duplicated, the joined rows are not duplicates, so there is no leak.
        """
        leak = self._first_leak(call.args, step)
        axis = keyword(call, "axis")
        joins_columns = last_name(call.func) in _JOINING_COLUMNS or (axis is not None and not is_literal(axis, 0))
        if not leak or not leak.copies or not joins_columns:
            return leak
        columns = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else []
        return leak if columns and all(self._leak_of(each, step) == leak for each in columns) else None

    def _function(self, call: ast.Call) -> Scope | None:
        """Return the function that is called, if it is defined in this file."""
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        return next((scope for scope in self._source.scopes if name and scope.name == name), None)

    def _leak_of_function(self, call: ast.Call, function: Scope, step: Step) -> _Leak | None:
        """Return the leak caused by a call to ``function``, if it receives all rows and returns duplicates of them."""
        if any(self._is_part_name(root_name(each)) for each in (*call.args, *(each.value for each in call.keywords))):
            return None
        if function.name not in self._returned:
            self._returned[function.name] = None  # for functions that call themselves
            self._returned[function.name] = _Flow(self._source, self._returned).find_returned_copies(function)
        leak = self._returned[function.name]
        return replace(leak, step=step) if leak else None


def _uses_one_variable(node: ast.expr) -> bool:
    """Return whether an expression such as ``x / x.max()`` uses only one variable, so that equal rows stay equal."""
    return len({each.id for each in ast.walk(node) if isinstance(each, ast.Name)}) == 1


def _selects_rows(node: ast.expr) -> bool:
    """Return whether an expression selects some rows of a variable, as in ``x[:800].copy()`` and ``x[train_rows]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Subscript) and (has_row_slice(node) or _PART_NAME.search(root_name(node.slice))):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False
