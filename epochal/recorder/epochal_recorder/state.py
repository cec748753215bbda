"""The state of a fit: what the epochs after it depend on, taken out of Keras and put back."""

import hashlib
import random
from contextlib import suppress

import numpy

from .checkpoint import pack


def capture(model):
    """Return all variables of the model (its layers' random state is among them) and of its optimizer, and the random state."""
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")  # None if nothing has used it yet
    # A copy: what NumPy shows of a variable on a CPU may be its own memory.
    variables, optimizer, seed = ([numpy.array(each) for each in group] for group in _variables_of(model, generator))
    return {
        "variables": variables,
        "optimizer": optimizer,
        "random": {"python": random.getstate(), "numpy": numpy.random.get_state(), "keras": seed},
    }


def restore(model, state):
    """Put back what ``capture`` returned, all of it or nothing; raises ValueError if it is not this model's."""
    from keras.src.random.seed_generator import global_seed_generator

    wanted = state["variables"], state["optimizer"], state["random"]["keras"]
    found = _variables_of(model, global_seed_generator() if wanted[2] else None)
    variables = [variable for group in found for variable in group]
    values = [value for group in wanted for value in group]
    if [len(group) for group in found] != [len(group) for group in wanted] or any(
        tuple(variable.shape) != value.shape for variable, value in zip(variables, values, strict=True)
    ):
        raise ValueError("the variables of the checkpoint are not those of the model")
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


def foreign(model):
    """Return the names of the attributes that hold state of which the model's variables know nothing.

    These are optimizers besides the one that the model was compiled with, and variables of TensorFlow's own.
    """
    import keras

    held = [(name, value) for layer in model._flatten_layers() for name, value in vars(layer).items()]
    return sorted(
        {
            name
            for name, value in held
            if (isinstance(value, keras.optimizers.Optimizer) and value is not model.optimizer)
            or (type(value).__module__.startswith("tensorflow") and hasattr(value, "assign"))
        }
    )


class CallbackStates:
    """What training changed in the script's own callbacks (EarlyStopping's patience, ReduceLROnPlateau's best …).

    Made when training begins. Of a callback's attributes those count that hold plain data and are not what they were
    then: what the script gave it this time stays as it is.
    """

    def __init__(self, callbacks):
        self._callbacks = callbacks
        self._begun = [_digests(callback) for callback in callbacks]

    def capture(self):
        """Return the changed attributes of each callback: not copies."""
        return [
            {name: getattr(callback, name) for name, digest in _digests(callback).items() if digest != begun.get(name)}
            for callback, begun in zip(self._callbacks, self._begun, strict=True)
        ]

    def restore(self, states):
        """Put back what ``capture`` returned of callbacks of the same kinds."""
        for callback, attributes in zip(self._callbacks, states, strict=True):
            vars(callback).update(attributes)


def _variables_of(model, generator):
    """Return the variables of the model, of its optimizer, and of Keras' own seed generator (or None), as three lists."""
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    variables_of_optimizer = [] if optimizer is None else list(optimizer.variables)
    return model.variables, variables_of_optimizer, [] if generator is None else [generator.state]


def _digests(callback):
    """Return a digest of each of a callback's attributes, by its name, of those that are plain data."""
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
