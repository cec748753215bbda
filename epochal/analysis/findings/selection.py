"""Find columns that a script chooses using the labels of all rows before it splits the data.

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
from epochal.analysis.findings.metrics import find_measurement
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
from epochal.analysis.findings.source import Scope, Source, Step, find_used, is_literal, keyword, root_name
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, TRAIN_NAME
from epochal.analysis.syntax import last_name

_LABELLED = frozenset({"fit", "score", "evaluate", "train_test_split", "split"})
"""Functions that take rows and their labels as the first two arguments."""
_MEASURING = frozenset({"accuracy_score", "evaluate", "score"})
"""Functions that measure an accuracy on the rows and labels, or the labels and predictions, that they are given."""
_TRAINING = re.compile(r"^(?:[xy]_?)?(?:train|training|tr)(?:$|[_\d])|_(?:train|tr)$", re.IGNORECASE)
"""Matches names of variables and keys that hold training rows, such as ``Xtrain``, ``xtr`` and ``x_train``."""


@dataclass(frozen=True)
class _Choice:
    """A choice of columns.

    ``origins``: what determined the choice (see ``Origins``); ``data``: the origins of the data whose columns are
    chosen. ``sliced``: the line on which only some rows of that data were taken; 0 if all rows were kept.
    ``deciding``: the expressions that decide on the columns. ``reorders``: whether all columns are kept, in another order.
    """

    step: Step
    origins: frozenset[str]
    data: frozenset[str]
    sliced: int = 0
    deciding: tuple[ast.expr, ...] = ()
    reorders: bool = False


def find_chosen_before_split(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each choice of columns that depends on the labels of all rows and precedes the split."""
    functions = [(source, scope) for source in sources for scope in source.scopes if scope.name]
    results = {scope.name: find_result(source, scope) for source, scope in functions}
    choosers = {scope.name: _Choices(source, scope, results).find_returned() for source, scope in functions}
    _, path, line = find_measurement(sources) or ("", "", 0)
    for source, scope in find_used(sources):
        yield from _Choices(source, scope, results, choosers).follow(line if source.path == path else 0)


