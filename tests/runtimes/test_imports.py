"""What was proven once is not proven again."""

from pathlib import Path

import pytest

from epochal.errors import RunFailed
from epochal.runtimes.imports import prove_once


def test_a_proof_is_remembered_for_its_environment_and_module(tmp_path: Path) -> None:
    """Modules that were proven are known by themselves, too; with one that was not, or in another environment, they are not."""
    runs: list[list[str]] = []

    def run(arguments: list[str]) -> tuple[int, str]:
        runs.append(arguments[2:])
        return int("broken" in arguments), ""

    prove_once(tmp_path, "one", ["keras", "pandas"], run)
    prove_once(tmp_path, "one", ["pandas"], run)
    prove_once(tmp_path, "one", ["pandas", "scipy"], run)
    prove_once(tmp_path, "one", ["scipy", "keras"], run)
    prove_once(tmp_path, "two", ["keras", "pandas"], run)
    for _ in range(2):
        with pytest.raises(RunFailed):
            prove_once(tmp_path, "one", ["broken"], run)
    prove_once(tmp_path, "one", [], run)
    assert runs == [["keras", "pandas"], ["pandas", "scipy"], ["keras", "pandas"], ["broken"], ["broken"]]
