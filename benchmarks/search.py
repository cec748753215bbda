"""Measure how long three searches take to reach a threshold: the retrain job's, Keras Tuner's Hyperband, plain Optuna.

All of them train the model in searching/code with the search space in its epochal.toml. They take turns, one at a time.
Epochal first trains the hyperparameters of the commit, which do not reach the threshold; its search then trains two
trials at a time, each in its own process. The others run as their documentation shows: in one process that imports
Keras once, training one model at a time with TensorFlow's own threads. They end when the first model reaches the
threshold on the test data. A search that has not reached it by the cap counts as if it had taken that long.

Usage: benchmarks/search.py [--quick] [--seeds N] [--cap SECONDS] [--more] [--only NAME …]
"""

import argparse
import math
import re
import resource as resource_usage
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import uv
from bench import QUICK, Trainer, alternate, describe_machine, find_times, log_progress, print_table, temporary_folder

from epochal.app import App
from epochal.chains.job_scripts import JobScripts
from epochal.demo.stage import git
from epochal.folders import resource
from epochal.records import Commit, Origin, Run, State, Step
from epochal.runtimes.environments import python_in
from epochal.settings import Environment, child_environment
from epochal.store.deliveries import accept_commit
from epochal.store.runs import load_run
from epochal.store.timeline import list_moments

TARGET_RATIO = 0.5
EPOCHS, THRESHOLD = (6, 0.85) if QUICK else (18, 0.96)
TRIALS_AT_ONCE = 2
OTHERS = ("keras-tuner==1.4.8", "tensorboard==2.21.0", "optuna==5.0.0")
SEARCHING = Path(__file__).parent / "searching"
HERE = "here"


@dataclass(frozen=True)
class SearchResult:
    """How long a search took.

    ``seconds``: until the threshold was reached, or the cap. ``processor``: processor seconds of everything that ran.
    ``trainings``: the number of models trained. ``from_commit``: seconds from the commit, if there was one.
    """

    seconds: float
    processor: float
    reached: bool
    trainings: int
    from_commit: float | None = None


