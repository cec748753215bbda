"""Find code that opens or uses OpenCV windows, which do not exist during training, and say which lines to change."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from epochal.analysis.findings.finding import Finding, Severity
from epochal.analysis.findings.source import Source, ends_scope, find_certain
from epochal.analysis.findings.unattended import find_optional
from epochal.analysis.repeats import describe_lines
from epochal.analysis.syntax import last_name
from epochal.grammar import capitalize, join_words

_KEYS = frozenset({"waitKey", "waitKeyEx", "pollKey"})
"""Functions that return the key that was pressed."""
_WINDOWLESS = frozenset({*_KEYS, "destroyAllWindows", "startWindowThread"})
"""Functions that fail in opencv-python-headless, but may do nothing in opencv-python if there is no window."""
_FUNCTIONS = (
    frozenset({"imshow", "namedWindow", "selectROI", "selectROIs", "destroyWindow", "resizeWindow", "moveWindow"})
    | {"setMouseCallback", "createTrackbar", "getTrackbarPos", "setTrackbarPos", "setWindowTitle"}
    | {"setWindowProperty", "getWindowProperty"}
    | _WINDOWLESS
)
_SUITES = ("body", "orelse", "finalbody")
_REMOVE = "remove {}"
_FILL = "on {}, write pass instead"
_CUT = "on {}, remove the cv2 calls"
_END = "make the loop on {} end without a key"
_REWRITE = "on {}, write code that needs no window or key"


def find_windows(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield one finding for each file with code that uses a window, if any such code always runs."""
    certain = {
        call: last_name(call.func)
        for source, step in find_certain(sources)
        for optional in [find_optional(step)]
        for call in step.calls
        if _is_window_call(source, call) and call not in optional
    }
    if not certain:
        return
    severity = Severity.NOTE if _WINDOWLESS.issuperset(certain.values()) else Severity.WARNING
    for source in sources:
        windows = _Windows(source)
        if not windows.calls:
            continue
        names = join_words(list(dict.fromkeys(f"cv2.{last_name(call.func)}()" for call in windows.calls)))
        lines = describe_lines(sorted({call.lineno for call in windows.calls}))
        need = "needs" if len(windows.calls) == 1 else "need"
        keep = ""
        if any(last_name(call.func) == "imshow" for call in windows.calls):
            keep = " To keep an image, save it with cv2.imwrite()."
        yield Finding(
            "needs_window",
            source.path,
            next((call.lineno for call in windows.calls if call in certain), windows.calls[0].lineno),
            f"{names} on {lines} {need} a display, but training runs without one.",
            f"{capitalize(windows.explain())}.{keep}",
            severity,
        )


def _is_window_call(source: Source, node: ast.AST) -> bool:
    module, _, name = source.callee(node).rpartition(".") if isinstance(node, ast.Call) else ("", "", "")
    return module == "cv2" and name in _FUNCTIONS


