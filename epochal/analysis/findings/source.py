"""Parse Python files for the checks: resolve imported names, and list statements with their conditions."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from epochal.analysis.location import is_exported
from epochal.analysis.notebook_code import find_left_out
from epochal.analysis.script import Script
from epochal.analysis.syntax import Module, full_name, last_name, resolve_imports

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NESTED = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_RUNNERS = frozenset({"run", "Fire"})
"""Functions that call their argument, as absl's ``app.run(main)`` does."""

_MAIN = "main"
"""Marks the branch of ``if __name__ == "__main__"``, which runs in the script but not in imported modules."""
GROWING = frozenset({"append", "extend", "add", "insert", "update"})
"""Methods that add their arguments to a list, set or dictionary."""
_SPECIAL = re.compile(r"__\w+__")
"""Matches the names of special methods, which Python calls implicitly."""
_MAX_BASES = 10
_EXITS = frozenset({"sys.exit", "os._exit", "exit", "quit"})

_Place = tuple[str, str]
"""The name of a module, without its folder, and a name defined in that module."""
Branch = tuple[tuple[int, str], ...]
"""The branches that contain a statement, outermost first: those of ``if``, ``match``, ``while`` and ``try``."""


@dataclass(frozen=True)
class Step:
    """A statement, without the statements inside it.

    ``branch``: the branches that contain it; empty if the statement is unconditional.
    """

    node: ast.stmt
    branch: Branch

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """The nodes of the statement and its expressions in source order; none inside a lambda or definition."""
        found: list[ast.AST] = []
        stack: list[ast.AST] = [self.node]
        while stack:
            node = stack.pop()
            found.append(node)
            if isinstance(node, _NESTED):
                continue
            inner = [each for each in ast.iter_child_nodes(node) if not _is_block(each)]
            stack += inner[::-1]
        return found

    @property
    def calls(self) -> Iterator[ast.Call]:
        """The calls in the statement's expressions."""
        return (node for node in self.nodes if isinstance(node, ast.Call))

    @property
    def assigned(self) -> Iterator[tuple[ast.expr, ast.expr | None]]:
        """Each target that the statement assigns to, with the assigned expression (None for the target of a loop)."""
        for node in self.nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from _pair(target, node.value)
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                yield node.target, node.value
            elif isinstance(node, ast.AugAssign):
                yield node.target, ast.BinOp(node.target, node.op, node.value)
            elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                yield node.target, None
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                yield node.optional_vars, node.context_expr

    @property
    def iterated(self) -> list[ast.expr]:
        """What the statement's loops and comprehensions iterate over."""
        return [each.iter for each in self.nodes if isinstance(each, ast.For | ast.AsyncFor | ast.comprehension)]

    def follows(self, other: "Step") -> bool:
        """Return whether ``other``, an earlier statement, is certain to have run when this statement runs."""
        return self.branch[: len(other.branch)] == other.branch


@dataclass(frozen=True)
class Scope:
    """The statements of a module or function, in source order, except those of the functions and classes inside it."""

    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The function's name; empty for a module."""
        return "" if isinstance(self.node, ast.Module) else self.node.name


