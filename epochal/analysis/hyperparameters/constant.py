"""A literal in the pushed code that a trial may change, and a function that parses a number from a string."""

import re
from dataclasses import dataclass, field

from epochal.records import Value

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Constant:
    """A literal in a file of the pushed code.

    ``name``: the variable, option, key or argument that it sets. ``value``: its value; a number even if it is written
    as a string, as in ``os.environ.get("EPOCHS", "5")``. ``line``: its line, counted from 1. ``start``, ``end``: its
    byte offsets in the file, ``end`` exclusive. ``path``: the file's path, relative to the root of the code.
    ``qualified_name``: the name, preceded by the name of its table, class, function or module if known, as in
    ``train.epochs``. ``place``: a description of where the literal is, as in "the default of --epochs".
    """

    name: str
    value: Value
    line: int
    start: int
    end: int
    path: str = ""
    qualified_name: str = field(default="", compare=False)
    place: str = field(default="", compare=False)


def parse_number(text: str) -> int | float | None:
    """Parse ``text`` as a decimal integer (of at most 30 digits) or float; return None if it is neither."""
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else None
