"""Mutants of Python files: the places where code can be mutated, and a random choice among them by a seed.

The syntax tree says which characters to replace; everything else in the file stays as it is.
"""

import ast
import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OPERATORS: dict[type[ast.AST], tuple[str, str, str]] = {
    ast.Lt: ("comparison", "<", "<="),
    ast.LtE: ("comparison", "<=", "<"),
    ast.Gt: ("comparison", ">", ">="),
    ast.GtE: ("comparison", ">=", ">"),
    ast.Eq: ("comparison", "==", "!="),
    ast.NotEq: ("comparison", "!=", "=="),
    ast.In: ("comparison", "in", "not in"),
    ast.NotIn: ("comparison", r"not\s+in", "in"),
    ast.Is: ("comparison", "is", "is not"),
    ast.IsNot: ("comparison", r"is\s+not", "is"),
    ast.And: ("and/or", "and", "or"),
    ast.Or: ("and/or", "or", "and"),
    ast.Add: ("+/-", r"\+", "-"),
    ast.Sub: ("+/-", "-", "+"),
}
"""The kind of mutant, a pattern that finds the operator between its operands, and what takes its place."""

_SHOWN_BYTES = 60
"""How many bytes of the line are shown on each side of a change."""

Edit = tuple[str, int, int, str]
"""The kind of mutant, the first byte to replace, the one after the last, and the replacement."""


@dataclass(frozen=True)
class Mutant:
    """One change to one file; ``before`` and ``after`` are the changed code with its surroundings."""

    path: str
    function: str
    line: int
    kind: str
    text: bytes
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.function or '<module>'} [{self.kind}] {self.before} → {self.after}"


class Source:
    """A file, its syntax tree, and the positions of the nodes; ``enums``: the members of each enum, by its name."""

    def __init__(self, path: str, text: bytes, enums: Mapping[str, Sequence[str]]) -> None:
        self.path, self.text, self.enums = path, text, enums
        self.tree = ast.parse(text)
        self._lines = [0, *itertools.accumulate(map(len, text.splitlines(keepends=True)))]

    def start(self, node: Any) -> int:
        """Return the offset of the node's first byte."""
        return int(self._lines[node.lineno - 1] + node.col_offset)

    def end(self, node: Any) -> int:
        """Return the offset just after the node's last byte."""
        return int(self._lines[node.end_lineno - 1] + node.end_col_offset)

    def code_lines(self) -> int:
        """Count the lines on which a statement or an expression other than a docstring begins."""
        nodes = [node for _, node in walk(self.tree, "") if isinstance(node, ast.stmt | ast.expr)]
        return len({node.lineno for node in nodes if not _is_docstring(node)})

    def mutants(self) -> Iterator[Mutant]:
        """Yield every mutant of the file."""
        for function, node in walk(self.tree, ""):
            for kind, start, end, after in EDITS.get(type(node), _none)(self, node):
                first = max(self.text.rfind(b"\n", 0, start) + 1, start - _SHOWN_BYTES)
                last = min(self.text.find(b"\n", end), end + _SHOWN_BYTES)
                text = self.text[:start] + after.encode() + self.text[end:]
                shown = self.text[first:last], self.text[first:start] + after.encode() + self.text[end:last]
                before, changed = (" ".join(lines.decode(errors="ignore").split()) for lines in shown)
                yield Mutant(self.path, function, self.text.count(b"\n", 0, start) + 1, kind, text, before, changed)


def walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes below ``node``, each with the name of the function or class it is in.

    Nodes in f-strings are left out, because Python 3.11 does not know their positions.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr):
            continue
        name = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{function}.{child.name}".lstrip(".")
        yield name, child
        yield from walk(child, name)


def _is_docstring(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _none(source: Source, node: Any) -> Iterator[Edit]:  # noqa: ARG001
    return iter(())


def _operands(node: Any) -> list[ast.expr]:
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node.target, node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]


def _operators(source: Source, node: Any) -> Iterator[Edit]:
    operands = _operands(node)
    operators = node.ops if isinstance(node, ast.Compare) else [node.op] * (len(operands) - 1)
    for operator, (left, right) in zip(operators, itertools.pairwise(operands), strict=True):
        if type(operator) in OPERATORS:
            kind, pattern, after = OPERATORS[type(operator)]
            between = source.text[source.end(left) : source.start(right)]
            found = re.search(pattern.encode(), re.sub(rb"#.*", lambda comment: b" " * len(comment[0]), between))
            assert found
            yield kind, source.end(left) + found.start(), source.end(left) + found.end(), after


