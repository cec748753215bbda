"""Keras' fit, evaluate and predict, as they are, with a callback of ours behind the script's own, and their rows seen."""

import copy
import functools
import inspect
import itertools
import math
import os
import re
import time
import weakref

import numpy

from .batches import is_read_again, is_read_in_batches, parts_of, splits_a_reshuffled_set, watch
from .checkpoint import Checkpoints
from .continuing import Ancestry, Continuing
from .data import samples
from .labels import are_numbers, is_same
from .lineage import digest_of_all
from .measuring import LEAST_ROWS, Origin, Tested, measuring
from .output import as_json, number
from .rows import NotHashable, hash_rows, leaves_of

_TOP_K = re.compile(r"(^|_)top_?(k|\d+)_")
"""What counts a right answer among the best k is called accuracy too, and is none."""
_MOST_FITS = 32
"""Of a script that fits more often (a training loop of its own around fit) no more than these keep checkpoints."""
_OTHER_PROCESS = "another process of nn.py keeps the checkpoints"
_TOO_MANY = f"no more than {_MOST_FITS} fits of a script keep checkpoints"


def observe(model_class, out, checkpoints=None, stop_at=None, started=None):
    """Patch ``fit``, ``evaluate`` and ``predict`` of keras.Model, whose subclasses inherit them.

    ``out``: the folder that events go to. ``checkpoints``: the folder that fits go on from, and leave theirs in; None:
    every fit starts afresh. ``stop_at``: the validation accuracy (0 to 1) with which a fit ends; None: it goes on.
    ``started``: when Python was started, in seconds since 1970.
    """
    shared = measuring(out)
    recorder = _Recorder(out, shared, checkpoints, stop_at)
    for name in ("fit", "evaluate", "predict"):
        method = getattr(model_class, name)
        setattr(model_class, name, _observed(method, getattr(recorder, name), shared.output))
    with shared.output.telling_faults():
        shared.output.event(event="keras", started=started, time=time.time())


def observe_loading(module, out):
    """Patch ``load_model`` and ``load_weights`` of Keras' module for saved models: what they load was not trained here."""
    shared = measuring(out)
    for name in ("load_model", "load_weights"):
        setattr(module, name, _noting_loaded(getattr(module, name), shared))


def _noting_loaded(load, shared):
    @functools.wraps(load)
    def loading(*args, **kwargs):
        returned = load(*args, **kwargs)
        with shared.output.telling_faults():
            model = args[0] if returned is None else returned
            if hasattr(model, "weights"):
                shared.lineage.remember_new(weights_of(model))
        return returned

    return loading


