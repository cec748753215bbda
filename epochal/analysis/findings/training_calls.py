"""Tell whether a function is called with training rows alone, before the accuracy is measured on the test rows."""

import ast
from collections.abc import Collection, Iterator

from epochal.analysis.findings.metrics import ACCURACY_CALLS
from epochal.analysis.findings.rows import Rows, are_apart
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_used,
    inputs_of,
    keyword,
    root_name,
)
from epochal.analysis.findings.splits import TEST_NAME, TRAIN_NAME
from epochal.analysis.syntax import last_name


def is_given_training_rows(sources: tuple[Source, ...], function: Scope, names: Collection[str]) -> bool:
    """Return whether every call to a function passes training rows for the parameters ``names``.

    Each call must also be followed by a measurement on test rows; the accuracy measured there is the one that counts.
    """
    uses = [
        node
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.Name | ast.Attribute) and last_name(node) == function.name
    ]
    found = [each for source, scope in find_used(sources) for each in _Calls(source, function, names).follow(scope)]
    return bool(found) and all(found) and len(found) == len(uses)


class _Calls:
    """The calls to a function in a scope, and the accuracies that are measured after them."""

    def __init__(self, source: Source, function: Scope, names: Collection[str]) -> None:
        """Start with no calls. ``names``: the parameters that must receive training rows."""
        self._rows = Rows(source)
        self._function = function
        self._names = names
        self._given: list[bool] = []
        """Whether each call was given training rows, or rows selected by a slice (see ``_slices``)."""
        self._slices: set[str] = set()
        """The rows passed to the calls as slices. They are training rows if the accuracy is measured on the rest."""
        self._results: set[str] = set()
        """The rows that the calls return, in which test rows may be copies of training rows."""

    def follow(self, scope: Scope) -> Iterator[bool]:
        """Yield for each call whether it passes training rows, or False if the last measurement is not on test rows.

        Only a measurement after all the calls counts.
        """
        last: Step | None = None
        is_tested = False
        for step in scope.steps:
            self._rows.note_folds(step)
            calls = [call for call in step.calls if last_name(call.func) == self._function.name]
            for call in calls:
                self._note_given(call)
                last, is_tested = step, False
            for call in step.calls if last and last.follows(step) else ():
                if last_name(call.func) in ACCURACY_CALLS:
                    is_result = any(map(self._is_of_result, call.args))
                    is_tested = self._is_of_test(call) or (is_tested and not is_result)
            self._assign(step, is_result=bool(calls))
            self._rows.note_folds(step)
        yield from (each and is_tested for each in self._given)

    def _note_given(self, call: ast.Call) -> None:
        """Record whether a call passes training rows, or rows selected by a slice."""
        given = self._find_given(call)
        others = [self._rows.of(each) if each else "" for each in given if not self._is_training(each)]
        self._given.append(bool(given) and all(others))
        self._slices.update(others)

    def _find_given(self, call: ast.Call) -> list[ast.expr | None]:
        """Return what a call passes for each of the parameters that must receive training rows."""
        if isinstance(self._function.node, ast.Module):
            return []
        arguments = self._function.node.args
        parameters = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        return [keyword(call, name, parameters.index(name) if name in parameters else None) for name in self._names]

    def _is_training(self, node: ast.expr | None) -> bool:
        name = root_name(node)
        return name not in self._rows.test_indices and (self._rows.is_part(node) or bool(TRAIN_NAME.search(name)))

    def _is_of_test(self, call: ast.Call) -> bool:
        """Return whether a call that measures an accuracy is given test rows, or the labels of test rows."""
        if self._slices:
            measured = [self._rows.of(each) for each in inputs_of(call)]
            are_same = len({each.partition("[")[2] for each in self._slices}) == 1
            return are_same and any(are_apart(each, rows) for each in self._slices for rows in measured)
        names = (each for each in ast.walk(call) if isinstance(each, ast.Name))
        return any(
            (each.id in self._rows.test_indices or TEST_NAME.search(each.id)) and not self._is_of_result(each)
            for each in names
        )

    def _is_of_result(self, node: ast.AST) -> bool:
        """Return whether an expression depends on what the calls return."""
        return not self._results.isdisjoint(self._rows.depends_on(node))

    def _assign(self, step: Step, *, is_result: bool) -> None:
        """Record the rows that a statement assigns. ``is_result``: whether it calls the function."""
        changes = [
            (target, value, self._rows.depends_on(value) if value else self._rows.depends_of_loop(step))
            for target, value in step.assigned
        ]
        for target, value, depends in changes:
            self._rows.assign(target, value, step.node.lineno)
            found = self._rows.note_dependencies(target, depends)
            self._results |= found if is_result else frozenset()
