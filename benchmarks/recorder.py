"""What the recorder costs: seconds per epoch with it and without it for three sizes of network, and at Python's start.

Each measurement is a fresh process, with and without alternating. The script's own clock tells epochs (from the first
one's beginning to the last one's end, checkpoints in between included) from what comes before and after them: the
checkpoint of the last epoch is always written, and is shown by itself.

Usage: benchmarks/recorder.py [--quick] [--rounds N]
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench import QUICK, RECORDER, Ground, alternate, machine, show, tell, temporary_folder

ROUNDS = 1 if QUICK else 5
STARTS = 10 if QUICK else 100
EPOCHS = 2 if QUICK else 6
WANTED_RATIO = 1.01
BATCH = 64

NETWORK = f"""\
import json
import time

import keras
import numpy

keras.utils.set_random_seed(1)
rng = numpy.random.default_rng(1)
x, y = rng.random((SAMPLES, 784), "float32"), rng.integers(0, 10, SAMPLES)
moments = []


class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        moments.append(time.perf_counter())

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.params["epochs"]:  # training runs behind what Keras says, until somebody reads a number
            for variable in self.model.trainable_variables:
                keras.ops.convert_to_numpy(variable[:1])
        moments.append(time.perf_counter())


dense = keras.layers.Dense
layers = [keras.Input((784,)), dense(WIDTH, "relu"), dense(WIDTH, "relu"), dense(10, "softmax")]
model = keras.Sequential(layers)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
began = time.perf_counter()
model.fit(x, y, batch_size={BATCH}, epochs={EPOCHS}, verbose=0, callbacks=[Clock()])
ended = time.perf_counter()
told = {{"epochs": moments[-1] - moments[0], "before": moments[0] - began, "after": ended - moments[-1]}}
print("told", json.dumps(told))
"""

NO_FRAMEWORK = """\
total = 0
for number in range(3_000_000):
    total += number * number % 7
print(f"Test accuracy: {total % 100 / 100}")
"""


@dataclass(frozen=True)
class Network:
    """A network of dense layers, Adam, and how much data makes an epoch of a second or more."""

    name: str
    width: int
    samples: int

    @property
    def script(self) -> str:
        """nn.py for it."""
        return NETWORK.replace("WIDTH", str(self.width)).replace("SAMPLES", str(self.samples))


NETWORKS = (
    Network("0.1 million parameters", 110, 30_000),
    Network("1 million parameters", 680, 12_000),
    Network("20 million parameters", 4090, 1_000),
)


@dataclass(frozen=True)
class Fit:
    """The seconds of an epoch, of what fit does before the first one and after the last one, and the bytes kept."""

    epoch: float
    before: float
    after: float
    checkpoint: int


class Place:
    """A folder for scripts, with a copy of the recorder as a trial has one."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self._ground = ground
        self._folder = folder
        self._recorder = folder / "recorder"
        shutil.copytree(RECORDER, self._recorder, ignore=shutil.ignore_patterns("__pycache__"))

    def fit(self, network: Network, *, recorded: bool) -> Fit:
        """Train ``network`` in a process of its own."""
        output = self._ground.run(*self._prepared(network.script, recorded=recorded)).output
        told = json.loads(output.split("told ")[1].splitlines()[0])
        kept = sum(path.stat().st_size for path in (self._folder / "checkpoints").iterdir())
        if recorded != bool(kept):
            raise RuntimeError(f"recorded: {recorded}, and the checkpoints are {kept} bytes\n{output}")
        return Fit(told["epochs"] / EPOCHS, told["before"], told["after"], kept)

    def start(self, *, recorded: bool) -> float:
        """The seconds of a whole process that imports no framework."""
        return self._ground.run(*self._prepared(NO_FRAMEWORK, recorded=recorded)).seconds

    def _prepared(self, script: str, *, recorded: bool) -> tuple[Path, dict[str, str]]:
        code, out, checkpoints = (self._folder / name for name in ("code", "out", "checkpoints"))
        for folder in (code, out, checkpoints):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        (code / "nn.py").write_text(script, encoding="utf-8")
        variables = {
            "PYTHONPATH": str(self._recorder),
            "EPOCHAL_OUT": str(out),
            "EPOCHAL_CHECKPOINTS": str(checkpoints),
        }
        return code, variables if recorded else {}


def main() -> None:
    """Print the table of the epochs, and that of the processes without a framework."""
    options = _options()
    with temporary_folder() as folder:
        place = Place(Ground.make(folder / "home"), folder)
        fits = {network.name: _fits(place, network, options.rounds) for network in NETWORKS}
        tell("no framework")
        starts = _starts(place)
    print(f"{machine()}; medians of {options.rounds} alternating processes of {EPOCHS} epochs\n")
    show(
        ("seconds per epoch", "without", "with", "ratio (wanted: ≤ 1.01)", "spread without", "spread with"),
        *(_epochs_row(name, found["without"], found["with"]) for name, found in fits.items()),
    )
    show(
        ("once in a fit", "before: without", "before: with", "after: without", "after: with", "checkpoint"),
        *(_once_row(name, found["without"], found["with"]) for name, found in fits.items()),
    )
    without, recorded = median(starts["without"]), median(starts["with"])
    show(
        ("no framework", "without", "with", "ratio (wanted: ≤ 1.01)", "spread without", "spread with"),
        (
            f"a process, median of {STARTS}",
            f"{without * 1000:.1f} ms",
            f"{recorded * 1000:.1f} ms",
            f"{recorded / without:.4f}",
            _spread(starts["without"]),
            _spread(starts["with"]),
        ),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of few epochs")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def _fits(place: Place, network: Network, rounds: int) -> dict[str, list[Fit]]:
    tell(network.name)
    measures = {
        "without": lambda _: place.fit(network, recorded=False),
        "with": lambda _: place.fit(network, recorded=True),
    }
    return alternate(rounds, measures)


def _starts(place: Place) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(STARTS):
        for name, seconds in found.items():
            seconds.append(place.start(recorded=name == "with"))
    return found


def _epochs_row(name: str, without: list[Fit], recorded: list[Fit]) -> tuple[str, ...]:
    off, on = ([fit.epoch for fit in fits] for fits in (without, recorded))
    ratio = median(on) / median(off)
    return name, f"{median(off):.3f}", f"{median(on):.3f}", f"{ratio:.3f}", _spread(off), _spread(on)


def _once_row(name: str, without: list[Fit], recorded: list[Fit]) -> tuple[str, ...]:
    seconds = [
        f"{median(values):.2f} s"
        for values in (
            [fit.before for fit in without],
            [fit.before for fit in recorded],
            [fit.after for fit in without],
            [fit.after for fit in recorded],
        )
    ]
    return name, *seconds, f"{recorded[0].checkpoint / 1e6:.1f} MB"


def _spread(values: list[float]) -> str:
    """How far the middle half of the values lies apart, in parts of their median: what a ratio cannot tell from noise."""
    if len(values) < 3:
        return ""
    low, _, high = quantiles(values, n=4)
    return f"{(high - low) / median(values):.1%}"


if __name__ == "__main__":
    main()
