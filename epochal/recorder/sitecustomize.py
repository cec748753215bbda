"""Python runs this at its start where the folder is on PYTHONPATH (see the module ``site``): Keras and scikit-learn are observed.

It reads EPOCHAL_OUT, the folder that the recorder writes to; without it nothing is observed. EPOCHAL_CHECKPOINTS, if it
is there, is the folder that a fit goes on from, and EPOCHAL_STOP_AT the validation accuracy that it ends with. A script
that imports neither pays for one comparison at each import. Runs beside nn.py in the training's environment: nothing
but the standard library here, and Python from 3.10 on.
"""

# Every Python that starts runs this: what costs milliseconds to import (pathlib, importlib.util) is not imported here.
import os
import sys
import time
from importlib.machinery import PathFinder

_STARTED = time.time()


def _observe_keras(module):
    from epochal_recorder.observing import observe

    checkpoints, stop_at = _CHECKPOINTS, os.environ.get("EPOCHAL_STOP_AT")
    observe(module.Model, _OUT, checkpoints, float(stop_at) if stop_at else None, _STARTED)


def _observe_keras_files(module):
    from epochal_recorder.observing import observe_files

    observe_files(module, _OUT)


def _observe_estimators(module):
    from epochal_recorder.scoring import observe_estimators

    observe_estimators(module, _OUT)


def _observe_cross_validation(module):
    from epochal_recorder.scoring import observe_cross_validation

    observe_cross_validation(module, _OUT)


def _observe_accuracy_score(module):
    from epochal_recorder.scoring import observe

    observe(module, "accuracy_score", _OUT)


def _observe_r2_score(module):
    from epochal_recorder.scoring import observe

    observe(module, "r2_score", _OUT)


_OBSERVERS = {
    "keras.src.models.model": _observe_keras,
    "keras.src.saving.saving_api": _observe_keras_files,
    "sklearn.base": _observe_estimators,
    "sklearn.model_selection._validation": _observe_cross_validation,
    "sklearn.metrics._classification": _observe_accuracy_score,
    "sklearn.metrics._regression": _observe_r2_score,
}
"""What is done with a module once it has executed. ``import keras``, ``from tensorflow import keras`` and ``tf.keras`` all
come to the first one, which defines keras.Model; sklearn.metrics hands accuracy_score on from the last one."""


class _Finder:
    """A meta path finder (see ``importlib.abc``) that waits for modules, to have them patched once they have executed."""

    def __init__(self):
        self._waited_for = dict(_OBSERVERS)

    def find_spec(self, name, *_):
        if name not in self._waited_for:
            return None
        from importlib.util import find_spec

        observe = self._waited_for.pop(name)
        spec = find_spec(name)
        if spec:
            _observe_after(spec.loader, observe)
        return spec


def _observe_after(loader, observe):
    execute = loader.exec_module

    def exec_module(module):
        execute(module)
        try:
            observe(module)
        except Exception as fault:  # training is worth more than its recording
            sys.stderr.write(f"epochal: {module.__name__} is not observed: {fault!r}\n")

    loader.exec_module = exec_module


def _run_shadowed():
    """Run the sitecustomize that this one stands before (Debian has one), in its own right."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry) != here])
    if spec:
        from importlib.util import module_from_spec

        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


# Where the script goes to later does not matter: relative folders are those of the start.
_OUT, _CHECKPOINTS = (
    os.path.abspath(os.environ[name]) if os.environ.get(name) else None
    for name in ("EPOCHAL_OUT", "EPOCHAL_CHECKPOINTS")
)
if _OUT:
    sys.meta_path.insert(0, _Finder())
_run_shadowed()
