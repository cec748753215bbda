"""Describe a fit's data without reading all of it."""

import hashlib

import numpy

from .batches import inputs_of
from .checkpoint import NotResumable
from .library import find_dataset_class

_MAX_ROWS = 64
_MAX_BYTES = 8_000_000


def describe(data):
    """Return a JSON description of ``data``: for each array, its shape, its type and a digest of up to 64 rows.

    A tf.data.Dataset is described by its element specification, its number of elements and the arrays that it was made
    from; a PyDataset by its class, its length and its multidimensional arrays; data that can only be read in order, by
    its class alone.
    """
    import keras

    return [_describe_leaf(leaf) for leaf in keras.tree.flatten(data)] if data is not None else None


def count_samples(x):
    """Return the number of samples in ``x``, or None if counting them would require reading the data.

    ``x`` may be an array, or a list or dictionary of arrays, one per input. Returns None for datasets and generators.
    """
    arrays = list(x.values()) if isinstance(x, dict) else x
    first = arrays[0] if isinstance(arrays, (list, tuple)) and arrays else arrays
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape else None


def find_datasets(arguments, *, with_training):
    """Return the PyDatasets in the arguments of a call to fit, except any that Keras does not read to the end.

    ``with_training``: whether to include the training data.
    """
    found = [arguments.get("x")] if with_training else []
    if not arguments.get("validation_steps"):
        validation = arguments.get("validation_data")
        found.append(validation[0] if isinstance(validation, (tuple, list)) and validation else validation)
    return [data for data in found if find_dataset_class(data) and getattr(data, "num_batches", None) is not None]


def placeholders(x):
    """Return symbolic Keras tensors with the shapes and types of ``x``, a model's input.

    Raises NotResumable if the shapes and types cannot be known without reading the data.
    """
    import keras

    return keras.tree.map_structure(_placeholder, x.element_spec[0] if hasattr(x, "element_spec") else x)


def _placeholder(leaf):
    import keras

    shape = getattr(leaf, "shape", None)
    if not shape:
        raise NotResumable("the model is built only when it receives its first batch; make keras.Input its first layer")
    kind = keras.backend.standardize_dtype(leaf.dtype)
    # Keras converts floating-point data to its default precision.
    return keras.KerasTensor((None, *shape[1:]), keras.config.floatx() if kind.startswith("float") else kind)


def _describe_leaf(leaf):
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return repr(leaf)
    if hasattr(leaf, "element_spec"):
        arrays = [_describe_leaf(numpy.asarray(tensor)) for tensor in _sources(leaf)]
        return {"dataset": repr(leaf.element_spec), "elements": int(leaf.cardinality()), "arrays": arrays}
    shape = getattr(leaf, "shape", None)
    if shape:
        shape = [int(size) for size in shape]
        return {"shape": shape, "type": str(getattr(leaf, "dtype", "")), "sample": _digest(leaf) if all(shape) else ""}
    length = len(leaf) if hasattr(leaf, "__len__") and shape is None else None
    attributes = getattr(leaf, "__dict__", {})
    # One-dimensional arrays are left out, because they may hold the order of the rows, shuffled anew each time.
    matrices = [each for _, each in sorted(attributes.items()) if isinstance(each, numpy.ndarray) and each.ndim > 1]
    return {"kind": type(leaf).__name__, "length": length, "arrays": [_describe_leaf(array) for array in matrices]}


def _sources(dataset):
    """Yield the tensors that a tf.data pipeline was made from (``from_tensor_slices``), if they can be found."""
    yield from (tensor for tensor in getattr(dataset, "_tensors", ()) if getattr(tensor, "shape", None))
    for each in inputs_of(dataset):
        yield from _sources(each)


def _digest(array):
    """Return a digest (16 hexadecimal digits) of up to 64 rows that are spread evenly over the array."""
    rows = array.iloc if hasattr(array, "iloc") else array
    count = max(4, min(_MAX_ROWS, _MAX_BYTES // max(1, numpy.asarray(rows[0]).nbytes)))
    digest = hashlib.sha256()
    for index in sorted({int(place) for place in numpy.linspace(0, int(array.shape[0]) - 1, count)}):
        row = numpy.asarray(rows[index])
        is_text = row.dtype.kind in "OUS"
        digest.update(repr(row.tolist()).encode() if is_text else numpy.ascontiguousarray(row).tobytes())
    return digest.hexdigest()[:16]
