"""Callbacks, schedules and models of many kinds: resumed or not, a fit ends like an uninterrupted one."""

import shutil
from pathlib import Path

import pytest

from epochal.results.divergence import parse_divergence

from .climbing import CLIMBING
from .test_resume import DETERMINISTIC, read_fits, train

pytestmark = pytest.mark.keras

BEGINNING = """
import collections, contextlib, functools, io, itertools, os, time
import numpy as np
import tensorflow as tf
import keras

EPOCHS = int(os.environ["EPOCHS"])
CONFIG = {"rate": 0.05, "epochs": EPOCHS}
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x = rng.normal(size=(128, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")

class Changes(keras.callbacks.Callback):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.rate(epoch)

def make(optimizer=None, loss="binary_crossentropy", kind=keras.Sequential):
    keras.utils.set_random_seed(2)
    layers = [keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dropout(0.2)]
    made = kind([*layers, keras.layers.Dense(1, "sigmoid")])
    made.compile(optimizer or keras.optimizers.SGD(0.05, momentum=0.9), loss, run_eagerly=True)
    return made

def fit(name, model, *callbacks):
    with contextlib.redirect_stdout(io.StringIO()):
        history = model.fit(x, y, batch_size=32, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
    print(name, history.history["loss"], np.concatenate([each.numpy().ravel() for each in model.weights]).tolist())
"""

KINDS = {
    # Schedules and callbacks that do not depend on the number of epochs, or only print it.
    "step": ("make(), Scheduler(lambda epoch, rate: CONFIG['rate'] * 0.5 ** (epoch // 2))", ""),
    "unused": ("make(), Scheduler(late)", ""),
    "decay": ("make(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.05, 9, 0.9))), ", ""),
    "prints": ("make(), Prints()", ""),
    "stateful": ("make(), Stateful()", ""),
    "closure": ("counted, keras.callbacks.LambdaCallback(on_epoch_begin=counting())", ""),
    "shadow": ("make(), Shadow()", ""),
    "end": ("make(), AveragesAtEnd()", ""),
    # Those that depend on it, so that more epochs mean a different schedule.
    "cosine": ("make(), Scheduler(lambda epoch: 0.05 * np.cos(epoch / EPOCHS))", "EPOCHS 2 → 4"),
    "partial": ("make(), Scheduler(functools.partial(linear, total=EPOCHS))", "total 2 → 4"),
    "attribute": ("make(), Falls(EPOCHS)", "total 2 → 4"),
    "global": ("make(), Changes(lambda epoch: 0.05 - 0.04 * epoch / EPOCHS)", "EPOCHS 2 → 4"),
    "key": ("make(), Changes(lambda epoch: 0.05 - 0.04 * epoch / CONFIG['epochs'])", "CONFIG['epochs'] 2 → 4"),
    "params": ("make(), Params()", "params['epochs'] 2 → 4"),
    "patience": ("make(), keras.callbacks.EarlyStopping('loss', patience=EPOCHS)", "patience 2 → 4"),
    "schedule": ("make(keras.optimizers.SGD(Warms(4 * EPOCHS))), ", "steps 8 → 16"),
    "loss": ("make(loss=weighted), ", "EPOCHS 2 → 4"),
    # Those that replace the model's weights at the end of some or all epochs.
    "ema": ("make(keras.optimizers.SGD(0.05, use_ema=True)), Swap(swap_on_epoch=True)", "replaced the model's weights"),
    "last": ("make(), AveragesInBetween()", "replaced the model's weights"),
    # State that a checkpoint cannot hold.
    "cycle": ("make(), Cycles()", "Cycles.rates is of type cycle, which a checkpoint cannot store"),
    "freezes": ("make(), Freezes()", "which layers are trained"),
    "two": ("make(kind=Two), ", "the model keeps state outside its variables: others"),
    "outer": ("make(kind=Outer), ", "the model keeps state outside its variables: outer"),
}
"""The arguments of ``fit`` for each kind, and part of the reason why it does not resume; empty if it does."""

