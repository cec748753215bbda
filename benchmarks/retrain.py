"""Three retrain rounds (20 → 30 → 40 → 50 epochs) of the job scripts against the classic chain, which trains from zero.

Classic is the same nn.py with 30, 40 and 50 epochs in a fresh process (or container) each, without recorder, gate and
database: the least that a chain of containers could cost. It learns so slowly that no round reaches the threshold, and
each repetition has a seed of its own: of the same code a training would go on from the one before.

Usage: benchmarks/retrain.py [--quick] [--runtime docker|process|auto] [--repetitions N]
"""

import argparse
import os
import re
import threading
import time
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median

from bench import (
    FIRST_EPOCHS,
    QUICK,
    Ground,
    alternate,
    keras_script,
    machine,
    moments,
    repeats_for,
    show,
    temporary_folder,
    write_code,
)

from epochal.app import App
from epochal.chains.job_scripts import JobScripts
from epochal.demo.stage import git
from epochal.folders import Home
from epochal.records import Commit, Origin, Run, State
from epochal.resources import resource
from epochal.settings import Environment
from epochal.store.deliveries import accept_commit
from epochal.store.runs import load_run

SECONDS = 5.0 if QUICK else 60.0
EPOCHS = (FIRST_EPOCHS, 30, 40, 50)
ROUNDS = len(EPOCHS) - 1
WANTED_RATIO = 3.0
RATE = 0.000001

SETTINGS = f"""\
threshold = 1.0

[retrain]
epochs_step = 10
max_epochs = {EPOCHS[-1]}
patience = {len(EPOCHS)}
stop_at_threshold = false
"""


@dataclass(frozen=True)
class Rounds:
    """The first training, then the rounds: the seconds that each took in fit, and from its beginning to its accuracy."""

    fit: list[float]
    wall: list[float]


