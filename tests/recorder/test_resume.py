"""Fits that resume from a checkpoint: they end as if never interrupted, or start over and say why."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from epochal.analysis.hyperparameters.changes import change_all
from epochal.analysis.script import parse_script
from epochal.records import Fit, StoppedBy
from epochal.results.metrics import parse_faults, parse_fits

from .climbing import CLIMBING, FIT, TEST
from .test_recorder import RECORDER

pytestmark = pytest.mark.keras

TOP = Path(__file__).parents[2]

DETERMINISTIC = """
import runpy
import numpy, tensorflow
tensorflow.config.experimental.enable_op_determinism()
import keras
random = numpy.random.default_rng(7)
def stand_in():
    def images(count):
        labels = numpy.arange(count).reshape(-1, 1) % 10
        pictures = random.integers(0, 256, (count, 32, 32, 3), "uint8")
        pictures[numpy.arange(count), 3 * labels[:, 0]] = 255
        return pictures, labels
    return images(160), images(40)
keras.datasets.cifar10.load_data = stand_in
runpy.run_path("nn.py", run_name="__main__")
"""
"""Runs nn.py with deterministic operations, and with little data in place of CIFAR-10."""

STATEFUL = """
import os
import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(3)
random = np.random.default_rng(0)
x = random.random((240, 8, 8, 1), "float32")
y = (x.mean((1, 2, 3)) * 40).astype(int) % 4

class Noise(layers.Layer):
    def call(self, inputs):
        return inputs + 0.01 * keras.random.normal(keras.ops.shape(inputs))

class Counts(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses, self.limit = [], int(os.environ["EPOCHS"])
    def on_epoch_end(self, epoch, logs=None):
        self.losses.append((epoch, logs["loss"], np.random.random(), __import__("random").random()))

counts = Counts()
early = keras.callbacks.EarlyStopping("val_loss", patience=30, restore_best_weights=True)
model = keras.Sequential([
    layers.RandomTranslation(0.1, 0.1), Noise(),
    layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3), layers.Flatten(),
    layers.Dense(4, activation="softmax"),
])
model.compile(keras.optimizers.Adam(0.01, use_ema=True), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x, y, batch_size=32, epochs=int(os.environ["EPOCHS"]), validation_split=0.2, verbose=0,
    callbacks=[keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.05), [counts, early]],
)
print(history.epoch, history.history, history.params["epochs"])
print(counts.losses, counts.limit, early.best, early.wait, early.best_epoch, model.optimizer.iterations.numpy())
print(keras.random.uniform((2,)).numpy().tolist())
print(*(np.asarray(variable).ravel()[:3].tolist() for variable in model.variables))
print(model.evaluate(x, y, verbose=0))
"""
"""Prints all that a script can see of a fit with state in the optimizer, layers, callbacks and random number generators."""


def train(python: Path, folder: Path, script: str, *, runner: str = "", **environment: str) -> str:
    """Run a script as a runtime would, through ``runner`` if given, and return its output.

    The checkpoints stay in ``folder``/checkpoints, so that the next call resumes from them.
    """
    shutil.rmtree(folder / "out", ignore_errors=True)
    for name in ("out", "checkpoints"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "nn.py").write_text(script)
    (folder / "run.py").write_text(runner)
    variables = {
        "PYTHONPATH": str(RECORDER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "EPOCHAL_OUT": "out",
        "EPOCHAL_CHECKPOINTS": "checkpoints",
    }
    result = subprocess.run(
        [python, "run.py" if runner else "nn.py"],
        cwd=folder,
        env=os.environ | variables | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def read_fits(folder: Path) -> list[Fit]:
    """Return the fits of the last training run in ``folder``, after checking that the recorder reported no fault."""
    metrics = (folder / "out" / "metrics.jsonl").read_text()
    assert parse_faults(metrics) == []
    return parse_fits(metrics)


def digest_arrays(checkpoint: Path) -> dict[str, str]:
    """Return digests of the arrays in a checkpoint: weights, optimizer and random state.

    The first array is left out, because it only describes the others.
    """
    with zipfile.ZipFile(checkpoint) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist() if name != "arr_0.npy"
        }


@pytest.mark.parametrize(("sample", "first", "all_epochs"), [("ml_code", 20, 30), ("examples/cifar10", 2, 3)])
def test_resumed_training_equals_an_uninterrupted_one(
    sample: str, first: int, all_epochs: int, warm_keras_python: Path, tmp_path: Path
) -> None:
    """The sample scripts end with the same weights, optimizer state, random state and metrics, down to the last bit.

    The CIFAR-10 model has dropout and augmentation, which draw random numbers.
    """

    def train_in_turn(name: str, *epochs: int) -> tuple[str, list[Fit], dict[str, str]]:
        folder = tmp_path / name
        shutil.copytree(TOP / sample, folder)
        source = (folder / "nn.py").read_bytes()
        constant = parse_script(source).epochs[0].constant
        for count in epochs:
            script = source if count == constant.value else change_all(source, {constant: count})
            output = train(warm_keras_python, folder, script.decode(), runner=DETERMINISTIC)
        return (
            output,
            read_fits(folder),
            digest_arrays(folder / "checkpoints" / f"model1-fit1-epoch{all_epochs:06}.npz"),
        )

    output, (continued,), state = train_in_turn("continued", first, all_epochs)
    expected_output, (uninterrupted,), expected_state = train_in_turn("uninterrupted", all_epochs)
    assert (continued.continued, continued.trained, uninterrupted.trained) == (first, all_epochs - first, all_epochs)
    assert [epoch.metrics for epoch in continued.epochs] == [epoch.metrics for epoch in uninterrupted.epochs]
    assert state == expected_state
    assert [line for line in output.splitlines() if line.startswith("Test ")] == [
        line for line in expected_output.splitlines() if line.startswith("Test ")
    ]


def test_all_state_is_restored(warm_keras_python: Path, tmp_path: Path) -> None:
    """A script sees no difference, however often its fit has resumed, even if no epochs were left to train."""

    def train_stateful(name: str, epochs: str) -> str:
        return train(warm_keras_python, tmp_path / name, STATEFUL, runner=DETERMINISTIC, EPOCHS=epochs)

    uninterrupted = train_stateful("uninterrupted", "7")
    for epochs in ("3", "5", "7", "7"):
        continued = train_stateful("continued", epochs)
    assert continued == uninterrupted
    (fit,) = read_fits(tmp_path / "continued")
    assert (fit.continued, fit.trained, len(fit.epochs), fit.ended) == (7, 0, 7, True)


TRAPS = """
import os
import numpy as np
import keras
from keras import layers

