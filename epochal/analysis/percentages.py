"""Find out from the code whether the accuracies that it prints are fractions or percentages."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.syntax import Module

_ACCURACY_NAMES = re.compile(
    r"acc(?![eot])|correct|right|hits?\b|match|score|argmax|pred|precis|_eq\b|\beq\b", re.IGNORECASE
)
_SIGN_AFTER = re.compile(r"\s*(?:%|percent|per cent)", re.IGNORECASE)
_PLACEHOLDER_AND_SIGN = re.compile(r"\}\s*(?:%|percent|per cent)|%%|[a-z]\s*percent", re.IGNORECASE)
_PASSING = frozenset(
    {"round", "float", "int", "str", "format", "item", "cpu", "numpy", "mean", "sum", "around", "array"}
)
"""Functions and methods whose result is a percentage if their argument is one."""


@dataclass(frozen=True)
class Percentages:
    """How code computes and prints percentages.

    ``unsigned``: the place of the first product of an accuracy and 100 that is not printed with a per cent sign, such as
    "line 4 of nn.py", so that a printed accuracy without that sign may be a percentage; empty if there is none.
    ``computed``: whether the code computes percentages at all; if not, a per cent sign may follow a fraction.
    """

    unsigned: str = ""
    computed: bool = True


def read_percentages(code: Path, path: str, content: bytes) -> Percentages:
    """Return how a script in the folder ``code``, and the local modules that it imports, compute percentages.

    ``path``, ``content``: the path of the script, as messages name it, and its text as Python.
    """
    sources = {path: content}
    module = Module.parse(content)
    folder = Path(path).parent
    for node in ast.walk(module.tree) if module else ():
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for local in (folder / f"{name.replace('.', '/')}{end}" for name in names for end in (".py", "/__init__.py")):
            if (code / local).is_file():
                sources[str(local)] = (code / local).read_bytes()
    return find_percentages(sources)


def find_percentages(sources: Mapping[str, bytes]) -> Percentages:
    """Return how the modules with these ``sources``, by their paths, compute percentages."""
    unsigned, computed = "", False
    for path, source in sources.items():
        module = Module.parse(source)
        found = _Products(module.tree) if module else None
        computed = computed or found is None or found.computed
        line = next(found.unsigned_lines(), None) if found else None
        unsigned = unsigned or (f"line {line} of {path}" if line else "")
    return Percentages(unsigned, computed)


class _Products:
    """The expressions of one module that multiply by 100."""

    def __init__(self, tree: ast.Module) -> None:
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        nodes = sorted((node for node in self._parents if hasattr(node, "lineno")), key=lambda node: node.lineno)
        self._multiplied = [node for node in nodes if _multiplies(node)]
        self._loads: dict[str, list[ast.Name]] = {}
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._loads.setdefault(node.id, []).append(node)
        self.computed = bool(self._multiplied) or any(_formats_percent(node) for node in nodes)

    def unsigned_lines(self) -> Iterator[int]:
        """Yield the lines at which an accuracy is multiplied by 100 and may be printed without a per cent sign."""
        for node in self._multiplied:
            use, value = self._find_use(node)
            names = [_names_in(value)]
            targets: list[ast.expr] = []
            if isinstance(use, ast.Assign):
                targets = use.targets
            elif isinstance(use, ast.AugAssign | ast.AnnAssign):
                targets = [use.target]
            names += [_names_in(target) for target in targets]
            names.append(self._function_of(node))
            if not _ACCURACY_NAMES.search(" ".join(names)):
                continue
            if all(isinstance(target, ast.Name) for target in targets) and targets:
                loads = [load for target in targets for load in self._loads.get(getattr(target, "id", ""), [])]
                if any(self._is_unsigned(*self._find_use(load), direct=False) for load in loads):
                    yield node.lineno
            elif self._is_unsigned(use, value, direct=True):
                yield node.lineno

    def _find_use(self, node: ast.AST) -> tuple[ast.AST, ast.AST]:
        """Return what uses a percentage, after roundings and conversions, and the expression that it uses."""
        child, parent = node, self._parents[node]
        while isinstance(
            parent, ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Attribute | ast.Call | ast.keyword | ast.Starred
        ):
            if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mod | ast.Add) and _text_of(parent):
                break
            if isinstance(parent, ast.Call) and parent.func is not child and _called_name(parent) not in _PASSING:
                break
            if _is_format(parent) and getattr(parent, "func", None) is not child:
                break
            child, parent = parent, self._parents[parent]
        if isinstance(parent, ast.Tuple) and isinstance(
            self._parents[parent], ast.BinOp
        ):  # "%d %%" % (correct, 100 * …)
            child, parent = parent, self._parents[parent]
        return parent, child

    def _is_unsigned(self, use: ast.AST, value: ast.AST, *, direct: bool) -> bool:
        """Return whether a percentage is printed without a sign, or passed on so that this cannot be seen.

        ``direct``: whether it is the product itself, not a name that was assigned.
        """
        if isinstance(use, ast.FormattedValue):
            joined = self._parents[use]
            values = joined.values if isinstance(joined, ast.JoinedStr) else []
            following = values[values.index(use) + 1] if values.index(use) + 1 < len(values) else None
            if following is None and isinstance(self._parents[joined], ast.Call):  # print(f"{accuracy}", "%")
                return self._is_unsigned(self._parents[joined], joined, direct=direct)
            return not (isinstance(following, ast.Constant) and _SIGN_AFTER.match(str(following.value)))
        if isinstance(use, ast.BinOp) or _is_format(use):
            return not _PLACEHOLDER_AND_SIGN.search(_text_of(use)) and "%" not in _text_of(use)[-3:]
        if isinstance(use, ast.Call) and _called_name(use) in ("print", "info", "debug", "warning", "write", "log"):
            at = next((at for at, argument in enumerate(use.args) if argument is value), len(use.args))
            following = use.args[at + 1] if at + 1 < len(use.args) else None
            return not (isinstance(following, ast.Constant) and _SIGN_AFTER.match(str(following.value)))
        return isinstance(use, ast.Return) or direct

    def _function_of(self, node: ast.AST) -> str:
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return node.name
        return ""


def _multiplies(node: ast.AST) -> bool:
    """Return whether an expression or statement multiplies by 100."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Mult):
            return _is_hundred(node.left) or _is_hundred(node.right)
        return isinstance(node.op, ast.Div) and _is_hundred(node.left)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Mult) and _is_hundred(node.value)
    if isinstance(node, ast.Call) and _called_name(node) in ("mul", "mul_", "multiply"):
        return any(_is_hundred(argument) or _multiplies(argument) for argument in node.args)
    return False


def _is_hundred(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 100


def _formats_percent(node: ast.AST) -> bool:
    """Return whether a format such as {:.1%} multiplies by 100."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and bool(re.search(r"[:.\d]%(?:\}|$)", node.value))
    )


def _names_in(node: ast.AST) -> str:
    """Return the names and attributes in an expression, and "eq" for a comparison, in one text."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.append(each.id)
        elif isinstance(each, ast.Attribute):
            found.append(each.attr)
        elif isinstance(each, ast.Compare):
            found.append("eq")
    return " ".join(found)


def _called_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_format(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and bool(_text_of(node))


def _text_of(node: ast.AST) -> str:
    """Return the text that is formatted by "…".format(…) or "…" % …, or concatenated; empty if there is none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        node = node.func.value
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    if not isinstance(node, ast.BinOp):
        return ""
    sides = (node.left, node.right) if isinstance(node.op, ast.Add) else (node.left,)
    return "".join(side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str))
