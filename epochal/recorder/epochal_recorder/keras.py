"""Patch Keras to observe fit, evaluate and predict.

These methods are observed through the data passed to them, and through callbacks that run before and after the
script's own.

Keras 2 and tf_keras are observed in the same way, but their fits are not resumed. In this package, ``import keras``
imports Keras and not this module, because the package uses relative imports for its own modules.
"""

import copy
import functools
import inspect
import itertools
import os
import sys
import time
import weakref

from .batches import make_safe, shares_reshuffled_source, watch
from .checkpoint import Checkpoints
from .data import count_samples
from .evaluating import Evaluate, Predict
from .fitting import Fit
from .library import is_keras_2, library_of
from .lineage import LOADED, digest_of
from .measuring import MIN_TEST_ROWS, Origin, shared_state
from .models import weights_of
from .raised import CODE
from .resume import Resumption

_MAX_FITS = 32
"""The maximum number of fits that keep checkpoints; limited because a script may call fit in a loop."""
_KERAS = frozenset({"keras", "tf_keras", "tensorflow"})
"""The packages that provide Keras. Their loading functions call each other."""


def observe(module, out, checkpoints, stop_at, started):
    """Patch keras.Model or the functions that save and load models, whichever the Keras module ``module`` defines.

    ``out``: the folder for events. ``checkpoints``: the folder for new checkpoints and for those to resume from; None
    for no checkpoints. ``stop_at``: the validation accuracy (0 to 1, as text) at which a fit is stopped early; None to
    let every fit finish. ``started``: when Python started, in seconds since 1970.
    """
    shared = shared_state(out)
    if hasattr(module, "Model"):
        recorder = _make_recorder(out, shared, checkpoints, float(stop_at) if stop_at else None, started)
        call = module.Model.__call__

        @functools.wraps(call)
        def wrapped_call(self, *args, **kwargs):
            if not recorder.calls_in_progress:  # the script itself calls the model
                shape = getattr(args[0], "shape", None) if args else None
                if shape and shape[0] is not None and shape[0] >= MIN_TEST_ROWS:  # fewer rows are not a test
                    with shared.output.recording_faults():
                        shared.record_call()
            return call(self, *args, **kwargs)

        module.Model.__call__ = wrapped_call
        for name in ("fit", "evaluate", "predict"):  # subclasses inherit them
            method = getattr(module.Model, name)
            setattr(module.Model, name, _wrap_to_observe(method, recorder, getattr(recorder, name), shared.output))
        with shared.output.recording_faults():
            shared.output.write_event(event="keras", started=started, time=time.time())
    else:
        for name in ("save_model", "save_weights", "load_model", "load_weights"):
            if hasattr(module, name):
                setattr(module, name, _wrap_to_note_weights(getattr(module, name), name, shared))


