"""Measure what the recorder costs: seconds per epoch for models of three sizes, seconds for a script without a framework,
each with and without the recorder, and the processor time for hashing the rows of 60,000 images.

Each measurement is a new process, alternating with and without the recorder. The script's own clock separates the epochs
(from the start of the second to the end of the last, including the checkpoints between them) from what comes before and
after: TensorFlow still builds its graph in the first epoch, and the checkpoint after the last epoch is always written.

Usage: benchmarks/recorder.py [--quick] [--rounds N]
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench import QUICK, RECORDER, Trainer, alternate, describe_machine, log_progress, print_table, temporary_folder

ROUNDS = 1 if QUICK else 5
STARTS = 10 if QUICK else 50
EPOCHS = 3 if QUICK else 7
IMAGE_EPOCHS = 3 if QUICK else 10
BATCH = 64

NETWORK = f"""\
import json
import sys
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


def timed(function):
    def timing(*arguments):
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            if 3 <= len(moments) < {2 * EPOCHS}:  # from the second epoch's beginning to the last one's end
                inside[0] += time.perf_counter() - began

    return timing


inside = [0.0]
if "epochal_recorder.fitting" in sys.modules:
    from epochal_recorder.fitting import Fit

    Fit._on_epoch_begin, Fit._on_epoch_end = timed(Fit._on_epoch_begin), timed(Fit._on_epoch_end)
dense = keras.layers.Dense
layers = [keras.Input((784,)), dense(WIDTH, "relu"), dense(WIDTH, "relu"), dense(10, "softmax")]
model = keras.Sequential(layers)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
began = time.perf_counter()
model.fit(x, y, batch_size={BATCH}, epochs={EPOCHS}, verbose=0, callbacks=[Clock()])
ended = time.perf_counter()
second = moments[2]
times = {{"epochs": moments[-1] - second, "before": second - began, "after": ended - moments[-1], "inside": inside[0]}}
print("times:", json.dumps(times))
"""

IMAGES = f"""\
import json
import sys
import time

import keras
import numpy

images, labels = numpy.random.default_rng(1).random((60_000, 28, 28), "float32"), numpy.arange(60_000) % 10
spent = [0.0]


def timed(function):
    def timing(*arguments):
        began = time.thread_time()
        try:
            return function(*arguments)
        finally:
            spent[0] += time.thread_time() - began

    return timing


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return len(images) // {BATCH}

    def __getitem__(self, index):
        rows = slice(index * {BATCH}, (index + 1) * {BATCH})
        return images[rows], labels[rows]


if "epochal_recorder.fitting" in sys.modules:
    from epochal_recorder.fitting import Fit
    from epochal_recorder.fitted_rows import FittedRows

    Fit._see, FittedRows.end_pass = timed(Fit._see), timed(FittedRows.end_pass)
dense = keras.layers.Dense
model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), dense(128, "relu"), dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
if "KIND" == "arrays":
    data = {{"x": images, "y": labels, "batch_size": {BATCH}}}
elif "KIND" == "tf.data":
    import tensorflow

    data = {{"x": tensorflow.data.Dataset.from_tensor_slices((images, labels)).shuffle(60_000).batch({BATCH})}}
else:
    data = {{"x": Batches()}}
wall, processor = time.perf_counter(), time.process_time()
model.fit(**data, epochs={IMAGE_EPOCHS}, verbose=0)
times = {{"seconds": time.perf_counter() - wall, "processor": time.process_time() - processor, "hashing": spent[0]}}
print("times:", json.dumps(times))
"""
KINDS = ("arrays", "tf.data", "PyDataset")

NO_FRAMEWORK = {
    "sorts numbers": """\
import random
for _ in range(5):
    sorted(random.random() for _ in range(200_000))
print("Test accuracy: 0.9")
""",
    "adds integers": """\
total = 0
for number in range(3_000_000):
    total += number * number % 7
