"""Find which statements in a Python file bind a name, in which scope, and under which conditions."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from epochal.analysis.syntax import Module

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Binding:
    """A syntax node that binds a name.

    ``statement``: the statement, assignment expression, parameter or ``with`` target. ``value``: the expression
    assigned to the name; None if there is no single expression, as for a loop variable.
    """

    statement: ast.AST
    value: ast.expr | None = None


class Unit:
    """A parsed Python file, with the bindings of its names.

    ``path``: the file's path relative to the root folder of the code.
    """

    def __init__(self, path: str, module: Module) -> None:
        self.path = path
        self.module = module
        self.nodes = list(ast.walk(module.tree))
        self._parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self._bindings: dict[tuple[Scope, str], list[Binding]] = {}
        self.star_imports = [
            node for node in self.nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        ]
        self._globals = {
            (self.scope(node), name) for node in self.nodes if isinstance(node, ast.Global) for name in node.names
        }
        for node in self.nodes:
            for name, binding in _bind(node):
                scope = self.scope(node)
                if (scope, name) in self._globals:
                    scope = module.tree
                self._bindings.setdefault((scope, name), []).append(binding)
        for bindings in self._bindings.values():
            bindings.sort(key=lambda binding: position(binding.statement))

    def __contains__(self, node: ast.AST) -> bool:
        """Return whether a node was parsed from the file, rather than created by the analysis."""
        return node in self._parents

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around ``node``, from the innermost to the module."""
        while node in self._parents:
            node = self._parents[node]
            yield node

    def scope(self, node: ast.AST) -> Scope:
        """Return the innermost scope (function, class or module) around ``node``; for a parameter, its function."""
        for each in self.ancestors(node):
            if isinstance(each, _SCOPES):
                return each
        return self.module.tree

    def function(self, node: ast.AST) -> Function | None:
        """Return the innermost function definition around ``node``; None outside functions."""
        return next((each for each in self.ancestors(node) if isinstance(each, Function)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the innermost class around ``node``; None outside classes."""
        return next((each for each in self.ancestors(node) if isinstance(each, ast.ClassDef)), None)

    def find_scope(self, node: ast.AST, name: str) -> Scope | None:
        """Return the scope of the variable that ``name`` refers to at ``node``; None if the module does not bind it."""
        own = self.scope(node)
        scopes = [each for each in self.ancestors(node) if isinstance(each, _SCOPES)] or [self.module.tree]
        for scope in scopes:
            if isinstance(scope, ast.ClassDef) and scope is not own:
                continue  # functions do not see the variables of a class around them
            if (scope, name) in self._bindings:
                return scope
        return None

    def bindings(self, scope: Scope, name: str) -> list[Binding]:
        """Return the bindings of a name in a scope, in source order."""
        return self._bindings.get((scope, name), [])

    def names(self) -> list[tuple[Scope, str]]:
        """Return all names that the file binds, with their scopes, in the order of their first binding."""
        return sorted(self._bindings, key=lambda key: position(self._bindings[key][0].statement))

    def branches(self, node: ast.AST) -> list[tuple[ast.If, bool]]:
        """Return each ``if`` statement around ``node`` in the same function, and whether its body contains ``node``.

        If the body does not contain ``node``, the ``else`` branch does.
        """
        found = []
        child = node
        for each in self.ancestors(node):
            if isinstance(each, _SCOPES):
                break
            if isinstance(each, ast.If) and child is not each.test:
                found.append((each, child in each.body))
            child = each
        return found

    def handler(self, node: ast.AST) -> ast.ExceptHandler | None:
        """Return the innermost ``except`` clause around ``node`` in the same function, or None."""
        for each in self.ancestors(node):
            if isinstance(each, ast.ExceptHandler):
                return each
            if isinstance(each, _SCOPES):
                break
        return None


def position(node: ast.AST) -> tuple[int, int]:
    """Return the line and column where a node starts; the module starts at (0, 0)."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _bind(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    """Yield each name that ``node`` itself binds, with its binding."""
    match node:
        case ast.Assign():
            for target in node.targets:
                yield from _bind_target(target, node.value, node)
        case ast.AnnAssign() | ast.NamedExpr() | ast.AugAssign() if isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, Binding(node, node.value)
        case ast.For() | ast.AsyncFor():
            yield from _bind_target(node.target, None, node)
        case ast.withitem() if node.optional_vars:
            yield from _bind_target(node.optional_vars, None, node.optional_vars)
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], Binding(node)
        case ast.arg():
            yield node.arg, Binding(node)


def _bind_target(target: ast.expr, value: ast.expr | None, statement: ast.AST) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, ast.Name):
        yield target.id, Binding(statement, value)
    elif isinstance(target, ast.Tuple | ast.List):
        values: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            values = list(value.elts)
        for each, item in zip(target.elts, values, strict=True):
            yield from _bind_target(each, item, statement)
    elif isinstance(target, ast.Starred):
        yield from _bind_target(target.value, None, statement)
