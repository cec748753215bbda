"""Data with hidden state: a resumed fit reads the batches that would have come next, or the trial starts over."""

import json
from pathlib import Path

import pytest

from .test_resume import DETERMINISTIC, read_fits, train

pytestmark = pytest.mark.keras

BEGINNING = """
import contextlib, io, os, random
import numpy as np
import tensorflow as tf
import keras

EPOCHS = int(os.environ["EPOCHS"])
keras.utils.set_random_seed(1)
x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
data = tf.data.Dataset.from_tensor_slices((x, y))

def make(layer=None, loss="binary_crossentropy", **options):
    keras.utils.set_random_seed(2)
    layers = [keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dropout(0.2)]
    made = keras.Sequential([*layers, *([layer] if layer else []), keras.layers.Dense(1, "sigmoid")])
    made.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, **options)
    return made

ended_with = []  # what the callbacks were given at the end of training

def fit(name, model, *data, **options):
    with contextlib.redirect_stdout(io.StringIO()):
        history = model.fit(*data, epochs=EPOCHS, verbose=0, **options)
    print(name, ended_with, history.history, np.concatenate([each.numpy().ravel() for each in model.weights]).tolist())
"""

SOURCES = """
def noise(image, label):
    return image + tf.random.normal(tf.shape(image)), label

own_state = tf.random.Generator.from_seed(3)
def noise_of_own(image, label):
    return image + own_state.normal(tf.shape(image)), label

hidden = np.random.default_rng(4)
def noise_of_python(image, label):
    drawn = tf.numpy_function(lambda image: image + hidden.normal(size=4).astype("float32"), [image], tf.float32)
    return tf.ensure_shape(drawn, (4,)), label

def generate(rng, batches=None):
    while batches != 0:
        rows = rng.integers(0, 128, 32)
        yield x[rows], y[rows]
        batches = batches and batches - 1

def generate_globally():
    while True:
        rows = np.random.permutation(128)[: random.randint(16, 32)]
        yield x[rows], y[rows]

def generate_elements():
    for row in np.random.default_rng(6).permutation(128):
        yield x[row], y[row]

class Rows(keras.utils.PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.rng, self.order = np.random.default_rng(5), np.arange(128)
    def __len__(self):
        return 4
    def __getitem__(self, index):
        rows = self.order[32 * index : 32 * index + 32]
        return x[rows] + self.rng.normal(size=(len(rows), 4)).astype("float32"), y[rows]
    def on_epoch_end(self):
        self.rng.shuffle(self.order)

class Shuffled(Rows):
    def __getitem__(self, index):
        rows = self.order[32 * index : 32 * index + 32]
        return x[rows], y[rows]
    def on_epoch_end(self):
        np.random.shuffle(self.order)

class Endless(Rows):
    def __getitem__(self, index):
        return super().__getitem__(index % 4)
    num_batches = None

class Rate(keras.callbacks.Callback):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate.assign(0.05 * self.draw(self.model.history.history))

class Logs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["phase"] = "warm" if epoch < 2 else "hot"
    def on_train_end(self, logs=None):
        ended_with.append(logs)

class Reads(keras.callbacks.Callback):
    def __init__(self, read):
        super().__init__()
        self.read = read
    def on_epoch_end(self, epoch, logs=None):
        for _ in self.read:
            pass

pixels = x.reshape(128, 2, 2, 1)
pictures = tf.keras.preprocessing.image.ImageDataGenerator(horizontal_flip=True)

def flat():
    keras.utils.set_random_seed(2)
    made = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])
    made.compile("sgd", "binary_crossentropy")
    return made

shuffled = data.shuffle(128)

class Noise(keras.layers.Layer):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw
    def call(self, inputs):
        return inputs + self.draw(inputs)

class Draws(keras.layers.Layer):
    def call(self, inputs):
        return inputs + np.random.normal()

def noisy(truth, prediction):
    return keras.losses.binary_crossentropy(truth, prediction) * keras.random.uniform(())

def noisy_with_tensorflow(truth, prediction):
    return keras.losses.binary_crossentropy(truth, prediction) * tf.random.uniform(())
"""

