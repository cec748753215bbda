"""Read the weights, outputs and metrics of a Keras model."""

import contextlib
import re

import numpy

from .library import tree

_TOP_K = re.compile(r"(^|_)top_?(k|(?!1_)\d+)_")
"""Matches the names of top-k accuracies, which count a prediction as correct if the true class is among the k likeliest."""
_ACCURACY_CLASSES = ("Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy")
_CLASS_ACCURACIES = ("BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy")
"""Keras accuracy metrics that compare classes. A custom one may instead count predictions that are close enough."""
_DISTANCES = (
    "huber",
    "logcosh",
    "mae",
    "mape",
    "meanabsoluteerror",
    "meanabsolutepercentageerror",
    "meansquarederror",
    "meansquaredlogarithmicerror",
    "mse",
    "msle",
)


def weights_of(model):
    """Return the model's weights as arrays, one per variable.

    The arrays may share memory with the model, so the caller must read them immediately and not keep them.
    """
    try:
        weights = model.weights
    except ValueError:  # Keras 2 creates them when it reads the first batch
        return []
    arrays = []
    for weight in weights:
        array = None
        read = getattr(getattr(weight, "value", None), "read_value", None)  # TensorFlow variables have this method
        if read is not None:
            # A variable on a GPU, or of a type that Python lacks, is copied below.
            with contextlib.suppress(Exception):
                array = numpy.asarray(memoryview(read()))
        arrays.append(numpy.asarray(weight) if array is None else array)
    return arrays


def outputs_of(model):
    """Return a model's output names, the number of dimensions of its output, and whether the model masks padding.

    The number of dimensions includes the batch dimension; it is None if there are several outputs or the shape is
    unknown.
    """
    names = getattr(model, "output_names", None) or ()
    try:
        shape = model.output_shape
    except Exception:  # a subclass of Model may not know its shape before it is called
        return names, None, not counts_padding(model)
    is_one = isinstance(shape, tuple) and all(each is None or isinstance(each, int) for each in shape)
    return names, len(shape) if is_one else None, not counts_padding(model)


def is_regression(model):
    """Return whether all losses that the model was compiled with measure distances, as mean_squared_error does."""
    losses = [loss for loss in tree().flatten(getattr(model, "loss", None)) if loss is not None]
    names = (loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__) for loss in losses)
    return bool(losses) and all(name.replace("_", "").lower() in _DISTANCES for name in names)


def counts_padding(model):
    """Return whether an accuracy on sequences also counts padding tokens, as it does if no layer masks them."""
    return not any(
        getattr(layer, "mask_zero", False) or type(layer).__name__ == "Masking" for layer in model._flatten_layers()
    )


def count_measured_samples(model):
    """Return the number of samples that Keras counted for the loss in a call to evaluate.

    Returns None if Keras did not count them, for example because the script defines its own test_step or metrics.
    """
    tracker = getattr(model, "_loss_tracker", None)
    # A tracker that is not among the model's metrics is not reset, so it has also counted the training samples.
    if tracker is None or not any(metric is tracker for metric in model.metrics):
        return None
    return round(float(tracker.count)) or None


def accuracy_name(metrics, kinds=()):
    """Return the name of the accuracy among ``metrics``, or None if they include no accuracy.

    ``kinds``: a dict from metric names to class names, which identify an accuracy whatever the metric is called.
    """
    others = [name for name in metrics if name.endswith(("_accuracy", "_acc")) and not _TOP_K.search(name)]
    others += [name for name in metrics if name in kinds and kinds[name] in _ACCURACY_CLASSES]
    return next((name for name in ("accuracy", "acc", *others) if name in metrics), None)


def compares_classes(model):
    """Return whether the model was compiled with an accuracy metric that makes sense only if the labels are classes."""
    return any(kind in _CLASS_ACCURACIES for kind in metric_classes(model).values())


def metric_classes(model):
    """Return the class name of each metric that the model was compiled with, keyed by the metric's name."""
    # The second name is Keras 2's, where metrics that are functions share one class.
    compiled = getattr(model, "_compile_metrics", None) or getattr(model, "compiled_metrics", None)
    classes = {}
    for metric in getattr(compiled, "metrics", None) or ():
        function = getattr(metric, "_fn", None) if type(metric).__name__ == "MeanMetricWrapper" else None
        name = getattr(function, "__name__", "").title().replace("_", "")
        classes[metric.name] = name or type(metric).__name__
    return classes
