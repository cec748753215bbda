"""The state of a fit: what the epochs after it depend on, taken out of Keras and put back."""

import random
from contextlib import suppress

import numpy

from .checkpoint import pack, unpack


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
    found = model.variables, _optimizer_variables(model), _global_seed()
    wanted = state["variables"], state["optimizer"], state["random"]["keras"]
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


class CallbackStates:
    """What training changed in the script's own callbacks (EarlyStopping's patience, ReduceLROnPlateau's best …).

    Made when training begins. Of a callback's attributes those count that hold plain data and are not what they were
    then: what the script gave it this time stays as it is.
    """

    def __init__(self, callbacks):
        self._callbacks = callbacks
        self._begun = [_attributes(callback) for callback in callbacks]

    def capture(self):
        """The changed attributes of each callback."""
        states = []
        for callback, begun in zip(self._callbacks, self._begun, strict=True):
            now = _attributes(callback)
            changed = {name: _thawed(frozen) for name, frozen in now.items() if not _same(frozen, begun.get(name))}
            states.append(changed)
        return states

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


def _global_seed():
    """The state of Keras' own seed generator, if something has used it yet."""
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    return [] if generator is None else [generator.state]


def _attributes(callback):
    """The plain ones of a callback's attributes, packed, so that they keep what they hold now."""
    frozen = {}
    for name, value in vars(callback).items():
        if name in ("params", "model", "_model"):
            continue
        with suppress(TypeError):
            arrays = []
            packed = pack(value, arrays)
            frozen[name] = packed, [array.copy() for array in arrays]
    return frozen


def _thawed(frozen):
    packed, arrays = frozen
    return unpack(packed, arrays.__getitem__)


def _same(one, other):
    if other is None or one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    return all(numpy.array_equal(*pair) for pair in zip(one[1], other[1], strict=True))
