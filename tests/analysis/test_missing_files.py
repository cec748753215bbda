"""Explanations of why a file is not in the commit."""

import subprocess
from pathlib import Path

import pytest

from epochal.analysis.missing_files import explain_missing_file, find_ignore_rule

_IGNORED = """\
# comments and blank lines are no rules

*.npz
/data/
logs/
!kept.npz
models/*.keras
raw/**/big
deep/**
"""


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        (
            "data/train.csv",
            "",
            "data/train.csv is not in the commit, but Data/Train.csv is: the two paths differ only in letter case. "
            "Change the path to Data/Train.csv.",
        ),
        ("Data\\Train.csv", "", "only Windows separates folders with backslashes. Change the path to Data/Train.csv."),
        ("Train.csv", "", "Train.csv is not in the commit, but Data/Train.csv is. Change the path to Data/Train.csv."),
        ("Data/Trains.csv", "", "but Data/Train.csv is. Change the path to Data/Train.csv, or commit Data/Trains.csv."),
        (
            "/home/anna/nn/Data/Train.csv",
            "",
            'is a path on another machine. The commit contains the file: change the path to "Data/Train.csv".',
        ),
        ("C:\\Users\\anna\\x.csv", "", "Commit the file, or put the data in the server's data folder"),
        (
            "big/images/1.png",
            "",
            "The commit contains big.dvc but not big/images/1.png. Epochal does not fetch the data",
        ),
        (
            "big/my x.csv",
            "",
            "git add --force 'big/my x.csv' && git commit, or, especially if it is larger than 50 MB, put the data in the",
        ),
        (
            "cut.npz",
            "",
            "is not in the commit: .gitignore line 1 excludes it. Commit it with git add --force cut.npz && "
            'git commit -m "Add cut.npz", or, especially if it is larger than 50 MB, put the data in the server\'s data',
        ),
        ("x.csv", "", 'read it from os.environ["EPOCHAL_DATA"].'),
        (
            "Data/Train.csv",
            "",
            "The commit contains Data/Train.csv, but the script had already changed to another folder",
        ),
        ("/home/ada/digits", 'os.chdir("/home/ada/digits")', "The script already starts in the commit's folder."),
        ("~/sets/x.csv", "", "does not exist, because the home folder is empty during training."),
    ],
)
def test_what_the_commit_has_instead_is_named(tmp_path: Path, name: str, line: str, words: str) -> None:
    """The explanation gives a path that works, or says where to put the file."""
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data" / "Train.csv").write_text("")
    (tmp_path / "big.dvc").write_text("")
    (tmp_path / ".gitignore").write_text("*.npz\n")
    assert words in explain_missing_file(name, tmp_path, line)


def test_computed_path_is_not_written_as_it_is(tmp_path: Path) -> None:
    """If the script computes the path, the explanation does not tell the developer to write a fixed one."""
    (tmp_path / "train.csv").write_text("")
    explanation = explain_missing_file("data/train.csv", tmp_path, is_computed=True)
    assert explanation == "data/train.csv is not in the commit, but train.csv is. Make the path point to train.csv."


@pytest.mark.parametrize(
    "path",
    ["a.npz", "x/a.npz", "kept.npz", "data/a.csv", "x/data/a.csv", "x/logs/a.txt", "logs", "models/a.keras",
     "models/x/a.keras", "raw/a/b/big", "raw/big", "deep/a/b", "x/y.csv", "a.csv"],
)  # fmt: skip
def test_ignore_rules_are_those_of_git(tmp_path: Path, path: str) -> None:
    """``git check-ignore`` names the same file and line."""
    (tmp_path / "x").mkdir()
    (tmp_path / ".gitignore").write_text(_IGNORED)
    (tmp_path / "x" / ".gitignore").write_text("/y.csv\n!a.npz\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    command = ["git", "check-ignore", "--no-index", "--verbose", path]
    source = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    file, number, rule = source.partition("\t")[0].split(":") if source else ("", "", "!")
    assert find_ignore_rule(path, tmp_path) == ("" if rule.startswith("!") else f"{file} line {number}")
