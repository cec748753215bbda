"""How good the forecast of a learning curve is: coverage of its 90 % interval, error, and what it wrongly calls hopeless.

80 curves were really trained: small networks with Keras that learn to read handwritten digits, with different optimizers,
learning rates, widths, depths, dropouts, numbers of images and wrong labels, some of which hardly learn anything. They are
kept in curves.json; --train trains them anew (a quarter of an hour on one core). 108 are generated, by laws that are none
of those that the forecast fits, half of them against all that it assumes: two things learnt one after the other, a late
beginning, overfitting. The forecast's constants were chosen and its interval is calibrated by the first 48 and 60 of
them; the figures are of the 32 and 48 others.

Usage: benchmarks/forecast.py [--quick] [--train]
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy
from bench import QUICK, Ground, machine, show, tell, temporary_folder, write_code

from epochal.results.forecast import WIDTH, forecast

KEPT = Path(__file__).parent / "curves.json"
TRAINED, GENERATED, EPOCHS = 80, 108, 100
KNOWN = {"trained": 48, "generated": 60}
"""How many of each the constants were chosen by; they calibrate the interval, and no figure is of them."""
SPANS = ((20, 40),) if QUICK else ((20, 40), (50, 100), (20, 100))
"""Forecast after so many epochs, for so many; all but the last are half the epochs."""
DISTANCES = (-0.10, -0.05, -0.01, 0.03, 0.10)
"""Where thresholds are set: so far from the best that the whole curve reaches."""

TRAINING = f"""\
import json

import keras
import numpy
import pandas

digits = pandas.read_csv("digits.csv.gz", header=None).sample(frac=1, random_state=0)
x, y = digits.iloc[:, :64].to_numpy("float32") / 16, digits.iloc[:, 64].to_numpy()
rates = {{"SGD": 0.05, "Adam": 0.001, "RMSprop": 0.001}}

