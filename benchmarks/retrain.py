"""Compare three retrain rounds of the job scripts (20 → 30 → 40 → 50 epochs) with a classic chain that trains from scratch.

The classic chain runs the same nn.py with 20, 30, 40 and 50 epochs, each time in a new process (or container) without recorder,
gate or database: the least that a chain of containers could cost. The model learns so slowly that no round reaches the
threshold. Each repetition uses a different seed, because the same code would resume from the previous repetition.

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
    Trainer,
    alternate,
    describe_machine,
    find_repeats,
    find_times,
    make_keras_script,
    print_table,
    temporary_folder,
    write_code,
)

from epochal.app import App
from epochal.chains.job_scripts import JobScripts
from epochal.demo.stage import git
from epochal.folders import Home, resource
from epochal.records import Commit, Origin, Run, State
from epochal.settings import Environment
from epochal.store.deliveries import accept_commit
from epochal.store.runs import load_run

SECONDS = 5.0 if QUICK else 60.0
EPOCHS = (FIRST_EPOCHS, 30, 40, 50)
ROUNDS = len(EPOCHS) - 1
TARGET_RATIO = 3.0
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
    """Seconds for the first training run and for each round: ``fit`` within Keras' fit(), ``wall`` from start to accuracy."""

    fit: list[float]
    wall: list[float]