class _Choices:
    """The choices of columns in a scope, traced to where the data is split."""

    def __init__(
        self,
        source: Source,
        scope: Scope,
        results: Mapping[str, Result],
        choosers: Mapping[str, Result | None] | None = None,
    ) -> None:
        """Start with no choices. ``choosers``: the functions that return columns chosen from their first argument."""
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

    def follow(self, measured: int) -> Iterator[Finding]:
        """Yield a finding for each choice that depends on the labels of all rows.

        ``measured``: the line of the call that measures the accuracy, if it is known and in this file.
        """
        rows: list[frozenset[str]] = []
        labels: set[str] = set()
        splits: list[tuple[_Choice, str, ast.Call]] = []
        nodes: list[ast.expr] = []
        for step in self._scope.steps:
            for call in step.calls:
                labels |= self._find_labels(call)
                nodes += [node for node in [self._label_node(call)] if node]
                if call.lineno == measured and last_name(call.func) in _MEASURING:
                    rows = self._find_measured(call)
                splits += [
                    (choice, where, call)
                    for choice, where in self._find_splits(call, step)
                    if step.follows(choice.step)
                ]
            self._note(step)
        tests = {key: each.tests for key, each in self._guards.items()}
        reads = LabelReads(self._scope, tests, self._readers)
        reported = set()
        for choice, where, call in splits:
            used = choice.origins & (labels - choice.data)
            own = self._label_node(call)
            is_sound = (
                _is_of_part(choice, labels)
                or _is_of_tested(choice, labels)
                or (rows and all(_is_elsewhere(choice, labels, each) for each in rows))
                or not any(
                    reads.lead_to(choice.deciding, _last_line(choice), node) for node in ([own] if own else nodes)
                )
            )
            if used and not is_sound and choice.step.node.lineno not in reported:
                reported.add(choice.step.node.lineno)
                yield self._report(choice, where, last_name(call.func))

    def _report(self, choice: _Choice, where: str, name: str) -> Finding:
        """Return the finding about a choice. ``name``: the function that splits or uses the data."""
        remedy = "Split first, and choose the columns using only the training rows."
        if name in CROSS_VALIDATIONS:
            remedy = (
                f"Pass all columns and make_pipeline(SelectKBest(…), model) to {name}(), so that the columns are chosen "
                "separately in each fold."
            )
        elif name == "split":
            remedy = "Choose the columns separately in each fold, using only its training rows."
        return Finding(
            "chosen_before_split",
            self._source.path,
            choice.step.node.lineno,
            f"The labels of all rows are used to choose the columns {where}, so the choice depends on the "
            f"{'validation' if 'validation' in where else 'test'} labels.",
            remedy,
        )

    def find_returned(self) -> Result | None:
        """Return the choice in the function's result if an argument or column that may hold labels determined it."""
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
        changed = self._find_changed(step.node)
        found = self._choices_of(changed, step) if changed else frozenset()
        self._origins.assign(step, self._guards.get(id(step.node), Guard()))
        for target, choices in changes:
            self._assign(target, choices)
        if found and (name := root_name(changed)):
            self._chosen[name] = self._chosen.get(name, frozenset()) | found

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
        """Return the origins of the rows and of the labels or predictions that a call measures an accuracy on."""
        given = [*call.args, *(each.value for each in call.keywords)][:2]
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

    def _find_splits(self, call: ast.Call, step: Step) -> Iterator[tuple[_Choice, str]]:
        """Yield each choice of columns in the data that a call splits or uses only in part.

        Each is paired with a phrase for the finding, such as "before the split".
        """
        name = last_name(call.func)
        position = 1 if name in CROSS_VALIDATIONS else 0
        if len(call.args) <= position or name not in _LABELLED | CROSS_VALIDATIONS:
            return
        data = call.args[position]
        for choice in sorted(self._choices_of(data, step), key=lambda each: each.step.node.lineno):
            if choice.reorders:
                continue
            if name in SPLITS or name in CROSS_VALIDATIONS:
                yield choice, f"before {name}() on line {call.lineno}"
            elif name == "fit" and PART in choice.data:
                yield choice, "before the split"
            elif name == "fit" and keyword(call, "validation_split"):
                yield choice, f"before fit() splits off validation data on line {call.lineno}"
            elif choice.sliced:
                yield choice, f"before the split on line {choice.sliced}"

    def _choices_of(self, value: ast.expr, step: Step) -> frozenset[_Choice]:
        """Return the choices of columns that an expression makes or contains; none if it has all columns."""
        sliced = step.node.lineno if isinstance(value, ast.Subscript) and self._origins.takes_rows(value) else 0
        found = set[_Choice]()
        for each in ast.walk(value):
            if isinstance(each, ast.Name):
                found |= {
                    replace(earlier, sliced=earlier.sliced or sliced, reorders=earlier.reorders and not _cuts(value))
                    for earlier in self._chosen.get(each.id, frozenset())
                }
            elif isinstance(each, ast.Call) and each.args and (chooser := self._choosers.get(last_name(each.func))):
                origins = self._origins.apply(chooser, each)
                found.add(_Choice(step, origins, self._origins.of(each.args[0]), sliced, (each,)))
            elif chosen := self._find_columns(each):
                found |= self._make_choice(*chosen, step, sliced)
        stacked = self._of_stacked(value)
        return frozenset(replace(each, data=each.data | stacked) for each in found)

    def _of_stacked(self, value: ast.expr) -> frozenset[str]:
        """Return the origins of the tables that an expression puts one below the other: each has the same columns."""
        calls = (each for each in ast.walk(value) if isinstance(each, ast.Call) and last_name(each.func) == "concat")
        return frozenset[str]().union(
            *(self._origins.of(call.args[0]) for call in calls if call.args and not is_of_columns(call, 1))
        )

    def _make_choice(self, data: ast.expr, columns: ast.expr, step: Step, sliced: int) -> frozenset[_Choice]:
        """Return the choice of ``columns`` of ``data``; none if no ranking, comparison or sort determines them."""
        guard = self._guards.get(id(step.node), Guard())
        condition = self._origins.of_guard(guard)
        origins = self._origins.of(columns) | condition
        if condition:  # the loop as a whole makes the choice
            step = Step(step.node, self._branches[id(guard.loops[0])])
        reorders = RANKED not in origins
        choice = _Choice(step, origins, self._origins.of(data), sliced, (columns, *guard.tests), reorders)
        return frozenset({choice} if not reorders or ORDERED in origins else ())

    def _find_columns(self, node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
        """Return the data and the expression for the chosen or dropped columns; None if ``node`` chooses no columns."""
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
        for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            name = root_name(each)
            if isinstance(each, ast.Name):
                self._chosen.pop(name, None)
            if choices and name:
                self._chosen[name] = self._chosen.get(name, frozenset()) | choices


def _may_be_labels(origin: str, parameters: Collection[str]) -> bool:
    """Return whether an origin is a parameter of a function, or a column with a fixed name.

    The column that a loop has reached has no fixed name.
    """
    return origin in parameters or origin.startswith("['") or origin[1:-1] in parameters or origin[1:-1].isupper()


def _last_line(choice: _Choice) -> int:
    return choice.step.node.end_lineno or choice.step.node.lineno


def _cuts(node: ast.expr) -> bool:
    """Return whether an expression may take the first or last columns of data."""
    return any(
        (isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Tuple))
        or (isinstance(each, ast.Call) and last_name(each.func) in {"delete", "drop", "filter", "take"})
        or (isinstance(each, ast.Attribute) and each.attr in {"T", "columns"})
        for each in ast.walk(node)
    )


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
    """Return (variable, test) pairs: a choice was made using only those rows of the variable that pass the test.

    A test of the labels does not count, because it only separates the classes in order to compare them.
    """
    return {
        (name, test)
        for name, test, tested in find_filters(choice.origins)
        if name in {*labels, *choice.data} and not tested & (labels - choice.data)
    }


def _is_of_tested(choice: _Choice, labels: Set[str]) -> bool:
    """Return whether a choice was made using only rows that pass a test, although its data includes other rows."""
    passed = {test for _, test, _ in find_filters(choice.data)}
    return any(test not in passed for _, test in _find_own_tests(choice, labels))


def _is_elsewhere(choice: _Choice, labels: Set[str], measured: Set[str]) -> bool:
    """Return whether an accuracy is measured on rows other than those that a choice was made with."""
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
