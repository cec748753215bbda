"""Checkpoint files, which hold the whole state of a Keras fit after an epoch.

A file is a ZIP archive of NumPy arrays (numpy.savez), whose members carry checksums (APPNOTE.TXT, 4.4.7). It is written
under a temporary name and renamed, so it is never incomplete. One member is a JSON document that holds everything
except the arrays, with a number in place of each array.
"""

import importlib
import json
import re
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path

import numpy

_CHECKPOINTS_PER_FIT = 2
_NAME = re.compile(r"model(\d+)-fit(\d+)-epoch(\d+)\.npz")
_ROWS = ".rows.npz"
"""The suffix of the rows file, which is beside the checkpoint and holds the training rows of the fit."""
_ARRAY, _COLLECTION, _BYTES, _FUNCTION = (f"__{name}__" for name in ("array", "collection", "bytes", "function"))
_COLLECTIONS = {kind.__name__: kind for kind in (tuple, set, frozenset, dict, deque, Counter, OrderedDict, defaultdict)}
_KINDS_OF_BYTES = {kind.__name__: kind for kind in (bytes, bytearray)}
_BUILTINS = {kind.__name__: kind for kind in (bool, int, float, str, list, dict, set)}
_MAX_DEPTH = 32
_READ_ERRORS = OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, ImportError, zipfile.BadZipFile
"""Exceptions that reading a damaged file may raise."""


class DamagedCheckpoint(Exception):
    """A checkpoint, or the rows file beside it, cannot be read completely."""


class NotResumable(Exception):
    """A fit cannot resume, and trains from the beginning instead. The message tells users why."""


class StartOver(SystemExit):
    """A fit can neither resume nor train from the beginning, because its data or its state has already changed.

    This exception ends the script without a traceback, and the trial then runs again from the beginning. ``why``: the
    reason to show to users.
    """

    def __init__(self, why):
        super().__init__()
        self.why = why


class Checkpoints:
    """The checkpoints of one fit, stored in ``folder``.

    ``model``, ``call``: the numbers that identify the model and the fit.
    """

    def __init__(self, folder, model, call):
        self._folder = Path(folder)
        self._prefix = f"model{model}-fit{call}-epoch"

    def newest_first(self):
        """Return the paths of the fit's checkpoints, from the latest epoch to the earliest."""
        found = [path for path in self._folder.iterdir() if path.name.startswith(self._prefix)]
        numbered = [(int(name[3]), path) for path in found if (name := _NAME.fullmatch(path.name))]
        return [path for _, path in sorted(numbered, reverse=True)]

    def write(self, epoch, content, rows, past):
        """Write a checkpoint of the state after ``epoch``, and return the name of its file.

        ``content``: the state, made of plain data and arrays. ``rows``: the training rows of the fit, which are written
        to a separate file beside the checkpoint. ``past``: the names of the checkpoints that led to this state, oldest
        first. The last of them is kept; the fit's other checkpoints are removed once the new one is written.
        """
        path = self._folder / f"{self._prefix}{epoch:06d}.npz"
        for file, value in ((path.with_suffix(_ROWS), rows), (path, content)):
            temporary = file.with_suffix(".tmp")
            arrays = []
            packed = json.dumps(pack(value, arrays)).encode()
            try:
                with temporary.open("wb") as opened:
                    numpy.savez(opened, numpy.frombuffer(packed, numpy.uint8), *arrays)
                temporary.replace(file)
            finally:
                temporary.unlink(missing_ok=True)  # left over only after an error, such as a full disk
        kept = [path.name, *[name for name in past[::-1] if name != path.name]][:_CHECKPOINTS_PER_FIT]
        for other in self.newest_first():
            if other.name not in kept:
                other.unlink()
                other.with_suffix(_ROWS).unlink(missing_ok=True)
        return path.name


