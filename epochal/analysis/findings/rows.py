"""Track which rows of the data each variable in a scope holds."""

import ast
import re
from collections.abc import Iterator

from epochal.analysis.findings.source import (
    GROWING,
    Source,
    Step,
    elements_of,
    first_index,
    has_row_slice,
    inputs_of,
    keyword,
    root_name,
)
from epochal.analysis.findings.splits import CROSS_VALIDATIONS, PART_NAME
from epochal.analysis.syntax import last_name, text_of

DATA_ATTRIBUTES = frozenset({"values", "T", "iloc", "loc"})
DATA_METHODS = frozenset(
    {"astype", "copy", "drop", "dropna", "fillna", "reset_index", "reshape", "sample", "to_numpy", "tolist", "toarray"}
)
DATA_FUNCTIONS = frozenset(
    {"array", "asarray", "c_", "column_stack", "concat", "concatenate", "DataFrame", "expand_dims", "hstack", "vstack"}
    | {"append", "stack", "shuffle", "Series", "ascontiguousarray", "float32", "nan_to_num", "clip", "abs", "log1p"}
    | {"tensor", "as_tensor", "from_numpy", "FloatTensor", "constant", "convert_to_tensor", "cast", "csr_matrix"}
)
"""Functions whose results contain rows from their arguments, possibly converted."""
_SELECTING_METHODS = frozenset({"dropna", "sample"})
_KEEPING_METHODS = frozenset({"copy", "reset_index", "to_numpy", "sample", "query", "head", "tail"})
_GROUPING = frozenset({"groupby", "resample", "rolling", "expanding"})
"""The pandas methods that return groups of rows."""
_PART_KEY = re.compile(r"train|test|(?:^|_)(?:val|valid|validation|dev|holdout)(?:$|_)", re.IGNORECASE)
_STATISTICS = frozenset(
    {"fit", "len", "max", "min", "mean", "median", "nunique", "quantile", "std", "sum", "unique", "var", "Counter"}
)
"""The functions and methods whose results contain no rows from their arguments."""
_FITTED_METHODS = frozenset(
    {"transform", "fit_transform", "fit_resample", "predict", "predict_proba", "predict_log_proba", "decision_function"}
)
"""The methods that apply a fitted object to the rows in their arguments."""
CHOOSING = frozenset({"get_support", "get_feature_names_out", "support_", "ranking_"})
"""Methods and attributes of a fitted selector that say which columns it selects."""
_CROSS_VALIDATIONS = frozenset(f"sklearn.model_selection.{name}" for name in CROSS_VALIDATIONS)
_SEARCHES = re.compile(r"sklearn\.model_selection\.\w+SearchCV")
SPLIT = "sklearn.model_selection.train_test_split"


