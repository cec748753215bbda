"""Find the statements of a file that need a GPU, and say how to change each so that the file runs without one."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from epochal.analysis.findings.source import Source, Step, ends_scope, names_in
from epochal.analysis.repeats import describe_ranges
from epochal.analysis.syntax import last_name

_GPU = re.compile(r"gpu|cuda|set_memory_growth|physical_devices|set_visible_devices|nvidia", re.IGNORECASE)
_GPU_CALLS = frozenset({"cuda", "device", "set_memory_growth", "set_visible_devices", "to"})
_REMOVABLE = (ast.Expr, ast.Assert, ast.Raise, ast.Assign, ast.AnnAssign)
_SUITES = ("body", "orelse", "finalbody")
_REMOVE = "remove {}"
_REMOVE_IF = "remove the if statement on {}"
_FILL = "replace {} with pass"
_FILL_IF = "replace the if statement on {} with pass"
_FILLS = {_REMOVE: _FILL, _REMOVE_IF: _FILL_IF}
"""What to do instead of removing a statement if its block would be empty without it."""
_USE_CPU = 'write "/CPU:0" as the device on {}'
_REWRITE = "replace {} with code that works without a GPU"


@dataclass(frozen=True)
class Repair:
    """A statement that needs a GPU, and what to do about it.

    ``action``: an instruction in which ``{}`` stands for the statement's lines. ``block``: the statements of the ``if``,
    function or other block that contains it; empty at the top level of the module, where no ``pass`` is needed.
    """

    statement: ast.stmt
    action: str
    block: Sequence[ast.stmt]

    @property
    def is_check(self) -> bool:
        """Whether the statement only checks for a GPU and ends the script if there is none."""
        return isinstance(self.statement, ast.Assert) or self.action in (_REMOVE_IF, _FILL_IF)

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line to change."""
        first = self.statement.lineno
        is_header = self.action == _USE_CPU or (self.action == _REWRITE and hasattr(self.statement, "body"))
        return first, first if is_header else (self.statement.end_lineno or first)

    def contains(self, line: int) -> bool:
        """Return whether a line of the file is part of the statement."""
        return self.statement.lineno <= line <= (self.statement.end_lineno or 0)


def names_gpu(code: str) -> bool:
    """Return whether a piece of code seems to be about a GPU, judging by the names and strings in it."""
    return bool(_GPU.search(code))


def ends_script(source: Source, node: ast.stmt) -> bool:
    """Return whether a statement raises an exception or exits."""
    return ends_scope(source, node) and not isinstance(node, ast.Return)


def find_repairs(source: Source, failed: Sequence[int], *, is_empty_list: bool) -> list[Repair]:
    """Return what to do about the statements of a file that need a GPU and are not guarded by ``if`` or ``try``.

    ``failed``: the lines of the file in the traceback, innermost last. The statement on the innermost line is included,
    too, unless one of these lines is inside a ``with`` statement that needs a GPU. ``is_empty_list``: whether that
    statement failed because it indexes an empty list.
    """
    repairs = _Repairs(source)
    unguarded = {id(node) for node in _walk_unguarded(source.tree)}
    found = [
        place
        for place in repairs.places
        if any(id(node) in unguarded and _needs_gpu(node) for node in Step(place.statement, ()).nodes)
    ]
    last = next((each for each in reversed(repairs.places) if failed and each.contains(failed[-1])), None)
    headers = [place for place in found if isinstance(place.statement, ast.With)]
    is_in_block = any(each.contains(line) and each.statement.lineno < line for each in headers for line in failed)
    if last is not None and last not in found and (not is_in_block or repairs.find_check(last)):
        found.append(last)
    chosen = {}
    for place in found:
        indexed = _find_list(place.statement) if is_empty_list else ""
        repair = repairs.choose(place, indexed if place is last or names_gpu(indexed) else "")
        chosen[id(repair.statement)] = repair
    return _fill_blocks(list(chosen.values()))


def find_repair(source: Source, statement: ast.stmt, indexed: str = "") -> Repair:
    """Return what to do about a statement that needs a GPU.

    ``indexed``: the list that the statement indexes and that is empty without a GPU; an empty string if there is none.
    """
    repairs = _Repairs(source)
    place = next(each for each in repairs.places if each.statement is statement)
    return _fill_blocks([repairs.choose(place, indexed)])[0]


def describe_repairs(repairs: Sequence[Repair]) -> str:
    """Combine the instructions for several statements of a file into one, ordered by line, without a full stop."""
    lines: dict[str, list[tuple[int, int]]] = {}
    for each in sorted(repairs, key=lambda each: each.lines):
        lines.setdefault(each.action, []).append(each.lines)
    *first, last = (action.format(describe_ranges(ranges)) for action, ranges in lines.items())
    return ", ".join([*first, f"and {last}"]) if first else last


@dataclass(frozen=True, eq=False)
class _Place:
    """A statement, the block that contains it, and the node that the block belongs to."""

    statement: ast.stmt
    block: Sequence[ast.stmt]
    owner: ast.AST

    def contains(self, line: int) -> bool:
        """Return whether a line of the file is part of the statement."""
        return self.statement.lineno <= line <= (self.statement.end_lineno or 0)


