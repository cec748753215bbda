"""Observe a call to Keras' fit: record its epochs and rows, resume it from a checkpoint, and stop it early."""

import inspect
import math
import time
import uuid

import numpy

from .batches import make_safe, shares_reshuffled_source, unpack_batch, watch
from .checkpoint import NotResumable, StartOver
from .data import count_samples
from .labels import are_regression_targets, is_same
from .library import library_of, tree
from .lineage import digest_of_all
from .measuring import Origin, TestRows
from .models import (
    accuracy_name,
    compares_classes,
    counts_padding,
    is_regression,
    metric_classes,
    outputs_of,
    weights_of,
)
from .output import as_json, number_as_json
from .raised import describe
from .resume_key import code_of_model
from .rows import hash_rows, leaves_of
from .state import find_nonfinite, is_finite

_MAX_COLUMNS = 20
"""At most this many columns that contain NaN or infinity are recorded."""
_SCALING_LAYERS = {"Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "Embedding"}
"""The Keras layers whose outputs are small even if their inputs are large."""


class Fit:
    """An observer of one call to fit.

    It records each epoch, resumes the fit with ``resumption`` (may be None), and stops it once the validation accuracy
    has reached ``stop_at`` (may be None). ``names``: the model and fit numbers that each event includes.
    ``arguments``: the arguments of the call. ``why``: why the fit cannot keep checkpoints; empty if it can.
    """

    def __init__(self, shared, names, model, arguments, resumption, why, stop_at):
        self._shared = shared
        self._output = shared.output
        self._names = names
        self.model = model
        self._epochs = int(arguments.get("epochs", 1))
        self._samples = None if arguments.get("steps_per_epoch") else count_samples(arguments.get("x"))
        """The number of samples in an epoch; None if it cannot be known without reading the data."""
        split = arguments.get("validation_split")
        if self._samples is not None and split and arguments.get("validation_data") is None:
            self._samples = math.floor(self._samples * (1 - split))  # rounded as in Keras' train_validation_split
        self._resumption = resumption
        self._why = why
        self._stop_at = stop_at
        self._epoch_start = time.monotonic()
        self._last_epoch = 0
        self._trained_weights = ""
        """A digest of the weights at the end of the epoch, before the script's callbacks can replace them."""
        self._fitted = shared.lineage.register(uuid.uuid4().hex)
        self.identities = frozenset({self._fitted.identity})
        self._validation = None
        self._watches_validation = False
        self._is_tf_dataset = self._validates_on_tf_dataset = False
        """Whether the training (or validation) data is a tf.data.Dataset, whose first batch Keras reads twice."""
        self._why_unseen = ""
        self._is_regression = is_regression(model)
        self._has_diverged = False
        self._nonfinite = {"x": 0, "y": 0}
        """For the inputs (x) and the labels (y), the number of rows that contain NaN or infinity."""
        self._rows = 0
        """The number of rows that were checked for NaN and infinity."""
        self._nonfinite_columns = set()
        self._has_nan = False
        self._largest_input = 0.0

    def watch(self, arguments):
        """Observe the rows of the training and validation data.

        Data that Keras reads batch by batch is replaced in ``arguments`` with a wrapper that also passes each batch to
        this observer.
        """
        x, y, validation = (arguments.get(name) for name in ("x", "y", "validation_data"))
        original, split = x, arguments.get("validation_split")
        self._validation = TestRows(*outputs_of(self.model)) if validation is not None or split else None
        if split and validation is None:
            (x, y), validation = _split_off_validation(x, y, split)
        self._fitted.why_unseen = "an internal error occurred"  # remains the reason if the next lines fail
        see = make_safe(self._see, self._output, self._fail)
        safe = self._output.recording_faults()
        end_pass, restart = safe(self._fitted.end_pass), safe(self._fitted.begin_passes)
        note_first = safe(self._resumption.replay.note) if self._resumption else None
        watched, why = watch(x, y, see, end_pass, restart, arguments.get("steps_per_epoch"), note_first)
        self._fitted.why_unseen = why or self._why_unseen
        if watched is not x:
            arguments["x"] = watched
        self._is_tf_dataset = hasattr(x, "element_spec")
        if validation is None:
            return
        # Validation data is a dataset, or a tuple or list: (x, y) or (x, y, weights).
        data, labels = unpack_batch(validation) if isinstance(validation, (tuple, list)) else (validation, None)
        self._validation.is_redrawn = shares_reshuffled_source(data, [original])
        self._watches_validation = True
        see = make_safe(self._see_validation, self._output, self._validation.fail)
        watched, why = watch(data, labels, see, restart=self._validation.restart)
        self._validation.fail(why)
        self._validates_on_tf_dataset = hasattr(data, "element_spec")
        gives_batches = hasattr(data, "__next__") or (not hasattr(data, "shape") and hasattr(data, "num_batches"))
        self._watches_validation = self._validates_on_tf_dataset or gives_batches  # arrays have been seen already
        if watched is not data:
            arguments["validation_data"] = watched
        elif not self._validation.why_unseen:
            self._shared.validation_sets.append(self._validation.hashes)

    def _see(self, x, y):
        if self._fitted.is_complete or (self._resumption and self._resumption.replay.is_reading):
            return
        self._note_values(x, y)
        if is_same(y, x):
            return
        if y is None:  # rows without labels (of an autoencoder, for example) do not give away a test's labels
            if len(leaves_of(x)) > 1:
                self._fail("one of the inputs may hold the labels")
            return
        self._fitted.is_regression = self._fitted.is_regression or are_regression_targets(y, x, self._is_regression)
        rows = hash_rows(x)
        self.identities |= self._shared.transformations_of(rows)
        self._fitted.note_form(x)
        self._fitted.add(rows, y, x)

    def _fail(self, why):
        self._why_unseen = self._fitted.why_unseen = why

    def _see_validation(self, x, y):
        if self._watches_validation:
            self._validation.add(x, y)

    def callbacks(self):
        """Return the callbacks to pass to Keras before the script's own callbacks, and those to pass after them.

        They are created when the call begins, because Keras is only partly imported when it is patched.
        """
        safe = self._output.recording_faults()
        callbacks = library_of(self.model).callbacks
        first = callbacks.LambdaCallback(
            on_epoch_begin=safe(self._fill_history),
            on_epoch_end=safe(self._before_epoch_end),
            on_train_end=safe(self._before_train_end),
        )
        last = callbacks.LambdaCallback(
            on_train_begin=safe(self._on_train_begin),
            on_epoch_begin=safe(self._on_epoch_begin),
            on_epoch_end=safe(self._on_epoch_end),
            on_train_end=safe(self._on_train_end),
            on_test_begin=safe(self._on_test_begin),
            on_test_end=safe(self._on_test_end),
        )
        return [first], [last]

    def finish(self, _history):
        """Record that fit has returned, and describe the rows that it validated on."""
        self._fitted.end_pass()
        self._shared.lineage.share_rows(self._fitted)
        self._shared.fits_by_model[self.model] = self.identities
        self._remember()
        if self._validation is not None:
            self._output.write_event(event="validation", **self._names, **self._describe_validation())
        self._output.write_event(event="fitted", **self._names, epoch=self._last_epoch, time=time.time())

    def fail(self, error, caller):
        """Record that fit, called by the frame ``caller``, raised ``error``; the script may catch it and continue."""
        self._output.write_event(event="failed", **self._names, raised=describe(error, caller))

    def _on_train_begin(self, logs=None):
        if self._is_tf_dataset:
            self._fitted.begin_passes()
        self._shared.lineage.remember_untrained(weights_of(self.model))
        continued, why, history = 0, self._why, {}
        if self._resumption:
            try:
                continued = self._resumption.begin()
                # Keras' BackupAndRestore sets the first epoch in the same way: fit reads it after on_train_begin.
                self.model._initial_epoch = continued or None
            except StartOver as fault:
                self._output.write_event(event="start_over", **self._names, why=fault.why)
                raise
            except NotResumable as fault:
                self._resumption, why = None, str(fault)
            except Exception as fault:
                self._resumption, why = None, f"the fit cannot be resumed: {type(fault).__name__}: {fault}"
            else:
                why, history = self._resumption.why, self._resumption.history
        origin = self._shared.find_origin(weights_of(self.model))
        self.identities |= origin.identities
        if self._resumption:
            self._resumption.identities = self.identities
        self._last_epoch = continued
        latest = {name: values[-1] for name, values in history.items()}
        # Metrics that are not a single number are left out.
        numbers = {name: [number_as_json(float(value)) for value in history[name]] for name in as_json(latest)}
        self._output.write_event(
            event="fit",
            **self._names,
            epochs=self._epochs,
            continued=continued,
            why=why,
            history=numbers,
            time=time.time(),
        )
        if continued and (self._resumption.stopped_by_script or self._has_reached_stop_at(latest)):
            self.model._initial_epoch = self._epochs

    def _on_epoch_begin(self, epoch, logs=None):
        self._epoch_start = time.monotonic()
        if self._resumption:
            self.model._initial_epoch = None  # fit has already read it

    def _before_epoch_end(self, epoch, logs=None):
        if self._resumption:
            self._trained_weights = digest_of_all(weights_of(self.model))
            self._resumption.logs = dict(logs or {})

    def _on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        self._last_epoch = epoch + 1
        seconds = round(time.monotonic() - self._epoch_start, 3)
        if self._is_tf_dataset:
            self._fitted.end_pass()
        weights = self._remember()
        self._output.write_event(
            event="epoch",
            **self._names,
            epoch=epoch + 1,
            epochs=self._epochs,
            metrics=as_json(logs),
            seconds=seconds,
            samples=self._samples,
            weights=weights,
        )
        self._record_divergence(epoch + 1)
        stopped_by_script = bool(self.model.stop_training)
        if self._has_reached_stop_at(logs):
            self.model.stop_training = True
        if self._resumption:
            last = epoch + 1 >= self._epochs or self.model.stop_training
            replaced = weights != self._trained_weights
            self._resumption.end_epoch(epoch + 1, logs, last, stopped_by_script, replaced)

    def _record_divergence(self, epoch):
        """Record the first epoch after which the weights are not all finite, with facts about possible causes.

        The loss may stay finite, because an activation such as relu turns NaN into 0 on some processors.
        """
        if self._has_diverged or not find_nonfinite(self.model.variables):
            return
        self._has_diverged = True
        optimizer = self.model.optimizer
        parameter = inspect.signature(type(optimizer)).parameters.get("learning_rate")
        self._output.write_event(
            event="diverged",
            **self._names,
            epoch=epoch,
            epochs=self._epochs,
            nonfinite=self._nonfinite,
            rows=self._rows,
            columns=sorted(self._nonfinite_columns)[:_MAX_COLUMNS],
            nan=self._has_nan,
            optimizer=type(optimizer).__name__,
            learning_rate=number_as_json(float(optimizer.learning_rate)),
            default_rate=parameter.default if parameter and isinstance(parameter.default, float) else None,
            clipped=any(getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm")),
            own_code=bool(code_of_model(self.model).names),
            largest_input=number_as_json(self._largest_input),
            scales=any(type(layer).__name__ in _SCALING_LAYERS for layer in self.model._flatten_layers()),
        )

    def _note_values(self, x, y):
        """Count the rows with NaN or infinity, and note the largest absolute value of the inputs."""
        inputs = leaves_of(x)
        self._rows += (count_samples(x) or 0) if inputs else 0
        for name, data in (("x", x), ("y", y)):
            for leaf in leaves_of(data):
                array = numpy.asarray(leaf)
                if array.dtype.kind != "f" or not array.ndim or not array.size:
                    continue
                if is_finite(array):
                    if name == "x":
                        self._largest_input = max(self._largest_input, float(array.max()), -float(array.min()))
                else:
                    wrong = ~numpy.isfinite(array.reshape(len(array), -1))
                    self._nonfinite[name] += int(wrong.any(axis=1).sum())
                    self._has_nan = self._has_nan or bool(numpy.isnan(array).any())
                    if name == "x" and array.ndim == 2 and len(inputs) == 1:
                        self._nonfinite_columns |= set(wrong.any(axis=0).nonzero()[0].tolist())

    def _remember(self):
        """Record that the model's weights come from this fit, and return a digest of them."""
        arrays = weights_of(self.model)
        self._shared.lineage.remember(arrays, self.identities)
        return digest_of_all(arrays)

    def _before_train_end(self, logs=None):
        """Give the script's callbacks the history and, if no epochs were left to run, the metrics of the last epoch."""
        self._fill_history()
        if self._resumption and not logs:
            logs.update(self._resumption.logs)

    def _on_train_end(self, logs=None):
        self._remember()
        if self._resumption:
            self.model._initial_epoch = None
            self._resumption.end()

    def _on_test_begin(self, logs=None):
        if self._watches_validation and self._validates_on_tf_dataset:
            self._validation.restart()

    def _on_test_end(self, logs=None):
        if self._watches_validation and self._validation.count:
            self._watches_validation = False
            self._shared.validation_sets.append(self._validation.hashes)

    def _fill_history(self, *_):
        """Put the metrics of the epochs up to the checkpoint into the history that fit returns to the script."""
        history = self.model.history
        if self._resumption and not history.epoch and not history.history:
            measured = self._resumption.history
            history.history.update({name: list(values) for name, values in measured.items()})
            history.epoch.extend(range(self._resumption.first, self._resumption.epoch))

    def _describe_validation(self):
        origin = Origin(self.identities, True, "", "")
        self._validation.expects_classes = compares_classes(self.model)
        return self._shared.describe(self._validation, origin, counts_padding(self.model))

    def _has_reached_stop_at(self, logs):
        """Return whether the validation accuracy has reached ``stop_at``; if so, record an event.

        A validation accuracy does not count if it was measured on rows that the model was fitted on.
        """
        metrics = as_json({name[4:]: value for name, value in logs.items() if name.startswith("val_")})
        name = accuracy_name(metrics, metric_classes(self.model))
        # Round the value to the precision of 32-bit floats, because the float nearest to 0.9 is slightly below 0.9.
        if self._stop_at is None or not name or float(f"{float(metrics[name]):.7g}") < self._stop_at:
            return False
        if self._validation is not None and self._describe_validation()["seen"]["refused"]:
            return False
        self._output.write_event(
            event="stopped",
            **self._names,
            epoch=self._last_epoch,
            metric=f"val_{name}",
            value=metrics[name],
            stop_at=self._stop_at,
        )
        return True


def _split_off_validation(x, y, split):
    """Split arrays into training and validation parts as Keras does: the last rows are for validation."""
    count = count_samples(x)
    at = math.floor(count * (1 - split)) if count else 0
    first, last = ([_take_rows(each, part) for each in (x, y)] for part in (slice(None, at), slice(at, None)))
    return first, tuple(last)


def _take_rows(data, rows):
    if data is None:
        return None
    return tree().map_structure(lambda leaf: leaf.iloc[rows] if hasattr(leaf, "iloc") else leaf[rows], data)
