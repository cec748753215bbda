"""Format untrusted text safely for an email: on one line, as an indented block, or in columns."""

import re
import textwrap
import unicodedata
from collections.abc import Sequence

_WIDTH = 78
_MAX_LINE_LENGTH = 300
_MAX_LINES = 60
# Control characters, which a terminal would obey, and characters that change the direction of writing, which can make a
# line look different from what it contains.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNSAFE_HEADER_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def to_one_line(text: str, max_length: int | None = None) -> str:
    """Return ``text`` as one line that is safe in a header, cut to ``max_length`` characters if that is given.

    Control and format characters, line separators and lone surrogates become spaces. Encoded words (RFC 2047) are
    broken up, because Python would decode them in a header, including any line breaks in them.
    """
    kept = (" " if unicodedata.category(character) in _UNSAFE_HEADER_CATEGORIES else character for character in text)
    line = " ".join("".join(kept).replace("=?", "= ?").split())
    return line if max_length is None else _cut(line, max_length)


def split_lines(text: str) -> list[str]:
    """Split ``text`` into lines, and cut each to 300 characters.

    Only the first 60 lines are kept; if there are more, a final line says how many were left out.
    """
    found = [_cut(line, _MAX_LINE_LENGTH) for line in text.strip("\r\n").splitlines()]
    left_out = len(found) - _MAX_LINES
    return [*found[:_MAX_LINES], f"… (lines left out: {left_out})"] if left_out > 0 else found


def indent_lines(text: str) -> str:
    """Indent the lines of ``text``, to set them apart from Epochal's own lines, which start at the margin."""
    return textwrap.indent("\n".join(split_lines(text)), "    ")


def wrap_paragraph(text: str, indent: int = 0) -> str:
    """Wrap a paragraph to 78 columns, with a hanging indent of ``indent`` spaces. Long words are not broken."""
    wrapper = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * indent
    return wrapper.fill(text)


def align_columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Format a table as lines: the last two columns (words) are left-aligned, all others (numbers) right-aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = []
    for row in table:
        numbers = len(row) - 2
        cells = [cell.rjust(width) for cell, width in zip(row[:numbers], widths[:numbers], strict=True)]
        cells += [cell.ljust(width) for cell, width in zip(row[numbers:], widths[numbers:], strict=True)]
        aligned.append("  ".join(cells).rstrip())
    return aligned


def strip_control_characters(text: str) -> str:
    """Remove control characters other than tab and line feed, and characters that change the writing direction.

    Lone surrogates become question marks.
    """
    return _CONTROL_CHARACTERS.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
