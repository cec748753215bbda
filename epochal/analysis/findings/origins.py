"""Trace what the variables of a scope are computed from: other variables, and columns of data frames."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from epochal.analysis.findings.kinds import NAMES, Kinds, Result
from epochal.analysis.findings.loops import Guard, find_guards
from epochal.analysis.findings.source import (
    GROWING,
    Scope,
    Source,
    Step,
    called,
    elements_of,
    first_index,
    has_row_slice,
    inputs_of,
    keyword,
    names_in,
    root_name,
)
from epochal.analysis.syntax import last_name, literal, text_of

SPLITS = frozenset({"train_test_split", "split"})
"""Functions that split the rows."""
_RANKINGS = frozenset(
    {"argpartition", "argmax", "argmin", "get_support", "idxmax", "idxmin", "max", "min", "most_common"}
    | {"nlargest", "nsmallest"}
)
"""Functions that rank columns. Only a ranking, or a comparison such as ``>``, counts as a choice."""
_SORTING = frozenset({"argsort", "sort_values", "sorted"})
_KEEPING_ORDER = frozenset(
    {"Index", "abs", "array", "asarray", "list", "reset_index", "to_list", "tolist", "to_numpy", "tuple"}
)
"""Functions that return all of the columns that they are given, in the same order."""
ORDERED = ">="
"""The origin recorded for values that are sorted. Taking only some of them counts as a ranking."""
RANKED = ">"
"""The origin (see ``Origins``) recorded for values that a ranking or a comparison such as ``>`` has produced."""
_CONVERSIONS = frozenset({"astype", "copy", "reset_index", "sample", "to_numpy"})
NOT_VALUES = frozenset({"dtype", "name", "ndim", "shape", "size"})
"""Attributes of data that do not depend on its values."""
_NAMING_COLUMNS = frozenset({"drop_duplicates", "dropna", "fillna", "get_dummies", "rename"})
"""Functions whose arguments, apart from the data, say which columns to change or examine."""
_JOINS = frozenset({"align", "assign", "concat", "join", "merge"})
"""Functions that add columns or rows to a table. What they add counts only if it is read later."""
_COLUMN = "?"
"""The first character of an origin that counts only if its column is read."""
_OR = "\t"
"""In origins, the separator between the position and the name of a field that has both."""
_TABLE_ATTRIBUTES = frozenset({"T", "at", "cat", "columns", "dt", "iat", "iloc", "index", "loc", "str", "values"})
"""Attributes of a data frame that are not columns."""
_NAME = "''"
"""The origin recorded for constants."""
PART = ""
"""The origin recorded for values that come from a split, and so from only some of the rows."""

_SETTINGS = frozenset({"Generator", "Random", "RandomState", "default_rng", "parse_args", "safe_load"})
"""Functions that return random number generators or settings. Datasets that share these are still independent."""
_LOCATORS = frozenset({"iloc", "loc"})


@dataclass
class Origins:
    """The variables and columns that a scope's variables are computed from.

    A column ``df["price"]`` has the origin ``['price']``. Rows that a slice or index takes from a variable ``x`` have
    the origin ``x[]``. Rows that a test such as ``year < 9`` selects have the origin ``x[] if year < 9``, followed by
    the test's origins, one per line. ``imported``: the imported names, which are not origins. ``constants``:
    the variables that hold constants. ``results``: the results of the code's functions. ``loops``: the variables
    assumed not to be row indices (loop variables, parameters of lambdas, and variables compared with column names).
    ``assigned``: for each column that is set to a variable, the origins of the variable.
    """

    imported: Collection[str]
    constants: Mapping[str, ast.expr] = field(default_factory=dict)
    results: Mapping[str, Result] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    loops: set[str] = field(default_factory=set)
    assigned: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Create ``kinds``, in which no variable has a kind yet."""
        self.kinds = Kinds(self.imported, self.results)

    def of(self, node: ast.AST) -> frozenset[str]:
        """Return the origins of an expression. Constants and sizes of data have none: no data values affect them."""
        found = self._of(node)
        return found if ORDERED not in found or self._keeps_all(node) else found | {RANKED}

    def _keeps_all(self, node: ast.AST) -> bool:
        """Return whether an expression keeps all values that it is given, except those that it leaves out by name."""
        match node:
            case ast.Name() | ast.Attribute() | ast.Starred() | ast.keyword():
                return True
            case ast.Call(func=ast.Attribute(attr="drop"), args=[left_out]):
                return not self.of(left_out)
            case ast.Call():
                return last_name(node.func) in _KEEPING_ORDER | _SORTING
            case ast.BinOp(op=ast.Add(), left=first, right=second):
                return _is_name(first) or _is_name(second)
            case ast.ListComp(
                elt=ast.Name(id=name), generators=[ast.comprehension(target=ast.Name(id=target), ifs=tests)]
            ):
                return name == target and all(self._leaves_out(each, name) for each in tests)
        return False

    def _leaves_out(self, test: ast.expr, name: str) -> bool:
        """Return whether a test such as ``name != "price"`` holds for all values but those that it names."""
        match test:
            case ast.Compare(left=ast.Name(id=tested), ops=[ast.NotEq() | ast.NotIn()], comparators=[left_out]):
                return tested == name and not self.of(left_out)
        return False

    def _of(self, node: ast.AST) -> frozenset[str]:
        match node:
            case ast.Name(id=name):
                known = self.names.get(name, frozenset())
                if name in self.imported or _NAME in known:
                    return frozenset()
                return known if PART in known else known | {name}
            case ast.Attribute():
                return self._of_attribute(node)
            case ast.Slice():  # how many are taken says little about which
                return frozenset()
            case ast.Subscript():
                return self._of_subscript(node)
            case ast.Call():
                return self._of_call(node)
            case ast.Compare():
                return self._of_comparison(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._of_comprehension(node)
            case ast.Lambda(body=body, args=ast.arguments(args=parameters)):
                self.loops |= {each.arg for each in parameters}
                return _without(self.of(body), {each.arg for each in parameters})
        return self._of_parts(node)

    def _of_attribute(self, node: ast.Attribute) -> frozenset[str]:
        if node.attr in NOT_VALUES:
            return frozenset()
        found = self.of(node.value)
        is_column = isinstance(node.value, ast.Name) and node.attr not in _TABLE_ATTRIBUTES
        found = found if node.attr in _TABLE_ATTRIBUTES else _unmark_column(found, node.attr)
        return found | self._of_column(ast.Constant(node.attr)) if found and is_column else found

    def _of_parts(self, node: ast.AST) -> frozenset[str]:
        return frozenset[str]().union(*map(self.of, ast.iter_child_nodes(node)))

    def _of_call(self, call: ast.Call) -> frozenset[str]:
        name = last_name(call.func)
        match call:
            case ast.Call(func=ast.Name(id="len" | "type")):
                return frozenset()
            case ast.Call(func=ast.Attribute(value=data, attr="pop" | "get"), args=[column, *_]):
                return self._read(self.of(data), column) | self._of_column(column)
            case ast.Call(func=ast.Attribute(attr="predict"), args=[data, *_]):
                return self.of(data)  # a model predicts these rows, however it was trained
            case ast.Call(func=ast.Attribute(value=data, attr="drop")) if find_dropped(call):
                return self.of(data)
            case ast.Call(func=ast.Attribute(value=data, attr="reindex")) if keyword(call, "columns"):
                return self.of(data)
        if name in self.results and self.results[name].origins:
            return self.apply(self.results[name], call)
        if (name in _NAMING_COLUMNS or name in _JOINS) and isinstance(call.func, ast.Attribute):
            return self._of_join(call)
        if name == "DataFrame" and call.args and isinstance(call.args[0], ast.Dict):
            return self._of_fields(call.args[0]).union(*map(self.of, (*call.args[1:], *call.keywords)))
        if name == "DataFrame" and call.args and (columns := self._find_titles(call)):
            return _rename_elements(self.of(call.args[0]), columns)
        marks = {RANKED} if name in _RANKINGS else {ORDERED} if name in _SORTING else set[str]()
        return self._of_function(call) | marks

    def _of_function(self, call: ast.Call) -> frozenset[str]:
        """Return the origins of the arguments of a call, and of the object whose method is called."""
        name = last_name(call.func)
        function = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        is_unknown = isinstance(call.func, ast.Name) and call.func.id not in self.names
        found = frozenset[str]() if is_unknown else self.of(function)
        found = found.union(*map(self.of, (*call.args, *call.keywords)))
        if name == "groupby" and (by := keyword(call, "by", 0)):
            found |= self._of_column(by)
        found = _unmark_elements(found)
        for each in inputs_of(call):
            if isinstance(each, ast.Lambda) or each is keyword(call, "key"):
                found = _unmark_read(found, each)
        if name not in ("corr", *_KEEPING_ORDER):
            for each in (*call.args, *(each.value for each in call.keywords if each.arg in ("by", "columns"))):
                found = found if _holds_no_name(each) else self._read(found, each)
        return found

    def _of_join(self, call: ast.Call) -> frozenset[str]:
        """Return the origins of a join of tables; the columns of all but the first table count only if they are read.

        For a call such as ``fillna``, which joins nothing, return the table's origins.
        """
        given = [*call.args, *(each.value for each in call.keywords if each.arg != "on")]
        tables = [part for each in given for part in (each.elts if isinstance(each, ast.List | ast.Tuple) else [each])]
        if isinstance(call.func, ast.Attribute) and not self.kinds.is_imported(call.func):
            tables.insert(0, call.func.value)
        first, *others = [*map(self._of_joined, tables)] or [frozenset[str]()]
        if last_name(call.func) in _NAMING_COLUMNS:
            return first
        return first | _mark_column(frozenset[str]().union(*others) - first, "")

    def _of_joined(self, node: ast.expr) -> frozenset[str]:
        """Return the origins of one part of a join: a table, or a dictionary of columns."""
        if isinstance(node, ast.DictComp):
            return _mark_column(self.of(node), ast.unparse(node.key))
        return self._of_fields(node) if isinstance(node, ast.Dict) else self.of(node)

    def _of_record(self, node: ast.expr) -> frozenset[str]:
        """Return the origins of a value added to a list; a record's fields count only if they are read."""
        if isinstance(node, ast.Tuple):
            return self._of_fields(ast.Dict([ast.Constant(each) for each in range(len(node.elts))], node.elts))
        if isinstance(node, ast.Call) and (names := self._find_field_names(node)):
            given = [(name, keyword(node, name, position)) for position, name in enumerate(names)]
            keys: list[ast.expr | None] = [
                ast.Constant(f"{position}{_OR}{name}") for position, (name, value) in enumerate(given) if value
            ]
            return self._of_fields(ast.Dict(keys, [value for _, value in given if value]))
        return self._of_fields(node) if isinstance(node, ast.Dict) and _is_record(node) else self.of(node)

    def _find_field_names(self, call: ast.Call) -> list[str]:
        """Return the field names of the named tuple that a call creates; empty for other calls."""
        created = self.constants.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if not isinstance(created, ast.Call) or last_name(created.func) != "namedtuple":
            return []
        fields = keyword(created, "field_names", 1)
        return text_of(fields).replace(",", " ").split() or _texts_of(fields)

    def _find_titles(self, call: ast.Call) -> list[str]:
        """Return the names that a call to ``DataFrame`` gives to the columns; empty if they are not known."""
        titles = keyword(call, "columns", 2)
        return _texts_of(self.constants.get(titles.id) if isinstance(titles, ast.Name) else titles)

    def _of_fields(self, node: ast.Dict) -> frozenset[str]:
        """Return the origins of the columns in a dictionary.

        An origin of only some of the columns counts only if one of those columns is read.
        """
        common = frozenset[str].intersection(*map(self.of, node.values)) if node.values else frozenset[str]()
        return common.union(
            *(
                _mark_column(self.of(value) - common, str(key.value) if isinstance(key, ast.Constant) else "")
                for key, value in zip(node.keys, node.values, strict=True)
            )
        )

    def _read(self, found: frozenset[str], column: ast.expr) -> frozenset[str]:
        """Return ``found``, the origins of a table, with those of ``column`` unmarked, because that column is read.

        Return ``found`` itself if ``column`` may stand for many columns, as a mask or a loop variable does.
        """
        name = column.id if isinstance(column, ast.Name) else ""
        is_data = name in self.loops or (name in self.names and _NAME not in self.names[name])
        if self.kinds.of(column) or (name and is_data and name not in self.constants):
            return found
        value = self.constants.get(name) if name else column
        return _unmark_column(found, str(value.value) if isinstance(value, ast.Constant) else "")

    def _of_comparison(self, node: ast.Compare) -> frozenset[str]:
        """Return the origins of a comparison. Comparing a column's name with another name says nothing about values."""
        if any(isinstance(each, ast.Gt | ast.GtE | ast.Lt | ast.LtE) for each in node.ops):
            is_limited = len(node.ops) == 1 and _is_setting(node.comparators[0])
            return ((is_limited and self.of(node.left)) or self._of_parts(node)) | {RANKED}
        sides = [node.left, *node.comparators]
        if any(self.kinds.of(each) == NAMES for each in sides):
            self.loops |= {each.id for each in sides if isinstance(each, ast.Name)}
            is_membership = isinstance(node.ops[0], ast.In | ast.NotIn)
            sides = [each for each in sides if self.kinds.of(each) or (is_membership and not _is_display(each))]
        return frozenset[str]().union(*map(self.of, sides))

    def _of_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> frozenset[str]:
        earlier, bound, found = self.names, set[str](), frozenset[str]()
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else []
        self.names = dict(earlier)
        try:
            for each in node.generators:
                iterated = frozenset({PART}) if _splits(each.iter) else self._of_unpacked(each.target, each.iter)
                for position, part in enumerate(elements_of(each.target)):
                    own = _unmark_elements(iterated, position) if part is not each.target else iterated
                    self.names |= dict.fromkeys(names_in(part), own)
                bound |= names_in(each.target)
                self.loops |= set() if PART in iterated else names_in(each.target)
                found |= iterated
            with self.kinds.bound(node):
                tests = (
                    test
                    for each in node.generators
                    for test in each.ifs
                    if not (isinstance(each.target, ast.Name) and self._leaves_out(test, each.target.id))
                )
                found = found.union(*map(self.of, (*values, *tests)))
                return _without(found if isinstance(node, ast.DictComp) else found | self._of_record(node.elt), bound)
        finally:
            self.names = earlier

    def _of_unpacked(self, target: ast.expr, value: ast.expr) -> frozenset[str]:
        """Return the origins of a value that is assigned to a target.

        If the target is a tuple, and it is unknown which field of the value goes to which variable, all fields count.
        """
        is_starred = any(isinstance(part, ast.Starred) for part in elements_of(target))
        is_unknown = is_starred or (isinstance(target, ast.Tuple) and _holds_table_rows(value))
        return unmark_all(self.of(value)) if is_unknown else self.of(value)

    def _of_subscript(self, node: ast.Subscript) -> frozenset[str]:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        found = self.of(node.value)
        kind = self.kinds.of(node.value)
        are_labels = isinstance(node.value, ast.Attribute) and node.value.attr in ("columns", "index")
        for each in () if are_labels else parts:
            found = found if _holds_no_name(each) else self._read(found, each)
        if len(parts) > 1 and _is_number(parts[-1]):  # the position of a column
            found = unmark_all(found)
        is_computed = isinstance(parts[-1], ast.Slice | ast.Compare | ast.BinOp | ast.UnaryOp) if parts else True
        if not are_labels and kind != NAMES and not is_computed:  # the names of columns
            if not _is_number(parts[-1]):
                found |= self._of_column(parts[-1])
            elif name := _find_data(node.value):
                found |= {f"{name}[{ast.unparse(parts[-1])}]"}
            parts = parts if kind else parts[:-1]
        elif parts and not kind and not are_labels and (len(parts) > 1 or self.kinds.of(parts[-1]) == NAMES):
            parts = parts[:-1]  # which columns are taken does not change their values
        if self.takes_rows(node) and (name := _find_data(node.value)):
            found |= {f"{name}[]"}
        elif name := self._find_filtered(node):
            test = first_index(node)
            found |= {"\n".join((f"{name}[] if {ast.unparse(test)}", *sorted(self.of(test))))}
        return found.union(*map(self.of, parts))

    def _find_filtered(self, node: ast.Subscript) -> str:
        """Return the variable from which a test such as ``df["year"] < 2015`` selects rows; empty if there is none."""
        return _find_data(node.value) if _is_filter(first_index(node)) and not self.kinds.of(node.value) else ""

    def _of_column(self, column: ast.expr) -> frozenset[str]:
        """Return the origins of the column, or the list of columns, that an expression names."""
        if isinstance(column, ast.List | ast.Tuple):
            return frozenset[str]().union(*map(self._of_column, column.elts))
        name = self._name_of(column)
        return self.assigned.get(name, frozenset()) | {name}

    def _name_of(self, column: ast.expr) -> str:
        value = self.constants.get(column.id) if isinstance(column, ast.Name) else None
        return f"[{ast.unparse(value if isinstance(value, ast.Constant) else column)}]"

    def apply(self, result: Result, call: ast.Call) -> frozenset[str]:
        """Return the origins of a call's result. ``result``: what the called function computes its result from."""
        arguments = {name: value for name, value in result.arguments.items() if value}
        arguments |= dict(zip(result.arguments, call.args, strict=False))
        arguments |= {each.arg: each.value for each in call.keywords if each.arg}
        found = set[str]()
        for each in result.origins:
            field, origin = _field_of(each)
            if origin in arguments:
                given = _unmark_elements(self.of(arguments[origin]))
            elif origin[1:-1] in arguments:
                given = self._of_column(arguments[origin[1:-1]])
            else:
                given = frozenset() if origin in result.arguments else frozenset({origin})
            found |= given if field is None else _mark_column(given, field)
        reads_column = any(each.startswith("[") for each in result.origins)
        return unmark_all(frozenset(found)) if reads_column else frozenset(found)

    def takes_rows(self, node: ast.Subscript) -> bool:
        """Return whether a subscript may be a slice or an index that selects only some of the rows."""
        rows = first_index(node)
        if isinstance(rows, ast.Name):
            is_column = rows.id in self.loops or _NAME in self.names.get(rows.id, frozenset())
            return not is_column and (is_locator(node.value) or not self.kinds.of(rows))
        return has_row_slice(node) or isinstance(rows, ast.Call | ast.Subscript)

    def of_guard(self, guard: Guard) -> frozenset[str]:
        """Return the origins of the conditions that guard a statement and depend on a loop variable."""
        marks = _loop_origins(guard)
        return frozenset[str]().union(*(found for found in map(self.of, guard.tests) if found & marks))

    def assign(self, step: Step, guard: Guard) -> None:
        """Record the origins of the variables that a statement assigns or extends."""
        iterated = step.node.iter if isinstance(step.node, ast.For) else None
        self.loops |= {root_name(target) for target, value in step.assigned if value is None and not _splits(iterated)}
        condition = self.of_guard(guard)
        marks = _loop_origins(guard)
        for target, value in step.assigned:
            if value:
                is_decided = condition and self.of(value) & marks
                self._assign(target, value, condition if is_decided else frozenset())
            elif isinstance(step.node, ast.For) and target is step.node.target:
                is_ordered = ORDERED in self.of(step.node.iter)
                self._assign(target, step.node.iter, frozenset({RANKED} if is_ordered else ()))
        for call in step.calls:
            name = root_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""
            if last_name(call.func) in GROWING:
                self.names[name] = (self.names.get(name, condition) - {_NAME}).union(
                    condition,
                    *(self._of_record(each) for each in call.args),
                )
            elif last_name(call.func) == "sort" and isinstance(step.node, ast.Expr):
                self.names[name] = unmark_all(self.names.get(name, frozenset())).union(
                    {RANKED}, *map(self.of, call.keywords)
                )
        self.kinds.assign(step)

    def _assign(self, target: ast.expr, value: ast.expr, condition: frozenset[str]) -> None:
        found = frozenset({PART}) if _splits(value) else self._of_unpacked(target, value)
        if _holds_no_data(value) and not condition:
            found = frozenset({_NAME})
        targets = elements_of(target)
        for position, own in enumerate(self._of_elements(value, found, len(targets))):
            for part in _flatten(targets[position]):
                self._assign_to(part, value, _unmark_elements(own, position) if len(targets) > 1 else own, condition)

    def _of_elements(self, value: ast.expr, found: frozenset[str], count: int) -> list[frozenset[str]]:
        """Return the origins of each of the ``count`` variables that a value with origins ``found`` is assigned to."""
        result = self.results.get(called(value))
        if isinstance(value, ast.Call) and result and count > 1 and len(result.elements) == count and PART not in found:
            return [self.apply(Result(result.arguments, each), value) for each in result.elements]
        return [found | each for each in self._of_split(value, count)]

    def _of_split(self, value: ast.expr, count: int) -> list[frozenset[str]]:
        """Return the origins of the ``count`` results of a split, usually the training and test rows of each argument.

        The results have no origins unless ``value`` is a call that returns the split data. A ``split`` method does not
        count, because it yields only row indices.
        """
        is_method = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "split"
        if not isinstance(value, ast.Call) or last_name(value.func) not in SPLITS or is_method or not _splits(value):
            return [frozenset()] * count
        found = [self.of(each) for each in value.args]
        if count == 2 * len(found):
            return [each for each in found for _ in range(2)]
        return [frozenset[str]().union(*found)] * count

    def _assign_to(self, each: ast.expr, value: ast.expr, found: frozenset[str], condition: frozenset[str]) -> None:
        """Record the origins of a variable, or of one of its items or attributes."""
        name = root_name(each)
        if isinstance(each, ast.Subscript):
            self._assign_item(name, each, value, found, condition)
        elif not (isinstance(each, ast.Attribute) and each.attr in ("columns", "index")):
            earlier = frozenset() if isinstance(each, ast.Name) else self.names.get(name, frozenset())
            self.names[name] = earlier | found | condition

    def _assign_item(
        self, name: str, target: ast.Subscript, value: ast.expr, found: frozenset[str], condition: frozenset[str]
    ) -> None:
        """Record the origins of a value that is assigned to a column.

        The statement's conditions count only for a dictionary or series, which holds one value per column.
        """
        if name in self.kinds.mappings:
            found |= condition | self.of(target.slice)
        elif not self.kinds.of(target.slice) and not _is_number(target.slice):
            column = self._name_of(target.slice)
            found -= {column}
            if isinstance(target.slice, ast.Constant):
                earlier = self.names.get(name, frozenset())
                found = found & earlier | _mark_column(found - earlier, str(target.slice.value))
            if isinstance(value, ast.Name):
                self.assigned[column] = unmark_all(found)
                return
        self.names[name] = (self.names.get(name, frozenset()) | found) - {_NAME}


def find_filters(origins: Collection[str]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield each filter on the rows of a variable: the variable, the condition, and the condition's origins."""
    for each in origins:
        first, *tested = each.split("\n")
        name, _, test = first.partition("[] if ")
        if test and not each.startswith("["):
            yield name, test, frozenset(tested)


def is_of_columns(call: ast.Call, position: int) -> bool:
    """Return whether a call's ``axis`` argument, passed by name or at ``position``, refers to columns."""
    axis = keyword(call, "axis", position)
    return axis is not None and ast.unparse(axis) in ("1", "-1", "'columns'")


def find_dropped(call: ast.Call) -> ast.expr | None:
    """Return the columns that a call to a data frame's ``drop`` removes; None if it removes rows."""
    return keyword(call, "columns") or (keyword(call, "labels", 0) if is_of_columns(call, 1) else None)


def find_result(source: Source, scope: Scope) -> Result:
    """Return what a function's result is computed from."""
    origins, guards, found, kind = Origins(source.names, source.constants), find_guards(scope), set[str](), ""
    results: list[list[frozenset[str]]] = []
    for step in scope.steps:
        if isinstance(step.node, ast.Return) and step.node.value:
            elements = step.node.value.elts if isinstance(step.node.value, ast.Tuple) else []
            results.append([*map(origins.of, elements)])
            found |= origins.of(step.node.value)
            kind = kind or origins.kinds.of(step.node.value)
        origins.assign(step, guards.get(id(step.node), Guard()))
    parameters = find_parameters(scope)
    parts = tuple(outer_origins(each, origins, parameters) for each in results[0]) if len(results) == 1 else ()
    return Result(parameters, outer_origins(found, origins, parameters), kind, parts)


def outer_origins(found: Collection[str], origins: Origins, parameters: Collection[str]) -> frozenset[str]:
    """Return the origins in ``found`` that have a meaning outside the function: all but its own variables."""
    local = {*origins.names, *origins.loops} - {*parameters}
    inner = {each: _field_of(each)[1] for each in found}
    return frozenset(
        each for each, origin in inner.items() if origin.partition("[")[0] not in local or origin.startswith("[")
    )


def find_parameters(scope: Scope) -> dict[str, ast.expr | None]:
    """Return the parameters of a function, except a method's ``self``, each with its default value."""
    if isinstance(scope.node, ast.Module):
        return {}
    given, keywords = scope.node.args, dict[str, ast.expr | None]()
    names = [each.arg for each in (*given.posonlyargs, *given.args) if each.arg not in ("self", "cls")]
    defaults = [None] * (len(names) - len(given.defaults)) + given.defaults
    keywords |= {each.arg: value for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)}
    return dict(zip(names, defaults, strict=False)) | keywords


def _loop_origins(guard: Guard) -> set[str]:
    """Return the origins that reveal a value's dependence on a loop variable."""
    variables = set[str]().union(*(names_in(each.target) for each in guard.loops))
    return variables | {f"[{each}]" for each in variables}


def _flatten(target: ast.expr) -> Iterator[ast.expr]:
    """Yield the individual targets of an assignment such as ``(x, y), z = data``."""
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _flatten(each)
    else:
        yield target


def _without(origins: frozenset[str], variables: Collection[str]) -> frozenset[str]:
    """Return ``origins`` without the variables of a comprehension or lambda, which mean nothing outside it."""
    inner = {*variables, *(f"[{each}]" for each in variables)}
    return frozenset(each for each in origins if _field_of(each)[1] not in inner)


def _holds_no_data(value: ast.expr) -> bool:
    """Return whether an expression contains no data, only constants, a random number generator or settings."""
    return _is_name(value) or called(value) in _SETTINGS


def _is_setting(node: ast.expr) -> bool:
    """Return whether an expression may be a setting, such as ``args.limit``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def _is_display(node: ast.expr) -> bool:
    """Return whether an expression is a literal list, tuple or set, such as ``[a, b]``."""
    return isinstance(node, ast.Tuple | ast.List | ast.Set)


def _is_number(node: ast.expr) -> bool:
    """Return whether an expression is a numeric literal, such as ``-1``."""
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _mark_column(origins: frozenset[str], column: str) -> frozenset[str]:
    """Return ``origins`` marked as those of a table's column. ``column``: its name; empty if unknown."""
    return frozenset(each if each.startswith(_COLUMN) else _mark(each, column) for each in origins)


def _mark(origin: str, column: str) -> str:
    return origin if origin in (PART, RANKED, ORDERED, _NAME) else f"{_COLUMN}{column}\n{origin}"


def _unmark_column(origins: frozenset[str], column: str) -> frozenset[str]:
    """Return ``origins`` without the marks of the column that is read, so that its origins count.

    ``column``: the column's name; empty if unknown.
    """
    fields = ((each, *_field_of(each)) for each in origins)
    return frozenset(
        origin if field is not None and (not field or not column or column in field.split(_OR)) else each
        for each, field, origin in fields
    )


def _unmark_elements(origins: frozenset[str], position: int | None = None) -> frozenset[str]:
    """Return ``origins`` without the marks of the tuple element at ``position``, or of all elements if it is None."""
    fields = ((each, *_field_of(each)) for each in origins)
    return frozenset(
        origin if (place := _place_of(field)) is not None and position in (None, place) else each
        for each, field, origin in fields
    )


def _place_of(field: str | None) -> int | None:
    """Return the position of the tuple element that ``field`` refers to; None if ``field`` contains no position."""
    place = (field or "").partition(_OR)[0]
    return int(place) if place.isdigit() else None


def _rename_elements(origins: frozenset[str], names: Sequence[str]) -> frozenset[str]:
    """Return ``origins`` with tuple elements marked as columns of a table. ``names``: the names of the columns."""
    fields = ((each, _place_of(_field_of(each)[0]), _field_of(each)[1]) for each in origins)
    return frozenset(
        each if place is None else _mark(origin, names[place] if place < len(names) else "")
        for each, place, origin in fields
    )


def _unmark_read(origins: frozenset[str], key: ast.expr) -> frozenset[str]:
    """Return ``origins`` without the marks of the fields that a function such as ``lambda s: s["a"]`` reads."""
    if isinstance(key, ast.Call) and last_name(key.func) in ("attrgetter", "itemgetter"):
        read = [*key.args]
    elif isinstance(key, ast.Lambda) and len(key.args.args) == 1:
        (parameter,) = key.args.args
        uses = [each for each in ast.walk(key.body) if isinstance(each, ast.Name) and each.id == parameter.arg]
        read = [
            each.slice if isinstance(each, ast.Subscript) else ast.Constant(each.attr)
            for each in ast.walk(key.body)
            if isinstance(each, ast.Subscript | ast.Attribute) and each.value in uses
        ]
        read = read if len(read) == len(uses) else []
    else:
        read = []
    if not read or not all(isinstance(each, ast.Constant) for each in read):
        return unmark_all(origins)
    for each in read:
        origins = _unmark_column(origins, str(literal(each)))
    return origins


def unmark_all(origins: frozenset[str]) -> frozenset[str]:
    """Return ``origins`` with all column marks removed, so that the origins of all columns count."""
    return _unmark_column(origins, "")


def _field_of(origin: str) -> tuple[str | None, str]:
    """Return the column that an origin belongs to (None if it belongs to none), and the origin without its mark."""
    if not origin.startswith(_COLUMN):
        return None, origin
    column, _, inner = origin[1:].partition("\n")
    return column, inner


def _holds_table_rows(node: ast.expr) -> bool:
    """Return whether an expression holds a table's rows as tuples or arrays, which are unpacked by position."""
    name = called(node) or (node.attr if isinstance(node, ast.Attribute) else "")
    return name in ("itertuples", "to_numpy", "to_records", "values")


def _texts_of(node: ast.expr | None) -> list[str]:
    """Return the strings in a list or tuple of strings; an empty list for other expressions."""
    texts = [*map(text_of, node.elts)] if isinstance(node, ast.List | ast.Tuple) else []
    return texts if all(texts) else []


def _is_record(node: ast.Dict) -> bool:
    """Return whether a dictionary has several fields, each with a constant name."""
    return len(node.keys) > 1 and all(isinstance(each, ast.Constant) for each in node.keys)


def _holds_no_name(node: ast.expr) -> bool:
    """Return whether an index or argument cannot be the name or number of a column."""
    return not isinstance(node, ast.Name | ast.Constant | ast.UnaryOp | ast.JoinedStr)


def _is_filter(node: ast.expr) -> bool:
    """Return whether an index compares values, as in ``(s != 3) & ~t``."""
    match node:
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr(), left=left, right=right):
            return _is_filter(left) or _is_filter(right)
    return isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)
    )


