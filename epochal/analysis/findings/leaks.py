"""Find data leakage: calls that fit on rows, or duplicate them, before the split."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.metrics import find_measurement
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
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, PART_NAME, TEST_NAME, TRAIN_NAME
from epochal.analysis.findings.wrong_data import MEASURING
from epochal.analysis.syntax import last_name, literal, text_of

# Classes that learn from rows how to transform the data. Encoders of labels and categories are left out on purpose.
_FITTED = re.compile(
    r"sklearn\.(?:preprocessing\.(?:StandardScaler|MinMaxScaler|RobustScaler|MaxAbsScaler|QuantileTransformer"
    r"|PowerTransformer|KBinsDiscretizer)|decomposition\.\w+|impute\.\w+)"
)
# Classes that also learn from the labels, so that even random labels seem to depend on the transformed data.
_LEARNING = re.compile(
    r"sklearn\.(?:feature_selection\.(?!VarianceThreshold)[A-Z]\w+|discriminant_analysis\.\w+|cross_decomposition\.\w+"
    r"|preprocessing\.TargetEncoder|neighbors\.NeighborhoodComponentsAnalysis)"
    r"|category_encoders\.(?:\w+\.)?(?:TargetEncoder|LeaveOneOutEncoder|CatBoostEncoder|JamesSteinEncoder|MEstimateEncoder"
    r"|WOEEncoder)|mlxtend\.feature_selection\.(?:Sequential|Exhaustive)FeatureSelector|boruta\.BorutaPy"
)
_PIPELINES = re.compile(
    r"sklearn\.(?:pipeline\.(?:Pipeline|make_pipeline|FeatureUnion|make_union)"
    r"|compose\.(?:ColumnTransformer|make_column_transformer))"
)
_CHOOSING = frozenset({"get_support", "get_feature_names_out", "support_", "ranking_"})
"""Methods and attributes of a fitted selector that return the columns that it selects."""
_OVERSAMPLERS = re.compile(r"imblearn\.(?:over_sampling|combine)\.\w+")
_DATA_ATTRIBUTES = frozenset({"values", "T", "iloc", "loc"})
_DATA_METHODS = frozenset(
    {"astype", "copy", "drop", "dropna", "fillna", "reset_index", "reshape", "sample", "to_numpy", "tolist", "toarray"}
)
_DATA_FUNCTIONS = frozenset(
    {"array", "asarray", "c_", "column_stack", "concat", "concatenate", "DataFrame", "expand_dims", "hstack", "vstack"}
    | {"append", "stack", "shuffle", "Series", "ascontiguousarray", "float32", "nan_to_num", "clip", "abs", "log1p"}
    | {"tensor", "as_tensor", "from_numpy", "FloatTensor", "constant", "convert_to_tensor", "cast", "csr_matrix"}
)
"""Functions whose results contain rows from their arguments, which may be converted."""
_DATA_PACKAGES = frozenset({"numpy", "pandas", "scipy", "sklearn", "tensorflow", "torch"})
_SELECTING_METHODS = frozenset({"dropna", "sample"})
_KEEPING_METHODS = frozenset({"copy", "reset_index", "to_numpy", "sample", "query", "head", "tail"})
_JOINING_ROWS = frozenset({"append", "concat", "concatenate", "vstack"})
_GROUPING = frozenset({"groupby", "resample", "rolling", "expanding"})
"""The methods of pandas that return groups of rows."""
_JOINING_COLUMNS = frozenset({"c_", "column_stack", "hstack", "stack"})
_AXES = {"append": 2, "concat": 1, "concatenate": 1}
"""The positions of the ``axis`` argument of functions that join data."""
_DRAW_SIZES = {"integers": 2, "randint": 2, "choice": 1}
"""NumPy functions that draw numbers with replacement, and the positions of their ``size`` argument."""
_PART_KEY = re.compile(r"train|test|(?:^|_)(?:val|valid|validation|dev|holdout)(?:$|_)", re.IGNORECASE)
_COLLECTING = frozenset({"append", "extend", "insert", "update", "add"})
"""The methods that put values into a list, dictionary or set."""
_STATISTICS = frozenset(
    {"fit", "len", "max", "min", "mean", "median", "nunique", "quantile", "std", "sum", "unique", "var", "Counter"}
)
"""The functions and methods whose results hold no rows of their arguments."""
_FITTED_METHODS = frozenset(
    {"transform", "fit_transform", "fit_resample", "predict", "predict_proba", "predict_log_proba", "decision_function"}
)
"""The methods of fitted objects whose results depend on their arguments row by row."""
_SPLIT = "sklearn.model_selection.train_test_split"
_CROSS_VALIDATIONS = frozenset(f"sklearn.model_selection.{name}" for name in CROSS_VALIDATIONS)
_SEARCHES = re.compile(r"sklearn\.model_selection\.\w+SearchCV")
_REPEATS = "repeats"


@dataclass(frozen=True)
class _Leak:
    """A call that processes all rows, and so leaks data if they are later split into training and test data.

    ``what``: the name of the function or class, or the expression that draws rows. ``copies``: a verb for what the call
    does to rows, such as "duplicates"; empty if it only learns from them. ``step``: the statement that contains the
    call. ``path``: the file that contains it, if it is not the one that is searched. ``learns``: whether the call learns
    from labels. ``columns``: the only columns that depend on the call; empty if all may do so. ``is_inner``: whether each
    element of a list contains such rows, so that the list contains copies only once its elements are joined.
    """

    what: str
    line: int
    copies: str
    step: Step
    path: str = ""
    learns: bool = False
    columns: frozenset[str] = frozenset()
    is_inner: bool = False


@dataclass(frozen=True)
class _Fit:
    """A fitted transformer, or the columns that it selects. ``rows``: the data that it was fitted on."""

    leak: _Leak
    rows: str


_Functions = dict[tuple[str, str], tuple[Source, Scope]]
"""The functions of the code, by the name of the module and their own name."""


def find_fitted_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each call that fits on all rows or duplicates rows before they are split."""
    functions = {(Path(source.path).stem, scope.name): (source, scope) for source in sources for scope in source.scopes}
    returned: dict[tuple[str, str], _Leak | None] = {}
    measurement = find_measurement(sources)
    for source, scope in find_used(sources):
        yield from _Flow(source, functions, returned, measurement).follow(scope)