def _observed(method, observer_of, output):
    """Return ``method`` with one more callback; ``observer_of(model, arguments of the call)`` makes the callback's owner.

    It may replace arguments; ``None`` leaves the call unobserved.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def observed(*args, **kwargs):
        observer = None
        # What carries this mark is fit's own evaluate, of its validation data.
        if not kwargs.get("_use_cached_eval_dataset"):
            with output.telling_faults():
                call = signature.bind(*args, **kwargs)
                observer = observer_of(args[0], call.arguments)
                if observer is not None:
                    call.arguments["callbacks"] = _joined(call.arguments.get("callbacks"), observer.callback())
                    args, kwargs = call.args, call.kwargs
        try:
            returned = method(*args, **kwargs)
        except BaseException:
            if observer is not None:
                observer.failed()
            raise
        if observer is not None:
            with output.telling_faults():
                observer.ended(returned)
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
        self._fitted_sets = []

    def fit(self, model, arguments):
        """Return the observer of one fit, which sees the rows that it reads."""
        self._calls[model] = self._calls.get(model, 0) + 1
        names = {"model": self._number(model), "call": self._calls[model]}
        continuing = None
        why = self._why_not()
        given = dict(arguments)
        if self._checkpoints and not why:
            checkpoints = Checkpoints(self._checkpoints, **names)
            callbacks = _given(arguments.get("callbacks"))
            others = self._out, self._checkpoints
            continuing = Continuing(checkpoints, self._ancestry, self._shared.lineage, model, given, callbacks, others)
        fit = _Fit(self._shared, names, model, given, continuing, why, self._stop_at, self._running)
        with self._output.telling_faults():
            fit.watch(arguments)
        if hasattr(given.get("x"), "element_spec"):
            self._fitted_sets.append(given["x"])
        self._running.append(fit)
        return fit

    def evaluate(self, model, arguments):
        """Return the observer of one evaluate, which sees the rows that it reads."""
        test = _Evaluate(self._shared, self._number(model), model, dict(arguments), self._origin(model))
        self._watch(test, arguments, arguments.get("y"))
        return test

    def predict(self, model, arguments):
        """Return the observer of one predict; None within another call, or of a few rows, which are no test."""
        count = samples(arguments.get("x"))
        if (count is not None and count < LEAST_ROWS) or not self._shared.has_room:
            return None
        prediction = _Predict(self._shared, self._number(model), model, self._origin(model))
        self._watch(prediction, arguments, None)
        return prediction

    def _watch(self, test, arguments, y):
        with self._output.telling_faults():
            x = arguments.get("x")
            test.is_redrawn = splits_a_reshuffled_set(x, self._fitted_sets)
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


class _Fit:
    """One call of fit, told epoch by epoch, continued if ``continuing`` can, and ended where the threshold is reached."""

    def __init__(self, shared, names, model, arguments, continuing, why, stop_at, running):
        self._shared = shared
        self._output = shared.output
        self._names = names
        self.model = model
        self._arguments = arguments
        self._epochs = int(arguments.get("epochs", 1))
        self._samples = _trained_samples(arguments)
        self._continuing = continuing
        self._why = why
        self._stop_at = stop_at
        self._running = running
        self._began = time.monotonic()
        self._last_epoch = 0
        self._fitted = shared.begin_fit()
        self.identities = frozenset({self._fitted.identity})
        self._validation = None
        self._watches_validation = self._validates_again = self._is_read_again = False
        self._unseen = ""

    def watch(self, arguments):
        """See the rows of the training and validation data; data that are read batch by batch are replaced in ``arguments``."""
        x, y, validation = (arguments.get(name) for name in ("x", "y", "validation_data"))
        split = arguments.get("validation_split")
        self._validation = Tested(*_outputs(self.model)) if validation is not None or split else None
        if split and validation is None:
            (x, y), validation = _split(x, y, split)
        self._fitted.unseen = "the recorder failed"  # until it has not
        see = safely(self._see, self._output, self._fail)
        watched, why = watch(x, y, see, self._end_pass, self._restart, arguments.get("steps_per_epoch"))
        self._fitted.unseen = why or self._unseen
        if watched is not x:
            arguments["x"] = watched
        self._is_read_again = is_read_again(x)
        if validation is None:
            return
        # A data set is no tuple; what unpacks like one is (x, y) or (x, y, weights).
        data, labels = parts_of(validation) if isinstance(validation, (tuple, list)) else (validation, None)
        self._watches_validation = True
        see = safely(self._see_validation, self._output, self._validation.fail)
        watched, unseen = watch(data, labels, see, restart=self._validation.begin)
        self._validation.fail(unseen)
        self._watches_validation = is_read_in_batches(data)
        self._validates_again = is_read_again(data)
        if watched is not data:
            arguments["validation_data"] = watched
        elif not self._validation.unseen:
            self._keep_validation()

    def _see(self, x, y):
        if self._fitted.is_done or is_same(y, x):
            return
        if y is None:  # rows without labels, as an autoencoder is fitted on, give nothing away
            if len(leaves_of(x)) > 1:
                self._fail("labels may be among several inputs")
            return
        self._fitted.numbers = self._fitted.numbers or are_numbers(y)
        rows = hash_rows(x)
        self.identities |= self._shared.made_of(rows)
        self._fitted.add(rows, y)

    def _end_pass(self):
        with self._output.telling_faults():
            self._fitted.end_pass()

    def _fail(self, why):
        self._unseen = self._fitted.unseen = why

    def _restart(self):
        with self._output.telling_faults():
            self._fitted.begin_passes()

    def _see_validation(self, x, y):
        if self._watches_validation:
            self._validation.add(x, y)

    def _keep_validation(self):
        self._shared.validated.append(self._validation.hashes)

    def callback(self):
        """Return what Keras is given. It is made when the call begins: at the time of the patch keras is half imported."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=self._telling(self._train_begins),
            on_epoch_begin=self._telling(self._epoch_begins),
            on_epoch_end=self._telling(self._epoch_ends),
            on_train_end=self._telling(self._train_ends),
            on_test_begin=self._telling(self._test_begins),
            on_test_end=self._telling(self._test_ends),
        )

    def ended(self, _history):
        """Tell that the call has returned, and what its last validation rests on."""
        self._running.remove(self)
        self._fitted.end_pass()
        self._shared.lineage.share(self._fitted)
        self._remember()
        if self._validation is not None:
            self._output.event(event="validation", **self._names, **self._validation_described())
        self._output.event(event="fitted", **self._names, epoch=self._last_epoch, time=time.time())

    def failed(self):
        """Forget the call, which has ended with an error."""
        self._running.remove(self)

    def _telling(self, method):
        def telling(*arguments):
            with self._output.telling_faults():
                method(*arguments)

        return telling

    def _train_begins(self, logs=None):
        if self._is_read_again:
            self._fitted.begin_passes()
        self._shared.lineage.remember_new(weights_of(self.model))
        continued, why, history = 0, self._why, {}
        if self._continuing:
            try:
                continued = self._continuing.begin()
            except Exception as fault:
                self._continuing = None
                why = f"it cannot be continued: {type(fault).__name__}: {fault}"
            else:
                why, history = self._continuing.why, self._continuing.history
        origin = self._shared.origin_of(weights_of(self.model))
        self.identities |= origin.identities
        if self._continuing:
            self._continuing.identities = self.identities
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
            self.model._initial_epoch = self._epochs if done else continued

    def _epoch_begins(self, epoch, logs=None):
        self._began = time.monotonic()
        if self._continuing:
            self.model._initial_epoch = None  # fit has read it
        self._fill_history()

    def _epoch_ends(self, epoch, logs=None):
        logs = logs or {}
        self._last_epoch = epoch + 1
        seconds = round(time.monotonic() - self._began, 3)
        if self._is_read_again:
            self._fitted.end_pass()
        self._output.event(
            event="epoch",
            **self._names,
            epoch=epoch + 1,
            epochs=self._epochs,
            metrics=as_json(logs),
            seconds=seconds,
            samples=self._samples,
            weights=self._remember(),
        )
        ended_itself = bool(self.model.stop_training)
        if self._is_there(logs):
            self.model.stop_training = True
        if self._continuing:
            last = epoch + 1 >= self._epochs or self.model.stop_training
            self._continuing.epoch_ended(epoch + 1, logs, last, ended_itself)

    def _remember(self):
        """Note that the weights are this fit's now; returns what tells them from others."""
        arrays = weights_of(self.model)
        self._shared.lineage.remember(arrays, self.identities)
        return digest_of_all(arrays)

    def _train_ends(self, logs=None):
        self._fill_history()
        self._remember()
        if self._continuing:
            self.model._initial_epoch = None
            self._continuing.end()

    def _test_begins(self, logs=None):
        if self._watches_validation and self._validates_again:
            self._validation.begin()

    def _test_ends(self, logs=None):
        if self._watches_validation and self._validation.rows:
            self._watches_validation = False
            self._keep_validation()

    def _fill_history(self):
        """Put what was measured before into the history that the script will read, ahead of what comes."""
        history = self.model.history
        if self._continuing and not history.epoch and not history.history:
            measured = self._continuing.history
            history.history.update({name: list(values) for name, values in measured.items()})
            history.epoch.extend(self._continuing.epochs)

    def _validation_described(self):
        origin = Origin(self.identities, True, "", "")
        padding = _counts_padding(self.model)
        return self._shared.described(self._validation, origin, padding)

    def _is_there(self, logs):
        """Whether the validation accuracy is what the fit is to end with; if it is, that is told.

        Not so if it was measured on rows that were trained on.
        """
        metrics = as_json({name[4:]: value for name, value in logs.items() if name.startswith("val_")})
        name = _accuracy_name(metrics)
        # In the digits that a 32-bit float holds: 0.9 of it is a little less than 0.9.
        if self._stop_at is None or not name or float(f"{float(metrics[name]):.7g}") < self._stop_at:
            return False
        if self._validation is not None and self._validation_described()["seen"]["refused"]:
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

    def __init__(self, shared, number, model, arguments, origin):
        self._shared = shared
        self._number = number
        self._model = model
        self._arguments = arguments
        self._origin = origin
        self.tested = Tested(*_outputs(model))
        self.is_redrawn = False
        self.is_read_again = False

    def callback(self):
        """Return what Keras is given."""
        import keras

        return keras.callbacks.LambdaCallback(on_test_begin=self._test_begins, on_test_end=self._test_ends)

    def ended(self, _returned):
        """Do nothing: all was told when the test ended."""

    def failed(self):
        """Do nothing: an evaluate that fails measures nothing."""

    def _test_begins(self, logs=None):
        if self.is_read_again:
            self.tested.begin()

    def _test_ends(self, logs=None):
        with self._shared.output.telling_faults():
            metrics = as_json(logs)
            if is_same(self._arguments.get("y"), self._arguments.get("x")):
                self.tested.is_autoencoder = True
            told = self._shared.described(self.tested, self._origin, _counts_padding(self._model))
            told["samples"] = told["samples"] or self._samples()
            if self.is_redrawn:
                told["seen"] |= {"refused": True, "redrawn": True}
            on = {"samples": told["samples"], "test_set": told["test_set"]}
            kinds = _metric_kinds(self._model)
            self._shared.output.event(event="evaluate", model=self._number, metrics=metrics, kinds=kinds, **told)
            name = _accuracy_name(metrics)
            if name:
                self._shared.output.accuracy(accuracy=metrics[name], source="evaluate", **on, metrics=metrics)

    def _samples(self):
        count = None if self._arguments.get("steps") else samples(self._arguments.get("x"))
        return count or _measured_samples(self._model)


