"""Find out what the calls on a line of the pushed code do, to explain the exception that the line raised."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from epochal.analysis.hyperparameters.definitions import is_environment
from epochal.analysis.syntax import Module, last_name, literal

_OPENERS = frozenset({"open", "File", "ZipFile", "GzipFile", "BZ2File", "LZMAFile"})
_PRINTS = frozenset({"print", "debug", "info", "warning", "error", "critical", "exception", "log"})
_WRITING_MODE = re.compile(r"[rtb+]*[wax][rtb+]*(?::\w*)?")


def find_calls(code: Path, path: str, line: int) -> list[ast.Call]:
    """Return the calls whose source includes line ``line`` of ``path`` in the folder ``code``, outermost first."""
    module = Module.read(code / path)
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)) if module else ()
    return [call for call in calls if call.lineno <= line <= (call.end_lineno or call.lineno)]


def makes_files(code: Path, path: str, line: int) -> bool:
    """Return whether the calls on a line create a folder or open files, but open no file for reading."""
    calls = find_calls(code, path, line)
    opening = [call for call in calls if last_name(call.func) in _OPENERS]
    makes_folder = any(last_name(call.func) in ("mkdir", "makedirs") for call in calls)
    return all(_WRITING_MODE.fullmatch(_find_mode(call)) for call in opening) and bool(opening or makes_folder)


def _find_mode(call: ast.Call) -> str:
    """Return the mode in which a call opens a file; empty if it is not written as a literal."""
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[1:2]
    if not modes and isinstance(call.func, ast.Attribute):  # Path.open() has no argument for the file
        modes = call.args[:1]
    return str(modes[0].value) if modes and isinstance(modes[0], ast.Constant) else ""


def find_texts(code: Path, path: str, line: int) -> list[str]:
    """Return the strings in the calls on a line, including the values of the module's constants that the calls use.

    If the calls use a file that was opened in a ``with`` statement or an assignment, the strings in the call that
    opened it are included.
    """
    module = Module.read(code / path)
    literals = {name: str(literal(value)) for name, value in module.assignments()} if module else {}
    nodes = [each for call in find_calls(code, path, line) for each in ast.walk(call)]
    opened = _find_opened(module.tree, line) if module else {}
    nodes += [
        inner for each in nodes if isinstance(each, ast.Name) for inner in ast.walk(opened.get(each.id, ast.Pass()))
    ]
    texts = [literals[each.id] for each in nodes if isinstance(each, ast.Name) and each.id in literals]
    return texts + [each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def find_used_texts(tree: ast.Module) -> list[str]:
    """Return the strings in a module, in source order, except docstrings and those that are only printed or logged."""
    inert = {inner for node in ast.walk(tree) for inner in _find_inert(node)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in inert]
    texts = sorted((node.lineno, node.col_offset, node.value) for node in nodes if isinstance(node.value, str))
    return [text for _, _, text in texts]


def _find_inert(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a docstring, or of the arguments of a call that prints or logs.

    Calls inside the arguments are left out.
    """
    stack: list[ast.AST] = []
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        stack = [node.value]
    elif isinstance(node, ast.Call) and last_name(node.func) in _PRINTS:
        stack = [*node.args, *(each.value for each in node.keywords)]
    while stack:
        part = stack.pop()
        if not isinstance(part, ast.Call):
            yield part
            stack += ast.iter_child_nodes(part)


def _find_opened(tree: ast.Module, line: int) -> dict[str, ast.Call]:
    """Return the calls that open files for reading, keyed by the variable that holds the result.

    Only variables that can be used on line ``line`` are included. ``Path(…)`` counts as opening a file.
    """
    found = {}
    for node in ast.walk(tree):
        targets: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.With) and node.lineno <= line <= (node.end_lineno or 0):
            targets = [(item.optional_vars, item.context_expr) for item in node.items]
        elif isinstance(node, ast.Assign) and node.lineno < line:
            targets = [(node.targets[0], node.value)]
        for target, value in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.Call) and _opens_to_read(value):
                found[target.id] = value
    return found


def _opens_to_read(call: ast.Call) -> bool:
    return last_name(call.func) in (*_OPENERS, "Path") and not _WRITING_MODE.fullmatch(_find_mode(call))


def find_variable(code: Path, path: str, line: int) -> str:
    """Return the environment variable that a line's calls read without a default; empty unless there is exactly one.

    A call that uses a variable or dictionary key set to ``os.getenv("NAME")`` counts as reading ``NAME``.
    """
    calls = find_calls(code, path, line)
    module = Module.read(code / path)
    reads = [each for call in calls for each in ast.walk(call)]
    used = {ast.unparse(each) for each in reads if isinstance(each, ast.Name | ast.Subscript)}
    for node in ast.walk(module.tree) if module else ():
        if isinstance(node, ast.Assign):
            target, values = ast.unparse(node.targets[0]), {"": node.value}
            if isinstance(node.value, ast.Dict):
                keys = (f"[{ast.unparse(key)}]" if key else "" for key in node.value.keys)
                values = dict(zip(keys, node.value.values, strict=True))
            reads += [value for key, value in values.items() if f"{target}{key}" in used]
    found = {name for each in reads if (name := _read_variable(each))}
    return found.pop() if len(found) == 1 else ""


def _read_variable(node: ast.AST) -> str:
    """Return the environment variable that ``node`` reads without a default; empty for other nodes."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords or not is_environment(node):
        return ""
    return str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else ""
