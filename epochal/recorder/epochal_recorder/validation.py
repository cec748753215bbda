"""Whether a script validates on the data that it tests on."""

import weakref
from contextlib import suppress

from .data import digest


class Validation:
    """The validation data of a script's fits: arrays by their digests, whatever else by being the same object."""

    def __init__(self):
        self._digests = set()
        self._objects = weakref.WeakSet()

    def add(self, data):
        """A fit validates on ``data``; None: on nothing, or on what it splits off its training data."""
        if isinstance(data, (list, tuple)):
            self._digests.add(digest(*data[:2]))
        elif data is not None:
            with suppress(TypeError):  # no weak reference can be made to it
                self._objects.add(data)

    def has(self, x, test_set):
        """Whether ``x`` of an evaluate, with all its data's digest ``test_set``, is what a fit has validated on."""
        if test_set is not None:
            return test_set in self._digests
        with suppress(TypeError):
            return x in self._objects
        return False
