"""The benchmarks' command lines, and the scripts that they run in containers."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from epochal.runtimes.choice import choose_runtime
from tests.runtimes.conftest import make_settings

_FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(_FOLDER))  # its scripts import each other from there
bench = import_module("bench")


def test_every_benchmark_has_help_and_quick() -> None:
    """``--help`` prints the options without measuring anything."""
    paths = sorted(set(_FOLDER.glob("*.py")) - {_FOLDER / "bench.py"})

    def show_help(path: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(path), "--quick", "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor() as executor:
        for path, done in zip(paths, executor.map(show_help, paths), strict=True):
            assert (done.returncode, done.stdout.startswith("usage: ")) == (0, True), path
            assert "--quick " in done.stdout, path


@pytest.mark.docker
def test_benchmark_runs_a_script_in_a_container(home: Path, tmp_path: Path, docker_host: str) -> None:
    """The script's output is returned, with its duration."""
    image = choose_runtime("docker", home, make_settings(), docker_host, print).prepare("python", tmp_path, print)
    code = bench.write_code(tmp_path / "code", "print('trained')\n")
    script_run = bench.Trainer(home, "docker", image).run(code)
    assert script_run.output == "trained\n"
    assert script_run.seconds > 0
