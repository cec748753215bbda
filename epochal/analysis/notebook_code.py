"""Find the statements that fail in a script because they use IPython's ``get_ipython()``, and say what to do about each.

A script has no ``get_ipython()`` unless it imports the function from IPython; then the function returns None.
"""

import ast
import re
import shlex
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from epochal.analysis.location import explain_notebook_function, is_exported
from epochal.analysis.repeats import describe_lines, is_magic_with_code
from epochal.analysis.syntax import full_name, last_name, resolve_imports
from epochal.grammar import capitalize

_FUNCTION = "get_ipython"
_REMOVE = "remove {}"
_FILL = "on {}, write pass instead"
_KEEP_CODE = "on {}, replace the magic command with the code that it runs"
_WRITE_NONE = f"on {{}}, write None instead of {_FUNCTION}()"
_REWRITE = f"on {{}}, write code that does not need {_FUNCTION}()"

_TESTS = (ast.If, ast.IfExp, ast.While, ast.Assert)
_GUARD = re.compile(r"ipython|colab|jupyter|notebook", re.IGNORECASE)
"""Matches the condition of an ``if`` statement whose body runs only in a notebook."""
_LEFT_OUT = re.compile(r"\s*(?:pass  )?# (?P<name>[A-Za-z_]\w*)\s*=\s*[!%]")
_CAPTURE_CELL = re.compile(r"# %%capture(?P<arguments>\s.*)")
"""Matches an exported cell magic that may assign the output of its cell to a variable."""
_SCRIPT_CELL = re.compile(
    r"# %%(?:\w\S*(?P<arguments>\s.*)|(?P<marker> ).*\bmagic_args=\"(?P<quoted>(?:[^\"\\]|\\.)*)\")"
)
"""Matches an exported cell magic, including one in the marker (``# %%``) of a cell in another language."""
_SUITES = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Replacement:
    """A statement that fails in a script, and what to do about it.

    ``action``: an instruction in which ``{}`` stands for the lines. ``failing``: the expression that fails.
    ``is_none``: whether it fails because ``get_ipython()`` returns None, rather than because there is no such function.
    """

    statement: ast.stmt
    action: str
    failing: str
    is_none: bool

    @property
    def remedy(self) -> str:
        """The instruction as a sentence, without line numbers."""
        return f"{capitalize(self.action.removeprefix('on {}, ').format('the line'))}."

    def contains(self, line: int) -> bool:
        """Return whether a line of the module is part of the statement."""
        return self.statement.lineno <= line <= (self.statement.end_lineno or 0)

    def explain(self, path: str) -> str:
        """Return a sentence saying why the statement fails. ``path``: the script's path."""
        if not self.is_none:
            return explain_notebook_function(_FUNCTION, path)
        when = "when the notebook runs as a script" if is_exported(path) else "in a script"
        return f"{_FUNCTION}() returns None {when}, so {self.failing} fails."


def find_replacements(tree: ast.Module, *, is_defined: bool = False) -> list[Replacement]:
    """Return the statements of a module that fail in a script, with what to do about each, in source order.

    A statement that runs only in a notebook, because of a condition or a ``try`` statement, is left out.
    ``is_defined``: whether another module, from which this one may import all names, defines ``get_ipython()``.
    """
    return _Shell(tree, is_defined=is_defined).replacements


def find_left_out(text: str) -> dict[str, int]:
    """Return the variables that an exported script lacks, each with the number of the line that would assign it.

    In the notebook, a shell command or magic assigns them. The export turns a line such as ``files = !ls`` or
    ``%%bash --out files`` into a comment.
    """
    lines = enumerate(text.splitlines(), 1)
    return {name: number + shift for number, line in lines for name, shift in _find_assigned(line)}


def _find_assigned(line: str) -> Iterator[tuple[str, int]]:
    """Yield each variable that an exported command or magic assigns, with an offset to add to the line number.

    The offset is 1 for the marker of a cell in another language: the marker also contains the cell's first line, which
    is numbered as if it came after the marker. Otherwise, the offset is 0.
    """
    if found := _LEFT_OUT.match(line):
        yield found["name"], 0
    elif found := _CAPTURE_CELL.match(line):
        arguments, rest = _CAPTURE_PARSER.read(found["arguments"])
        if arguments.output.isidentifier() and not rest:
            yield arguments.output, 0
    elif found := _SCRIPT_CELL.match(line):
        arguments, _ = _SCRIPT_PARSER.read(found["arguments"] or found["quoted"].replace('\\"', '"'))
        for name in (arguments.out, arguments.err, arguments.proc):
            if name.isidentifier():
                yield name, int(found["marker"] is not None)


