"""Files that the script writes while it is fitted, such as a best model that it reads back at its end."""

import os

import numpy

_MOST_BYTES = 256_000_000
_MOST_FILES = 2_000
_SECONDS_OF_A_CLOCK = 0.05
"""A file's time may be a little earlier than the clock's (the kernel's tick)."""


class WrittenFiles:
    """The files below the working directory that change from now on, but for those in the folders ``others``."""

    def __init__(self, began, others):
        self._began = began - _SECONDS_OF_A_CLOCK
        self._folder = os.getcwd()
        self._others = {os.path.realpath(folder) for folder in others}

    def capture(self):
        """Return the content of each by its name, the newest first if they are too many or too big to be kept."""
        found, count = [], 0
        for parent, folders, names in os.walk(self._folder):
            folders[:] = [name for name in folders if os.path.realpath(os.path.join(parent, name)) not in self._others]
            count += len(names)
            if count > _MOST_FILES:  # a dataset was unpacked there
                break
            for name in names:
                path = os.path.join(parent, name)
                status = os.lstat(path)
                if status.st_mtime >= self._began and os.path.isfile(path) and not os.path.islink(path):
                    found.append((status.st_mtime, status.st_size, os.path.relpath(path, self._folder)))
        contents, room = {}, _MOST_BYTES
        for _, size, name in sorted(found, reverse=True)[:_MOST_FILES]:
            room -= size
            if room >= 0:
                contents[name] = numpy.fromfile(os.path.join(self._folder, name), numpy.uint8)
        return contents

    def restore(self, contents):
        """Write those that do not exist; what the script has written this time stays as it is."""
        for name, content in contents.items():
            path = os.path.join(self._folder, name)
            if not os.path.lexists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                content.tofile(path)
