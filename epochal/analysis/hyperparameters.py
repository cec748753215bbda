"""Hyperparameters: the literals in nn.py that may change, found and changed by their place in the source.

The standard library's ``ast`` says where a literal stands; a change touches that literal's bytes and no other.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from epochal.analysis.syntax import Module, encoding_of, literal
from epochal.records import Value, kind_of, same

_EPOCHS_NAMES = frozenset(
    {"epochs", "num_epochs", "n_epochs", "nb_epoch", "nb_epochs", "number_of_epochs", "max_epochs", "max_iter"}
)
_FIT_METHODS = frozenset({"fit", "fit_generator"})


@dataclass(frozen=True)
class Constant:
    """A literal in the source: what it is called, its value, its line (from 1), and its bytes ``start`` to ``end``."""

    name: str
    value: Value
    line: int
    start: int
    end: int


def literals(source: bytes) -> list[Constant]:
    """Return the literals that are assigned to a name at the module's top level, in order. Empty for what is no Python.

    Literals are numbers (a sign is part of them), texts, True and False. The blocks of if, try, with and loops belong to
    the top level, functions and classes do not. None is found in a tuple's targets, a walrus, what is computed, and
    ``epochs += 5``.
    """
    module = Module.of(source)
    return [_constant(module, name, node) for name, node in module.assignments()] if module else []


def assigned_lines(source: bytes) -> dict[str, list[int]]:
    """Return the lines (from 1) in which the module's top level gives each name a value, a literal or any other, in order."""
    module = Module.of(source)
    found: dict[str, list[int]] = {}
    for node in module.own_nodes() if module else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, []).append(node.lineno)
    return {name: sorted(lines) for name, lines in found.items()}


def find_epochs(source: bytes) -> Constant | None:
    """Return the number of epochs to raise, or None.

    The last call of ``.fit`` (or ``.fit_generator``) with ``epochs=`` says where it is: the whole number that stands
    there, or the last one assigned at the module's top level to the name that stands there, whatever it is called.
    Where that gives none: the last top-level constant that is called, in upper or lower case, epochs, num_epochs,
    n_epochs, nb_epoch, nb_epochs, number_of_epochs, max_epochs or (scikit-learn's word) max_iter. A function's own
    variables do not count: where one is what that call says, there is none to raise.
    """
    module = Module.of(source)
    if module is None:
        return None
    given = _epochs_of_last_fit(module.tree)
    if given is not None and _is_whole(given):
        return _constant(module, "epochs", given)
    if isinstance(given, ast.Name) and _is_local(module.tree, given):
        return None
    whole = [(name, node) for name, node in module.assignments() if _is_whole(node)]
    followed = [(name, node) for name, node in whole if isinstance(given, ast.Name) and name == given.id]
    named = [(name, node) for name, node in whole if name.lower() in _EPOCHS_NAMES]
    found = followed or named
    return _constant(module, *found[-1]) if found else None


def change_all(source: bytes, changes: Mapping[Constant, Value]) -> bytes:
    """Return ``source`` with each constant, found in it, replaced by a value of its kind, every other byte as it was.

    A value that stands there already is left as it is written. Raises ValueError where a constant is not of this source,
    where two stand in the same place, where a value is of another kind, or where the result does not say it.
    """
    before = Module.of(source)
    for constant in changes:
        if before is None or not before.has_at(constant.start, constant.end, constant.value):
            raise ValueError(f"{constant.name} = {constant.value!r} does not stand in line {constant.line}")
    changed, end, places = b"", 0, []
    for constant, value in sorted(changes.items(), key=lambda change: change[0].start):
        changed += source[end : constant.start]
        start, end = len(changed), constant.end
        changed += _written(source, constant, value)
        places.append((start, len(changed), constant, value))
    changed += source[end:]
    after = Module.of(changed)
    for start, stop, constant, value in places:
        is_changed = after is not None and after.has_at(start, stop, value)
        if not is_changed or kind_of(value) != kind_of(constant.value):
            raise ValueError(f"{constant.name} cannot be changed to {value!r} in line {constant.line}")
    return changed


def _written(source: bytes, constant: Constant, value: Value) -> bytes:
    """Return the bytes that say ``value`` in any encoding; a text in the quotes that the source has there."""
    present = source[constant.start : constant.end]
    if same(value, constant.value):
        return present
    text = ascii(value)
    if isinstance(value, str) and present.endswith(b'"') and '"' not in text:
        text = f'"{text[1:-1]}"'
    return text.encode("ascii")


def differ_in_epochs(one: bytes, other: bytes) -> bool:
    """Return whether two sources are the same but for the number of epochs, and differ in that."""
    own, others = find_epochs(one), find_epochs(other)
    if own is None or others is None or own.value == others.value:
        return False
    return one[: own.start] == other[: others.start] and one[own.end :] == other[others.end :]


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """Return the change of the file ``name`` as ``git diff`` shows it; ``git apply`` takes it if the source is UTF-8."""
    # Lines as git has them: str.splitlines would part them at form feeds too.
    old, new = (
        re.findall(r"[^\n]*\n|[^\n]+", source.decode(encoding_of(source), "replace")) for source in (before, after)
    )
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _constant(module: Module, name: str, node: ast.expr) -> Constant:
    value = literal(node)
    assert value is not None
    return Constant(name, value, node.lineno, *module.span(node))


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _epochs_of_last_fit(tree: ast.Module) -> ast.expr | None:
    """Return what the last call of ``fit`` with ``epochs=`` gives for it."""
    given = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FIT_METHODS:
            given += [keyword.value for keyword in node.keywords if keyword.arg == "epochs"]
    return max(given, key=lambda value: (value.lineno, value.col_offset), default=None)


def _is_local(tree: ast.Module, name: ast.Name) -> bool:
    """Return whether the function around ``name`` assigns it: it is not the module's then. (A parameter is: it is handed in.)"""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    around = [function for function in functions if any(node is name for node in ast.walk(function))]
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name.id
        for function in around
        for node in ast.walk(function)
    )
