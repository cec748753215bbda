"""The benchmarks' command lines."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "benchmarks"


def test_every_benchmark_has_help_and_quick() -> None:
    """``--help`` prints the options and measures nothing."""
    paths = sorted(set(_FOLDER.glob("*.py")) - {_FOLDER / "bench.py"})

    def show_help(path: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(path), "--quick", "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor() as executor:
        for path, done in zip(paths, executor.map(show_help, paths), strict=True):
            assert (done.returncode, done.stdout.startswith("usage: ")) == (0, True), path
            assert "--quick " in done.stdout, path
