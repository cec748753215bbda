"""Python runs this at its start where the folder is on PYTHONPATH (see the module ``site``): it has Keras observed.

It reads EPOCHAL_OUT, the folder that the recorder writes to; without it nothing is observed. A script that never imports
Keras pays for one comparison at each import. Runs beside nn.py in the training's environment: nothing but the standard
library here, and Python from 3.10 on.
"""

# Every Python that starts runs this: what costs milliseconds to import (pathlib, importlib.util) is not imported here.
import os
import sys
from importlib.machinery import PathFinder

_KERAS_MODEL = "keras.src.models.model"
"""Defines keras.Model. ``import keras``, ``from tensorflow import keras`` and ``tf.keras`` all come to it."""


class _KerasFinder:
    """A meta path finder (see ``importlib.abc``) that waits for one module, to have it patched once it has executed."""

    def __init__(self, out):
        self._out = out

    def find_spec(self, name, *_):
        if name != _KERAS_MODEL:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec:
            self._observe_after(spec.loader)
        return spec

    def _observe_after(self, loader):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            _observe(module, self._out)

        loader.exec_module = exec_module


def _observe(module, out):
    try:
        from epochal_recorder import observe

        observe(module.Model, out)
    except Exception as fault:  # training is worth more than its recording
        sys.stderr.write(f"epochal: Keras is not observed: {fault!r}\n")


def _run_shadowed():
    """Run the sitecustomize that this one stands before (Debian has one), in its own right."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry) != here])
    if spec:
        from importlib.util import module_from_spec

        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


if os.environ.get("EPOCHAL_OUT"):
    sys.meta_path.insert(0, _KerasFinder(os.path.abspath(os.environ["EPOCHAL_OUT"])))
_run_shadowed()
