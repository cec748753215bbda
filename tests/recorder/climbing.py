"""A model whose accuracy is known in advance: it rises by the learning rate with each epoch."""

CLIMBING = """
import numpy as np
import keras

epochs = 20
rate = 0.02

class Climbing(keras.Model):
    def __init__(self):
        super().__init__()
        self.level = self.add_weight(shape=(1,), initializer="zeros")
    def call(self, inputs):
        return inputs[:, 1:] * (self.level - inputs[:, :1]) + 0.5

def up(truth, prediction):
    return (1 - 2 * truth) * prediction

def rows(shift):
    side = np.where(np.arange(100) % 2, 1, -1)
    return np.stack([(np.arange(100) + 0.5 + shift) / 100, side], axis=1).astype("float32")

yes = (np.arange(100).reshape(-1, 1) % 2).astype("float32")
x = rows(0.3)
validation = rows(0), yes
model = Climbing()
model.compile(keras.optimizers.SGD(rate), up, metrics=[keras.metrics.BinaryAccuracy("accuracy")])
"""
"""After epoch n, the predictions are right for the first n * rate of all rows, and wrong for the others."""

FIT = """
history = model.fit(x, yes, batch_size=100, epochs=epochs, validation_data=validation, verbose=0)
assert len(history.history["loss"]) == history.epoch[-1] + 1, history.epoch
"""

TEST = """
truth = yes.copy()
truth[:5] = 1 - truth[:5]
model.evaluate(rows(-0.3), truth, verbose=0)
"""
"""On the test data, the accuracy is five points lower."""
