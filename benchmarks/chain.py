"""Measure how much time the chain adds to a training run: from commit to verdict, and from commit to the first step.

On one machine, the same nn.py is alternately committed and run by itself. The hook, push, webhook, gateway, jobs and
mail are real. Each commit has a different seed, because the same code would resume from the previous commit's
checkpoints.

Usage: benchmarks/chain.py [--quick] [--runtime docker|process|auto] [--rounds N] [--seconds N]
"""

import argparse
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import IO, NamedTuple

from bench import (
    QUICK,
    Trainer,
    alternate,
    describe_machine,
    find_repeats,
    find_times,
    log_progress,
    make_keras_script,
    print_table,
    temporary_folder,
    write_code,
)

from epochal.app import App
from epochal.demo.mailbox import Mailbox, free_port
from epochal.demo.stage import Stage, git
from epochal.folders import Home
from epochal.records import State
from epochal.settings import Environment, child_environment
from epochal.store.deliveries import list_deliveries
from epochal.store.runs import list_runs

SECONDS = 4.0 if QUICK else 60.0
LONGEST_WAIT = 900.0
TARGET_RATIO = 1.05
FIRST_STEP = "data and model"
"""The step that ends when the first training step begins."""
VERDICT = "exit; in the chain: verdict"
"""The last step of the bare script."""

Timeline = dict[str, float]
"""The end of each step in seconds since 1970, in order."""


class Line(NamedTuple):
    """A line of the server's log, and the time at which it was read."""

    moment: float
    text: str


class Chain:
    """A home that ``epochal serve`` runs in, the repository whose hook pushes to it, and the mail server."""

    def __init__(self, stage: Stage, lines: "queue.SimpleQueue[Line]", mails: "queue.SimpleQueue[float]") -> None:
        self._stage = stage
        self._lines = lines
        self._mails = mails

    def commit(self, script: str) -> Timeline:
        """Commit ``script`` as nn.py, wait for the mail and the end of the job, and return the timeline."""
        (self._stage.developer / "nn.py").write_text(script, encoding="utf-8")
        began = time.time()
        self._stage.commit()
        committed = time.time()
        mailed = self._mails.get(timeout=LONGEST_WAIT)
        pulled = self._wait_for("pull ended")
        self._wait_for("train ended")
        pushed = float((self._stage.github / "pushed").read_text(encoding="ascii"))
        before = {"": began, "commit, with its hook": committed, "push": pushed}
        return before | self._read_training(pulled) | {"mail": mailed}

    def _read_training(self, pulled: float) -> Timeline:
        app = App.open(Environment.read().model_copy(update={"home": self._stage.home}))
        run, delivery = list_runs(app.database, 1)[0], list_deliveries(app.database, 1)[0]
        app.database.close()
        if run.state is not State.REACHED or run.ended is None:
            raise RuntimeError(f"run {run.id} is {run.state}: {run.explanation}\n{run.detail}")
        folder = Home(self._stage.home).run(run.id).trial(1)
        started = _python_started(folder.metrics)
        output = folder.log.read_text(encoding="utf-8")
        return {
            "webhook": delivery.received.timestamp(),
            "pull job": pulled,
            "train job, until Python starts": started,
            **read_script_times(output),
            VERDICT: run.ended.timestamp(),
        }

    def _wait_for(self, words: str) -> float:
        while True:
            line = self._lines.get(timeout=LONGEST_WAIT)
            if words in line.text:
                return line.moment


def main() -> None:
    """Print how much time the chain adds, and a timeline of its steps."""
    options = _options()
    with temporary_folder() as folder:
        stage = Stage(folder / "stage")
        trainer = Trainer.make(stage.home, options.runtime)
        repeats = find_repeats(trainer, folder / "tried", options.seconds)
        with serve(stage, trainer) as chain:
            log_progress("the first commit fills the caches and is not counted")
            chain.commit(make_keras_script(repeats=1, seed=0))
            found = alternate(
                options.rounds,
                {
                    "bare": lambda seed: _log_result(
                        run_bare(trainer, folder / "bare", make_keras_script(repeats=repeats, seed=seed))
                    ),
                    "chain": lambda seed: _log_result(chain.commit(make_keras_script(repeats=repeats, seed=seed))),
                },
            )
    print(f"{describe_machine()}; runtime {trainer.runtime}; medians of {options.rounds} alternating runs\n")
    _print_ratio(found)
    _print_timeline(found)


def _log_result(timeline: Timeline) -> Timeline:
    epochs = timeline["epochs"] - timeline[FIRST_STEP]
    log_progress(f"  {_measure_until(timeline, VERDICT):.2f} s, of which the epochs {epochs:.2f} s")
    return timeline


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds of training instead of a minute")
    parser.add_argument("--runtime", choices=("docker", "process", "auto"), default="auto")
    parser.add_argument("--rounds", type=int, default=2 if QUICK else 3)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="about how long the epochs take")
    return parser.parse_args()


