"""Recognise a script that deliberately ended with an exit status other than 0 after it had measured its accuracy.

Such a script has its own gate: sys.exit(1), an assert or a raise if the accuracy is not good enough. The measured
accuracy counts, unless the script would have measured it again later.
"""

import ast
from collections.abc import Iterator

from epochal.analysis.detection import read_source
from epochal.analysis.syntax import last_name, parse_tree
from epochal.results.ending import Ending
from epochal.results.exceptions import Frame, Raised
from epochal.results.remedies import Origin

_MEASURES = frozenset(
    {"evaluate", "score", "accuracy_score", "cross_val_score", "cross_validate", "classification_report"}
)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def find_own_gate(exit_status: int, ending: Ending | None, origin: Origin) -> Frame | None:
    """Return the line at which a script deliberately ended with ``exit_status`` after it had measured its accuracy.

    Returns None if it ended for another reason, or if it might have measured the accuracy again after that line.
    """
    if ending is None or not 0 < exit_status < 128:
        return None
    if ending.raised or ending.handled:
        raised = ending.raised or ending.handled
        frames = [frame for frame in raised[0].frames if not frame.is_library]
        is_chosen = len(raised) == 1 and is_own_statement(raised[0], origin)
    elif ending.exit_status is not None:
        frames = [frame for frame in ending.exit_frames if not frame.is_library]
        is_chosen = ending.exit_status == exit_status
    else:
        frames = _find_raised_exit(origin)
        is_chosen = bool(frames)
    if not is_chosen or not frames or any(_measures_later(frame, origin) for frame in frames):
        return None
    return _find_return(frames[-1], origin) or frames[-1]


def is_own_statement(raised: Raised, origin: Origin) -> bool:
    """Return whether the pushed code raised the exception with ``raise``, ``assert`` or an assertion function."""
    if not raised.own_frames:
        return False
    frame, name = raised.own_frames[-1], raised.name
    tree = _parse(frame.path, origin)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.stmt) and node.lineno <= frame.line <= (node.end_lineno or node.lineno):
            if isinstance(node, ast.Assert) or (isinstance(node, ast.Raise) and node.exc is not None):
                return frame == raised.frames[-1]
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and name == "AssertionError" and "assert" in last_name(call.func).lower():
                return True
    return False


def _find_raised_exit(origin: Origin) -> list[Frame]:
    """Locate the script's only ``raise SystemExit``; return an empty list if it is in an ``except`` block."""
    tree = _parse(origin.script, origin)
    if tree is None:
        return []
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    handled = {id(inner) for handler in handlers for inner in ast.walk(handler)}
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and last_name(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) == "SystemExit"
    ]
    return [Frame(origin.script, found[0].lineno)] if len(found) == 1 and id(found[0]) not in handled else []


def _measures_later(frame: Frame, origin: Origin) -> bool:
    """Return whether a frame's function (or module) would measure an accuracy after the frame's line."""
    tree = _parse(frame.path, origin)
    if tree is None:
        return False
    scope = _find_scope(tree, frame.line)
    loops = [
        node
        for node in _walk_scope(scope)
        if isinstance(node, _LOOPS) and node.lineno <= frame.line <= (node.end_lineno or node.lineno)
    ]
    start = min((loop.lineno for loop in loops), default=frame.line + 1)
    calls = [node for node in _walk_scope(scope) if isinstance(node, ast.Call)]
    return any(call.lineno >= start and last_name(call.func) in _MEASURES for call in calls)


def _find_return(frame: Frame, origin: Origin) -> Frame | None:
    """Find the only ``return`` in ``main`` that may produce a nonzero status, for a line such as ``sys.exit(main())``."""
    tree = _parse(frame.path, origin)
    for node in ast.walk(tree) if tree else ():
        if not (
            isinstance(node, ast.Call) and node.lineno == frame.line and node.args and last_name(node.func) == "exit"
        ):
            continue
        inner = node.args[0]
        name = last_name(inner.func) if isinstance(inner, ast.Call) else ""
        for function in ast.walk(tree) if tree else ():
            if isinstance(function, _FUNCTIONS) and function.name == name:
                lines = [
                    each.lineno
                    for each in _walk_scope(function)
                    if isinstance(each, ast.Return)
                    and not (isinstance(each.value, ast.Constant) and each.value.value in (0, None))
                    and each.value is not None
                ]
                return Frame(frame.path, lines[0], name) if len(lines) == 1 else None
    return None


def _parse(path: str, origin: Origin) -> ast.Module | None:
    return parse_tree(read_source(origin.code, path) or "")


def _find_scope(tree: ast.Module, line: int) -> ast.AST:
    """Return the innermost function that contains a line, or the module."""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTIONS) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(functions, key=lambda node: node.lineno, default=tree)


def _walk_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function or module, except those of nested functions."""
    stack = list(ast.iter_child_nodes(scope))
    while stack:
        node = stack.pop()
        if not isinstance(node, _FUNCTIONS):
            yield node
            stack += ast.iter_child_nodes(node)