def is_locator(node: ast.expr) -> bool:
    """Return whether an expression is ``df.loc`` or ``df.iloc``, whose first index selects rows."""
    return isinstance(node, ast.Attribute) and node.attr in _LOCATORS


def _splits(node: ast.expr | None) -> bool:
    """Return whether an expression calls a function that splits the rows, unlike ``text.split(",")``."""
    return node is not None and any(
        isinstance(each, ast.Call)
        and last_name(each.func) in SPLITS
        and (each.keywords or any(not isinstance(argument, ast.Constant) for argument in each.args))
        for each in ast.walk(node)
    )


def _is_name(node: ast.expr) -> bool:
    """Return whether an expression is a constant or an f-string, or a list or tuple of these."""
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and all(map(_is_name, node.elts))
    return isinstance(node, ast.Constant | ast.JoinedStr)


def _find_data(node: ast.expr) -> str:
    """Return the variable whose rows an expression like ``x.values`` yields; empty for others, such as ``x.mean()``."""
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Call):
            if last_name(node.func) not in _CONVERSIONS:
                return ""
            node = node.func
        elif node.attr in {"T", "iloc", "loc", "values", *_CONVERSIONS}:
            node = node.value
        else:
            return ""
    return node.id if isinstance(node, ast.Name) else ""
