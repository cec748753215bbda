"""Find the loops that contain a statement, and the conditions in these loops that decide whether it runs."""

import ast
from dataclasses import dataclass

from epochal.analysis.findings.source import Scope


@dataclass(frozen=True)
class Guard:
    """The loops that contain a statement, outermost first, and the conditions in them that decide whether it runs."""

    loops: tuple[ast.For, ...] = ()
    tests: tuple[ast.expr, ...] = ()


def find_guards(scope: Scope) -> dict[int, Guard]:
    """Return the ``Guard`` of each statement in a scope, keyed by the statement's ``id()``."""
    found: dict[int, Guard] = {}
    _note_guards(scope.node.body, Guard(), found)
    return found


def _note_guards(body: list[ast.stmt], guard: Guard, found: dict[int, Guard]) -> None:
    for node in body:
        found[id(node)] = guard
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inside = guard
        if isinstance(node, ast.For):
            inside = Guard((*guard.loops, node), guard.tests)
        elif isinstance(node, ast.If) and guard.loops:
            inside = Guard(guard.loops, (*guard.tests, node.test))
        for name in ("body", "orelse", "finalbody"):
            _note_guards(getattr(node, name, []), inside, found)
        if isinstance(node, ast.If) and any(map(_ends_iteration, (node.body, node.orelse))):
            guard = inside


def _ends_iteration(body: list[ast.stmt]) -> bool:
    """Return whether a block ends the current iteration of a loop, or the loop itself."""
    return bool(body) and isinstance(body[-1], ast.Continue | ast.Break)
