"""The cases of tests/cases: small repositories whose verdict must be right. ``make cases`` runs those beyond section A."""

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

from tests.cases.expected import RIGHT, SECTION_A, SECTION_B, SECTION_C, Case, at_chance, not_reached
from tests.jobs.chain import epochal_json
from tests.repositories import commit, make_repository

CASES = Path(__file__).parent / "cases"


MUST_FAIL = pytest.mark.xfail(strict=True, raises=AssertionError, reason="tests/cases/README.md says why")


def parameters(section: Mapping[str, Case], right: Collection[str]) -> list[Any]:
    """Return the cases as parameters; those that are not ``right`` must fail."""
    return [pytest.param(name, case, id=name, marks=_marks(case, name in right)) for name, case in section.items()]


def _marks(case: Case, right: bool) -> list[pytest.MarkDecorator]:
    marks = [] if right else [MUST_FAIL]
    if case.needs == "docker":
        marks.append(pytest.mark.docker)
    if case.needs == "large":
        large = os.environ.get("TEST_LARGE_CASES")
        marks.append(pytest.mark.skipif(not large, reason="downloads gigabytes: set TEST_LARGE_CASES=1"))
    return marks


Files = dict[str, str | bytes]


def files_of(folder: Path) -> Files:
    """Return the files of a case by their names, without what a run may have left beside them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def settings_of(case: Case, folder: Path) -> Files:
    """Return the case's epochal.toml as the test wants it: its trials, and the metric that it names."""
    path = folder / "epochal.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if case.most_trials:
        text = re.sub(r"(?m)^max_trials.*\n", "", text)
        text = text if "[retrain]" in text else f"{text}\n[retrain]\n"
        text = text.replace("[retrain]", f"[retrain]\nmax_trials = {case.most_trials}")
    if case.metric:
        text = f'metric = "{case.metric}"\n{text}'
    return {"epochal.toml": text} if text else {}


def run(home: Path, repository: Path, threshold: float, *options: str, runtime: str = "process") -> Any:
    """Return what ``epochal run`` prints for the newest commit."""
    given = ("--runtime", runtime, "--threshold", str(threshold), "--no-mail", *options)
    return epochal_json(home, "run", str(repository), *given)


def judge(case: Case, folder: Path, home: Path, tmp_path: Path) -> None:
    """Commit the files of ``folder``, run them and check the verdict."""
    repository = make_repository(tmp_path / "repository", files_of(folder) | settings_of(case, folder))
    if case.server:
        (home / "server.toml").write_text(case.server, encoding="utf-8")
    view = run(home, repository, case.threshold, "--force", runtime=case.runtime)
    print(json.dumps(view, indent=1))
    case.check(view)


@pytest.mark.keras
@pytest.mark.verdicts
@pytest.mark.parametrize(("name", "case"), parameters(SECTION_A, SECTION_A))
def test_the_verdict_is_right(name: str, case: Case, home: Path, tmp_path: Path) -> None:
    """Noise is never reached, and the number judged is the right one."""
    judge(case, CASES / name, home, tmp_path)


@pytest.mark.keras
@pytest.mark.verdicts
def test_a_split_without_a_seed_is_not_resumed_by_a_later_commit(home: Path, tmp_path: Path) -> None:
    """Three commits raise the epochs by hand: each has another test set, and none resumes an earlier one's checkpoint."""
    repository = make_repository(tmp_path / "repository", files_of(CASES / "unseeded_split_across_runs"))
    script = (repository / "nn.py").read_text(encoding="utf-8")
    for epochs in (25, 35, 45):
        commit(repository, {"nn.py": script.replace("EPOCHS = 25", f"EPOCHS = {epochs}")}, f"{epochs} epochs")
        view = run(home, repository, 0.8, "--force")
        not_reached(view)
        at_chance(view)
        assert [trial["epochs_resumed"] for trial in view["trials"]] == [0]


@pytest.mark.keras
@pytest.mark.cases
@pytest.mark.parametrize(("name", "case"), parameters(SECTION_B | SECTION_C, RIGHT))
def test_a_common_script_is_understood(
    name: str, case: Case, home: Path, tmp_path: Path, keras_python: Path, request: pytest.FixtureRequest
) -> None:
    """Resuming is exact, the number that counts is found, and the message names what to change."""
    folder = CASES / (case.folder or name)
    if case.runtime == "docker":
        request.getfixturevalue("docker_host")
    if name == "best_model_beside_images":
        folder = Path(shutil.copytree(folder, tmp_path / "with_images"))
        subprocess.run([keras_python, "make_images.py"], cwd=folder, check=True)
    judge(case, folder, home, tmp_path)


@pytest.mark.sklearn
@pytest.mark.cases
@MUST_FAIL
def test_a_script_that_reads_a_file_elsewhere_is_trained_again(home: Path, tmp_path: Path) -> None:
    """The labels change, and a commit that changes no code is trained again: its verdict is of the new labels."""
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