class _Windows:
    """The statements of a file that use windows, except those that an exception handler or a flag may guard."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._loads = Counter(
            each.id for each in source.nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
        )
        self._keys = self._find_key_variables()
        self._actions: dict[int, str] = {}
        """What to do about each line."""
        self.calls: list[ast.Call] = []
        """The calls that use a window, in source order."""
        self._removed = self._find_removed(source.tree.body)
        removed = {inner for each in self._removed for inner in ast.walk(each)}
        self._kept = {
            line
            for node in source.nodes
            if isinstance(node, ast.stmt) and not hasattr(node, "body") and node not in removed
            for line in _lines_of(node)
        }
        """The lines with other statements, not counting compound statements."""
        self._change(source.tree.body, is_module=True)
        self.calls.sort(key=lambda call: (call.lineno, call.col_offset))

    def explain(self) -> str:
        """Return what to do about all the lines, as one instruction without a full stop."""
        lines: dict[str, list[int]] = {}
        for line, action in sorted(self._actions.items()):
            lines.setdefault(action, []).append(line)
        *first, last = (action.format(describe_lines(numbers)) for action, numbers in lines.items())
        return ", ".join([*first, f"and {last}"]) if first else last

    def _find_key_variables(self) -> set[str]:
        """Return the variables that hold a pressed key, and nothing else."""
        found, others = set[str](), set[str]()
        for scope in self._source.scopes:
            for step in scope.steps:
                for target, value in step.assigned:
                    is_key = any(
                        _is_window_call(self._source, each) and last_name(each.func) in _KEYS
                        for each in ast.walk(value or target)
                        if isinstance(each, ast.Call)
                    )
                    (found if is_key else others).add(last_name(target))
        return found - others - {""}

    def _find_removed(self, body: Sequence[ast.stmt]) -> set[ast.stmt]:
        """Return the statements that do nothing but use windows or keys."""
        statements = list(_find_unguarded(body))
        removed = {each for each in statements if self._only_shows(each)}
        tests = (node for each in removed if isinstance(each, ast.If) for node in _find_tests(each))
        used = Counter(
            node.id for node in {node for test in tests for node in ast.walk(test)} if isinstance(node, ast.Name)
        )
        removed |= {
            each
            for each in statements
            if isinstance(each, ast.Assign)
            and all(isinstance(target, ast.Name) for target in each.targets)
            and any(_is_window_call(self._source, node) for node in ast.walk(each.value))
            and all(used[last_name(target)] == self._loads[last_name(target)] for target in each.targets)
        }
        loops = [each for each in statements if isinstance(each, ast.While)]
        removed |= {
            each for each in reversed(loops) if all(inner in removed for inner in each.body) and not each.orelse
        }
        return removed

    def _only_shows(self, node: ast.stmt) -> bool:
        """Return whether a statement is a call that uses a window, or an ``if`` statement that waits for a key."""
        if isinstance(node, ast.If):
            return all(map(self._tests_key, _find_tests(node))) and not _find_else(node)
        return isinstance(node, ast.Expr) and _is_window_call(self._source, node.value)

    def _tests_key(self, test: ast.expr) -> bool:
        """Return whether a condition is true only if a certain key was pressed."""
        if isinstance(test, ast.BoolOp):
            quantify = any if isinstance(test.op, ast.And) else all
            return quantify(map(self._tests_key, test.values))
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq | ast.In):
            return False
        return any(
            (isinstance(each, ast.Name) and each.id in self._keys)
            or (isinstance(each, ast.Call) and last_name(each.func) in _KEYS and _is_window_call(self._source, each))
            for each in ast.walk(test.left)
        )

    def _change(self, block: Sequence[ast.stmt], *, is_module: bool = False) -> None:
        """Note what to do about the lines of a block."""
        is_emptied = not is_module and all(each in self._removed for each in block)
        for number, node in enumerate(block):
            if node in self._removed:
                lines = list(_lines_of(node))
                is_shared = any(line in self._kept for line in lines)
                self._actions |= dict.fromkeys(lines, _CUT if is_shared else _REMOVE)
                self._actions |= {node.lineno: _FILL} if is_emptied and number == 0 else {}
                self._note_calls(list(ast.walk(node)))
                continue
            if self._note_calls(_own_nodes(node)):
                self._actions[node.lineno] = _REWRITE
            elif self._loses_end(node):
                self._actions[node.lineno] = _END
            if not _is_guarded(node):
                for name in _SUITES:
                    self._change(getattr(node, name, []))

    def _note_calls(self, nodes: Sequence[ast.AST]) -> bool:
        """Add the calls among ``nodes`` that use a window, and return whether there are any."""
        found = [each for each in nodes if isinstance(each, ast.Call) and _is_window_call(self._source, each)]
        self.calls += found
        return bool(found)

    def _loses_end(self, node: ast.stmt) -> bool:
        """Return whether a loop would never end without the statements that are removed from it."""
        if not isinstance(node, ast.While) or not isinstance(node.test, ast.Constant):
            return False
        removed = {inner for each in self._removed for inner in ast.walk(each)}
        ends = list(self._find_ends(node.body))
        return bool(ends) and all(each in removed for each in ends)

    def _find_ends(self, body: Sequence[ast.stmt], *, is_nested: bool = False) -> Iterator[ast.stmt]:
        """Yield the statements that leave a loop. ``is_nested``: whether ``body`` is that of a loop inside it."""
        for node in body:
            if ends_scope(self._source, node) or (isinstance(node, ast.Break) and not is_nested):
                yield node
            inner = [each for name in (*_SUITES, "handlers") for each in getattr(node, name, [])]
            yield from self._find_ends(inner, is_nested=is_nested or isinstance(node, ast.For | ast.While))


def _lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _find_tests(node: ast.If) -> Iterator[ast.expr]:
    """Yield the conditions of an ``if`` statement, including those of its ``elif`` clauses."""
    yield node.test
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        yield from _find_tests(node.orelse[0])


def _find_else(node: ast.If) -> list[ast.stmt]:
    """Return the statements in the ``else`` clause of an ``if`` statement."""
    is_elif = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
    return _find_else(node.orelse[0]) if is_elif and isinstance(node.orelse[0], ast.If) else node.orelse


def _find_unguarded(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of the blocks inside it, unless a handler or a flag may guard them."""
    for node in body:
        yield node
        if not _is_guarded(node):
            for name in _SUITES:
                yield from _find_unguarded(getattr(node, name, []))


def _is_guarded(node: ast.stmt) -> bool:
    """Return whether a statement may catch exceptions, or runs other statements only if a flag is set."""
    if isinstance(node, ast.If):
        negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        flag = node.test.operand if negated and isinstance(node.test, ast.UnaryOp) else node.test
        return isinstance(flag, ast.Name | ast.Attribute | ast.Constant)
    if isinstance(node, ast.With):
        return any("suppress" in ast.unparse(item.context_expr) for item in node.items)
    return isinstance(node, ast.Try | ast.TryStar) and bool(node.handlers)


def _own_nodes(node: ast.stmt) -> list[ast.AST]:
    """Return the syntax nodes of a statement, without the statements inside it."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = [node]
    while stack:
        found.append(each := stack.pop())
        stack += [
            inner
            for inner in ast.iter_child_nodes(each)
            if not isinstance(inner, ast.stmt | ast.excepthandler | ast.match_case | ast.Lambda)
        ]
    return found
