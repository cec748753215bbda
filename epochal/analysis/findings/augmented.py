"""Find a scope's variables that hold both rows and changed copies of them, such as ``x`` joined with ``x + noise``."""

import ast
from itertools import permutations

from epochal.analysis.findings.copies import find_joined
from epochal.analysis.findings.rows import DATA_METHODS, Rows, read_names
from epochal.analysis.findings.source import GROWING, Step, names_in, root_name
from epochal.analysis.syntax import last_name

_CHANGING_ROWS = frozenset({"drop", "dropna", "sample"})


class AugmentedRows:
    """Each variable's own value and the values that it was computed from.

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
        iterated = frozenset().union(*map(self._of, step.iterated))
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