def _wrap_to_note_weights(function, name, shared):
    """Wrap ``function`` so that the weights that it saves or loads are remembered. ``name``: its name in Keras."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        returned = function(*args, **kwargs)
        with shared.output.recording_faults():
            call = signature.bind(*args, **kwargs).arguments
            model = call.get("model", returned)
            if hasattr(model, "weights"):
                note = shared.lineage.remember_saved
                if name.startswith(
                    "load"
                ):  # these weights were not trained in this trial, unless this trial saved them
                    is_own = _is_of_library(sys._getframe(1), call.get("filepath"))
                    note = shared.lineage.remember_pretrained if is_own else shared.lineage.remember_loaded
                note(weights_of(model))
        return returned

    return wrapper


def _is_of_library(frame, path):
    """Return whether a library, such as keras.applications, loads weights from a file outside the script's folder.

    ``frame``: the frame that called Keras' loading function. ``path``: the file.
    """
    folder = os.path.realpath(os.environ.get(CODE) or os.getcwd())
    if not isinstance(path, (str, os.PathLike)) or os.path.realpath(path).startswith(f"{folder}{os.sep}"):
        return False
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if ".applications." in name:
            return True
        if name.partition(".")[0] not in _KERAS:
            return "site-packages" in frame.f_code.co_filename
        frame = frame.f_back
    return False


def _wrap_to_observe(method, recorder, make_observer, output):
    """Wrap ``method`` so that each call is observed through additional callbacks.

    ``make_observer(model, arguments)`` returns the observer that provides the callbacks, or None if the call should
    not be observed. ``make_observer`` may replace the call's arguments.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        observer, is_counted, fault = None, False, None
        # Keras sets this argument when fit evaluates its validation data.
        if not kwargs.get("_use_cached_eval_dataset"):
            try:
                call = signature.bind(*args, **kwargs)
                observer = make_observer(args[0], call.arguments)
                recorder.calls_in_progress += 1
                is_counted = True
                if observer is not None:
                    call.arguments["callbacks"] = _join_callbacks(args[0], call.arguments.get("callbacks"), observer)
                    args, kwargs = call.args, call.kwargs
            except Exception as error:  # no fault of the recorder if Keras does not accept the arguments, either
                fault = error
        try:
            returned = method(*args, **kwargs)
        except Exception as error:
            if isinstance(observer, Fit):
                with output.recording_faults():
                    observer.fail(error, sys._getframe(1))
            raise
        finally:
            recorder.calls_in_progress -= is_counted
            if observer in recorder.running:
                recorder.running.remove(observer)
        if fault is not None:
            output.record_fault(f"{type(fault).__name__}: {fault}")
        if observer is not None:
            with output.recording_faults():
                observer.finish(returned)
        return returned

    return wrapper


def _join_callbacks(model, callbacks, observer):
    """Return a copy of ``callbacks`` (in any form that Keras accepts) with the observer's callbacks added."""
    first, last = observer.callbacks()
    if isinstance(callbacks, library_of(model).callbacks.CallbackList):
        joined = copy.copy(callbacks)
        joined.callbacks = [*first, *callbacks.callbacks, *last]
        return joined
    if not callbacks:
        return [*first, *last]
    return [*first, *(callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]), *last]


class _PredictLoaded(Predict):
    """Observer of a call to a loaded model's predict. A later fit may use the results as features."""

    def finish(self, returned):
        """Record the prediction, and keep its values so that they are recognised among the features of a later fit."""
        super().finish(returned)
        self._shared.lineage.loaded_results.add(returned, self._arguments.get("x"))


@functools.cache
def _make_recorder(*arguments):
    """Return the recorder of this process, which Keras 3 and Keras 2 share if a script imports both."""
    return _Recorder(*arguments)


