"""Keras' fit, evaluate and predict, as they are, with a callback of ours behind the script's own, and their rows seen.

``import keras`` in this package means Keras: its modules import each other with a dot.
"""

import copy
import functools
import inspect
import itertools
import os
import time
import weakref

from .batches import is_read_again, safely, splits_a_reshuffled_set, watch
from .checkpoint import Checkpoints
from .data import samples
from .fitting import Fit
from .lineage import digest_of
from .measuring import LEAST_ROWS, Origin, measuring
from .networks import weights_of
from .resume import Ancestry, Resumption
from .testing import Evaluate, Predict

_MOST_FITS = 32
"""Of a script that fits more often (a training loop of its own around fit) no more than these keep checkpoints."""
_OTHER_PROCESS = "another process of nn.py keeps the checkpoints"
_TOO_MANY = f"no more than {_MOST_FITS} fits of a script keep checkpoints"


def observe(module, out, checkpoints, stop_at, started):
    """Patch what one of Keras' modules has defined: keras.Model, or what saves and loads models.

    ``stop_at`` is the text of a number, or None; see ``observe_models`` for the rest.
    """
    if module.__name__ == "keras.src.models.model":
        observe_models(module.Model, out, checkpoints, float(stop_at) if stop_at else None, started)
    else:
        observe_files(module, out)


def observe_models(model_class, out, checkpoints, stop_at, started):
    """Patch ``fit``, ``evaluate`` and ``predict`` of keras.Model, whose subclasses inherit them.

    ``out``: the folder that events go to. ``checkpoints``: the folder that fits go on from, and leave theirs in; None:
    every fit starts afresh. ``stop_at``: the validation accuracy (0 to 1) with which a fit ends; None: it goes on.
    ``started``: when Python was started, in seconds since 1970.
    """
    shared = measuring(out)
    recorder = _Recorder(out, shared, checkpoints, stop_at)
    for name in ("fit", "evaluate", "predict"):
        method = getattr(model_class, name)
        setattr(model_class, name, _observed(method, recorder, getattr(recorder, name), shared.output))
    model_class.__call__ = _noting_calls(model_class.__call__, recorder, shared)
    with shared.output.telling_faults():
        shared.output.event(event="keras", started=started, time=time.time())


def observe_files(module, out):
    """Patch what saves and loads models in Keras' module for that: what is loaded and was not saved here was not trained here."""
    shared = measuring(out)
    lineage = shared.lineage
    for name, note in (
        ("save_model", lineage.remember_saved),
        ("save_weights", lineage.remember_saved),
        ("load_model", lineage.remember_new),
        ("load_weights", lineage.remember_new),
    ):
        if hasattr(module, name):
            setattr(module, name, _noting(getattr(module, name), note, shared.output))


def _noting(function, note, output):
    """Return ``function``, after which ``note`` is given the weights of the model that it returns, or else was given."""

    @functools.wraps(function)
    def noting(*args, **kwargs):
        returned = function(*args, **kwargs)
        with output.telling_faults():
            model = returned if returned is not None else args[0] if args else kwargs.get("model")
            if hasattr(model, "weights"):
                note(weights_of(model))
        return returned

    return noting


def _observed(method, recorder, observer_of, output):
    """Return ``method`` with one more callback; ``observer_of(model, arguments of the call)`` makes the callback's owner.

    It may replace arguments; ``None`` leaves the call unobserved.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def observed(*args, **kwargs):
        observer, is_counted = None, False
        # What carries this mark is fit's own evaluate, of its validation data.
        if not kwargs.get("_use_cached_eval_dataset"):
            with output.telling_faults():
                call = signature.bind(*args, **kwargs)
                observer = observer_of(args[0], call.arguments)
                recorder.busy += 1
                is_counted = True
                if observer is not None:
                    call.arguments["callbacks"] = _joined(call.arguments.get("callbacks"), observer.callback())
                    args, kwargs = call.args, call.kwargs
        try:
            returned = method(*args, **kwargs)
        except BaseException:
            if observer is not None:
                observer.failed()
            raise
        finally:
            recorder.busy -= is_counted
        if observer is not None:
            with output.telling_faults():
                observer.ended(returned)
        return returned

    return observed


def _noting_calls(call, recorder, shared):
    """Return a model's ``__call__`` that notes if the script itself calls it on as many rows as a test has."""

    @functools.wraps(call)
    def calling(self, *args, **kwargs):
        if not recorder.busy:
            shape = getattr(args[0], "shape", None) if args else None
            if shape and shape[0] is not None and shape[0] >= LEAST_ROWS:
                with shared.output.telling_faults():
                    shared.called()
        return call(self, *args, **kwargs)

    return calling


