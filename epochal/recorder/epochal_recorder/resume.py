"""Resume a fit from its newest usable checkpoint, and write checkpoints for later trials."""

import contextlib
import io
import math
import random
import time
import uuid

import numpy

from .checkpoint import DamagedCheckpoint, NotResumable, StartOver, read
from .data import find_datasets, placeholders
from .files import WrittenFiles
from .lineage import digest_of
from .replay import Replay
from .resume_key import code_of_model, describe_difference, resume_key
from .script_state import ScriptState
from .state import capture, draws_hidden_numbers, find_generators, find_nonfinite, find_untracked_state, restore

_MAX_SHARE = 0.01
"""The share of the training time that writing checkpoints may take, not counting the last checkpoint of a fit."""
_BYTES_A_SECOND = 200_000_000
"""The assumed write speed for the first checkpoint, in bytes per second."""


class Resumption:
    """The checkpoints of a call to fit. The public methods must be called in the order in which they are defined."""

    def __init__(self, checkpoints, ancestry, lineage, model, arguments, callbacks, excluded, started):
        """Prepare to resume a fit. ``arguments`` and ``callbacks`` are those of the script's call to fit.

        ``ancestry`` maps a variable's digest to the fit that produced it, and is shared by all fits in the process.
        Variables are identified by their values, so it does not matter how they got from one model into another.
        ``excluded``: folders whose files are not kept in checkpoints. ``started``: when Python started, in seconds
        since 1970.
        """
        self._checkpoints = checkpoints
        self._ancestry = ancestry
        self._lineage = lineage
        self._model = model
        self._arguments = arguments
        self._callbacks = callbacks
        self._excluded = excluded
        self._started = started
        self._epochs = int(arguments.get("epochs", 1))
        self.replay = Replay(arguments)
        self.first = int(arguments.get("initial_epoch") or 0)
        """The epoch at which the script starts the fit, counted from 0 as in Keras."""
        self._past = []
        self._identity = uuid.uuid4().hex
        self._write_seconds = None
        self._has_run_schedule = False
        """Whether the recorder has called a learning-rate schedule, which may have changed variables of the script."""
        self._changed_key = None
        """The resume key of a checkpoint that was refused because the training setup has changed."""
        self.history = {}
        """The values of each metric in the epochs so far."""
        self.logs = {}
        """The metrics of the last epoch as Keras measured them, before any of the script's callbacks changed them."""
        self.epoch = self.first
        """The number of epochs that the model has been trained for so far."""
        self.why = ""
        """Why the fit does not resume from the newest checkpoint; empty if it does, or if there is no checkpoint."""
        self.identities = frozenset()
        """The identities of the fits that the model's weights come from, including this one."""
        self.stopped_by_script = False
        """Whether the script's own callbacks ended the fit; if so, more epochs would change nothing."""

    def begin(self):
        """Resume from the newest usable checkpoint and return its epoch, or return 0 if no checkpoint is usable.

        Raises AttributeError if this version of Keras cannot start a fit at a later epoch; NotResumable if nn.py itself
        resumes (BackupAndRestore), if the model has state that the recorder cannot see, if the model cannot be built
        without a batch of data, or if the data has changed; StartOver if only a new process can train the model from
        the beginning; and any exception that Keras raises when building the model.
        """
        if self._model._initial_epoch is not None:
            raise NotResumable("nn.py itself resumes from a backup")
        if not self._model.built:
            self._model(placeholders(self._arguments.get("x")))
        if untracked := find_untracked_state(self._model, code_of_model(self._model)):
            raise NotResumable(f"the model keeps state outside its variables: {', '.join(untracked)}")
        self._files = WrittenFiles(time.time(), self._started, self._excluded, self._callbacks)
        # Endless data is read in advance, so its state belongs to a later batch, and it is read again instead.
        datasets = find_datasets(self._arguments, with_training=not self.replay.is_needed)
        self._states = ScriptState(self._callbacks, datasets, self._model)
        self.replay.check(self._states.objects)
        self._resume_key = resume_key(self._model, self._arguments, self._callbacks)
        self._form = self._describe_form()
        ancestors = (
            (self._ancestry.get(_digest(variable)) for variable in self._model.variables) if self._ancestry else ()
        )
        self._parents = sorted({identity for identity in ancestors if identity})
        self._last_write = time.monotonic()
        for path in self._checkpoints.newest_first():
            try:
                content, rows = read(path)
            except DamagedCheckpoint as damage:
                self.why = self.why or str(damage)
                continue
            if why := self._why_unusable(content):
                if self._has_run_schedule and (self._states.capture() or self._states.lost):
                    raise StartOver(why)
                self.why = self.why or why
                continue
            self._restore(content, rows)
            self._identity, self._past = content["identity"], [path.name]
            return self.epoch
        return 0

    def _restore(self, content, rows):
        kept = self.replay.read_past(content["epoch"] - self.first, content.get("batches", []))
        if kept & find_generators(self._states.objects):
            raise StartOver("a callback uses the same random number generator as the training data")
        try:
            restore(self._model, content["state"], kept)
            self._lineage.restore(rows)
            self._states.restore(content["callbacks"])
            self._files.restore(content["files"])
        except Exception as fault:
            raise StartOver(f"the state of epoch {content['epoch']} could not be restored: {fault}") from fault
        if content["epoch"] < self._epochs:
            self.replay.check_validation(self._states)
        self.history, self.epoch, self.stopped_by_script = content["history"], content["epoch"], content["ended_itself"]
        self.logs = content.get("logs", {})

    def end_epoch(self, epoch, logs, last, stopped_by_script, replaced):
        """Record the metrics of an epoch (counted from 1), and write a checkpoint if one is due.

        A checkpoint is due after the last epoch, and after an earlier one if checkpoints have not used up their share
        of the time. ``stopped_by_script``: whether the script's own callbacks end the fit after this epoch.
        ``replaced``: whether these callbacks replaced the model's weights at the end of the epoch.
        """
        self._replaced = replaced
        self.epoch = epoch
        self.stopped_by_script = stopped_by_script
        for name, value in logs.items():
            array = numpy.asarray(value)
            number = array.item() if array.dtype.kind in "biuf" and array.ndim == 0 else value
            self.history.setdefault(name, []).append(array if array.ndim else number)
        if self._write_seconds is None:
            optimizer = self._model.optimizer
            variables = [*self._model.variables, *(optimizer.variables if optimizer else ())]
            self._write_seconds = 4 * sum(math.prod(variable.shape) for variable in variables) / _BYTES_A_SECOND
        if last or self._write_seconds <= _MAX_SHARE * (time.monotonic() - self._last_write):
            self._write()

    def end(self):
        """Record this fit as the origin of the model's variables, for later fits."""
        for variable in self._model.trainable_variables:
            if digest := _digest(variable):
                self._ancestry[digest] = self._identity

    def _why_unusable(self, content):
        # An older checkpoint of the same training is no better, even if a new schedule happens to agree with it.
        known_key = self._known_key(content) if content["fingerprint"] != self._changed_key else self._changed_key
        if difference := describe_difference(known_key, self._resume_key):
            self._changed_key = content["fingerprint"]
            return f"the training setup has changed: {difference}"
        if content["parents"] != self._parents:
            return "an earlier fit of the same model has changed since this checkpoint was written"
        if content["epoch"] > self._epochs:
            return f"the checkpoint is from epoch {content['epoch']}, but the fit ends after epoch {self._epochs}"
        if content.get("flaw"):
            return content["flaw"]
        if content.get("replaced") and content["epoch"] < self._epochs:
            return f"a callback replaced the model's weights at the end of epoch {content['epoch']}"
        return ""

    def _known_key(self, content):
        """Return a checkpoint's resume key, but with this fit's schedules where they yield the same learning rates.

        A schedule may read the number of epochs even if its learning rates up to the checkpoint do not depend on it.
        """
        import keras

        key, rates = dict(content["fingerprint"]), content["history"].get("learning_rate", [])
        descriptions = list(key.get("the callbacks", []))
        for number, callback in enumerate(self._callbacks[: len(descriptions)]):
            now = self._resume_key["the callbacks"][number]
            is_scheduler = isinstance(callback, keras.callbacks.LearningRateScheduler)
            is_complete = len(rates) == content["epoch"] - self.first
            if is_scheduler and is_complete and descriptions[number] != now and self._follows(callback.schedule, rates):
                descriptions[number] = now
        return key | {"the callbacks": descriptions}

    def _follows(self, schedule, rates):
        """Return whether a schedule, called as LearningRateScheduler calls it, gives these learning rates."""
        self._has_run_schedule = True
        states, rate = (random.getstate(), numpy.random.get_state()), float(self._model.optimizer.learning_rate)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                for epoch, expected in enumerate(rates, self.first):
                    try:
                        rate = schedule(epoch, rate)
                    except TypeError:
                        rate = schedule(epoch)
                    rate = float(numpy.float32(rate))
                    if rate != expected:
                        return False
        except Exception:  # the schedule is the script's code
            return False
        finally:
            random.setstate(states[0])
            numpy.random.set_state(states[1])
        return True

    def _describe_form(self):
        """Return which variables are trainable, and the optimizer's ID.

        If a callback changes either, the fit cannot be resumed.
        """
        return [bool(variable.trainable) for variable in self._model.variables], id(self._model.optimizer)

    def _find_flaw(self):
        """Return why no fit can resume from the checkpoint that is about to be written; empty if it is usable."""
        if self._describe_form() != self._form:
            return "a callback changes the optimizer, or which layers are trained, during the fit"
        if self._states.lost:
            return self._states.lost
        if draws_hidden_numbers(self._model):
            return "the script draws random numbers with tf.random, so training cannot be resumed (use keras.random)"
        optimizer = self._model.optimizer
        if find_nonfinite([*self._model.variables, *(optimizer.variables if optimizer else ())]):
            return f"after epoch {self.epoch}, the weights or the optimizer's variables contain NaN or infinity"
        return ""

    def _write(self):
        start = time.monotonic()
        self._identity = uuid.uuid4().hex
        content = {
            "identity": self._identity,
            "parents": self._parents,
            "epoch": self.epoch,
            "ended_itself": self.stopped_by_script,
            "fingerprint": self._resume_key,
            "history": self.history,
            "logs": self.logs,
            "batches": list(self.replay.digests),
            "callbacks": self._states.capture(),
            "flaw": self._find_flaw(),
            "replaced": self._replaced,
            "files": self._files.capture(),
            "state": capture(self._model),
        }
        rows = self._lineage.state(self.identities)
        self._past = [*self._past[-1:], self._checkpoints.write(self.epoch, content, rows, self._past)]
        self._last_write = time.monotonic()
        self._write_seconds = self._last_write - start


def _digest(variable):
    """Return a 64-bit digest of a variable's values, ignoring its shape, because a copy may have a different shape."""
    return digest_of(numpy.ravel(variable))
