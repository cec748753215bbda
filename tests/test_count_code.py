"""scripts/count_code.py: which lines are code, how long functions are, and how a git revision is counted."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from scripts.count_code import ROOT, code_lines, count
from tests.repositories import make_repository

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
    """Blank lines, comments and docstrings do not count. Every line of a statement or of any other string does."""
    assert sorted(code_lines(SOURCE)) == [3, 7, 8, 9, 15, 16, 17, 18, 20, 23]


def test_functions_and_their_lengths_are_counted() -> None:
    """The length of a function is the number of lines with code, including those of nested functions."""
    assert count([SOURCE, "x = 1\n"]).lengths == (8, 4)
    assert str(count([SOURCE, "x = 1\n"])) == (
        "2 files, 11 lines of code, 2 functions, 18.2 functions per 100 lines, median function 6 lines"
    )


def test_working_tree_and_revision_are_counted(tmp_path: Path) -> None:
    """Migrations do not count. For an unknown revision, git prints the error and the script adds no traceback."""
    script = "scripts/count_code.py"
    files: dict[str, str | bytes] = {
        script: (ROOT / script).read_bytes(),
        "epochal/one.py": SOURCE,
        "epochal/store/migrations/first.py": SOURCE,
        "tests/test_one.py": SOURCE,
    }
    folder = make_repository(tmp_path / "checkout", files)
    (folder / "epochal/two.py").write_text("x = 1\n")

    def run(*revisions: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(folder / script), *revisions]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run().stdout.startswith("working tree: 2 files, 11 lines ")
    assert run("HEAD").stdout.startswith("HEAD: 1 files, 10 lines ")
    done = run("no-such-revision")
    assert done.returncode
    assert "Traceback" not in done.stderr