EXACT = {
    "shuffled": "make(), data.shuffle(128).batch(32)",
    "augmented": "make(), data.shuffle(50).map(noise, tf.data.AUTOTUNE).shuffle(128).batch(32).prefetch(1)",
    "cached": "make(), data.map(noise).cache().shuffle(128).batch(32)",
    "weighted": "make(), data.shuffle(128).batch(32), class_weight={0: 1.0, 1: 2.0}",
    "validated": "make(), data.skip(32).shuffle(96).batch(32), validation_data=data.take(32).batch(8)",
    "validated rows": "make(), data.shuffle(128).batch(32), validation_data=Shuffled()",
    "rate": "make(), Rows(), steps_per_epoch=4, callbacks=[Rate(lambda history: np.random.random())]",
    "history": "make(), x, y, callbacks=[Rate(lambda history: 1 / (1 + len(history.get('loss', [])))), Logs()]",
    "flipped": "flat(), pictures.flow(pixels, y, batch_size=32, seed=3)",
    "own state": "make(), data.shuffle(128).map(noise_of_own).batch(32)",
    "python": "make(), data.shuffle(128).map(noise_of_python).batch(32)",
    "endless": "make(), data.shuffle(128).repeat().batch(32), steps_per_epoch=3",
    "repeated": "make(), data.shuffle(128).repeat(2).batch(32)",
    "filtered": "make(), data.filter(lambda image, label: image[1] > 0).shuffle(128).batch(8)",
    "interleaved": "make(), tf.data.Dataset.range(4).interleave(lambda at: data.shuffle(128).skip(at)).batch(32)",
    "elements": "make(), tf.data.Dataset.from_generator(generate_elements, output_signature=data.element_spec)"
    ".shuffle(128).batch(32)",
    "steps at once": "make(steps_per_execution=3), data.shuffle(128).batch(32)",
    "generator": "make(), generate(np.random.default_rng(5)), steps_per_epoch=4",
    "global state": "make(), generate_globally(), steps_per_epoch=4",
    "rows": "make(), Rows()",
    "ordered rows": "make(), Rows(), shuffle=False",
    "endless rows": "make(), Endless(), steps_per_epoch=3",
    "some rows": "make(), Rows(), steps_per_epoch=3",
    "some of arrays": "make(), x, y, batch_size=16, steps_per_epoch=3",
    "loss": "make(loss=noisy), x, y",
    "layer": "make(Noise(lambda inputs: keras.random.normal(keras.ops.shape(inputs)))), x, y",
    "eager": "make(loss=noisy_with_tensorflow, run_eagerly=True), x, y",
}
"""The arguments of ``fit`` for each kind of data or code that resumes."""

AFRESH = {
    "loss of TensorFlow": (
        "make(loss=noisy_with_tensorflow), x, y",
        "the script draws random numbers with tf.random",
    ),
    "own generator": ("make(Noise(lambda inputs: hidden.normal())), x, y", "outside its variables: hidden"),
    "numpy": ("make(Draws()), x, y", "outside its variables: np.random"),
    "shared": (
        "make(), shuffled.skip(32).batch(32), validation_data=shuffled.take(32).batch(32)",
        "the validation data is shuffled",
    ),
    "drawn": (
        "make(), x, y, validation_steps=3, validation_data=generate(np.random.default_rng(7))",
        "the validation data comes from a generator",
    ),
    "pictures": (
        "flat(), pixels, y, validation_data=pictures.flow(pixels, y)",
        "reading the validation data may draw random numbers",
    ),
    "read": ("make(), shuffled.batch(32), callbacks=[Reads(shuffled)]", "a callback also reads the training data"),
}
"""The arguments of ``fit`` for each kind that trains from the beginning, and part of the reason."""


