"""Count the scripts that learned nothing but reach their threshold, and the sound ones that do not: both should be 0.

Scripts are generated from a seed, in the style of public code (benchmarks/templates). In one half, the labels are
noise, and each script makes a common mistake that inflates its accuracy, or is resumed in a way that does. In the other
half, the test is sound, the model learns, and the threshold is within its reach. Each script is committed and trained
with `epochal run` in the process runtime.

Usage: benchmarks/noise.py [--quick] [--seed N] [--draw N] [--half noise|sound] [--kinds WORD ...] [--workers N]
       benchmarks/noise.py --write FOLDER [...]    writes the scripts and runs none

The exit status is 1 if a script trained on noise reached its threshold, a sound one did not, or any script did not run.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import QUICK, Trainer, describe_machine, log_progress, print_table, temporary_folder
from templates import noise, sound
from templates.drawing import Draw, Script

from epochal.runtimes.environments import python_in

ROUNDS = 2
"""How often each template is drawn."""

_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@dataclass(frozen=True)
class Judged:
    """A script and its runs, one for each commit, as ``epochal run --json`` prints them."""

    name: str
    script: Script
    views: Sequence[Mapping[str, Any]]

    @property
    def reached(self) -> bool:
        """Whether one of the runs reached its threshold."""
        return any(view["state"] == "reached" for view in self.views)

    @property
    def broken(self) -> bool:
        """Whether one of the runs failed for any reason other than a missing accuracy."""
        return any(view["state"] == "failed" and view["reason"] != "no_accuracy" for view in self.views)

    @property
    def line(self) -> str:
        """The state, reason and accuracies of each run, all in one line."""
        runs = []
        for view in self.views:
            measured = [trial["accuracy"] for trial in view["trials"]]
            accuracies = ", ".join("-" if accuracy is None else f"{accuracy:.3f}" for accuracy in measured)
            runs.append(f"{view['state']} {view['reason'] or ''} ({accuracies})")
        return f"{self.name} [{self.script.style}, {self.script.threshold:g}]: {'; '.join(runs)}"


def generate(half: str, seed: int) -> dict[str, Script]:
    """Return the scripts of a half, ``noise`` or ``sound``, by name."""
    templates = noise.TEMPLATES if half == "noise" else sound.TEMPLATES
    names = [(f"{half}: {kind} {number}", template) for number in range(1, ROUNDS + 1) for kind, template in templates]
    return {name: template(Draw(f"{seed} {name}")) for name, template in names}


def sample(scripts: Mapping[str, Script], seed: int, count: int) -> dict[str, Script]:
    """Return ``count`` scripts drawn with the seed, or all if there are fewer."""
    names = random.Random(seed).sample(list(scripts), min(count, len(scripts)))
    return {name: scripts[name] for name in names}


def judge(
    named: tuple[str, Script], folder: Path, python: Path | str, run: Callable[[Path, float], Mapping[str, Any]]
) -> Judged:
    """Commit the versions of a script to a new repository below ``folder``, and run each commit.

    ``python``: the interpreter of the training environment. ``run``: a function that trains the newest commit of a
    repository for a threshold, and returns what ``epochal run --json`` prints.
    """
    name, script = named
    repository = write(script, folder / "".join(letter if letter.isalnum() else "-" for letter in name) / "repository")
    if script.prepare:
        _run_command([str(python), "-c", script.prepare], repository)
    _run_command(["git", "init", "--quiet", "--initial-branch=main"], repository)
    views = []
    for text in script.commits:
        (repository / "nn.py").write_text(text, encoding="utf-8")
        _run_command(["git", "add", "--all"], repository)
        _run_command(["git", "commit", "--quiet", "-m", "Train"], repository)
        views.append(run(repository, script.threshold))
    return Judged(name, script, views)


def write(script: Script, folder: Path) -> Path:
    """Write the files of a script's first commit."""
    folder.mkdir(parents=True)
    (folder / "nn.py").write_text(script.commits[0], encoding="utf-8")
    (folder / "epochal.toml").write_text(script.toml, encoding="utf-8")
    return folder


def _run_command(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=os.environ | _GIT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:2]} in {folder}: {done.stderr}")


def _run_epochal(repository: Path, threshold: float, cache: Path) -> dict[str, Any]:
    """Run ``epochal run`` with a home next to the repository; all commits of the repository share it."""
    home = repository.parent / "home"
    if not home.exists():
        home.mkdir()
        (home / "cache").symlink_to(cache)
    command = [sys.executable, "-m", "epochal", "run", str(repository), "--threshold", str(threshold)]
    command += ["--runtime", "process", "--no-mail", "--json", "--force"]
    environment = os.environ | _GIT | {"EPOCHAL_HOME": str(home)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"epochal run {repository}: {done.stderr}")
    view: dict[str, Any] = json.loads(done.stdout)
    return view


def print_half(half: str, all_judged: Sequence[Judged]) -> int:
    """Print a table of one half by kind; return how many scripts got a wrong verdict or did not run."""
    wrong = "reached" if half == "noise" else "refused"
    rows, total = [], 0
    for kind in dict.fromkeys(judged.script.kind for judged in all_judged):
        group = [judged for judged in all_judged if judged.script.kind == kind]
        count = sum(judged.reached is (half == "noise") for judged in group)
        broken = sum(judged.broken for judged in group)
        styles = ", ".join(dict.fromkeys(judged.script.style for judged in group))
        rows.append((kind, styles, str(len(group)), str(count), str(broken)))
        total += count + broken
    sums = [str(sum(int(row[column]) for row in rows)) for column in (2, 3, 4)]
    print_table((f"{half}: kind", "written with", "scripts", wrong, "did not run"), *rows, ("all", "", *sums))
    return total


def main() -> int:
    """Generate the scripts, run them and print the tables."""
    options, began = _options(), time.perf_counter()
    halves = [options.half] if options.half else ["noise", "sound"]
    chosen = {half: _choose(generate(half, options.seed), options) for half in halves}
    if options.write:
        for name, script in (each for scripts in chosen.values() for each in scripts.items()):
            write(script, options.write / name.replace("/", "-"))
        return 0
    print(f"{describe_machine()}; seed {options.seed}\n", flush=True)
    wrong = 0
    with temporary_folder() as folder, ThreadPoolExecutor(options.workers) as pool:
        trainer = Trainer.make(folder / "ground")
        for half, scripts in chosen.items():
            wrong += print_half(half, list(pool.map(partial(_judge, trainer=trainer, folder=folder), scripts.items())))
    print(f"{time.perf_counter() - began:.0f} s")
    return 1 if wrong else 0


def _judge(named: tuple[str, Script], trainer: Trainer, folder: Path) -> Judged:
    run = partial(_run_epochal, cache=(trainer.home / "cache").resolve())
    judged = judge(named, folder, python_in(Path(trainer.image)), run)
    log_progress(judged.line)
    return judged


def _choose(scripts: Mapping[str, Script], options: argparse.Namespace) -> dict[str, Script]:
    named = {name: script for name, script in scripts.items() if any(word in name for word in options.kinds)}
    return sample(named, options.seed, options.draw) if options.draw else named


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="how many scripts of noise are reached, and sound ones refused")
    parser.add_argument("--quick", action="store_true", help="draw four of each half")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--draw", type=int, default=4 if QUICK else 0, help="only so many of each half; 0: all")
    parser.add_argument("--half", choices=["noise", "sound"], help="only this half")
    parser.add_argument("--kinds", nargs="+", default=[""], help="only kinds whose name contains one of these words")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many run at a time")
    parser.add_argument("--write", type=Path, help="write the scripts into this folder instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
