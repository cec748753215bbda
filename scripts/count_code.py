#!/usr/bin/env python3
"""Count the lines of code and the functions in the product: epochal/**/*.py, without the migrations.

Usage: scripts/count_code.py [REVISION ...]

Without a revision, the files of the working tree are counted. A line is a line of code unless it is blank or contains
only a comment or a docstring. A string below an assignment counts as a docstring, too. The length of a function is the
number of lines of code from its ``def`` to its end.
"""

import ast
import io
import statistics
import subprocess
import sys
import tarfile
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = "epochal"
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


@dataclass(frozen=True)
class Count:
    """The number of files, the number of lines of code, and the length of each function in lines of code."""

    files: int
    lines: int
    lengths: tuple[int, ...]

    def __str__(self) -> str:
        functions = len(self.lengths)
        density = 100 * functions / self.lines if self.lines else 0
        median = statistics.median(self.lengths) if self.lengths else 0
        return (
            f"{self.files} files, {self.lines} lines of code, {functions} functions, "
            f"{density:.1f} functions per 100 lines, median function {median:g} lines"
        )


def count(sources: Iterable[str]) -> Count:
    """Count the lines of code and the functions in Python source texts. Raises SyntaxError."""
    files, lines, lengths = 0, 0, []
    for source in sources:
        code = code_lines(source)
        files += 1
        lines += len(code)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lengths.append(len(code.intersection(range(node.lineno, node.end_lineno + 1))))
    return Count(files, lines, tuple(lengths))


def code_lines(source: str) -> set[int]:
    """Return the numbers (from 1) of the lines of code in a Python source text."""
    lines: set[int] = set()
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if any(part.type != tokenize.STRING for part in statement):  # otherwise it is a docstring
                lines.update(line for part in statement for line in range(part.start[0], part.end[0] + 1))
            statement = []
        elif token.type not in LAYOUT:
            statement.append(token)
    return lines


def read_product(revision: str | None = None) -> list[str]:
    """Return the texts of the product's files at a git revision, or in the working tree if it is None."""
    if revision is None:
        paths = sorted((ROOT / PRODUCT).rglob("*.py"))
        return [path.read_text("utf-8") for path in paths if "migrations" not in path.parts]
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, PRODUCT]
    archive = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [member for member in tar if member.isfile() and member.name.endswith(".py")]
        readers = [tar.extractfile(member) for member in files if "migrations" not in member.name.split("/")]
        return [reader.read().decode("utf-8") for reader in readers if reader]


def main() -> None:
    """Print the counts for each revision given on the command line, or for the working tree."""
    arguments = sys.argv[1:]
    if any(argument.startswith("-") for argument in arguments):
        sys.exit(__doc__)
    revisions: Sequence[str | None] = arguments or [None]
    for revision in revisions:
        try:
            print(f"{revision or 'working tree'}: {count(read_product(revision))}")
        except subprocess.CalledProcessError as error:
            sys.exit(error.returncode)  # git has printed why


if __name__ == "__main__":
    main()