wanted = int(os.environ["EPOCHS"])
again = wanted == 5
random = np.random.default_rng(0)
x, y = random.random((32, 4), "float32"), random.integers(0, 2, 32)

class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2, activation="softmax")
    def call(self, inputs):
        return self.dense(inputs)

def make(activation="relu", optimizer="sgd", loss="sparse_categorical_crossentropy", built=True, frozen=False):
    if again:
        keras.Sequential([layers.Dense(3)])  # names are numbered on
    first = [keras.Input((4,))] if built else []
    hidden = layers.Dense(3, activation=activation, trainable=not frozen)
    model = keras.Sequential([*first, hidden, layers.Dense(2, activation="softmax")])
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)  # sooner than a graph for so little
    return model

def fit(model, x=x, y=y, epochs=wanted, **options):
    history = model.fit(x, y, epochs=epochs, verbose=0, **options)
    assert len(history.history["loss"]) == len(history.epoch) == epochs, history.history

changed = dict(
    activation=lambda: fit(make(activation="tanh" if again else "relu")),
    optimizer=lambda: fit(make(optimizer="adam" if again else "sgd")),
    rate=lambda: fit(make(optimizer=keras.optimizers.SGD(0.02 if again else 0.01))),
    loss=lambda: fit(make(loss="sparse_categorical_crossentropy" if again else
                          keras.losses.SparseCategoricalCrossentropy(ignore_class=9))),
    frozen=lambda: fit(make(frozen=again)),
    batch_size=lambda: fit(make(), batch_size=16 if again else 8),
    data=lambda: fit(make(), x=x + (0.5 if again else 0)),
    shape=lambda: fit(make(), x=x[:16] if again else x, y=y[:16] if again else y),
    fewer=lambda: fit(make(), epochs=1 if again else wanted),
    weights=lambda: fit(make(), class_weight={0: 1.0, 1: np.float32(3 if again else 2)}),
    # these are the same as before
    plain=lambda: fit(make()),
    unbuilt=lambda: fit(make(built=False)),
    done=lambda: fit(make(), epochs=min(3, wanted)),
    truncated=lambda: fit(make()),
    emptied=lambda: fit(make()),
    gone=lambda: fit(make()),
    flipped=lambda: fit(make()),
    dataset=lambda: fit(make(), x=__import__("tensorflow").data.Dataset.from_tensor_slices((x, y)).batch(32), y=None),
)
for train in changed.values():
    train()