@pytest.mark.parametrize(
    ("kinds", "continued"),
    [({name: (arguments, "") for name, arguments in EXACT.items()}, 3), (AFRESH, 0)],
    ids=["exact", "afresh"],
)
def test_raised_fit_matches_an_uninterrupted_one(
    kinds: dict[str, tuple[str, str]], continued: int, warm_keras_python: Path, tmp_path: Path
) -> None:
    """Each kind ends with exactly the history and weights of an uninterrupted fit."""
    script = BEGINNING + SOURCES + "".join(f"fit({name!r}, {arguments})\n" for name, (arguments, _) in kinds.items())

    def train_kinds(name: str, epochs: str) -> list[str]:
        output = train(warm_keras_python, tmp_path / name, script, runner=DETERMINISTIC, EPOCHS=epochs)
        return output.splitlines()

    train_kinds("resumed", "3")
    resumed, uninterrupted = train_kinds("resumed", "5"), train_kinds("uninterrupted", "5")
    fits = dict(zip(kinds, read_fits(tmp_path / "resumed"), strict=True))
    for lines in (resumed, train_kinds("resumed", "5")):  # the second time, no epoch is left to train
        pairs = zip(kinds, lines, uninterrupted, strict=True)
        assert [name for name, ours, theirs in pairs if ours != theirs] == []
    assert {name: (fit.continued, bool(fit.why)) for name, fit in fits.items()} == dict.fromkeys(
        kinds, (continued, not continued)
    )
    assert [fit.why for name, fit in fits.items() if kinds[name][1] not in fit.why] == []


@pytest.mark.parametrize(("seed", "resumed"), [("", 1), ("keras.utils.set_random_seed(1)", 0)])
def test_data_without_a_seed(seed: str, resumed: int, warm_keras_python: Path, tmp_path: Path) -> None:
    """A script without a seed never trains the same way twice, so it may resume with its data in any order."""
    script = (BEGINNING + SOURCES).replace("keras.utils.set_random_seed(1)", seed)
    script = script.replace("keras.utils.set_random_seed(2)", "") + (
        "fit('generator', make(), generate(np.random.default_rng()), steps_per_epoch=4)\n"
    )
    script += "" if seed else "fit('shuffled', make(), data.shuffle(128).batch(32))\n"
    for epochs in ("1", "2"):
        train(warm_keras_python, tmp_path, script, EPOCHS=epochs)
    for fit in read_fits(tmp_path):
        assert fit.continued == resumed
        assert ("the same as in the earlier trial" in fit.why) == bool(seed)


UNREPEATED = """
epoch, drawn = [0], np.random.default_rng()
def elements():
    epoch[0] += 1
    for row in range(128):
        yield x[row] + (drawn.random() if epoch[0] > 1 else 0), y[row]
fit("one", make(), tf.data.Dataset.from_generator(elements, output_signature=data.element_spec).batch(32))
"""
CREATES = """
class Best:
    pass
class Creates(keras.callbacks.Callback):
    best = None
    def on_epoch_end(self, epoch, logs=None):
        self.best = Best()
        self.best.weights = self.model.get_weights()
fit("one", make(), x, y, callbacks=[Creates()])
"""
COUNTS = """
calls = [0]
def schedule(epoch):
    calls[0] += 1
    return 0.1 * 0.5 ** (calls[0] / EPOCHS)
fit("one", make(), x, y, callbacks=[keras.callbacks.LearningRateScheduler(schedule)])
"""
NOISY = """
fit("one", make(), x, y, validation_data=Rows())
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (NOISY, "reading the validation data changes its state or that of a random number generator"),
        (COUNTS, "the training setup has changed: the callback LearningRateScheduler: EPOCHS 2 → 3"),
        (UNREPEATED, "the data of epoch 2 differs from the earlier trial's (is the shuffling seeded?)"),
        (CREATES, "the state of epoch 2 could not be restored: an object that was created during the fit"),
    ],
)
def test_fit_that_can_neither_resume_nor_start_ends_the_script(
    code: str, reason: str, warm_keras_python: Path, tmp_path: Path
) -> None:
    """This happens if validation data has state, a schedule depends on EPOCHS, or data or objects cannot be recreated.

    The job then trains the trial again.
    """
    for epochs in ("2", "3"):
        output = train(warm_keras_python, tmp_path, BEGINNING + SOURCES + code, EPOCHS=epochs)
    assert output == ""
    events = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    (why,) = [event["why"] for event in events if event["event"] == "start_over"]
    assert why.startswith(reason)
