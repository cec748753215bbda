"""Capture and restore the state of a fit, on which its next epochs depend."""

import hashlib
import random
from contextlib import suppress

import numpy

from .checkpoint import pack


def capture(model):
    """Return the state of a fit: the variables of the model and its optimizer, and the random state of the process.

    The random state is Python's, NumPy's and Keras'; the random state of the layers is among the model's variables.
    """
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")  # None if nothing has used it yet
    # Copy the values, because on a CPU a NumPy array may share the memory of the variable.
    variables, optimizer, seed = ([numpy.array(each) for each in group] for group in _variables_of(model, generator))
    return {
        "variables": variables,
        "optimizer": optimizer,
        "random": {"python": random.getstate(), "numpy": numpy.random.get_state(), "keras": seed},
    }


def restore(model, state):
    """Restore the state that ``capture`` returned, either all variables or none.

    Raises ValueError if the number or shapes of the variables do not match this model and its optimizer.
    """
    from keras.src.random.seed_generator import global_seed_generator

    saved = state["variables"], state["optimizer"], state["random"]["keras"]
    current = _variables_of(model, global_seed_generator() if saved[2] else None)
    variables = [variable for group in current for variable in group]
    values = [value for group in saved for value in group]
    if [len(group) for group in current] != [len(group) for group in saved] or any(
        tuple(variable.shape) != value.shape for variable, value in zip(variables, values, strict=True)
    ):
        raise ValueError("the checkpoint's variables do not match the model's")
    before = [numpy.array(variable) for variable in variables]
    try:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except Exception:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise
    random.setstate(state["random"]["python"])
    numpy.random.set_state(state["random"]["numpy"])


def find_untracked_state(model):
    """Return the names of attributes of the model and its layers that hold state outside of the model's variables.

    These are optimizers other than the one that the model was compiled with, and TensorFlow's variables (tf.Variable).
    """
    import keras

    attributes = [(name, value) for layer in model._flatten_layers() for name, value in vars(layer).items()]
    return sorted(
        {
            name
            for name, value in attributes
            if (isinstance(value, keras.optimizers.Optimizer) and value is not model.optimizer)
            or (type(value).__module__.startswith("tensorflow") and hasattr(value, "assign"))
        }
    )


class CallbackStates:
    """The state of the script's own callbacks that a fit changes, such as EarlyStopping's best value so far.

    It must be created when training begins: an attribute belongs to the state if it holds plain data and has changed
    since then. Therefore, values that the script itself has set before training are not overwritten.
    """

    def __init__(self, callbacks):
        self._callbacks = callbacks
        self._initial_digests = [_digests(callback) for callback in callbacks]

    def capture(self):
        """Return the changed attributes of each callback by name; their values are not copied."""
        return [
            {
                name: getattr(callback, name)
                for name, digest in _digests(callback).items()
                if digest != initial.get(name)
            }
            for callback, initial in zip(self._callbacks, self._initial_digests, strict=True)
        ]

    def restore(self, states):
        """Set the attributes that ``capture`` returned for callbacks of the same classes in the same order."""
        for callback, attributes in zip(self._callbacks, states, strict=True):
            vars(callback).update(attributes)


def _variables_of(model, generator):
    """Return three lists: the variables of the model, of its optimizer, and of the seed generator (if any)."""
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    variables_of_optimizer = [] if optimizer is None else list(optimizer.variables)
    return model.variables, variables_of_optimizer, [] if generator is None else [generator.state]


def _digests(callback):
    """Return the names of the callback's attributes that hold plain data, and a digest of each."""
    digests = {}
    for name, value in vars(callback).items():
        if name in ("params", "model", "_model"):
            continue
        with suppress(TypeError):
            arrays = []
            digest = hashlib.sha1(repr(pack(value, arrays)).encode(), usedforsecurity=False)
            for array in arrays:
                digest.update(numpy.ascontiguousarray(array).view(numpy.uint8))
            digests[name] = digest.digest()
    return digests
