"""What the chain adds to training: commit → verdict and commit → first step, against the bare script in the same place.

The same nn.py is committed (hook, push, webhook, gateway, pull, train, mail are all real, on one machine) and run bare,
alternating. Each commit has another seed: of the same code a training would go on from the one before.

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
    Ground,
    alternate,
    keras_script,
    machine,
    moments,
    repeats_for,
    show,
    tell,
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
WANTED_RATIO = 1.05
FIRST_STEP = "data and model"
"""The step that ends with the first training step's beginning."""
VERDICT = "exit; in the chain: verdict"
"""The step that the bare script ends with."""

Timeline = dict[str, float]
"""What happened, and when it ended, in seconds since 1970, in the order in which it happened."""


class Line(NamedTuple):
    """A line of the server's log, and when it came."""

    moment: float
    text: str


class Chain:
    """A served home, the repository that its hook pushes from, and the mail server."""

    def __init__(self, stage: Stage, lines: "queue.SimpleQueue[Line]", mails: "queue.SimpleQueue[float]") -> None:
        self._stage = stage
        self._lines = lines
        self._mails = mails

    def commit(self, script: str) -> Timeline:
        """Commit ``script`` as nn.py and follow it until the mail is there and the job has ended."""
        (self._stage.developer / "nn.py").write_text(script, encoding="utf-8")
        began = time.time()
        self._stage.commit()
        committed = time.time()
        mailed = self._mails.get(timeout=LONGEST_WAIT)
        pulled = self._wait_for("pull ended")
        self._wait_for("train ended")
        pushed = float((self._stage.github / "pushed").read_text(encoding="ascii"))
        before = {"": began, "commit, with its hook": committed, "push": pushed}
        return before | self._trained(pulled) | {"mail": mailed}

    def _trained(self, pulled: float) -> Timeline:
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
            "job pull": pulled,
            "job train, until Python starts": started,
            **script_moments(output),
            VERDICT: run.ended.timestamp(),
        }

    def _wait_for(self, words: str) -> float:
        while True:
            line = self._lines.get(timeout=LONGEST_WAIT)
            if words in line.text:
                return line.moment


def main() -> None:
    """Print what is added, and the timeline of where it goes."""
    options = _options()
    with temporary_folder() as folder:
        stage = Stage(folder / "stage")
        ground = Ground.make(stage.home, options.runtime)
        repeats = repeats_for(ground, folder / "tried", options.seconds)
        with served(stage, ground) as chain:
            tell("the first commit fills the caches and is not counted")
            chain.commit(keras_script(repeats=1, seed=0))
            found = alternate(
                options.rounds,
                {
                    "bare": lambda seed: _told(bare(ground, folder / "bare", keras_script(repeats=repeats, seed=seed))),
                    "chain": lambda seed: _told(chain.commit(keras_script(repeats=repeats, seed=seed))),
                },
            )
    print(f"{machine()}; runtime {ground.runtime}; medians of {options.rounds} alternating runs\n")
    _show_ratio(found)
    _show_timeline(found)


def _told(timeline: Timeline) -> Timeline:
    epochs = timeline["epochs"] - timeline[FIRST_STEP]
    tell(f"  {_until(timeline, VERDICT):.2f} s, of which the epochs {epochs:.2f} s")
    return timeline


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds of training instead of a minute")
    parser.add_argument("--runtime", choices=("docker", "process", "auto"), default="auto")
    parser.add_argument("--rounds", type=int, default=2 if QUICK else 3)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="about how long the epochs take")
    return parser.parse_args()


def bare(ground: Ground, folder: Path, script: str) -> Timeline:
    """The script by itself."""
    ran = ground.run(write_code(folder, script))
    return {"": ran.began} | script_moments(ran.output) | {VERDICT: ran.began + ran.seconds}


def script_moments(output: str) -> Timeline:
    """What nn.py says of itself, the same bare and in the chain."""
    return {
        "import of Keras": moments(output, "imported")[0],
        FIRST_STEP: moments(output, "epoch begins")[0],
        "epochs": moments(output, "epoch ends")[-1],
        "end of fit": moments(output, "fitted")[0],
        "evaluate, save": moments(output, "saved")[0],
    }


def _python_started(metrics: Path) -> float:
    events = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    return float(next(event["started"] for event in events if event["event"] == "keras"))


@contextmanager
def served(stage: Stage, ground: Ground) -> Iterator[Chain]:
    """The stage with its hook, the mail server and ``epochal serve``, from the moment that its gateway answers."""
    lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
    mails: queue.SimpleQueue[float] = queue.SimpleQueue()
    mailbox = Mailbox(lambda _: mails.put(time.time()))
    stage.set_up(ground.runtime, free_port(), mailbox.port)
    _note_pushes(stage.github)
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


def _note_pushes(origin: Path) -> None:
    """Have the bare repository note when a push arrived, before it sends the webhook."""
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


def _show_ratio(found: dict[str, list[Timeline]]) -> None:
    alone = median(_until(line, VERDICT) for line in found["bare"])
    verdict, mail = (median(_until(line, end) for line in found["chain"]) for end in (VERDICT, "mail"))
    steps = {name: median(_until(line, FIRST_STEP) for line in lines) for name, lines in found.items()}
    show(
        ("", "seconds", "against the bare script"),
        ("bare script: start → end", f"{alone:.2f}", ""),
        ("commit → verdict", f"{verdict:.2f}", f"× {verdict / alone:.3f} (wanted: ≤ {WANTED_RATIO})"),
        ("commit → mail", f"{mail:.2f}", f"× {mail / alone:.3f}"),
        ("bare script: start → first step", f"{steps['bare']:.2f}", ""),
        ("commit → first step", f"{steps['chain']:.2f}", f"+ {steps['chain'] - steps['bare']:.2f} s"),
    )


def _show_timeline(found: dict[str, list[Timeline]]) -> None:
    """Each step's median, and the moment of its end after the commit by these."""
    alone, chained = (_steps(found[name]) for name in ("bare", "chain"))
    rows, passed = [], 0.0
    for name, seconds in chained.items():
        passed += seconds
        rows.append((name, f"{seconds:.2f}", f"{passed:.2f}", f"{alone[name]:.2f}" if name in alone else ""))
    show(("what takes how long", "chain: seconds", "since the commit", "bare: seconds"), *rows)


def _steps(timelines: list[Timeline]) -> dict[str, float]:
    names = list(timelines[0])
    return {name: median(line[name] - line[before] for line in timelines) for before, name in pairwise(names)}


def _until(timeline: Timeline, name: str) -> float:
    return timeline[name] - timeline[""]


if __name__ == "__main__":
    main()
