"""Model.fit and Model.evaluate, as they are, with callbacks of ours behind the script's own."""

import copy
import functools
import inspect
import itertools
import math
import os
import re
import time
import weakref

from .checkpoint import Checkpoints
from .continuing import Ancestry, Continuing
from .data import digest, samples
from .output import Output, as_json, number
from .validation import Validation

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""What counts a right answer among the best k is called accuracy too, and is none."""
_MOST_FITS = 32
"""Of a script that fits more often (a training loop of its own around fit) no more than these keep checkpoints."""
_OTHER_PROCESS = "another process of nn.py keeps the checkpoints"
_TOO_MANY = f"no more than {_MOST_FITS} fits of a script keep checkpoints"


def observe(model_class, out, checkpoints=None, stop_at=None, started=None):
    """Patch ``fit`` and ``evaluate`` of keras.Model, whose subclasses inherit them.

    ``out``: the folder that events go to. ``checkpoints``: the folder that fits go on from, and leave theirs in; None:
    every fit starts afresh. ``stop_at``: the validation accuracy (0 to 1) with which a fit ends; None: it goes on.
    ``started``: when Python was started, in seconds since 1970.
    """
    output = Output(out)
    recorder = _Recorder(out, output, checkpoints, stop_at)
    model_class.fit = _observed(model_class.fit, recorder.fit, output)
    model_class.evaluate = _observed(model_class.evaluate, recorder.evaluate, output)
    with output.telling_faults():
        output.event(event="keras", started=started, time=time.time())


def _observed(method, observer_of, output):
    """``method``, given one more callback; ``observer_of(model, arguments of the call)`` makes what it tells."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def observed(*args, **kwargs):
        observer = None
        # What carries this mark is fit's own evaluate, of its validation data.
        if not kwargs.get("_use_cached_eval_dataset"):
            with output.telling_faults():
                call = signature.bind(*args, **kwargs)
                observer = observer_of(args[0], call.arguments)
                call.arguments["callbacks"] = _joined(call.arguments.get("callbacks"), observer.callback())
                args, kwargs = call.args, call.kwargs
        returned = method(*args, **kwargs)
        if observer is not None:
            with output.telling_faults():
                observer.ended()
        return returned

    return observed


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

    def __init__(self, out, output, checkpoints, stop_at):
        self._out = out
        self._output = output
        self._process = None
        self._checkpoints = checkpoints
        self._stop_at = stop_at
        self._count = itertools.count(1)
        self._fits = itertools.count(1)
        self._numbers = weakref.WeakKeyDictionary()
        self._calls = weakref.WeakKeyDictionary()
        self._ancestry = Ancestry()
        self._validation = Validation()

    def fit(self, model, arguments):
        """The observer of one fit."""
        self._calls[model] = self._calls.get(model, 0) + 1
        names = {"model": self._number(model), "call": self._calls[model]}
        with self._output.telling_faults():
            self._validation.add(arguments.get("validation_data"))
        continuing = None
        why = self._why_not()
        if self._checkpoints and not why:
            checkpoints = Checkpoints(self._checkpoints, **names)
            callbacks = _given(arguments.get("callbacks"))
            others = self._out, self._checkpoints
            continuing = Continuing(checkpoints, self._ancestry, model, arguments, callbacks, others)
        return _Fit(self._output, names, model, arguments, continuing, why, self._stop_at)

    def evaluate(self, model, arguments):
        """The observer of one evaluate."""
        x, y = arguments.get("x"), arguments.get("y")
        test_set, validated = None, False
        with self._output.telling_faults():
            test_set = digest(x, y)
            validated = self._validation.has(x, test_set)
        count = None if arguments.get("steps") else samples(x)
        return _Evaluate(self._output, self._number(model), model, count, test_set, validated)

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


