"""Python runs this at its start where the folder is on PYTHONPATH (see the module ``site``): it has Keras observed.

It reads EPOCHAL_OUT, the folder that the recorder writes to; without it nothing happens. A script that never imports Keras
pays for one look at a name on each import. Runs beside nn.py in the training's environment: nothing but the standard library
here, and Python from 3.10 on.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

_KERAS_MODEL = "keras.src.models.model"
"""Defines keras.Model. ``import keras``, ``from tensorflow import keras`` and ``tf.keras`` all come to it."""


class _KerasFinder:
    """A meta path finder (see the module ``importlib.abc``) that waits for one module, to patch it once it has executed."""

    def __init__(self, out):
        self._out = out

    def find_spec(self, name, path=None, target=None):
        if name != _KERAS_MODEL:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec:
            self._observe_after(spec.loader)
        return spec

    def _observe_after(self, loader):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            _observe(module.Model, self._out)

        loader.exec_module = exec_module


def _observe(model_class, out):
    try:
        from epochal_recorder import observe

        observe(model_class, out)
    except Exception as fault:  # training is worth more than its recording
        print(f"epochal: Keras is not observed: {fault!r}", file=sys.stderr)


def _run_shadowed():
    """Run the sitecustomize that this one stands before (Debian has one), in its own right."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry) != here])
    if spec:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


if os.environ.get("EPOCHAL_OUT"):
    sys.meta_path.insert(0, _KerasFinder(os.path.abspath(os.environ["EPOCHAL_OUT"])))
_run_shadowed()