def main() -> None:
    """Print how long each search takes to the threshold, and the ratio of the medians."""
    options = _options()
    with temporary_folder() as folder:
        trainer = Trainer.make(folder / "home")
        (trainer.home / "server.toml").write_text(f"[limits]\ntrials = {TRIALS_AT_ONCE}\n", encoding="utf-8")
        python = _make_others_environment(trainer)
        trainer.check_imports(SEARCHING / "code")
        systems = _list_systems(trainer, python, folder, options)
        found = alternate(options.seeds, {name: systems[name] for name in options.only or systems})
    print(f"{describe_machine()}, {', '.join(OTHERS)}; {options.seeds} seeds; cap {options.cap:.0f} s\n")
    _print_results(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, a third of the epochs, a low threshold")
    parser.add_argument("--seeds", type=int, default=1 if QUICK else 10)
    parser.add_argument("--cap", type=float, default=120.0 if QUICK else 900.0, help="the most seconds of a search")
    parser.add_argument("--more", action="store_true", help="Optuna with a pruner, and in two processes, besides")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these rows only")
    return parser.parse_args()


def _list_systems(
    trainer: Trainer, python: Path, folder: Path, options: argparse.Namespace
) -> dict[str, Callable[[int], SearchResult]]:
    def other(*command: str, processes: int = 1) -> Callable[[int], SearchResult]:
        return lambda seed: _log_result(
            run_others(python, command, write(folder / "others", seed), seed, processes=processes, cap=options.cap)
        )

    more = {
        "Optuna, MedianPruner": other("plain_optuna.py", "prune"),
        "Optuna, MedianPruner, two processes": other("plain_optuna.py", "prune", "study.log", processes=2),
    }
    return {
        HERE: lambda seed: _log_result(run_here(trainer, write(folder / f"digits-{seed}", seed), options.cap)),
        "Keras Tuner, Hyperband": other("hyperband.py"),
        "Optuna": other("plain_optuna.py"),
    } | (more if options.more or options.only else {})


def write(folder: Path, seed: int) -> Path:
    """Write the code, the data and the settings to a new folder, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SEARCHING / "code", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("digits.csv.gz", "requirements.txt"):
        shutil.copy(resource("ml_code") / name, folder)
    _set_values(folder / "nn.py", epochs=EPOCHS, seed=seed)
    _set_values(folder / "epochal.toml", threshold=THRESHOLD, max_epochs=EPOCHS)
    return folder


def _set_values(path: Path, **values: float) -> None:
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text = re.sub(rf"^{name} = [\d.]+", f"{name} = {value}", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


def run_here(trainer: Trainer, repository: Path, cap: float) -> SearchResult:
    """Run Epochal's three job scripts; the search begins with the retrain job."""
    _set_values(repository / "epochal.toml", max_minutes=TRIALS_AT_ONCE * cap / 60)
    app = App.open(Environment.read().model_copy(update={"home": trainer.home}))
    committed = time.time()
    run = load_run(app.database, accept_commit(app.database, _commit(repository), Origin.PUSH, supersede="queued").run)
    scripts = JobScripts(app.environment, resource("scripts"), {"EPOCHAL_RUNTIME": trainer.runtime})
    for name in ("pull", "train"):
        scripts.run(name, run)
    began, used = time.time(), measure_processor_seconds()
    scripts.run("retrain", run)
    used = measure_processor_seconds() - used
    ended = load_run(app.database, run.id)
    if ended.state not in (State.REACHED, State.EXHAUSTED) or len(ended.trials) < 2:
        raise RuntimeError(f"{ended.state}: {ended.explanation}\n{ended.detail}")
    _log_trials(ended)
    seconds = min(_find_verdict(app, ended) - began, cap)
    app.database.close()
    return SearchResult(seconds, used, seconds < cap, len(ended.trials) - 1, began - committed + seconds)


def _find_verdict(app: App, run: Run) -> float:
    """Return when the first trial to reach the threshold got its verdict, in seconds since 1970; infinity if none."""
    reaching = {trial.number for trial in run.trials if trial.accuracy and trial.accuracy.value >= THRESHOLD}
    verdicts = [
        mark for mark in list_moments(app.database, run.id) if mark.step is Step.VERDICT and mark.trial in reaching
    ]
    return min((mark.at.timestamp() for mark in verdicts), default=math.inf)


def _log_trials(run: Run) -> None:
    for trial in run.trials:
        outcome = trial.reason or f"accuracy {trial.accuracy.value if trial.accuracy else None}"
        log_progress(f"  trial {trial.number}: {outcome}, {trial.epochs or 0} epochs, {trial.seconds or 0:.1f} s")


def _commit(repository: Path) -> Commit:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    git("init", "--quiet", "--initial-branch=main", str(repository))
    git("-C", str(repository), "add", "--all")
    git("-C", str(repository), *identity, "commit", "--quiet", "-m", "Digits")
    return Commit(str(repository), "main", git("-C", str(repository), "rev-parse", "HEAD").strip())


def run_others(
    python: Path, command: tuple[str, ...], code: Path, seed: int, *, processes: int, cap: float
) -> SearchResult:
    """Run another search in ``code`` until the first of its processes ends or the cap is reached."""
    name, *arguments = command
    whole = [str(python), str(SEARCHING / name), *arguments]
    variables = child_environment({"EPOCHS": str(EPOCHS), "SEED": str(seed), "PYTHONPATH": str(code)})
    variables |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    began, used = time.time(), measure_processor_seconds()
    outputs = [code / f"output-{number}" for number in range(processes)]
    started = [_start(whole, code, variables, output) for output in outputs]
    with ThreadPoolExecutor(processes) as executor:
        try:
            wait([executor.submit(process.wait) for process in started], timeout=cap, return_when=FIRST_COMPLETED)
        finally:
            for process in started:
                process.kill()
    printed = [output.read_text(encoding="utf-8") for output in outputs]
    trained = sum(len(find_times(output, "trained")) for output in printed)
    reached = [moment - began for output in printed for moment in find_times(output, "reached")]
    if not reached and time.time() - began < cap:
        raise RuntimeError(f"{name} ended without reaching the threshold:\n{printed[0][-2000:]}")
    return SearchResult(min(reached, default=cap), measure_processor_seconds() - used, bool(reached), trained)


def measure_processor_seconds() -> float:
    """Return the processor seconds used by child processes that have ended, and by their children."""
    used = resource_usage.getrusage(resource_usage.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(command: list[str], folder: Path, variables: dict[str, str], output: Path) -> "subprocess.Popen[bytes]":
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=folder, env=variables, stdout=file, stderr=subprocess.STDOUT)


def _make_others_environment(trainer: Trainer) -> Path:
    """Return the Python of an environment with the same frameworks and the other searches; create it if missing."""
    folder = trainer.home / "cache" / "others" / "-".join(OTHERS)
    if not (folder / "complete").exists():
        log_progress(f"making an environment with {', '.join(OTHERS)}")
        pins = str(resource("requirements") / "keras.txt")
        run = partial(subprocess.run, env=child_environment({"UV_COMPILE_BYTECODE": "1"}), check=True)
        install = ["pip", "install", "--quiet", "--no-config", "--only-binary", ":all:"]
        run([uv.find_uv_bin(), "venv", "--quiet", "--no-config", "--clear", "--python", sys.executable, str(folder)])
        run([uv.find_uv_bin(), *install, "--python", python_in(folder), "-r", pins, *OTHERS])
        (folder / "complete").touch()
    return Path(python_in(folder))


def _log_result(found: SearchResult) -> SearchResult:
    word = "reached" if found.reached else "NOT reached"
    log_progress(
        f"  {word} after {found.seconds:.1f} s ({found.processor:.1f} s of processor), {found.trainings} trainings"
    )
    return found


def _print_results(found: dict[str, list[SearchResult]]) -> None:
    rows = [_make_row(name, results, found.get(HERE, [])) for name, results in found.items()]
    heading = ("to the threshold", "median", "least – most", "here ÷ this", "processor", "here ÷ this")
    print_table((*heading, "reached", "trainings"), *rows)
    if HERE in found:
        whole = median(each.from_commit for each in found[HERE] if each.from_commit is not None)
        print(f"here from the commit on, its own training included: median {whole:.0f} s")
    print(f"wanted: ≤ {TARGET_RATIO:g} of the others' median\n")
    for name, results in found.items():
        print(f"seed by seed, {name}: {', '.join(f'{each.seconds:.0f}' for each in results)} s")


def _make_row(name: str, results: list[SearchResult], ours: list[SearchResult]) -> tuple[str, ...]:
    seconds = [each.seconds for each in results]
    processor = [each.processor for each in results]
    return (
        name,
        f"{median(seconds):.0f} s",
        f"{min(seconds):.0f} – {max(seconds):.0f} s",
        _format_ratio([each.seconds for each in ours], seconds),
        f"{median(processor):.0f} s",
        _format_ratio([each.processor for each in ours], processor),
        f"{sum(each.reached for each in results)} of {len(results)}",
        f"{median(each.trainings for each in results):g}",
    )


def _format_ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{median(ours) / median(theirs):.2f}" if ours and ours != theirs else ""


if __name__ == "__main__":
    main()