def main() -> None:
    """Print how long the rounds take here and in the classic chain, and the ratio after each round."""
    options = _options()
    with temporary_folder() as folder:
        trainer = Trainer.make(folder / "home", options.runtime)
        repeats = find_repeats(trainer, folder / "tried", SECONDS)
        trainer.check_imports(folder / "tried")
        found = alternate(
            options.repetitions,
            {
                "here": lambda seed: run_here(trainer, folder / f"digits-{seed}", repeats, seed),
                "classic": lambda seed: run_classic(trainer, folder / "classic", repeats, seed),
            },
        )
    print(
        f"{describe_machine()}; runtime {trainer.runtime}; medians of {options.repetitions} alternating repetitions\n"
    )
    _print_results(_compute_medians(found["here"]), _compute_medians(found["classic"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds for the first training, not a minute")
    parser.add_argument("--runtime", choices=("docker", "process", "auto"), default="auto")
    parser.add_argument("--repetitions", type=int, default=1 if QUICK else 2)
    return parser.parse_args()


def run_classic(trainer: Trainer, folder: Path, repeats: int, seed: int) -> Rounds:
    """Train from scratch for each number of epochs."""
    scripts = [make_keras_script(repeats=repeats, seed=seed, epochs=epochs, rate=RATE) for epochs in EPOCHS]
    script_run = [trainer.run(write_code(folder, script)) for script in scripts]
    return Rounds([_read_fit_seconds(each.output) for each in script_run], [each.seconds for each in script_run])


def run_here(trainer: Trainer, repository: Path, repeats: int, seed: int) -> Rounds:
    """Train and retrain with the three job scripts, as a chain calls them."""
    write_code(repository, make_keras_script(repeats=repeats, seed=seed, rate=RATE))
    (repository / "requirements.txt").write_bytes((resource("ml_code") / "requirements.txt").read_bytes())
    (repository / "epochal.toml").write_text(SETTINGS, encoding="utf-8")
    app = App.open(Environment.read().model_copy(update={"home": trainer.home}))
    run = load_run(app.database, accept_commit(app.database, _commit(repository), Origin.PUSH, supersede="queued").run)
    scripts = JobScripts(app.environment, resource("scripts"), {"EPOCHAL_RUNTIME": trainer.runtime})
    _time_job(scripts, "pull", run)
    wall = [*_time_job(scripts, "train", run), *_time_job(scripts, "retrain", run)]
    ended = load_run(app.database, run.id)
    app.database.close()
    if ended.state is not State.EXHAUSTED or [trial.epochs for trial in ended.trials] != list(EPOCHS):
        raise RuntimeError(f"{ended.state}: {ended.explanation} {ended.detail} {[t.epochs for t in ended.trials]}")
    logs = [Home(trainer.home).run(run.id).trial(trial.number).log for trial in ended.trials]
    return Rounds([_read_fit_seconds(log.read_text(encoding="utf-8")) for log in logs], wall)


def _commit(repository: Path) -> Commit:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    git("init", "--quiet", "--initial-branch=main", str(repository))
    git("-C", str(repository), "add", "--all")
    git("-C", str(repository), *identity, "commit", "--quiet", "-m", "Digits")
    return Commit(str(repository), "main", git("-C", str(repository), "rev-parse", "HEAD").strip())


def _time_job(scripts: JobScripts, name: str, run: Run) -> list[float]:
    """Run a job script; return the seconds to each trial's accuracy, counted from the previous accuracy or the start."""
    times = [time.perf_counter()]
    reading, writing = os.pipe()
    reader = threading.Thread(target=_record_trials, args=(reading, times))
    reader.start()
    try:
        scripts.run(name, run, writing)
    finally:
        os.close(writing)
        reader.join()
    return [end - begin for begin, end in pairwise(times)]


def _record_trials(output: int, times: list[float]) -> None:
    with os.fdopen(output, encoding="utf-8") as lines:
        for line in lines:
            if re.match(r"trial \d+: accuracy ", line):
                times.append(time.perf_counter())


def _read_fit_seconds(output: str) -> float:
    return find_times(output, "fitted")[0] - find_times(output, "epoch begins")[0]


def _compute_medians(repetitions: list[Rounds]) -> Rounds:
    return Rounds(
        [median(values) for values in zip(*(each.fit for each in repetitions), strict=True)],
        [median(values) for values in zip(*(each.wall for each in repetitions), strict=True)],
    )


def _print_results(ours: Rounds, theirs: Rounds) -> None:
    print_table(
        ("training", "here: fit", "here: wall", "classic: fit", "classic: wall"),
        *(
            (f"{'first' if number == 0 else f'round {number}'}, to epoch {epochs}", *map(_format_seconds, values))
            for number, (epochs, *values) in enumerate(
                zip(EPOCHS, ours.fit, ours.wall, theirs.fit, theirs.wall, strict=True)
            )
        ),
    )
    ratios = [_compute_ratios(classic, mine) for mine, classic in ((ours.fit, theirs.fit), (ours.wall, theirs.wall))]
    print_table(
        ("classic ÷ here", "fit", "wall", "with the first training: fit", "wall"),
        *(
            (
                f"after {count} round{'s' if count > 1 else ''}",
                *(f"{ratio:.2f}" for among in (0, 1) for ratio in (each[among][count - 1] for each in ratios)),
            )
            for count in range(1, ROUNDS + 1)
        ),
    )
    print(f"wanted: ≥ {TARGET_RATIO:g} for three retrain rounds, growing with the rounds")
    print(f"by epochs alone: {', '.join(_compute_ratios_of_epochs())}\n")
    besides = median(wall - fit for wall, fit in zip(ours.wall[1:], ours.fit[1:], strict=True))
    alone = median(wall - fit for wall, fit in zip(theirs.wall, theirs.fit, strict=True))
    print(f"besides fit each round takes {besides:.1f} s here, {alone:.1f} s classically (most of it Keras' import)")


def _compute_ratios(theirs: list[float], ours: list[float]) -> tuple[list[float], list[float]]:
    """Return the ratio of the total times after each round, without and with the first training run."""
    alone = [mine[0] / mine[1] for mine in zip(accumulate(theirs[1:]), accumulate(ours[1:]), strict=True)]
    whole = [mine[0] / mine[1] for mine in zip(accumulate(theirs), accumulate(ours), strict=True)]
    return alone, whole[1:]


def _compute_ratios_of_epochs() -> list[str]:
    added = [later - earlier for earlier, later in pairwise(EPOCHS)]
    return [
        f"{ratio:.2f}" for ratio in _compute_ratios(list(map(float, EPOCHS)), [float(EPOCHS[0]), *map(float, added)])[0]
    ]


def _format_seconds(value: float) -> str:
    return f"{value:.1f} s"


if __name__ == "__main__":
    main()
