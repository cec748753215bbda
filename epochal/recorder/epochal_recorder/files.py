"""Files that the script writes during a fit and may load again after training, such as the best model so far."""

import glob
import os
import re
import stat
import tempfile
from contextlib import suppress

import numpy

from .script_code import read_callback

_MAX_BYTES = 256_000_000
_MAX_FILES = 2_000
_MAX_ENTRIES = 200_000
"""The search for changed files stops after this many files below the working directory."""
_LARGE_FOLDER = 100
"""A folder with more files than this counts as an unchanging dataset, unless files were added to it during the fit."""
_SECONDS_OF_A_CLOCK = 0.05
"""A file's modification time may be up to this many seconds early, because it is the time of the kernel's last tick."""
_FIELD = re.compile(r"\{[^{}]*\}")
"""Matches a placeholder in the path of a ModelCheckpoint, such as ``{epoch:02d}``."""


class WrittenFiles:
    """The files that change during a fit: those named by callbacks, and others below the working directory.

    ``start`` and ``started``: when the fit began and when the training process was started, in seconds since 1970.
    ``excluded``: folders whose files are not kept.
    """

    def __init__(self, start, started, excluded, callbacks):
        self._start = start - _SECONDS_OF_A_CLOCK
        self._started = started
        self._folder = os.getcwd()
        self._excluded = {os.path.realpath(folder) for folder in excluded}
        self._callbacks = callbacks
        self._paths = self._name_paths()

    def capture(self):
        """Return the data for ``restore``: file contents (byte arrays) by path, and the paths named by callbacks."""
        paths = self._name_paths()
        named = self._find_named(paths)
        others = {path: status for path, status in self._find_others().items() if path not in named}
        contents, room = {}, _MAX_BYTES
        for found in (named, others):
            newest_first = sorted(found, key=lambda path: found[path].st_mtime, reverse=True)
            for path in newest_first[: _MAX_FILES - len(contents)]:
                if found[path].st_size <= room:
                    room -= found[path].st_size
                    contents[self._relative(path)] = numpy.fromfile(path, numpy.uint8)
        return {"contents": contents, "paths": paths}

    def restore(self, state):
        """Write the files, except those that the script has written since this process started.

        If a callback now names a different path (containing the current time, for example), its files are written
        there.
        """
        for name, content in state["contents"].items():
            renamed = (_rename(name, old, self._paths.get(key)) for key, old in state["paths"].items())
            path = os.path.join(self._folder, next(filter(None, renamed), name))
            if not os.path.lexists(path) or (os.path.isfile(path) and os.lstat(path).st_mtime < self._started):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                content.tofile(path)

    def _name_paths(self):
        """Return the paths that callbacks name, keyed by callback and attribute.

        The paths may contain placeholders (``{epoch}``).
        """
        paths = {}
        for number, callback in enumerate(self._callbacks):
            code = read_callback(callback)
            texts = {
                name: os.fspath(each) for name, each in code.objects.items() if isinstance(each, (str, os.PathLike))
            }
            folders = [text for text in texts.values() if isinstance(text, str) and os.path.isdir(text)]
            constants = [each for each in code.names if "." in each or os.sep in each]
            for constant in constants:
                for folder in ("", *folders):
                    texts[f"{folder} {constant}"] = os.path.join(folder, constant)
            for name, text in texts.items():
                if isinstance(text, str) and text and "\0" not in text and len(text) < 1000:
                    paths[f"{number}.{name}"] = self._relative(os.path.join(self._folder, text))
        return paths

    def _find_named(self, paths):
        found = {}
        too_wide = {os.path.realpath(path) for path in (tempfile.gettempdir(), os.path.expanduser("~"), self._folder)}
        for path in paths.values():
            pattern = "*".join(map(glob.escape, _FIELD.split(os.path.join(self._folder, path))))
            for match in glob.glob(pattern):
                found |= self._stat_changed([match])
                real = os.path.realpath(match)
                if os.path.isdir(match) and not any(f"{wide}/".startswith(f"{real.rstrip('/')}/") for wide in too_wide):
                    for parent, _, names in os.walk(match):
                        found |= self._stat_changed(os.path.join(parent, name) for name in names[:_MAX_FILES])
        return found

    def _find_others(self):
        found, pending, seen = {}, [self._folder], 0
        while pending and seen < _MAX_ENTRIES:
            folder = pending.pop(0)
            files = []
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        files.append(entry.path)
            seen += len(files)
            if len(files) <= _LARGE_FOLDER or os.stat(folder).st_mtime >= self._start:
                found |= self._stat_changed(files)
        return found

    def _stat_changed(self, paths):
        """Return the stat result of each regular file in ``paths`` that has changed since the fit began.

        Files in excluded folders are left out.
        """
        found = {}
        for path in paths:
            with suppress(OSError):
                status = os.lstat(path)
                real = os.path.realpath(path)
                is_excluded = any(real.startswith(f"{folder}/") for folder in self._excluded)
                if stat.S_ISREG(status.st_mode) and status.st_mtime >= self._start and not is_excluded:
                    found[path] = status
        return found

    def _relative(self, path):
        path = os.path.normpath(path)
        return os.path.relpath(path, self._folder) if path.startswith(f"{self._folder}/") else path


def _rename(name, old, new):
    """Return the path ``name`` with ``old`` at its start replaced by ``new``; None if there is nothing to replace."""
    if new is None or new == old:
        return None
    pieces, places = _FIELD.split(old), _FIELD.split(new)
    match = re.fullmatch("(.+?)".join(map(re.escape, pieces)) + "((?:/.*)?)", name)
    if match is None or len(pieces) != len(places):
        return None
    *fields, rest = match.groups()
    return "".join(part for pair in zip(places, [*fields, ""], strict=True) for part in pair) + rest
