"""Startup hook for the training process: let the recorder observe the frameworks and the end of the script.

Python imports ``sitecustomize`` at startup if its folder is on PYTHONPATH (see the module ``site``). EPOCHAL_OUT is the
folder that the recorder writes to; if it is not set, nothing is observed. EPOCHAL_CHECKPOINTS, if set, is the folder
of the checkpoints from which calls to Keras' fit resume. EPOCHAL_STOP_AT, if set, is the validation accuracy at which a
fit is stopped. Until a framework is imported, each import costs only one extra dict lookup. This module runs alongside
nn.py in the training environment, so it needs no installed packages and supports Python 3.10 and later.
"""

# Every Python process runs this file at startup, so modules that take milliseconds to import (pathlib, importlib.util)
# are imported only when they are needed.
import os
import sys
import time
from importlib import import_module
from importlib.machinery import PathFinder

_STARTED = time.time()

_modules_to_patch = {
    "keras.src.models.model": "keras",
    "keras.src.saving.saving_api": "keras",
    "keras.src.engine.training": "keras",
    "keras.engine.training": "keras",
    "keras.saving.saving_api": "keras",
    "tf_keras.src.engine.training": "keras",
    "tf_keras.src.saving.saving_api": "keras",
    "sklearn.base": "sklearn",
    "sklearn.model_selection._split": "sklearn",
    "sklearn.model_selection._validation": "sklearn",
    "sklearn.metrics._classification": "sklearn",
    "sklearn.metrics._regression": "sklearn",
    "xgboost.training": "boosting",
    "lightgbm.engine": "boosting",
}
"""Modules to patch after they have been executed, each with the module of ``epochal_recorder`` that patches it.

``import keras``, ``from tensorflow import keras`` and ``tf.keras`` all import ``keras.src.models.model``, which defines
keras.Model; in Keras 2 and tf_keras, ``engine.training`` defines it.
"""


class _Finder:
    """A meta path finder (see ``importlib.abc``) that patches each of ``_modules_to_patch`` after it is executed."""

    def find_spec(self, name, *_):
        if name not in _modules_to_patch:
            return None
        from importlib.util import find_spec

        recorder_name = _modules_to_patch.pop(name)
        spec = find_spec(name)
        if spec:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                try:
                    recorder = import_module(f"epochal_recorder.{recorder_name}")
                    stop_at = os.environ.get("EPOCHAL_STOP_AT")
                    recorder.observe(module, out=_OUT, checkpoints=_CHECKPOINTS, stop_at=stop_at, started=_STARTED)
                except Exception as fault:  # a failing recorder must not stop training
                    sys.stderr.write(f"epochal: cannot observe {name}: {fault!r}\n")

            spec.loader.exec_module = exec_module
        return spec


def _observe_ending():
    """Have the recorder observe how this process ends."""
    try:
        import_module("epochal_recorder.ending").observe(_OUT)
    except Exception as fault:  # a failing recorder must not stop training
        sys.stderr.write(f"epochal: cannot observe how the script ends: {fault!r}\n")


def _run_shadowed():
    """Run any other ``sitecustomize`` that this file hides from Python (Debian ships one)."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry) != here])
    if spec:
        from importlib.util import module_from_spec

        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


# Relative folders are resolved now, because the script may change the working directory later.
_OUT, _CHECKPOINTS = (
    os.path.abspath(os.environ[name]) if os.environ.get(name) else None
    for name in ("EPOCHAL_OUT", "EPOCHAL_CHECKPOINTS")
)
if _OUT:
    sys.meta_path.insert(0, _Finder())
    _observe_ending()
_run_shadowed()
