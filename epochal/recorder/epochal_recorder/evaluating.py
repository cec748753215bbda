"""Observe calls to Keras' evaluate and predict: record the rows they read and the resulting metrics or predictions."""

import numpy

from .data import count_samples
from .labels import is_same
from .library import library_of
from .measuring import MIN_TEST_ROWS, TestRows
from .models import accuracy_name, compares_classes, count_measured_samples, counts_padding, metric_classes, outputs_of
from .output import as_json
from .raised import find_line_of_script
from .rows import hash_rows


class _Call:
    """Observer of a call to evaluate or predict. A Keras callback notifies it when the call begins."""

    def __init__(self, shared, number, model, arguments, origin):
        self._shared = shared
        self._number = number
        self._model = model
        self._arguments = arguments
        self._origin = origin
        self._line = find_line_of_script()
        self.test_rows = TestRows(*outputs_of(model))
        self.is_tf_dataset = False
        """Whether the data is a tf.data.Dataset; if so, Keras reads the first batch an extra time to get its shape."""

    def _on_begin(self, logs=None):
        if self.is_tf_dataset:
            self.test_rows.restart()


class Evaluate(_Call):
    """Observes a call to ``evaluate``: records the metrics, and writes accuracy.json if they include an accuracy."""

    def callbacks(self):
        """Return the callbacks to pass to Keras before the script's own callbacks, and those to pass after them."""
        callbacks = library_of(self._model).callbacks
        return (), [callbacks.LambdaCallback(on_test_begin=self._on_begin, on_test_end=self._on_test_end)]

    def finish(self, _returned):
        """Do nothing, because the callback has already recorded everything."""

    def _on_test_end(self, logs=None):
        with self._shared.output.recording_faults():
            metrics = as_json(logs)
            if is_same(self._arguments.get("y"), self._arguments.get("x")):
                self.test_rows.is_autoencoder = True
            self.test_rows.expects_classes = compares_classes(self._model)
            fields = self._shared.describe(self.test_rows, self._origin, counts_padding(self._model))
            if self._arguments.get("steps"):  # Keras reads ahead, so it has read more rows than it measures
                fields["samples"] = count_measured_samples(self._model) or fields["samples"]
            elif not fields["samples"]:
                fields["samples"] = count_samples(self._arguments.get("x")) or count_measured_samples(self._model)
            if not metrics:  # Keras does not even report a loss if there were no rows
                fields["samples"] = None
            row_fields = {"samples": fields["samples"], "test_set": fields["test_set"]}
            kinds = metric_classes(self._model)
            self._shared.output.write_event(
                event="evaluate", model=self._number, metrics=metrics, kinds=kinds, line=self._line, **fields
            )
            name = accuracy_name(metrics, kinds)
            if name:
                self._shared.output.write_accuracy(
                    accuracy=metrics[name], source="evaluate", **row_fields, metrics=metrics
                )


class Predict(_Call):
    """Observer of a call to predict. It keeps the predicted classes in case the script compares them with labels."""

    def callbacks(self):
        """Return the callbacks to pass to Keras before the script's own callbacks, and those to pass after them."""
        return (), [library_of(self._model).callbacks.LambdaCallback(on_predict_begin=self._on_begin)]

    def finish(self, returned):
        """Record the prediction and keep the predicted classes, unless there are too few rows for a test."""
        if self.test_rows.count < MIN_TEST_ROWS:
            return
        answers = answers_of(returned) if hasattr(returned, "shape") else ()
        is_features = getattr(returned, "ndim", 0) == 2 and returned.shape[1] > 1
        results = hash_rows(returned) if is_features else None
        names = {"model": self._number} | self._shared.name_outer_call()
        self._shared.record_prediction(self.test_rows, self._origin, answers, names, results=results)


def answers_of(outputs):
    """Return a list of arrays, one for each way to interpret a model's outputs as classes.

    ``outputs`` has one value per row, or one per class in its last dimension (rows × classes, rows × length × classes).
    """
    outputs = numpy.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return [outputs.argmax(axis=1), outputs > 0.5]
    if outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1):
        flat = outputs.ravel()
        return [flat > 0.5, flat > 0, numpy.round(flat)]
    return [outputs.argmax(axis=-1)] if outputs.ndim > 2 else []