print(f"Test accuracy: {total % 100 / 100}")
""",
}
NOTHING, EMPTY, WITH_RECORDER = "without", "empty sitecustomize", "with"
"""What a process without a framework imports on startup. The empty module shows the cost of Python's own import."""


@dataclass(frozen=True)
class Network:
    """A model of dense layers with Adam, and enough samples for an epoch to take a second or more."""

    name: str
    width: int
    samples: int

    @property
    def script(self) -> str:
        """The source code of nn.py for this model."""
        return NETWORK.replace("WIDTH", str(self.width)).replace("SAMPLES", str(self.samples))


NETWORKS = (
    Network("0.1 million parameters", 110, 30_000),
    Network("1 million parameters", 680, 12_000),
    Network("20 million parameters", 4090, 1_000),
)


@dataclass(frozen=True)
class Fit:
    """Seconds per epoch, and how many of them are spent in the recorder; seconds of ``fit`` before the second epoch and after
    the last one; size of the checkpoints in bytes.
    """

    epoch: float
    inside: float
    before: float
    after: float
    checkpoint: int


class Workspace:
    """A folder for scripts, with a copy of the recorder as in a trial."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self._trainer = trainer
        self._folder = folder
        self._recorder = folder / "recorder"
        shutil.copytree(RECORDER, self._recorder, ignore=shutil.ignore_patterns("__pycache__"))
        self._empty = folder / "empty"
        self._empty.mkdir()
        (self._empty / "sitecustomize.py").write_text("pass\n", encoding="ascii")

    def fit(self, network: Network, *, recorded: bool) -> Fit:
        """Train ``network`` in a new process and return its times."""
        output = self._trainer.run(*self._prepare(network.script, recorded=recorded)).output
        times = json.loads(output.split("times: ")[1].splitlines()[0])
        kept = sum(path.stat().st_size for path in (self._folder / "checkpoints").iterdir())
        if recorded != bool(kept):
            raise RuntimeError(f"recorded: {recorded}, and the checkpoints are {kept} bytes\n{output}")
        return Fit(
            times["epochs"] / (EPOCHS - 1),
            times["inside"] / (EPOCHS - 1),
            times["before"],
            times["after"],
            kept,
        )

    def images(self, kind: str, *, recorded: bool) -> dict[str, float]:
        """Train on 60,000 images passed as ``kind``; return the elapsed, processor and hashing times in seconds."""
        output = self._trainer.run(*self._prepare(IMAGES.replace("KIND", kind), recorded=recorded)).output
        times: dict[str, float] = json.loads(output.split("times: ")[1].splitlines()[0])
        return times

    def start(self, script: str, setup: str) -> float:
        """Run a script that imports no framework, and return the seconds that its process takes."""
        code, variables = self._prepare(script, recorded=setup == WITH_RECORDER)
        if setup == EMPTY:
            variables = {"PYTHONPATH": str(self._empty)}
        return self._trainer.run(code, variables).seconds

    def _prepare(self, script: str, *, recorded: bool) -> tuple[Path, dict[str, str]]:
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
    """Print the tables for epochs, for images, and for processes without a framework."""
    options = _options()
    with temporary_folder() as folder:
        workspace = Workspace(Trainer.make(folder / "home"), folder)
        fits = {network.name: _measure_fits(workspace, network, options.rounds) for network in NETWORKS}
        images = {kind: _measure_images(workspace, kind, options.rounds) for kind in KINDS}
        log_progress("no framework")
        starts = {name: _measure_starts(workspace, script) for name, script in NO_FRAMEWORK.items()}
    print(f"{describe_machine()}; medians of {options.rounds} alternating processes of {EPOCHS} epochs\n")
    print_table(
        (
            "seconds per epoch",
            "without",
            "with",
            "ratio (wanted: ≤ 1.02)",
            "spread without",
            "spread with",
            "in the recorder",
        ),
        *(_make_epochs_row(name, found["without"], found["with"]) for name, found in fits.items()),
    )
    print_table(
        ("once in a fit", "to epoch 2: without", "with", "after the last: without", "with", "checkpoints"),
        *(_make_once_row(name, found["without"], found["with"]) for name, found in fits.items()),
    )
    print_table(
        (
            f"60,000 images, {IMAGE_EPOCHS} epochs",
            "fit without",
            "with",
            "ratio",
            "processor",
            "hashing",
            "of it (wanted: ≤ 2%)",
        ),
        *(_make_images_row(kind, found["without"], found["with"]) for kind, found in images.items()),
    )
    print_table(
        (
            f"no framework, median of {STARTS}",
            NOTHING,
            EMPTY,
            WITH_RECORDER,
            "ratio (wanted: ≤ 1.01)",
            "to empty",
            "spread",
        ),
        *(_make_start_row(name, found) for name, found in starts.items()),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of few epochs")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def _measure_fits(workspace: Workspace, network: Network, rounds: int) -> dict[str, list[Fit]]:
    log_progress(network.name)

    def fit(*, recorded: bool) -> Fit:
        done = workspace.fit(network, recorded=recorded)
        log_progress(f"  {done.epoch:.3f} s an epoch")
        return done

    return alternate(rounds, {"without": lambda _: fit(recorded=False), "with": lambda _: fit(recorded=True)})


def _measure_images(workspace: Workspace, kind: str, rounds: int) -> dict[str, list[dict[str, float]]]:
    log_progress(kind)
    kinds = {"without": False, "with": True}
    return alternate(
        rounds,
        {
            name: lambda _, recorded=recorded: workspace.images(kind, recorded=recorded)
            for name, recorded in kinds.items()
        },
    )


def _make_images_row(kind: str, without: list[dict[str, float]], recorded: list[dict[str, float]]) -> tuple[str, ...]:
    off, on = (median(fit["seconds"] for fit in fits) for fits in (without, recorded))
    processor, hashing = (median(fit[name] for fit in recorded) for name in ("processor", "hashing"))
    seconds = (f"{value:.2f} s" for value in (off, on))
    return kind, *seconds, f"{on / off:.3f}", f"{processor:.1f} s", f"{hashing:.2f} s", f"{hashing / processor:.1%}"


def _measure_starts(workspace: Workspace, script: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {NOTHING: [], EMPTY: [], WITH_RECORDER: []}
    for _ in range(STARTS):
        for setup, seconds in found.items():
            seconds.append(workspace.start(script, setup))
    return found


def _make_start_row(name: str, found: dict[str, list[float]]) -> tuple[str, ...]:
    nothing, empty, recorded = (median(seconds) for seconds in found.values())
    milliseconds = (f"{seconds * 1000:.1f} ms" for seconds in (nothing, empty, recorded))
    return name, *milliseconds, f"{recorded / nothing:.3f}", f"{recorded / empty:.3f}", _format_spread(found[NOTHING])


def _make_epochs_row(name: str, without: list[Fit], recorded: list[Fit]) -> tuple[str, ...]:
    off, on = ([fit.epoch for fit in fits] for fits in (without, recorded))
    ratio = median(on) / median(off)
    inside = f"{median(fit.inside / fit.epoch for fit in recorded):.2%}"
    return (
        name,
        f"{median(off):.3f}",
        f"{median(on):.3f}",
        f"{ratio:.3f}",
        _format_spread(off),
        _format_spread(on),
        inside,
    )


def _make_once_row(name: str, without: list[Fit], recorded: list[Fit]) -> tuple[str, ...]:
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


def _format_spread(values: list[float]) -> str:
    """Return the interquartile range as a share of the median. Smaller differences cannot be distinguished from noise."""
    if len(values) < 3:
        return ""
    low, _, high = quantiles(values, n=4)
    return f"{(high - low) / median(values):.1%}"


if __name__ == "__main__":
    main()
