"""The cases in tests/cases: small repositories whose verdicts must be right.

``make verdicts`` runs section A, and ``make cases`` runs all of them.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.cases.expected import RIGHT, SECTION_A, SECTION_B, SECTION_C, Case, check_at_chance, check_not_reached
from tests.jobs.chain import epochal_json
from tests.repositories import commit, make_repository

CASES = Path(__file__).parent / "cases"


MUST_FAIL = pytest.mark.xfail(strict=True, raises=AssertionError, reason="tests/cases/README.md says why")


def make_parameters(section: Mapping[str, Case], right: Collection[str]) -> list[Any]:
    """Return the cases as parameters; those not in ``right`` are expected to fail."""
    return [
        pytest.param(name, case, id=name, marks=_choose_marks(case, name in right)) for name, case in section.items()
    ]


def _choose_marks(case: Case, right: bool) -> list[pytest.MarkDecorator]:
    marks = [] if right else [MUST_FAIL]
    if case.needs == "docker":
        marks.append(pytest.mark.docker)
    if case.needs == "large":
        large = os.environ.get("TEST_LARGE_CASES")
        marks.append(pytest.mark.skipif(not large, reason="downloads gigabytes: set TEST_LARGE_CASES=1"))
    return marks


Files = dict[str, str | bytes]


def read_files(folder: Path) -> Files:
    """Return the files of a case by name, except compiled files that an earlier run left behind."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def adapt_settings(case: Case, folder: Path) -> Files:
    """Return the case's epochal.toml with the case's number of trials and metric."""
    path = folder / "epochal.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if case.max_trials:
        text = re.sub(r"(?m)^max_trials.*\n", "", text)
        text = text if "[retrain]" in text else f"{text}\n[retrain]\n"
        text = text.replace("[retrain]", f"[retrain]\nmax_trials = {case.max_trials}")
    if case.metric:
        text = f'metric = "{case.metric}"\n{text}'
    return {"epochal.toml": text} if text else {}


def run(home: Path, repository: Path, threshold: float, *options: str, runtime: str = "process") -> Any:
    """Run the newest commit, and return what ``epochal run --json`` prints."""
    arguments = ("--runtime", runtime, "--threshold", str(threshold), "--no-mail", *options)
    return epochal_json(home, "run", str(repository), *arguments)


def check_verdict(case: Case, folder: Path, home: Path, tmp_path: Path) -> None:
    """Commit the files in ``folder``, run the commit and check its verdict."""
    repository = make_repository(tmp_path / "repository", read_files(folder) | adapt_settings(case, folder))
    if case.server:
        (home / "server.toml").write_text(case.server, encoding="utf-8")
    view = run(home, repository, case.threshold, "--force", runtime=case.runtime)
    print(json.dumps(view, indent=1))
    case.check(view)


@pytest.mark.keras
@pytest.mark.verdicts
@pytest.mark.parametrize(("name", "case"), make_parameters(SECTION_A, SECTION_A))
def test_verdict_is_right(name: str, case: Case, home: Path, tmp_path: Path) -> None:
    """Noise never reaches the threshold, and the right number is judged."""
    check_verdict(case, CASES / name, home, tmp_path)


@pytest.mark.keras
@pytest.mark.verdicts
def test_unseeded_split_is_not_resumed_by_later_commits(home: Path, tmp_path: Path) -> None:
    """Three commits raise the epochs by hand, and no run resumes from the checkpoint of an earlier one.

    Each run draws a different test set, so an earlier run's model has already seen some of its rows.
    """
    repository = make_repository(tmp_path / "repository", read_files(CASES / "unseeded_split_across_runs"))
    script = (repository / "nn.py").read_text(encoding="utf-8")
    for epochs in (25, 35, 45):
        commit(repository, {"nn.py": script.replace("EPOCHS = 25", f"EPOCHS = {epochs}")}, f"{epochs} epochs")
        view = run(home, repository, 0.8, "--force")
        check_not_reached(view)
        check_at_chance(view)
        assert [trial["epochs_resumed"] for trial in view["trials"]] == [0]


@pytest.mark.keras
@pytest.mark.cases
@pytest.mark.parametrize(("name", "case"), make_parameters(SECTION_B | SECTION_C, RIGHT))
def test_common_script_is_understood(
    name: str, case: Case, home: Path, tmp_path: Path, keras_python: Path, request: pytest.FixtureRequest
) -> None:
    """Resuming is exact, the right number is judged, and the message names what to change."""
    folder = CASES / (case.folder or name)
    if case.runtime == "docker":
        request.getfixturevalue("docker_host")
    if case.needs == "torch":
        request.getfixturevalue("torch_python")
    if name == "best_model_beside_images":
        folder = Path(shutil.copytree(folder, tmp_path / "with_images"))
        subprocess.run([keras_python, "make_images.py"], cwd=folder, check=True)
    check_verdict(case, folder, home, tmp_path)


@pytest.mark.sklearn
@pytest.mark.cases
def test_script_that_reads_an_outside_file_is_trained_again(home: Path, tmp_path: Path) -> None:
    """If the labels in a file outside the repository change, the verdict is not reused even for the same code."""
    data = tmp_path / "outside.npz"
    script = (CASES / "external_data" / "nn.py").read_text(encoding="utf-8")
    repository = make_repository(tmp_path / "repository", {"nn.py": script.replace("/tmp/outside.npz", str(data))})
    numbers = numpy.random.default_rng(0)
    x = numbers.normal(size=(800, 5))
    numpy.savez(data, x=x, y=x[:, 0] > 0)
    first = run(home, repository, 0.9)
    numpy.savez(data, x=x, y=numbers.permutation(x[:, 0] > 0))
    commit(repository, {"README.md": "new data of wednesday\n"}, "New data")
    second = run(home, repository, 0.9)

    assert first["state"] == "reached"
    assert second["reused_run"] is None
    assert second["accuracy"] < 0.7
