"""Hyperparameters: the numbers in nn.py that may change, found and changed by their place in the source.

The standard library's ``ast`` says where a literal stands; a change touches that number's bytes and no other.
"""

import ast
import difflib
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_EPOCHS_NAMES = frozenset(
    {"epochs", "num_epochs", "n_epochs", "nb_epoch", "nb_epochs", "number_of_epochs", "max_epochs", "max_iter"}
)
_FIT_METHODS = frozenset({"fit", "fit_generator"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


@dataclass(frozen=True)
class Constant:
    """A number in the source: what it is called, its value, its line (from 1), and its bytes ``start`` to ``end``."""

    name: str
    value: int | float
    line: int
    start: int
    end: int


def constants(source: bytes) -> list[Constant]:
    """The numbers that are assigned to a name at the module's top level, in order. Empty for what is no Python.

    The blocks of if, try, with and loops belong to the top level, functions and classes do not. Not a constant: a
    tuple's targets, a walrus, what is computed, and ``epochs += 5``. A sign is part of the number; True is none.
    """
    parsed = _Parsed.of(source)
    return [parsed.constant(name, number) for name, number in parsed.assignments()] if parsed else []


def find_epochs(source: bytes) -> Constant | None:
    """The number of epochs to raise, or None.

    The last call of ``.fit`` (or ``.fit_generator``) with ``epochs=`` says where it is: the whole number that stands
    there, or the last one assigned at the module's top level to the name that stands there, whatever it is called.
    Where that gives none: the last top-level constant that is called, in upper or lower case, epochs, num_epochs,
    n_epochs, nb_epoch, nb_epochs, number_of_epochs, max_epochs or (scikit-learn's word) max_iter. A function's own
    variables do not count: where one is what that call says, there is none to raise.
    """
    parsed = _Parsed.of(source)
    if parsed is None:
        return None
    given = parsed.epochs_of_last_fit()
    if given is not None and _is_whole(given):
        return parsed.constant("epochs", given)
    if isinstance(given, ast.Name) and parsed.is_local(given):
        return None
    whole = [(name, number) for name, number in parsed.assignments() if _is_whole(number)]
    followed = [(name, number) for name, number in whole if isinstance(given, ast.Name) and name == given.id]
    named = [(name, number) for name, number in whole if name.lower() in _EPOCHS_NAMES]
    found = followed or named
    return parsed.constant(*found[-1]) if found else None


def change(source: bytes, constant: Constant, value: int | float) -> bytes:
    """``source`` with the number of ``constant`` replaced, every other byte as it was.

    Raises ValueError where nothing would change, where ``constant`` is not of this source, or where the result does not
    say ``value`` at that place.
    """
    if value == constant.value:
        raise ValueError(f"{constant.name} is {value} already")
    text = repr(value).encode("ascii", "replace")
    changed = source[: constant.start] + text + source[constant.end :]
    before, after = _Parsed.of(source), _Parsed.of(changed)
    if before is None or before.number_at(constant.start, constant.end) != constant.value:
        raise ValueError(f"{constant.name} = {constant.value} does not stand in line {constant.line}")
    if after is None or after.number_at(constant.start, constant.start + len(text)) != value:
        raise ValueError(f"{constant.name} cannot be changed to {value} in line {constant.line}")
    return changed


def differ_in_epochs(one: bytes, other: bytes) -> bool:
    """Whether two sources are the same but for the number of epochs, and differ in that."""
    found = find_epochs(one), find_epochs(other)
    if found[0] is None or found[1] is None or found[0].value == found[1].value:
        return False
    return _around(one, found[0]) == _around(other, found[1])


def _around(source: bytes, constant: Constant) -> tuple[bytes, bytes]:
    return source[: constant.start], source[constant.end :]


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """The change of the file ``name`` as ``git diff`` shows it; ``git apply`` takes it where the source is UTF-8."""
    lines = difflib.unified_diff(_text_lines(before), _text_lines(after), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _text_lines(source: bytes) -> list[str]:
    # Lines as git has them: str.splitlines would part them at form feeds too.
    return re.findall(r"[^\n]*\n|[^\n]+", source.decode(_encoding(source), "replace"))


def _encoding(source: bytes) -> str:
    """The encoding by byte order mark or coding cookie (PEP 263). Raises SyntaxError for an unknown one."""
    return tokenize.detect_encoding(io.BytesIO(source).readline)[0]


def _number(node: ast.expr) -> int | float | None:
    """The value of a literal number, with a sign or without; None for anything else (True is no number)."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        inner = _number(node.operand)
        return -inner if inner is not None and isinstance(node.op, ast.USub) else None
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        assert isinstance(node.value, int | float)
        return node.value
    return None


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


class _Parsed:
    """A module, and where its lines begin, in its own bytes."""

    def __init__(self, tree: ast.Module, source: bytes, encoding: str) -> None:
        self._tree = tree
        self._encoding = encoding.removesuffix("-sig")
        # Python's lines end with LF, CRLF or CR alone, and with nothing else.
        self._lines = [(line.start(), line.group()) for line in re.finditer(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", source)]

    @classmethod
    def of(cls, source: bytes) -> "_Parsed | None":
        try:
            with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to tell
                return cls(ast.parse(source), source, _encoding(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def assignments(self) -> Iterator[tuple[str, ast.expr]]:
        """Name and literal of the top level's plain assignments of a number, in order."""
        for statement in _top_level(self._tree):
            for target, value in _assigned(statement):
                if isinstance(target, ast.Name) and value is not None and _number(value) is not None:
                    yield target.id, value

    def epochs_of_last_fit(self) -> ast.expr | None:
        """What the last call of ``fit`` that says it gives for epochs."""
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _calls_fit(node)]
        given = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "epochs"]
        return max(given, key=lambda value: (value.lineno, value.col_offset), default=None)

    def is_local(self, name: ast.Name) -> bool:
        """Whether the function around ``name`` assigns it, so that it is not the module's. (A parameter is: it is handed in.)"""
        functions = [node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        around = [function for function in functions if any(node is name for node in ast.walk(function))]
        return any(
            isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name.id
            for function in around
            for node in ast.walk(function)
        )

    def constant(self, name: str, node: ast.expr) -> Constant:
        value = _number(node)
        assert value is not None
        return Constant(name, value, node.lineno, *self._span(node))

    def number_at(self, start: int, end: int) -> int | float | None:
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
        """The byte of a position of ast's, whose columns count bytes of the line in UTF-8, whatever the file is in."""
        start, content = self._lines[line - 1]
        mark = b"\xef\xbb\xbf" if line == 1 and content.startswith(b"\xef\xbb\xbf") else b""
        utf8 = content.removeprefix(mark).decode(self._encoding).encode("utf-8")
        return start + len(mark) + len(utf8[:column].decode("utf-8").encode(self._encoding))


def _top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when the module runs, in order: those inside of blocks too, those of functions not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS)][::-1]


def _assigned(statement: ast.AST) -> list[tuple[ast.expr, ast.expr | None]]:
    if isinstance(statement, ast.Assign):
        return [(target, statement.value) for target in statement.targets]
    return [(statement.target, statement.value)] if isinstance(statement, ast.AnnAssign) else []


def _calls_fit(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _FIT_METHODS


def literals(source):
    tree = _Parsed.of(source)
    found = []
    if tree is None: return []
    for statement in _top_level(tree._tree):
        for target, value in _assigned(statement):
            if isinstance(target, ast.Name) and value is not None:
                if _number(value) is not None:
                    found.append(tree.constant(target.id, value))
                elif isinstance(value, ast.Constant) and isinstance(value.value, (str, bool)):
                    found.append(Constant(target.id, value.value, value.lineno, *tree._span(value)))
    return found


def change_all(source, changes):
    for constant, value in sorted(changes.items(), key=lambda i: -i[0].start):
        if value != constant.value:
            source = source[:constant.start] + repr(value).encode() + source[constant.end:]
    return source
