"""Keras scripts in the jobs: what the recorder measures, and notes about names that newer versions have removed."""

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


def test_removed_keras_names_are_noted_before_training(home: Path, tmp_path: Path) -> None:
    """A script for Keras 2 fails, but first gets a note for each line with a name that newer versions lack."""
    result = train_commit(home, tmp_path, {"nn.py": "\ufeff" + _KERAS_2})
    assert (result.run.state, result.status) == (State.FAILED, 1)
    assert any(note.startswith("nn.py line 1: ") and "ImageDataGenerator" in note for note in result.run.notes)
    assert any(note.startswith("nn.py line 4: ") and "fit_generator" in note for note in result.run.notes)
    printed = result.printed["train"]
    assert printed.index("note: nn.py line 1") < printed.index(f"failed: {result.run.reason}")
    assert result.run.reason in (Reason.IMPORT_ERROR, Reason.SCRIPT_ERROR)


def test_accuracy_is_read_from_evaluate(home: Path, tmp_path: Path) -> None:
    """The script does not print its accuracy. Each epoch appears as a line in the output.

    18 correct samples of 20 reach the threshold of 0.9, although Keras reports a 32-bit float just below 0.9.
    """
    result = train_commit(home, tmp_path, {"nn.py": _KERAS_3, "epochal.toml": "threshold = 0.9\n"})
    assert (result.run.state, result.status) == (State.REACHED, 0), result.printed
    (trial,) = result.run.trials
    assert trial.accuracy and (trial.accuracy.value, trial.accuracy.source) == (0.9, AccuracySource.EVALUATE)
    assert trial.epochs_trained == 2
    assert "  epoch 2/2  accuracy " in result.printed["train"]
    assert result.run.framework_why == "nn.py line 2 imports keras"
