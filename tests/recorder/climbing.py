"""A network whose accuracy is known beforehand: it climbs by the learning rate with each epoch."""

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
        return self.level - inputs + 0.5

def up(truth, prediction):
    return -prediction

x = (np.arange(100, dtype="float32").reshape(-1, 1) + 0.5) / 100
yes = np.ones((100, 1), "float32")
model = Climbing()
model.compile(keras.optimizers.SGD(rate), up, metrics=[keras.metrics.BinaryAccuracy("accuracy")])
"""
"""After epoch n the inputs below n * rate are predicted as 1: on (x, yes) the accuracy is n * rate."""

FIT = """
history = model.fit(x, yes, batch_size=100, epochs=epochs, validation_data=(x, yes), verbose=0)
assert len(history.history["loss"]) == history.epoch[-1] + 1, history.epoch
"""

TEST = """
truth = yes.copy()
truth[:5] = 0
model.evaluate(x, truth, verbose=0)
"""
"""On the test data the accuracy is five points lower."""
