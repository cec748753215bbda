"""Find the variables of a scope that are certain to depend only on training rows."""

import ast
import builtins
import re
from collections.abc import Iterable

from epochal.analysis.findings.rows import SPLIT
from epochal.analysis.findings.source import Source, Step, elements_of, names_in, root_name

_COMPUTING = re.compile(r"(?:numpy|pandas|scipy|math|itertools|operator|sklearn\.feature_selection)(?:\.|$)")
"""Matches the names of packages whose functions compute something from their arguments alone."""


class ComputingNames:
    """The names in a file that refer to functions whose results depend only on their arguments."""

    def __init__(self, source: Source) -> None:
        """Find the names of built-in and imported functions, and of the file's functions that use only these."""
        self.builtins = set(dir(builtins)) - {"open"} - _find_set(source.tree)
        imported = {name for name, full in source.names.items() if _COMPUTING.match(full)}
        known = self.builtins | imported
        self.all = known | {each.name for each in source.scopes if each.name and _find_read(each.node) <= known}


class TrainingValues:
    """Variables that are certain to depend only on constants and the training rows that train_test_split() returns."""

    def __init__(self, source: Source, computing: ComputingNames) -> None:
        """Start with no variables. ``computing``: the ``ComputingNames`` of the file ``source``."""
        self._source = source
        self._computing = computing
        self._steps: dict[str, Step] = {}
        """For each variable: the statement that set it."""

    def cover(self, expressions: Iterable[ast.AST], step: Step) -> bool:
        """Return whether ``expressions`` in the statement ``step`` depend only on constants and training rows."""
        read = {name for each in expressions for name in _find_read(each)}
        names = read - self._computing.all
        is_certain = bool(names) or read <= self._computing.builtins  # a function of a package may load all rows
        return is_certain and all(name in self._steps and step.follows(self._steps[name]) for name in names)

    def note(self, step: Step, conditions: Iterable[ast.expr]) -> None:
        """Add or remove the variables that a statement sets or changes, depending on their new values.

        ``conditions``: the iterables of the loops around it, and the tests in them that decide whether it runs.
        """
        conditions = [*conditions]
        changes = [
            (name, is_training, isinstance(each, ast.Name))
            for target, value in step.assigned
            for position, each in enumerate(elements_of(target))
            for name in {*names_in(each), root_name(each)} - {""}
            for is_training in [self._is_training(each, value, position, conditions, step)]
        ]
        for call in step.calls:
            if isinstance(call.func, ast.Attribute) and isinstance(step.node, ast.Expr):
                name = root_name(call.func)
                changes.append((name, self.cover([call, *conditions], step), False))
        for name, is_training, is_new in changes:
            if not is_training:
                self._steps.pop(name, None)
            elif is_new:
                self._steps[name] = step

    def _is_training(
        self, target: ast.expr, value: ast.expr | None, position: int, conditions: list[ast.expr], step: Step
    ) -> bool:
        """Return whether the part of ``value`` assigned to ``target`` depends only on constants and training rows.

        ``position``: the position of this part in ``value``.
        """
        if isinstance(value, ast.Call) and self._source.callee(value) == SPLIT:
            return position % 2 == 0
        changed = [] if isinstance(target, ast.Name) else [target]
        return self.cover([*([value] if value else step.iterated), *changed, *conditions], step)


def _find_read(node: ast.AST) -> set[str]:
    """Return the variables that a node reads, except those that it sets itself, such as a comprehension's variable."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - _find_set(node)


def _find_set(node: ast.AST) -> set[str]:
    """Return the variables that a node assigns and the parameters that it declares."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
