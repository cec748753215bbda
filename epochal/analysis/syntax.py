"""Parse a Python module, and find the byte offsets of the literals assigned at its top level."""

import ast
import io
import operator
import re
import tokenize
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from epochal.records import Value

COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
"""Comparison operators in a syntax tree, each with the function that computes it."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)


@lru_cache(maxsize=8)
def parse_tree(source: str | bytes) -> ast.Module | None:
    """Return the syntax tree of a module; None if ``source`` is not valid Python. The last eight results are cached.

    Callers share the tree, so they must not change it.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about the pushed code are not reported
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class Module:
    """A module's syntax tree, with the byte offsets of its nodes in the source."""

    def __init__(self, tree: ast.Module, source: bytes) -> None:
        self.tree = tree
        self._encoding = encoding_of(source).removesuffix("-sig")
        # In Python, only LF, CRLF and CR end a line.
        self._lines = [(line.start(), line.group()) for line in re.finditer(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", source)]

    @classmethod
    def parse(cls, source: bytes) -> "Module | None":
        """Return the parsed module; None if ``source`` is not valid Python."""
        tree = parse_tree(source)
        try:
            return cls(tree, source) if tree else None
        except SyntaxError:  # ast accepts some wrong bytes in comments that tokenize refuses
            return None

    @classmethod
    def read(cls, path: Path) -> "Module | None":
        """Return the module parsed from a file; None if the file cannot be read or is not valid Python."""
        try:
            return cls.parse(path.read_bytes())
        except (OSError, ValueError):  # ValueError: a path with a null byte
            return None

    def scope_nodes(self) -> Iterator[ast.AST]:
        """Yield the nodes in the module's own scope in source order, without entering functions, classes or comprehensions."""
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            yield node
            if not isinstance(node, _SCOPES):
                stack += [*ast.iter_child_nodes(node)][::-1]

    def assignments(self) -> Iterator[tuple[str, ast.expr]]:
        """Yield each name that is assigned a literal at the top level, with the literal, in source order."""
        for node in self.scope_nodes():
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and node.value is not None and literal(node.value) is not None:
                    yield target.id, node.value

    def literal_at(self, start: int, end: int) -> Value | None:
        """Return the value of the literal at the bytes ``start:end`` of the source; None if they are not a literal."""
        return next(
            (
                value
                for node in ast.walk(self.tree)
                if isinstance(node, ast.expr)
                and (value := literal(node)) is not None
                and self.span(node) == (start, end)
            ),
            None,
        )

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return the byte offsets at which ``node`` starts and ends in the source."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        """Return the byte offset of a position given by ``ast``, which counts columns in UTF-8 bytes."""
        start, content = self._lines[line - 1]
        mark = b"\xef\xbb\xbf" if line == 1 and content.startswith(b"\xef\xbb\xbf") else b""
        utf8 = content.removeprefix(mark).decode(self._encoding).encode("utf-8")
        return start + len(mark) + len(utf8[:column].decode("utf-8").encode(self._encoding))


def hide_comments(source: str) -> str:
    """Return a module's source code with each character of its comments and docstrings replaced by a space.

    Code that Python cannot split into tokens is returned unchanged.
    """
    lines = source.split("\n")
    try:
        tokens = [each for each in tokenize.generate_tokens(io.StringIO(source).readline) if each.type != tokenize.NL]
    except (SyntaxError, tokenize.TokenError):
        return source
    code = [each for each in tokens if each.type != tokenize.COMMENT]
    between = zip([None, *code], code, code[1:], strict=False)
    hidden = [each for each in tokens if each.type == tokenize.COMMENT]
    hidden += [each for before, each, after in between if each.type == tokenize.STRING and _is_alone(before, after)]
    for token in hidden:
        (first, start), (last, end) = token.start, token.end
        for number in range(first, last + 1):
            line = lines[number - 1]
            left, right = start if number == first else 0, end if number == last else len(line)
            lines[number - 1] = line[:left] + " " * (right - left) + line[right:]
    return "\n".join(lines)


def _is_alone(before: tokenize.TokenInfo | None, after: tokenize.TokenInfo) -> bool:
    """Return whether a token is a whole statement. ``before``, ``after``: its neighbours, not counting comments."""
    starts = before is None or before.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    return starts and after.type == tokenize.NEWLINE


def encoding_of(source: bytes) -> str:
    """Return the encoding that Python source code declares with a byte order mark or coding cookie (PEP 263).

    Raises SyntaxError if the encoding is unknown or contradictory.
    """
    return tokenize.detect_encoding(io.BytesIO(source).readline)[0]


def text_of(node: ast.AST | None) -> str:
    """Return the value of a string literal, or an empty string for any other node."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def last_name(node: ast.AST) -> str:
    """Return the last part of a name or attribute (``suppress`` in ``contextlib.suppress``); empty for other nodes."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def resolve_imports(tree: ast.AST) -> dict[str, str]:
    """Return a dict that maps each name that the code imports to its full name, as in ``{"K": "keras.backend"}``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str:
    """Return the full name that ``node`` refers to (``keras.optimizers.Adam``); empty if the name was not imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := full_name(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def literal(node: ast.expr) -> Value | None:
    """Return the value of a literal: a number (possibly negative), a string, True or False; None for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bool | int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number = node.operand.value
        return -number if isinstance(number, int | float) and not isinstance(number, bool) else None
    return None
