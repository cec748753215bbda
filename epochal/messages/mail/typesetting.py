"""Fitting what other people wrote into a mail: onto one line, into a block, into columns. Any text in, safe text out."""

import re
import textwrap
import unicodedata
from collections.abc import Sequence

_WIDTH = 78
_LONGEST_LINE = 300
_MOST_LINES = 60
# What has no place in a text for people: control characters (a terminal obeys them), and those that turn the writing's
# direction, with which a line shows something else than it says.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BROKEN_IN_HEADERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def one_line(text: str, longest: int | None = None) -> str:
    """Put ``text`` on one line and make it fit for a header: no control characters, separators of lines or lone surrogates.

    Nor encoded words (RFC 2047): Python decodes those that it is given, line ends in them included. What is over
    ``longest`` characters is cut off.
    """
    kept = (" " if unicodedata.category(character) in _BROKEN_IN_HEADERS else character for character in text)
    line = " ".join("".join(kept).replace("=?", "= ?").split())
    return line if longest is None else _cut(line, longest)


def lines(text: str) -> list[str]:
    """Return the lines of ``text``, as many and as long as a mail can bear; the last one says how many were left out."""
    found = [_cut(line, _LONGEST_LINE) for line in text.strip("\r\n").splitlines()]
    left_out = len(found) - _MOST_LINES
    return [*found[:_MOST_LINES], f"… ({left_out} more lines)"] if left_out > 0 else found


def indented(text: str) -> str:
    """Indent the lines of ``text``, to set them apart from our own, which start at the margin."""
    return textwrap.indent("\n".join(lines(text)), "    ")


def wrapped(text: str, indent: int = 0) -> str:
    """Wrap a paragraph into lines of a terminal's width, the later ones indented; a longer word (a path) stays whole."""
    wrapper = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * indent
    return wrapper.fill(text)


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Return a table in lines: the words of its last two columns to the left, the numbers before them to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = []
    for row in table:
        numbers = len(row) - 2
        cells = [cell.rjust(width) for cell, width in zip(row[:numbers], widths[:numbers], strict=True)]
        cells += [cell.ljust(width) for cell, width in zip(row[numbers:], widths[numbers:], strict=True)]
        aligned.append("  ".join(cells).rstrip())
    return aligned


def readable(text: str) -> str:
    """Return ``text`` without control characters but tab and line feed, without turns of direction and lone surrogates."""
    return _UNREADABLE.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
