"""Find the values that the script's own code reads during a fit: attributes, globals, closures and defaults.

A callback or a loss whose values depend on the number of epochs reads that number from one of these places, or from the
parameters that Keras passes to callbacks.
"""

import argparse
import dis
import functools
import hashlib
import os
import sys
import sysconfig
import time
import types
from collections.abc import Mapping

import numpy

from .checkpoint import pack

_LIBRARIES = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_PACKAGES = "site-packages", "dist-packages", "epochal_recorder"
_MODEL_NAMES = frozenset({"model", "_model", "optimizer"})
SET_BY_KERAS = frozenset({"params", "model", "_model", "validation_data", "history", "built", "stop_training"})
_WRITERS = frozenset(
    {
        "BackupAndRestore",
        "CSVLogger",
        "History",
        "ModelCheckpoint",
        "OrbaxCheckpoint",
        "ProgbarLogger",
        "RemoteMonitor",
        "TensorBoard",
    }
)
_MAX_SHOWN = 8
_MAX_DEPTH = 8
_CLOCKS = time.time, time.monotonic, time.perf_counter
_STARTED = tuple(clock() for clock in _CLOCKS)
_MAX_AGE, _MIN_TIME = 600.0, 1000.0
"""A number counts as a time if a clock showed it less than 600 seconds before import, or has shown it since.

Numbers up to 1,000 never count, because they are too common, even though a recently started clock may return them.
"""


class Code:
    """The script's own functions in ``roots``, the functions that they call, and the values that all of these read.

    ``roots``: functions, classes and other callables. Calls into installed packages are not followed.
    """

    def __init__(self, roots=()):
        self.values = {}
        """The values that the code reads, by name: numbers as they are, and containers of plain data as strings."""
        self.objects = {}
        """The other objects that the code reads, by name."""
        self.names = set()
        """All names and string constants in the code."""
        self.variables = []
        """For each function: its globals, the names of the globals that it uses, and its closure (a dict of cells)."""
        self._seen = set()
        for root in roots:
            self._follow(root)

    @property
    def touches_model(self):
        """Whether the code may change a model or an optimizer, because it mentions or reads one."""
        return bool(self.names & _MODEL_NAMES) or any(map(is_stateful, self.objects.values()))

    def read_attributes(self, owner):
        """Record the attributes of ``owner``, and of its script-defined class and bases, as values that the code reads."""
        found = {}
        for base in reversed(type(owner).__mro__):
            if _is_script_class(base):
                found |= {name: value for name, value in vars(base).items() if not _function_of(value)}
        for name, value in sorted((found | vars(owner)).items()):
            if name not in SET_BY_KERAS and not name.startswith("_" if is_stateful(owner) else "__"):
                self._read(name, value, self.names, 0)

    def _follow(self, value, depth=0):
        """Record what a callable reads, and follow any callables among the values that it reads."""
        value = getattr(value, "python_function", value)  # of a tf.function
        if id(value) in self._seen or depth > _MAX_DEPTH:
            return
        self._seen.add(id(value))
        if isinstance(value, functools.partial):
            self._follow(value.func, depth)
            arguments = {str(number): argument for number, argument in enumerate(value.args, 1)} | value.keywords
            for name, argument in arguments.items():
                self._read(name, argument, self.names, depth + 1)
        elif isinstance(value, types.MethodType):
            self._follow(value.__func__, depth)
            self._read_from(type(value.__self__).__name__, value.__self__, self.names, depth + 1)
        elif isinstance(value, types.FunctionType) and is_from_script(value):
            self._follow_function(value, depth)
        elif isinstance(value, type):
            for base in value.__mro__:
                for function in _own_functions(base):
                    self._follow(function, depth)

    def _follow_function(self, function, depth):
        code = function.__code__
        names = _names_in(code)
        self.names |= names
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        read = {name: function.__globals__[name] for name in _globals_in(code) if name in function.__globals__}
        self.variables.append((function.__globals__, sorted(read), cells))
        for name, cell in cells.items():
            try:
                read[name] = cell.cell_contents
            except ValueError:  # nothing has been assigned to the name yet
                continue
        defaults = function.__defaults__ or ()
        read |= dict(zip(code.co_varnames[code.co_argcount - len(defaults) :], defaults, strict=False))
        read |= function.__kwdefaults__ or {}
        # Reading np itself does not matter, but reading np.random does, because it draws from hidden state.
        read |= {f"{name}.random": numpy.random for name in _globals_with_random(code) if read.get(name) is numpy}
        for name, value in sorted(read.items()):
            self._read(name, value, names, depth + 1)

    def _read(self, name, value, names, depth):
        """Record that ``value`` is read by code that contains ``names``.

        If ``value`` is a dictionary with some of these names as keys, only the items with these keys are recorded.
        """
        if depth > _MAX_DEPTH:
            return
        plain = describe_plain(value)
        if isinstance(value, Mapping) and (keys := [key for key in value if key in names]):
            for key in keys:
                self._read(f"{name}[{key!r}]", value[key], names, depth + 1)
        elif plain is not None:
            self.values[name] = plain
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)) or hasattr(
            value, "python_function"
        ):
            self._follow(value, depth + 1)
        elif is_stateful(value) or isinstance(value, (str, bytes)):
            self.objects[name] = value
        elif _is_readable(value):
            self._read_from(name, value, names, depth + 1)
        else:
            self.objects[name] = value

    def _read_from(self, name, owner, names, depth):
        """Record what code that contains ``names`` reads from ``owner`` (a module, class or object)."""
        key = id(owner), frozenset(names)
        if key in self._seen:
            return
        self._seen.add(key)
        kind = owner if isinstance(owner, type) else type(owner)
        functions = [function for base in kind.__mro__ for function in _own_functions(base)]
        called = [each for each in functions if each.__name__ in names or each.__name__ in ("__init__", "__call__")]
        for function in called:
            self._follow(function, depth)
        names = names.union(*(_names_in(function.__code__) for function in called))
        # Properties are not evaluated: they may be the script's and have side effects.
        attributes = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()} | vars(
            owner
        )
        for attribute in sorted(names & attributes.keys()):
            if not _function_of(attributes[attribute]) or isinstance(owner, types.ModuleType):
                self._read(f"{name}.{attribute}", attributes[attribute], names, depth + 1)