class _MagicParser(ArgumentParser):
    """Parses the arguments of a cell magic as IPython does: options may appear anywhere in the line."""

    def __init__(self, **actions: str) -> None:
        """Create a parser. ``actions``: the names of the options, each with its ``argparse`` action."""
        super().__init__(add_help=False)
        for name, action in actions.items():
            self.add_argument(f"--{name.replace('_', '-')}", action=action, default="")

    def read(self, line: str) -> tuple[Namespace, list[str]]:
        """Return the known arguments in ``line``, and the unknown ones; no arguments if the line is invalid."""
        try:
            return self.parse_known_args(shlex.split(line))
        except ValueError:
            return self.parse_known_args([])

    def error(self, message: str) -> NoReturn:
        """Raise ValueError instead of ending the process."""
        raise ValueError(message)


_CAPTURE_PARSER = _MagicParser(no_stderr="store_true", no_stdout="store_true", no_display="store_true")
_CAPTURE_PARSER.add_argument("output", nargs="?", default="")
_SCRIPT_PARSER = _MagicParser(out="store", err="store", proc="store")


def describe_replacements(replacements: Sequence[Replacement]) -> str:
    """Combine the instructions for several statements of a module into one, ordered by line, without a full stop."""
    lines: dict[str, list[int]] = {}
    for each in sorted(replacements, key=lambda each: each.statement.lineno):
        lines.setdefault(each.action, []).append(each.statement.lineno)
    *first, last = (action.format(describe_lines(numbers)) for action, numbers in lines.items())
    return ", ".join([*first, f"and {last}"]) if first else last