class _Recorder:
    """Creates an observer for each call to fit, evaluate or predict, and assigns numbers to models and fits."""

    def __init__(self, out, shared, checkpoints, stop_at, started):
        self._out = out
        self._started = started
        self._shared = shared
        self._process = None
        self._checkpoints = checkpoints
        self._stop_at = stop_at
        self._count = itertools.count(1)
        self._fits = itertools.count(1)
        self._numbers = weakref.WeakKeyDictionary()
        self._calls = weakref.WeakKeyDictionary()
        self._ancestry = {}
        self.running = []
        """The observers of the fits in progress."""
        self.calls_in_progress = 0
        """The number of fit, evaluate and predict calls in progress. During these calls, Keras itself calls models."""
        self._fitted_datasets = []

    def fit(self, model, arguments):
        """Return an observer for a call to fit, and change ``arguments`` so that the observer sees the rows."""
        library = library_of(model)
        self._calls[model] = self._calls.get(model, 0) + 1
        names = {"model": self._number_of(model), "call": self._calls[model]}
        resumption = None
        why = "fits cannot be resumed with Keras 2" if is_keras_2(library) else self._why_no_checkpoints()
        original = dict(arguments)
        if self._checkpoints and not why:
            checkpoints = Checkpoints(self._checkpoints, **names)
            callbacks = original.get("callbacks") or []
            if isinstance(callbacks, library.callbacks.CallbackList):
                callbacks = [each for each in callbacks.callbacks if not isinstance(each, library.callbacks.History)]
            else:
                callbacks = library.tree.flatten(callbacks)
            excluded = self._out, self._checkpoints
            resumption = Resumption(
                checkpoints,
                self._ancestry,
                self._shared.lineage,
                model,
                original,
                callbacks,
                excluded,
                self._started,
            )
        fit = Fit(self._shared, names, model, original, resumption, why, self._stop_at)
        with self._shared.output.recording_faults():
            if self._shared.lineage.loaded_results.are_among(original.get("x")):
                fit.identities |= self._shared.lineage.loaded()
            fit.watch(arguments)
        if hasattr(original.get("x"), "element_spec"):
            self._fitted_datasets.append(original["x"])
        self.running.append(fit)
        return fit

    def evaluate(self, model, arguments):
        """Return an observer for a call to evaluate, and change ``arguments`` so that the observer sees the rows."""
        test = Evaluate(self._shared, self._number_of(model), model, dict(arguments), self._find_origin(model))
        self._watch(test, arguments, arguments.get("y"))
        return test

    def predict(self, model, arguments):
        """Return an observer for a call to predict, and change ``arguments`` so that the observer sees the rows.

        Returns None if there are too few rows for a test, or if too many predictions have been recorded already.
        """
        count = count_samples(arguments.get("x"))
        if (count is not None and count < MIN_TEST_ROWS) or not self._shared.has_room:
            return None
        origin, lineage = self._find_origin(model), self._shared.lineage
        is_loaded = not origin.trained and any(map(lineage.is_loaded, weights_of(model)))
        kind = _PredictLoaded if is_loaded else Predict
        prediction = kind(self._shared, self._number_of(model), model, dict(arguments), origin)
        self._watch(prediction, arguments, None)
        return prediction

    def _watch(self, test, arguments, y):
        with self._shared.output.recording_faults():
            x, test_rows = arguments.get("x"), test.test_rows
            test_rows.is_redrawn = shares_reshuffled_source(x, self._fitted_datasets)
            see = make_safe(test_rows.add, self._shared.output, test_rows.fail)
            arguments["x"], why = watch(x, y, see, restart=test_rows.restart)
            test_rows.fail(why)
            test.is_tf_dataset = hasattr(x, "element_spec")

    def _find_origin(self, model):
        """Return the origin of the model's weights, which includes any fits in progress that are training them."""
        arrays = weights_of(model)
        origin = self._shared.find_origin(arrays)
        variables = {id(variable) for variable in model.weights}
        running = [fit for fit in self.running if variables & {id(variable) for variable in fit.model.weights}]
        if not running and not any(map(digest_of, arrays)) and model in self._shared.fits_by_model:
            return Origin(self._shared.fits_by_model[model], True, "", origin.weights)
        if not running and origin.identities == {LOADED}:
            return Origin(frozenset(), None if origin.unchecked else False, origin.unchecked, origin.weights)
        if not running:
            return origin
        identities = origin.identities.union(*(fit.identities for fit in running))
        return Origin(identities, True, "", origin.weights)

    def _why_no_checkpoints(self):
        """Return why a fit cannot keep checkpoints; empty if it can.

        Fits are numbered within a process, so in each trial, only the first process to call fit keeps checkpoints.
        """
        if self._process is None:
            self._process = os.getpid()
            try:
                os.close(os.open(os.path.join(self._out, "fitting"), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                self._process = 0
        if self._process != os.getpid():
            return "the checkpoints are written by another nn.py process"
        return f"only the first {_MAX_FITS} fits of nn.py keep checkpoints" if next(self._fits) > _MAX_FITS else ""

    def _number_of(self, model):
        if model not in self._numbers:
            self._numbers[model] = next(self._count)
        return self._numbers[model]
