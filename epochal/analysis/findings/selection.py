"""Find columns that a script chooses before it splits the data, using the labels of all rows.

Classes that select features, such as SelectKBest, are found by ``leaks``; this module finds choices made by hand, such
as the columns with the highest correlation with the labels.
"""

import ast
import builtins
import re
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.kinds import NAMES, Result
from epochal.analysis.findings.label_reads import LabelReads
from epochal.analysis.findings.loops import Guard, find_guards
from epochal.analysis.findings.metrics import ACCURACY_CALLS, COMPARING, find_measurement
from epochal.analysis.findings.origins import (
    ORDERED,
    PART,
    RANKED,
    SPLITS,
    Origins,
    find_dropped,
    find_filters,
    find_parameters,
    find_result,
    is_locator,
    is_of_columns,
    outer_origins,
    unmark_all,
)
from epochal.analysis.findings.remedies import advise_on_choice
from epochal.analysis.findings.rows import Rows
from epochal.analysis.findings.source import (
    GROWING,
    Scope,
    Source,
    Step,
    called,
    elements_of,
    find_used,
    inputs_of,
    is_literal,
    keyword,
    names_in,
    root_name,
)
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, TEST_NAME, TRAIN_NAME
from epochal.analysis.findings.training_values import ComputingNames, TrainingValues
from epochal.analysis.syntax import last_name

_LABELLED = frozenset({"fit", "score", "evaluate", "train_test_split", "split"})
"""Functions that take rows and their labels as the first two arguments."""
_PREDICTING = frozenset({"predict", "predict_classes", "predict_proba"})
_TRAINING = re.compile(r"^(?:[xy]_?)?(?:train|training|tr)(?:$|[_\d])|_(?:train|tr)$", re.IGNORECASE)
"""Matches names of variables and keys that hold training rows, such as ``Xtrain``, ``xtr`` and ``x_train``."""


@dataclass(frozen=True)
class _Choice:
    """A choice of columns.

    ``origins``: what determined the choice (see ``Origins``); ``data``: the origins of the data whose columns are
    chosen. ``sliced``: the line on which only some rows of that data were taken; 0 if all rows were kept.
    ``decided``: the line to report. ``deciding``: the expressions that determine the columns. ``reorders``: whether
    all columns are kept, but in another order. ``is_of_training``: whether the choice is certain to
    depend only on training rows.
    """

    step: Step
    origins: frozenset[str]
    data: frozenset[str]
    sliced: int = 0
    deciding: tuple[ast.expr, ...] = ()
    reorders: bool = False
    decided: int = 0
    is_of_training: bool = False


@dataclass(frozen=True)
class _Use:
    """A use of chosen columns in a call that splits the data or receives only some of its rows.

    ``step``: the statement that contains the call. ``where``: a phrase for the finding, such as "before the split".
    ``splitter``: what splits the data into training and validation data (see ``Rows.name_splitter``); empty if nothing
    does.
    """

    choice: _Choice
    where: str
    call: ast.Call
    step: Step
    splitter: str


