"""Find out whether the code prints accuracies as fractions or as percentages."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from epochal.analysis.syntax import Module, last_name, text_of

_ACCURACY_NAMES = re.compile(
    r"acc(?![eot])|correct|right|hits?\b|match|score|argmax|pred|precis|_eq\b|\beq\b", re.IGNORECASE
)
_SIGN_AFTER = re.compile(r"\s*(?:%|percent|per cent)", re.IGNORECASE)
_PLACEHOLDER_AND_SIGN = re.compile(r"\}\s*(?:%|percent|per cent)|%%|[a-z]\s*percent", re.IGNORECASE)
_PASSING = frozenset(
    {"round", "float", "int", "str", "format", "item", "cpu", "numpy", "mean", "sum", "around", "array"}
)
"""Functions and methods that return a percentage when applied to one."""
_PASSING_NODES = (
    *(ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Attribute, ast.Subscript, ast.keyword, ast.Starred),
    *(ast.Tuple, ast.List, ast.Dict),
)
_KNOWN_USES = (
    *(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.FormattedValue, ast.JoinedStr),
    *(ast.Expr, ast.Compare, ast.Assert, ast.If),
)
"""Nodes that print a percentage, discard it, or only give it a name; all uses of that name are examined, too."""
_PRINTING = frozenset({"print", "info", "debug", "warning", "write", "log"})
_LOG_STYLES = (
    ("%(message)s", re.compile(r"%\((\w+)\)[-#0 +]*\d*(?:\.\d+)?[a-z]")),
    ("{message}", re.compile(r"\{(\w+)[^{}]*\}")),
    ("${message}", re.compile(r"\$\{(\w+)\}")),
)
"""Styles of log format: the placeholder for the message, and a pattern for fields. Loguru uses the second style."""
_MARKUP = re.compile(r"\x1b\[[\d;]*m|</?(?:[a-z]+|level)>")
"""Matches colour codes and tags in a logger's format."""
_MAX_FORMATS = 20
_TIMES = frozenset({"asctime", "time"})
_FIELDS = {
    **dict.fromkeys(_TIMES, r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}|.+?)"),
    **dict.fromkeys(("levelname", "level"), "[A-Z]+"),
    **dict.fromkeys(("lineno", "line", "process", "thread"), r"\d+"),
}
"""Patterns for the values of fields in a logger's format. The value of any other field is taken to be one word."""


@dataclass(frozen=True)
class Percentages:
    """How code computes and prints percentages.

    ``unsigned``: the first place, such as "line 4 of nn.py", where an accuracy is multiplied by 100 but printed without
    a percent sign, so that a printed accuracy without that sign may be a percentage; empty if there is no such place.
    ``unsigned_starts``: the constant strings that lines with such percentages start with; includes "" if such a line may
    start with anything. ``other_starts``: the same for the other lines that the code prints.
    ``computed``: whether the code computes percentages, or could not be analysed; if false, a number with a percent
    sign may be a fraction. ``log_prefixes``: patterns for what the code's loggers put before a message.
    """

    unsigned: str = ""
    computed: bool = True
    unsigned_starts: frozenset[str] = frozenset()
    other_starts: frozenset[str] = frozenset()
    log_prefixes: frozenset[str] = frozenset()

    def is_fraction(self, line: str, logged: str = "") -> bool:
        """Return whether a printed line without a percent sign is certain not to state a percentage.

        ``line``: the line without the prefix of a common log format, if any. ``logged``: the line with the prefix.
        """
        prefixes = [found for pattern in self.log_prefixes if (found := re.match(pattern, logged))]
        messages = [logged[prefix.end() :].lstrip() for prefix in prefixes]
        texts = [logged, *messages] if messages else [line]  # a line that looks logged may have been printed
        return any(text.startswith(tuple(self.other_starts - {""})) for text in texts) and not any(
            text.startswith(tuple(self.unsigned_starts)) for text in texts
        )


