"""Follow the path that an expression stands for back to where it starts, through variables, joins and f-strings."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from epochal.analysis.findings.source import Source
from epochal.analysis.syntax import last_name, text_of

_JOINS = frozenset({"join", "Path", "PurePath", "PosixPath"})
_SAME_PATH = frozenset({"str", "fspath", "abspath", "expanduser", "resolve", "absolute"})
"""Functions and methods whose result starts like their argument or object."""
_MAX_DEPTH = 20


@dataclass(frozen=True)
class PathValue:
    """A path, as far as the source tells. ``start``: the expression for its beginning.

    ``text``: the whole path; None if the source does not contain all its parts. ``names``: the variables that it comes
    from.
    """

    start: ast.expr
    text: str | None = None
    names: frozenset[str] = frozenset()


def trace_path(source: Source, node: ast.expr, depth: int = 0) -> PathValue:
    """Return what is known about the path that an expression stands for."""
    parts: Iterable[ast.expr] = ()
    separator = "/"
    match node:
        case ast.Constant(value=str(text)):
            return PathValue(node, text)
        case ast.Name(id=name) if name in source.constants and depth < _MAX_DEPTH:
            found = trace_path(source, source.constants[name], depth + 1)
            return replace(found, names=found.names | {name})
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return trace_path(source, value, depth)
        case ast.BinOp(left=left, op=ast.Add() | ast.Div() as operator, right=right):
            parts, separator = (left, right), "/" if isinstance(operator, ast.Div) else ""
        case ast.BinOp(left=left):
            return replace(trace_path(source, left, depth), text=None)
        case ast.JoinedStr(values=[_, *_] as values):
            parts, separator = values, ""
        case ast.Call(func=function, args=[_, *_] as given) if last_name(function) in _JOINS:
            parts = given
        case ast.Call(func=ast.Attribute(attr="joinpath", value=owner), args=given):
            parts = (owner, *given)
        case ast.Call(func=function, args=[inner]) if last_name(function) in _SAME_PATH:
            return trace_path(source, inner, depth)
        case ast.Call(func=ast.Attribute(attr=method, value=owner), args=[]) if method in _SAME_PATH:
            return trace_path(source, owner, depth)
    traced = [trace_path(source, each, depth) for each in parts]
    if not traced:
        return PathValue(node)
    texts = [each.text for each in traced]
    text = None if None in texts else _join(filter(None, texts), separator)
    return PathValue(traced[0].start, text, frozenset[str]().union(*(each.names for each in traced)))


def is_in_data_folder(source: Source, node: ast.expr | None) -> bool:
    """Return whether a path starts with the data folder, ``os.environ["EPOCHAL_DATA"]``."""
    start = trace_path(source, node).start if node is not None else None
    match start:
        case ast.Subscript(value=owner, slice=key):
            return source.name_of(owner) == "os.environ" and text_of(key) == "EPOCHAL_DATA"
        case ast.Call(args=[key, *_]):
            return source.callee(start) in ("os.environ.get", "os.getenv") and text_of(key) == "EPOCHAL_DATA"
    return False


def _join(texts: Iterable[str], separator: str) -> str:
    """Return the parts of a path as one path. As in Python, an absolute part replaces those before it."""
    first, *others = [*texts] or [""]
    for each in others:
        first = str(PurePosixPath(first, each)) if separator else first + each
    return first
