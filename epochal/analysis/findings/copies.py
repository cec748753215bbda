"""Find calls that duplicate rows of the data."""

import ast
from collections import Counter
from collections.abc import Sequence

from epochal.analysis.findings.rows import DATA_METHODS, Rows, is_within
from epochal.analysis.findings.source import first_index, has_unknown_arguments, is_literal, keyword, root_name
from epochal.analysis.syntax import last_name, literal

_JOINING_ROWS = frozenset({"append", "concat", "concatenate", "vstack"})
_AXES = {"append": 2, "concat": 1, "concatenate": 1}
"""Functions that join data along an axis, and the positions of their ``axis`` argument."""
_DRAW_SIZES = {"integers": 2, "randint": 2, "choice": 1}
"""NumPy functions that draw numbers with replacement, and the positions of their ``size`` argument."""


def find_copying(call: ast.Call, rows: Rows) -> str:
    """Return the display name of a call that receives all rows and repeats some of them; empty for other calls."""
    callee, method = rows.source.callee(call), last_name(call.func)
    if method == "sample" and isinstance(call.func, ast.Attribute):
        copies = is_literal(keyword(call, "replace"), True) and not keyword(call, "axis")
        return "sample(…, replace=True)" if copies and not rows.may_hold_part(root_name(call.func)) else ""
    if callee == "sklearn.utils.resample":
        copies = not is_literal(keyword(call, "replace"), False) and not has_unknown_arguments(call)
    elif callee == "numpy.repeat":
        copies = is_literal(keyword(call, "axis", 2), 0) and not _repeats_as_counted(call, rows)
    elif method == "repeat" and isinstance(call.func, ast.Attribute):
        is_part = rows.is_named_part(call.func.value) or rows.is_part(call.func.value)
        copies = is_literal(keyword(call, "axis", 1), 0) and not is_part and not _repeats_as_counted(call, rows)
    elif callee == "numpy.tile":
        counts = keyword(call, "reps", 1)
        several = isinstance(counts, ast.Tuple | ast.List) and counts.elts and not is_literal(counts.elts[0], 1)
        copies = bool(several)
    else:
        return ""
    return f"{method}()" if copies and rows.is_all_rows(call) else ""


def repeats_labels(call: ast.Call, rows: Rows) -> bool:
    """Return whether a call repeats all labels, as ``np.tile(y, 2)`` does; for a table, it would repeat the columns."""
    counts = keyword(call, "reps", 1)
    is_number = counts is not None and not isinstance(counts, ast.Tuple | ast.List) and not is_literal(counts, 1)
    return rows.source.callee(call) == "numpy.tile" and is_number and rows.is_all_rows(call)


def find_repeated(node: ast.Call | ast.Subscript, rows: Rows) -> list[ast.expr]:
    """Return the parts that an expression joins if they repeat rows (``np.concatenate([x, x])``), else an empty list.

    Repeated labels count, too: the data may be joined with modified copies (see ``AugmentedRows``).
    """
    parts: list[ast.expr] = [
        each
        for each in find_joined(node, rows)
        if isinstance(each, ast.Name | ast.Subscript) and not rows.is_part(each) and not rows.is_named_part(each)
    ]
    counts = Counter(map(ast.unparse, parts))
    return parts if any(count > 1 for count in counts.values()) or _joins_subset(parts, rows) else []


def find_joined(node: ast.Call | ast.Subscript, rows: Rows) -> list[ast.expr]:
    """Return the parts whose rows are joined by NumPy or pandas, as in ``np.r_[x, z]``; empty for other expressions."""
    if isinstance(node, ast.Subscript):
        parts = _elements(node.slice) if rows.source.name_of(node.value) == "numpy.r_" else []
        return [] if any(isinstance(literal(each), str) for each in parts) else parts  # "0,2" may join other axes
    return _joined_parts(node) if _joins_data(node, rows) else []


def find_joined_list(call: ast.Call, rows: Rows) -> ast.expr | None:
    """Return the list whose elements a call joins by rows, as in ``np.concatenate(parts)``; None for other calls."""
    return call.args[0] if call.args and _joins_data(call, rows) and last_name(call.func) != "append" else None


def find_joined_labels(call: ast.Call, rows: Rows) -> ast.expr | None:
    """Return the list of labels that a call joins, as in ``np.hstack(labels)``; None for other calls.

    For data with several columns, ``hstack()`` would join columns.
    """
    is_hstack = rows.source.callee(call) == "numpy.hstack" and call.args
    return call.args[0] if is_hstack else find_joined_list(call, rows)


def _joins_data(call: ast.Call, rows: Rows) -> bool:
    """Return whether a call to NumPy or pandas joins the rows of its arguments."""
    return rows.source.callee(call).partition(".")[0] in ("numpy", "pandas") and joins_rows(call)