class Rows:
    """The rows, or indices of rows, that each variable in a scope holds.

    Rows are named after the variable that first held them, with a subscript for each selection, as in ``x[:100]``.
    """

    def __init__(self, source: Source, *, knows_parts: bool = True) -> None:
        """Start with the objects that the module ``source`` creates, and with no rows.

        ``knows_parts``: whether the parts of a split are told apart; if false, each part is treated as if it were all rows.
        """
        self.source = source
        self._knows_parts = knows_parts
        self.parts: set[str] = set()
        """The variables that hold a part of a split, or the indices of its rows."""
        self.test_indices: set[str] = set()
        self.fold_indices: dict[str, int] = {}
        """The variables that hold the test indices in loops over folds, with the line of each loop."""
        self.grouped_indices: set[str] = set()
        """The test indices of folds that never split a group of rows, and so never separate a row from its copies."""
        self.changed: set[str] = set()
        """The variables that may hold rows in a changed form (see ``_keeps_values``)."""
        self.choices: set[str] = set()
        """The variables that say which columns were chosen."""
        self.calls: dict[str, ast.Call] = {}
        self._classes = dict(source.created)
        self._names: dict[str, str] = {}
        self._sizes: dict[str, str] = {}
        self._depends: dict[str, frozenset[str]] = {}
        """The rows that each variable depends on: its own, and those of the variables that it was computed from."""

    def assign(self, target: ast.expr, value: ast.expr | None, line: int) -> None:
        """Record the rows that the variables in an assignment's target hold after the assignment."""
        is_split = isinstance(value, ast.Call) and self.source.callee(value) == SPLIT
        is_part = self.is_part(value)
        targets = elements_of(target)
        names = [self._name_assigned(value, position, len(targets)) for position in range(len(targets))]
        for position, (each, rows) in enumerate(zip(targets, names, strict=True)):
            name = root_name(each)
            if isinstance(each, ast.Name):
                is_kept = self._keeps_values(value)
                self._forget(name)
                if not is_kept:
                    self.changed.add(name)
                self._names[name] = rows or f"{name}@{line}"
                if value and len(targets) == 1:
                    self._note_value(name, value)
            else:
                self.changed.add(name)
            if is_split or is_part:
                self.parts.add(name)
                if is_split and position % 2:
                    self.test_indices.add(name)

    def _name_assigned(self, value: ast.expr | None, position: int, count: int) -> str:
        """Return a name for the rows in one of ``count`` variables that are assigned together; empty if not known."""
        if value is None or count == 1:
            return self.of(value) if value else ""
        if not isinstance(value, ast.Call):
            return ""
        is_split = self.source.callee(value) == SPLIT
        argument = position // 2 if is_split else position
        if argument >= len(value.args) or not (is_split or last_name(value.func) in ("fit_resample", "shuffle")):
            return ""
        rows = self.of(value.args[argument])
        return f"{rows}[{position % 2}]" if rows and is_split else rows

    def _note_value(self, name: str, value: ast.expr) -> None:
        """Record the object or size that a variable is set to."""
        if isinstance(value, ast.Call):
            self._classes[name] = self.class_of(value)
            self.calls[name] = value
        if counted := self.counted(value):
            self._sizes[name] = counted

    def _forget(self, name: str) -> None:
        """Forget what is known about a variable that is being reassigned."""
        for known in (self._classes, self.calls, self._sizes):
            known.pop(name, None)
        for names in (self.parts, self.changed, self.test_indices, self.choices):
            names.discard(name)

    def note_folds(self, step: Step) -> None:
        """Record the variables that hold the row indices of a fold, as in ``for a, b in folds.split(x, y)``."""
        for node in step.nodes:
            match node:
                case ast.For() | ast.comprehension():
                    target, value = node.target, node.iter
                case ast.Assign(targets=[ast.Tuple() as target]):
                    value = node.value
                case _:
                    continue
            names = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
            if len(names) > 1 and self._yields_folds(value):
                self.parts |= set(names[-2:])
                self.test_indices.add(names[-1])
                self.grouped_indices.discard(names[-1])
                self.fold_indices.pop(names[-1], None)
                if not isinstance(node, ast.Assign):
                    self.fold_indices[names[-1]] = target.lineno
                if self._keeps_groups(value):
                    self.grouped_indices.add(names[-1])

    def _keeps_groups(self, node: ast.expr) -> bool:
        """Return whether folds keep groups of rows together, as in ``folds.split(x, y, groups)``."""
        if isinstance(node, ast.Name) and node.id in self.calls:
            return self._keeps_groups(self.calls[node.id])
        calls = (each for each in ast.walk(node) if isinstance(each, ast.Call) and last_name(each.func) == "split")
        return any(keyword(each, "groups", 2) for each in calls)

    def _yields_folds(self, node: ast.expr) -> bool:
        """Return whether an expression yields the row indices of folds."""
        if isinstance(node, ast.Name) and node.id in self.calls:
            return self._yields_folds(self.calls[node.id])
        return any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr == "split"
            and self.class_of(each.func.value).startswith("sklearn.model_selection.")
            for each in ast.walk(node)
        )

    def note_dependencies(self, target: ast.expr, depends: frozenset[str]) -> frozenset[str]:
        """Record what the variables in an assignment's target depend on; return the names of the rows in them."""
        names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        for name in names:
            self._depends[name] = depends | {self.name_of(name)}
        if not names:  # some of the values of a variable are set
            name = root_name(target)
            self._depends[name] = self._depends.get(name, frozenset({name})) | depends
        return frozenset(self.name_of(name) for name in names)

    def note_collected(self, call: ast.Call) -> None:
        """Record which rows a list, dictionary or set depends on after a call such as ``parts.append(x)``."""
        if isinstance(call.func, ast.Attribute) and call.func.attr in GROWING:
            name = root_name(call.func)
            added = frozenset().union(*map(self.depends_on, call.args))
            self._depends[name] = self._depends.get(name, frozenset({name})) | added

    def name_of(self, variable: str) -> str:
        """Return the name of the rows in a variable."""
        return self._names.get(variable, variable)

    def depends_on(self, node: ast.AST) -> frozenset[str]:
        """Return the rows that an expression depends on through the variables that it reads."""
        return frozenset().union(*(self._depends.get(name, frozenset({name})) for name in read_names(node)))

    def depends_of_loop(self, step: Step) -> frozenset[str]:
        """Return the rows that the variables of a statement's loops and comprehensions take their values from."""
        return frozenset().union(*map(self.depends_on, step.iterated))

    def name_splitter(self, call: ast.Call) -> str:
        """Return what splits off validation data in ``call``, such as ``fit()``; empty if nothing does."""
        if self.source.callee(call) in _CROSS_VALIDATIONS:
            return f"{last_name(call.func)}()"
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "fit":
            return ""
        name = self.class_of(call.func.value)
        if _SEARCHES.fullmatch(name):
            scores = (each for each in self.source.nodes if isinstance(each, ast.Attribute))
            return f"{name.rpartition('.')[2]}()" if any(each.attr == "best_score_" for each in scores) else ""
        return "fit()" if keyword(call, "validation_split") else ""

    def class_of(self, node: ast.expr) -> str:
        """Return the full name of an object's class, even if the object is created and fitted in one expression."""
        if isinstance(node, ast.Name):
            return self._classes.get(node.id, "")
        if isinstance(node, ast.Call):
            is_fit = isinstance(node.func, ast.Attribute) and node.func.attr == "fit"
            if is_fit and isinstance(node.func, ast.Attribute):
                return self.class_of(node.func.value)
            return self.source.callee(node)
        return ""

    def of(self, node: ast.expr) -> str:
        """Return a name that identifies the rows in an expression; empty if unknown."""
        match node:
            case ast.Name():
                return self.name_of(node.id)
            case ast.Attribute():
                rows = self.of(node.value)
                return rows if node.attr in DATA_ATTRIBUTES or not rows else f"{rows}.{node.attr}"
            case ast.Subscript():
                rows = self.of(node.value)
                return f"{rows}[{ast.unparse(node.slice)}]" if rows and self._may_select_rows(node) else rows
            case ast.BinOp():
                return self.of(node.left)
            case ast.Call(func=ast.Attribute(attr="fit_transform" | "transform" | "fit_resample"), args=[rows, *_]):
                return self.of(rows)
            case ast.Call(args=[rows, *_]) if last_name(node.func) in DATA_FUNCTIONS and self.source.callee(node):
                return self.of(rows)
            case ast.Call(func=ast.Attribute(attr="sample" | "query" | "head" | "tail", value=owner)):
                rows = self.of(owner)
                return f"{rows}[{ast.unparse(node)}]" if rows else ""
            case ast.Call(func=ast.Attribute(attr=method, value=owner)) if method in DATA_METHODS - _SELECTING_METHODS:
                is_of_rows = method == "drop" and not keyword(node, "columns") and not keyword(node, "axis", 1)
                return "" if is_of_rows else self.of(owner)
        return ""

    def _may_select_rows(self, node: ast.Subscript) -> bool:
        """Return whether a subscript may select some of the rows, unlike ``x[:, 1]``, ``df["a"]`` or ``df[["a", "b"]]``."""
        match node.slice:
            case ast.Tuple(elts=[first, *_]):
                index = first
            case ast.Name(id=name) if name in self.choices:
                return False
            case ast.Name(id=name):
                index = self.source.constants.get(name, node.slice)
            case _:
                index = node.slice
        if isinstance(index, ast.Slice):
            return index.lower is not None or index.upper is not None
        if column_names(index) or isinstance(index, ast.Constant):
            return False
        return not any(
            isinstance(each, ast.Attribute) and each.attr in {"columns", *CHOOSING} for each in ast.walk(index)
        )

    def is_part(self, node: ast.expr | None) -> bool:
        """Return whether the value of an expression comes from a part of a split."""
        if not self._knows_parts:
            return False
        match node:
            case ast.Name():
                return node.id in self.parts
            case ast.Attribute():
                return self.is_part(node.value)
            case ast.Subscript():
                return self.is_part(node.value) or row_index(node).lstrip("~") in self.parts
            case ast.BinOp():
                return self.is_part(node.left) or self.is_part(node.right)
            case ast.Call() if last_name(node.func) != "fit":  # a fitted object may transform all rows
                return any(self.is_part(each) for each in (*node.args, getattr(node.func, "value", None)))
        return False

    def may_hold_part(self, name: str) -> bool:
        """Return whether a variable holds a part of a split, or is named as if it did."""
        return self._knows_parts and (name in self.parts or bool(PART_NAME.search(name)))

    def is_all_rows(self, call: ast.Call) -> bool:
        """Return whether a call receives all rows: no argument is a part of them or has a name like ``x_train``."""
        return bool(call.args) and not self.receives_part(call)

    def receives_part(self, call: ast.Call) -> bool:
        """Return whether an argument of a call contains only part of the rows, or has a name like ``x_train``."""
        return any(self.is_part(each) or _selects_rows(each) or self.is_named_part(each) for each in inputs_of(call))

    def is_named_part(self, node: ast.expr) -> bool:
        """Return whether an expression is named like a part of the data (see the function of the same name)."""
        return self._knows_parts and is_named_part(node)

    def is_grouped(self, node: ast.expr) -> bool:
        """Return whether an expression groups rows, as ``df.groupby("y")`` does, or uses such groups."""
        if isinstance(node, ast.Name) and node.id in self.calls:
            return self.is_grouped(self.calls[node.id])
        return any(isinstance(each, ast.Attribute) and each.attr in _GROUPING for each in ast.walk(node))

    def counted(self, node: ast.expr) -> str:
        """Return ``x`` for ``len(x)``, ``x.shape[0]``, ``x.index`` or a variable set to one of them; else empty."""
        match node:
            case ast.Name():
                return self._sizes.get(node.id, "")
            case (
                ast.Call(func=ast.Name(id="len"), args=[rows])
                | ast.Subscript(value=ast.Attribute(attr="shape", value=rows), slice=ast.Constant(value=0))
                | ast.Attribute(attr="index", value=rows)
            ):
                return root_name(rows)
        return ""

    def _keeps_values(self, node: ast.expr | None) -> bool:
        """Return whether an expression selects or copies rows without changing them, as in ``df[df.y == 1].copy()``."""
        match node:
            case ast.Name():
                return node.id not in self.changed
            case ast.Attribute(attr="values" | "loc" | "iloc", value=owner) | ast.Subscript(value=owner):
                return self._keeps_values(owner)
            case ast.Call(func=ast.Attribute(attr=method, value=owner)):
                return method in _KEEPING_METHODS and self._keeps_values(owner)
        return False


