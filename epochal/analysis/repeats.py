"""Find all lines in a file that call a function, and format line numbers as text for a message."""

import ast
from collections.abc import Sequence
from pathlib import Path

from epochal.analysis.syntax import Module, last_name
from epochal.grammar import join_words

_MAGICS = frozenset({"capture", "prun", "time", "timeit"})
"""IPython magics that run the code following them and either measure it or capture its output."""


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


def describe_lines(lines: Sequence[int]) -> str:
    """Return line numbers as text: ``line 3``, or ``lines 3, 5 and 8``."""
    return f"line{'s' if len(lines) > 1 else ''} {join_words(list(map(str, lines)))}"


def describe_ranges(ranges: Sequence[tuple[int, int]]) -> str:
    """Return ranges of lines, each given by its first and last line, as text: ``line 3``, or ``lines 3, 4 and 6 to 9``."""
    words: list[str] = []
    for first, last in ranges:
        words += [f"{first} to {last}"] if last > first + 1 else map(str, range(first, last + 1))
    return f"line{'s' if len(words) > 1 or ' ' in words[0] else ''} {join_words(words)}"