for seed in range(1, {TRAINED} + 1):
    choose = numpy.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    setting = {{
        "optimizer": str(choose.choice(list(rates))),
        "width": int(choose.choice([4, 8, 16, 64])),
        "layers": int(choose.choice([1, 2, 4])),
        "dropout": float(choose.choice([0.0, 0.3, 0.6])),
        "samples": int(choose.choice([100, 400, 1437])),
        "wrong_labels": float(choose.choice([0.0, 0.2, 0.5])),
    }}
    setting["rate"] = rates[setting["optimizer"]] * 10 ** choose.uniform(-1.5, 0.8)
    labels = numpy.where(choose.random(len(y)) < setting["wrong_labels"], choose.integers(0, 10, len(y)), y)
    layers = [keras.Input((64,))]
    for _ in range(setting["layers"]):
        layers += [keras.layers.Dense(setting["width"], "relu"), keras.layers.Dropout(setting["dropout"])]
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    optimizer = getattr(keras.optimizers, setting["optimizer"])(setting["rate"])
    samples = setting["samples"]
    steps = -(-samples // 32)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=steps)
    validation = x[-360:], labels[-360:]
    trained = model.fit(x[:samples], labels[:samples], batch_size=32, epochs={EPOCHS}, verbose=0,
                        validation_data=validation, validation_batch_size=360)
    setting["accuracy"] = [round(value, 4) for value in trained.history["val_accuracy"]]
    print("curve", json.dumps(setting), flush=True)
"""

Vector = numpy.ndarray
Random = numpy.random.Generator


@dataclass(frozen=True)
class Told:
    """What the forecast of one curve told after a part of it, beside what became of it.

    ``error`` of the accuracy at the last epoch, ``margin``: half of its 90 % interval. Of the thresholds that were not
    reached before: for each that was reached later whether it was called hopeless, and whether the epoch lay in its
    interval; for each that never was, whether it was called hopeless.
    """

    error: float
    margin: float
    wrongly: tuple[bool, ...]
    in_time: tuple[bool, ...]
    rightly: tuple[bool, ...]


def main() -> None:
    """Print the calibration and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Half of 40 epochs only.")
    parser.add_argument("--train", action="store_true", help="Train the curves anew.")
    if parser.parse_args().train:
        train()
    kept = [curve["accuracy"] for curve in json.loads(KEPT.read_text(encoding="utf-8"))["curves"]]
    sets = {"trained": kept, "generated": [generated(seed) for seed in range(GENERATED)]}
    print(machine(), "\n")
    rows, widths = [], []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seen, last in SPANS:
            for name, curves in sets.items():
                tell(f"{name}, {seen} of {last} epochs")
                told = list(pool.map(partial(ask, seen=seen, last=last), curves))
                rows.append((f"{name}, {seen} of {last} epochs", *_row(told[KNOWN[name] :])))
                if last == 2 * seen:
                    widths += [WIDTH * each.error / each.margin for each in told[: KNOWN[name]]]
    calibrated = float(numpy.quantile(widths, 0.9))
    print(f"Half of a 90 % interval at half the epochs: {calibrated:.2f} standard deviations; in use: {WIDTH}\n")
    show(
        (
            "",
            "curves",
            "in the 90 % interval",
            "error",
            "± told",
            "wrongly hopeless",
            "seen as hopeless",
            "epoch in time",
        ),
        *rows,
    )


def ask(curve: Sequence[float], seen: int, last: int) -> Told:
    """Forecast a curve of which the first ``seen`` epochs are known, for the epoch ``last``."""
    before, whole = curve[:seen], curve[:last]
    thresholds = [max(whole) + distance for distance in DISTANCES]
    forecasts = [forecast(before, threshold, last) for threshold in thresholds if max(before) < threshold <= 1]
    reached = [each for each in forecasts if each.threshold <= max(whole)]
    first = {each: next(epoch for epoch, value in enumerate(whole, 1) if value >= each.threshold) for each in reached}
    level = forecast(before, 1.0, last)
    return Told(
        abs(level.level - curve[last - 1]),
        level.margin,
        wrongly=tuple(each.hopeless for each in reached),
        in_time=tuple((each.earliest or last + 1) <= first[each] <= (each.latest or last) for each in reached),
        rightly=tuple(each.hopeless for each in forecasts if each not in reached),
    )


def _row(told: Sequence[Told]) -> tuple[str, ...]:
    covered = [each.error <= each.margin for each in told]
    points = (median(each.error for each in told), median(each.margin for each in told))
    shares = (sum((getattr(each, name) for each in told), ()) for name in ("wrongly", "rightly", "in_time"))
    return (
        str(len(told)),
        f"{numpy.mean(covered):.0%}",
        *(f"{100 * value:.1f} points" for value in points),
        *(f"{sum(share)} of {len(share)}" for share in shares),
    )


def generated(seed: int) -> list[float]:
    """A curve that nobody trained: of one of six kinds, with noise that may last longer than an epoch."""
    random = numpy.random.default_rng(seed)
    begin = random.uniform(0.05, 0.5)
    level = random.uniform(begin + 0.1, 0.98)
    noise, lasting, pace = random.choice([0.003, 0.01, 0.03]), random.choice([0, 0.5]), 10 ** random.uniform(0.5, 1.7)
    accuracies = KINDS[seed % len(KINDS)](random, numpy.arange(1.0, EPOCHS + 1), begin, level, pace)
    error = 0.0
    for epoch in range(EPOCHS):
        error = lasting * error + random.normal(0, noise)
        accuracies[epoch] += error
    return [round(float(value), 4) for value in numpy.clip(accuracies, 0, 1)]


def gompertz(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """A slow beginning, then a rise that saturates (Gompertz' law)."""
    return begin + (level - begin) * numpy.exp(-random.uniform(2, 4) * numpy.exp(-epochs / pace))


def arctangent(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """A rise with a tail that is longer than an exponential's."""
    return begin + (level - begin) * 2 / numpy.pi * numpy.arctan((epochs / pace) ** random.uniform(0.8, 1.5))


def walk(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Odds that rise by ever smaller random steps."""
    gain = numpy.cumsum(random.exponential(1, EPOCHS) / (1 + epochs / pace))
    first, last = (numpy.log(value / (1 - value)) for value in (begin, level))
    return 1 / (1 + numpy.exp(-first - gain / gain[-1] * (last - first)))


def staged(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Two things are learnt, one after the other."""
    share, second = random.uniform(0.5, 0.9), pace * random.uniform(1, 4)
    one, other = 1 - numpy.exp(-2 * epochs / pace), 1 / (1 + numpy.exp(-6 * (epochs - second) / second))
    return begin + (level - begin) * (share * one + (1 - share) * other)


def late(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Nothing is learnt for 2 to 60 epochs."""
    since = numpy.maximum(epochs - random.uniform(2, 60), 0)
    return begin + (level - begin) * (1 - numpy.exp(-2 * since / pace))


def overfit(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """A rise, and then a slow fall."""
    fall = random.uniform(0, 0.08) * numpy.log(numpy.maximum(epochs / (2 * pace), 1))
    return begin + (level - begin) * numpy.tanh(epochs / pace) - fall


KINDS: tuple[Callable[..., Vector], ...] = (gompertz, staged, late, overfit, walk, arctangent)


def train() -> None:
    """Train the curves anew, and keep them."""
    with temporary_folder() as folder:
        ground = Ground.make(folder / "home")
        tell(f"training {TRAINED} networks of {EPOCHS} epochs each")
        output = ground.run(write_code(folder / "code", TRAINING)).output
    curves = [line.removeprefix("curve ") for line in output.splitlines() if line.startswith("curve ")]
    made = json.dumps(f"benchmarks/forecast.py --train: {machine()}")
    text = ",\n".join(curves)
    KEPT.write_text(f'{{"made": {made}, "curves": [\n{text}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
