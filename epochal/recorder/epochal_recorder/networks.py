"""Asking a Keras model for its weights, its outputs and its metrics."""

import contextlib
import re

import numpy

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""A metric that counts a right answer among the best k is called accuracy too, and is none."""
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
    """Return the model's weights as arrays, which may be the memory that it trains in: to be read at once, and not kept."""
    arrays = []
    for weight in model.weights:
        array = None
        read = getattr(getattr(weight, "value", None), "read_value", None)  # a variable of TensorFlow's
        if read is not None:
            with contextlib.suppress(
                Exception
            ):  # one that is on a GPU, or of a type that Python does not have, is copied
                array = numpy.asarray(memoryview(read()))
        arrays.append(numpy.asarray(weight) if array is None else array)
    return arrays


def outputs_of(model):
    """Return the names of the model's outputs, how many dimensions its only one has, the rows included (or None), and whether
    tokens are masked."""
    names = getattr(model, "output_names", None) or ()
    try:
        shape = model.output_shape
    except Exception:  # a subclass of Model knows it only while it is called
        return names, None, not counts_padding(model)
    is_one = isinstance(shape, tuple) and all(each is None or isinstance(each, int) for each in shape)
    return names, len(shape) if is_one else None, not counts_padding(model)


def is_regression(model):
    """Return whether all losses that the model was compiled with are distances between numbers, as mean_squared_error is."""
    import keras

    losses = [loss for loss in keras.tree.flatten(getattr(model, "loss", None)) if loss is not None]
    names = (loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__) for loss in losses)
    return bool(losses) and all(name.replace("_", "").lower() in _DISTANCES for name in names)


def counts_padding(model):
    """Return whether an accuracy of sequences counts the tokens that pad them: no layer masks them."""
    return not any(
        getattr(layer, "mask_zero", False) or type(layer).__name__ == "Masking" for layer in model._flatten_layers()
    )


def measured_samples(model):
    """Return how many samples Keras has counted for its loss in an evaluate; None if it did not (its test_step is the script's)."""
    tracker = getattr(model, "_loss_tracker", None)
    # One that is none of the model's metrics is not reset either, and has counted what was trained on.
    if tracker is None or not any(metric is tracker for metric in model.metrics):
        return None
    return round(float(tracker.count)) or None


def accuracy_name(metrics):
    """Return the name of the metric that is the accuracy, None if none is."""
    others = (name for name in metrics if name.endswith("_accuracy") and not _TOP_K.search(name))
    return next((name for name in ("accuracy", "acc", *others) if name in metrics), None)
