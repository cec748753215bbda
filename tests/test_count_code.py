"""scripts/count_code.py: which lines hold code, the length of functions, and counting a git revision."""

import subprocess
import sys
from textwrap import dedent

from scripts.count_code import ROOT, code_lines, count

SOURCE = dedent(
    '''\
    """A module."""

    LIMIT = 3  # a comment beside code
    """The most that there may be."""

    # a comment alone
    def outer(
        value: int,
    ) -> str:
        """Say what it does.

        In two paragraphs.
        """

        def inner() -> str:
            return f"""
    {value}
    """

        return inner()


    class Empty:
        """A class with a docstring alone."""
    '''
)


def test_lines_with_code_are_found() -> None:
    """Blank lines, comments and docstrings do not count. Each line of a statement or of another string does."""
    assert sorted(code_lines(SOURCE)) == [3, 7, 8, 9, 15, 16, 17, 18, 20, 23]


def test_functions_and_their_lengths_are_counted() -> None:
    """The length is the number of lines with code, including those of nested functions."""
    assert count([SOURCE, "x = 1\n"]).lengths == (8, 4)
    assert str(count([SOURCE, "x = 1\n"])) == (
        "2 files, 11 lines that hold code, 2 functions, 18.2 functions per 100 lines, median function 6 lines"
    )


def test_working_tree_and_revision_are_counted() -> None:
    """If git does not know the revision, it prints the error and the script adds no traceback."""
    script = str(ROOT / "scripts" / "count_code.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("working tree: ")
    done = subprocess.run([sys.executable, script, "HEAD"], capture_output=True, text=True, check=False)
    assert "HEAD: " in done.stdout or "not a git repository" in done.stderr
    done = subprocess.run([sys.executable, script, "no-such-revision"], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "Traceback" not in done.stderr