class _Repairs:
    """The statements of a file, and what to do about each if it needs a GPU."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.places = list(_find_places(source.tree))
        """The statements of the file. Each comes before the statements inside it."""
        self._read = {node.id for node in source.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}

    def find_check(self, place: _Place) -> _Place | None:
        """Return the GPU check (an ``if``) in which the statement at ``place`` ends the script, or None."""
        owner = place.owner
        if not isinstance(owner, ast.If) or place.statement not in self._find_endings(owner):
            return None
        is_about_gpu = names_gpu(ast.unparse(owner.test)) or names_gpu(ast.unparse(place.statement))
        return next(each for each in self.places if each.statement is owner) if is_about_gpu else None

    def _find_endings(self, node: ast.If) -> list[ast.stmt]:
        """Return the statements that come last in a branch of an ``if`` statement and end the script."""
        last = [branch[-1] for branch in (node.body, node.orelse) if branch]
        return [each for each in last if ends_script(self._source, each)]

    def choose(self, place: _Place, indexed: str) -> Repair:
        """Return what to do about the statement at ``place``; ``indexed`` is as in ``find_repair``."""
        statement = place.statement
        if isinstance(statement, ast.If) and (endings := self._find_endings(statement)):
            return self._remove_check(place, statement, endings[0])
        if (check := self.find_check(place)) and isinstance(check.statement, ast.If):
            return self._remove_check(check, check.statement, statement)
        block = () if isinstance(place.owner, ast.Module) else place.block
        if isinstance(statement, ast.With):
            calls = (item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call))
            has_device = any(getattr(call.func, "attr", "") == "device" for call in calls)
            return Repair(statement, _USE_CPU if has_device else _REWRITE, block)
        is_removable = isinstance(statement, _REMOVABLE) and names_gpu(ast.unparse(statement))
        if not (is_removable or (indexed and isinstance(statement, _REMOVABLE))) or self._is_needed(statement):
            return Repair(statement, _REWRITE, block)
        is_guarded = indexed and not isinstance(statement, ast.Assert | ast.Raise)
        return Repair(statement, f"put {{}} under `if {indexed}:`" if is_guarded else _REMOVE, block)

    def _remove_check(self, place: _Place, statement: ast.If, ending: ast.stmt) -> Repair:
        """Return what to do about an ``if`` statement that ends the script with ``ending``."""
        branch, other = statement.body, statement.orelse
        if ending not in branch:
            branch, other = other, branch
        if not all(map(_is_print, other)):
            return Repair(ending, _REWRITE, branch)
        is_elif = isinstance(place.owner, ast.If) and place.owner.col_offset == statement.col_offset
        if is_elif or any(isinstance(node, ast.NamedExpr) for node in ast.walk(statement.test)):
            return Repair(ending, _FILL, branch)
        return Repair(statement, _REMOVE_IF, () if isinstance(place.owner, ast.Module) else place.block)

    def _is_needed(self, statement: ast.stmt) -> bool:
        """Return whether a statement assigns something that other statements may use."""
        targets = [target for target, _ in Step(statement, ()).assigned]
        names = set[str]().union(*map(names_in, targets))
        return bool(names & self._read) or any(not names_in(target) for target in targets)


def _find_places(tree: ast.Module) -> Iterator[_Place]:
    for owner in ast.walk(tree):
        blocks = (getattr(owner, name, None) for name in _SUITES)
        for block in (each for each in blocks if isinstance(each, list)):
            yield from (_Place(statement, block, owner) for statement in block)


def _is_print(node: ast.stmt) -> bool:
    """Return whether a statement only prints something."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and last_name(node.value.func) == "print"


def _fill_blocks(repairs: Sequence[Repair]) -> list[Repair]:
    """Return the repairs, with ``pass`` as the replacement for statements whose removal would leave a block empty."""
    removed = {id(each.statement) for each in repairs if each.action in _FILLS}
    return [
        replace(each, action=_FILLS[each.action])
        if each.action in _FILLS and each.block and all(id(inner) in removed for inner in each.block)
        else each
        for each in repairs
    ]


def _find_list(statement: ast.stmt) -> str:
    """Return the variable or attribute that a statement indexes with a number; empty if there is none."""
    lists = (
        ast.unparse(node.value)
        for node in Step(statement, ()).nodes
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name | ast.Attribute)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, int)
    )
    return next(lists, "")


def _walk_unguarded(tree: ast.Module) -> Iterator[ast.AST]:
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Try) or (isinstance(node, ast.If | ast.IfExp) and names_gpu(ast.unparse(node.test))):
            continue
        yield node
        stack += ast.iter_child_nodes(node)


def _needs_gpu(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return names_gpu(ast.unparse(node.test))
    if isinstance(node, ast.Subscript):
        is_name = isinstance(node.value, ast.Name) and not isinstance(node.slice, ast.Slice)
        return is_name and names_gpu(ast.unparse(node.value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GPU_CALLS:
        texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return any(map(names_gpu, texts)) or (node.func.attr == "cuda" and not node.args)
    return False