@dataclass(frozen=True)
class Source:
    """A Python file in the training code. ``names``: the full name that each imported name stands for.

    ``left_out``: the numbers of the lines that the export of a notebook left out, keyed by the variables they assign.
    """

    path: str
    tree: ast.Module
    names: dict[str, str]
    scopes: tuple[Scope, ...] = field(repr=False)
    left_out: dict[str, int] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All syntax nodes in the file."""
        return list(ast.walk(self.tree))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """All calls in the file."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """The values of the variables that the file assigns only once and that are not also parameters."""
        times = Counter(
            node.arg if isinstance(node, ast.arg) else node.id
            for node in self.nodes
            if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        )
        assigned = (pair for scope in self.scopes for step in scope.steps for pair in step.assigned)
        return {
            target.id: value
            for target, value in assigned
            if isinstance(target, ast.Name) and value is not None and times[target.id] == 1
        }

    @cached_property
    def created(self) -> dict[str, str]:
        """The full names of the functions or classes that created the values of the module's variables."""
        return {
            name: self.callee(value)
            for step in self.scopes[0].steps
            for target, value in step.assigned
            if isinstance(value, ast.Call) and (name := root_name(target))
        }

    def resolve(self, node: ast.expr) -> ast.expr:
        """Return the value of a variable that is in ``constants``, and any other expression as it is."""
        return self.constants.get(node.id, node) if isinstance(node, ast.Name) else node

    def name_of(self, node: ast.expr) -> str:
        """Return the full name of what ``node`` refers to; empty if it was not imported.

        ``tensorflow.keras`` is shortened to ``keras``.
        """
        name = full_name(node, self.names)
        return name.removeprefix("tensorflow.") if name.startswith("tensorflow.keras") else name

    def callee(self, call: ast.Call) -> str:
        """Return the full name of the function or class that is called; empty if it was not imported."""
        return self.name_of(call.func)


def read_sources(script: Script) -> tuple[Source, ...]:
    """Return the script and then the local modules that it imports, skipping files that are not valid Python."""
    paths = [script.path, *(path for path in script.files if path.endswith(".py") and path != script.path)]
    modules = ((path, Module.parse(script.files[path])) for path in paths)
    sources = [parse_source(path, module.tree) for path, module in modules if module]
    exported = find_left_out(script.content.decode("utf-8", "replace")) if is_exported(script.path) else {}
    return tuple(replace(each, left_out=exported) if each.path == script.path else each for each in sources)


def parse_source(path: str, tree: ast.Module) -> Source:
    """Return the ``Source`` of the file at ``path``, given its syntax tree."""
    functions = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]
    scopes = tuple(Scope(node, tuple(_steps(node.body, ()))) for node in (tree, *functions))
    return Source(path, tree, resolve_imports(tree), scopes)


def find_used(sources: tuple[Source, ...]) -> Iterator[tuple[Source, Scope]]:
    """Yield the scopes whose code may run: the modules, and the functions whose names are used somewhere.

    If the name of a class is used, its special methods, such as ``__init__``, count as used too.
    """
    used = {
        getattr(node, "id", "") or getattr(node, "attr", "")
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.Name | ast.Attribute)
    }
    used |= {name.rpartition(".")[2] for source in sources for name in source.names.values()}
    special = {
        id(method)
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.ClassDef) and node.name in used
        for method in node.body
        if isinstance(method, _FUNCTIONS) and _SPECIAL.fullmatch(method.name)
    }
    for source in sources:
        for scope in source.scopes:
            if scope.name in used or id(scope.node) in special or isinstance(scope.node, ast.Module):
                yield source, scope


def find_certain(sources: tuple[Source, ...]) -> Iterator[tuple[Source, Step]]:
    """Yield the statements that run whenever the script runs.

    These are the unconditional statements of the script, of the modules that it imports, and of the functions and
    methods that these statements call.
    """
    queue = [(source, source.scopes[0]) for source in sources]
    seen = {id(scope) for _, scope in queue}
    functions = _Functions(sources)
    for source, scope in queue:
        for step in scope.steps:
            if any(kind != _MAIN or source is not sources[0] for _, kind in step.branch):
                continue
            yield source, step
            if ends_scope(source, step.node):
                break
            for target in functions.find_called(source, scope, step):
                if id(target[1]) not in seen:
                    seen.add(id(target[1]))
                    queue.append(target)


def class_steps(step: Step) -> tuple[Step, ...]:
    """Return the statements in the body of the class that a statement defines; empty if it defines none."""
    return tuple(_steps(step.node.body, step.branch)) if isinstance(step.node, ast.ClassDef) else ()


