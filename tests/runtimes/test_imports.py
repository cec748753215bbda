"""Remembering which imports have been checked."""

from pathlib import Path

import pytest

from epochal.errors import RunFailed
from epochal.runtimes.imports import check_imports_once


def test_checked_imports_are_remembered(tmp_path: Path) -> None:
    """Modules that passed in an environment are checked there again only together with one that has not passed."""
    runs: list[list[str]] = []

    def run(arguments: list[str]) -> tuple[int, str]:
        runs.append(arguments[2:])
        return int("broken" in arguments), ""

    check_imports_once(tmp_path, "one", ["keras", "pandas"], run)
    check_imports_once(tmp_path, "one", ["pandas"], run)
    check_imports_once(tmp_path, "one", ["pandas", "scipy"], run)
    check_imports_once(tmp_path, "one", ["scipy", "keras"], run)
    check_imports_once(tmp_path, "two", ["keras", "pandas"], run)
    for _ in range(2):
        with pytest.raises(RunFailed):
            check_imports_once(tmp_path, "one", ["broken"], run)
    check_imports_once(tmp_path, "one", [], run)
    assert runs == [["keras", "pandas"], ["pandas", "scipy"], ["keras", "pandas"], ["broken"], ["broken"]]
