"""Measure how good the forecasts of learning curves are: how often the true accuracy lies in the 90% interval, how
large the error is, and how often a curve is wrongly called hopeless.

80 curves come from real training: small Keras models that learn to read handwritten digits, with different optimizers,
learning rates, widths, depths, dropout rates, numbers of images, and shares of wrong labels. Some of them hardly learn
anything. The curves are stored in curves.json; --train trains them again (a quarter of an hour on one core). Another
108 curves are generated with formulas other than those that the forecast fits. Half of these formulas violate its
assumptions: two things learned one after the other, a late start, overfitting. The first 48 trained and 60 generated
curves were used to choose the forecast's constants and to calibrate its interval; the figures come from the remaining
32 and 48.

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
from bench import QUICK, Trainer, describe_machine, log_progress, print_table, temporary_folder, write_code

from epochal.results.forecast import WIDTH, forecast

STORED = Path(__file__).parent / "curves.json"
TRAINED, GENERATED, EPOCHS = 80, 108, 100
CALIBRATION = {"trained": 48, "generated": 60}
"""The number of curves in each set that the constants were chosen with. They are left out of the figures."""
SPANS = ((20, 40),) if QUICK else ((20, 40), (50, 100), (20, 100))
"""The number of known epochs, and the epoch to forecast. Half of the epochs are known, except in (20, 100)."""
DISTANCES = (-0.10, -0.05, -0.01, 0.03, 0.10)
"""Distances of the thresholds from the best accuracy of the whole curve."""

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
class ForecastResult:
    """A forecast made from the first part of a curve, compared with the rest of the curve.

    ``error``: the error of the forecast accuracy at the last epoch. ``margin``: half the width of its 90% interval. The
    other fields have one value for each threshold that the first part does not reach. If the curve reaches the
    threshold later, ``wrongly`` says whether it was called hopeless, and ``in_time`` whether it was reached in the
    forecast range of epochs. Otherwise, ``rightly`` says whether it was called hopeless.
    """

    error: float
    margin: float
    wrongly: tuple[bool, ...]
    in_time: tuple[bool, ...]
    rightly: tuple[bool, ...]


def main() -> None:
    """Print the calibrated interval and a table of the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Half of 40 epochs only.")
    parser.add_argument("--train", action="store_true", help="Train the curves anew.")
    if parser.parse_args().train:
        train_curves()
    stored = [curve["accuracy"] for curve in json.loads(STORED.read_text(encoding="utf-8"))["curves"]]
    sets = {"trained": stored, "generated": [generate_curve(seed) for seed in range(GENERATED)]}
    print(describe_machine(), "\n")
    rows, widths = [], []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seen, last in SPANS:
            for name, curves in sets.items():
                log_progress(f"{name}, {seen} of {last} epochs")
                results = list(pool.map(partial(forecast_curve, seen=seen, last=last), curves))
                rows.append((f"{name}, {seen} of {last} epochs", *_make_row(results[CALIBRATION[name] :])))
                if last == 2 * seen:
                    widths += [WIDTH * each.error / each.margin for each in results[: CALIBRATION[name]]]
    calibrated = float(numpy.quantile(widths, 0.9))
    print(f"Half of a 90% interval at half the epochs: {calibrated:.2f} standard deviations; in use: {WIDTH}\n")
    print_table(
        (
            "",
            "curves",
            "in the 90% interval",
            "error",
            "± margin",
            "wrongly hopeless",
            "seen as hopeless",
            "epoch in time",
        ),
        *rows,
    )


def forecast_curve(curve: Sequence[float], seen: int, last: int) -> ForecastResult:
    """Forecast a curve at epoch ``last`` from its first ``seen`` epochs, and compare the forecast with the curve."""
    before, whole = curve[:seen], curve[:last]
    thresholds = [max(whole) + distance for distance in DISTANCES]
    forecasts = [forecast(before, threshold, last) for threshold in thresholds if max(before) < threshold <= 1]
    reached = [each for each in forecasts if each.threshold <= max(whole)]
    first = {each: next(epoch for epoch, value in enumerate(whole, 1) if value >= each.threshold) for each in reached}
    level = forecast(before, 1.0, last)
    return ForecastResult(
        abs(level.level - curve[last - 1]),
        level.margin,
        wrongly=tuple(each.hopeless for each in reached),
        in_time=tuple((each.earliest or last + 1) <= first[each] <= (each.latest or last) for each in reached),
        rightly=tuple(each.hopeless for each in forecasts if each not in reached),
    )


def _make_row(results: Sequence[ForecastResult]) -> tuple[str, ...]:
    covered = [each.error <= each.margin for each in results]
    points = (median(each.error for each in results), median(each.margin for each in results))
    shares = (sum((getattr(each, name) for each in results), ()) for name in ("wrongly", "rightly", "in_time"))
    return (
        str(len(results)),
        f"{numpy.mean(covered):.0%}",
        *(f"{100 * value:.1f} points" for value in points),
        *(f"{sum(share)} of {len(share)}" for share in shares),
    )


def generate_curve(seed: int) -> list[float]:
    """Generate a curve of one of six kinds, with noise that may carry over from one epoch to the next."""
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
    """Return a curve that starts slowly, rises and then saturates (a Gompertz curve)."""
    return begin + (level - begin) * numpy.exp(-random.uniform(2, 4) * numpy.exp(-epochs / pace))


def arctangent(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Return a curve that approaches its limit more slowly than an exponential."""
    return begin + (level - begin) * 2 / numpy.pi * numpy.arctan((epochs / pace) ** random.uniform(0.8, 1.5))


def walk(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Return a curve whose log odds rise in random steps that tend to get smaller."""
    gain = numpy.cumsum(random.exponential(1, EPOCHS) / (1 + epochs / pace))
    first, last = (numpy.log(value / (1 - value)) for value in (begin, level))
    return 1 / (1 + numpy.exp(-first - gain / gain[-1] * (last - first)))


def staged(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Return the curve of a model that learns two things, one after the other."""
    share, second = random.uniform(0.5, 0.9), pace * random.uniform(1, 4)
    one, other = 1 - numpy.exp(-2 * epochs / pace), 1 / (1 + numpy.exp(-6 * (epochs - second) / second))
    return begin + (level - begin) * (share * one + (1 - share) * other)


def late(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Return the curve of a model that learns nothing for the first 2 to 60 epochs."""
    since = numpy.maximum(epochs - random.uniform(2, 60), 0)
    return begin + (level - begin) * (1 - numpy.exp(-2 * since / pace))


def overfit(random: Random, epochs: Vector, begin: float, level: float, pace: float) -> Vector:
    """Return a curve that rises and then falls slowly."""
    fall = random.uniform(0, 0.08) * numpy.log(numpy.maximum(epochs / (2 * pace), 1))
    return begin + (level - begin) * numpy.tanh(epochs / pace) - fall


KINDS: tuple[Callable[..., Vector], ...] = (gompertz, staged, late, overfit, walk, arctangent)


def train_curves() -> None:
    """Train the models again and store their curves."""
    with temporary_folder() as folder:
        trainer = Trainer.make(folder / "home")
        log_progress(f"training {TRAINED} networks of {EPOCHS} epochs each")
        output = trainer.run(write_code(folder / "code", TRAINING)).output
    curves = [line.removeprefix("curve ") for line in output.splitlines() if line.startswith("curve ")]
    origin = json.dumps(f"benchmarks/forecast.py --train: {describe_machine()}")
    text = ",\n".join(curves)
    STORED.write_text(f'{{"made": {origin}, "curves": [\n{text}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
