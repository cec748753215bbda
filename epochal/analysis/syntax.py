"""A Python module's syntax: which literals its top level gives to names, and where they stand in its own bytes."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from functools import lru_cache

from epochal.records import Value, same

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


class Module:
    """A module's tree, and where its lines begin."""

    def __init__(self, tree: ast.Module, source: bytes) -> None:
        self.tree = tree
        self._encoding = encoding_of(source).removesuffix("-sig")
        # Python's lines end with LF, CRLF or CR alone, and with nothing else.
        self._lines = [(line.start(), line.group()) for line in re.finditer(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", source)]

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, source: bytes) -> "Module | None":
        """The module of ``source``, which is parsed once however often it is asked for; None for what is no Python."""
        try:
            with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to tell
                return cls(ast.parse(source), source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def assignments(self) -> Iterator[tuple[str, ast.expr]]:
        """Name and literal of the top level's plain assignments, in order."""
        for statement in _top_level(self.tree):
            for target, value in _assigned(statement):
                if isinstance(target, ast.Name) and value is not None and literal(value) is not None:
                    yield target.id, value

    def assigned_lines(self) -> dict[str, list[int]]:
        """The lines (from 1) in which the top level gives a name a value of any kind, in order."""
        found: dict[str, list[int]] = {}
        for node in _own_nodes(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id, []).append(node.lineno)
        return {name: sorted(lines) for name, lines in found.items()}

    def has_at(self, start: int, end: int, value: Value) -> bool:
        """Whether exactly the bytes ``start`` to ``end`` are the literal ``value``."""
        return any(
            same(said, value) and self.span(node) == (start, end)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.expr) and (said := literal(node)) is not None
        )

    def span(self, node: ast.expr) -> tuple[int, int]:
        """The bytes that are ``node``: where they start, and where they end."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        """The byte of a position of ast's, whose columns count bytes of the line in UTF-8, whatever the file is in."""
        start, content = self._lines[line - 1]
        mark = b"\xef\xbb\xbf" if line == 1 and content.startswith(b"\xef\xbb\xbf") else b""
        utf8 = content.removeprefix(mark).decode(self._encoding).encode("utf-8")
        return start + len(mark) + len(utf8[:column].decode("utf-8").encode(self._encoding))


def encoding_of(source: bytes) -> str:
    """The encoding by byte order mark or coding cookie (PEP 263). Raises SyntaxError for an unknown one."""
    return tokenize.detect_encoding(io.BytesIO(source).readline)[0]


def last_name(node: ast.expr) -> str:
    """Return the last word of a name or an attribute, as ``suppress`` of ``contextlib.suppress``; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def literal(node: ast.expr) -> Value | None:
    """The value of a literal number (with a sign or without), text, True or False; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bool):
        return node.value
    return number(node)


def number(node: ast.expr) -> int | float | None:
    """The value of a literal number, with a sign or without; None for anything else (True is no number)."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        inner = number(node.operand)
        return -inner if inner is not None and isinstance(node.op, ast.USub) else None
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        assert isinstance(node.value, int | float)
        return node.value
    return None


def _top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when the module runs, in order: those inside of blocks too, those of functions not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS)][::-1]


def _own_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that belongs to the module's own scope."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES + _COMPREHENSIONS):
            waiting += ast.iter_child_nodes(node)


def _assigned(statement: ast.AST) -> list[tuple[ast.expr, ast.expr | None]]:
    if isinstance(statement, ast.Assign):
        return [(target, statement.value) for target in statement.targets]
    return [(statement.target, statement.value)] if isinstance(statement, ast.AnnAssign) else []
