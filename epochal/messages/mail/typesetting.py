"""Fit untrusted text into a mail: on one line, as an indented block, in columns. Any text is accepted and made safe."""

import re
import textwrap
import unicodedata
from collections.abc import Sequence

_WIDTH = 78
_LONGEST_LINE = 300
_MOST_LINES = 60
# Control characters, which a terminal would obey, and characters that change the direction of writing, which can make a
# line look different from what it contains.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BROKEN_IN_HEADERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def one_line(text: str, longest: int | None = None) -> str:
    """Return ``text`` on one line that is safe in a header, cut to ``longest`` characters if that is given.

    Control characters, line separators and lone surrogates become spaces. Encoded words (RFC 2047) are broken up,
    because Python would decode them in a header, including line ends inside them.
    """
    kept = (" " if unicodedata.category(character) in _BROKEN_IN_HEADERS else character for character in text)
    line = " ".join("".join(kept).replace("=?", "= ?").split())
    return line if longest is None else _cut(line, longest)


def lines(text: str) -> list[str]:
    """Split ``text`` into at most 60 lines of at most 300 characters. A last line says how many were left out."""
    found = [_cut(line, _LONGEST_LINE) for line in text.strip("\r\n").splitlines()]
    left_out = len(found) - _MOST_LINES
    return [*found[:_MOST_LINES], f"… ({left_out} more lines)"] if left_out > 0 else found


def indented(text: str) -> str:
    """Indent the lines of ``text``, to set them apart from Epochal's own lines, which start at the margin."""
    return textwrap.indent("\n".join(lines(text)), "    ")


def wrapped(text: str, indent: int = 0) -> str:
    """Wrap a paragraph to 78 columns, with a hanging indent of ``indent`` spaces. Long words (paths) stay whole."""
    wrapper = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * indent
    return wrapper.fill(text)


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Format a table as lines: the last two columns (words) aligned left, the others (numbers) aligned right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = []
    for row in table:
        numbers = len(row) - 2
        cells = [cell.rjust(width) for cell, width in zip(row[:numbers], widths[:numbers], strict=True)]
        cells += [cell.ljust(width) for cell, width in zip(row[numbers:], widths[numbers:], strict=True)]
        aligned.append("  ".join(cells).rstrip())
    return aligned


def readable(text: str) -> str:
    """Remove control characters other than tab and line feed, and characters that change the direction of writing.

    Lone surrogates become question marks.
    """
    return _UNREADABLE.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