subclassed = Subclass()
subclassed.compile("adam", "sparse_categorical_crossentropy")
fit(subclassed)

tuned = make()
fit(tuned)  # goes on, so that what came of it before is of no use to the next one
tuned.layers[0].trainable = False
tuned.compile("sgd", "sparse_categorical_crossentropy")
fit(tuned, epochs=4)
copy = make()
copy.set_weights(tuned.get_weights())
fit(copy, epochs=4)
"""
"""Fits a model for each case, in this order; the last training run changes something in each of the first ten."""

CHANGES = {
    1: "the training setup has changed: the model: layer 2: activation 'relu' → 'tanh'",
    2: "the training setup has changed: the optimizer: class_name 'SGD' → 'Adam'",
    3: "the training setup has changed: the optimizer: learning_rate 0.009",
    4: "the training setup has changed: the loss: loss",
    5: "the training setup has changed: the model: layer 2: trainable True → False",
    6: "the training setup has changed: the batches: batch_size 8 → 16",
    7: "the training setup has changed: the training data: x: 1 has different values",
    8: "the training setup has changed: the training data: x: 1",
    9: "the checkpoint is from epoch 3, but the fit ends after epoch 1",
    10: "the training setup has changed: the batches: class_weight: 1 2.0 → 3.0",
}


def test_only_an_unchanged_fit_resumes(warm_keras_python: Path, tmp_path: Path) -> None:
    """A fit resumes only from a complete checkpoint of exactly the same training setup; otherwise it says why.

    The script asserts that each history covers all epochs.
    """
    for epochs in ("2", "3"):
        train(warm_keras_python, tmp_path, TRAPS, EPOCHS=epochs)
    checkpoints = tmp_path / "checkpoints"
    truncated = checkpoints / "model14-fit1-epoch000003.npz"
    truncated.write_bytes(truncated.read_bytes()[:-100])
    for emptied in checkpoints.glob("model15-*"):
        emptied.write_bytes(b"")
    for gone in checkpoints.glob("model16-*"):
        gone.rename(gone.with_suffix(".tmp"))
    flipped = checkpoints / "model17-fit1-epoch000003.npz"
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    train(warm_keras_python, tmp_path, TRAPS, EPOCHS="5")

    fits = {(fit.model, fit.call): fit for fit in read_fits(tmp_path)}
    for model, reason in CHANGES.items():
        fit = fits[model, 1]
        assert (fit.continued, fit.trained) == (0, fit.target_epoch), model
        assert fit.why.startswith(reason), (model, fit.why)
    assert {key: (fit.continued, fit.why) for key, fit in fits.items() if key[0] > len(CHANGES)} == {
        (11, 1): (3, ""),
        (12, 1): (3, ""),
        (13, 1): (3, ""),
        (14, 1): (2, "model14-fit1-epoch000003.npz is damaged: File is not a zip file"),
        (15, 1): (0, "model15-fit1-epoch000003.npz is damaged: No data left in file"),
        (16, 1): (0, ""),
        (17, 1): (2, "model17-fit1-epoch000003.npz is damaged: Bad CRC-32 for file 'arr_0.npy'"),
        (18, 1): (3, ""),
        (19, 1): (3, ""),
        (20, 1): (3, ""),
        (20, 2): (0, "an earlier fit of the same model has changed since this checkpoint was written"),
        (21, 1): (0, "an earlier fit of the same model has changed since this checkpoint was written"),
    }


def test_fit_stops_once_it_reaches_the_threshold(warm_keras_python: Path, tmp_path: Path) -> None:
    """No epoch is trained after the one that reaches EPOCHAL_STOP_AT, not even after resuming.

    The script still runs to its end. Without validation data, all epochs are trained.
    """
    script = CLIMBING + FIT + TEST
    train(warm_keras_python, tmp_path, script, EPOCHAL_STOP_AT="0.3")
    (fit,) = read_fits(tmp_path)
    assert (fit.trained, fit.target_epoch, fit.stopped_by) == (15, 20, StoppedBy.THRESHOLD)
    assert fit.validation_accuracy == pytest.approx(0.3)
    assert json.loads((tmp_path / "out" / "accuracy.json").read_text())["accuracy"] == pytest.approx(0.25)
    train(warm_keras_python, tmp_path, script.replace("epochs = 20", "epochs = 30"), EPOCHAL_STOP_AT="0.3")
    (fit,) = read_fits(tmp_path)
    assert (fit.continued, fit.trained, fit.stopped_by) == (15, 0, StoppedBy.THRESHOLD)
    train(warm_keras_python, tmp_path, script.replace(", validation_data=validation", ""), EPOCHAL_STOP_AT="0.3")
    assert [(fit.trained, fit.stopped_by) for fit in read_fits(tmp_path)] == [(20, None)]


def test_fit_that_ended_itself_trains_no_more_epochs(warm_keras_python: Path, tmp_path: Path) -> None:
    """Raising the epochs does not extend a fit that the script's own callback ended; its best weights are restored again.

    Only the first 32 fits of a script keep checkpoints, and the later ones say so.
    """
    script = (
        CLIMBING.replace("epochs = 20", "epochs = int(__import__('os').environ['EPOCHS'])")
        + """
