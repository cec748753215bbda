"""Find data leakage: calls that fit on rows, or duplicate them, before the split."""

import ast
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from epochal.analysis.findings.augmented import AugmentedRows
from epochal.analysis.findings.copies import (
    draws_copies,
    find_copying,
    find_repeated,
    has_other_axis,
    joins_rows,
    repeats_labels,
)
from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.metrics import find_measurement
from epochal.analysis.findings.remedies import LOOP, advise_on_copies, advise_on_fit
from epochal.analysis.findings.rows import (
    CHOOSING,
    DATA_ATTRIBUTES,
    DATA_FUNCTIONS,
    DATA_METHODS,
    SPLIT,
    Rows,
    column_index,
    column_names,
    is_within,
    name_columns,
    read_names,
    row_index,
    texts_in,
)
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    elements_of,
    find_used,
    first_index,
    has_row_slice,
    inputs_of,
    is_literal,
    keyword,
    names_in,
    root_name,
)
from epochal.analysis.findings.splits import PART_NAME, TEST_NAME, TRAIN_NAME
from epochal.analysis.findings.training_calls import is_given_training_rows
from epochal.analysis.findings.wrong_data import MEASURING
from epochal.analysis.syntax import last_name

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
_OVERSAMPLERS = re.compile(r"imblearn\.(?:over_sampling|combine)\.\w+")
_DATA_PACKAGES = frozenset({"numpy", "pandas", "scipy", "sklearn", "tensorflow", "torch"})
_JOINING_COLUMNS = frozenset({"c_", "column_stack", "hstack", "stack"})
_REPEATS = "repeats"
_RESAMPLES = "duplicates or interpolates"


@dataclass(frozen=True)
class _Leak:
    """A call that processes all rows, and so leaks data if they are later split into training and test data.

    ``what``: the name of the function or class, or the expression that draws rows. ``copies``: a verb for what the call
    does to rows, such as "duplicates"; empty if it only learns from them. ``step``: the statement that contains the
    call or, later in the search, uses its result. ``path``: the file that contains the call; empty for the file being
    searched. ``learns``: whether the call learns from labels. ``columns``: the only columns that depend on the call;
    empty if all may depend on it. ``is_inner``: whether the copied rows are inside the elements of a list, and so count
    only after the elements have been joined. ``is_changed``: whether the copies differ from the original rows.
    ``fitted_columns``: the source text of the columns that the call fits on; empty if it fits on all columns.
    """

    what: str
    line: int
    copies: str
    step: Step
    path: str = ""
    learns: bool = False
    columns: frozenset[str] = frozenset()
    is_inner: bool = False
    is_changed: bool = False
    fitted_columns: str = ""


@dataclass(frozen=True)
class _Fit:
    """A fitted transformer, or the columns that it selects. ``rows``: the data that it was fitted on."""

    leak: _Leak
    rows: str


@dataclass(frozen=True)
class _Result:
    """What a function returns. ``leak``: the leak in its result.

    ``is_augmented``: whether the result always holds rows together with modified copies of them.
    """

    leak: _Leak | None = None
    is_augmented: bool = False


_Functions = dict[tuple[str, str], tuple[Source, Scope]]
"""The functions in the code, keyed by module and name."""


