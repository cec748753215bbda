"""Keras code through the jobs: what the recorder sees, and what is told of yesterday's Keras."""

from pathlib import Path

import pytest

from epochal.errors import Reason
from epochal.records import AccuracySource, State
from tests.jobs.chain import train_commit

pytestmark = pytest.mark.keras

_KERAS_2 = """\
from keras.preprocessing.image import ImageDataGenerator
from keras.models import Sequential
model = Sequential()
model.fit_generator(ImageDataGenerator(), epochs=20)
"""

_KERAS_3 = """\
import numpy as np
import keras
epochs = 2
x, y = np.random.rand(64, 4), np.random.randint(0, 2, 64)
test = np.random.rand(10, 4) + 1
test = np.concatenate([test, -test])  # without a bias half of them are of each class
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=epochs, verbose=0)
labels = np.argmax(model.predict(test, verbose=0), axis=1)
labels[:2] = 1 - labels[:2]
model.evaluate(test, labels, verbose=0)
print("accuracy is what this banner is about")
"""


def test_yesterdays_keras_is_told_before_training(home: Path, tmp_path: Path) -> None:
    """A script for Keras 2 is told line by line, before it fails, which of its names newer versions lack."""
    ended = train_commit(home, tmp_path, {"nn.py": "\ufeff" + _KERAS_2})
    assert (ended.run.state, ended.status) == (State.FAILED, 1)
    assert any(note.startswith("nn.py line 1: ") and "ImageDataGenerator" in note for note in ended.run.notes)
    assert any(note.startswith("nn.py line 4: ") and "fit_generator" in note for note in ended.run.notes)
    printed = ended.printed["train"]
    assert printed.index("note: nn.py line 1") < printed.index(f"failed: {ended.run.reason}")
    assert ended.run.reason in (Reason.IMPORT_ERROR, Reason.SCRIPT_ERROR)


def test_evaluate_is_what_counts(home: Path, tmp_path: Path) -> None:
    """An accuracy that the script never printed is read from its evaluate(): 18 of 20 reach 0.9, though Keras' 32-bit
    0.9 is a little less. Each epoch is a line."""
    ended = train_commit(home, tmp_path, {"nn.py": _KERAS_3, "epochal.toml": "threshold = 0.9\n"})
    assert (ended.run.state, ended.status) == (State.REACHED, 0), ended.printed
    (trial,) = ended.run.trials
    assert trial.accuracy and (trial.accuracy.value, trial.accuracy.source) == (0.9, AccuracySource.EVALUATE)
    assert trial.epochs_trained == 2
    assert "  epoch 2/2  accuracy " in ended.printed["train"]
    assert ended.run.framework_why == "nn.py line 2 imports keras"