class _Predict:
    """One call of predict: its answers may be compared with labels by whoever called it."""

    def __init__(self, shared, number, model, origin):
        self._shared = shared
        self._number = number
        self._origin = origin
        self._model = model
        self.tested = Tested(*_outputs(model))
        self.is_redrawn = False
        self.is_read_again = False

    def callback(self):
        """Return what Keras is given."""
        import keras

        return keras.callbacks.LambdaCallback(on_predict_begin=self._begins)

    def failed(self):
        """Do nothing: there are no answers."""

    def ended(self, returned):
        """Tell of the prediction, and keep its answers."""
        if self.tested.rows < LEAST_ROWS:
            return
        answers = answers_of(returned) if hasattr(returned, "shape") else ()
        self._shared.predicted(self.tested, self._origin, answers, {"model": self._number}, self.is_redrawn)

    def _begins(self, logs=None):
        if self.is_read_again:
            self.tested.begin()


def weights_of(model):
    """Return the model's weights as arrays, which may be the memory that it trains in."""
    return [numpy.asarray(weight) for weight in model.weights]


def answers_of(outputs):
    """Return the classes that a network's outputs (rows × classes, or rows × 1) may be read as."""
    outputs = numpy.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return [outputs.argmax(axis=1)]
    if outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1):
        flat = outputs.ravel()
        return [flat > 0.5, flat > 0, numpy.round(flat)]
    return [outputs.argmax(axis=-1)] if outputs.ndim > 2 else []