CALLBACKS = """
Scheduler, Swap = keras.callbacks.LearningRateScheduler, keras.callbacks.SwapEMAWeights

def late(epoch):
    print(f"{epoch} of {EPOCHS}")
    return 0.05 if epoch < 3 else 0.01

def linear(epoch, rate, total):
    return 0.05 * (1 - epoch / total)

def weighted(truth, prediction):
    return keras.losses.binary_crossentropy(truth, prediction) / EPOCHS

class Prints(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.total, self.started = EPOCHS, time.time()
    def on_epoch_end(self, epoch, logs=None):
        print(epoch, self.total, EPOCHS)

class Stateful(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.last, self.seen, self.counts = collections.deque(maxlen=3), set(), collections.Counter()
        self.rng, self.started = np.random.default_rng(3), time.time()
    def on_epoch_end(self, epoch, logs=None):
        self.last.append(logs["loss"])
        self.seen.add((epoch, "seen"))
        self.counts[epoch % 2] += 1
        rate = self.rng.random() / (1 + len(self.last) + len(self.seen) + self.counts[0] + sum(self.last))
        self.model.optimizer.learning_rate = 0.1 * rate

def counting():
    count, best = [0], None
    def begin(epoch, logs):
        nonlocal best
        count[0] += 1
        best = epoch if best is None else best
        counted.optimizer.learning_rate = 0.05 / (count[0] + best)
    return begin
counted = make()

class Shadow(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.shadow = [tf.Variable(weight) for weight in self.model.get_weights()]
    def on_epoch_end(self, epoch, logs=None):
        for shadow, weight in zip(self.shadow, self.model.get_weights()):
            shadow.assign(0.5 * shadow + 0.5 * weight)
    def on_train_end(self, logs=None):
        self.model.set_weights([shadow.numpy() for shadow in self.shadow])

class Averages(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.sums = None
    def on_epoch_end(self, epoch, logs=None):
        weights = self.model.get_weights()
        self.sums = weights if self.sums is None else [a + b for a, b in zip(self.sums, weights)]
        self.count = epoch + 1
    def put(self):
        self.model.set_weights([each / self.count for each in self.sums])

class AveragesAtEnd(Averages):
    def on_train_end(self, logs=None):
        self.put()

class AveragesInBetween(Averages):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if epoch % 2:
            self.put()

class Falls(keras.callbacks.Callback):
    def __init__(self, total):
        super().__init__()
        self.total = total
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.05 * (1 - epoch / self.total)

class Params(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.05 * (1 - epoch / self.params["epochs"])

class Warms(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, steps):
        self.steps = steps
    def __call__(self, step):
        return 0.05 * tf.minimum(1.0, tf.cast(step, "float32") / self.steps)

class Cycles(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates = itertools.cycle([0.05, 0.02, 0.01])
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = next(self.rates)

class Freezes(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[0].trainable = epoch < 1

class Two(keras.Sequential):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.others = {"second": keras.optimizers.Adam(0.01)}

outer = keras.optimizers.Adam(0.01)
class Outer(keras.Sequential):
    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.compute_loss(None, data[1], self(data[0], training=True))
        outer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}
"""


def test_each_kind_equals_an_uninterrupted_training(warm_keras_python: Path, tmp_path: Path) -> None:
    """The losses and the final weights are the same to the last bit. A fit that does not resume says why.

    It may still resume from an earlier checkpoint, up to which the training was the same: with a cosine schedule, for
    example, the first epoch does not depend on the number of epochs.
    """
    script = BEGINNING + CALLBACKS + "".join(f"fit({name!r}, {call})\n" for name, (call, _) in KINDS.items())

    def train_kinds(name: str, epochs: str) -> list[str]:
        output = train(warm_keras_python, tmp_path / name, script, runner=DETERMINISTIC, EPOCHS=epochs)
        return output.splitlines()

    train_kinds("resumed", "2")
    resumed = train_kinds("resumed", "4")
    fits = dict(zip(KINDS, read_fits(tmp_path / "resumed"), strict=True))
    uninterrupted = train_kinds("uninterrupted", "4")
    assert [line.split()[0] for line in resumed] == list(KINDS)
    assert [ours.split()[0] for ours, theirs in zip(resumed, uninterrupted, strict=True) if ours != theirs] == []
    for name, (_, reason) in KINDS.items():
        assert reason in fits[name].why, (name, fits[name].why)
        assert (fits[name].continued == 2) == (not reason), name


