"""Checkpoint files, which hold the whole state of a Keras fit after an epoch.

A file is a ZIP archive of NumPy arrays (numpy.savez), whose members carry checksums (APPNOTE.TXT, 4.4.7). It is written
under a temporary name and renamed, so it is never incomplete. One member is JSON, and holds everything except the
arrays, with a number in place of each array.
"""

import importlib
import json
import re
import sys
import zipfile
from pathlib import Path

import numpy

_CHECKPOINTS_PER_FIT = 2
_NAME = re.compile(r"model(\d+)-fit(\d+)-epoch(\d+)\.npz")
_ROWS = ".rows.npz"
"""Suffix of the rows file beside a checkpoint, which holds the rows that the fit trained on."""
_ARRAY, _TUPLE, _FUNCTION = "__array__", "__tuple__", "__function__"
_MAX_DEPTH = 32
_READ_ERRORS = OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, ImportError, zipfile.BadZipFile
"""Exceptions that reading a damaged file may raise."""


class DamagedCheckpoint(Exception):
    """A checkpoint, or the rows file beside it, cannot be read completely."""


class Checkpoints:
    """The checkpoints of one fit in ``folder``; ``model`` and ``call`` are the numbers of the model and the fit."""

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

        ``content``: the state, made of plain data and arrays. ``rows``: the rows that the fit trained on, which are
        written to a separate file beside the checkpoint. ``past``: the names of the checkpoints that led to this state,
        oldest first. The last of them is kept; the fit's other checkpoints are removed once the new one is written.
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

    Raises TypeError if ``value`` contains anything but plain data and arrays. A function that Keras defines counts as
    plain data and is stored by name.
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
    if type(value) in (list, tuple):
        packed = [pack(inner, arrays, depth + 1) for inner in value]
        return packed if type(value) is list else {_TUPLE: packed}
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    # A callback may hold one of Keras' functions, such as the comparison that EarlyStopping chose.
    if name and _is_from_keras(module) and getattr(sys.modules.get(module), name, None) is value:
        return {_FUNCTION: [module, name]}
    raise TypeError(type(value).__name__)


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
    if _TUPLE in value:
        return tuple(unpack(value[_TUPLE], archive))
    if _FUNCTION in value:
        module, name = value[_FUNCTION]
        if not _is_from_keras(module):
            raise ValueError(f"{module} is not a Keras module")
        return getattr(importlib.import_module(module), name)
    return {key: unpack(inner, archive) for key, inner in value.items()}


def _is_from_keras(module):
    return str(module).partition(".")[0] == "keras"