def safely(see, output, fail):
    """Return ``see`` so that what goes wrong in it does not end the training; then ``fail(why)`` is called.

    Data of a kind that has no rows are no fault.
    """

    def seeing(x, y):
        try:
            see(x, y)
        except NotHashable as kind:
            fail(f"the data are of a kind that is not read ({kind})")
        except Exception as fault:
            fail("the recorder failed")
            output.fault(f"{type(fault).__name__}: {fault}")

    return seeing


def _split(x, y, split):
    """Return the training part of arrays, and the validation part, as Keras splits them: the last rows validate."""
    count = samples(x)
    at = math.floor(count * (1 - split)) if count else 0
    first, last = ([_part(each, part) for each in (x, y)] for part in (slice(None, at), slice(at, None)))
    return first, tuple(last)


def _part(data, rows):
    import keras

    if data is None:
        return None
    return keras.tree.map_structure(lambda leaf: leaf.iloc[rows] if hasattr(leaf, "iloc") else leaf[rows], data)


def _outputs(model):
    """Return the names of the model's outputs, and how many dimensions its only one has, the rows included (or None)."""
    names = getattr(model, "output_names", None) or ()
    try:
        shape = model.output_shape
    except Exception:  # a subclass of Model knows it only while it is called
        return names, None
    is_one = isinstance(shape, tuple) and all(each is None or isinstance(each, int) for each in shape)
    return names, len(shape) if is_one else None


def _counts_padding(model):
    """Whether an accuracy of sequences counts the tokens that pad them: no layer masks them."""
    return not any(
        getattr(layer, "mask_zero", False) or type(layer).__name__ == "Masking" for layer in model._flatten_layers()
    )


def _metric_kinds(model):
    """Return the class of each metric that the script compiled the model with, by its name."""
    kinds = {}
    compiled = getattr(model, "_compile_metrics", None)
    for metric in getattr(compiled, "metrics", None) or ():
        kinds[metric.name] = type(metric).__name__
    return kinds


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