def _negation(source: Source, node: ast.UnaryOp) -> Iterator[Edit]:
    if isinstance(node.op, ast.Not) and (found := re.match(rb"not\s*", source.text[source.start(node) :])):
        yield "not dropped", source.start(node), source.start(node) + found.end(), ""


def _condition(source: Source, node: Any) -> Iterator[Edit]:
    for test in node.ifs if isinstance(node, ast.comprehension) else [node.test]:
        named = any(isinstance(part, ast.NamedExpr) for part in ast.walk(test))
        if not named and not isinstance(test, ast.Constant):  # the name would be missing
            for value in ("False",) if isinstance(node, ast.While) else ("True", "False"):
                yield "condition", source.start(test), source.end(test), value


def _number(source: Source, node: ast.Constant) -> Iterator[Edit]:
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for value in (node.value + 1, node.value - 1):
            yield "number", source.start(node), source.end(node), repr(round(value, 10))


def _member(source: Source, node: ast.Attribute) -> Iterator[Edit]:
    members = source.enums.get(node.value.id, ()) if isinstance(node.value, ast.Name) else ()
    if node.attr in members:
        for other in members:
            if other != node.attr:
                yield "enum member", source.end(node) - len(node.attr), source.end(node), other


def _return(source: Source, node: ast.Return) -> Iterator[Edit]:
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
        return
    start, end = source.start(node.value), source.end(node.value)
    negated = isinstance(node.value, ast.Compare | ast.BoolOp) or _is_truth(node.value)
    yield "return value", start, end, f"not ({source.text[start:end].decode()})" if negated else "None"


def _is_truth(node: ast.expr) -> bool:
    is_negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return is_negation or (isinstance(node, ast.Constant) and isinstance(node.value, bool))


def _call(source: Source, node: ast.Expr) -> Iterator[Edit]:
    if isinstance(node.value, ast.Call | ast.Await):
        yield "call deleted", source.start(node), source.end(node), "pass"


def _handler(source: Source, node: ast.ExceptHandler) -> Iterator[Edit]:
    if not isinstance(node.body[0], ast.Pass):
        yield "exception swallowed", source.start(node.body[0]), source.end(node.body[-1]), "pass"


EDITS: dict[type[ast.AST], Callable[[Source, Any], Iterator[Edit]]] = {
    **dict.fromkeys((ast.Compare, ast.BoolOp, ast.BinOp, ast.AugAssign), _operators),
    **dict.fromkeys((ast.If, ast.While, ast.IfExp, ast.comprehension), _condition),
    ast.UnaryOp: _negation,
    ast.Constant: _number,
    ast.Attribute: _member,
    ast.Return: _return,
    ast.Expr: _call,
    ast.ExceptHandler: _handler,
}


def enums_of(texts: Iterable[bytes]) -> dict[str, list[str]]:
    """Return the members of all enums, by the enum's name."""
    found = {}
    for node in itertools.chain.from_iterable(ast.walk(ast.parse(text)) for text in texts):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Enum") for base in node.bases):
            assigned = [each.targets[0] for each in node.body if isinstance(each, ast.Assign)]
            found[node.name] = [target.id for target in assigned if isinstance(target, ast.Name)]
    return found


def room(path: str) -> str:
    """Return the folder below epochal/ that contains the file, or ``top`` for a file in epochal/ itself."""
    return path.split("/")[1] if path.count("/") > 1 else "top"


def draw(files: Mapping[str, bytes], seed: int, count: int) -> list[Mutant]:
    """Draw ``count`` mutants: step evenly through the code to pick files, then pick a kind and a function by the seed.

    The order is random, so that the first few mutants are also a sample of the whole.
    """
    numbers, enums = random.Random(seed), enums_of(files.values())
    sources = [Source(path, files[path], enums) for path in sorted(files, key=lambda path: (room(path), path))]
    free = [list(source.mutants()) for source in sources]
    ends = list(itertools.accumulate(source.code_lines() for source in sources))
    drawn: list[Mutant] = []
    first = numbers.random()
    for step in range(min(count, len({(each.path, each.function) for mutants in free for each in mutants}))):
        at = next(index for index, end in enumerate(ends) if (step + first) * ends[-1] / count <= end)
        at = next(index % len(free) for index in itertools.count(at) if free[index % len(free)])
        kind = numbers.choice(sorted({mutant.kind for mutant in free[at]}))
        function = numbers.choice(sorted({mutant.function for mutant in free[at] if mutant.kind == kind}))
        drawn.append(numbers.choice([each for each in free[at] if (each.kind, each.function) == (kind, function)]))
        free[at] = [mutant for mutant in free[at] if mutant.function != function]
    numbers.shuffle(drawn)
    return drawn
