"""Find the variables in a scope that hold both rows and modified copies of them, such as ``x`` and ``x + noise``."""

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

from epochal.analysis.findings.copies import find_joined, find_joined_labels, find_joined_list
from epochal.analysis.findings.rows import DATA_METHODS, SPLIT, Rows, read_names
from epochal.analysis.findings.source import GROWING, Branch, Step, elements_of, has_row_slice, names_in, root_name
from epochal.analysis.syntax import last_name, literal

_CHANGING_ROWS = frozenset({"drop", "dropna", "sample"})


@dataclass(frozen=True)
class _Part:
    """Rows that are joined with others, or that a list holds until they are joined.

    ``own``: the value that holds these rows unchanged; empty if they were changed. ``computed_from``: the values that
    they were computed from. ``step``: the statement that computes them. ``whole``: ``own`` and how often it has been
    changed in place; empty if these are only some of the rows, or have a name that suggests so, such as ``y_train``.
    """

    own: str
    computed_from: frozenset[str]
    step: Step
    whole: str


@dataclass(frozen=True)
class RepeatedLabels:
    """A call that joins labels with themselves, and the statement that contains it."""

    call: ast.Call
    step: Step


class AugmentedRows:
    """The value that each variable holds, and the values from which it was computed.

    A value is named after the variable that first held it and the line on which that variable was set.
    """

    def __init__(self, rows: Rows, returns_augmented: Callable[[ast.Call], bool]) -> None:
        """Start with no variables.

        ``returns_augmented``: returns whether a call to a function in the code returns rows and modified copies of them.
        """
        self._rows = rows
        self._returns_augmented = returns_augmented
        self._own: dict[str, str] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._lists: dict[str, list[_Part]] = {}
        self._augmented: dict[str, Step] = {}
        """For each variable that holds both rows and modified copies of them, the statement that joined the two."""
        self._changes = Counter[str]()
        """How often each value has been changed in place."""
        self._repeated: dict[str, RepeatedLabels] = {}
        """For each variable that holds labels joined with themselves, the call that joined them."""

    def is_augmented(self, node: ast.expr, step: Step) -> bool:
        """Return whether an expression in the statement ``step`` is certain to hold rows and modified copies of them."""
        return self._find_join(node, step) is not None

    def find_repeated_labels(self, node: ast.expr, step: Step) -> RepeatedLabels | None:
        """Return the call that joined labels with themselves if an expression holds the whole result; else None.

        The labels may have been collected in a list. The expression must hold labels: for other data, the call may
        join columns instead of rows.
        """
        is_sliced = any(isinstance(each, ast.Subscript) and has_row_slice(each) for each in ast.walk(node))
        is_split = isinstance(node, ast.Call) and self._rows.source.callee(node) == SPLIT
        if is_sliced or is_split or self._rows.is_part(node):
            return None
        read = (self._repeated[name] for name in read_names(node) if name in self._repeated)
        if joined := next((each for each in read if self._has_run(each.step, step)), None):
            return joined
        calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
        return next((RepeatedLabels(each, step) for each in calls if self._repeats_labels(each, step)), None)

    def _repeats_labels(self, call: ast.Call, step: Step) -> bool:
        """Return whether a call joins the elements of a list in which the same value is certain to occur more than once."""
        joined = find_joined_labels(call, self._rows)
        parts = self._parts_in(joined, step) if joined else []
        counts = Counter(each.whole for each in parts if each.whole and self._has_run(each.step, step))
        return any(count > 1 for count in counts.values())

    def _find_join(self, node: ast.expr, step: Step) -> Step | None:
        """Return the statement that joined rows with modified copies if an expression is certain to hold both; else None."""
        read = (self._augmented[name] for name in read_names(node) if name in self._augmented)
        if joined := next((each for each in read if self._has_run(each, step)), None):
            return joined
        inner = (each for each in ast.walk(node) if isinstance(each, ast.Call | ast.Subscript))
        return step if any(self._calls_augmenting(each) or self._joins_computed(each, step) for each in inner) else None

    def _has_run(self, earlier: Step, step: Step) -> bool:
        """Return whether a statement is certain to have run before ``step``, given the flags that the file sets."""
        needed = self._uncertain(earlier)
        return self._uncertain(step)[: len(needed)] == needed

    def _uncertain(self, step: Step) -> Branch:
        """Return the branches that contain a statement, except ``if`` blocks whose condition is a flag that is set."""
        return tuple(each for each in step.branch if each[1] != "if" or not self._is_set(each[0]))

    def _is_set(self, line: int) -> bool:
        """Return whether the condition of the ``if`` statement on a line is a flag that the file sets."""
        source = self._rows.source
        tests = (each.test for each in source.nodes if isinstance(each, ast.If) and each.lineno == line)
        return any(literal(source.resolve(test)) for test in tests)

    def _calls_augmenting(self, node: ast.Call | ast.Subscript) -> bool:
        """Return whether an expression calls a function, or a lambda in a variable, that returns augmented rows."""
        if not isinstance(node, ast.Call):
            return False
        is_lambda = isinstance(node.func, ast.Name) and node.func.id in self._augmented
        return is_lambda or self._returns_augmented(node)

    def _joins_computed(self, node: ast.Call | ast.Subscript, step: Step) -> bool:
        """Return whether an expression joins a value's rows with rows that were computed from them."""
        joined = find_joined_list(node, self._rows) if isinstance(node, ast.Call) else None
        parts = (
            self._parts_in(joined, step)
            if joined
            else [self._part(each, step) for each in find_joined(node, self._rows)]
        )
        parts = [each for each in parts if self._has_run(each.step, step)]
        return any(first.own in second.computed_from for first, second in permutations(parts, 2))

    def _part(self, node: ast.expr, step: Step) -> _Part:
        own = self._name_unchanged(node)
        is_whole = own and not self._rows.is_part(node) and not self._rows.is_named_part(node)
        return _Part(own, self._of(node), step, f"{own}, {self._changes[own]}" if is_whole else "")

    def _parts_in(self, node: ast.expr, step: Step) -> list[_Part]:
        """Return the elements of a list; a comprehension counts as one element."""
        match node:
            case ast.Name(id=name):
                return self._lists.get(name, [])
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self._part(each, step) for each in elements]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._parts_in(left, step) + self._parts_in(right, step)
            case ast.BinOp(left=elements, op=ast.Mult()):
                return self._parts_in(elements, step)
            case ast.ListComp():
                return [self._part(node, step)]
        return []

    def _of(self, node: ast.AST) -> frozenset[str]:
        """Return the values that an expression was computed from."""
        return frozenset().union(*(self._known.get(name, frozenset({name})) for name in read_names(node)))

    def note(self, step: Step) -> None:
        """Record which values were used to compute the variables that a statement assigns or extends."""
        iterated = frozenset().union(*map(self._of, step.iterated))
        changes = [
            (target, value, self._of(value) if value else iterated, self._parts_in(value, step) if value else [])
            for target, value in step.assigned
        ]
        joins = [
            (self._find_join(value, step), self.find_repeated_labels(value, step)) if value else (None, None)
            for _, value, _, _ in changes
        ]
        for (target, value, found, parts), (joined, repeated) in zip(changes, joins, strict=True):
            own = self._name_unchanged(value) if value else ""
            for name in names_in(target):
                self._own[name] = own or f"{name}@{step.node.lineno}"
                self._known[name] = found | {self._own[name]}
                self._lists[name] = parts
                self._augmented.pop(name, None)
                if joined:
                    self._augmented[name] = joined
                self._repeated.pop(name, None)
                if repeated:
                    self._repeated[name] = repeated
            for changed in (root_name(each) for each in elements_of(target) if isinstance(each, ast.Subscript)):
                self._changes[self._own.get(changed, changed)] += 1
                self._add(changed, found)
        for call in step.calls:
            if last_name(call.func) in GROWING and isinstance(call.func, ast.Attribute):
                self._extend(root_name(call.func), call, step)

    def _extend(self, name: str, call: ast.Call, step: Step) -> None:
        """Record what a call such as ``parts.append(x)`` adds to the variable ``name``."""
        self._add(name, frozenset().union(*map(self._of, call.args)))
        for each in call.args[-1:]:
            added = self._parts_in(each, step) if last_name(call.func) == "extend" else [self._part(each, step)]
            self._lists[name] = [*self._lists.get(name, []), *added]

    def _add(self, name: str, found: frozenset[str]) -> None:
        self._known[name] = self._known.get(name, frozenset({name})) | found

    def _name_unchanged(self, node: ast.expr) -> str:
        """Return the name of the value that an expression merely copies or converts; empty if it does something else."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in DATA_METHODS - _CHANGING_ROWS:
                return ""
            node = node.func.value
        return self._own.get(node.id, node.id) if isinstance(node, ast.Name) else ""
