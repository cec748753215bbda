"""Code shared by the benchmarks: a place to train, a script of any duration, alternating measurements, and tables.

Usage: imported by the other files here; it measures nothing by itself.

Reads from the environment:
  BENCH_CACHE_FOLDER   where training environments are created and kept (default: each benchmark makes its own)
"""

import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from epochal.analysis.code import read_code
from epochal.folders import resource
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.container import Task, run_container
from epochal.runtimes.engine import connect
from epochal.runtimes.environments import python_in
from epochal.runtimes.label import Label, home_id
from epochal.runtimes.log import MEGABYTE, LogFile
from epochal.runtimes.runtime import Runtime
from epochal.settings import Environment, RuntimeName, read_server_settings

QUICK = "--quick" in sys.argv
RECORDER = Path(resource("scripts")).parent / "epochal" / "recorder"
FIRST_EPOCHS = 20

Measured = TypeVar("Measured")

_SCRIPT = """\
# Learns to read handwritten digits, each of them seen REPEATS times an epoch, and says when it does what.
import time
from pathlib import Path

import keras
import numpy
import pandas

print("@ imported", time.time(), flush=True)

epochs = EPOCHS
keras.utils.set_random_seed(SEED)
digits = pandas.read_csv(Path(__file__).parent / "digits.csv.gz", header=None).sample(frac=1, random_state=0)
x = digits.iloc[:, :64].to_numpy("float32").reshape(-1, 8, 8, 1) / 16
y = digits.iloc[:, 64].to_numpy()
x_train, y_train = numpy.repeat(x[:-360], REPEATS, axis=0), numpy.repeat(y[:-360], REPEATS)


class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("@ epoch begins", time.time(), flush=True)

    def on_epoch_end(self, epoch, logs=None):
        float(logs["loss"])  # training runs behind what Keras says, until somebody reads a number
        print("@ epoch ends", time.time(), flush=True)


model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(keras.optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_split=0.1, verbose=0, callbacks=[Clock()])
print("@ fitted", time.time(), flush=True)
print(f"Test accuracy: {model.evaluate(x[-360:], y[-360:], verbose=0)[1]:.4f}")
model.save("model.keras")
print("@ saved", time.time(), flush=True)
"""


@dataclass(frozen=True)
class ScriptRun:
    """A successful run of a script: its start (seconds since 1970), its duration in seconds, and its output."""

    began: float
    seconds: float
    output: str

    def find_times(self, name: str) -> list[float]:
        """Return the times at which the script printed ``@ NAME``, in seconds since 1970."""
        return find_times(self.output, name)


