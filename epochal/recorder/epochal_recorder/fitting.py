"""The observer of a call of Keras' fit, which records its epochs, sees its rows, resumes it and stops it early."""

import math
import time
import uuid

from .batches import parts_of, safely, splits_a_reshuffled_set, watch
from .data import samples
from .labels import are_numbers, is_same
from .lineage import digest_of_all
from .measuring import Origin, Tested
from .networks import accuracy_name, counts_padding, is_regression, outputs_of, weights_of
from .output import as_json, number
from .rows import hash_rows, leaves_of


class Fit:
    """Observer of one call of fit.

    It records each epoch, resumes the fit with ``resumption`` (may be None), and stops it once the validation accuracy
    has reached ``stop_at`` (may be None). ``names``: the numbers of model and fit for the events. ``arguments``: those
    of the call. ``why``: the reason if the fit may keep no checkpoints, else empty.
    """

    def __init__(self, shared, names, model, arguments, resumption, why, stop_at):
        self._shared = shared
        self._output = shared.output
        self._names = names
        self.model = model
        self._epochs = int(arguments.get("epochs", 1))
        self._samples = None if arguments.get("steps_per_epoch") else samples(arguments.get("x"))
        """Number of samples in an epoch; None if it cannot be known without reading the data."""
        split = arguments.get("validation_split")
        if self._samples is not None and split and arguments.get("validation_data") is None:
            self._samples = math.floor(self._samples * (1 - split))  # as Keras' train_validation_split rounds
        self._resumption = resumption
        self._why = why
        self._stop_at = stop_at
        self._began = time.monotonic()
        self._last_epoch = 0
        self._fitted = shared.lineage.begin(uuid.uuid4().hex)
        self.identities = frozenset({self._fitted.identity})
        self._validation = None
        self._watches_validation = False
        self._is_read_again = self._validates_again = False
        """Whether the training and the validation data are a tf.data.Dataset, whose first batch Keras reads twice."""
        self._unseen = ""
        self._is_regression = is_regression(model)

    def watch(self, arguments):
        """See the rows of the training and validation data.

        Data that are read batch by batch are replaced in ``arguments`` by ones that show each batch to this observer.
        """
        x, y, validation = (arguments.get(name) for name in ("x", "y", "validation_data"))
        given, split = x, arguments.get("validation_split")
        self._validation = Tested(*outputs_of(self.model)) if validation is not None or split else None
        if split and validation is None:
            (x, y), validation = _split(x, y, split)
        self._fitted.unseen = "the recorder failed"  # the reason to keep if the next lines fail
        see = safely(self._see, self._output, self._fail)
        safe = self._output.telling_faults()
        end_pass, restart = safe(self._fitted.end_pass), safe(self._fitted.begin_passes)
        watched, why = watch(x, y, see, end_pass, restart, arguments.get("steps_per_epoch"))
        self._fitted.unseen = why or self._unseen
        if watched is not x:
            arguments["x"] = watched
        self._is_read_again = hasattr(x, "element_spec")
        if validation is None:
            return
        # Validation data are either a tuple or list, (x, y) or (x, y, weights), or a data set.
        data, labels = parts_of(validation) if isinstance(validation, (tuple, list)) else (validation, None)
        self._validation.is_redrawn = splits_a_reshuffled_set(data, [given])
        self._watches_validation = True
        see = safely(self._see_validation, self._output, self._validation.fail)
        watched, unseen = watch(data, labels, see, restart=self._validation.begin)
        self._validation.fail(unseen)
        self._validates_again = hasattr(data, "element_spec")
        gives_batches = hasattr(data, "__next__") or (not hasattr(data, "shape") and hasattr(data, "num_batches"))
        self._watches_validation = self._validates_again or gives_batches  # arrays have been seen already
        if watched is not data:
            arguments["validation_data"] = watched
        elif not self._validation.unseen:
            self._shared.validated.append(self._validation.hashes)

    def _see(self, x, y):
        if self._fitted.is_done or is_same(y, x):
            return
        if y is None:  # rows without labels (of an autoencoder, for example) do not give away a test's labels
            if len(leaves_of(x)) > 1:
                self._fail("labels may be among several inputs")
            return
        self._fitted.numbers = self._fitted.numbers or are_numbers(y, x, self._is_regression)
        rows = hash_rows(x)
        self.identities |= self._shared.made_of(rows)
        self._fitted.note_form(x)
        self._fitted.add(rows, y, x)

    def _fail(self, why):
        self._unseen = self._fitted.unseen = why

    def _see_validation(self, x, y):
        if self._watches_validation:
            self._validation.add(x, y)

    def callback(self):
        """Return the callback to pass to Keras.

        It is created when the call begins, because Keras is only partly imported when it is patched.
        """
        import keras

        safe = self._output.telling_faults()
        return keras.callbacks.LambdaCallback(
            on_train_begin=safe(self._train_begins),
            on_epoch_begin=safe(self._epoch_begins),
            on_epoch_end=safe(self._epoch_ends),
            on_train_end=safe(self._train_ends),
            on_test_begin=safe(self._test_begins),
            on_test_end=safe(self._test_ends),
        )

    def ended(self, _history):
        """Record that fit has returned, and what is known of the rows that its validation was measured on."""
        self._fitted.end_pass()
        self._shared.lineage.share(self._fitted)
        self._shared.own[self.model] = self.identities
        self._remember()
        if self._validation is not None:
            self._output.event(event="validation", **self._names, **self._validation_described())
        self._output.event(event="fitted", **self._names, epoch=self._last_epoch, time=time.time())

    def _train_begins(self, logs=None):
        if self._is_read_again:
            self._fitted.begin_passes()
        self._shared.lineage.remember_new(weights_of(self.model))
        continued, why, history = 0, self._why, {}
        if self._resumption:
            try:
                continued = self._resumption.begin()
            except Exception as fault:
                self._resumption = None
                why = f"it cannot be continued: {type(fault).__name__}: {fault}"
            else:
                why, history = self._resumption.why, self._resumption.history
        origin = self._shared.origin_of(weights_of(self.model))
        self.identities |= origin.identities
        if self._resumption:
            self._resumption.identities = self.identities
        self._last_epoch = continued
        latest = {name: values[-1] for name, values in history.items()}
        # Metrics that are not a single number are left out.
        numbers = {name: [number(float(value)) for value in history[name]] for name in as_json(latest)}
        self._output.event(
            event="fit",
            **self._names,
            epochs=self._epochs,
            continued=continued,
            why=why,
            history=numbers,
            time=time.time(),
        )
        if continued:
            done = self._resumption.ended_itself or self._is_there(latest)
            # Keras' BackupAndRestore sets the first epoch in this way, too: fit reads it after on_train_begin.
            self.model._initial_epoch = self._epochs if done else continued

    def _epoch_begins(self, epoch, logs=None):
        self._began = time.monotonic()
        if self._resumption:
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
        if self._resumption:
            last = epoch + 1 >= self._epochs or self.model.stop_training
            self._resumption.epoch_ended(epoch + 1, logs, last, ended_itself)

    def _remember(self):
        """Note that the model's weights come from this fit, and return a digest of them."""
        arrays = weights_of(self.model)
        self._shared.lineage.remember(arrays, self.identities)
        return digest_of_all(arrays)

    def _train_ends(self, logs=None):
        self._fill_history()
        self._remember()
        if self._resumption:
            self.model._initial_epoch = None
            self._resumption.end()

    def _test_begins(self, logs=None):
        if self._watches_validation and self._validates_again:
            self._validation.begin()

    def _test_ends(self, logs=None):
        if self._watches_validation and self._validation.rows:
            self._watches_validation = False
            self._shared.validated.append(self._validation.hashes)

    def _fill_history(self):
        """Put the metrics of the epochs up to the checkpoint into the history that fit returns to the script."""
        history = self.model.history
        if self._resumption and not history.epoch and not history.history:
            measured = self._resumption.history
            history.history.update({name: list(values) for name, values in measured.items()})
            history.epoch.extend(range(self._resumption.first, self._resumption.epoch))

    def _validation_described(self):
        origin = Origin(self.identities, True, "", "")
        return self._shared.described(self._validation, origin, counts_padding(self.model))

    def _is_there(self, logs):
        """Return whether the validation accuracy has reached ``stop_at``, and record it if so.

        A validation accuracy that was measured on fitted rows does not count.
        """
        metrics = as_json({name[4:]: value for name, value in logs.items() if name.startswith("val_")})
        name = accuracy_name(metrics)
        # The value is rounded to the digits that a 32-bit float holds, because its 0.9 is a little less than 0.9.
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


def _split(x, y, split):
    """Return the training and the validation part of arrays as Keras splits them: the last rows are for validation."""
    count = samples(x)
    at = math.floor(count * (1 - split)) if count else 0
    first, last = ([_part(each, part) for each in (x, y)] for part in (slice(None, at), slice(at, None)))
    return first, tuple(last)


def _part(data, rows):
    import keras

    if data is None:
        return None
    return keras.tree.map_structure(lambda leaf: leaf.iloc[rows] if hasattr(leaf, "iloc") else leaf[rows], data)