def find_unguarded(sources: tuple[Source, ...]) -> Iterator[tuple[Source, Step]]:
    """Yield the statements that run whenever the script runs or is imported, for example by a spawned process."""
    if not sources:
        return iter(())
    script, *modules = sources
    first, *functions = script.scopes
    steps = tuple(step for step in first.steps if all(kind != _MAIN for _, kind in step.branch))
    return find_certain((replace(script, scopes=(replace(first, steps=steps), *functions)), *modules))


def ends_scope(source: Source, node: ast.stmt) -> bool:
    """Return whether a statement leaves its scope, so that no statement after it runs."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return (source.name_of(function) or last_name(function)) in _EXITS
    return isinstance(node, ast.Return | ast.Raise)


class _Functions:
    """The functions, classes and methods in the code, each known by its module and its name (``Class.method``)."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._scopes: dict[_Place, tuple[Source, Scope]] = {}
        self._bases: dict[_Place, list[_Place]] = {}
        """For each class, its base classes."""
        self._owners: dict[int, _Place] = {}
        """The class that defines each method, keyed by the ``id()`` of the method's syntax node."""
        for source in sources:
            for node in source.nodes:
                if isinstance(node, ast.ClassDef):
                    place = Path(source.path).stem, node.name
                    self._bases[place] = [_place_of(source, base) for base in node.bases]
                    self._owners |= {id(method): place for method in node.body if isinstance(method, _FUNCTIONS)}
        for source in sources:
            for scope in source.scopes:
                module, owner = self._owners.get(id(scope.node), (Path(source.path).stem, ""))
                self._scopes[module, f"{owner}.{scope.name}" if owner else scope.name] = source, scope

    def find_called(self, source: Source, scope: Scope, step: Step) -> Iterator[tuple[Source, Scope]]:
        """Yield the functions and methods that a statement calls, directly or through ``_RUNNERS``."""
        for call in step.calls:
            for node in (call.func, *(call.args if last_name(call.func) in _RUNNERS else [])):
                place = _place_of(source, node)
                if place in self._bases:
                    found = self._find_method(place, "__init__")
                elif isinstance(node, ast.Attribute) and (owner := self._find_class(source, scope, node.value)):
                    found = self._find_method(owner, node.attr)
                else:
                    found = self._scopes.get(place)
                if found:
                    yield found

    def _find_method(self, owner: _Place, name: str, depth: int = 0) -> tuple[Source, Scope] | None:
        """Return a method of a class or of one of its base classes; None if the code does not define the method."""
        module, class_name = owner
        if found := self._scopes.get((module, f"{class_name}.{name}")):
            return found
        bases = self._bases.get(owner, []) if depth < _MAX_BASES else []
        return next((found for base in bases if (found := self._find_method(base, name, depth + 1))), None)

    def _find_class(self, source: Source, scope: Scope, node: ast.expr) -> _Place | None:
        """Return the class that an expression stands for, or that its value is an instance of; None if unknown.

        The class of ``self`` is unknown if another class is derived from the one that contains the method.
        """
        if isinstance(node, ast.Name) and (owner := self._owners.get(id(scope.node))) and _is_self(node, scope):
            return None if any(owner in bases for bases in self._bases.values()) else owner
        value = source.resolve(node)
        place = _place_of(source, value.func if isinstance(value, ast.Call) else value)
        return place if place in self._bases else None


def _place_of(source: Source, node: ast.expr) -> _Place:
    """Return the module and the name that an expression refers to; the name is empty if unknown."""
    module, _, name = (full_name(node, source.names) or getattr(node, "id", "")).rpartition(".")
    return module.rpartition(".")[2] or Path(source.path).stem, name


def _is_self(node: ast.Name, scope: Scope) -> bool:
    """Return whether a variable is the first parameter of a method."""
    first = [] if isinstance(scope.node, ast.Module) else scope.node.args.args[:1]
    return any(each.arg == node.id for each in first)


