"""Observes Keras: what ``fit`` learns and ``evaluate`` measures goes to the output folder. Changes nothing of either.

metrics.jsonl has a line of JSON for each event, added in one write. ``model`` numbers the script's models from 1 in the
order in which they are first used, ``call`` numbers the fits of that model from 1, ``epoch`` is Keras' epoch + 1, and
``epochs`` is what the call asked for:

    {"event": "epoch", "model": 1, "call": 1, "epoch": 1, "epochs": 20, "metrics": {"accuracy": 0.4}, "seconds": 0.4}
    {"event": "evaluate", "model": 1, "samples": 360, "metrics": {"loss": 0.6, "accuracy": 0.83}}
    {"event": "fault", "message": "…"}        the recorder failed, the training went on; each message once

accuracy.json holds the last evaluate that measured an accuracy, unless the script has written that file itself:

    {"accuracy": 0.83, "source": "evaluate", "samples": 360, "metrics": {"loss": 0.6, "accuracy": 0.83}}

``samples`` is null where it cannot be known without reading the data. JSON has no numbers for what is not finite: those
are the strings "NaN", "Infinity" and "-Infinity", as in Protocol Buffers' JSON; Python's ``float`` reads them.

Runs beside nn.py in the training's environment: nothing but the standard library and Keras here, Python from 3.10 on.
"""

import copy
import functools
import inspect
import itertools
import json
import math
import os
import re
import sys
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""What counts a right answer among the best k is called accuracy too, and is none."""


def observe(model_class, out):
    """Patch ``fit`` and ``evaluate`` of keras.Model, whose subclasses inherit them: their events go to the folder ``out``."""
    output = _Output(Path(out))
    recorder = _Recorder(output)
    model_class.fit = _observed(model_class.fit, recorder.fit_callback, output)
    model_class.evaluate = _observed(model_class.evaluate, recorder.evaluate_callback, output)


def _observed(method, make_callback, output):
    """``method``, given one more callback, which ``make_callback(model, arguments of the call)`` makes."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def observed(*args, **kwargs):
        # What carries this mark is fit's own evaluate, of its validation data.
        if not kwargs.get("_use_cached_eval_dataset"):
            with output.telling_faults():
                call = signature.bind(*args, **kwargs)
                ours = make_callback(args[0], call.arguments)
                call.arguments["callbacks"] = _joined(call.arguments.get("callbacks"), ours)
                args, kwargs = call.args, call.kwargs
        return method(*args, **kwargs)

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


class _Recorder:
    """Turns what Keras' callbacks are told into events.

    A callback is made when its call begins: at the time of the patch keras is half imported.
    """

    def __init__(self, output):
        self._output = output
        self._count = itertools.count(1)
        self._numbers = weakref.WeakKeyDictionary()
        self._fits = weakref.WeakKeyDictionary()

    def fit_callback(self, model, arguments):
        """A callback that writes each epoch of one fit."""
        import keras

        self._fits[model] = self._fits.get(model, 0) + 1
        call = {"model": self._number(model), "call": self._fits[model]}
        began = time.monotonic()

        def begin(*_):
            nonlocal began
            began = time.monotonic()

        def end(epoch, logs=None):
            with self._output.telling_faults():
                self._output.event(
                    event="epoch",
                    **call,
                    epoch=epoch + 1,
                    epochs=int(arguments.get("epochs", 1)),
                    metrics=_metrics(logs),
                    seconds=round(time.monotonic() - began, 3),
                )

        return keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)

    def evaluate_callback(self, model, arguments):
        """A callback that writes what one evaluate measured."""
        import keras

        samples = None if arguments.get("steps") else _samples(arguments.get("x"))

        def end(logs=None):
            with self._output.telling_faults():
                metrics = _metrics(logs)
                self._output.event(event="evaluate", model=self._number(model), samples=samples, metrics=metrics)
                name = _accuracy_name(metrics)
                if name:
                    self._output.accuracy(accuracy=metrics[name], source="evaluate", samples=samples, metrics=metrics)

        return keras.callbacks.LambdaCallback(on_test_end=end)

    def _number(self, model):
        if model not in self._numbers:
            self._numbers[model] = next(self._count)
        return self._numbers[model]


class _Output:
    """The files in the output folder."""

    def __init__(self, folder):
        self._metrics = folder / "metrics.jsonl"
        self._accuracy = folder / "accuracy.json"
        self._told = set()

    def event(self, **values):
        """Add a line to metrics.jsonl."""
        line = json.dumps(values, allow_nan=False) + "\n"
        file = os.open(self._metrics, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def accuracy(self, **values):
        """Write accuracy.json as a whole, unless the script did."""
        if os.path.lexists(self._accuracy) and not _is_ours(self._accuracy):
            return
        temporary = self._accuracy.with_suffix(".tmp")
        temporary.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
        temporary.replace(self._accuracy)

    @contextmanager
    def telling_faults(self):
        """Catch what goes wrong with recording and tell it once: training is worth more."""
        try:
            yield
        except Exception as fault:
            self._tell(f"{type(fault).__name__}: {fault}")

    def _tell(self, message):
        if message in self._told:
            return
        self._told.add(message)
        try:
            self.event(event="fault", message=message)
        except OSError:
            with suppress(Exception):
                sys.stderr.write(f"epochal: what Keras tells cannot be recorded: {message}\n")


def _is_ours(path):
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("source") == "evaluate"


def _metrics(logs):
    """Keras' logs as JSON holds them; what is no single number (a value for each class, say) is left out."""
    metrics = {}
    for name, value in (logs or {}).items():
        with suppress(TypeError, ValueError):
            number = float(value)
            metrics[name] = number if math.isfinite(number) else json.dumps(number)
    return metrics


def _accuracy_name(metrics):
    """Which of the metrics is the accuracy, None if none is."""
    others = (name for name in metrics if name.endswith("_accuracy") and not _TOP_K.search(name))
    return next((name for name in ("accuracy", "acc", *others) if name in metrics), None)


def _samples(x):
    """How many samples ``x`` has: an array, or a list or dictionary of them, one for each input; None of a dataset."""
    arrays = list(x.values()) if isinstance(x, dict) else x
    first = arrays[0] if isinstance(arrays, (list, tuple)) and arrays else arrays
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape else None