class _Fit:
    """One call of fit, told epoch by epoch, continued if ``continuing`` can, and ended where the threshold is reached."""

    def __init__(self, output, names, model, arguments, continuing, why, stop_at):
        self._output = output
        self._names = names
        self._model = model
        self._epochs = int(arguments.get("epochs", 1))
        self._samples = _trained_samples(arguments)
        self._continuing = continuing
        self._why = why
        self._stop_at = stop_at
        self._began = time.monotonic()
        self._last_epoch = 0

    def callback(self):
        """What Keras is given. It is made when the call begins: at the time of the patch keras is half imported."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=self._telling(self._train_begins),
            on_epoch_begin=self._telling(self._epoch_begins),
            on_epoch_end=self._telling(self._epoch_ends),
            on_train_end=self._telling(self._train_ends),
        )

    def ended(self):
        """The call has returned."""
        self._output.event(event="fitted", **self._names, epoch=self._last_epoch, time=time.time())

    def _telling(self, method):
        def telling(*arguments):
            with self._output.telling_faults():
                method(*arguments)

        return telling

    def _train_begins(self, logs=None):
        continued, why, history = 0, self._why, {}
        if self._continuing:
            try:
                continued = self._continuing.begin()
            except Exception as fault:
                self._continuing = None
                why = f"it cannot be continued: {type(fault).__name__}: {fault}"
            else:
                why, history = self._continuing.why, self._continuing.history
        self._last_epoch = continued
        self._output.event(
            event="fit",
            **self._names,
            epochs=self._epochs,
            continued=continued,
            why=why,
            history=_history_as_json(history),
            time=time.time(),
        )
        if continued:
            latest = {name: values[-1] for name, values in history.items()}
            done = self._continuing.ended_itself or self._is_there(latest)
            # Keras' own BackupAndRestore says it so: fit reads it after on_train_begin.
            self._model._initial_epoch = self._epochs if done else continued

    def _epoch_begins(self, epoch, logs=None):
        self._began = time.monotonic()
        if self._continuing:
            self._model._initial_epoch = None  # fit has read it
        self._fill_history()

    def _epoch_ends(self, epoch, logs=None):
        logs = logs or {}
        self._last_epoch = epoch + 1
        self._output.event(
            event="epoch",
            **self._names,
            epoch=epoch + 1,
            epochs=self._epochs,
            metrics=as_json(logs),
            seconds=round(time.monotonic() - self._began, 3),
            samples=self._samples,
        )
        ended_itself = bool(self._model.stop_training)
        if self._is_there(logs):
            self._model.stop_training = True
        if self._continuing:
            last = epoch + 1 >= self._epochs or self._model.stop_training
            self._continuing.epoch_ended(epoch + 1, logs, last, ended_itself)

    def _train_ends(self, logs=None):
        self._fill_history()
        if self._continuing:
            self._model._initial_epoch = None
            self._continuing.end()

    def _fill_history(self):
        """Put what was measured before into the history that the script will read, ahead of what comes."""
        history = self._model.history
        if self._continuing and not history.epoch and not history.history:
            measured = self._continuing.history
            history.history.update({name: list(values) for name, values in measured.items()})
            history.epoch.extend(self._continuing.epochs)

    def _is_there(self, logs):
        """Whether the validation accuracy is what the fit is to end with; if it is, that is told."""
        metrics = as_json({name[4:]: value for name, value in logs.items() if name.startswith("val_")})
        name = _accuracy_name(metrics)
        # In the digits that a 32-bit float holds: 0.9 of it is a little less than 0.9.
        if self._stop_at is None or not name or float(f"{float(metrics[name]):.7g}") < self._stop_at:
            return False
        self._output.event(
            event="stopped",
            **self._names,
            epoch=self._last_epoch,
            metric=f"val_{name}",
            value=metrics[name],
            stop_at=self._stop_at,
        )
        return True


class _Evaluate:
    """One call of evaluate: what it measured is an event, and the script's accuracy if there is one in it."""

    def __init__(self, output, number, model, count, test_set, validated):
        self._output = output
        self._number = number
        self._model = model
        self._samples = count
        self._test_set = test_set
        self._validated = validated

    def callback(self):
        """What Keras is given."""
        import keras

        return keras.callbacks.LambdaCallback(on_test_end=self._test_ends)

    def ended(self):
        """The call has returned; all was told when the test ended."""

    def _test_ends(self, logs=None):
        with self._output.telling_faults():
            metrics = as_json(logs)
            on = {"samples": self._samples or _measured_samples(self._model), "test_set": self._test_set}
            self._output.event(event="evaluate", model=self._number, **on, validated=self._validated, metrics=metrics)
            name = _accuracy_name(metrics)
            if name:
                self._output.accuracy(accuracy=metrics[name], source="evaluate", **on, metrics=metrics)


def _measured_samples(model):
    """How many samples Keras has counted for its loss in an evaluate; None where it did not (a test_step of the model's own)."""
    tracker = getattr(model, "_loss_tracker", None)
    # One that is none of the model's metrics is not reset either, and has counted what was trained on.
    if tracker is None or not any(metric is tracker for metric in model.metrics):
        return None
    return round(float(tracker.count)) or None


def _trained_samples(arguments):
    """How many samples an epoch of a fit has; None where it cannot be known without reading the data."""
    count = samples(arguments.get("x"))
    split = arguments.get("validation_split")
    if arguments.get("steps_per_epoch") or count is None:
        return None
    # As Keras' train_validation_split rounds.
    return count if not split or arguments.get("validation_data") is not None else math.floor(count * (1 - split))


def _history_as_json(history):
    """The history's metrics that are single numbers."""
    names = as_json({name: values[-1] for name, values in history.items()})
    return {name: [number(float(value)) for value in history[name]] for name in names}


def _accuracy_name(metrics):
    """Which of the metrics is the accuracy, None if none is."""
    others = (name for name in metrics if name.endswith("_accuracy") and not _TOP_K.search(name))
    return next((name for name in ("accuracy", "acc", *others) if name in metrics), None)