def test_files_that_callbacks_name_are_restored(warm_keras_python: Path, tmp_path: Path) -> None:
    """The files may be outside the working directory, under a new name each time, or next to thousands of images.

    An older file of the same name was not written by this training run, so it is replaced.
    """
    script = (
        CLIMBING
        + """
import os, sys, time
outside, images = os.environ["OUTSIDE"], range(2200)
os.makedirs("images", exist_ok=True)
os.makedirs("models", exist_ok=True)
for image in images:
    open(f"images/{image}.png", "w").close()
class Best(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            np.save("models/best.npy", self.model.level.numpy())
            np.save(os.path.join(outside, "own.npy"), self.model.level.numpy())
def keep(path):
    return keras.callbacks.ModelCheckpoint(path, monitor="loss", mode="max", save_best_only=True, save_weights_only=True)
time_of_day = os.environ["NOW"]
paths = [f"{outside}/best.weights.h5", f"{outside}/{time_of_day}/{{epoch:02d}}-{{loss:.2f}}.weights.h5"]
callbacks = [*map(keep, paths), Best()]
model(x)
model.fit(x, yes, batch_size=100, epochs=int(os.environ["EPOCHS"]), callbacks=callbacks, verbose=0)
for path in [paths[0], f"{outside}/{time_of_day}/01-0.00.weights.h5"]:
    path = path if os.path.exists(path) else f"{outside}/{time_of_day}/" + sorted(os.listdir(f"{outside}/{time_of_day}"))[0]
    model.load_weights(path)
    print(np.asarray(model.level), np.load("models/best.npy"), np.load(f"{outside}/own.npy"))
"""
    )
    outside = tmp_path / "outside"
    for now, epochs in (("morning", "2"), ("evening", "3")):
        shutil.rmtree(outside, ignore_errors=True)
        (outside / now).mkdir(parents=True)
        (outside / "best.weights.h5").write_text("of another training")
        for folder in ("models", "images"):
            shutil.rmtree(tmp_path / "training" / folder, ignore_errors=True)
        output = train(warm_keras_python, tmp_path / "training", script, EPOCHS=epochs, NOW=now, OUTSIDE=str(outside))
        assert output == "[0.02] [0.02] [0.02]\n" * 2
    assert read_fits(tmp_path / "training")[0].continued == 2


@pytest.mark.parametrize(
    ("optimizer", "value", "remedy"),
    [
        (
            "keras.optimizers.SGD(1e20)",
            "0",
            "Lower the learning rate of SGD (currently 1e+20); Keras' default is 0.01.",
        ),
        (
            "'adam'",
            "np.nan",
            "training rows contain NaN in column 0 (counted from 0): correct or remove these rows.",
        ),
    ],
)
def test_weights_that_are_not_finite_are_not_resumed(
    optimizer: str, value: str, remedy: str, warm_keras_python: Path, tmp_path: Path
) -> None:
    """The first epoch with such weights is recorded, and the remedy depends on the rows and the learning rate."""
    script = BEGINNING + (
        f"model = make({optimizer})\nx[[7, 9], 0] = {value}\nmodel.fit(x, y, epochs=EPOCHS, verbose=0)\n"
    )
    for epochs in ("1", "2"):
        train(warm_keras_python, tmp_path, script, EPOCHS=epochs)
    (fit,) = read_fits(tmp_path)
    assert (fit.continued, fit.trained) == (0, 2)
    assert "after epoch 1, the weights or the optimizer's variables contain NaN" in fit.why
    divergence = parse_divergence((tmp_path / "out" / "metrics.jsonl").read_text())
    assert divergence
    assert (divergence.epoch, divergence.epochs) == (1, 2)
    assert remedy in divergence.explanation
