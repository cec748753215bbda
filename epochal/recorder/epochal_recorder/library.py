"""Find out which Keras package a model or dataset comes from: Keras 3, Keras 2 (up to TensorFlow 2.15) or tf_keras.

tf_keras is Keras 2 for later versions of TensorFlow. More than one of the three may be imported at once:
TensorFlow imports Keras 3 in addition to tf_keras.
"""

import sys

_NAMES = ("keras", "tf_keras")


def library_of(model):
    """Return the Keras package whose ``Model`` is a base class of the model's class."""
    return next(sys.modules[name] for kind in type(model).__mro__ if (name := _package(kind)) in _NAMES)


def _package(kind):
    return kind.__module__.partition(".")[0]


def is_keras_2(library):
    """Return whether ``library`` is Keras 2, in which a fit can be observed and stopped, but not resumed."""
    return not hasattr(library, "tree")


def tree():
    """Return the module that provides ``flatten``, ``map_structure`` and the like for nested structures."""
    if not is_keras_2(sys.modules.get("keras")):
        return sys.modules["keras"].tree
    import tensorflow

    return tensorflow.nest


def find_dataset_class(data):
    """Return the PyDataset class (Sequence in Keras 2) that ``data`` is an instance of, or None."""
    for library in (sys.modules[name] for name in _NAMES if name in sys.modules):
        kind = getattr(library.utils, "PyDataset", None) or library.utils.Sequence
        if isinstance(data, kind):
            return kind
    return None
