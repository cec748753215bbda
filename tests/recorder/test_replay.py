"""Data with hidden state: a resumed fit reads the batches that would have come next, or the trial starts afresh."""

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

def fit(name, model, *data, **options):
    with contextlib.redirect_stdout(io.StringIO()):
        history = model.fit(*data, epochs=EPOCHS, verbose=0, **options)
    measured = {key: [round(each, 5) if key.startswith("val_") else each for each in values]
                for key, values in history.history.items()}
    print(name, measured, np.concatenate([each.numpy().ravel() for each in model.weights]).tolist())
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

class Endless(Rows):
    def __getitem__(self, index):
        return super().__getitem__(index % 4)
    num_batches = None

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
    "validated": "make(), data.skip(32).shuffle(96).batch(32), validation_data=data.take(32).shuffle(32).batch(8)",
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
        "the training draws random numbers with tf.random",
    ),
    "own generator": ("make(Noise(lambda inputs: hidden.normal())), x, y", "outside of its variables: hidden"),
    "numpy": ("make(Draws()), x, y", "outside of its variables: np.random"),
}
"""The arguments of ``fit`` for each kind that trains from the beginning, and a part of the reason."""


def test_resumed_data_continue(warm_keras_python: Path, tmp_path: Path) -> None:
    """Each kind ends with the history and weights of an uninterrupted training, to the last bit of the weights."""
    kinds = EXACT | {name: arguments for name, (arguments, _) in AFRESH.items()}
    script = BEGINNING + SOURCES + "".join(f"fit({name!r}, {arguments})\n" for name, arguments in kinds.items())

    def train_kinds(name: str, epochs: str) -> list[str]:
        output = train(warm_keras_python, tmp_path / name, script, runner=DETERMINISTIC, EPOCHS=epochs)
        return output.splitlines()

    train_kinds("resumed", "2")
    resumed, uninterrupted = train_kinds("resumed", "5"), train_kinds("uninterrupted", "5")
    fits = dict(zip(kinds, read_fits(tmp_path / "resumed"), strict=True))
    pairs = zip(kinds, resumed, uninterrupted, strict=True)
    assert [name for name, ours, theirs in pairs if ours != theirs] == []
    assert {name: (fits[name].continued, fits[name].why) for name in EXACT} == dict.fromkeys(EXACT, (2, ""))
    for name, (_, reason) in AFRESH.items():
        assert fits[name].continued == 0
        assert reason in fits[name].why


@pytest.mark.parametrize(("seed", "resumed"), [("", 1), ("keras.utils.set_random_seed(1)", 0)])
def test_data_without_a_seed(seed: str, resumed: int, warm_keras_python: Path, tmp_path: Path) -> None:
    """A script without any seed never repeats a training, so it may resume with any order of its data."""
    script = (BEGINNING + SOURCES).replace("keras.utils.set_random_seed(1)", seed)
    script = script.replace("keras.utils.set_random_seed(2)", "") + (
        "fit('generator', make(), generate(np.random.default_rng()), steps_per_epoch=4)\n"
    )
    script += "" if seed else "fit('shuffled', make(), data.shuffle(128).batch(32))\n"
    for epochs in ("1", "2"):
        train(warm_keras_python, tmp_path, script, EPOCHS=epochs)
    for fit in read_fits(tmp_path):
        assert fit.continued == resumed
        assert ("not the same as in the earlier trial" in fit.why) == bool(seed)


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


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (UNREPEATED, "the data of epoch 2 are not the same as in the earlier trial (are they seeded?)"),
        (CREATES, "the state of epoch 2 could not be restored: an object that was created during the fit"),
    ],
)
def test_fit_that_can_neither_resume_nor_start_ends_the_script(
    code: str, reason: str, warm_keras_python: Path, tmp_path: Path
) -> None:
    """The first epoch's data are the same and the second's are not; or weights are restored, but no new object.

    The job then trains the trial again.
    """
    for epochs in ("2", "3"):
        output = train(warm_keras_python, tmp_path, BEGINNING + SOURCES + code, EPOCHS=epochs)
    assert output == ""
    events = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    (why,) = [event["why"] for event in events if event["event"] == "start_over"]
    assert why.startswith(reason)
