"""Find and change hyperparameters, the literals in nn.py that a trial may change.

The standard library's ``ast`` locates a literal. A change replaces the bytes of that literal and no others.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from epochal.analysis.syntax import Module, encoding_of, literal
from epochal.records import Value, is_same_value, value_kind

_EPOCHS_NAMES = frozenset(
    {"epochs", "num_epochs", "n_epochs", "nb_epoch", "nb_epochs", "number_of_epochs", "max_epochs", "max_iter"}
)
_FIT_METHODS = frozenset({"fit", "fit_generator"})


@dataclass(frozen=True)
class Constant:
    """A literal in the source.

    ``name``: the variable that it is assigned to, or ``epochs`` for an argument of fit. ``line``: its line number, from
    1. ``start``, ``end``: its byte offsets, so that ``source[start:end]`` is the literal.
    """

    name: str
    value: Value
    line: int
    start: int
    end: int


def find_constants(source: bytes) -> list[Constant]:
    """Return the literals assigned to names at a module's top level, in order; none if ``source`` is invalid.

    A literal is a number (including any minus sign), a string, True or False. The top level includes the blocks of if,
    try, with and loops, but not functions and classes. The following are ignored: assignments to tuples, assignments of
    computed values, walrus assignments, and augmented assignments such as ``epochs += 5``.
    """
    module = Module.parse(source)
    return [_to_constant(module, name, node) for name, node in module.assignments()] if module else []


def assigned_lines(source: bytes) -> dict[str, list[int]]:
    """Return, for each name, the line numbers, counted from 1, of all assignments to it at the module's top level, in order."""
    module = Module.parse(source)
    found: dict[str, list[int]] = {}
    for node in module.scope_nodes() if module else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, []).append(node.lineno)
    return {name: sorted(lines) for name, lines in found.items()}


def find_epochs(source: bytes) -> Constant | None:
    """Return the constant that holds the number of epochs and can be raised, or None if there is no such constant.

    The argument ``epochs=`` of the last call to ``.fit`` (or ``.fit_generator``) decides. If it is a whole number, that
    is the constant. If it is a name, the constant is the last whole number assigned to that name at the module's top
    level; if it is a local variable of the function that calls fit, the result is None. Otherwise, the constant is the
    last top-level whole number whose name is, in upper or lower case, epochs, num_epochs, n_epochs, nb_epoch,
    nb_epochs, number_of_epochs, max_epochs or (as in scikit-learn) max_iter.
    """
    module = Module.parse(source)
    if module is None:
        return None
    argument = _find_epochs_argument(module.tree)
    if argument is not None and _is_integer(argument):
        return _to_constant(module, "epochs", argument)
    if isinstance(argument, ast.Name) and _is_local(module.tree, argument):
        return None
    integers = [(name, node) for name, node in module.assignments() if _is_integer(node)]
    by_argument_name = [
        (name, node) for name, node in integers if isinstance(argument, ast.Name) and name == argument.id
    ]
    by_known_name = [(name, node) for name, node in integers if name.lower() in _EPOCHS_NAMES]
    found = by_argument_name or by_known_name
    return _to_constant(module, *found[-1]) if found else None


def change_all(source: bytes, changes: Mapping[Constant, Value]) -> bytes:
    """Return ``source`` with each constant in ``changes`` replaced by its new value, and every other byte unchanged.

    A constant that already has its new value keeps its spelling. Raises ValueError if a constant is not in this source,
    if two constants are in the same place, if a new value differs in kind (number, text or boolean) from the old one,
    or if parsing the result does not yield the new values.
    """
    before = Module.parse(source)
    for constant in changes:
        if before is None or not before.has_literal_at(constant.start, constant.end, constant.value):
            raise ValueError(f"{constant.name} = {constant.value!r} is not in line {constant.line}")
    changed, end, places = b"", 0, []
    for constant, value in sorted(changes.items(), key=lambda change: change[0].start):
        changed += source[end : constant.start]
        start, end = len(changed), constant.end
        changed += _format_literal(source, constant, value)
        places.append((start, len(changed), constant, value))
    changed += source[end:]
    after = Module.parse(changed)
    for start, stop, constant, value in places:
        is_changed = after is not None and after.has_literal_at(start, stop, value)
        if not is_changed or value_kind(value) != value_kind(constant.value):
            raise ValueError(f"{constant.name} cannot be changed to {value!r} in line {constant.line}")
    return changed


def _format_literal(source: bytes, constant: Constant, value: Value) -> bytes:
    """Return ``value`` as an ASCII literal, which is valid in any encoding; keep the quotes of a string if possible."""
    present = source[constant.start : constant.end]
    if is_same_value(value, constant.value):
        return present
    text = ascii(value)
    if isinstance(value, str) and present.endswith(b'"') and '"' not in text:
        text = f'"{text[1:-1]}"'
    return text.encode("ascii")


def differ_only_in_epochs(one: bytes, other: bytes) -> bool:
    """Return whether two sources differ in the number of epochs and nothing else."""
    one_epochs, other_epochs = find_epochs(one), find_epochs(other)
    if one_epochs is None or other_epochs is None or one_epochs.value == other_epochs.value:
        return False
    return one[: one_epochs.start] == other[: other_epochs.start] and one[one_epochs.end :] == other[other_epochs.end :]


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """Return a ``git diff`` of the file ``name``, which ``git apply`` accepts if the source is UTF-8."""
    # Split only at line feeds, as git does; str.splitlines would split at form feeds, too.
    old, new = (
        re.findall(r"[^\n]*\n|[^\n]+", source.decode(encoding_of(source), "replace")) for source in (before, after)
    )
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _to_constant(module: Module, name: str, node: ast.expr) -> Constant:
    value = literal(node)
    assert value is not None
    return Constant(name, value, node.lineno, *module.span(node))


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _find_epochs_argument(tree: ast.Module) -> ast.expr | None:
    """Return the ``epochs`` argument of the last call to ``fit`` that has one, or None if there is no such call."""
    arguments = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FIT_METHODS:
            arguments += [keyword.value for keyword in node.keywords if keyword.arg == "epochs"]
    return max(arguments, key=lambda value: (value.lineno, value.col_offset), default=None)


def _is_local(tree: ast.Module, name: ast.Name) -> bool:
    """Return whether a function that contains ``name`` assigns to it; parameters do not count."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    enclosing = [function for function in functions if any(node is name for node in ast.walk(function))]
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name.id
        for function in enclosing
        for node in ast.walk(function)
    )