class _Shell:
    """A module's uses of ``get_ipython()``, whether direct or through variables that hold its result."""

    def __init__(self, tree: ast.Module, *, is_defined: bool) -> None:
        self._nodes = list(ast.walk(tree))
        self._imports = resolve_imports(tree)
        names = [node for node in self._nodes if isinstance(node, ast.Name)]
        self._stored = Counter(node.id for node in names if isinstance(node.ctx, ast.Store))
        self._loaded = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        functions = (node.name for node in self._nodes if isinstance(node, ast.FunctionDef))
        self._is_defined = is_defined or self._stored[_FUNCTION] > 0 or _FUNCTION in functions
        self._statements = list(_find_unguarded(tree.body, ()))
        self._variables = self._find_variables()

    @cached_property
    def replacements(self) -> list[Replacement]:
        """The statements that fail, with what to do about each, in source order."""
        found = [each for pair in self._statements if (each := self._replace(*pair)) is not None]
        removed = Counter(
            node.id
            for each in found
            if each.action in (_REMOVE, _FILL, _KEEP_CODE)
            for node in _own_nodes(each.statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        )
        found += [
            self._replace_assignment(statement, block, removed)
            for statement, block in self._statements
            if isinstance(statement, ast.Assign) and self._lacks_function(statement.value)
        ]
        return sorted(found, key=lambda each: each.statement.lineno)

    def _find_variables(self) -> set[str]:
        """Return the variables that hold the result of ``get_ipython()``, except those that a condition may check."""
        checked = {
            inner.id
            for node in self._nodes
            if isinstance(node, (ast.BoolOp, *_TESTS))
            for inner in ast.walk(node.test if isinstance(node, _TESTS) else node)
            if isinstance(inner, ast.Name)
        }
        return {
            node.targets[0].id
            for node, _ in self._statements
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and self._is_call(node.value)
            and self._stored[node.targets[0].id] == 1
            and node.targets[0].id not in checked
        }

    def _is_call(self, node: ast.AST) -> bool:
        """Return whether a node calls ``get_ipython``, imported or not."""
        return self._lacks_function(node) or (
            isinstance(node, ast.Call)
            and full_name(node.func, self._imports).startswith("IPython.")
            and last_name(node.func) == _FUNCTION
        )

    def _lacks_function(self, node: ast.AST) -> bool:
        """Return whether a node calls a ``get_ipython`` that the module neither imports nor defines."""
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _FUNCTION
        return is_call and _FUNCTION not in self._imports and not self._is_defined

    def _replace(self, statement: ast.stmt, block: Sequence[ast.stmt]) -> Replacement | None:
        """Return what to do about a statement in a block; None if it works or only assigns the shell to a variable."""
        nodes = _own_nodes(statement)
        optional = _find_optional(nodes)
        shells = [node for node in nodes if self._is_shell(node) and node not in optional]
        failing = [
            node
            for node in nodes
            if isinstance(node, ast.Attribute) and node.value in shells and not hasattr(None, node.attr)
        ]
        calls = [node for node in shells if self._lacks_function(node)]
        if not (failing or calls) or (isinstance(statement, ast.Assign) and statement.value in calls):
            return None
        action = self._choose(statement, nodes, shells, self._remove(block), is_safe=not failing)
        return Replacement(statement, action, ast.unparse(failing[0]) if failing else "", not calls)

    def _is_shell(self, node: ast.AST) -> bool:
        is_read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        return self._is_call(node) or (is_read and last_name(node) in self._variables)

    def _choose(
        self, statement: ast.stmt, nodes: list[ast.AST], shells: list[ast.AST], remove: str, *, is_safe: bool
    ) -> str:
        """Return what to do about a statement that fails.

        ``remove``: how to remove it. ``is_safe``: whether None can replace the result of ``get_ipython()``.
        """
        if any(isinstance(node, ast.Call) and is_magic_with_code(node) for node in nodes):
            return _KEEP_CODE
        if isinstance(statement, ast.Expr) and (self._starts_with_shell(statement.value) or _is_print(statement.value)):
            return remove
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        name = last_name(target) if isinstance(target, ast.Name) else ""
        if name and not self._loaded[name]:
            return remove
        if not is_safe:
            return _REWRITE
        value = statement.value if name and isinstance(statement, ast.Assign) else None
        if isinstance(value, ast.Compare) and _searches_text(value, shells):
            return _assign(name, isinstance(value.ops[0], ast.NotIn))
        return _WRITE_NONE

    def _remove(self, block: Sequence[ast.stmt]) -> str:
        """Return how to remove a statement without emptying its ``block``.

        ``block`` is ``()`` for the module, which may be emptied.
        """
        uses = [each for each in block if isinstance(each, ast.Expr) and self._starts_with_shell(each.value)]
        return _FILL if len(block) == 1 or (block and len(uses) == len(block)) else _REMOVE

    def _starts_with_shell(self, node: ast.expr) -> bool:
        """Return whether an expression starts with the IPython shell, as in ``get_ipython().system("ls")``."""
        while not self._is_shell(node) and isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        return self._is_shell(node)

    def _replace_assignment(
        self, statement: ast.Assign, block: Sequence[ast.stmt], removed: Counter[str]
    ) -> Replacement:
        """Return what to do about ``shell = get_ipython()``. ``removed``: how often removed statements read each name."""
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        action = _WRITE_NONE
        if len(names) == len(statement.targets) == 1:
            is_used = self._loaded[names[0]] > removed[names[0]]
            action = _assign(names[0], None) if is_used else self._remove(block)
        return Replacement(statement, action, "", is_none=False)


def _assign(name: str, value: bool | None) -> str:
    return f"on {{}}, write {name} = {value} instead"


def _find_unguarded(
    body: Sequence[ast.stmt], block: Sequence[ast.stmt]
) -> Iterator[tuple[ast.stmt, Sequence[ast.stmt]]]:
    """Yield each statement of ``body`` that may run in a script, with its block: ``block`` or an inner one.

    Statements are left out if their exceptions may be caught, or if the condition of an enclosing ``if`` mentions a
    notebook environment such as Colab.
    """
    for node in body:
        yield node, block
        if _catches(node) or (isinstance(node, ast.If) and _GUARD.search(ast.unparse(node.test))):
            continue
        for name in _SUITES:
            inner = getattr(node, name, [])
            yield from _find_unguarded(inner, inner)


def _catches(node: ast.stmt) -> bool:
    """Return whether a statement may catch exceptions raised inside it."""
    uses = (ast.unparse(item.context_expr) for item in node.items) if isinstance(node, ast.With) else ()
    return isinstance(node, ast.Try) or any("suppress" in each for each in uses)


def _own_nodes(statement: ast.stmt) -> list[ast.AST]:
    """Return the syntax nodes of a statement, without the statements inside it."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = [statement]
    while stack:
        found.append(node := stack.pop())
        inner = ast.iter_child_nodes(node)
        stack += [each for each in inner if not isinstance(each, ast.stmt | ast.excepthandler | ast.match_case)]
    return found


def _find_optional(nodes: list[ast.AST]) -> set[ast.AST]:
    """Return the nodes that a statement evaluates only under a condition, as in ``shell and shell.kernel``."""
    optional: list[ast.expr] = []
    for node in nodes:
        if isinstance(node, ast.IfExp):
            optional += [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            optional += node.values[1:]
        elif isinstance(node, ast.Lambda):
            optional.append(node.body)
    return {inner for node in optional for inner in ast.walk(node)}


def _is_print(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) == "print"


def _searches_text(node: ast.Compare, shells: list[ast.AST]) -> bool:
    """Return whether a comparison looks for text in a shell's ``str()`` or ``repr()``: ``"colab" in str(shell)``."""
    right = node.comparators[0]
    is_text = isinstance(right, ast.Call) and last_name(right.func) in ("str", "repr") and right.args[:1] == shells
    return is_text and len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn)
