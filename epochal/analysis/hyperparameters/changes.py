"""Find and change hyperparameters, the literals in the pushed code that a trial may change.

Literals in Python files are located with the standard library's ``ast``. Changing a literal replaces only its bytes,
unless a statement assigns it to several names, in which case the statement is split in two.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from itertools import pairwise

from epochal.analysis.hyperparameters.config_files import CONFIG_SUFFIXES, check_change, format_value
from epochal.analysis.hyperparameters.constant import Constant, parse_number
from epochal.analysis.syntax import Module, encoding_of, last_name, literal
from epochal.records import Value, is_same_value, value_kind


def find_constants(source: bytes, path: str = "") -> list[Constant]:
    """Return the literals assigned to names at the top level of a module, in order.

    A literal is a number (with its minus sign, if any), a string, True or False. The blocks of ``if``, ``try``,
    ``with`` and loops belong to the top level, but the bodies of functions and classes do not. Assignments to tuples,
    assignments of computed values, and those with ``:=`` or ``+=`` are ignored. ``path``: the path of the module.
    Returns an empty list if the module is not valid Python.
    """
    module = Module.parse(source)
    return [make_constant(module, name, node, path) for name, node in module.assignments()] if module else []


def make_constant(
    module: Module, name: str, node: ast.expr, path: str, qualified_name: str = "", place: str = "the constant"
) -> Constant:
    """Return the literal ``node`` of ``module`` as a constant. A string such as ``"5"`` is not turned into a number."""
    value = literal(node)
    assert value is not None
    return Constant(name, value, node.lineno, *module.span(node), path, qualified_name or name, place)


def assigned_lines(source: bytes) -> dict[str, list[int]]:
    """Return the line numbers, in order and counted from 1, of the assignments to each name at a module's top level."""
    module = Module.parse(source)
    found: dict[str, list[int]] = {}
    for node in module.scope_nodes() if module else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, []).append(node.lineno)
    return {name: sorted(lines) for name, lines in found.items()}


def change_all(source: bytes, changes: Mapping[Constant, Value]) -> bytes:
    """Return ``source`` with each constant in ``changes`` set to its new value.

    All constants must be in the same file. A constant that already has its new value is not rewritten. If a Python
    statement assigns a literal to several names (``epochs = batch_size = 10``), the statement is split in two, so that
    the other names keep their value. All other bytes stay the same. Raises ValueError if a constant is not in this
    source, if two refer to the same literal, if a value is not of the constant's kind (number, string or boolean), or
    if parsing the result does not give the new values.
    """
    new = {constant: value for constant, value in changes.items() if not is_same_value(value, constant.value)}
    for constant, value in changes.items():
        if value_kind(value) != value_kind(constant.value):
            raise ValueError(f"{constant.name} cannot be changed to {value!r} on line {constant.line}")
    if any(constant.path.endswith(CONFIG_SUFFIXES) for constant in changes):
        return _change_config(source, new)
    module = Module.parse(source)
    for constant in changes:
        if module is None or not _has_literal(module, constant.start, constant.end, constant.value):
            raise ValueError(f"{constant.name} = {constant.value!r} was not found on line {constant.line}")
    for one, other in pairwise(sorted(changes, key=lambda constant: constant.start)):
        if one.start == other.start:
            raise ValueError(f"two constants share a literal on line {one.line}")
    return _change_module(module, source, new) if module else source


def _change_module(module: Module, source: bytes, changes: Mapping[Constant, Value]) -> bytes:
    edits: list[tuple[int, int, bytes]] = []
    literals: list[tuple[int, int]] = []
    for constant, value in changes.items():
        text = _format_literal(source[constant.start : constant.end], value)
        split = _split_chain(module, source, constant)
        if split is None:
            edits.append((constant.start, constant.end, text))
            literals.append((constant.start, 0))
        else:
            (start, end), at, target = split
            edits += [(start, end, b""), (at, at, b"; " + target + b" = " + text)]
            literals.append((at, len(b"; " + target + b" = ")))
    changed = _apply_edits(source, edits)
    after = Module.parse(changed)
    for (constant, value), (edit, offset) in zip(changes.items(), literals, strict=True):
        start = edit + offset + sum(len(text) - (end - first) for first, end, text in edits if first < edit)
        end = start + len(_format_literal(source[constant.start : constant.end], value))
        if after is None or not _has_literal(after, start, end, value):
            raise ValueError(f"{constant.name} cannot be changed to {value!r} on line {constant.line}")
    return changed


def _change_config(source: bytes, changes: Mapping[Constant, Value]) -> bytes:
    edits = []
    for constant, value in changes.items():
        text = format_value(constant.path, source[constant.start : constant.end], value)
        edits.append((constant.start, constant.end, text))
    changed = _apply_edits(source, edits)
    if any(not check_change(constant.path, source, changed, changes) for constant in changes):
        names = ", ".join(constant.qualified_name for constant in changes)
        raise ValueError(f"{names} cannot be changed in {next(iter(changes)).path}")
    return changed


def _apply_edits(source: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Return ``source`` with the bytes ``start:end`` of each edit replaced by the text of that edit."""
    for start, end, text in sorted(edits, reverse=True):
        source = source[:start] + text + source[end:]
    return source


def _split_chain(module: Module, source: bytes, constant: Constant) -> tuple[tuple[int, int], int, bytes] | None:
    """Find out how to split a statement that assigns a constant's literal to several names.

    Returns the span to remove, the position where the statement ends, and the source of the removed target; None if
    the statement assigns the literal to no other name.
    """
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Assign) or len(node.targets) < 2 or literal(node.value) is None:
            continue
        if module.span(node.value) != (constant.start, constant.end):
            continue
        spans = [module.span(target) for target in node.targets]
        for index, target in enumerate(node.targets):
            if last_name(target) == (constant.qualified_name or constant.name).rpartition(".")[2]:
                start, end = spans[index]
                removed = (start, spans[1][0]) if index == 0 else (spans[index - 1][1], end)
                return removed, module.span(node)[1], source[start:end]
    return None


def _has_literal(module: Module, start: int, end: int, value: Value) -> bool:
    """Return whether the bytes ``start:end`` are a literal equal to ``value``; the string "5" counts as equal to 5."""
    found = module.literal_at(start, end)
    if isinstance(found, str) and value_kind(value) == "number":
        found = parse_number(found)
    return found is not None and is_same_value(found, value)


def _format_literal(present: bytes, value: Value) -> bytes:
    """Return ``value`` as an ASCII literal, valid in any encoding. A string keeps its quote style if possible."""
    if value_kind(value) == "number" and present.endswith((b'"', b"'")):
        value = repr(value)
    text = ascii(value)
    if isinstance(value, str) and present.endswith(b'"') and '"' not in text:
        text = f'"{text[1:-1]}"'
    return text.encode("ascii")


def unified_diff(before: bytes, after: bytes, name: str) -> str:
    """Return a unified diff of the file ``name``; ``git apply`` accepts it if the source is UTF-8."""
    # Split only at line feeds, as git does; str.splitlines would split at form feeds, too.
    old, new = (
        re.findall(r"[^\n]*\n|[^\n]+", source.decode(encoding_of(source), "replace")) for source in (before, after)
    )
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