class Tires(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 3
best = keras.callbacks.EarlyStopping("accuracy", mode="min", patience=9, restore_best_weights=True)
history = model.fit(x, yes, batch_size=100, epochs=epochs, callbacks=[Tires(), best], verbose=0)
print(history.epoch, np.asarray(model.level))
for count in range(32):
    again = Climbing()
    again.compile(keras.optimizers.SGD(rate), up, run_eagerly=True)
    again.fit(x, yes, verbose=0)
"""
    )
    output = train(warm_keras_python, tmp_path, script, EPOCHS="6")
    assert output == train(warm_keras_python, tmp_path, script, EPOCHS="9") == "[0, 1, 2, 3] [0.02]\n"
    fits = read_fits(tmp_path)
    assert (fits[0].continued, fits[0].trained, fits[0].stopped_by) == (4, 0, StoppedBy.SCRIPT)
    assert [(fit.continued, fit.why) for fit in fits[-2:]] == [
        (1, ""),
        (0, "only the first 32 fits of nn.py keep checkpoints"),
    ]


def test_unsupported_fits_train_from_the_beginning(warm_keras_python: Path, tmp_path: Path) -> None:
    """A fit says why it does not resume if its first batch builds the model or the script keeps its own backup.

    The script's own training loop is left alone.
    """
    script = (
        CLIMBING
        + """
class Own(Climbing):
    def train_step(self, data):
        return super().train_step(data)

def batches():
    while True:
        yield x, yes

def make(kind=Own):
    made = kind()
    made.compile(keras.optimizers.SGD(rate), up, metrics=["accuracy"])
    return made

make().fit(batches(), steps_per_epoch=1, epochs=2, verbose=0)
made = make()
made(x)
made.fit(x, yes, epochs=2, verbose=0, callbacks=[keras.callbacks.BackupAndRestore("backup", delete_checkpoint=False)])
made = make(Climbing)
for step in range(3):
    made.train_on_batch(x, yes)
print(np.asarray(made.level).round(3))
"""
    )
    for _ in range(2):
        assert train(warm_keras_python, tmp_path, script, TF_CPP_MIN_LOG_LEVEL="3") == "[0.06]\n"
    generated, restored = read_fits(tmp_path)
    assert (generated.continued, generated.trained) == (0, 2)
    assert "make keras.Input its first layer" in generated.why
    assert "nn.py itself resumes from a backup" in restored.why


@pytest.mark.parametrize(("kept", "continued"), [(True, 0), (False, 2)])
def test_script_resumes_from_its_own_backup(
    kept: bool, continued: int, warm_keras_python: Path, tmp_path: Path
) -> None:
    """A script resumes from its own backup if it still has one, and otherwise from the checkpoint."""
    script = (
        CLIMBING.replace("epochs = 20", "epochs = int(__import__('os').environ['EPOCHS'])")
        + """
model(x)
backup = keras.callbacks.BackupAndRestore("backup", delete_checkpoint=False)
history = model.fit(x, yes, batch_size=100, epochs=epochs, callbacks=[backup], verbose=0)
print(history.epoch, np.asarray(model.level).round(3))
"""
    )
    assert train(warm_keras_python, tmp_path, script, EPOCHS="2") == "[0, 1] [0.04]\n"
    if not kept:
        shutil.rmtree(tmp_path / "backup")
    resumed = "[2, 3]" if kept else "[0, 1, 2, 3]"
    assert train(warm_keras_python, tmp_path, script, EPOCHS="4") == f"{resumed} [0.08]\n"
    (fit,) = read_fits(tmp_path)
    assert (fit.continued, fit.trained, "backup" in fit.why) == (continued, 2, kept)


def test_files_written_during_a_fit_are_restored(warm_keras_python: Path, tmp_path: Path) -> None:
    """A best model saved before the checkpoint can be loaded after resuming. A file that the new run wrote is kept."""
    script = (
        CLIMBING
        + """
import os
class Best(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.best = 1.0
    def on_epoch_end(self, epoch, logs=None):
        if logs["accuracy"] < self.best:
            self.best = logs["accuracy"]
            os.makedirs("saved", exist_ok=True)
            np.save("saved/best.npy", self.model.level.numpy())
        note()
def note():
    open("notes.txt", "w").write(os.environ["RUN"])
note()
model.fit(x, yes, batch_size=100, epochs=int(os.environ["EPOCHS"]), callbacks=[Best()], verbose=0)
print(np.load("saved/best.npy"), open("notes.txt").read())
"""
    )
    for run, epochs in (("first", "2"), ("second", "3"), ("third", "3")):
        shutil.rmtree(tmp_path / "saved", ignore_errors=True)
        assert train(warm_keras_python, tmp_path, script, EPOCHS=epochs, RUN=run) == f"[0.02] {run}\n"
    assert read_fits(tmp_path)[0].continued == 3


def test_small_file_is_restored_beside_one_that_is_too_large(warm_keras_python: Path, tmp_path: Path) -> None:
    """Only the large file is left out, because it exceeds the limit of 256 MB, although it is newer."""
    script = (
        CLIMBING
        + """
import os
class Save(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        np.save("small.npy", np.float32(epoch))
        with open("large.bin", "wb") as large:
            large.truncate(257_000_000)
model.fit(x, yes, batch_size=100, epochs=2, callbacks=[Save()], verbose=0)
print(np.load("small.npy"), os.path.exists("large.bin"))
"""
    )
    for large in (True, False):
        for name in ("small.npy", "large.bin"):
            (tmp_path / name).unlink(missing_ok=True)
        assert train(warm_keras_python, tmp_path, script) == f"1.0 {large}\n"
    assert read_fits(tmp_path)[0].continued == 2


def test_fits_with_hidden_state_do_not_resume(warm_keras_python: Path, tmp_path: Path) -> None:
    """The hidden state is a second optimizer, a TensorFlow variable, or a second process with its own fits."""
    script = (
        CLIMBING
        + """
import os, subprocess, sys
import tensorflow as tf
class Two(Climbing):
    def __init__(self, state):
        super().__init__()
        self.other = state
if len(sys.argv) == 1:
    for state in (keras.optimizers.Adam(), tf.Variable(0.0)):
        two = Two(state)
        two.compile("sgd", up)
        two.fit(x, yes, epochs=2, verbose=0)
    subprocess.run([sys.executable, "nn.py", "child"], check=True)
else:
    model.fit(x, yes, epochs=2, verbose=0)
"""
    )
    for _ in range(2):
        train(warm_keras_python, tmp_path, script, TF_CPP_MIN_LOG_LEVEL="3")
    assert list((tmp_path / "checkpoints").iterdir()) == []
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    fits = [event for event in map(json.loads, lines) if event["event"] == "fit"]
    assert [(event["continued"], event["why"].rpartition(": ")[2]) for event in fits] == [
        (0, "other"),
        (0, "other"),
        (0, "the checkpoints are written by another nn.py process"),
    ]