def row_index(node: ast.Subscript) -> str:
    """Return the variable that selects rows in a subscript, such as ``mask`` or ``~mask``; empty if there is none."""
    rows = first_index(node)
    if isinstance(rows, ast.UnaryOp) and isinstance(rows.op, ast.Invert) and isinstance(rows.operand, ast.Name):
        return f"~{rows.operand.id}"
    return rows.id if isinstance(rows, ast.Name) else ""


def column_index(node: ast.Subscript) -> ast.expr | None:
    """Return what selects columns in a subscript: ``b`` in ``x[a, b]`` and ``x[b]``; None if it is a slice."""
    columns = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    return None if isinstance(columns, ast.Slice) else columns


def column_names(node: ast.expr | None) -> frozenset[str]:
    """Return the names in an index such as ``"a"`` or ``["a", "b"]``; empty for other indices."""
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node else []
    return texts_in(node) if node and elements and all(map(text_of, elements)) else frozenset()


def name_columns(node: ast.expr, source: Source) -> str:
    """Return the source text of an expression's column selection, as in ``df[["a", "b"]]``; empty if it selects all."""
    if not isinstance(node, ast.Subscript):
        return ""
    columns = column_index(node)
    value = source.resolve(columns) if columns else None
    if value and text_of(value):
        return f"[{ast.unparse(value)}]"
    is_index = isinstance(value, ast.Attribute) and value.attr == "columns"
    is_last = columns is not node.slice  # as in x[:, columns]
    return ast.unparse(columns) if columns and (is_last or is_index or column_names(value)) else ""