def read(path):
    """Return a list with the content of a checkpoint and the content of the rows file beside it.

    Raises DamagedCheckpoint if either file cannot be read completely.
    """
    contents = []
    for file in (path, path.with_suffix(_ROWS)):
        try:
            with numpy.load(file, allow_pickle=False) as archive:
                contents.append(unpack(json.loads(archive["arr_0"].tobytes()), archive))
        except _READ_ERRORS as fault:
            raise DamagedCheckpoint(f"{file.name} is damaged: {fault}") from None
    return contents


def pack(value, arrays, depth=0):
    """Return ``value`` in a form that JSON can represent, and append its arrays to ``arrays``.

    Raises TypeError if ``value`` contains anything other than plain data, arrays, built-in collections, and collections
    from Python's ``collections`` module. A function that Keras defines counts as plain data and is stored by name.
    """
    if depth > _MAX_DEPTH:
        raise TypeError("the state is nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        if value.dtype.hasobject:
            raise TypeError("the state contains an array of objects")
        arrays.append(numpy.asarray(value))
        return {_ARRAY: len(arrays) - 1, "type": str(value.dtype)}
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: pack(inner, arrays, depth + 1) for key, inner in value.items()}
    if type(value) is list:
        return [pack(inner, arrays, depth + 1) for inner in value]
    if type(value) in _COLLECTIONS.values():
        return _pack_collection(value, arrays, depth)
    if type(value) in _KINDS_OF_BYTES.values():
        return {_BYTES: type(value).__name__, "array": pack(numpy.frombuffer(value, numpy.uint8), arrays)}
    if function := _name_function(value):
        return {_FUNCTION: function}
    raise TypeError(type(value).__name__)


def _pack_collection(value, arrays, depth):
    items = value.items() if isinstance(value, dict) else value
    # The order of a set may differ between processes.
    items = sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items
    packed = {_COLLECTION: type(value).__name__, "items": [pack(inner, arrays, depth + 1) for inner in items]}
    options = {name: getattr(value, name) for name in ("maxlen", "default_factory") if hasattr(value, name)}
    return packed | {name: pack(option, arrays, depth + 1) for name, option in options.items()}


def _name_function(value):
    """Return the module and name of a Keras function, or of a built-in type that a defaultdict may use; None otherwise.

    A callback may hold one of Keras' functions, such as the comparison function that EarlyStopping uses.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if name and _is_from_keras(module) and getattr(sys.modules.get(module), name, None) is value:
        return [module, name]
    return ["builtins", name] if isinstance(value, type) and _BUILTINS.get(name) is value else None


def unpack(value, archive):
    """Return the value that was passed to ``pack``; ``archive`` is the file that holds its arrays.

    Raises ValueError for a function that Keras does not define.
    """
    if isinstance(value, list):
        return [unpack(inner, archive) for inner in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        found = archive[f"arr_{value[_ARRAY] + 1}"]
        # NumPy's file format stores types that NumPy does not define (bfloat16) as plain bytes.
        return found.view(numpy.dtype(value["type"])) if found.dtype.kind == "V" else found
    if _COLLECTION in value:
        return _unpack_collection(value, archive)
    if _BYTES in value:
        return _KINDS_OF_BYTES[value[_BYTES]](unpack(value["array"], archive).tobytes())
    if _FUNCTION in value:
        module, name = value[_FUNCTION]
        if module == "builtins":
            return _BUILTINS[name]
        if not _is_from_keras(module):
            raise ValueError(f"{module} is not a Keras module")
        return getattr(importlib.import_module(module), name)
    return {key: unpack(inner, archive) for key, inner in value.items()}


def _unpack_collection(value, archive):
    kind, items = _COLLECTIONS[value[_COLLECTION]], unpack(value["items"], archive)
    if kind is deque:
        return deque(items, value["maxlen"])
    if kind is defaultdict:
        return defaultdict(unpack(value["default_factory"], archive), items)
    return kind(dict(items) if issubclass(kind, dict) else items)


def _is_from_keras(module):
    return str(module).partition(".")[0] == "keras"