def read_callback(callback):
    """Return the ``Code`` of a callback, including its attributes and the names in the code of its base classes."""
    import keras

    code = Code([type(callback)])
    kinds = type(callback).__mro__
    for base in kinds[: kinds.index(keras.callbacks.Callback) if keras.callbacks.Callback in kinds else 1]:
        for value in vars(base).values():
            if isinstance(value, types.FunctionType):
                code.names |= _names_in(value.__code__)
    code.read_attributes(callback)
    return code


def is_from_script(function):
    """Return whether a function is defined in the script or its modules, rather than in an installed package."""
    return not _is_library(function.__code__.co_filename)


def is_instance_of_script(value):
    """Return whether ``value`` has attributes and is an instance of a class that the script defines."""
    return hasattr(value, "__dict__") and not isinstance(value, type) and _is_script_class(type(value))


def only_writes(callback):
    """Return whether a callback is one of Keras' callbacks that only write files or show progress."""
    return type(callback).__module__.startswith("keras.") and type(callback).__name__ in _WRITERS


def is_stateful(value):
    """Return whether an object holds Keras or TensorFlow variables, as layers, optimizers and metrics do."""
    import keras

    kinds = keras.layers.Layer, keras.optimizers.Optimizer, keras.metrics.Metric, keras.Variable
    return isinstance(value, kinds) or (type(value).__module__.startswith("tensorflow") and hasattr(value, "assign"))


def describe_plain(value):
    """Return a number as it is, and a container of plain data as a string; None for anything else.

    The result is None for strings, because names and paths do not affect training, and for times, because they always
    differ.
    """
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, numpy.number)) and numpy.isreal(value):
        number = float(value)
        return None if _is_time(number) else number
    if not isinstance(value, (list, tuple, dict, set, frozenset, numpy.ndarray)):
        return None
    try:
        arrays = []
        packed = repr(pack(value, arrays))
    except TypeError:
        return None
    if not arrays and len(value) <= _MAX_SHOWN:
        return repr(sorted(value) if isinstance(value, (set, frozenset)) else value)
    digest = hashlib.sha256(packed.encode())
    for array in arrays:
        digest.update(numpy.ascontiguousarray(array).view(numpy.uint8))
    return f"{type(value).__name__} {digest.hexdigest()[:8]}"


def _is_time(number):
    clocks = zip(_CLOCKS, _STARTED, strict=True)
    return number > _MIN_TIME and any(start - _MAX_AGE < number <= clock() for clock, start in clocks)


def _is_readable(value):
    """Return whether ``value`` is a module, class or object from the script, or another object that holds settings."""
    if isinstance(value, types.ModuleType):
        return not _is_library(getattr(value, "__file__", None))
    if isinstance(value, (argparse.Namespace, types.SimpleNamespace)) or hasattr(value, "__dataclass_fields__"):
        return True
    return any(map(_is_script_class, (value if isinstance(value, type) else type(value)).__mro__))


def _is_script_class(kind):
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or not _is_library(getattr(module, "__file__", None))


def _own_functions(kind):
    """Return the script-defined methods and other functions of a class."""
    return [function for value in vars(kind).values() if (function := _function_of(value)) and is_from_script(function)]


def _function_of(value):
    """Return the function behind a method, property or tf.function; ``value`` itself if it is a function; else None."""
    for name in ("__func__", "fget", "python_function"):
        value = getattr(value, name, None) or value
    return value if isinstance(value, types.FunctionType) else None


def _names_in(code):
    """Return the names and the string constants in a code object and in the code objects nested in it."""
    names = {*code.co_names, *code.co_varnames, *code.co_freevars}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names_in(constant)
        elif isinstance(constant, str):
            names.add(constant)
        elif isinstance(constant, (tuple, frozenset)):
            names |= {each for each in constant if isinstance(each, str)}
    return names


def _globals_in(code):
    """Return the names of the globals read by a code object and by the code objects nested in it."""
    found = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return found.union(*(_globals_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)))


def _globals_with_random(code):
    """Return the names of the globals whose ``random`` attribute is read by a code object or by one nested in it."""
    found, name = set(), None
    for each in dis.get_instructions(code):
        if name and each.opname in ("LOAD_ATTR", "LOAD_METHOD") and each.argval == "random":
            found.add(name)
        name = each.argval if each.opname in ("LOAD_GLOBAL", "LOAD_NAME") else None
    return found.union(
        *(_globals_with_random(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    )


@functools.lru_cache(maxsize=1000)
def _is_library(path):
    if not path or path.startswith("<"):
        return path != "<string>"
    path = os.path.realpath(path)
    return path.startswith(_LIBRARIES) or any(part in _PACKAGES for part in path.split(os.sep))
