"""Find all lines in a file that cannot run unattended or without a GPU, so that one message can name them all."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from epochal.analysis.syntax import Module, last_name
from epochal.grammar import join_words

_GPU = re.compile(r"gpu|cuda|physical_devices", re.IGNORECASE)
_GPU_CALLS = frozenset({"cuda", "device", "set_memory_growth", "set_visible_devices", "to"})
_MAGICS = frozenset({"capture", "prun", "time", "timeit"})
"""IPython magics that run the code after them and measure it or capture its output."""


def find_call_lines(code: Path, path: str, function: str) -> list[int]:
    """Return the lines of ``path`` in the folder ``code`` that call a function or method named ``function``."""
    module = Module.read(code / path)
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)) if module else ()
    return sorted({node.lineno for node in calls if last_name(node.func) == function})


def is_magic_with_code(call: ast.Call) -> bool:
    """Return whether ``call`` is a magic, exported by jupyter nbconvert, that runs the code in its last argument."""
    texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    name, lengths = last_name(call.func), {"run_line_magic": 2, "run_cell_magic": 3}
    return len(texts) == lengths.get(name) and texts[0] in _MAGICS and bool(texts[-1].strip())


def find_gpu_lines(code: Path, path: str, failed: Sequence[int]) -> list[int]:
    """Return the lines of ``path`` in the folder ``code`` that need a GPU and are not guarded by ``if`` or ``try``.

    ``failed``: the lines of ``path`` in the traceback, innermost last. The last one is also returned, unless one of
    these lines is inside a ``with`` statement that needs a GPU.
    """
    module = Module.read(code / path)
    nodes = list(_walk_unguarded(module.tree)) if module else []
    lines = {node.lineno for node in nodes if _needs_gpu(node)}
    blocks = [node for node in nodes if isinstance(node, ast.With) and node.lineno in lines]
    is_in_block = any(node.lineno < line <= (node.end_lineno or 0) for node in blocks for line in failed)
    return sorted(lines if is_in_block else lines.union(failed[-1:]))


def describe_lines(lines: Sequence[int]) -> str:
    """Return line numbers as text: ``line 3``, or ``lines 3, 5 and 8``."""
    return f"line{'s' if len(lines) > 1 else ''} {join_words(list(map(str, lines)))}"


def _walk_unguarded(tree: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If | ast.IfExp | ast.Try) and (isinstance(node, ast.Try) or _names_gpu(node.test)):
            continue
        if isinstance(node, ast.expr | ast.stmt):
            yield node
        stack += ast.iter_child_nodes(node)


def _needs_gpu(node: ast.expr | ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return _names_gpu(node.test)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and _names_gpu(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GPU_CALLS:
        texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return any(_GPU.search(text) for text in texts) or (node.func.attr == "cuda" and not node.args)
    return False


def _names_gpu(node: ast.expr) -> bool:
    return bool(_GPU.search(ast.unparse(node)))
