"""How many scripts that learned nothing are reached, and how many sound ones are refused. Wanted: none of both.

Scripts are generated from a seed, as public code has them (benchmarks/templates). In one half the labels are noise, and
each script has a common mistake that makes its accuracy look high, or is resumed in a way that does. In the other half
the test is sound, the network learns, and its threshold is one that it clears. Each script is committed and goes through
`epochal run` in the process runtime.

Usage: benchmarks/noise.py [--quick] [--seed N] [--draw N] [--half noise|sound] [--kinds WORD ...] [--workers N]
       benchmarks/noise.py --write FOLDER [...]    writes the scripts and runs none

The exit status is 1 if a script of noise was reached, a sound one was not, or one did not run.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import QUICK, Ground, machine, show, tell, temporary_folder
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
        """Whether one of the runs was reached."""
        return any(view["state"] == "reached" for view in self.views)

    @property
    def broken(self) -> bool:
        """Whether one of the runs failed for another reason than that there was no accuracy."""
        return any(view["state"] == "failed" and view["reason"] != "no_accuracy" for view in self.views)

    @property
    def line(self) -> str:
        """State, reason and accuracies of the runs in one line."""
        runs = []
        for view in self.views:
            measured = [trial["accuracy"] for trial in view["trials"]]
            accuracies = ", ".join("-" if accuracy is None else f"{accuracy:.3f}" for accuracy in measured)
            runs.append(f"{view['state']} {view['reason'] or ''} ({accuracies})")
        return f"{self.name} [{self.script.style}, {self.script.threshold:g}]: {'; '.join(runs)}"


def generate(half: str, seed: int) -> dict[str, Script]:
    """Return the scripts of a half, ``noise`` or ``sound``, by their names."""
    templates = noise.TEMPLATES if half == "noise" else sound.TEMPLATES
    names = [(f"{half}: {kind} {number}", template) for number in range(1, ROUNDS + 1) for kind, template in templates]
    return {name: template(Draw(f"{seed} {name}")) for name, template in names}


def judge(named: tuple[str, Script], ground: Ground, folder: Path) -> Judged:
    """Commit a script, and run each commit."""
    name, script = named
    place = folder / "".join(letter if letter.isalnum() else "-" for letter in name)
    home = place / "home"
    home.mkdir(parents=True)
    (home / "cache").symlink_to((ground.home / "cache").resolve())
    repository = write(script, place / "repository")
    if script.prepare:
        _run([python_in(Path(ground.image)), "-c", script.prepare], repository)
    _run(["git", "init", "--quiet", "--initial-branch=main"], repository)
    views = []
    for text in script.commits:
        (repository / "nn.py").write_text(text, encoding="utf-8")
        _run(["git", "add", "--all"], repository)
        _run(["git", "commit", "--quiet", "-m", "Train"], repository)
        views.append(_epochal(home, repository, script.threshold))
    judged = Judged(name, script, views)
    tell(judged.line)
    return judged


def write(script: Script, folder: Path) -> Path:
    """Write the files of a script's first commit."""
    folder.mkdir(parents=True)
    (folder / "nn.py").write_text(script.commits[0], encoding="utf-8")
    (folder / "epochal.toml").write_text(script.toml, encoding="utf-8")
    return folder


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=os.environ | _GIT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:2]} in {folder}: {done.stderr}")


def _epochal(home: Path, repository: Path, threshold: float) -> dict[str, Any]:
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


def table(half: str, all_judged: Sequence[Judged]) -> int:
    """Print a half by kinds; return how many of its verdicts are wrong."""
    wrong = "reached" if half == "noise" else "refused"
    rows, total = [], 0
    for kind in dict.fromkeys(judged.script.kind for judged in all_judged):
        those = [judged for judged in all_judged if judged.script.kind == kind]
        count = sum(judged.reached is (half == "noise") for judged in those)
        broken = sum(judged.broken for judged in those)
        styles = ", ".join(dict.fromkeys(judged.script.style for judged in those))
        rows.append((kind, styles, str(len(those)), str(count), str(broken)))
        total += count + broken
    sums = [str(sum(int(row[column]) for row in rows)) for column in (2, 3, 4)]
    show((f"{half}: kind", "written with", "scripts", wrong, "did not run"), *rows, ("all", "", *sums))
    return total


def main() -> int:
    """Generate, run, print."""
    given, began = _options(), time.perf_counter()
    halves = [given.half] if given.half else ["noise", "sound"]
    chosen = {half: dict(_chosen(generate(half, given.seed), given)) for half in halves}
    if given.write:
        for name, script in (each for scripts in chosen.values() for each in scripts.items()):
            write(script, given.write / name.replace("/", "-"))
        return 0
    print(f"{machine()}; seed {given.seed}\n", flush=True)
    wrong = 0
    with temporary_folder() as folder, ThreadPoolExecutor(given.workers) as pool:
        ground = Ground.make(folder / "ground")
        for half, scripts in chosen.items():
            judged = list(pool.map(partial(judge, ground=ground, folder=folder), scripts.items()))
            wrong += table(half, judged)
    print(f"{time.perf_counter() - began:.0f} s")
    return 1 if wrong else 0


def _chosen(scripts: Mapping[str, Script], given: argparse.Namespace) -> Iterator[tuple[str, Script]]:
    names = [name for name in scripts if any(word in name for word in given.kinds)]
    if given.draw:
        names = random.Random(given.seed).sample(names, min(given.draw, len(names)))
    return ((name, scripts[name]) for name in names)


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
