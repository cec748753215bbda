"""Observes Keras: what ``fit`` learns and ``evaluate`` measures goes to the output folder. Changes nothing of either.

metrics.jsonl has a line of JSON for each event, written at once and whole. ``model`` numbers the script's models from 1 in the
order in which they are first used, ``call`` numbers the fits of that model from 1, ``epoch`` is Keras' epoch + 1:

    {"event": "epoch", "model": 1, "call": 1, "epoch": 1, "epochs": 20, "metrics": {"accuracy": 0.4}, "seconds": 0.4}
    {"event": "evaluate", "model": 1, "samples": 360, "metrics": {"loss": 0.6, "accuracy": 0.83}}
    {"event": "fault", "message": "…"}        the recorder failed; the training went on

accuracy.json holds the last evaluate that measured an accuracy, unless the script has written a file of that name itself:

    {"accuracy": 0.83, "source": "evaluate", "samples": 360, "metrics": {"loss": 0.6, "accuracy": 0.83}}

``samples`` is null where it cannot be known without reading the data. JSON has no numbers for what is not finite: those are the
strings "NaN", "Infinity" and "-Infinity", as in Protocol Buffers' JSON, which Python's ``float`` reads.

Runs beside nn.py in the training's environment: nothing but the standard library and Keras here, and Python from 3.10 on.
"""

import functools
import inspect
import json
import math
import os
import re
import sys
import time
import weakref

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""A metric that counts a right answer among the best k; its name ends in accuracy too, but it is none."""


def observe(model_class, out):
    """Patch ``fit`` and ``evaluate`` of keras.Model, which its subclasses inherit, so that events are written to ``out``."""
    recorder = _Recorder(out)
    model_class.fit = _observed(model_class.fit, recorder.fit_callback, recorder)
    model_class.evaluate = _observed(model_class.evaluate, recorder.evaluate_callback, recorder)


def _observed(method, make_callback, recorder):
    """``method`` with one callback more, made by ``make_callback(model, arguments)``, behind all of the caller's own."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def observed(model, *args, **kwargs):
        if kwargs.get("_use_cached_eval_dataset"):  # fit's own evaluate, after each epoch
            return method(model, *args, **kwargs)
        with _Observation(recorder) as observation:
            bound = signature.bind(model, *args, **kwargs)
            bound.arguments["callbacks"] = observation.join(
                bound.arguments.get("callbacks"), make_callback(model, bound.arguments)
            )
            args, kwargs = bound.args[1:], bound.kwargs
        try:
            return method(model, *args, **kwargs)
        finally:
            observation.part()

    return observed