def run_bare(trainer: Trainer, folder: Path, script: str) -> Timeline:
    """Run the script by itself and return its timeline."""
    script_run = trainer.run(write_code(folder, script))
    return (
        {"": script_run.began} | read_script_times(script_run.output) | {VERDICT: script_run.began + script_run.seconds}
    )


def read_script_times(output: str) -> Timeline:
    """Return the times that nn.py prints, both bare and in the chain."""
    return {
        "import of Keras": find_times(output, "imported")[0],
        FIRST_STEP: find_times(output, "epoch begins")[0],
        "epochs": find_times(output, "epoch ends")[-1],
        "end of fit": find_times(output, "fitted")[0],
        "evaluate, save": find_times(output, "saved")[0],
    }


def _python_started(metrics: Path) -> float:
    events = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    return float(next(event["started"] for event in events if event["event"] == "keras"))


@contextmanager
def serve(stage: Stage, trainer: Trainer) -> Iterator[Chain]:
    """Set up the stage and its hook, run the mail server and ``epochal serve``, and yield once the gateway answers."""
    lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
    mails: queue.SimpleQueue[float] = queue.SimpleQueue()
    mailbox = Mailbox(lambda _: mails.put(time.time()))
    stage.set_up(trainer.runtime, free_port(), mailbox.port)
    _record_pushes(stage.github)
    (stage.developer / "epochal.toml").write_text("threshold = 0.5\n", encoding="utf-8")
    git("-C", str(stage.developer), "config", "commit.gpgsign", "false")
    mailbox.start()
    process = _start_server(stage.home)
    assert process.stdout
    assert process.stderr
    threading.Thread(target=_read, args=(process.stderr, lines), daemon=True).start()
    try:
        if not any(line.startswith("watched:") for line in iter(process.stdout.readline, "")):
            raise RuntimeError(f"epochal serve did not start: {lines.get().text}")
        yield Chain(stage, lines, mails)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        mailbox.stop()


def _record_pushes(origin: Path) -> None:
    """Make the bare repository record the time of each push, before it sends the webhook."""
    hook = origin / "hooks" / "post-receive"
    noting = f"date +%s.%N >'{origin / 'pushed'}'\nexec "
    hook.write_text(hook.read_text(encoding="utf-8").replace("exec ", noting, 1), encoding="utf-8")


def _start_server(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "epochal", "serve"],
        env=child_environment({"EPOCHAL_HOME": str(home), "PYTHONUNBUFFERED": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _read(log: IO[str], lines: "queue.SimpleQueue[Line]") -> None:
    for line in log:
        lines.put(Line(time.time(), line))


def _print_ratio(found: dict[str, list[Timeline]]) -> None:
    alone = median(_measure_until(line, VERDICT) for line in found["bare"])
    verdict, mail = (median(_measure_until(line, end) for line in found["chain"]) for end in (VERDICT, "mail"))
    steps = {name: median(_measure_until(line, FIRST_STEP) for line in lines) for name, lines in found.items()}
    print_table(
        ("", "seconds", "against the bare script"),
        ("bare script: start → end", f"{alone:.2f}", ""),
        ("commit → verdict", f"{verdict:.2f}", f"× {verdict / alone:.3f} (wanted: ≤ {TARGET_RATIO})"),
        ("commit → mail", f"{mail:.2f}", f"× {mail / alone:.3f}"),
        ("bare script: start → first step", f"{steps['bare']:.2f}", ""),
        ("commit → first step", f"{steps['chain']:.2f}", f"+ {steps['chain'] - steps['bare']:.2f} s"),
    )


def _print_timeline(found: dict[str, list[Timeline]]) -> None:
    """Print the median duration of each step, and the running total."""
    alone, chained = (_measure_steps(found[name]) for name in ("bare", "chain"))
    rows, passed = [], 0.0
    for name, seconds in chained.items():
        passed += seconds
        rows.append((name, f"{seconds:.2f}", f"{passed:.2f}", f"{alone[name]:.2f}" if name in alone else ""))
    print_table(("what takes how long", "chain: seconds", "since the commit", "bare: seconds"), *rows)


def _measure_steps(timelines: list[Timeline]) -> dict[str, float]:
    names = list(timelines[0])
    return {name: median(line[name] - line[before] for line in timelines) for before, name in pairwise(names)}


def _measure_until(timeline: Timeline, name: str) -> float:
    return timeline[name] - timeline[""]


if __name__ == "__main__":
    main()
