"""Files that the script writes during a fit, such as the best model so far, which it loads again after training."""

import os

import numpy

_MAX_BYTES = 256_000_000
_MAX_FILES = 2_000
_SECONDS_OF_A_CLOCK = 0.05
"""A file's modification time may lag this many seconds behind the clock, because the kernel uses its last tick."""


class WrittenFiles:
    """The files below the working directory that change after ``start``, except those in the folders ``excluded``.

    ``start`` is in seconds since 1970.
    """

    def __init__(self, start, excluded):
        self._start = start - _SECONDS_OF_A_CLOCK
        self._folder = os.getcwd()
        self._excluded = {os.path.realpath(folder) for folder in excluded}

    def capture(self):
        """Return the contents of the files as arrays of bytes, by path relative to the working directory.

        The newest files are kept, up to 2,000 files and 256 MB; a file that does not fit is left out. The search stops
        once it has seen more than 2,000 files.
        """
        found, count = [], 0
        for parent, folders, names in os.walk(self._folder):
            folders[:] = [
                name for name in folders if os.path.realpath(os.path.join(parent, name)) not in self._excluded
            ]
            count += len(names)
            if count > _MAX_FILES:  # probably an unpacked data set
                break
            for name in names:
                path = os.path.join(parent, name)
                status = os.lstat(path)
                if status.st_mtime >= self._start and os.path.isfile(path) and not os.path.islink(path):
                    found.append((status.st_mtime, status.st_size, os.path.relpath(path, self._folder)))
        contents, room = {}, _MAX_BYTES
        for _, size, name in sorted(found, reverse=True)[:_MAX_FILES]:
            if size <= room:
                room -= size
                contents[name] = numpy.fromfile(os.path.join(self._folder, name), numpy.uint8)
        return contents

    def restore(self, contents):
        """Write the files that do not exist; a file that the script has already written in this trial is kept."""
        for name, content in contents.items():
            path = os.path.join(self._folder, name)
            if not os.path.lexists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                content.tofile(path)
