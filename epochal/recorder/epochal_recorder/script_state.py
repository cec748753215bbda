"""The state that callbacks and PyDatasets keep from epoch to epoch, such as EarlyStopping's best value so far."""

import hashlib
import io
import random
import sys
from collections import deque

import numpy

from .checkpoint import pack
from .script_code import SET_BY_KERAS, Code, is_instance_of_script, is_stateful, only_writes, read_callback

_LIVE = "__live__"
"""The key that marks state to be restored in place.

Such state belongs to a random number generator, to Keras or TensorFlow variables, or to an object whose class is
defined in the script.
"""
_MAX_DEPTH = 8
_MAX_BYTES_HASHED = 16_000_000


class ScriptState:
    """The state that a fit changes in its callbacks and PyDatasets, and in the globals and closures that they use.

    An instance must be created when training begins: only values that change afterwards belong to the state. Values
    that the script sets before training are therefore not overwritten. ``model``: the model being fitted, whose
    variables are saved separately.
    """

    def __init__(self, callbacks, datasets, model):
        self._owners = [*callbacks, *datasets]
        self._model = model
        codes = [read_callback(callback) for callback in callbacks]
        matters = [code.touches_model and not only_writes(each) for each, code in zip(callbacks, codes, strict=True)]
        # Keras' own PyDatasets keep generators that training does not use.
        self._codes = [*codes, *(Code([type(dataset)]) for dataset in datasets)]
        self._matters = [*matters, *map(is_instance_of_script, datasets)]
        """For each callback and PyDataset, whether training depends on its state."""
        slots = self._slots()
        self._initial_digests = self.digests()
        self._initial_ids = {name: id(slot.get()) for name, slot in slots.items()}
        self._initial_values = [slot.get() for slot in slots.values()]  # keeps the IDs from being reused
        self.lost = ""
        """Why the last ``capture`` left out state that training may depend on; empty if no such state was left out."""

    @property
    def objects(self):
        """The objects read by the code of the callbacks and PyDatasets."""
        return [value for code in self._codes for value in code.objects.values()]

    def digests(self):
        """Return a digest of each value that may be state, by name; None for values that cannot be saved."""
        return {name: self._digest(slot.get()) for name, slot in self._slots().items()}

    def capture(self):
        """Return the state as plain data: a dict from names to values. Arrays are not copied."""
        self.lost, states = "", {}
        for name, slot in self._slots().items():
            value = slot.get()
            digest = self._digest(value)
            if digest is None:
                is_new = self._initial_ids.get(name) != id(value) and not _is_harmless(value)
                if slot.matters and (is_new or (hasattr(value, "__next__") and not isinstance(value, io.IOBase))):
                    self.lost = f"{slot.label} is of type {type(value).__name__}, which a checkpoint cannot store"
            elif digest != self._initial_digests.get(name):
                states[name] = self._state(value)
        return states

    def restore(self, states):
        """Restore the state that ``capture`` returned, for callbacks and PyDatasets of the same classes in the same order.

        Raises ValueError if an object that must be restored in place is missing or its number of variables has changed.
        """
        slots = self._slots()
        for name, state in states.items():
            if name in slots:
                slots[name].set(self._put(slots[name].get(), state))
            else:  # the fit has added this attribute
                number, _, attribute = name.partition(".")
                vars(self._owners[int(number)])[attribute] = self._put(None, state)

    def _slots(self):
        """Return all places that may hold state, keyed by names that are the same in every training process."""
        slots = {}
        owners = zip(self._owners, self._codes, self._matters, strict=True)
        for number, (owner, code, matters) in enumerate(owners):
            for name in vars(owner):
                if name not in SET_BY_KERAS:
                    slots[f"{number}.{name}"] = _Item(vars(owner), name, f"{type(owner).__name__}.{name}", matters)
            for place, (variables, names, cells) in enumerate(code.variables):
                for name in names:
                    slots[f"global {variables.get('__name__')}.{name}"] = _Item(variables, name, name, matters)
                for name, cell in cells.items():
                    slots[f"{number} closure {place}.{name}"] = _Cell(cell, name, matters)
        return slots

    def _digest(self, value):
        """Return a digest of a value's state; None if the state cannot be saved."""
        try:
            arrays = []
            digest = hashlib.sha1(repr(pack(self._state(value), arrays)).encode(), usedforsecurity=False)
        except (TypeError, ValueError, RecursionError):
            return None
        for array in arrays:
            flat = numpy.ravel(array)
            flat = flat[:: max(1, flat.nbytes // _MAX_BYTES_HASHED)]
            digest.update(numpy.ascontiguousarray(flat).view(numpy.uint8))
        return digest.digest()

    def _state(self, value, depth=0):
        if depth > _MAX_DEPTH:
            raise TypeError("nested too deeply")
        if isinstance(value, numpy.random.Generator):
            return {_LIVE: value.bit_generator.state}
        if isinstance(value, numpy.random.RandomState):
            return {_LIVE: value.get_state()}
        if type(value) is random.Random:
            return {_LIVE: value.getstate()}
        if is_stateful(value):
            return {_LIVE: [numpy.array(each) for each in self._own_variables(value)]}
        if type(value) in (list, tuple):
            return type(value)(self._state(each, depth + 1) for each in value)
        if type(value) is deque:
            return deque((self._state(each, depth + 1) for each in value), value.maxlen)
        if type(value) is dict:
            return {key: self._state(each, depth + 1) for key, each in value.items()}
        if is_instance_of_script(value):
            attributes = {name: each for name, each in vars(value).items() if name not in SET_BY_KERAS}
            return {_LIVE: {name: self._state(each, depth + 1) for name, each in attributes.items()}}
        return value

    def _own_variables(self, value):
        """Return the variables in ``value`` that are not saved with the model. ``value`` may itself be a variable."""
        optimizer = self._model.optimizer
        saved = {id(each) for each in (*self._model.variables, *(optimizer.variables if optimizer else ()))}
        if value is optimizer:
            return []
        return [each for each in getattr(value, "variables", [value]) if id(each) not in saved]

    def _put(self, current, state):
        """Return a value with this ``state``.

        If possible, ``current`` is changed in place and returned, because other objects may refer to it.
        """
        if isinstance(state, dict) and _LIVE in state:
            return self._put_live(current, state[_LIVE])
        if type(state) in (list, tuple, deque):
            known = list(current) if type(current) is type(state) else []
            items = [self._put(known[at] if at < len(known) else None, each) for at, each in enumerate(state)]
            if type(state) is tuple:
                return tuple(items)
            if type(current) is not type(state):
                return deque(items, state.maxlen) if type(state) is deque else items
            current.clear()
            current.extend(items)
            return current
        if isinstance(state, (dict, set)) and type(current) is type(state):
            if isinstance(state, dict):
                state = {key: self._put(current.get(key), each) for key, each in state.items()}
            current.clear()
            current.update(state)
            return current
        is_array = isinstance(state, numpy.ndarray) and isinstance(current, numpy.ndarray) and current.flags.writeable
        if is_array and (current.shape, current.dtype) == (state.shape, state.dtype):
            current[...] = state
            return current
        return state

    def _put_live(self, current, state):
        if isinstance(current, numpy.random.Generator):
            current.bit_generator.state = state
        elif isinstance(current, numpy.random.RandomState):
            current.set_state(state)
        elif isinstance(current, random.Random):
            current.setstate(state)
        elif isinstance(state, list):
            variables = [] if current is None else self._own_variables(current)
            if len(variables) != len(state):
                raise ValueError(
                    f"an object in the script has a different number of variables ({len(variables)}) "
                    f"than in the checkpoint ({len(state)})"
                )
            for variable, array in zip(variables, state, strict=True):
                variable.assign(array)
        elif is_instance_of_script(current):
            for name, each in state.items():
                vars(current)[name] = self._put(vars(current).get(name), each)
        else:
            raise ValueError("an object that was created during the fit cannot be recreated")
        return current


def _is_harmless(value):
    """Return whether a value that cannot be saved, such as a function or a file, is of a standard-library type."""
    return type(value).__module__.partition(".")[0] in sys.stdlib_module_names


class _Item:
    """A dictionary item that may hold state: an attribute of a callback or PyDataset, or a global variable."""

    def __init__(self, items, name, label, matters):
        self._items, self._name = items, name
        self.label, self.matters = label, matters

    def get(self):
        """Return the item's value."""
        return self._items[self._name]

    def set(self, value):
        """Set the item to ``value``."""
        self._items[self._name] = value


class _Cell:
    """A variable that a closure uses from an enclosing function."""

    def __init__(self, cell, name, matters):
        self._cell = cell
        self.label, self.matters = name, matters

    def get(self):
        """Return the value of the closure's variable."""
        try:
            return self._cell.cell_contents
        except ValueError:  # nothing has been assigned to it yet
            return None

    def set(self, value):
        """Set the closure's variable to ``value``."""
        self._cell.cell_contents = value
