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
from importlib import import_module
from importlib.machinery import PathFinder

_STARTED = time.time()

_waited_for = {
    "keras.src.models.model",
    "keras.src.saving.saving_api",
    "sklearn.base",
    "sklearn.model_selection._validation",
    "sklearn.metrics._classification",
    "sklearn.metrics._regression",
}
"""The modules to observe once they have executed, each by the module of epochal_recorder with its package's name.

``import keras``, ``from tensorflow import keras`` and ``tf.keras`` all import the first one, which defines keras.Model.
"""


class _Finder:
    """A meta path finder (see ``importlib.abc``) that waits for modules, to have them patched once they have executed."""

    def find_spec(self, name, *_):
        if name not in _waited_for:
            return None
        from importlib.util import find_spec

        _waited_for.remove(name)
        spec = find_spec(name)
        if spec:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                try:
                    recorder = import_module(f"epochal_recorder.{name.partition('.')[0]}")
                    stop_at = os.environ.get("EPOCHAL_STOP_AT")
                    recorder.observe(module, out=_OUT, checkpoints=_CHECKPOINTS, stop_at=stop_at, started=_STARTED)
                except Exception as fault:  # training is worth more than its recording
                    sys.stderr.write(f"epochal: {name} is not observed: {fault!r}\n")

            spec.loader.exec_module = exec_module
        return spec


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