def _joined(callbacks, ours):
    """The caller's callbacks, then ours, in each form that Keras takes; what the caller gave stays as it is."""
    import keras

    if isinstance(callbacks, keras.callbacks.CallbackList):
        joined = copy.copy(callbacks)
        joined.callbacks = [*callbacks.callbacks, ours]
        return joined
    if not callbacks:
        return [ours]
    return [*callbacks, ours] if isinstance(callbacks, (list, tuple)) else [callbacks, ours]


def _given(callbacks):
    """The caller's callbacks as a list."""
    import keras

    if isinstance(callbacks, keras.callbacks.CallbackList):
        return [each for each in callbacks.callbacks if not isinstance(each, keras.callbacks.History)]
    return keras.tree.flatten(callbacks) if callbacks else []


class _Recorder:
    """Makes the observer of each call, and numbers models and fits."""

    def __init__(self, out, shared, checkpoints, stop_at):
        self._out = out
        self._shared = shared
        self._output = shared.output
        self._process = None
        self._checkpoints = checkpoints
        self._stop_at = stop_at
        self._count = itertools.count(1)
        self._fits = itertools.count(1)
        self._numbers = weakref.WeakKeyDictionary()
        self._calls = weakref.WeakKeyDictionary()
        self._ancestry = Ancestry()
        self._running = []
        self.busy = 0
        """How many calls are under way in which Keras calls models itself."""
        self._fitted_sets = []

    def fit(self, model, arguments):
        """Return the observer of one fit, which sees the rows that it reads."""
        self._calls[model] = self._calls.get(model, 0) + 1
        names = {"model": self._number(model), "call": self._calls[model]}
        resumption = None
        why = self._why_not()
        given = dict(arguments)
        if self._checkpoints and not why:
            checkpoints = Checkpoints(self._checkpoints, **names)
            callbacks = _given(arguments.get("callbacks"))
            others = self._out, self._checkpoints
            resumption = Resumption(checkpoints, self._ancestry, self._shared.lineage, model, given, callbacks, others)
        fit = Fit(self._shared, names, model, given, resumption, why, self._stop_at, self._running)
        with self._output.telling_faults():
            fit.watch(arguments)
        if hasattr(given.get("x"), "element_spec"):
            self._fitted_sets.append(given["x"])
        self._running.append(fit)
        return fit

    def evaluate(self, model, arguments):
        """Return the observer of one evaluate, which sees the rows that it reads."""
        test = Evaluate(self._shared, self._number(model), model, dict(arguments), self._origin(model))
        self._watch(test, arguments, arguments.get("y"))
        return test

    def predict(self, model, arguments):
        """Return the observer of one predict; None within another call, or of a few rows, which are no test."""
        count = samples(arguments.get("x"))
        if (count is not None and count < LEAST_ROWS) or not self._shared.has_room:
            return None
        prediction = Predict(self._shared, self._number(model), model, self._origin(model))
        self._watch(prediction, arguments, None)
        return prediction

    def _watch(self, test, arguments, y):
        with self._output.telling_faults():
            x = arguments.get("x")
            test.tested.is_redrawn = splits_a_reshuffled_set(x, self._fitted_sets)
            arguments["x"], unseen = watch(
                x, y, safely(test.tested.add, self._output, test.tested.fail), restart=test.tested.begin
            )
            test.tested.fail(unseen)
            test.is_read_again = is_read_again(x)

    def _origin(self, model):
        """Return where the model's weights come from; those of a fit that is under way come from it, too."""
        arrays = weights_of(model)
        origin = self._shared.origin_of(arrays)
        variables = {id(variable) for variable in model.weights}
        running = [fit for fit in self._running if variables & {id(variable) for variable in fit.model.weights}]
        if not running and not any(map(digest_of, arrays)) and model in self._shared.own:
            return Origin(self._shared.own[model], True, "", origin.weights)
        if not running:
            return origin
        identities = origin.identities.union(*(fit.identities for fit in running))
        return Origin(identities, True, "", origin.weights)

    def _why_not(self):
        """Why a fit is to keep no checkpoints; empty if it may.

        Fits are numbered within a process, so of all that a trial starts only the first one that fits keeps them.
        """
        if self._process is None:
            self._process = os.getpid()
            try:
                os.close(os.open(os.path.join(self._out, "fitting"), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                self._process = 0
        if self._process != os.getpid():
            return _OTHER_PROCESS
        return _TOO_MANY if next(self._fits) > _MOST_FITS else ""

    def _number(self, model):
        if model not in self._numbers:
            self._numbers[model] = next(self._count)
        return self._numbers[model]