def find_chosen_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each choice of columns that depends on the labels of all rows and precedes the split."""
    functions = [(source, scope) for source in sources for scope in source.scopes if scope.name]
    results = {scope.name: find_result(source, scope) for source, scope in functions}
    computing = {source.path: ComputingNames(source) for source in sources}
    choosers = {
        scope.name: _Choices(source, scope, results, computing[source.path]).find_returned()
        for source, scope in functions
    }
    _, path, line = find_measurement(sources) or ("", "", 0)
    for source, scope in find_used(sources):
        yield from _Choices(source, scope, results, computing[source.path], choosers).follow(
            line if source.path == path else 0
        )


class _Choices:
    """The choices of columns in a scope, traced to where the data is split."""

    def __init__(
        self,
        source: Source,
        scope: Scope,
        results: Mapping[str, Result],
        computing: ComputingNames,
        choosers: Mapping[str, Result | None] | None = None,
    ) -> None:
        """Start with no choices.

        ``results``: the results of the functions in the code, by name. ``computing``: the ``ComputingNames`` of
        ``source``. ``choosers``: the functions that return columns chosen from their first argument.
        """
        self._source = source
        self._scope = scope
        self._choosers = choosers or {}
        self._origins = Origins(source.names, source.constants, results)
        self._readers = {name for name, result in self._choosers.items() if result} | {
            name
            for name, result in results.items()
            if RANKED in result.origins and any(_may_be_labels(each, result.arguments) for each in result.origins)
        }
        self._guards = find_guards(scope)
        self._branches = {id(step.node): step.branch for step in scope.steps}
        self._chosen: dict[str, frozenset[_Choice]] = {}
        self._rows = Rows(source)
        self._training = TrainingValues(source, computing)
        self._split = ""
        """The last split into training and test data, such as "train_test_split() on line 9"."""
        self._split_line = 0
        self._decided: dict[str, int] = {}
        """The line that last set or extended each variable."""
        self._whole: dict[str, Step] = {}
        """The statements that set variables to rows with all columns, or to predictions for such rows."""
        self._predicted: set[str] = set()
        self._measures_all = False
        self._tested: list[tuple[ast.Call, Step]] = []
        """The calls that measure an accuracy, or return predictions that a statement compares with labels."""
        self._answers: dict[str, ast.Call] = {}
        """The call that returned the predictions in each variable."""

    def follow(self, measured: int) -> Iterator[Finding]:
        """Yield a finding for each choice that depends on the labels of all rows.

        ``measured``: the line of the call that measures the accuracy, if it is known and in this file.
        """
        rows: list[frozenset[str]] = []
        labels: set[str] = set()
        uses: list[_Use] = []
        nodes: list[ast.expr] = []
        chosen: Step | None = None
        """The statement that measures the accuracy, if it uses columns that were chosen using only training rows."""
        for step in self._scope.steps:
            for call in step.calls:
                labels |= self._find_labels(call)
                nodes += [node for node in [self._label_node(call)] if node]
                if call.lineno == measured and last_name(call.func) in ACCURACY_CALLS:
                    rows = self._find_measured(call)
                    self._measures_all = self._is_of_whole(call, step)
                    chosen = step if self._is_of_training_columns(call, step) else None
                uses += [use for use in self._find_uses(call, step) if step.follows(use.choice.step)]
            self._tested += [(call, step) for call in self._find_tests(step)]
            self._note(step)
        tests = {key: each.tests for key, each in self._guards.items()}
        reads = LabelReads(self._scope, tests, self._readers)
        reported = set()
        for use in uses:
            choice, own = use.choice, self._label_node(use.call)
            is_sound = (
                self._measures_all
                or (chosen and use.step.follows(chosen))
                or not choice.origins & (labels - choice.data)
                or _is_of_tested(choice, labels)
                or (rows and all(_is_elsewhere(choice, labels, each) for each in rows))
                or not any(
                    reads.lead_to(choice.deciding, _last_line(choice), node) for node in ([own] if own else nodes)
                )
            )
            is_of_part = _is_of_part(choice, labels)
            is_inner = is_of_part or (use.splitter.endswith("SearchCV()") and PART not in choice.data)
            if is_inner and not self._counts(use, reads if is_of_part else None):
                continue
            if not is_sound and choice.step.node.lineno not in reported:
                reported.add(choice.step.node.lineno)
                later = [each for each in uses if each.choice.step is choice.step and self._counts(each)]
                yield self._report_folds(use) if is_inner else self._report(use, (later or [use])[-1].splitter)

    def _counts(self, use: _Use, reads: LabelReads | None = None) -> bool:
        """Return whether the accuracy measured on a call's folds may be the final accuracy.

        False if a later test uses other rows, or if ``reads`` is given and the choice used other rows.
        """
        if not use.splitter:
            return False
        data = [*use.call.args, *(each for each in [self._label_node(use.call)] if each)]
        names = {root_name(each) for each in data} - {""}
        names |= {root_name(self._source.constants[each]) for each in names if each in self._source.constants} - {""}
        if reads and not names & reads.reach(use.choice.deciding, _last_line(use.choice)):
            return False
        return not any(
            step.node.lineno > use.call.lineno and use.step.follows(step) and call.args and self._is_test(call, names)
            for call, step in self._tested
        )

    def _find_tests(self, step: Step) -> Iterator[ast.Call]:
        """Yield the calls that measure an accuracy or return predictions that a statement compares with labels."""
        yield from (call for call in step.calls if last_name(call.func) in ACCURACY_CALLS)
        compared = (each for each in step.nodes if isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.Eq))
        for node in (inner for each in compared for inner in ast.walk(each)):
            if isinstance(node, ast.Call) and last_name(node.func) in _PREDICTING:
                yield node
            elif isinstance(node, ast.Name) and node.id in self._answers:
                yield self._answers[node.id]
        for target, value in step.assigned:
            calls = (each for each in ast.walk(value or target) if isinstance(each, ast.Call))
            if call := next((each for each in calls if last_name(each.func) in _PREDICTING), None):
                self._answers |= dict.fromkeys(names_in(target), call)

    def _is_test(self, call: ast.Call, names: Collection[str]) -> bool:
        """Return whether a call that evaluates or predicts uses rows other than those in the variables ``names``."""
        given = {each.id for argument in call.args for each in ast.walk(argument) if isinstance(each, ast.Name)}
        is_named = any(each in self._rows.test_indices or TEST_NAME.search(each) for each in given)
        return is_named or root_name(call.args[0]) not in names

    def _report(self, use: _Use, splitter: str) -> Finding:
        """Return the finding about a choice made with the labels of all rows.

        ``splitter``: what splits the data for the accuracy that counts (see ``_Use``); empty if nothing does.
        """
        remedy = "Split first, and choose the columns using only the training rows."
        if splitter:
            remedy = advise_on_choice(splitter)
        elif use.where.startswith("even after"):
            remedy = "Choose the columns using only the training rows."
        elif last_name(use.call.func) == "split":
            remedy = "Choose the columns separately in each fold, using only its training rows."
        return Finding(
            "chosen_before_split",
            self._source.path,
            use.choice.decided,
            f"The labels of all rows are used to choose the columns {use.where}, so the choice depends on the "
            f"{'validation' if 'validation' in use.where else 'test'} labels.",
            remedy,
        )

    def _report_folds(self, use: _Use) -> Finding:
        """Return the finding about a choice made with the labels of all rows that are then split into folds."""
        is_compared = use.splitter == "cross_val_predict()"  # no cross-validation is recorded for it
        tested = "validation labels" if use.splitter == "fit()" else "test labels of each fold"
        return Finding(
            "learned_before_split" if is_compared else "learned_before_folds",
            self._source.path,
            use.choice.decided,
            f"The columns are chosen using the labels of all rows that {use.splitter} on line {use.call.lineno} splits, so the "
            f"choice depends on the {tested}.",
            advise_on_choice(use.splitter),
        )

    def find_returned(self) -> Result | None:
        """Return the choice in the function's result if it depends on an argument or column that may hold labels."""
        parameters = find_parameters(self._scope)
        for step in self._scope.steps:
            if isinstance(step.node, ast.Return) and step.node.value:
                for choice in self._choices_of(step.node.value, step):
                    used = choice.origins - choice.data
                    if (
                        not choice.reorders
                        and not _is_of_part(choice)
                        and any(_may_be_labels(each, parameters) for each in used)
                    ):
                        return Result(parameters, outer_origins(used, self._origins, parameters))
            self._note(step)
        return None

    def _note(self, step: Step) -> None:
        """Record the choices and origins of the variables that a statement assigns or changes."""
        changes = [(target, self._choices_of(value, step) if value else frozenset()) for target, value in step.assigned]
        whole = self._find_whole(step)
        changed = self._find_changed(step.node)
        found = self._choices_of(changed, step) if changed else frozenset()
        guard = self._guards.get(id(step.node), Guard())
        self._origins.assign(step, guard)
        self._training.note(step, [*guard.tests, *(each.iter for each in guard.loops)])
        for target, choices in changes:
            self._assign(target, choices)
        self._whole |= whole
        self._note_lines(step)
        if found and (name := root_name(changed)):
            self._chosen[name] = self._chosen.get(name, frozenset()) | found

    def _note_lines(self, step: Step) -> None:
        """Record which line sets each variable, and which line splits the data."""
        for call in step.calls:
            if last_name(call.func) == "train_test_split":
                self._split, self._split_line = f"train_test_split() on line {call.lineno}", call.lineno
            is_growing = last_name(call.func) in GROWING and isinstance(call.func, ast.Attribute)
            if is_growing and not all(isinstance(each, ast.Constant) for each in call.args):
                self._decided[root_name(call.func)] = call.lineno
        for target, value in step.assigned:
            self._rows.assign(target, value, step.node.lineno)
            copied = self._decided.get(last_name(_find_copied(value)) if value else "", step.node.lineno)
            self._decided |= dict.fromkeys(names_in(target), copied)
        self._rows.note_folds(step)

    def _find_whole(self, step: Step) -> dict[str, Step]:
        """Return the variables that a statement sets to rows with all columns, or to predictions for such rows."""
        for name in {name for target, _ in step.assigned for name in names_in(target)}:
            self._whole.pop(name, None)
            self._predicted.discard(name)
        found = set[str]()
        for target, value in step.assigned:
            if not isinstance(value, ast.Call) or self._choices_of(value, step):
                continue
            is_split = last_name(value.func) == "train_test_split"
            is_predicted = last_name(value.func) == "predict" and self._is_of_whole(value, step)
            found |= names_in(target) if is_split or is_predicted else set()
            self._predicted |= names_in(target) if is_predicted else set()
        return dict.fromkeys(found, step)

    def _is_of_whole(self, call: ast.Call, step: Step) -> bool:
        """Return whether a call measures a model on rows with all columns, or predicts labels for such rows."""
        given = inputs_of(call)[:2]
        rows = given[:1]
        if last_name(call.func) in COMPARING:
            rows = [
                each.args[0] for each in given if isinstance(each, ast.Call) and called(each) == "predict" and each.args
            ]
            rows += [each for each in given if isinstance(each, ast.Name) and each.id in self._predicted]
        return any(self._is_whole(each, step) for each in rows) and not any(
            self._choices_of(each, step) for each in given
        )

    def _is_of_training_columns(self, call: ast.Call, step: Step) -> bool:
        """Return whether a call measures a model on test rows whose columns were chosen with training rows alone."""
        given = inputs_of(call)[:2]
        choices = [choice for each in given for choice in self._choices_of(each, step)]
        tested = [each for each in given if root_name(each) in self._rows.test_indices]
        return (
            bool(choices and tested)
            and all(each.is_of_training for each in choices)
            and any(self._is_whole(_data_of(each), step) for each in tested)
        )

    def _is_whole(self, node: ast.expr, step: Step) -> bool:
        """Return whether an expression is a variable that holds rows with all columns, or predictions for such rows."""
        return isinstance(node, ast.Name) and node.id in self._whole and step.follows(self._whole[node.id])

    def _find_changed(self, node: ast.stmt) -> ast.expr | None:
        """Return an expression for the data that is left when a statement removes columns, as ``del df[column]`` does."""
        match node:
            case (
                ast.Delete(targets=[ast.Subscript(value=data, slice=column)])
                | ast.Expr(value=ast.Call(func=ast.Attribute(attr="pop", value=data), args=[column]))
            ):
                return _drop(data, column) if self._origins.kinds.of(column) == NAMES else None
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="drop")) as call):
                return call if is_literal(keyword(call, "inplace"), True) else None
        return None

    def _find_measured(self, call: ast.Call) -> list[frozenset[str]]:
        """Return the origins of the first two arguments of a call that measures accuracy, such as rows and labels."""
        given = inputs_of(call)[:2]
        return [unmark_all(found) for found in map(self._origins.of, given) if found]

    def _find_labels(self, call: ast.Call) -> frozenset[str]:
        node = self._label_node(call)
        return self._origins.of(node) - {PART, RANKED, ORDERED} if node else frozenset()

    def _label_node(self, call: ast.Call) -> ast.expr | None:
        """Return the labels that are passed to a call."""
        name = last_name(call.func)
        if name not in _LABELLED and name not in CROSS_VALIDATIONS:
            return None
        return keyword(call, "y", 2 if name in CROSS_VALIDATIONS else 1)

    def _find_uses(self, call: ast.Call, step: Step) -> Iterator[_Use]:
        """Yield each use of chosen columns in a call that splits the data or receives only some of its rows."""
        name = last_name(call.func)
        position = 1 if name in CROSS_VALIDATIONS else 0
        if len(call.args) <= position or name not in _LABELLED | CROSS_VALIDATIONS:
            return
        data = call.args[position]
        for choice in sorted(self._choices_of(data, step), key=lambda each: each.step.node.lineno):
            if choice.reorders:
                continue
            if where := self._place(choice, call):
                yield _Use(choice, where, call, step, self._rows.name_splitter(call))

    def _place(self, choice: _Choice, call: ast.Call) -> str:
        """Return when a choice is made, such as "before the split on line 9"; empty if nothing is split."""
        name, splitter = last_name(call.func), self._rows.name_splitter(call)
        if name in SPLITS or name in CROSS_VALIDATIONS:
            return f"before {name}() on line {call.lineno}"
        if name == "fit" and PART in choice.data:
            is_later = choice.decided > self._split_line
            return f"{'even after' if is_later else 'before'} {self._split}" if self._split else "before the split"
        if splitter == "fit()":
            return f"before fit() splits off validation data on line {call.lineno}"
        if splitter:
            return f"before {splitter} on line {call.lineno}"
        return f"before the split on line {choice.sliced}" if choice.sliced else ""

    def _choices_of(self, value: ast.expr, step: Step) -> frozenset[_Choice]:
        """Return the choices of columns made in an expression or in computing its variables; an empty set if none."""
        sliced = step.node.lineno if isinstance(value, ast.Subscript) and self._origins.takes_rows(value) else 0
        found = set[_Choice]()
        for each in ast.walk(value):
            if isinstance(each, ast.Name):
                found |= {
                    replace(
                        earlier, sliced=earlier.sliced or sliced, reorders=earlier.reorders and not self._cuts(value)
                    )
                    for earlier in self._chosen.get(each.id, frozenset())
                }
            elif isinstance(each, ast.Call) and each.args and (chooser := self._choosers.get(last_name(each.func))):
                origins = self._origins.apply(chooser, each)
                data = self._origins.of(each.args[0])
                is_of_training = self._training.cover([each], step)
                line = step.node.lineno
                found.add(_Choice(step, origins, data, sliced, (each,), decided=line, is_of_training=is_of_training))
            elif chosen := self._find_columns(each):
                found |= self._make_choice(*chosen, step, sliced)
        stacked = self._of_stacked(value)
        return frozenset(replace(each, data=each.data | stacked) for each in found)

    def _cuts(self, node: ast.expr) -> bool:
        """Return whether an expression may take the first or last columns. Dropping columns by name does not count."""
        return any(
            (isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Tuple))
            or (isinstance(each, ast.Call) and last_name(each.func) in {"delete", "filter", "take"})
            or (isinstance(each, ast.Call) and last_name(each.func) == "drop" and not self._drops_by_name(each))
            or (isinstance(each, ast.Attribute) and each.attr in {"T", "columns"})
            for each in ast.walk(node)
        )

    def _drops_by_name(self, call: ast.Call) -> bool:
        """Return whether a call to ``drop`` removes columns whose names are constants."""
        dropped = find_dropped(call)
        return bool(dropped and not self._origins.of(dropped))

    def _of_stacked(self, value: ast.expr) -> frozenset[str]:
        """Return the origins of the tables that an expression stacks vertically, as in ``pd.concat([a, b])``."""
        calls = (each for each in ast.walk(value) if isinstance(each, ast.Call) and last_name(each.func) == "concat")
        return frozenset[str]().union(
            *(self._origins.of(call.args[0]) for call in calls if call.args and not is_of_columns(call, 1))
        )

    def _make_choice(self, data: ast.expr, columns: ast.expr, step: Step, sliced: int) -> frozenset[_Choice]:
        """Return a set that contains the choice of ``columns`` from ``data``.

        The set is empty if the choice is not made by a ranking, comparison or sort.
        """
        guard = self._guards.get(id(step.node), Guard())
        condition = self._origins.of_guard(guard)
        origins = self._origins.of(columns) | condition
        if condition:  # the loop as a whole makes the choice
            step = Step(step.node, self._branches[id(guard.loops[0])])
        reorders = RANKED not in origins
        found, line = self._origins.of(data), step.node.lineno
        # Report the line that sets the chosen columns, rather than lines that use them.
        name = root_name(columns) if PART in found else last_name(_find_copied(columns))
        decided = self._decided.get(name, line)
        deciding = (columns, *guard.tests)
        is_of_training = self._training.cover(deciding, step)
        choice = _Choice(step, origins, found, sliced, deciding, reorders, decided, is_of_training)
        return frozenset({choice} if not reorders or ORDERED in origins else ())

    def _find_columns(self, node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
        """Return the data and the expression for the columns that ``node`` chooses or drops; None for other nodes."""
        kind_of = self._origins.kinds.of
        match node:
            case ast.Subscript(
                slice=ast.Tuple(
                    elts=[ast.Slice(lower=None, upper=None) | ast.Constant(value=builtins.Ellipsis), columns]
                )
            ):
                return None if isinstance(columns, ast.Slice | ast.Constant) else (node.value, columns)
            case ast.Attribute(attr="T", value=ast.Subscript(value=ast.Attribute(attr="T", value=data), slice=columns)):
                return data, columns
            case ast.Subscript(value=data, slice=ast.Tuple(elts=[_, columns])) if kind_of(columns) == NAMES:
                return data, columns
            case ast.Subscript(value=data, slice=columns) if kind_of(columns) == NAMES:
                return None if is_locator(data) or kind_of(data) == NAMES else (data, columns)
            case ast.Call(func=ast.Attribute(attr="drop", value=data)):
                dropped = find_dropped(node)
                return (data, dropped) if dropped and kind_of(data) != NAMES else None
            case ast.Call(func=ast.Attribute(attr="filter" | "reindex" as name, value=data)):
                kept = keyword(node, "items", 0) if name == "filter" else keyword(node, "columns")
                return (data, kept) if kept else None
            case ast.Call(func=ast.Attribute(attr="take" | "delete" | "compress" as name, value=data)):
                is_function = self._source.callee(node).startswith("numpy.")
                arguments = [*node.args, *(each.value for each in node.keywords if each.arg != "axis")]
                if len(arguments) < 1 + is_function or not is_of_columns(node, 1 + is_function):
                    return None
                first, second = (arguments[0], arguments[1]) if is_function else (data, arguments[0])
                return (second, first) if name == "compress" and is_function else (first, second)
        return None

    def _assign(self, target: ast.expr, choices: frozenset[_Choice]) -> None:
        for each in elements_of(target):
            name = root_name(each)
            if isinstance(each, ast.Name):
                self._chosen.pop(name, None)
            if choices and name:
                self._chosen[name] = self._chosen.get(name, frozenset()) | choices


def _may_be_labels(origin: str, parameters: Collection[str]) -> bool:
    """Return whether an origin is a parameter of a function, or a column with a fixed name.

    A column named by a loop variable does not count.
    """
    return origin in parameters or origin.startswith("['") or origin[1:-1] in parameters or origin[1:-1].isupper()


def _find_copied(node: ast.expr) -> ast.expr:
    """Return the chosen columns that ``list(names)``, ``names.tolist()`` or ``df.columns[kept]`` stands for.

    For any other expression, return ``node`` itself.
    """
    match node:
        case ast.Call(func=ast.Name(id="list" | "tuple" | "set" | "sorted"), args=[inner], keywords=[]):
            return _find_copied(inner)
        case ast.Call(func=ast.Attribute(attr="tolist" | "to_list" | "copy", value=inner), args=[], keywords=[]):
            return _find_copied(inner)
        case ast.Subscript(value=ast.Attribute(attr="columns"), slice=ast.Name() as inner):
            return inner
        case ast.List(elts=[ast.Name() as inner]):
            return inner
    return node


def _data_of(node: ast.expr) -> ast.expr:
    """Return what a subscript selects from: ``x`` for ``x[:, best]`` or ``x.loc[:, best]``; else ``node`` itself."""
    data = node.value if isinstance(node, ast.Subscript) else node
    return data.value if isinstance(data, ast.Attribute) and is_locator(data) else data


def _last_line(choice: _Choice) -> int:
    return choice.step.node.end_lineno or choice.step.node.lineno


def _drop(data: ast.expr, column: ast.expr) -> ast.expr:
    """Return the expression ``data.drop(columns=column)``."""
    return ast.Call(ast.Attribute(data, "drop", ast.Load()), [], [ast.keyword("columns", column)])


def _is_of_part(choice: _Choice, labels: Set[str] = frozenset()) -> bool:
    """Return whether a choice was made using only some rows of the data or the labels."""
    parts = {f"{name}[]" for name in {*labels, *choice.data}} | {PART}
    names = {each.partition("\n")[0] for each in choice.origins}
    return bool(choice.origins & parts) or any(
        TRAIN_NAME.search(each) or _TRAINING.search(each.strip("[]'")) for each in names
    )


def _find_own_tests(choice: _Choice, labels: Set[str]) -> set[tuple[str, str]]:
    """Return (variable, test) pairs for which a choice used only the variable's rows that pass the test.

    A test of the labels does not count, because it only separates the classes in order to compare them.
    """
    return {
        (name, test)
        for name, test, tested in find_filters(choice.origins)
        if name in {*labels, *choice.data} and not tested & (labels - choice.data)
    }


def _is_of_tested(choice: _Choice, labels: Set[str]) -> bool:
    """Return whether a choice was made using only some rows of its data: those that pass a test."""
    passed = {test for _, test, _ in find_filters(choice.data)}
    return any(test not in passed for _, test in _find_own_tests(choice, labels))


def _is_elsewhere(choice: _Choice, labels: Set[str], measured: Set[str]) -> bool:
    """Return whether an accuracy is measured on rows that a choice did not use."""
    seen = _find_variables(unmark_all(choice.origins | choice.data))
    names = _find_variables(measured)
    if PART in measured or not names:
        return False
    own, other = _find_own_tests(choice, labels), {(name, test) for name, test, _ in find_filters(measured)}
    return not names & seen or any(
        name == each and test != tested for name, test in own for each, tested in other - own
    )


def _find_variables(origins: Set[str]) -> set[str]:
    """Return the names of the variables in origins, without their columns."""
    return {each.partition("[")[0] for each in origins} - {PART, RANKED, ORDERED}
