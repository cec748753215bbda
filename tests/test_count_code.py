"""scripts/count_code.py: which lines hold code, how long functions are, and the same for a git revision."""

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


def test_lines_that_hold_code() -> None:
    """Blank lines, comments and docstrings hold none; each line of a statement and of another text does."""
    assert sorted(code_lines(SOURCE)) == [3, 7, 8, 9, 15, 16, 17, 18, 20, 23]


def test_functions_are_counted_with_their_length() -> None:
    """A function's length is in lines that hold code, those of the functions inside it included."""
    assert count([SOURCE, "x = 1\n"]).lengths == (8, 4)
    assert str(count([SOURCE, "x = 1\n"])) == (
        "2 files, 11 lines that hold code, 2 functions, 18.2 functions per 100 lines, median function 6 lines"
    )


def test_a_revision_and_the_working_tree_are_counted() -> None:
    """The command counts the files on disk, or those of a revision, of which git prints why it is not there."""
    script = str(ROOT / "scripts" / "count_code.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("working tree: ")
    done = subprocess.run([sys.executable, script, "HEAD"], capture_output=True, text=True, check=False)
    assert "HEAD: " in done.stdout or "not a git repository" in done.stderr
    done = subprocess.run([sys.executable, script, "no-such-revision"], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "Traceback" not in done.stderr