def main() -> None:
    """Print what the rounds take here and classically, and the ratio after each of them."""
    options = _options()
    with temporary_folder() as folder:
        ground = Ground.make(folder / "home", options.runtime)
        repeats = repeats_for(ground, folder / "tried", SECONDS)
        ground.prove(folder / "tried")
        found = alternate(
            options.repetitions,
            {
                "here": lambda seed: here(ground, folder / f"digits-{seed}", repeats, seed),
                "classic": lambda seed: classic(ground, folder / "classic", repeats, seed),
            },
        )
    print(f"{machine()}; runtime {ground.runtime}; medians of {options.repetitions} alternating repetitions\n")
    _show(_medians(found["here"]), _medians(found["classic"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds for the first training, not a minute")
    parser.add_argument("--runtime", choices=("docker", "process", "auto"), default="auto")
    parser.add_argument("--repetitions", type=int, default=1 if QUICK else 2)
    return parser.parse_args()


def classic(ground: Ground, folder: Path, repeats: int, seed: int) -> Rounds:
    """Each training from zero, by itself."""
    scripts = [keras_script(repeats=repeats, seed=seed, epochs=epochs, rate=RATE) for epochs in EPOCHS]
    ran = [ground.run(write_code(folder, script)) for script in scripts]
    return Rounds([_fit_seconds(each.output) for each in ran], [each.seconds for each in ran])


def here(ground: Ground, repository: Path, repeats: int, seed: int) -> Rounds:
    """The run through the three job scripts, as a chain calls them."""
    write_code(repository, keras_script(repeats=repeats, seed=seed, rate=RATE))
    (repository / "requirements.txt").write_bytes((resource("ml_code") / "requirements.txt").read_bytes())
    (repository / "epochal.toml").write_text(SETTINGS, encoding="utf-8")
    app = App.open(Environment.read().model_copy(update={"home": ground.home}))
    run = load_run(app.database, accept_commit(app.database, _commit(repository), Origin.PUSH, supersede="queued").run)
    scripts = JobScripts(app.environment, resource("scripts"), {"EPOCHAL_RUNTIME": ground.runtime})
    _timed(scripts, "pull", run)
    wall = [*_timed(scripts, "train", run), *_timed(scripts, "retrain", run)]
    ended = load_run(app.database, run.id)
    app.database.close()
    if ended.state is not State.EXHAUSTED or [trial.epochs for trial in ended.trials] != list(EPOCHS):
        raise RuntimeError(f"{ended.state}: {ended.explanation} {ended.detail} {[t.epochs for t in ended.trials]}")
    logs = [Home(ground.home).run(run.id).trial(trial.number).log for trial in ended.trials]
    return Rounds([_fit_seconds(log.read_text(encoding="utf-8")) for log in logs], wall)


def _commit(repository: Path) -> Commit:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    git("init", "--quiet", "--initial-branch=main", str(repository))
    git("-C", str(repository), "add", "--all")
    git("-C", str(repository), *identity, "commit", "--quiet", "-m", "Digits")
    return Commit(str(repository), "main", git("-C", str(repository), "rev-parse", "HEAD").strip())


def _timed(scripts: JobScripts, name: str, run: Run) -> list[float]:
    """Run a job script; for each of its trials the seconds up to its accuracy, since the one before or the start."""
    moments_of_trials = [time.perf_counter()]
    reading, writing = os.pipe()
    reader = threading.Thread(target=_note_trials, args=(reading, moments_of_trials))
    reader.start()
    try:
        scripts.run(name, run, writing)
    finally:
        os.close(writing)
        reader.join()
    return [end - begin for begin, end in pairwise(moments_of_trials)]


def _note_trials(output: int, moments_of_trials: list[float]) -> None:
    with os.fdopen(output, encoding="utf-8") as lines:
        for line in lines:
            if re.match(r"trial \d+: accuracy ", line):
                moments_of_trials.append(time.perf_counter())


def _fit_seconds(output: str) -> float:
    return moments(output, "fitted")[0] - moments(output, "epoch begins")[0]


def _medians(repetitions: list[Rounds]) -> Rounds:
    return Rounds(
        [median(values) for values in zip(*(each.fit for each in repetitions), strict=True)],
        [median(values) for values in zip(*(each.wall for each in repetitions), strict=True)],
    )


def _show(ours: Rounds, theirs: Rounds) -> None:
    show(
        ("training", "here: fit", "here: wall", "classic: fit", "classic: wall"),
        *(
            (f"{'first' if number == 0 else f'round {number}'}, to epoch {epochs}", *map(_seconds, values))
            for number, (epochs, *values) in enumerate(
                zip(EPOCHS, ours.fit, ours.wall, theirs.fit, theirs.wall, strict=True)
            )
        ),
    )
    ratios = [_ratios(classic, mine) for mine, classic in ((ours.fit, theirs.fit), (ours.wall, theirs.wall))]
    show(
        ("classic ÷ here", "fit", "wall", "with the first training: fit", "wall"),
        *(
            (
                f"after {count} round{'s' if count > 1 else ''}",
                *(f"{ratio:.2f}" for among in (0, 1) for ratio in (each[among][count - 1] for each in ratios)),
            )
            for count in range(1, ROUNDS + 1)
        ),
    )
    print(f"wanted: ≥ {WANTED_RATIO:g} for three retrain rounds, growing with the rounds")
    print(f"by epochs alone: {', '.join(_by_epochs())}\n")
    besides = median(wall - fit for wall, fit in zip(ours.wall[1:], ours.fit[1:], strict=True))
    alone = median(wall - fit for wall, fit in zip(theirs.wall, theirs.fit, strict=True))
    print(f"besides fit each round takes {besides:.1f} s here, {alone:.1f} s classically (most of it Keras' import)")


def _ratios(theirs: list[float], ours: list[float]) -> tuple[list[float], list[float]]:
    """After each round: of the rounds alone, and of the first training with them."""
    alone = [mine[0] / mine[1] for mine in zip(accumulate(theirs[1:]), accumulate(ours[1:]), strict=True)]
    whole = [mine[0] / mine[1] for mine in zip(accumulate(theirs), accumulate(ours), strict=True)]
    return alone, whole[1:]


def _by_epochs() -> list[str]:
    added = [later - earlier for earlier, later in pairwise(EPOCHS)]
    return [f"{ratio:.2f}" for ratio in _ratios(list(map(float, EPOCHS)), [float(EPOCHS[0]), *map(float, added)])[0]]


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


if __name__ == "__main__":
    main()