class _Flow:
    """The flow of data through a scope, from calls that process all rows to the split into training and test data."""

    def __init__(
        self,
        source: Source,
        functions: _Functions,
        returned: dict[tuple[str, str], _Leak | None],
        measurement: tuple[str, str, int] | None = None,
    ) -> None:
        """Start with no leaks.

        ``returned``: the leaks in the results of the functions examined so far. ``measurement``: the call or line that
        gives the script's accuracy (see ``find_measurement``).
        """
        self._source = source
        self._functions = functions
        self._returned = returned
        self._leaks: dict[str, _Leak] = {}
        self._calls: dict[str, ast.Call] = {}
        self._sizes: dict[str, str] = {}
        self._classes = {
            name: source.callee(value)
            for step in source.scopes[0].steps
            for target, value in step.assigned
            if isinstance(value, ast.Call) and (name := root_name(target))
        }
        self._fitted: dict[str, _Fit] = {}
        self._choices: dict[str, _Fit] = {}
        self._origins: dict[str, str] = {}
        self._parts: set[str] = set()
        self._test_indices: set[str] = set()
        self._grouped_indices: set[str] = set()
        """The test indices of folds that keep the rows of each group together, so that no copies are torn apart."""
        self._changed: set[str] = set()
        self._tested_elsewhere: set[int] = set()
        self._sound_splits: dict[bool, int] = {}
        self._sliced: dict[int, set[tuple[str, str]]] = {}
        self._sources: dict[str, frozenset[str]] = {}
        """The rows that each variable depends on: its own, and those of the variables that it was computed from."""
        self._leaked: dict[tuple[str, int], set[str]] = {}
        """The rows that each leaking call processes or returns, by its file and line."""
        self._fitted_rows: dict[tuple[str, int], set[str]] = {}
        """The rows that each call to fit() is passed, by its file and line."""
        self._measurement = measurement
        self._measured: frozenset[str] = frozenset()

    def follow(self, scope: Scope) -> Iterator[Finding]:
        found: dict[tuple[str, int], tuple[_Leak, str, str]] = {}
        last: dict[tuple[str, int], int] = {}
        for step in scope.steps:
            self._note_folds(step)  # for a comprehension, whose variables are used in the same step
            self._note_measured(step)
            for leak, where, folds in self._find_in_step(step):
                if leak.is_inner:
                    continue
                found.setdefault((leak.path, leak.line), (leak, where, folds))
                last[leak.path, leak.line] = step.node.lineno
            self._note_folds(step)
        for place, (leak, where, folds) in found.items():
            if self._is_tested_elsewhere(place) or (folds and self._is_of_parameters(place, scope)):
                continue
            # If the test data were read from elsewhere, all rows are training rows. A later split is that of the result.
            learns = leak.line not in self._tested_elsewhere and last[place] >= self._sound_splits.get(bool(folds), 0)
            yield self._report(replace(leak, learns=leak.learns and learns), where, folds)

    def _find_in_step(self, step: Step) -> Iterator[tuple[_Leak, str, str]]:
        """Yield each leak that a statement completes, the place of the split, and the cross-validation, if any."""
        place = f"line {step.node.lineno}"
        for node in step.nodes:
            if isinstance(node, ast.Call):
                yield from self._find_in_call(node, step)
            if isinstance(node, ast.Call | ast.Subscript) and (leak := self._find_late(node, step)):
                yield leak, f"and then transforms a part of them on {place}", ""
            if isinstance(node, ast.Subscript) and _row_index(node) in self._test_indices:
                leak = self._leak_of(node.value, step)
                is_grouped = leak and leak.copies and _row_index(node) in self._grouped_indices
                if leak and step.follows(leak.step) and not is_grouped:
                    yield leak, f"before the split used on {place}", ""
        # Examine all values before assigning any, because Python evaluates x, y = y, x in this order.
        changes = [
            (target, value, *((self._leak_of(value, step), self._choice_of(value, step)) if value else (None, None)))
            for target, value in step.assigned
        ]
        sources = [self._sources_in(value) if value else self._sources_of_loop(step) for _, value, _, _ in changes]
        for (target, value, leak, choice), depends in zip(changes, sources, strict=True):
            name = root_name(target)
            part = "train" if TRAIN_NAME.search(name) else "test" if TEST_NAME.search(name) else ""
            if leak and self._completes_split(value, part, leak):
                yield leak, f"before the split on {place}", ""
            self._assign(target, value, leak, step)
            rows = self._note_sources(target, depends)
            if leak and value and leak.step is step:
                direct = {self._origins.get(each, each) for each in _read_names(value)}
                self._leaked.setdefault((leak.path, leak.line), set()).update(direct, rows)
            if choice and not leak and isinstance(target, ast.Name) and not _is_result(value):
                self._choices[name] = choice

    def _sources_in(self, node: ast.AST) -> frozenset[str]:
        """Return the rows that an expression depends on, so far as they are held in variables."""
        return frozenset().union(*(self._sources.get(name, frozenset({name})) for name in _read_names(node)))

    def _sources_of_loop(self, step: Step) -> frozenset[str]:
        """Return the rows that the variables of a statement's loops and comprehensions take their values from."""
        loops = (each.iter for each in step.nodes if isinstance(each, ast.For | ast.AsyncFor | ast.comprehension))
        return frozenset().union(*map(self._sources_in, loops))

    def _note_sources(self, target: ast.expr, depends: frozenset[str]) -> frozenset[str]:
        """Record what the variables in an assignment's target depend on, and return the rows that they hold themselves."""
        names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        for name in names:
            self._sources[name] = depends | {self._origins.get(name, name)}
        if not names:  # some of the values of a variable are set
            name = root_name(target)
            self._sources[name] = self._sources.get(name, frozenset({name})) | depends
        return frozenset(self._origins.get(name, name) for name in names)

    def _note_measured(self, step: Step) -> None:
        """Record which rows give the script's accuracy, if this statement measures it; and which rows a list collects."""
        for call in step.calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in _COLLECTING:
                name = root_name(call.func)
                added = frozenset().union(*map(self._sources_in, call.args))
                self._sources[name] = self._sources.get(name, frozenset({name})) | added
        what, path, line = self._measurement or ("", "", 0)
        for call in step.calls if path == self._source.path else ():
            name = self._source.callee(call).rpartition(".")[2] or last_name(call.func)
            if call.lineno == line and f"{name}()" == what:
                inputs = (*call.args, *(each.value for each in call.keywords))
                self._measured = frozenset().union(*map(self._sources_in, inputs))

    def _is_tested_elsewhere(self, place: tuple[str, int]) -> bool:
        """Return whether the accuracy is measured on rows that a leaking call neither processed nor returned."""
        leaked = self._leaked.get(place, set())
        return bool(self._measured and leaked) and not any(
            _is_within(each, rows) for each in self._measured for rows in leaked
        )

    def _is_of_parameters(self, place: tuple[str, int], scope: Scope) -> bool:
        """Return whether a leak concerns the parameters of a function, and the accuracy is measured outside of it.

        Such a function may choose a setting with the training rows alone.
        """
        if isinstance(scope.node, ast.Module):
            return False
        arguments = scope.node.args
        names = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        inside = set(map(id, ast.walk(scope.node)))
        is_measured_outside = any(
            last_name(call.func) in ("evaluate", "score", "accuracy_score") and id(call) not in inside
            for call in self._source.calls
        )
        return is_measured_outside and names >= self._fitted_rows.get(place, {""})

    def _find_in_call(self, call: ast.Call, step: Step) -> Iterator[tuple[_Leak, str, str]]:
        self._note_fit(call, step)
        if leak := self._find_split_leak(call, step):
            split = f"{last_name(call.func)}()" if self._splits(call) else "the split"
            folds = self._folds_of(call)
            yield leak, f"before {folds or split} on line {call.lineno}", folds
        elif self._splits(call) and self._is_all_rows(call):
            self._sound_splits[bool(self._folds_of(call))] = call.lineno

    def find_returned(self, scope: Scope) -> _Leak | None:
        """Return the leak in a function that returns copies of rows, or data that depend on labels, as its first value."""
        returns = [(step, step.node.value) for step in scope.steps if isinstance(step.node, ast.Return)]
        if len(returns) != 1:
            return None
        list(self.follow(scope))
        step, value = returns[0]
        first = value.elts[0] if isinstance(value, ast.Tuple | ast.List) and value.elts else value
        leak = self._leak_of(first, step) if first else None
        is_kept = leak and (leak.copies or leak.learns) and not step.branch and step.follows(leak.step)
        return replace(leak, path=leak.path or self._source.path) if leak and is_kept else None

    def _note_fit(self, call: ast.Call, step: Step) -> None:
        """Record what a call to fit() or fit_transform() fits on all rows, and forget what it fits on a part of them."""
        if last_name(call.func) in ("fit", "fit_transform") and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Name):
                self._fitted.pop(owner.id, None)
                if fit := self._fit_of(call, step):
                    self._fitted[owner.id] = fit

    def _fit_of(self, node: ast.expr, step: Step) -> _Fit | None:
        """Return how an expression was fitted, such as a variable or ``SelectKBest().fit(x, y)``, if on all rows."""
        if isinstance(node, ast.Name):
            return self._fitted.get(node.id)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        if node.func.attr not in ("fit", "fit_transform") or not self._is_all_rows(node):
            return None
        learner = self._learner(node.func.value)
        name = learner or self._class_of(node.func.value)
        learns = bool(learner) and (len(node.args) > 1 or any(each.arg in ("y", "Y") for each in node.keywords))
        if not learner and not _FITTED.fullmatch(name):
            return None
        leak = _Leak(f"{name.rpartition('.')[2]}()", node.lineno, "", step, learns=learns)
        rows = [self._rows_of(each) for each in node.args]
        self._leaked.setdefault((leak.path, leak.line), set()).update(filter(None, rows))
        self._fitted_rows[leak.path, leak.line] = set(rows)
        return _Fit(leak, rows[0])

    def _learner(self, node: ast.expr) -> str:
        """Return the class that learns from labels of which ``node`` is an instance or which is a step of its pipeline."""
        name = self._class_of(node)
        if _LEARNING.fullmatch(name):
            return name
        created = self._calls.get(node.id) if isinstance(node, ast.Name) else node
        if not isinstance(created, ast.Call) or not _PIPELINES.fullmatch(self._source.callee(created)):
            return ""
        inner = (each for each in ast.walk(created) if isinstance(each, ast.Call | ast.Name) and each is not created)
        return next((each for each in map(self._class_of, inner) if _LEARNING.fullmatch(each)), "")

    def _note_folds(self, step: Step) -> None:
        """Record the variables that hold the indices of the rows of a fold, as in ``for a, b in folds.split(x, y)``."""
        for node in step.nodes:
            match node:
                case ast.For() | ast.comprehension():
                    target, value = node.target, node.iter
                case ast.Assign(targets=[ast.Tuple() as target]):
                    value = node.value
                case _:
                    continue
            names = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
            if len(names) > 1 and self._yields_folds(value):
                self._parts |= set(names[-2:])
                self._test_indices.add(names[-1])
                self._grouped_indices.discard(names[-1])
                if self._keeps_groups(value):
                    self._grouped_indices.add(names[-1])

    def _keeps_groups(self, node: ast.expr) -> bool:
        """Return whether folds are split by groups of rows, as in ``folds.split(x, y, groups)``."""
        if isinstance(node, ast.Name) and node.id in self._calls:
            return self._keeps_groups(self._calls[node.id])
        calls = (each for each in ast.walk(node) if isinstance(each, ast.Call) and last_name(each.func) == "split")
        return any(keyword(each, "groups", 2) for each in calls)

    def _yields_folds(self, node: ast.expr) -> bool:
        """Return whether an expression yields the indices of the rows of folds."""
        if isinstance(node, ast.Name) and node.id in self._calls:
            return self._yields_folds(self._calls[node.id])
        return any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr == "split"
            and self._class_of(each.func.value).startswith("sklearn.model_selection.")
            for each in ast.walk(node)
        )

    def _find_late(self, node: ast.Call | ast.Subscript, step: Step) -> _Leak | None:
        """Return the leak of a transformer that is fitted on all rows and transforms a part of them, split off before."""
        if isinstance(node, ast.Subscript):
            fit, rows = self._choice_of(_column_index(node), step), node.value
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "transform" and node.args:
            fit, rows = self._fit_of(node.func.value, step), node.args[0]
        else:
            return None
        if not fit or not fit.rows:
            return None
        name, origin = root_name(rows), self._rows_of(rows)
        if PART_NAME.search(f"{name} {origin}") and not self._is_part(rows) and not _is_within(origin, fit.rows):
            self._tested_elsewhere.add(fit.leak.line)
        is_split_off = origin.startswith(f"{fit.rows}[") and (self._is_part(rows) or TEST_NAME.search(name))
        return fit.leak if is_split_off and step.follows(fit.leak.step) else None

    def _choice_of(self, node: ast.AST | None, step: Step) -> _Fit | None:
        """Return the fitted selector that the chosen columns in an expression come from."""
        for each in ast.walk(node) if node else ():
            if isinstance(each, ast.Name) and each.id in self._choices:
                return self._choices[each.id]
            if isinstance(each, ast.Attribute) and each.attr in _CHOOSING:
                fit = self._fit_of(each.value, step)
                if fit and fit.leak.learns:
                    return fit
        return None

    def _rows_of(self, node: ast.expr) -> str:
        """Return a name for the rows in an expression; equal for data with the same rows, and empty if not known."""
        match node:
            case ast.Name():
                return self._origins.get(node.id, node.id)
            case ast.Attribute():
                rows = self._rows_of(node.value)
                return rows if node.attr in _DATA_ATTRIBUTES or not rows else f"{rows}.{node.attr}"
            case ast.Subscript():
                rows = self._rows_of(node.value)
                return f"{rows}[{ast.unparse(node.slice)}]" if rows and self._may_select_rows(node) else rows
            case ast.BinOp():
                return self._rows_of(node.left)
            case ast.Call(func=ast.Attribute(attr="fit_transform" | "transform" | "fit_resample"), args=[rows, *_]):
                return self._rows_of(rows)
            case ast.Call(args=[rows, *_]) if last_name(node.func) in _DATA_FUNCTIONS and self._source.callee(node):
                return self._rows_of(rows)
            case ast.Call(func=ast.Attribute(attr="sample" | "query" | "head" | "tail", value=owner)):
                rows = self._rows_of(owner)
                return f"{rows}[{ast.unparse(node)}]" if rows else ""
            case ast.Call(func=ast.Attribute(attr=method, value=owner)) if method in _DATA_METHODS - _SELECTING_METHODS:
                is_of_rows = method == "drop" and not keyword(node, "columns") and not keyword(node, "axis", 1)
                return "" if is_of_rows else self._rows_of(owner)
        return ""

    def _may_select_rows(self, node: ast.Subscript) -> bool:
        """Return whether a subscript may select some of the rows, unlike ``x[:, 1]``, ``df["a"]`` or ``df[["a", "b"]]``."""
        match node.slice:
            case ast.Tuple(elts=[first, *_]):
                index = first
            case ast.Name(id=name) if name in self._choices:
                return False
            case ast.Name(id=name):
                index = self._source.constants.get(name, node.slice)
            case _:
                index = node.slice
        if isinstance(index, ast.Slice):
            return index.lower is not None or index.upper is not None
        if _column_names(index) or isinstance(index, ast.Constant):
            return False
        return not any(
            isinstance(each, ast.Attribute) and each.attr in {"columns", *_CHOOSING} for each in ast.walk(index)
        )

    def _find_split_leak(self, call: ast.Call, step: Step) -> _Leak | None:
        if not self._splits(call):
            method = last_name(call.func)
            part = "train" if method == "fit" else "test" if method in MEASURING else ""
            rows = call.args[0] if call.args and part else None
            leak = self._leak_of(rows, step) if rows else None
            return leak if leak and step.follows(leak.step) and self._completes_split(rows, part, leak) else None
        is_fit = last_name(call.func) == "fit"
        data = call.args[:2] if is_fit else call.args if self._source.callee(call) == _SPLIT else call.args[1:2]
        leaks = [leak for argument in data if (leak := self._leak_of(argument, step)) and step.follows(leak.step)]
        if learned := next((leak for leak in leaks if leak.learns), None):
            return learned
        # Equal labels are no copies of rows, unless they are joined with themselves. Rows of the same group stay together.
        found = [self._leak_of(each, step) for each in data[:2]]
        copied = found[0] if found and found[0] and found[0].copies else None
        if not copied and len(found) > 1 and found[1] and found[1].copies == _REPEATS:
            copied = replace(found[1], copies="repeats the labels of")
        if (
            copied
            and step.follows(copied.step)
            and not keyword(call, "groups")
            and not keyword(call, "validation_split")
        ):
            return copied
        return next((leak for leak in leaks if not leak.copies and not is_fit), None)

    def _splits(self, call: ast.Call) -> bool:
        """Return whether a call splits the data passed to it."""
        return self._source.callee(call) == _SPLIT or bool(self._folds_of(call))

    def _folds_of(self, call: ast.Call) -> str:
        """Return what splits the data passed to a call into training and validation data, such as GridSearchCV()."""
        if self._source.callee(call) in _CROSS_VALIDATIONS:
            return f"{last_name(call.func)}()"
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "fit":
            return ""
        name = self._class_of(call.func.value)
        if _SEARCHES.fullmatch(name):
            scores = (each for each in self._source.nodes if isinstance(each, ast.Attribute))
            return f"{name.rpartition('.')[2]}()" if any(each.attr == "best_score_" for each in scores) else ""
        return "fit()" if keyword(call, "validation_split") else ""

    def _completes_split(self, rows: ast.expr | None, part: str, leak: _Leak) -> bool:
        """Return whether using some rows as ``part`` ("train" or "test") completes a split.

        This is so for ``x[:n]`` and ``x[n:]``, and for ``x[mask]`` and ``x[~mask]``.
        """
        if not isinstance(rows, ast.Subscript):
            return False
        is_slice = has_row_slice(rows) or _row_index(rows) in self._parts
        index = "" if is_slice else _row_index(rows)
        if not is_slice and not index:
            return False
        parts = self._sliced.setdefault(leak.line, set())
        parts.add((part, index))
        others = index[1:] if index.startswith("~") else f"~{index}" if index else ""
        return part == "test" and ("train", others) in parts

    def _report(self, leak: _Leak, where: str, folds: str = "") -> Finding:
        """Return the finding about a leak. ``folds``: what splits the data into training and validation data, if it is not
        a split into training and test data.
        """
        if leak.path and leak.path != self._source.path:
            where += f" of {self._source.path}"
        has_pipeline = folds and folds != "fit()"
        if leak.copies:
            remedy = f"Split first, then use {leak.what} on the training rows alone."
            if folds:
                remedy = (
                    f"Pass the original rows to {folds}, and use {leak.what} on the training rows of each fold alone."
                )
            kind = "copied_before"
            message = f"{leak.what} {leak.copies} rows {where}, so copies of training rows end up in the test data."
        else:
            remedy = "Split first, fit on the training rows, and only transform the test rows."
            if has_pipeline:
                remedy = (
                    f"Pass the original data and make_pipeline({leak.what}, model) to {folds}, so that {leak.what} is fitted "
                    "separately in each fold."
                )
            kind = "learned_before" if leak.learns else "fitted_before"
            seen = "learned from the test labels" if leak.learns else "seen the test rows"
            message = f"{leak.what} is fitted on all rows {where}, so it has {seen}."
        # accuracy_score() may compare what cross_val_predict() returns, so that no cross-validation is recorded.
        is_compared = folds == "cross_val_predict()"
        split = "folds" if folds and kind != "fitted_before" and not is_compared else "split"
        split = "predictions" if is_compared and leak.copies else split
        return Finding(f"{kind}_{split}", leak.path or self._source.path, leak.line, message, remedy)

    def _assign(self, target: ast.expr, value: ast.expr | None, leak: _Leak | None, step: Step) -> None:
        is_split = isinstance(value, ast.Call) and self._source.callee(value) == _SPLIT
        is_part = self._is_part(value)
        several = isinstance(target, ast.Tuple | ast.List)
        resampled = isinstance(value, ast.Call) and (
            last_name(value.func) in ("fit_resample", "resample", "shuffle") or self._function(value) is not None
        )
        targets = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        origins = [self._origin(value, position, len(targets)) for position in range(len(targets))]
        for position, (each, origin) in enumerate(zip(targets, origins, strict=True)):
            name = root_name(each)
            if isinstance(each, ast.Name):
                is_kept = self._keeps_values(value)
                self._forget(name)
                if not is_kept:
                    self._changed.add(name)
                self._origins[name] = origin or f"{name}@{step.node.lineno}"
                self._note_value(name, None if several else value, step)
            else:
                self._change(name)
            if is_split or is_part:
                self._parts.add(name)
                if is_split and position % 2:
                    self._test_indices.add(name)
            elif leak and leak.copies and (not isinstance(each, ast.Name) or self._is_part_name(name)):
                continue
            elif leak and name and (not several or (resampled and not (leak.learns and position))):
                self._leaks[name] = self._of_columns(leak, each)

    def _change(self, name: str) -> None:
        """Record that some values of a variable are set, so that copies of rows in it may differ now."""
        self._changed.add(name)
        if name in self._leaks and self._leaks[name].copies:
            self._leaks.pop(name)

    def _of_columns(self, leak: _Leak, target: ast.expr) -> _Leak:
        """Return the leak in a variable of which ``target`` sets some columns, perhaps in addition to earlier ones."""
        if not leak.learns or not isinstance(target, ast.Subscript):
            return leak
        earlier = self._leaks.get(root_name(target))
        names = _column_names(_column_index(target))
        is_known = names and (not earlier or earlier.columns)
        return replace(leak, columns=names | (earlier.columns if earlier else frozenset()) if is_known else frozenset())

    def _note_value(self, name: str, value: ast.expr | None, step: Step) -> None:
        """Record the object or size that a variable is set to."""
        if isinstance(value, ast.Call):
            fit = self._fit_of(value, step) if last_name(value.func) == "fit" else None
            self._classes[name] = self._class_of(value)
            self._calls[name] = value
            if fit:
                self._fitted[name] = fit
        if value and (counted := self._counted(value)):
            self._sizes[name] = counted

    def _forget(self, name: str) -> None:
        """Forget what is known about a variable that is assigned anew."""
        known: tuple[dict[str, Any], ...] = (
            self._leaks,
            self._fitted,
            self._choices,
            self._classes,
            self._calls,
            self._sizes,
        )
        for each in known:
            each.pop(name, None)
        self._parts.discard(name)
        self._changed.discard(name)
        self._test_indices.discard(name)

    def _origin(self, value: ast.expr | None, position: int, count: int) -> str:
        """Return a name for the rows in one of ``count`` variables that are assigned together; empty if not known."""
        if value is None or count == 1:
            return self._rows_of(value) if value else ""
        if not isinstance(value, ast.Call):
            return ""
        is_split = self._source.callee(value) == _SPLIT
        argument = position // 2 if is_split else position
        if argument >= len(value.args) or not (is_split or last_name(value.func) in ("fit_resample", "shuffle")):
            return ""
        rows = self._rows_of(value.args[argument])
        return f"{rows}[{position % 2}]" if rows and is_split else rows

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
            self._is_part(each) or _selects_rows(each) or _is_named_part(each) for each in data
        )

    def _is_part(self, node: ast.expr | None) -> bool:
        """Return whether an expression comes from one part of a split."""
        match node:
            case ast.Name():
                return node.id in self._parts
            case ast.Attribute():
                return self._is_part(node.value)
            case ast.Subscript():
                return self._is_part(node.value) or _row_index(node).lstrip("~") in self._parts
            case ast.BinOp():
                return self._is_part(node.left) or self._is_part(node.right)
            case ast.Call() if last_name(node.func) != "fit":  # a fitted object may transform all rows
                return any(self._is_part(each) for each in (*node.args, getattr(node.func, "value", None)))
        return False

    def _is_part_name(self, name: str) -> bool:
        return name in self._parts or bool(PART_NAME.search(name))

    def _leak_of(self, node: ast.expr, step: Step) -> _Leak | None:
        match node:
            case ast.Name():
                return self._leaks.get(node.id)
            case ast.Subscript():
                return self._leak_of_subscript(node, step)
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
                if not leak or not leak.copies or is_part:
                    return None
                return replace(leak, is_inner=leak.is_inner or leak.step is step)
            case ast.Call():
                return self._leak_of_call(node, step)
        return None

    def _leak_of_subscript(self, node: ast.Subscript, step: Step) -> _Leak | None:
        choice = self._choice_of(_column_index(node), step)
        if choice and _is_within(self._rows_of(node.value), choice.rows):
            return choice.leak
        leak = self._leak_of(node.value, step)
        if leak and leak.copies and _adds_axis(node):
            return None
        index = _column_index(node)
        names = _column_names(self._source.constants.get(root_name(index), index))
        if leak and leak.columns and names and not names & leak.columns:
            return None
        return leak or self._leak_of(node.slice, step) or self._leak_of_draw(node, step)

    def _leak_of_draw(self, node: ast.Subscript, step: Step) -> _Leak | None:
        """Return the leak caused by an index that may repeat a row, as in ``x[rng.integers(0, len(x), n)]``."""
        rows_index = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
        index = self._calls.get(rows_index.id) if isinstance(rows_index, ast.Name) else rows_index
        rows = root_name(node.value)
        if not isinstance(index, ast.Call) or self._drawn_from(index) != rows or self._is_part_name(rows):
            return None
        return _Leak(ast.unparse(node), node.lineno, "duplicates", step)

    def _repeated_from(self, call: ast.Call) -> str:
        """Return the variable whose row indices a call repeats, as in ``df.index.repeat(3)``; empty if it does not.

        If a column says how often, the data count equal rows, and repeating them yields the original ones.
        """
        is_function = self._source.callee(call) == "numpy.repeat"
        if last_name(call.func) != "repeat" or not isinstance(call.func, ast.Attribute):
            return ""
        rows = (call.args[0] if call.args else None) if is_function else call.func.value
        if rows is None or self._repeats_as_counted(call):
            return ""
        while isinstance(rows, ast.Call) and rows.args and last_name(rows.func) in ("arange", "array", "range"):
            rows = rows.args[0]
        is_converted = isinstance(rows, ast.Attribute) and rows.attr == "values"
        return self._counted(rows.value if is_converted and isinstance(rows, ast.Attribute) else rows)

    def _repeats_as_counted(self, call: ast.Call) -> bool:
        """Return whether a call to ``repeat`` takes the number of repeats from a column, or repeats each row once."""
        counts = keyword(call, "repeats", int(self._source.callee(call) == "numpy.repeat"))
        counts = self._source.constants.get(root_name(counts), counts) if isinstance(counts, ast.Name) else counts
        is_column = isinstance(counts, ast.Attribute | ast.Subscript) or (
            isinstance(counts, ast.Call) and last_name(counts.func) in {"pop", "get", *_DATA_METHODS}
        )
        return is_column or is_literal(counts, 1)

    def _drawn_from(self, call: ast.Call) -> str:
        """Return the variable whose row indices a call draws with replacement or repeats; empty if it does neither."""
        if repeated := self._repeated_from(call):
            return repeated
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

    def _first_leak(self, nodes: Sequence[ast.expr], step: Step) -> _Leak | None:
        return next(filter(None, (self._leak_of(node, step) for node in nodes)), None)

    def _leak_of_call(self, call: ast.Call, step: Step) -> _Leak | None:
        if leak := self._leak_of_copies(call, step):
            return leak
        callee = self._source.callee(call)
        package, _, name = callee.rpartition(".")
        if package.partition(".")[0] in _DATA_PACKAGES and name in _DATA_FUNCTIONS:
            return self._leak_of_joined(call, step)
        if function := self._function(call):
            return self._leak_of_function(call, function, step)
        if not isinstance(call.func, ast.Attribute):
            return None
        method, owner = call.func.attr, call.func.value
        if method == "apply":
            is_of_groups = self._is_grouped(owner) and not self._is_part_name(root_name(owner))
            return self._first_leak(call.args, step) if is_of_groups else None
        if method in ("fit_transform", "transform", "fit_resample") and call.args:
            return self._leak_of_transformed(call, owner, step)
        leak = self._leak_of(owner, step) if method in _DATA_METHODS else None
        is_dropped = method == "drop" and leak and leak.columns and leak.columns <= _texts_in(call)
        return None if is_dropped else leak

    def _is_grouped(self, node: ast.expr) -> bool:
        """Return whether an expression holds groups of rows, such as ``df.groupby("y")``."""
        if isinstance(node, ast.Name) and node.id in self._calls:
            return self._is_grouped(self._calls[node.id])
        return any(isinstance(each, ast.Attribute) and each.attr in _GROUPING for each in ast.walk(node))

    def _leak_of_transformed(self, call: ast.Call, owner: ast.expr, step: Step) -> _Leak | None:
        """Return the leak in transformed rows: an earlier one that the transformation cannot undo, or its own."""
        method = last_name(call.func)
        earlier = self._leak_of(call.args[0], step)
        if earlier and (earlier.learns or earlier.copies):
            return earlier
        name = self._class_of(owner)
        if method == "fit_resample" and _OVERSAMPLERS.fullmatch(name) and self._is_all_rows(call):
            return _Leak(f"{name.rpartition('.')[2]}()", call.lineno, "duplicates or interpolates", step)
        if method == "fit_transform" and (fit := self._fit_of(call, step)):
            return fit.leak
        fit = self._fit_of(owner, step) if method == "transform" else None
        return replace(fit.leak, step=step) if fit and _is_within(self._rows_of(call.args[0]), fit.rows) else None

    def _leak_of_copies(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak caused by a function that returns some of the rows several times, if it receives all rows."""
        callee, method = self._source.callee(call), last_name(call.func)
        if callee == "sklearn.utils.resample":
            copies = not is_literal(keyword(call, "replace"), False) and not has_unknown_arguments(call)
        elif callee == "numpy.repeat":
            copies = is_literal(keyword(call, "axis", 2), 0) and not self._repeats_as_counted(call)
        elif method == "repeat" and isinstance(call.func, ast.Attribute):
            copies = is_literal(keyword(call, "axis", 1), 0) and not _is_named_part(call.func.value)
            copies = copies and not self._is_part(call.func.value) and not self._repeats_as_counted(call)
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
        if not _joins_rows(call):
            return None
        joined = [each for each in _joined_parts(call) if isinstance(each, ast.Name | ast.Subscript)]
        parts = [each for each in joined if not self._is_part(each) and not _is_named_part(each)]
        counts = Counter(map(ast.unparse, parts))
        repeated = any(count > 1 for count in counts.values()) or self._joins_subset(parts)
        if not repeated:
            return None
        drawn = self._first_leak(parts, step)  # the copies may have been drawn before they are joined
        if drawn and drawn.copies:
            return replace(drawn, is_inner=False)
        return _Leak(f"{last_name(call.func)}()", call.lineno, _REPEATS, step)

    def _joins_subset(self, parts: Sequence[ast.expr]) -> bool:
        """Return whether data are joined with some of their own rows, as in ``pd.concat([df, df[df.y == 1]])``."""
        wholes = {each.id: self._rows_of(each) for each in parts if isinstance(each, ast.Name)}
        subsets = [(root_name(each), self._rows_of(each)) for each in parts if not _has_fixed_rows(each)]
        return any(
            rows != whole and _is_within(rows, whole) and (root == name or root not in self._changed)
            for root, rows in subsets
            for name, whole in wholes.items()
        )

    def _keeps_values(self, node: ast.expr | None) -> bool:
        """Return whether an expression holds rows of a variable as they are, as in ``df[df.y == 1].copy()``."""
        match node:
            case ast.Name():
                return node.id not in self._changed
            case ast.Attribute(attr="values" | "loc" | "iloc", value=owner) | ast.Subscript(value=owner):
                return self._keeps_values(owner)
            case ast.Call(func=ast.Attribute(attr=method, value=owner)):
                return method in _KEEPING_METHODS and self._keeps_values(owner)
        return False

    def _leak_of_joined(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak in the arguments of a function that joins or converts them.

        If only some of the joined columns are duplicated, the joined rows are not duplicates, so there is no leak.
        """
        leak = self._first_leak(call.args, step)
        if not leak or not leak.copies:
            return leak
        if leak.is_inner:
            return replace(leak, is_inner=False) if _joins_rows(call) else None
        if last_name(call.func) not in _JOINING_COLUMNS and not _has_other_axis(call):
            return None if last_name(call.func) == "expand_dims" else leak
        columns = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else []
        return leak if columns and all(self._leak_of(each, step) == leak for each in columns) else None

    def _function(self, call: ast.Call) -> tuple[Source, Scope] | None:
        """Return the function that is called, with its file, if it is defined in the code."""
        module, _, name = self._source.callee(call).rpartition(".")
        if not name and isinstance(call.func, ast.Name):
            module, name = Path(self._source.path).stem, call.func.id
        return self._functions.get((module.rpartition(".")[2], name)) if name else None

    def _leak_of_function(self, call: ast.Call, function: tuple[Source, Scope], step: Step) -> _Leak | None:
        """Return the leak in the result of a call to ``function``, if it receives all rows."""
        data = (*call.args, *(each.value for each in call.keywords))
        if any(self._is_part(each) or _selects_rows(each) or _is_named_part(each) for each in data):
            return None
        source, scope = function
        key = (source.path, scope.name)
        if key not in self._returned:
            self._returned[key] = None  # for functions that call themselves
            self._returned[key] = _Flow(source, self._functions, self._returned).find_returned(scope)
        leak = self._returned[key]
        return replace(leak, step=step) if leak else None


def _row_index(node: ast.Subscript) -> str:
    """Return the variable that selects rows in a subscript, such as ``mask`` or ``~mask``; empty if there is none."""
    rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    if isinstance(rows, ast.UnaryOp) and isinstance(rows.op, ast.Invert) and isinstance(rows.operand, ast.Name):
        return f"~{rows.operand.id}"
    return rows.id if isinstance(rows, ast.Name) else ""


def _has_other_axis(call: ast.Call) -> bool:
    """Return whether a call that joins data does so along another axis than that of the rows."""
    axis = keyword(call, "axis", _AXES.get(last_name(call.func)))
    return axis is not None and not is_literal(axis, 0)


def _joins_rows(call: ast.Call) -> bool:
    """Return whether a call joins the rows of its arguments, unlike ``np.stack`` and ``np.array``."""
    return last_name(call.func) in _JOINING_ROWS and not _has_other_axis(call)


def _has_fixed_rows(node: ast.expr) -> bool:
    """Return whether an expression is the first or last row, or the last few rows, which may fill a gap."""
    if not isinstance(node, ast.Subscript):
        return False
    rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    match rows:
        case ast.Slice(lower=ast.UnaryOp(op=ast.USub()) as start, upper=None):
            return type(literal(start)) is int
        case ast.Slice(lower=None, upper=stop):
            return is_literal(stop, 1)
    return type(literal(rows)) is int


def _adds_axis(node: ast.Subscript) -> bool:
    """Return whether a subscript makes its rows one element of a longer array, as in ``x[None]``."""
    rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    return is_literal(rows, None) or last_name(rows) == "newaxis"


def _joined_parts(call: ast.Call) -> list[ast.expr]:
    """Return what a function joins, with repeated elements twice: ``a, b, b`` in ``pd.concat([a] + [b] * 3)``."""
    if not call.args or (isinstance(call.args[0], ast.Name | ast.Subscript) and len(call.args) > 1):
        return call.args[:2]
    return _elements(call.args[0])


def _elements(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _elements(left) + _elements(right)
        case (
            ast.BinOp(left=elements, op=ast.Mult(), right=times) | ast.BinOp(left=times, op=ast.Mult(), right=elements)
        ) if isinstance(elements, ast.List):
            return _elements(elements) * (1 if is_literal(times, 1) else 2)
    return []


def _column_index(node: ast.Subscript) -> ast.expr | None:
    """Return what selects columns in a subscript: ``b`` in ``x[a, b]`` and ``x[b]``; None if it is a slice."""
    columns = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    return None if isinstance(columns, ast.Slice) else columns


def _texts_in(node: ast.AST) -> frozenset[str]:
    """Return the strings in an expression, such as the names of columns in ``df[["a", "b"]]``."""
    return frozenset(filter(None, map(text_of, ast.walk(node))))


def _column_names(node: ast.expr | None) -> frozenset[str]:
    """Return the names in an index such as ``"a"`` or ``["a", "b"]``; empty for other indices."""
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node else []
    return _texts_in(node) if node and elements and all(map(text_of, elements)) else frozenset()


def _is_within(rows: str, others: str) -> bool:
    """Return whether ``rows`` are the same rows as ``others`` or some of them (see ``_Flow._rows_of``)."""
    return bool(others) and (rows == others or rows.startswith(f"{others}["))


def _is_named_part(node: ast.expr) -> bool:
    """Return whether an expression is named like a part of the data, as are ``x_train``, ``self.x_val`` and ``d["train"]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        if isinstance(node, ast.Attribute) and _PART_KEY.search(node.attr):
            return True
        if isinstance(node, ast.Subscript) and any(map(_PART_KEY.search, _texts_in(node.slice))):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and bool(PART_NAME.search(node.id))


def _read_names(node: ast.AST) -> Iterator[str]:
    """Yield the variables whose rows an expression reads, without fitted objects, statistics, and choices of columns."""
    match node:
        case ast.Name():
            yield node.id
        case ast.Call() if last_name(node.func) in _STATISTICS and not _is_of_each_row(node):
            pass
        case ast.Attribute(attr="columns" | "shape" | "dtype"):
            pass
        case ast.Call(func=func):
            is_fitted = isinstance(func, ast.Attribute) and func.attr in _FITTED_METHODS
            if isinstance(func, ast.Attribute) and not is_fitted:
                yield from _read_names(func.value)
            for argument in (*node.args, *node.keywords):
                yield from _read_names(argument)
        case ast.Subscript(slice=ast.Tuple(elts=[rows, *_])):
            yield from _read_names(node.value)
            yield from _read_names(rows)
        case _:
            for each in ast.iter_child_nodes(node):
                yield from _read_names(each)


def _is_of_each_row(call: ast.Call) -> bool:
    """Return whether a call such as ``x.max(axis=1)`` may return a value for each row or group of rows."""
    if any(isinstance(each, ast.Attribute) and each.attr in _GROUPING for each in ast.walk(call)):
        return True
    return any(ast.unparse(each) in ("1", "-1") for each in (*call.args, *(each.value for each in call.keywords)))


def _is_result(node: ast.expr | None) -> bool:
    """Return whether an expression is a model or number that says nothing about columns, such as a count of them."""
    return isinstance(node, ast.Call) and last_name(node.func) in {"fit", "sum", "len", *MEASURING}


def _uses_one_variable(node: ast.expr) -> bool:
    """Return whether an expression such as ``x / x.max()`` uses only one variable, so that equal rows stay equal."""
    return len({each.id for each in ast.walk(node) if isinstance(each, ast.Name)}) == 1


def _selects_rows(node: ast.expr) -> bool:
    """Return whether an expression selects some rows of a variable, as in ``x[:800].copy()`` and ``x[train_rows]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Subscript) and (has_row_slice(node) or PART_NAME.search(root_name(node.slice))):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False
