"""Find what the variables of a scope were computed from.

This shows which hold rows together with changed copies, as ``x`` joined with ``x + noise`` does, and which depend only on
training rows.
"""

import ast
import builtins
import re
from collections.abc import Iterable
from itertools import permutations

from epochal.analysis.findings.copies import find_joined
from epochal.analysis.findings.rows import DATA_METHODS, SPLIT, Rows, read_names
from epochal.analysis.findings.source import GROWING, Scope, Source, Step, elements_of, names_in, root_name
from epochal.analysis.syntax import last_name

_CHANGING_ROWS = frozenset({"drop", "dropna", "sample"})
_COMPUTING = re.compile(r"(?:numpy|pandas|scipy|math|itertools|operator|sklearn\.feature_selection)(?:\.|$)")
"""Matches the names of packages whose functions compute something from their arguments."""


class Ancestry:
    """The values that each variable was computed from, including its own.

    A value is named after the variable that first held it and the line on which that variable was set.
    """

    def __init__(self, rows: Rows) -> None:
        """Start with no variables."""
        self._rows = rows
        self._own: dict[str, str] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._augmented: set[str] = set()

    def is_augmented(self, node: ast.expr) -> bool:
        """Return whether an expression joins rows with changed copies of them, or reads a variable that holds both."""
        inner = (each for each in ast.walk(node) if isinstance(each, ast.Call | ast.Subscript))
        return not self._augmented.isdisjoint(read_names(node)) or any(map(self._joins_computed, inner))

    def _joins_computed(self, node: ast.Call | ast.Subscript) -> bool:
        """Return whether an expression joins a variable's rows with rows that were computed from them."""
        return any(
            isinstance(first, ast.Name) and self._own.get(first.id, first.id) in self._of(second)
            for first, second in permutations(find_joined(node, self._rows), 2)
            if ast.unparse(first) != ast.unparse(second)
        )

    def _of(self, node: ast.AST) -> frozenset[str]:
        """Return the values that an expression was computed from."""
        return frozenset().union(*(self._known.get(name, frozenset({name})) for name in read_names(node)))

    def note(self, step: Step) -> None:
        """Record which values were used to compute the variables that a statement assigns or extends."""
        loops = [each.iter for each in step.nodes if isinstance(each, ast.For | ast.comprehension)]
        iterated = frozenset().union(*map(self._of, loops))
        changes = [(target, value, self._of(value) if value else iterated) for target, value in step.assigned]
        are_augmented = [bool(value and self.is_augmented(value)) for _, value, _ in changes]
        for (target, value, found), is_augmented in zip(changes, are_augmented, strict=True):
            own = self._name_unchanged(value) if value else ""
            for name in names_in(target):
                self._own[name] = own or f"{name}@{step.node.lineno}"
                self._known[name] = found | {self._own[name]}
            names = names_in(target)
            self._augmented = self._augmented | names if is_augmented else self._augmented - names
            if isinstance(target, ast.Subscript):
                self._add(root_name(target), found)
        for call in step.calls:
            if last_name(call.func) in GROWING and isinstance(call.func, ast.Attribute):
                self._add(root_name(call.func), frozenset().union(*map(self._of, call.args)))

    def _add(self, name: str, found: frozenset[str]) -> None:
        self._known[name] = self._known.get(name, frozenset({name})) | found

    def _name_unchanged(self, node: ast.expr) -> str:
        """Return the name of the value that an expression merely copies or converts; empty if it does something else."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in DATA_METHODS - _CHANGING_ROWS:
                return ""
            node = node.func.value
        return self._own.get(node.id, node.id) if isinstance(node, ast.Name) else ""


class TrainingValues:
    """The variables that are certain to depend on nothing but constants and the training rows of train_test_split()."""

    def __init__(self, source: Source) -> None:
        """Start with no variables."""
        self._source = source
        self._steps: dict[str, Step] = {}
        """For each variable: the statement that set it."""
        self._builtins = set(dir(builtins)) - {"open"} - _find_set(source.tree)
        self._known = set(self._builtins)
        self._known |= {name for name, full in source.names.items() if _COMPUTING.match(full)}
        self._known |= {each.name for each in source.scopes if each.name and _reads_nothing_else(each, self._known)}

    def cover(self, expressions: Iterable[ast.AST], step: Step) -> bool:
        """Return whether ``expressions``, in the statement ``step``, depend on nothing else."""
        read = {name for each in expressions for name in _find_read(each)}
        names = read - self._known
        is_certain = bool(names) or read <= self._builtins  # a function of a package may load all rows
        return is_certain and all(name in self._steps and step.follows(self._steps[name]) for name in names)

    def note(self, step: Step, conditions: Iterable[ast.expr]) -> None:
        """Record the variables that a statement sets or changes. ``conditions``: what decides whether it runs in a loop."""
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
        """Return whether the part of a value at ``position``, which is assigned to ``target``, depends on nothing else."""
        if isinstance(value, ast.Call) and self._source.callee(value) == SPLIT:
            return position % 2 == 0
        loops = [each.iter for each in step.nodes if isinstance(each, ast.For | ast.comprehension)]
        changed = [] if isinstance(target, ast.Name) else [target]
        return self.cover([*([value] if value else loops), *changed, *conditions], step)


def _reads_nothing_else(function: Scope, known: set[str]) -> bool:
    """Return whether a function reads only its own variables, and names that are ``known``."""
    return _find_read(function.node) <= known


def _find_read(node: ast.AST) -> set[str]:
    """Return the variables that a node reads, without those that it sets itself, as a comprehension does."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - _find_set(node)


def _find_set(node: ast.AST) -> set[str]:
    """Return the variables and parameters that a node sets."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
