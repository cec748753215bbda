"""Observers of calls of Keras' evaluate and predict: which rows they read, and what they measured or answered."""

import numpy

from .data import samples
from .labels import is_same
from .measuring import LEAST_ROWS, Tested
from .networks import accuracy_name, counts_padding, measured_samples, outputs_of
from .output import as_json
from .rows import hash_rows


class _Call:
    """Observer of one call, which Keras notifies through a callback when the call begins."""

    def __init__(self, shared, number, model, arguments, origin):
        self._shared = shared
        self._number = number
        self._model = model
        self._arguments = arguments
        self._origin = origin
        self.tested = Tested(*outputs_of(model))
        self.is_read_again = False
        """Whether Keras reads the first batch twice, the first time only to find out its shape."""

    def _begins(self, logs=None):
        if self.is_read_again:
            self.tested.begin()


class Evaluate(_Call):
    """Observer of one call of evaluate: records its metrics, and the accuracy if it is among them."""

    def callback(self):
        """Return the callback to pass to Keras."""
        import keras

        return keras.callbacks.LambdaCallback(on_test_begin=self._begins, on_test_end=self._ends)

    def ended(self, _returned):
        """Do nothing, because everything was recorded when the test ended."""

    def _ends(self, logs=None):
        with self._shared.output.telling_faults():
            metrics = as_json(logs)
            if is_same(self._arguments.get("y"), self._arguments.get("x")):
                self.tested.is_autoencoder = True
            told = self._shared.described(self.tested, self._origin, counts_padding(self._model))
            if self._arguments.get("steps"):  # Keras reads more rows ahead than it measures
                told["samples"] = measured_samples(self._model) or told["samples"]
            elif not told["samples"]:
                told["samples"] = samples(self._arguments.get("x")) or measured_samples(self._model)
            on = {"samples": told["samples"], "test_set": told["test_set"]}
            compiled = getattr(self._model, "_compile_metrics", None)
            kinds = {metric.name: type(metric).__name__ for metric in getattr(compiled, "metrics", None) or ()}
            self._shared.output.event(event="evaluate", model=self._number, metrics=metrics, kinds=kinds, **told)
            name = accuracy_name(metrics)
            if name:
                self._shared.output.accuracy(accuracy=metrics[name], source="evaluate", **on, metrics=metrics)


class Predict(_Call):
    """Observer of one call of predict, whose answers the script may compare with labels later."""

    def callback(self):
        """Return the callback to pass to Keras."""
        import keras

        return keras.callbacks.LambdaCallback(on_predict_begin=self._begins)

    def ended(self, returned):
        """Record the prediction and keep its answers, unless its rows are too few for a test."""
        if self.tested.rows < LEAST_ROWS:
            return
        answers = answers_of(returned) if hasattr(returned, "shape") else ()
        is_features = getattr(returned, "ndim", 0) == 2 and returned.shape[1] > 1
        results = hash_rows(returned) if is_features else None
        self._shared.predicted(self.tested, self._origin, answers, {"model": self._number}, results=results)


def answers_of(outputs):
    """Return the arrays of classes that a network's outputs may be read as.

    ``outputs`` has one value per row, or classes in the last dimension (rows × classes, rows × length × classes).
    """
    outputs = numpy.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return [outputs.argmax(axis=1), outputs > 0.5]
    if outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1):
        flat = outputs.ravel()
        return [flat > 0.5, flat > 0, numpy.round(flat)]
    return [outputs.argmax(axis=-1)] if outputs.ndim > 2 else []
