"""The state of a fit: what the epochs after it depend on, taken out of Keras and put back."""

import hashlib
import random
from contextlib import suppress

import numpy

from .checkpoint import pack


def capture(model):
    """All variables of the model (its layers' random state is among them) and of its optimizer, and the random state."""
    return {
        "variables": _values(model.variables),
        "optimizer": _values(_optimizer_variables(model)),
        "random": {
            "python": random.getstate(),
            "numpy": numpy.random.get_state(),
            "keras": _values(_global_seed()),
        },
    }


def restore(model, state):
    """Put back what ``capture`` returned, all of it or nothing; raises ValueError where it is not this model's."""
    wanted = state["variables"], state["optimizer"], state["random"]["keras"]
    found = model.variables, _optimizer_variables(model), _global_seed(create=True) if wanted[2] else []
    variables = [variable for group in found for variable in group]
    values = [value for group in wanted for value in group]
    if [len(group) for group in found] != [len(group) for group in wanted] or not all(map(_fits, variables, values)):
        raise ValueError("the variables of the checkpoint are not those of the model")
    before = _values(variables)
    try:
        _assign(variables, values)
    except Exception:
        _assign(variables, before)
        raise
    random.setstate(state["random"]["python"])
    numpy.random.set_state(state["random"]["numpy"])


def foreign(model):
    """The names of the attributes that hold state of which the model's variables know nothing.

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
        """The changed attributes of each callback: not copies."""
        return [
            {name: getattr(callback, name) for name, digest in _digests(callback).items() if digest != begun.get(name)}
            for callback, begun in zip(self._callbacks, self._begun, strict=True)
        ]

    def restore(self, states):
        """Put back what ``capture`` returned of callbacks of the same kinds."""
        for callback, attributes in zip(self._callbacks, states, strict=True):
            vars(callback).update(attributes)

    def kinds(self):
        """The callbacks' classes, by name."""
        return [type(callback).__name__ for callback in self._callbacks]


def _values(variables):
    # A copy: what NumPy shows of a variable on a CPU may be its own memory.
    return [numpy.array(variable) for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _fits(variable, value):
    return tuple(variable.shape) == value.shape


def _optimizer_variables(model):
    if model.optimizer is None:
        return []
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return list(model.optimizer.variables)


def _global_seed(create=False):
    """The state of Keras' own seed generator; if nothing has used it yet, none or a new one."""
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import global_seed_generator

    generator = global_seed_generator() if create else global_state.get_global_attribute("global_seed_generator")
    return [] if generator is None else [generator.state]


def _digests(callback):
    """What tells the values of a callback's attributes from others, of those that are plain data."""
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
