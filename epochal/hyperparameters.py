"""Hyperparameters: the numbers in nn.py that may change, found and changed by their place in the source.

The standard library's ``ast`` says where a literal stands; a change touches that number's bytes and no other.
"""

import ast
import difflib
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_EPOCHS_NAMES = frozenset(
    {"epochs", "num_epochs", "n_epochs", "nb_epoch", "nb_epochs", "number_of_epochs", "max_epochs", "max_iter"}
)
_FIT_METHODS = frozenset({"fit", "fit_generator"})
_EPOCHS_KEYWORDS = frozenset({"epochs", "nb_epoch"})
_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)


@dataclass(frozen=True)
class Constant:
    """A number in the source: what it is called, its value, its line (from 1), and its bytes ``start`` to ``end``."""

    name: str
    value: int | float
    line: int
    start: int
    end: int


def constants(source: bytes) -> list[Constant]:
    """The numbers that the module assigns to a name at its top level, in order. Empty for source that does not parse.

    Not a constant: what is assigned to several targets, computed, or changed in place (``epochs += 5``).
    """
    parsed = _Parsed.of(source)
    return [parsed.constant(name, value) for name, value in parsed.assignments()] if parsed else []


def find_epochs(source: bytes) -> Constant | None:
    """The number of epochs to raise, or None.

    What the last ``fit(epochs=…)`` says: a literal itself, or the last top-level constant of the name that stands there. Where
    no call says it so, a top-level constant called ``epochs``, ``num_epochs``, ``EPOCHS`` or the like.
    """
    parsed = _Parsed.of(source)
    if parsed is None:
        return None
    whole = [(name, value) for name, value in parsed.assignments() if isinstance(_number(value), int)]
    for given in reversed(parsed.fit_epochs()):
        if isinstance(_number(given), int):
            return parsed.constant("epochs", given)
        if isinstance(given, ast.Name):
            same = [(name, value) for name, value in whole if name == given.id]
            return parsed.constant(*same[-1]) if same else None
    named = [(name, value) for name, value in whole if name.lower() in _EPOCHS_NAMES]
    return parsed.constant(*named[-1]) if named else None


def change(source: bytes, constant: Constant, value: int | float) -> bytes:
    """``source`` with the number of ``constant`` replaced, every other byte as it was.

    Raises ValueError where nothing would change, or where the result does not say ``value`` at that place.
    """
    if value == constant.value:
        raise ValueError(f"{constant.name} is {value} already")
    text = repr(value).encode("ascii")
    changed = source[: constant.start] + text + source[constant.end :]
    parsed = _Parsed.of(changed)
    if parsed is None or parsed.value_at(constant.start, constant.start + len(text)) != value:
        raise ValueError(f"{constant.name} cannot be changed to {value} in line {constant.line}")
    return changed


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """The change as ``git diff`` would show it, for people."""
    old, new = (source.decode("utf-8", "replace").splitlines() for source in (before, after))
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _number(node: ast.expr) -> int | float | None:
    """The value of a literal number, with a sign or without; None for anything else (True is no number)."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand) if isinstance(node.operand, ast.Constant) else None
        return None if inner is None else (-inner if isinstance(node.op, ast.USub) else inner)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        assert isinstance(node.value, int | float)
        return node.value
    return None


class _Parsed:
    """A module, and where its lines begin, in its own bytes."""

    def __init__(self, tree: ast.Module, source: bytes, encoding: str) -> None:
        self._tree = tree
        self._source = source
        self._encoding = encoding
        self._lines = _split_lines(source)

    @classmethod
    def of(cls, source: bytes) -> "_Parsed | None":
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            return cls(ast.parse(source), source, encoding)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def assignments(self) -> list[tuple[str, ast.expr]]:
        """Name and literal of the top level's plain assignments, in order."""
        found = []
        for statement in _top_level(self._tree.body):
            target, value = _assigned(statement)
            if isinstance(target, ast.Name) and value is not None and _number(value) is not None:
                found.append((target.id, value))
        return found

    def fit_epochs(self) -> list[ast.expr]:
        """What the calls of ``fit`` give for epochs, in the order of the source."""
        calls = [
            node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FIT_METHODS
        ]
        calls.sort(key=lambda call: (call.lineno, call.col_offset))
        return [keyword.value for call in calls for keyword in call.keywords if keyword.arg in _EPOCHS_KEYWORDS]

    def constant(self, name: str, node: ast.expr) -> Constant:
        value = _number(node)
        assert value is not None
        return Constant(name, value, node.lineno, *self._span(node))

    def value_at(self, start: int, end: int) -> int | float | None:
        """The number that stands in exactly these bytes; None if none does."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.expr) and _number(node) is not None and self._span(node) == (start, end):
                return _number(node)
        return None

    def _span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        """The byte of the file for a position of ast's, whose columns count the bytes of the line as UTF-8 (docs of ast)."""
        start, content = self._lines[line - 1]
        bom = 3 if line == 1 and content.startswith(b"\xef\xbb\xbf") else 0
        text = content[bom:].decode(self._encoding, "surrogateescape")
        before = text.encode("utf-8", "surrogateescape")[:column].decode("utf-8", "surrogateescape")
        return start + bom + len(before.encode(self._encoding.removesuffix("-sig"), "surrogateescape"))


def _split_lines(source: bytes) -> list[tuple[int, bytes]]:
    """Where each line begins, and its bytes. Python's lines end with LF, CRLF or CR alone."""
    lines = []
    start = 0
    for line in source.replace(b"\r\n", b"\n\n").replace(b"\r", b"\n").split(b"\n"):
        lines.append((start, line))
        start += len(line) + 1
    return [(start, line) for start, line in lines if not (line == b"" and source[start - 1 : start + 1] == b"\r\n")]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported or run, those inside of if, try, with and loops included."""
    for statement in body:
        yield statement
        if isinstance(statement, _BLOCKS):
            for field in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)


def _assigned(statement: ast.stmt) -> tuple[ast.expr | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AnnAssign):
        return statement.target, statement.value
    return None, None