def texts_in(node: ast.AST) -> frozenset[str]:
    """Return the strings in an expression, such as the names of columns in ``df[["a", "b"]]``."""
    return frozenset(filter(None, map(text_of, ast.walk(node))))


def is_within(rows: str, others: str) -> bool:
    """Return whether ``rows`` names all or some of the rows that ``others`` names (see ``Rows.of``)."""
    return bool(others) and (rows == others or rows.startswith(f"{others}["))


def are_apart(rows: str, others: str) -> bool:
    """Return whether ``rows`` and ``others`` are on either side of a position, as ``x[:n]`` and ``x[n:]`` are."""
    return any(
        after == f"{data}[{position.removesuffix(']')}:]"
        for before, after in ((rows, others), (others, rows))
        for data, start, position in [before.rpartition("[:")]
        if start
    )


def is_named_part(node: ast.expr) -> bool:
    """Return whether an expression's name suggests a part of the data, as ``self.x_val`` and ``d["train"]`` do."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        if isinstance(node, ast.Attribute) and _PART_KEY.search(node.attr):
            return True
        if isinstance(node, ast.Subscript) and any(map(_PART_KEY.search, texts_in(node.slice))):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and bool(PART_NAME.search(node.id))


def _selects_rows(node: ast.expr) -> bool:
    """Return whether an expression selects some rows of a variable, as in ``x[:800].copy()`` and ``x[train_rows]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Subscript) and (has_row_slice(node) or PART_NAME.search(root_name(node.slice))):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False