def draws_copies(node: ast.Subscript, rows: Rows) -> bool:
    """Return whether an index may repeat a row, as in ``x[rng.integers(0, len(x), n)]``."""
    selected = first_index(node)
    index = rows.calls.get(selected.id) if isinstance(selected, ast.Name) else selected
    data = root_name(node.value)
    return isinstance(index, ast.Call) and _drawn_from(index, rows) == data and not rows.may_hold_part(data)


def _joins_subset(parts: Sequence[ast.expr], rows: Rows) -> bool:
    """Return whether data are joined with some of their own rows, as in ``pd.concat([df, df[df.y == 1]])``."""
    wholes = {each.id: rows.of(each) for each in parts if isinstance(each, ast.Name)}
    subsets = [(root_name(each), rows.of(each)) for each in parts if not _has_fixed_rows(each)]
    return any(
        subset != whole and is_within(subset, whole) and (variable == name or variable not in rows.changed)
        for variable, subset in subsets
        for name, whole in wholes.items()
    )


def _drawn_from(call: ast.Call, rows: Rows) -> str:
    """Return the variable whose row indices a call repeats or draws with replacement; empty if it does neither."""
    if repeated := _repeated_from(call, rows):
        return repeated
    method = last_name(call.func)
    position = _DRAW_SIZES.get(method)
    size = keyword(call, "size", position)
    replaces = method != "choice" or is_literal(keyword(call, "replace", 2) or ast.Constant(True), True)
    if position is None or size is None or isinstance(size, ast.Tuple | ast.List) or not replaces:
        return ""
    return next(filter(None, map(rows.counted, call.args[:position])), "")


def _repeated_from(call: ast.Call, rows: Rows) -> str:
    """Return the variable whose row indices a call repeats, as in ``df.index.repeat(3)``; empty if it repeats none.

    A call that takes the number of repeats from a column is ignored: it restores rows stored with a count.
    """
    if last_name(call.func) != "repeat" or not isinstance(call.func, ast.Attribute):
        return ""
    is_function = rows.source.callee(call) == "numpy.repeat"
    indices = (call.args[0] if call.args else None) if is_function else call.func.value
    if indices is None or _repeats_as_counted(call, rows):
        return ""
    while isinstance(indices, ast.Call) and indices.args and last_name(indices.func) in ("arange", "array", "range"):
        indices = indices.args[0]
    if isinstance(indices, ast.Attribute) and indices.attr == "values":
        indices = indices.value
    return rows.counted(indices)


def _repeats_as_counted(call: ast.Call, rows: Rows) -> bool:
    """Return whether the number of repeats in a call to ``repeat`` comes from a column or is 1."""
    counts = keyword(call, "repeats", int(rows.source.callee(call) == "numpy.repeat"))
    counts = rows.source.resolve(counts) if counts else None
    is_column = isinstance(counts, ast.Attribute | ast.Subscript) or (
        isinstance(counts, ast.Call) and last_name(counts.func) in {"pop", "get", *DATA_METHODS}
    )
    return is_column or is_literal(counts, 1)


def _joined_parts(call: ast.Call) -> list[ast.expr]:
    """Return what a call joins, listing repeated elements twice: ``a, b, b`` for ``pd.concat([a] + [b] * 3)``."""
    if not call.args or (isinstance(call.args[0], ast.Name | ast.Subscript) and len(call.args) > 1):
        return call.args[:2]
    return _elements(call.args[0])


def _elements(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _elements(left) + _elements(right)
        case (
            ast.BinOp(left=elements, op=ast.Mult(), right=times) | ast.BinOp(left=times, op=ast.Mult(), right=elements)
        ) if isinstance(elements, ast.List):
            return _elements(elements) * (1 if is_literal(times, 1) else 2)
    return []


def joins_rows(call: ast.Call) -> bool:
    """Return whether a call joins the rows of its arguments, unlike ``np.stack`` and ``np.array``."""
    return last_name(call.func) in _JOINING_ROWS and not has_other_axis(call)


def has_other_axis(call: ast.Call) -> bool:
    """Return whether a call that joins data uses an axis other than the row axis."""
    axis = keyword(call, "axis", _AXES.get(last_name(call.func)))
    return axis is not None and not is_literal(axis, 0)


def _has_fixed_rows(node: ast.expr) -> bool:
    """Return whether an expression takes one row at a fixed position, or the last few: such rows may pad the data."""
    if not isinstance(node, ast.Subscript):
        return False
    index = first_index(node)
    match index:
        case ast.Slice(lower=ast.UnaryOp(op=ast.USub()) as start, upper=None):
            return type(literal(start)) is int
        case ast.Slice(lower=None, upper=stop):
            return is_literal(stop, 1)
    return type(literal(index)) is int
