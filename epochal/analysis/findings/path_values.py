"""Trace the path that an expression represents back to its first part, through variables, joins and f-strings."""

import ast
import posixpath
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from epochal.analysis.findings.source import Source
from epochal.analysis.missing_files import find_committed
from epochal.analysis.repeats import describe_lines
from epochal.analysis.syntax import last_name, text_of

_JOINS = frozenset({"join", "Path", "PurePath", "PosixPath"})
_SAME_PATH = frozenset({"str", "fspath", "abspath", "expanduser", "resolve", "absolute"})
"""Functions and methods that return the same path as their argument or the object they are called on."""
_MAX_DEPTH = 20
_COMMIT = 'Commit the file and use its path in the repository, or read it from the folder os.environ["EPOCHAL_DATA"].'
_COMMIT_FOLDER = (
    "Commit the files and use the path of their folder in the repository, or read them from the folder "
    'os.environ["EPOCHAL_DATA"].'
)


@dataclass(frozen=True)
class PathValue:
    """A path, as far as it is known from the source. ``start``, ``end``: the expressions for its first and last parts.

    ``text``: the whole path; None if the source does not contain all its parts. ``names``: the variables that it comes
    from.
    """

    start: ast.expr
    end: ast.expr
    text: str | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PathRead:
    """A path that the code reads from, and the line on which it does so."""

    value: PathValue
    line: int


def trace_path(source: Source, node: ast.expr, depth: int = 0) -> PathValue:
    """Return what is known about the path that an expression stands for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return PathValue(node, node, node.value)
    if isinstance(node, ast.Name) and node.id in source.constants and depth < _MAX_DEPTH:
        found = trace_path(source, source.constants[node.id], depth + 1)
        return replace(found, names=found.names | {node.id})
    if inner := _unwrap(node):
        return trace_path(source, inner, depth)
    parts, separator = _split(node)
    traced = [trace_path(source, each, depth) for each in parts]
    if not traced:
        return PathValue(node, node)
    texts = [each.text for each in traced]
    text = None if None in texts or separator is None else _join(filter(None, texts), separator)
    names = frozenset[str]().union(*(each.names for each in traced))
    return PathValue(traced[0].start, traced[-1].end, text, names)


def _unwrap(node: ast.expr) -> ast.expr | None:
    """Return the path in an expression that merely converts it, as in ``str(path)``; None for any other expression."""
    match node:
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return value
        case ast.Call(func=function, args=[inner]) if last_name(function) in _SAME_PATH:
            return inner
        case ast.Call(func=ast.Attribute(attr=method, value=owner), args=[]) if method in _SAME_PATH:
            return owner
    return None


def _split(node: ast.expr) -> tuple[list[ast.expr], str | None]:
    """Return the parts that an expression joins, and the separator between them (None if unknown)."""
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [left, right], ""
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return [left, right], "/"
        case ast.BinOp(left=left):
            return [left], None
        case ast.JoinedStr(values=values):
            return values, ""
        case ast.Call(func=function, args=given) if last_name(function) in _JOINS:
            return given, "/"
        case ast.Call(func=ast.Attribute(attr="joinpath", value=owner), args=given):
            return [owner, *given], "/"
    return [], None


def is_in_folder(source: Source, node: ast.expr | None, variable: str = "EPOCHAL_DATA") -> bool:
    """Return whether a path starts with the folder named by an environment variable, by default the data folder."""
    start = trace_path(source, node).start if node is not None else None
    match start:
        case ast.Subscript(value=owner, slice=key):
            return source.name_of(owner) == "os.environ" and text_of(key) == variable
        case ast.Call(args=[key, *_]):
            return source.callee(start) in ("os.environ.get", "os.getenv") and text_of(key) == variable
    return False


def explain_foreign_path(path: str, reads: Sequence[PathRead], files: Collection[str]) -> str:
    """Return what to do about a path that exists only on another machine.

    ``reads``: the paths that are read and start with it. ``files``: the paths of the files that a commit would contain.
    """
    tails = _tails(path, reads)
    if tails:
        what = "file" if len({*tails}) == 1 else "files"
        starts = {_find_committed_start(path, tail, files) for tail in tails}
    elif committed := find_committed(_with_slashes(path), files):
        what, starts = "file", {committed}
    else:
        folders = {str(parent) for each in files for parent in PurePosixPath(each).parents}
        what, starts = "folder", {find_committed(_with_slashes(path), folders)}
    start = starts.pop() if len(starts) == 1 else ""
    if not start:
        return _COMMIT_FOLDER if any(tails) else _COMMIT
    slash = "/" if path.endswith(("/", "\\")) else ""
    lines = sorted({each.line for each in reads if "\\" in (each.value.text or "")[len(path) :]})
    slashes = f", and write / instead of \\ on {describe_lines(lines)}" if lines else ""
    return f'The repository contains the {what}, so change the path to "{start}{slash}"{slashes}.'


def _tails(path: str, reads: Sequence[PathRead]) -> list[str]:
    """Return what follows ``path`` in the paths that are read; empty if that is not known for all of them."""
    texts = [_with_slashes(each.value.text or "") for each in reads]
    start = _with_slashes(path)
    return [each[len(start) :] for each in texts] if all(each.startswith(start) for each in texts) else []


def _find_committed_start(path: str, tail: str, files: Collection[str]) -> str:
    """Return what to write instead of ``path`` so that a committed file is read; empty if there is no such file."""
    inner = tail.strip("/")
    committed = find_committed(posixpath.join(_with_slashes(path), inner), files)
    if not inner:
        return committed
    is_whole = f"/{committed}".endswith(f"/{inner}")
    return (committed.removesuffix(inner).rstrip("/") or ".") if is_whole else ""


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/")


def _join(texts: Iterable[str], separator: str) -> str:
    """Join the parts of a path. With a separator, an absolute part replaces those before it, as in ``os.path.join``."""
    first, *others = [*texts] or [""]
    for each in others:
        first = str(PurePosixPath(first, each)) if separator else first + each
    return first