def read_names(node: ast.AST) -> Iterator[str]:
    """Yield the variables whose rows an expression reads.

    Statistics, column indices (such as ``columns`` in ``x[:, columns]``) and fitted objects are skipped.
    """
    match node:
        case ast.Name():
            yield node.id
        case ast.Call() if last_name(node.func) in _STATISTICS and not _is_of_each_row(node):
            pass
        case ast.Attribute(attr="columns" | "shape" | "dtype"):
            pass
        case ast.Call(func=func):
            is_fitted = isinstance(func, ast.Attribute) and func.attr in _FITTED_METHODS
            if isinstance(func, ast.Attribute) and not is_fitted:
                yield from read_names(func.value)
            for argument in (*node.args, *node.keywords):
                yield from read_names(argument)
        case ast.Subscript(slice=ast.Tuple(elts=[rows, *_])):
            yield from read_names(node.value)
            yield from read_names(rows)
        case _:
            for each in ast.iter_child_nodes(node):
                yield from read_names(each)


def _is_of_each_row(call: ast.Call) -> bool:
    """Return whether a call such as ``x.max(axis=1)`` may return a value for each row or group of rows."""
    if any(isinstance(each, ast.Attribute) and each.attr in _GROUPING for each in ast.walk(call)):
        return True
    return any(ast.unparse(each) in ("1", "-1") for each in inputs_of(call))