def read_percentages(code: Path, path: str, content: bytes) -> Percentages:
    """Find out how a script in the folder ``code`` and the local modules that it imports compute percentages.

    ``path``: the script's path in that folder. ``content``: its source code.
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
            with suppress(OSError):  # there is no such module, or its name is too long for a file
                sources[str(local)] = (code / local).read_bytes()
    return find_percentages(sources)


def find_percentages(sources: Mapping[str, bytes]) -> Percentages:
    """Find out how modules compute percentages. ``sources``: the code of each module, by its path."""
    modules = {path: Module.parse(source) for path, source in sources.items()}
    try:
        products = _Products({path: module.tree for path, module in modules.items() if module})
        unsigned, unsigned_starts, other_starts = products.find_unsigned()
        prefixes = _find_log_prefixes(module.tree for module in modules.values() if module)
        computed = products.computed or None in modules.values()
        return Percentages(unsigned, computed, unsigned_starts, other_starts, frozenset(islice(prefixes, _MAX_FORMATS)))
    except RecursionError:  # an expression that is nested too deeply
        return Percentages()


def _find_log_prefixes(trees: Iterable[ast.Module]) -> Iterator[str]:
    """Find literal log formats in the code; yield a pattern for the text that each puts before the message."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for message, field in _LOG_STYLES:
                start, is_format, _ = node.value.partition(message)
                names = field.findall(start)
                if is_format and names and sum(name in _TIMES for name in names) < 2:
                    yield _build_prefix(_MARKUP.sub("", start), field)
                    break


def _build_prefix(start: str, field: re.Pattern[str]) -> str:
    """Return a pattern for the lines whose format begins with ``start``.

    Each field ends at the first occurrence of the text after it; only a time may extend to a later occurrence. The
    search never backtracks into other fields, so even a long format is matched quickly.
    """
    before, *fields = field.split(start)
    pattern = re.escape(before)
    for name, literal in zip(fields[::2], fields[1::2], strict=True):
        value = _FIELDS.get(name, r"\S+?")
        padded = f" *{value} *{re.escape(literal)}"
        pattern += padded if name in _TIMES else f"(?>{padded})"
    return pattern


