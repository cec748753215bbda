"""Measure how much time the hook adds to ``git commit``, by committing with and without it in one repository.

Usage: benchmarks/hook.py [--quick]
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench import QUICK

from epochal.commands.init import initialise
from epochal.settings import child_environment

ROUNDS = 10 if QUICK else 60


def main() -> None:
    """Time the commits, and print the medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 commits of each kind instead of 60")
    parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        origin, developer = Path(folder, "origin.git"), Path(folder, "digits")
        developer.mkdir()
        (developer / "nn.py").write_text("epochs = 20\n")
        _run_git(Path(folder), "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
        pipe = _signal_pushes(origin)
        initialise(developer, str(origin), ("main",))
        _commit(developer)
        _wait_for_push(developer, pipe)
        seconds: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(ROUNDS):
            for hooks, times in seconds.items():
                hooks_path = "/dev/null" if hooks == "without" else str(developer / ".git" / "hooks")
                _run_git(developer, "config", "core.hooksPath", hooks_path)
                times.append(_commit(developer))
                if hooks == "with":
                    _wait_for_push(developer, pipe)
    without, with_hook = (statistics.median(times) * 1000 for times in seconds.values())
    print("git commit            median of", ROUNDS)
    print(f"without the hook      {without:6.1f} ms")
    print(f"with the hook         {with_hook:6.1f} ms")
    print(f"added                 {with_hook - without:6.1f} ms   (wanted: under 100 ms)")
    print(f"ratio                 {with_hook / without:6.2f}")


def _commit(developer: Path) -> float:
    with (developer / "notes.txt").open("a") as notes:
        notes.write("one more line\n")
    _run_git(developer, "add", "--all")
    began = time.perf_counter()
    _run_git(developer, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "More")
    return time.perf_counter() - began


def _signal_pushes(origin: Path) -> Path:
    """Make ``origin`` write to a pipe whenever a push has arrived, and return the pipe's path."""
    pipe = origin / "arrived"
    os.mkfifo(pipe)
    hook = origin / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\necho >'{pipe}'\n")
    hook.chmod(0o755)
    return pipe


def _wait_for_push(developer: Path, pipe: Path) -> None:
    """Wait until the push has arrived, and until the process that pushed has released its lock."""
    pipe.read_text()
    subprocess.run(["flock", str(developer / ".git" / "epochal" / "lock"), "true"], check=True)


def _run_git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, env=child_environment({}))


if __name__ == "__main__":
    main()
