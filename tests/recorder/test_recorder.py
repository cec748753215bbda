"""The recorder, loaded through PYTHONPATH: which events it writes, and that the script behaves the same without it."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RECORDER = Path(__file__).parents[2] / "epochal" / "recorder"

BEGINNING = """
import numpy as np
rng = np.random.default_rng(0)
x, y = rng.random((48, 4), "float32"), rng.integers(0, 2, 48)
"""

EVERYTHING = (
    "import keras\n"
    + BEGINNING
    + """
import json

def make(model_class=keras.Sequential, **settings):
    model = model_class([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", **({"metrics": ["accuracy"]} | settings))
    return model

order = []
class First(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        with open("out/metrics.jsonl", "a+") as file:
            file.seek(0)
            order.append(file.read().count('"event": "epoch"'))

class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3
    def __getitem__(self, index):
        return x[index::3], y[index::3]

class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2, activation="softmax")
    def call(self, inputs):
        return self.dense(inputs)

def reads():
    return json.load(open("out/accuracy.json"))

one, mine = make(), [First()]
history = one.fit(x, y, 16, 2, 0, mine, 0.25)  # positional
assert len(mine) == 1 and order == [0, 1], order
assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
one.fit(x, y, epochs=3, initial_epoch=2, verbose=0, callbacks=First())
assert not __import__("os").path.exists("out/accuracy.json")  # validation is no evaluate

two = Subclass()
two.compile("sgd", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
given = keras.callbacks.CallbackList([First()], add_history=True, model=two)
two.fit(Batches(), epochs=1, verbose=0, callbacks=given)
assert len(given.callbacks) == 2
two.evaluate(Batches(), verbose=0)
assert reads()["samples"] == 48 and len(reads()["test_set"]) == 16 and "sparse_categorical_accuracy" in reads()["metrics"], reads()

loss, accuracy = one.evaluate(x, y, verbose=0)
measured = {"accuracy": accuracy, "loss": loss}
told = reads()
assert len(told.pop("test_set")) == 16
assert told == {"accuracy": accuracy, "source": "evaluate", "samples": 48, "metrics": measured}, told
assert one.evaluate(x[:8], y[:8], 4, 0, return_dict=True)["accuracy"] == reads()["accuracy"]
assert reads()["samples"] == 8
before = reads()
make(metrics=[keras.metrics.SparseTopKCategoricalAccuracy(1)]).evaluate(x, y, verbose=0)
assert reads() == before

diverged = make()
diverged.fit(x * np.inf, y, verbose=0)
open("out/accuracy.json", "w").write('{"accuracy": 0.5}')
one.evaluate(x, y, verbose=0)
assert reads() == {"accuracy": 0.5}
"""
)


def run(python: Path | str, script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a runtime does, with the recorder on PYTHONPATH and its output folder in EPOCHAL_OUT."""
    (folder / "out").mkdir(exist_ok=True)
    (folder / "nn.py").write_text(script)
    variables = {"PYTHONPATH": str(RECORDER), "PYTHONDONTWRITEBYTECODE": "1", "EPOCHAL_OUT": "out"} | environment
    return subprocess.run(
        [python, "nn.py"], cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=300
    )


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the events in metrics.jsonl about epochs, measurements and faults; every line must be strict JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    lines = (folder / "out" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line, parse_constant=refuse) for line in lines]
    return [event for event in events if event["event"] in ("epoch", "evaluate", "score", "fault")]


@pytest.mark.keras
def test_fits_and_evaluates_are_recorded_without_side_effects(warm_keras_python: Path, tmp_path: Path) -> None:
    """The events distinguish models, fits and epochs; the script asserts that the recorder does not interfere."""
    result = run(warm_keras_python, EVERYTHING, tmp_path)

    assert result.returncode == 0, result.stderr
    events = read_events(tmp_path)
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [(event["model"], event["call"], event["epoch"], event["epochs"]) for event in epochs] == [
        (1, 1, 1, 2),
        (1, 1, 2, 2),
        (1, 2, 3, 3),
        (2, 1, 1, 1),
        (4, 1, 1, 1),
    ]
    assert set(epochs[0]["metrics"]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(0 < event["seconds"] < 60 for event in epochs)
    assert [event["samples"] for event in epochs] == [36, 36, 48, None, 48]
    assert math.isnan(float(epochs[-1]["metrics"]["loss"]))
    evaluates = [(event["model"], event["samples"]) for event in events if event["event"] == "evaluate"]
    assert evaluates == [(2, 48), (1, 48), (1, 8), (3, 48), (1, 48)]
    assert len(events) == len(epochs) + len(evaluates)


REGRESSIONS = """
import numpy as np, keras
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 4)).astype("float32")

def close_accuracy(y, answers):
    return keras.ops.mean(keras.ops.cast(keras.ops.abs(keras.ops.cast(y, "float32") - answers) < 5, "float32"))

def test(y, loss="mse", metric="accuracy", units=1):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    model.compile("sgd", loss, metrics=[metric])
    model.fit(x[:200], y[:200], validation_data=(x[200:250], y[200:250]), verbose=0)
    model.evaluate(x[250:], y[250:], verbose=0)

rented, many = rng.integers(20, 90, 300), keras.utils.to_categorical(rng.integers(0, 25, 300))
test(rented), test(rented[:, None], "mae", "acc"), test(np.where(rng.random(300) < 0.8, 0, rented), "huber")
test(rng.integers(0, 2, 300)), test(rng.integers(0, 2, 300) * 2.0 - 1, "mae"), test(rng.integers(0, 9, 300))
test(rented, metric=close_accuracy), test(many, "mse", units=25)
test(rng.integers(0, 25, 300), keras.losses.SparseCategoricalCrossentropy(from_logits=True), units=25)
"""


@pytest.mark.keras
def test_accuracy_of_many_integers_belongs_to_a_regression(warm_keras_python: Path, tmp_path: Path) -> None:
    """Two or a few integers may be classes, and the script's own metric may count the answers that are close enough."""
    result = run(warm_keras_python, REGRESSIONS, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    for kind in ("validation", "evaluate"):
        labels = [event["labels"][""]["kind"] for line in lines if (event := json.loads(line))["event"] == kind]
        assert labels == ["numbers"] * 3 + ["classes"] * 4 + ["one-hot", "classes"]


@pytest.mark.keras
def test_divergence_is_recorded_with_the_largest_input(warm_keras_python: Path, tmp_path: Path) -> None:
    """Its sign does not matter, and a layer such as Rescaling may scale the inputs."""
    script = f"""import keras
{BEGINNING}
x[0, 0] = -2
for factor, layers in ((1e30, []), (1, [keras.layers.Rescaling(1e30)])):
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x * np.float32(factor), x[:, :2], verbose=0)
"""
    result = run(warm_keras_python, script, tmp_path)

    assert result.returncode == 0, result.stderr
    events = map(json.loads, (tmp_path / "out" / "metrics.jsonl").read_text().splitlines())
    diverged = [event for event in events if event["event"] == "diverged"]
    assert [(round(event["largest_input"] / 1e30, 3), event["scales"]) for event in diverged] == [(2, False), (0, True)]


@pytest.mark.keras
@pytest.mark.parametrize("style", ["from tensorflow import keras", "import tensorflow as tf; keras = tf.keras"])
def test_every_way_to_import_keras_is_observed(style: str, keras_python: Path, tmp_path: Path) -> None:
    """TensorFlow datasets are observed, too, and a script that changes its directory loses no events."""
    script = f"""{style}
import os, tensorflow as tf
{BEGINNING}
os.chdir("/")
model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["acc"])
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
model.fit(data, epochs=2, verbose=0)
model.evaluate(data, verbose=0)
"""
    result = run(keras_python, script, tmp_path)

    assert result.returncode == 0, result.stderr
    assert [event["event"] for event in read_events(tmp_path)] == ["epoch", "epoch", "evaluate"]
    assert json.loads((tmp_path / "out" / "accuracy.json").read_text())["samples"] == 48


@pytest.mark.keras
def test_keras_2_is_observed_like_keras_3(warm_keras_python: Path, tmp_path: Path) -> None:
    """tf_keras is Keras 2. Rows and metrics are recorded for every kind of data, but fits are not resumed."""
    script = f"""import tf_keras as keras
import tensorflow as tf
{BEGINNING}
class Batches(keras.utils.Sequence):
    def __len__(self):
        return 3
    def __getitem__(self, index):
        return x[index::3], y[index::3]

model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[:24], y[:24], epochs=2, verbose=0, validation_data=(x[24:], y[24:]))
model.evaluate(x[24:], y[24:], verbose=0)
model.fit(tf.data.Dataset.from_tensor_slices((x[:36], y[:36])).batch(8), verbose=0)
model.evaluate(x[36:], y[36:], verbose=0)
model.fit(Batches(), verbose=0)
print(*model.evaluate(x, y, verbose=0))
"""
    result = run(warm_keras_python, script, tmp_path, EPOCHAL_CHECKPOINTS="out")

    assert result.returncode == 0, result.stderr
    loss, accuracy = map(float, result.stdout.split())
    events = read_events(tmp_path)
    assert [event["event"] for event in events] == [
        "epoch",
        "epoch",
        "evaluate",
        "epoch",
        "evaluate",
        "epoch",
        "evaluate",
    ]
    evaluates = [event for event in events if event["event"] == "evaluate"]
    assert [event["seen"]["share"] for event in evaluates] == [0, 0, 1]
    assert [event["validated"] for event in evaluates] == [True, True, True]
    assert evaluates[-1]["metrics"] == {"loss": loss, "accuracy": accuracy}
    assert evaluates[-1]["kinds"] == {"accuracy": "SparseCategoricalAccuracy"}
    assert '"why": "fits cannot be resumed with Keras 2"' in (tmp_path / "out" / "metrics.jsonl").read_text()


@pytest.mark.keras
def test_validation_on_the_test_data_is_reported(warm_keras_python: Path, tmp_path: Path) -> None:
    """Validation rows are recognised in arrays, in datasets and in a split of the training data."""
    script = f"""import keras, tensorflow as tf
{BEGINNING}
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
first, second = (tf.data.Dataset.from_tensor_slices((x, y)).batch(16) for _ in range(2))
model.fit(x, y, verbose=0)
model.evaluate(x[24:], y[24:], verbose=0)
model.fit(x, y, validation_split=0.5, verbose=0)
model.evaluate(x[:24], y[:24], verbose=0)
model.evaluate(x[24:], y[24:], verbose=0)
model.fit(x, y, validation_data=(x[:9], y[:9]), verbose=0)
model.evaluate(x[:9].copy(), y[:9].copy(), verbose=0)
model.evaluate(x[:9], 1 - y[:9], verbose=0)
model.fit(x, y, validation_data=first, verbose=0)
model.evaluate(first, verbose=0)
model.evaluate(second, verbose=0)
"""
    result = run(warm_keras_python, script, tmp_path)

    assert result.returncode == 0, result.stderr
    evaluates = [event for event in read_events(tmp_path) if event["event"] == "evaluate"]
    assert [event["validated"] for event in evaluates] == [False, False, True, True, True, True, True]
    assert [event["samples"] for event in evaluates] == [24, 24, 24, 9, 9, 48, 48]
    sets = [event["test_set"] for event in evaluates]
    assert [sets.index(each) for each in sets] == [0, 1, 0, 3, 3, 5, 5]


@pytest.mark.keras
def test_recorder_fault_is_reported_once_and_training_continues(warm_keras_python: Path, tmp_path: Path) -> None:
    """The fault is reported in metrics.jsonl, or on standard error if that file cannot be written."""
    script = f"""import keras
{BEGINNING}
import os, shutil
def train():
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert len(model.fit(x, y, epochs=2, verbose=0).history["loss"]) == 2
    model.evaluate(x, y, verbose=0)
os.mkdir("out/accuracy.tmp")  # in the recorder's way
train()
train()
shutil.move("out", "told")
train()
shutil.move("told", "out")
"""
    result = run(warm_keras_python, script, tmp_path)

    assert result.returncode == 0, result.stderr
    assert [event["event"] for event in read_events(tmp_path) if event["event"] != "epoch"] == [
        "evaluate",
        "fault",
        "evaluate",
    ]
    assert result.stderr.count("epochal: training cannot be recorded: FileNotFoundError") == 1


@pytest.mark.keras
@pytest.mark.parametrize("arguments", ["x, y, workers=4", "x, y, epochs=None", "x, y, epochs='many'", "x, y[1:]"])
def test_call_that_keras_refuses_is_no_fault(warm_keras_python: Path, tmp_path: Path, arguments: str) -> None:
    """Keras' own error says what is wrong with the call, so the recorder reports nothing."""
    script = f"""import keras
{BEGINNING}
model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
try:
    model.fit({arguments})
except (TypeError, ValueError):
    model.fit(x, y, epochs=1, verbose=0)
"""
    result = run(warm_keras_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert [event["event"] for event in read_events(tmp_path)] == ["epoch"]


def test_shadowed_sitecustomize_still_runs(tmp_path: Path) -> None:
    """The recorder's sitecustomize hides any other that is later on the path, so it has to run that one itself."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys\nsys.told = __file__\n")
    script = "import sys, sitecustomize\nassert sys.told == sitecustomize.__file__, sitecustomize\nprint(sys.told)\n"

    result = run(sys.executable, script, tmp_path, PYTHONPATH=f"{RECORDER}{os.pathsep}{other}")

    assert (result.returncode, result.stdout, result.stderr) == (0, f"{other / 'sitecustomize.py'}\n", "")


def test_no_import_hook_without_an_output_folder(tmp_path: Path) -> None:
    """The recorder does nothing in a process that is not part of a training run."""
    script = "import sys\nprint([type(finder).__name__ for finder in sys.meta_path].count('_Finder'))\n"

    assert run(sys.executable, script, tmp_path, EPOCHAL_OUT="").stdout == "0\n"
    assert run(sys.executable, script, tmp_path).stdout == "1\n"