def keyword(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """Return a call's argument with this name or at this position; None if there is no such argument."""
    for each in call.keywords:
        if each.arg == name:
            return each.value
    if position is not None and len(call.args) > position:
        return call.args[position]
    return None


def inputs_of(call: ast.Call) -> list[ast.expr]:
    """Return all arguments of a call."""
    return [*call.args, *(each.value for each in call.keywords)]


def has_unknown_arguments(call: ast.Call) -> bool:
    """Return whether a call has ``*args`` or ``**kwargs``, which may contain any argument."""
    return any(each.arg is None for each in call.keywords) or any(isinstance(each, ast.Starred) for each in call.args)


def is_literal(node: ast.expr | None, value: object) -> bool:
    """Return whether ``node`` is the constant ``value`` (None, True, False or a number)."""
    return isinstance(node, ast.Constant) and node.value is value


def first_index(node: ast.Subscript) -> ast.expr:
    """Return the first index in a subscript: ``a`` in ``x[a, b]`` and ``x[a]``."""
    return node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice


def has_row_slice(node: ast.Subscript) -> bool:
    """Return whether a subscript selects some of the rows with a slice, as in ``x[:800, 3]`` and ``x[order[:800]]``."""
    rows = first_index(node)
    if isinstance(rows, ast.Subscript):
        return has_row_slice(rows)
    return isinstance(rows, ast.Slice) and (rows.lower is not None or rows.upper is not None)


def root_name(node: ast.expr | None) -> str:
    """Return the variable that an expression starts with (``df`` in ``df["x"].values``), or an empty string."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def called(node: ast.expr) -> str:
    """Return the name of the function that an expression calls; empty if it is not a call."""
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def names_in(target: ast.expr) -> set[str]:
    """Return the variables in the target of an assignment or a loop."""
    if isinstance(target, ast.Tuple | ast.List):
        return set[str]().union(*map(names_in, target.elts))
    return {target.id} if isinstance(target, ast.Name) else set()


def elements_of(target: ast.expr) -> list[ast.expr]:
    """Return the elements of a tuple or list target; only the target itself if it is neither."""
    return target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def _is_block(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.excepthandler | ast.match_case)


def _pair(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the targets of an assignment with their values, element by element for tuples of the same length."""
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        starred = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
        if len(target.elts) == len(value.elts) and not starred:
            for inner, each in zip(target.elts, value.elts, strict=True):
                yield from _pair(inner, each)
            return
    yield target, value


def _steps(body: list[ast.stmt], branch: Branch) -> Iterator[Step]:
    for node in body:
        yield Step(node, branch)
        match node:
            case ast.If():
                inside = (*branch, (node.lineno, _MAIN if is_main_guard(node.test) else "if"))
                yield from _steps(node.body, inside)
                yield from _steps(node.orelse, (*branch, (node.lineno, "else")))
            case ast.For() | ast.AsyncFor():
                yield from _steps(node.body, branch)
                yield from _steps(node.orelse, branch)
            case ast.While():
                endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
                yield from _steps(node.body, branch if endless else (*branch, (node.lineno, "while")))
                yield from _steps(node.orelse, (*branch, (node.lineno, "else")))
            case ast.With() | ast.AsyncWith():
                yield from _steps(node.body, branch)
            case ast.Try() | ast.TryStar():
                tried = (*branch, (node.lineno, "try")) if node.handlers else branch
                yield from _steps(node.body, tried)
                for handler in node.handlers:
                    yield from _steps(handler.body, (*branch, (handler.lineno, "except")))
                yield from _steps(node.orelse, tried)
                yield from _steps(node.finalbody, branch)
            case ast.Match():
                for case in node.cases:
                    yield from _steps(case.body, (*branch, (case.pattern.lineno, "case")))


def is_main_guard(test: ast.expr) -> bool:
    """Return whether ``test`` is the condition of ``if __name__ == "__main__"``."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