@dataclass(frozen=True)
class Trainer:
    """A place to train: a home, its runtime, and an image (or environment) for Keras."""

    home: Path
    runtime: str
    image: str

    @classmethod
    def make(cls, home: Path, runtime: RuntimeName = "process") -> "Trainer":
        """Return a trainer with a new home and a Keras environment. Its cache is BENCH_CACHE_FOLDER, if set."""
        home.mkdir(parents=True)
        if cache := os.environ.get("BENCH_CACHE_FOLDER"):
            Path(cache).mkdir(parents=True, exist_ok=True)
            (home / "cache").symlink_to(Path(cache).absolute())
        chosen = _runtime(home, runtime)
        return cls(home, chosen.name, chosen.prepare("keras", resource("ml_code"), log_progress))

    def check_imports(self, code: Path) -> None:
        """Check nn.py's imports now. This happens once per image, and would otherwise add to the first run's time."""
        runtime: RuntimeName = "docker" if self.runtime == "docker" else "process"
        _runtime(self.home, runtime).check_imports(self.image, read_code(code).detection.modules)

    def run(self, code: Path, variables: Mapping[str, str] | None = None) -> ScriptRun:
        """Run ``python nn.py`` in the folder ``code``, without recorder or chain. Raise RuntimeError if it fails."""
        began, clock = time.time(), time.perf_counter()
        run = self._in_container if self.runtime == "docker" else self._in_process
        status, output = run(code, dict(variables or {}))
        if status != 0:
            raise RuntimeError(f"nn.py failed with status {status}:\n{output}")
        return ScriptRun(began, time.perf_counter() - clock, output)

    def _in_process(self, code: Path, variables: dict[str, str]) -> tuple[int, str]:
        # The process runtime sets the same variables, so nothing differs except what is measured.
        fixed = {
            "PATH": f"{self.image}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        command = [python_in(Path(self.image)), str(code / "nn.py")]
        done = subprocess.run(
            command,
            cwd=code,
            env=fixed | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _in_container(self, code: Path, variables: dict[str, str]) -> tuple[int, str]:
        environment = Environment.read().model_copy(update={"home": self.home})
        limits = read_server_settings(environment).limits
        code.chmod(0o777)  # if we are root, training in a container runs as nobody
        task = Task(self.image, Label.outside_runs(home_id(self.home), 3600), variables, [(code, "/train", True)])
        with tempfile.TemporaryDirectory() as folder, LogFile(Path(folder, "log"), MEGABYTE) as log:
            result = run_container(connect(environment.docker_host), task, limits, log.write)
            return result.exit_status, log.tail()


def _runtime(home: Path, name: RuntimeName) -> Runtime:
    environment = Environment.read().model_copy(update={"home": home})
    return choose_runtime(name, home, read_server_settings(environment), environment.docker_host, log_progress)


def find_times(output: str, name: str) -> list[float]:
    """Return the times at which a script printed ``@ NAME``, in seconds since 1970."""
    return [float(found) for found in re.findall(rf"^@ {name} ([\d.]+)$", output, re.MULTILINE)]


def make_keras_script(*, repeats: int, seed: int, epochs: int = FIRST_EPOCHS, rate: float = 0.005) -> str:
    """Return an nn.py with a small model. ``repeats`` sets the duration of an epoch, ``rate`` the learning rate."""
    script = _SCRIPT
    for name, value in (("REPEATS", repeats), ("SEED", seed), ("EPOCHS", epochs), ("RATE", rate)):
        script = re.sub(rf"\b{name}\b", repr(value), script)
    return script


def write_code(folder: Path, script: str) -> Path:
    """Write nn.py and the data that it reads into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nn.py").write_text(script, encoding="utf-8")
    shutil.copy(resource("ml_code") / "digits.csv.gz", folder)
    return folder


def find_repeats(trainer: Trainer, folder: Path, seconds: float) -> int:
    """Return the number of repeats for which ``FIRST_EPOCHS`` epochs take about ``seconds`` on this machine."""
    tried = 8
    script_run = trainer.run(write_code(folder, make_keras_script(repeats=tried, seed=0, epochs=4)))
    begins, ends = script_run.find_times("epoch begins"), script_run.find_times("epoch ends")
    epoch = statistics.median([end - begin for begin, end in zip(begins, ends, strict=True)][1:])
    return max(1, round(tried * seconds / FIRST_EPOCHS / epoch))


def alternate(rounds: int, measures: Mapping[str, Callable[[int], Measured]]) -> dict[str, list[Measured]]:
    """Call each of ``measures`` once per round with the round number (from 1), and return the results by name.

    Every other round runs in reverse order.
    """
    found: dict[str, list[Measured]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name in list(measures)[:: 1 if number % 2 else -1]:
            log_progress(f"round {number} of {rounds}: {name}")
            found[name].append(measures[name](number))
    return found


def print_table(*rows: Sequence[str]) -> None:
    """Print a Markdown table. The first row is the header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        print("|", " | ".join(cells), "|")
        if number == 0:
            print("|", " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]), "|")
    print(flush=True)


def describe_machine() -> str:
    """Describe the machine in one line."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    pins = (resource("requirements") / "keras.txt").read_text(encoding="utf-8")
    versions = re.findall(r"^(tensorflow|keras)(?:-cpu)?==([\d.]+)", pins, re.MULTILINE)
    frameworks = ", ".join(" ".join(version) for version in sorted(versions, reverse=True))
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, {frameworks}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="epochal-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def log_progress(line: str) -> None:
    """Print progress to standard error, which keeps it separate from the tables."""
    print(line, file=sys.stderr, flush=True)