def find_fitted_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each call that fits on all rows or duplicates rows before they are split."""
    functions = {(Path(source.path).stem, scope.name): (source, scope) for source in sources for scope in source.scopes}
    returned: dict[tuple[str, str], _Result] = {}
    measurement = find_measurement(sources)
    for source, scope in find_used(sources):
        found = list(_Flow(source, functions, returned, measurement, sources).follow(scope))
        yield from found
        if not found:
            yield from _Flow(source, functions, {}, measurement, sources, only_folds=True).follow(scope)


class _Flow:
    """The flow of data through a scope, from calls that process all rows to the split into training and test data."""

    def __init__(
        self,
        source: Source,
        functions: _Functions,
        returned: dict[tuple[str, str], _Result],
        measurement: tuple[str, str, int] | None = None,
        sources: tuple[Source, ...] = (),
        *,
        only_folds: bool = False,
    ) -> None:
        """Start with no leaks.

        ``returned``: the results of the functions examined so far. ``measurement``: the call or line that
        gives the script's accuracy (see ``find_measurement``). ``sources``: all source files. ``only_folds``: whether
        to find only calls that copy rows before the rows are split into the folds used to measure the accuracy.
        """
        self._source = source
        self._rows = Rows(source, knows_parts=not only_folds)
        self._functions = functions
        self._returned = returned
        self._leaks: dict[str, _Leak] = {}
        self._fitted: dict[str, _Fit] = {}
        self._choices: dict[str, _Fit] = {}
        self._augmented = AugmentedRows(self._rows, lambda call: self._result_of(call).is_augmented)
        self._tested_elsewhere: set[int] = set()
        self._sound_splits: dict[bool, int] = {}
        self._sliced: dict[int, set[tuple[str, str]]] = {}
        self._leaked: dict[tuple[str, int], set[str]] = {}
        """The rows that each leaking call processes or returns, keyed by the file and line of the call."""
        self._fitted_rows: dict[tuple[str, int], set[str]] = {}
        """The rows that each call to fit() receives, keyed by the file and line of the call."""
        self._read: dict[tuple[str, int], set[str]] = {}
        """The rows that each leaking call depends on, keyed by the file and line of the call."""
        self._made: dict[tuple[str, int], set[str]] = {}
        """The rows that each leaking call returns, keyed by the file and line of the call."""
        self._measurement = measurement
        self._sources = sources
        self._measured: frozenset[str] = frozenset()
        self._trained: dict[str, frozenset[str]] = {}
        self._measured_training: frozenset[str] = frozenset()
        self._only_folds = only_folds

    def follow(self, scope: Scope) -> Iterator[Finding]:
        found: dict[tuple[str, int], tuple[_Leak, str, str]] = {}
        last: dict[tuple[str, int], int] = {}
        for step in scope.steps:
            self._rows.note_folds(step)  # for a comprehension, whose variables are used in the same step
            self._note_measured(step)
            for leak, where, splitter in list(self._find_in_step(step)):
                if leak.step is step:
                    self._note_own_split(leak, step)
                if leak.is_inner:
                    continue
                found.setdefault((leak.path, leak.line), (leak, where, splitter))
                last[leak.path, leak.line] = step.node.lineno
            self._rows.note_folds(step)
        for place, (leak, where, splitter) in found.items():
            if self._is_tested_elsewhere(place) or self._is_of_parameters(place, scope, splitter):
                continue
            if self._only_folds and not (leak.copies and splitter and self._measures_copies(place)):
                continue
            # If the test data were read from elsewhere, all rows are training rows. A later split is that of the result.
            learns = leak.line not in self._tested_elsewhere and last[place] >= self._sound_splits.get(
                splitter not in ("", LOOP), 0
            )
            counts = not self._only_folds and self._may_measure_copies(place)
            yield self._report(replace(leak, learns=leak.learns and learns), where, splitter, counts=counts)

    def _find_in_step(self, step: Step) -> Iterator[tuple[_Leak, str, str]]:
        """Yield each leak that a statement completes, with the arguments ``where`` and ``splitter`` for ``_report``."""
        place = f"line {step.node.lineno}"
        for node in step.nodes:
            if isinstance(node, ast.Call):
                yield from self._find_in_call(node, step)
            if isinstance(node, ast.Call | ast.Subscript) and (leak := self._find_late(node, step)):
                yield leak, f"and then transforms some of them on {place}", ""
            if isinstance(node, ast.Subscript) and row_index(node) in self._rows.test_indices:
                leak = self._leak_of(node.value, step)
                is_grouped = leak and leak.copies and row_index(node) in self._rows.grouped_indices
                if leak and step.follows(leak.step) and not is_grouped:
                    yield leak, self._place_split(node, leak, f"used on {place}"), self._loop_of(node)
        # Examine all values before assigning any, because Python evaluates x, y = y, x in this order.
        changes = [
            (target, value, *((self._leak_of(value, step), self._choice_of(value, step)) if value else (None, None)))
            for target, value in step.assigned
        ]
        self._augmented.note(step)
        sources = [
            self._rows.depends_on(value) if value else self._rows.depends_of_loop(step) for _, value, _, _ in changes
        ]
        for (target, value, leak, choice), depends in zip(changes, sources, strict=True):
            name = root_name(target)
            part = "train" if TRAIN_NAME.search(name) else "test" if TEST_NAME.search(name) else ""
            if leak and self._completes_split(value, part, leak):
                yield leak, self._place_split(value, leak, f"on {place}"), self._loop_of(value)
            self._assign(target, value, leak, step)
            rows = self._rows.note_dependencies(target, depends)
            noted = leak or (self._find_tiled(value, step) if value else None)
            if noted and value and noted.step is step:
                direct = {self._rows.name_of(each) for each in read_names(value)}
                self._note_leaked(noted, direct if leak else depends, depends, rows)
            if choice and not leak and isinstance(target, ast.Name) and not _is_result(value):
                self._choices[name] = choice
                self._rows.choices.add(name)

    def _note_leaked(self, leak: _Leak, direct: Set[str], depends: Set[str], made: Set[str]) -> None:
        """Record the rows that a leaking call reads, those that they depend on, and those that it returns."""
        place = leak.path, leak.line
        self._leaked.setdefault(place, set()).update(direct, made)
        self._read.setdefault(place, set()).update(depends)
        self._made.setdefault(place, set()).update(made)

    def _note_own_split(self, leak: _Leak, step: Step) -> None:
        """Record the rows of a leaking call that is part of the statement that splits its result."""
        value = getattr(step.node, "value", None)
        if isinstance(value, ast.expr):
            depends = self._rows.depends_on(value)
            made = {self._rows.name_of(name) for target, _ in step.assigned for name in names_in(target)}
            self._note_leaked(leak, depends, self._read.get((leak.path, leak.line), depends), made)

    def _note_leaking_arguments(self, leak: _Leak, call: ast.Call, step: Step) -> None:
        """For each argument of ``call`` that contains the leaking call, record the rows it depends on."""
        place = leak.path, leak.line
        for each in call.args:
            own = self._leak_of(each, step) or self._find_tiled(each, step)
            if own and (own.path, own.line) == place:
                self._read.setdefault(place, set()).update(self._rows.depends_on(each))

    def _note_measured(self, step: Step) -> None:
        """Record the rows that a statement adds to a list, and those on which it measures the accuracy, if it does."""
        for call in step.calls:
            self._rows.note_collected(call)
        what, path, line = self._measurement or ("", "", 0)
        self._note_trained(step)
        for call in step.calls if path == self._source.path else ():
            name = self._source.callee(call).rpartition(".")[2] or last_name(call.func)
            if call.lineno == line and f"{name}()" == what:
                inputs = inputs_of(call)
                self._measured = frozenset().union(*map(self._rows.depends_on, inputs))
                read = {each.id for each in step.nodes if isinstance(each, ast.Name)} & self._trained.keys()
                self._measured_training = frozenset().union(
                    *(self._trained[each] for each in read), self._trained.get("", ())
                )

    def _note_trained(self, step: Step) -> None:
        """Record which rows each variable's model is trained on; an empty name stands for the model trained last."""
        for call in step.calls:
            if last_name(call.func) == "fit":
                inputs = frozenset().union(*map(self._rows.depends_on, call.args))
                names = {name for target, _ in step.assigned for name in names_in(target)} | {root_name(call.func)}
                self._trained |= dict.fromkeys({*names, ""}, inputs)

    def _is_tested_elsewhere(self, place: tuple[str, int]) -> bool:
        """Return whether the accuracy is measured on rows that a leaking call neither processed nor returned."""
        leaked = self._leaked.get(place, set())
        return bool(self._measured and leaked) and not any(
            is_within(each, rows) for each in self._measured for rows in leaked
        )

    def _may_measure_copies(self, place: tuple[str, int]) -> bool:
        """Return whether the accuracy may be measured on rows that a call returns; True if the rows are unknown."""
        return not (self._measured and self._made.get(place)) or self._measures_copies(place)

    def _measures_copies(self, place: tuple[str, int]) -> bool:
        """Return whether the accuracy is measured on rows that a call returns, or with a model trained on them."""
        used = self._measured if self._only_folds else self._measured | self._measured_training
        return any(is_within(each, rows) for each in used for rows in self._made.get(place, set()))

    def _is_of_parameters(self, place: tuple[str, int], scope: Scope, splitter: str) -> bool:
        """Return whether a leak concerns only a function's parameters while the accuracy is measured outside it.

        Such a function may be choosing a setting using the training rows alone. ``splitter``: what creates folds in the
        function (see ``_find_in_step``). If it is empty or ``LOOP``, return False unless all calls to the function pass
        training rows.
        """
        if isinstance(scope.node, ast.Module):
            return False
        arguments = scope.node.args
        names = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        fitted = self._fitted_rows.get(place, {""})
        if splitter in ("", LOOP):
            given = fitted if place in self._fitted_rows else self._find_outer(place)
            return bool(given) and names >= given and is_given_training_rows(self._sources, scope, given)
        inside = set(map(id, ast.walk(scope.node)))
        is_measured_outside = any(
            last_name(call.func) in ("evaluate", "score", "accuracy_score") and id(call) not in inside
            for call in self._source.calls
        )
        return is_measured_outside and names >= fitted

    def _find_outer(self, place: tuple[str, int]) -> set[str]:
        """Return the variables that a leaking call's rows depend on and that get their values outside the function."""
        known = {*self._source.names, *self._source.constants}
        return {each.partition("[")[0] for each in self._read.get(place, set()) if "@" not in each} - known

    def _find_in_call(self, call: ast.Call, step: Step) -> Iterator[tuple[_Leak, str, str]]:
        self._note_fit(call, step)
        if leak := self._find_split_leak(call, step):
            if leak.step is step:
                self._note_leaking_arguments(leak, call, step)
            splitter, place = self._rows.name_splitter(call), f"on line {call.lineno}"
            rows = call.args[0] if call.args else None
            if self._splits(call):
                yield leak, f"before {splitter or f'{last_name(call.func)}()'} {place}", splitter or self._loop_of(rows)
            else:
                yield leak, self._place_split(rows, leak, place), self._loop_of(rows)
        elif self._splits(call) and self._rows.is_all_rows(call):
            self._sound_splits[bool(self._rows.name_splitter(call))] = call.lineno

    def find_returned(self, scope: Scope) -> _Result:
        """Return whether a function's first result contains copies of rows or depends on labels."""
        returns = [(step, step.node.value) for step in scope.steps if isinstance(step.node, ast.Return)]
        if len(returns) != 1:
            return _Result()
        list(self.follow(scope))
        step, value = returns[0]
        results = elements_of(value) if value else []
        if not results or step.branch:
            return _Result()
        leak = self._leak_of(results[0], step)
        if len(results) == 2 and not (leak and (leak.copies or leak.learns)):
            leak = self._find_repeated_labels(results[0], results[1], step)
        is_kept = leak and (leak.copies or leak.learns) and step.follows(leak.step)
        return _Result(
            replace(leak, path=leak.path or self._source.path) if leak and is_kept else None,
            self._augmented.is_augmented(results[0], step),
        )

    def _note_fit(self, call: ast.Call, step: Step) -> None:
        """Record an estimator that fit() or fit_transform() fits on all rows; forget it if it is refitted on fewer."""
        if last_name(call.func) in ("fit", "fit_transform") and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Name):
                self._fitted.pop(owner.id, None)
                if fit := self._fit_of(call, step):
                    self._fitted[owner.id] = fit

    def _fit_of(self, node: ast.expr, step: Step) -> _Fit | None:
        """Return how the estimator in an expression, such as a variable or ``SelectKBest().fit(x, y)``, was fitted.

        Return None unless it was fitted on all rows.
        """
        if isinstance(node, ast.Name):
            return self._fitted.get(node.id)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        if node.func.attr not in ("fit", "fit_transform") or not self._rows.is_all_rows(node):
            return None
        learner = self._learner(node.func.value)
        name = learner or self._rows.class_of(node.func.value)
        learns = bool(learner) and (len(node.args) > 1 or any(each.arg in ("y", "Y") for each in node.keywords))
        if not learner and not _FITTED.fullmatch(name):
            return None
        what, columns = f"{name.rpartition('.')[2]}()", name_columns(node.args[0], self._source)
        leak = _Leak(what, node.lineno, "", step, learns=learns, fitted_columns=columns)
        rows = [self._rows.of(each) for each in node.args]
        self._leaked.setdefault((leak.path, leak.line), set()).update(filter(None, rows))
        self._fitted_rows[leak.path, leak.line] = set(rows)
        return _Fit(leak, rows[0])

    def _learner(self, node: ast.expr) -> str:
        """Return the class of ``node`` if it learns from labels; for a pipeline, the first class in it that does.

        Return an empty string if there is none.
        """
        name = self._rows.class_of(node)
        if _LEARNING.fullmatch(name):
            return name
        created = self._rows.calls.get(node.id) if isinstance(node, ast.Name) else node
        if not isinstance(created, ast.Call) or not _PIPELINES.fullmatch(self._source.callee(created)):
            return ""
        inner = (each for each in ast.walk(created) if isinstance(each, ast.Call | ast.Name) and each is not created)
        return next((each for each in map(self._rows.class_of, inner) if _LEARNING.fullmatch(each)), "")

    def _find_late(self, node: ast.Call | ast.Subscript, step: Step) -> _Leak | None:
        """Return the leak if a transformer fitted on all rows later transforms a part that was split off earlier."""
        if isinstance(node, ast.Subscript):
            fit, rows = self._choice_of(column_index(node), step), node.value
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "transform" and node.args:
            fit, rows = self._fit_of(node.func.value, step), node.args[0]
        else:
            return None
        if not fit or not fit.rows:
            return None
        name, origin = root_name(rows), self._rows.of(rows)
        if PART_NAME.search(f"{name} {origin}") and not self._rows.is_part(rows) and not is_within(origin, fit.rows):
            self._tested_elsewhere.add(fit.leak.line)
        is_split_off = origin.startswith(f"{fit.rows}[") and (self._rows.is_part(rows) or TEST_NAME.search(name))
        return fit.leak if is_split_off and step.follows(fit.leak.step) else None

    def _choice_of(self, node: ast.AST | None, step: Step) -> _Fit | None:
        """Return the fitted selector that the chosen columns in an expression come from."""
        for each in ast.walk(node) if node else ():
            if isinstance(each, ast.Name) and each.id in self._choices:
                return self._choices[each.id]
            if isinstance(each, ast.Attribute) and each.attr in CHOOSING:
                fit = self._fit_of(each.value, step)
                if fit and fit.leak.learns:
                    return fit
        return None

    def _find_split_leak(self, call: ast.Call, step: Step) -> _Leak | None:
        if not self._splits(call):
            method = last_name(call.func)
            part = "train" if method == "fit" else "test" if method in MEASURING else ""
            rows = call.args[0] if call.args and part else None
            leak = self._leak_of(rows, step) if rows else None
            return leak if leak and step.follows(leak.step) and self._completes_split(rows, part, leak) else None
        is_fit = last_name(call.func) == "fit"
        data = call.args[:2] if is_fit else call.args if self._source.callee(call) == SPLIT else call.args[1:2]
        leaks = [leak for argument in data if (leak := self._leak_of(argument, step)) and step.follows(leak.step)]
        if learned := next((leak for leak in leaks if leak.learns), None):
            return learned
        # Equal labels are no copies of rows, unless they are joined with themselves. Rows of the same group stay together.
        found = [self._leak_of(each, step) for each in data[:2]]
        copied = found[0] if found and found[0] and found[0].copies else None
        if not copied and len(found) > 1:
            copied = self._find_repeated_labels(data[0], data[1], step)
        if (
            copied
            and step.follows(copied.step)
            and not keyword(call, "groups")
            and not keyword(call, "validation_split")
        ):
            return copied
        return next((leak for leak in leaks if not leak.copies and not is_fit), None)

    def _find_repeated_labels(self, data: ast.expr, labels: ast.expr, step: Step) -> _Leak | None:
        """Return the leak if ``labels`` are repeated and ``data`` includes modified copies of rows; otherwise None."""
        leak = self._leak_of(labels, step) or self._find_tiled(labels, step)
        if not leak or leak.copies != _REPEATS or not self._augmented.is_augmented(data, step):
            return None
        return replace(leak, copies="repeats the labels of", is_changed=True)

    def _find_tiled(self, node: ast.expr, step: Step) -> _Leak | None:
        """Return a leak if ``node`` evaluates to labels repeated with ``np.tile()`` or in a list; otherwise None."""
        call = self._rows.calls.get(node.id) if isinstance(node, ast.Name) else node
        is_tiled = isinstance(call, ast.Call) and repeats_labels(call, self._rows)
        if call and is_tiled:
            return _Leak("tile()", call.lineno, _REPEATS, step)
        found = self._augmented.find_repeated_labels(node, step)
        return _Leak(f"{last_name(found.call.func)}()", found.call.lineno, _REPEATS, found.step) if found else None

    def _splits(self, call: ast.Call) -> bool:
        """Return whether a call splits the data passed to it."""
        return self._source.callee(call) == SPLIT or bool(self._rows.name_splitter(call))

    def _loop_of(self, node: ast.AST | None) -> str:
        """Return ``LOOP`` if an expression selects a fold's test rows in a loop over folds, else an empty string."""
        is_fold = isinstance(node, ast.Subscript) and row_index(node) in self._rows.fold_indices
        return LOOP if is_fold else ""

    def _place_split(self, rows: ast.AST | None, leak: _Leak, use: str) -> str:
        """Return a phrase that says when a leak happens, such as "before the split on line 9".

        If a loop over folds splits the rows after the leak, the phrase names the loop's line. Otherwise, it ends with
        ``use``, which says where the test rows are used.
        """
        loop = self._rows.fold_indices.get(row_index(rows), 0) if isinstance(rows, ast.Subscript) else 0
        line = leak.step.node.lineno if leak.path else leak.line
        return f"before the split on line {loop}" if line < loop else f"before the split {use}"

    def _completes_split(self, rows: ast.expr | None, part: str, leak: _Leak) -> bool:
        """Return whether using some rows as ``part`` ("train" or "test") completes a split.

        It does if ``part`` is "test" and the complementary rows were used as "train" before: ``x[:n]`` and then
        ``x[n:]``, or ``x[mask]`` and then ``x[~mask]``.
        """
        if not isinstance(rows, ast.Subscript):
            return False
        is_slice = has_row_slice(rows) or row_index(rows) in self._rows.parts
        index = "" if is_slice else row_index(rows)
        if not is_slice and not index:
            return False
        parts = self._sliced.setdefault(leak.line, set())
        parts.add((part, index))
        others = index[1:] if index.startswith("~") else f"~{index}" if index else ""
        return part == "test" and ("train", others) in parts

    def _report(self, leak: _Leak, where: str, splitter: str, *, counts: bool) -> Finding:
        """Return the finding about a leak.

        ``splitter``: what splits the data into training and validation data; empty for a split into training and test data.
        ``counts``: whether the accuracy may have been measured on this split; if not, it is refused only if identical
        rows are found.
        """
        if leak.path and leak.path != self._source.path:
            where += f" of {self._source.path}"
        tested = {"": "the test rows", "fit()": "the validation rows"}.get(splitter, "the test rows of each fold")
        if leak.copies:
            kind = "augmented_before" if leak.is_changed and counts else "copied_before"
            what = "modified copies" if leak.is_changed else "copies"
            message = f"{leak.what} {leak.copies} rows {where}, so {what} of training rows are among {tested}."
            remedy = advise_on_copies(
                leak.what, splitter, is_oversampler=leak.copies == _RESAMPLES, is_changed=leak.is_changed
            )
        else:
            kind = "learned_before" if leak.learns else "fitted_before"
            seen = f"learned from the labels of {tested}" if leak.learns else f"seen {tested}"
            message = f"{leak.what} is fitted on all rows {where}, so it has {seen}."
            remedy = advise_on_fit(leak.what, splitter, leak.fitted_columns)
        # accuracy_score() may compare what cross_val_predict() returns, so that no cross-validation is recorded.
        is_compared = splitter == "cross_val_predict()"
        is_validation = splitter not in ("", LOOP)
        split = "folds" if is_validation and kind != "fitted_before" and not is_compared else "split"
        split = "predictions" if is_compared and leak.copies else split
        if split != "split" and leak.copies:
            kind = "copied_before"
        return Finding(f"{kind}_{split}", leak.path or self._source.path, leak.line, message, remedy)

    def _assign(self, target: ast.expr, value: ast.expr | None, leak: _Leak | None, step: Step) -> None:
        """Record which rows the variables in an assignment's target now hold, and any leak in these rows."""
        call = value if isinstance(value, ast.Call) else None
        is_part = self._rows.is_part(value) or bool(call and self._source.callee(call) == SPLIT)
        resampled = call and (
            last_name(call.func) in ("fit_resample", "resample", "shuffle") or self._function(call) is not None
        )
        several = isinstance(target, ast.Tuple | ast.List)
        targets = elements_of(target)
        for each in targets:
            self._forget(each)
        self._rows.assign(target, value, step.node.lineno)
        fit = self._fit_of(call, step) if call and last_name(call.func) == "fit" else None
        if fit and isinstance(target, ast.Name):
            self._fitted[target.id] = fit
        for position, each in enumerate(targets):
            name = root_name(each)
            is_kept_apart = not isinstance(each, ast.Name) or self._rows.may_hold_part(name)
            if not leak or not name or is_part or (leak.copies and is_kept_apart):
                continue
            if not several or (resampled and not (leak.learns and position)):
                self._leaks[name] = self._of_columns(leak, each)

    def _forget(self, target: ast.expr) -> None:
        """Forget what is known about a variable that is reassigned.

        If it is changed in place, forget only that it holds copies of rows.
        """
        name = root_name(target)
        if isinstance(target, ast.Name):
            for known in (self._leaks, self._fitted, self._choices):
                known.pop(name, None)
        elif name in self._leaks and self._leaks[name].copies:
            self._leaks.pop(name)

    def _of_columns(self, leak: _Leak, target: ast.expr) -> _Leak:
        """Return the leak in a variable after an assignment to ``target``.

        If the assignment sets only some columns, a leak of labels is limited to them and to those of an earlier leak.
        """
        if not leak.learns or not isinstance(target, ast.Subscript):
            return leak
        earlier = self._leaks.get(root_name(target))
        names = column_names(column_index(target))
        is_known = names and (not earlier or earlier.columns)
        return replace(leak, columns=names | (earlier.columns if earlier else frozenset()) if is_known else frozenset())

    def _leak_of(self, node: ast.expr, step: Step) -> _Leak | None:
        match node:
            case ast.Name():
                return self._leaks.get(node.id)
            case ast.Subscript():
                return self._leak_of_subscript(node, step)
            case ast.Attribute() if node.attr in DATA_ATTRIBUTES:
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
                is_part = any(self._rows.may_hold_part(root_name(each.iter)) for each in node.generators)
                if not leak or not leak.copies or is_part:
                    return None
                return replace(leak, is_inner=leak.is_inner or leak.step is step)
            case ast.Call():
                return self._leak_of_call(node, step)
        return None

    def _leak_of_subscript(self, node: ast.Subscript, step: Step) -> _Leak | None:
        choice = self._choice_of(column_index(node), step)
        if choice and is_within(self._rows.of(node.value), choice.rows):
            return choice.leak
        if leak := self._leak_of_repeated(node, ast.unparse(node.value), step):
            return leak
        leak = self._leak_of(node.value, step)
        if leak and leak.copies and _adds_axis(node):
            return None
        index = column_index(node)
        names = column_names(self._source.constants.get(root_name(index), index))
        if leak and leak.columns and names and not names & leak.columns:
            return None
        if leak := leak or self._leak_of(node.slice, step):
            return leak
        return _Leak(ast.unparse(node), node.lineno, "duplicates", step) if draws_copies(node, self._rows) else None

    def _first_leak(self, nodes: Sequence[ast.expr], step: Step) -> _Leak | None:
        return next(filter(None, (self._leak_of(node, step) for node in nodes)), None)

    def _leak_of_call(self, call: ast.Call, step: Step) -> _Leak | None:
        if leak := self._leak_of_copies(call, step):
            return leak
        callee = self._source.callee(call)
        package, _, name = callee.rpartition(".")
        if package.partition(".")[0] in _DATA_PACKAGES and name in DATA_FUNCTIONS:
            return self._leak_of_joined(call, step)
        if self._function(call):
            return self._leak_of_function(call, step)
        if not isinstance(call.func, ast.Attribute):
            return None
        method, owner = call.func.attr, call.func.value
        if method == "apply":
            is_of_groups = self._rows.is_grouped(owner) and not self._rows.may_hold_part(root_name(owner))
            return self._first_leak(call.args, step) if is_of_groups else None
        if method in ("fit_transform", "transform", "fit_resample") and call.args:
            return self._leak_of_transformed(call, owner, step)
        leak = self._leak_of(owner, step) if method in DATA_METHODS else None
        is_dropped = method == "drop" and leak and leak.columns and leak.columns <= texts_in(call)
        return None if is_dropped else leak

    def _leak_of_transformed(self, call: ast.Call, owner: ast.expr, step: Step) -> _Leak | None:
        """Return the leak in transformed rows: an earlier one that survives, or one that the transformation causes."""
        method = last_name(call.func)
        earlier = self._leak_of(call.args[0], step)
        if earlier and (earlier.learns or earlier.copies):
            return earlier
        name = self._rows.class_of(owner)
        if method == "fit_resample" and _OVERSAMPLERS.fullmatch(name) and self._rows.is_all_rows(call):
            return _Leak(f"{name.rpartition('.')[2]}()", call.lineno, _RESAMPLES, step)
        if method == "fit_transform" and (fit := self._fit_of(call, step)):
            return fit.leak
        fit = self._fit_of(owner, step) if method == "transform" else None
        return replace(fit.leak, step=step) if fit and is_within(self._rows.of(call.args[0]), fit.rows) else None

    def _leak_of_copies(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak caused by a call that returns some of the rows several times."""
        if what := find_copying(call, self._rows):
            return _Leak(what, call.lineno, "duplicates", step)
        return self._leak_of_repeated(call, f"{last_name(call.func)}()", step)

    def _leak_of_repeated(self, node: ast.Call | ast.Subscript, what: str, step: Step) -> _Leak | None:
        """Return the leak in ``node`` if it joins any rows more than once; else None. ``what``: a name for it."""
        parts = find_repeated(node, self._rows)
        if not parts:
            return None
        drawn = self._first_leak(parts, step)  # the copies may have been drawn before they are joined
        if drawn and drawn.copies:
            return replace(drawn, is_inner=False)
        return _Leak(what, node.lineno, _REPEATS, step)

    def _leak_of_joined(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak in the arguments of a function that joins or converts them.

        If rows are duplicated in only some of the joined columns, the joined rows still differ, so there is no leak.
        """
        leak = self._first_leak(call.args, step)
        if not leak or not leak.copies:
            return leak
        if leak.is_inner:
            return replace(leak, is_inner=False) if joins_rows(call) else None
        if last_name(call.func) not in _JOINING_COLUMNS and not has_other_axis(call):
            return None if last_name(call.func) == "expand_dims" else leak
        columns = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else []
        return leak if columns and all(self._leak_of(each, step) == leak for each in columns) else None

    def _function(self, call: ast.Call) -> tuple[Source, Scope] | None:
        """Return the file and scope of the called function; None if the pushed code does not define it."""
        module, _, name = self._source.callee(call).rpartition(".")
        if not name and isinstance(call.func, ast.Name):
            module, name = Path(self._source.path).stem, call.func.id
        return self._functions.get((module.rpartition(".")[2], name)) if name else None

    def _leak_of_function(self, call: ast.Call, step: Step) -> _Leak | None:
        """Return the leak, if any, in the result of a call to a function; None if the call does not pass all rows."""
        leak = self._result_of(call).leak
        return replace(leak, step=step) if leak else None

    def _result_of(self, call: ast.Call) -> _Result:
        """Return what the called function returns; an empty result if it is not known or gets only part of the rows."""
        function = self._function(call)
        if not function or self._rows.receives_part(call):
            return _Result()
        source, scope = function
        key = (source.path, scope.name)
        if key not in self._returned:
            self._returned[key] = _Result()  # for functions that call themselves
            self._returned[key] = _Flow(source, self._functions, self._returned).find_returned(scope)
        return self._returned[key]


def _adds_axis(node: ast.Subscript) -> bool:
    """Return whether a subscript adds an outer axis of length 1, as in ``x[None]``."""
    rows = first_index(node)
    return is_literal(rows, None) or last_name(rows) == "newaxis"


def _is_result(node: ast.expr | None) -> bool:
    """Return whether an expression yields a model or a number, rather than columns or a selection of them."""
    return isinstance(node, ast.Call) and last_name(node.func) in {"fit", "sum", "len", *MEASURING}


def _uses_one_variable(node: ast.expr) -> bool:
    """Return whether an expression such as ``x / x.max()`` uses only one variable, so that equal rows stay equal."""
    return len({each.id for each in ast.walk(node) if isinstance(each, ast.Name)}) == 1