class _Products:
    """The expressions in the given modules that multiply by 100, and how the code uses their values."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self._parents: dict[ast.AST, ast.AST] = {}
        self._places: dict[ast.AST, str] = {}
        self._uses: dict[str, list[ast.AST]] = {}
        """The expressions that read each variable or attribute, and the calls to each function, by name."""
        self._products: list[ast.AST] = []
        self.computed = False
        """Whether any of the modules computes percentages."""
        for path, tree in trees.items():
            self._add(path, tree)

    def _add(self, path: str, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                self._uses.setdefault(last_name(node), []).append(node)
            elif isinstance(node, ast.Call):
                self._uses.setdefault(f"{last_name(node.func)}()", []).append(node)
            if _multiplies(node):
                self._products.append(node)
                self._places[node] = f"line {getattr(node, 'lineno', 0)} of {path}"
            self.computed = self.computed or _multiplies(node) or _formats_percent(node)

    def find_unsigned(self) -> tuple[str, frozenset[str], frozenset[str]]:
        """Return the values for ``unsigned``, ``unsigned_starts`` and ``other_starts`` in ``Percentages``."""
        printing: set[ast.AST] = set()
        places = [self._places[node] for node in self._products if self._is_printed_unsigned(node, printing)]
        if not places:
            return "", frozenset(), frozenset()
        others = {node for node in self._parents if _is_print(node)} - printing
        return places[0], frozenset(map(_find_start, printing)), frozenset(map(_find_start, others))

    def _find_print(self, node: ast.AST) -> ast.AST:
        """Return the innermost printing call that is or contains ``node``; ``node`` itself if there is none."""
        found: ast.AST | None = node
        while found and not _is_print(found):
            found = self._parents.get(found)
        return found or node

    def _is_printed_unsigned(self, product: ast.AST, printing: set[ast.AST]) -> bool:
        """Return whether ``product`` is an accuracy that is printed without a percent sign, directly or indirectly.

        Adds to ``printing`` the calls that print the product without the sign, and any node that uses the product in an
        unknown way.
        """
        queue, seen, is_accuracy = [product], set(), bool(_ACCURACY_NAMES.search(self._function_of(product)))
        found_unsigned = False
        for node in queue:
            use, value = self._find_use(node)
            names = [last_name(target) for target in _targets_of(use)]
            if isinstance(use, ast.Return):
                names = [f"{self._function_of(use)}()"]
            elif isinstance(use, ast.Call) and last_name(use.func) == "append" and isinstance(use.func, ast.Attribute):
                names = [last_name(use.func.value)]
            is_accuracy = is_accuracy or bool(_ACCURACY_NAMES.search(" ".join([*names, _names_in(value)])))
            if self._is_unsigned(use, value):
                printing.add(self._find_print(use))
                found_unsigned = found_unsigned or is_accuracy
            elif not names and not isinstance(use, _KNOWN_USES) and not _text_of(use) and not _is_print(use):
                printing.add(use)
            queue += [found for name in names if name not in seen for found in self._uses.get(name, [])]
            seen |= set(names)
        return found_unsigned

    def _find_use(self, node: ast.AST) -> tuple[ast.AST, ast.AST]:
        """Return the node that uses the percentage ``node``, and its child that contains the percentage.

        The child may round or convert the percentage.
        """
        if isinstance(node, ast.AugAssign):
            return node, node.value
        child, parent = node, self._parents[node]
        while isinstance(parent, _PASSING_NODES) or (
            isinstance(parent, ast.Call) and (parent.func is child or last_name(parent.func) in _PASSING)
        ):
            if _text_of(parent) and not _text_of(self._parents[parent]):
                break
            child, parent = parent, self._parents[parent]
        return parent, child

    def _is_unsigned(self, use: ast.AST, value: ast.AST) -> bool:
        """Return whether ``use`` prints the percentage ``value`` without a percent sign."""
        if _text_of(use):
            return not _PLACEHOLDER_AND_SIGN.search(_text_of(use))
        following: ast.AST | None = None
        if isinstance(use, ast.FormattedValue):
            joined = self._parents[use]
            values = joined.values if isinstance(joined, ast.JoinedStr) else []
            if values[-1:] == [use]:  # print(f"{accuracy}", "%")
                return self._is_unsigned(self._parents[joined], joined)
            following = values[values.index(use) + 1]
        elif isinstance(use, ast.Call) and last_name(use.func) in _PRINTING and value in use.args:
            following = next(iter(use.args[use.args.index(value) + 1 :]), None)
        else:
            return isinstance(value, ast.JoinedStr)
        return not (isinstance(following, ast.Constant) and _SIGN_AFTER.match(str(following.value)))

    def _function_of(self, node: ast.AST) -> str:
        """Return the name of the function that contains ``node``; empty at the top level of a module."""
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return node.name
        return ""


def _targets_of(node: ast.AST) -> list[ast.AST]:
    """Return the variables and attributes that a statement assigns to."""
    targets: list[ast.AST] = []
    if isinstance(node, ast.Assign):
        targets = [*node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    return [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name | ast.Attribute)]


def _multiplies(node: ast.AST) -> bool:
    """Return whether an expression or statement multiplies by 100."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Mult):
            return _is_hundred(node.left) or _is_hundred(node.right)
        return isinstance(node.op, ast.Div) and _is_hundred(node.left)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Mult) and _is_hundred(node.value)
    if isinstance(node, ast.Call) and last_name(node.func) in ("mul", "mul_", "multiply"):
        return any(_is_hundred(argument) or _multiplies(argument) for argument in node.args)
    return False


def _is_hundred(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 100


def _formats_percent(node: ast.AST) -> bool:
    """Return whether a node formats a number as a percentage, as in ``{:.1%}``, which multiplies it by 100."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and bool(re.search(r"[:.\d]%(?:\}|$)", node.value))
    )


def _names_in(node: ast.AST) -> str:
    """Return the names and attributes in an expression, and "eq" for each comparison, joined by spaces."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.append(each.id)
        elif isinstance(each, ast.Attribute):
            found.append(each.attr)
        elif isinstance(each, ast.Compare):
            found.append("eq")
    return " ".join(found)


def _text_of(node: ast.AST) -> str:
    """Return the constant text in "…".format(…), "…" % … or "…" + …; empty for other nodes.

    Each operand of + that is not text is replaced by {}.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return text_of(node.func.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return text_of(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text_of(side) or text_of(side) for side in (node.left, node.right)]
        return "".join(part or "{}" for part in parts) if any(parts) else ""
    return ""


def _is_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in _PRINTING


def _find_start(node: ast.AST) -> str:
    """Return the constant text at the start of the line that ``node`` prints or formats.

    Empty if there are several lines, or if ``node`` is neither a printing call nor text.
    """
    first = node.args[0] if isinstance(node, ast.Call) and _is_print(node) and node.args else node
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    text = (text_of(first) or _text_of(first)).lstrip()
    breaks = sum(text_of(each).count("\n") for each in ast.walk(node) if each is not first)
    return "" if "\n" in text or breaks else re.split(r"[%{]", text)[0].strip()
