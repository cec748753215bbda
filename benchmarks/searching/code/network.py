"""The data and the model that every search uses: 8x8-pixel handwritten digits, with shifted copies for training."""

from pathlib import Path

import keras
import numpy
import pandas
from keras import layers

TEST, VALIDATION = 360, 180


def images():
    """Return the training, validation and test data, each as images (n, 8, 8, 1) from 0 to 1 and labels (n,)."""
    digits = pandas.read_csv(Path(__file__).parent / "digits.csv.gz", header=None).sample(frac=1, random_state=0)
    x = digits.iloc[:, :64].to_numpy("float32").reshape(-1, 8, 8, 1) / 16
    y = digits.iloc[:, 64].to_numpy()
    training, validation = slice(0, -TEST - VALIDATION), slice(-TEST - VALIDATION, -TEST)
    return _moved(x[training], y[training]), (x[validation], y[validation]), (x[-TEST:], y[-TEST:])


def network(learning_rate, filters, conv_blocks, dense_units, dropout):
    """Return a compiled convolutional network."""
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for block in range(conv_blocks):
        model.add(layers.Conv2D(filters * 2**block, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(padding="same"))
    model.add(layers.Flatten())
    model.add(layers.Dense(dense_units, activation="relu"))
    model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.SGD(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _moved(x, y):
    """Return nine copies of each image, shifted by up to one pixel in each direction, with their labels."""
    places = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return numpy.concatenate([numpy.roll(x, place, (1, 2)) for place in places]), numpy.tile(y, len(places))
