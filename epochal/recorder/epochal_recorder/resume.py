"""One fit that resumes from its checkpoint, and leaves one from which a later trial resumes."""

import hashlib
import math
import time
import uuid

import numpy

from .checkpoint import Damaged, read, read_rows
from .data import placeholders
from .files import WrittenFiles
from .fingerprint import difference, fingerprint
from .state import CallbackStates, capture, foreign, restore

_SHARE = 0.01
"""The share of the training's time that checkpoints may take, but for the last."""
_BYTES_A_SECOND = 200_000_000
"""How fast the first one is expected to be written."""


class Resumption:
    """The checkpoints of one call of fit. Its methods are called in the order in which they stand here."""

    def __init__(self, checkpoints, ancestry, lineage, model, arguments, callbacks, others):
        self._checkpoints = checkpoints
        self._ancestry = ancestry
        self._lineage = lineage
        self._model = model
        self._arguments = arguments
        self._callbacks = callbacks
        self._others = others
        self._epochs = int(arguments.get("epochs", 1))
        self._first = int(arguments.get("initial_epoch") or 0)
        self._past = []
        self._identity = uuid.uuid4().hex
        self._seconds = None
        self.history = {}
        """What was measured so far: a list for each metric."""
        self.epoch = self._first
        """How many epochs the model has been trained."""
        self.why = ""
        """Why it does not go on from the newest checkpoint that is there; empty if it does, or if there is none."""
        self.identities = frozenset()
        """The fits that the model's weights come from, this one included."""
        self.ended_itself = False
        """Whether the script's own callbacks ended the fit before: more epochs change nothing then."""

    @property
    def epochs(self):
        """The epochs that the model has been trained, numbered as Keras does, from 0."""
        return range(self._first, self.epoch)

    def begin(self):
        """Go on from the newest checkpoint that fits; returns the epoch, 0 where it starts afresh.

        Raises AttributeError where this Keras cannot be told where to begin, ValueError where the script has told it (its
        own BackupAndRestore) or its model has a state that cannot be seen, and what Keras raises where the model cannot be
        built without a batch of its data.
        """
        if self._model._initial_epoch is not None:
            raise ValueError("nn.py itself goes on from a backup")
        if not self._model.built:
            self._model(placeholders(self._arguments.get("x")))
        if unseen := foreign(self._model):
            raise ValueError(f"the model has state that is not its variables': {', '.join(unseen)}")
        self._files = WrittenFiles(time.time(), self._others)
        self._states = CallbackStates(self._callbacks)
        self._fingerprint = fingerprint(self._model, self._arguments) | {"the callbacks": self._states.kinds()}
        self._parents = self._ancestry.parents_of(self._model)
        self._written = time.monotonic()
        for path in self._checkpoints.newest_first():
            try:
                found = read(path)
                seen = read_rows(path)
            except Damaged as damage:
                self.why = self.why or str(damage)
                continue
            why = self._why_not(found)
            if not why:
                return self._go_on(path, found, seen)
            self.why = self.why or why
        return 0

    def epoch_ended(self, epoch, logs, last, ended_itself):
        """Keep what was measured in the epoch (as it is counted from 1), and the state after it if it is time to."""
        self.epoch = epoch
        self.ended_itself = ended_itself
        for name, value in logs.items():
            self.history.setdefault(name, []).append(_plain(value))
        if last or self._is_time():
            self._write()

    def end(self):
        """Remember what the model has become, for the fits after this one."""
        self._ancestry.add(self._model, self._identity)

    def _why_not(self, found):
        if different := difference(found["fingerprint"], self._fingerprint):
            return f"it is not the same training: {different}"
        if found["parents"] != self._parents:
            return "an earlier fit of the same model has gone on since"
        if found["epoch"] > self._epochs:
            return f"the checkpoint is from epoch {found['epoch']}, and {self._epochs} are wanted"
        return ""

    def _go_on(self, path, found, seen):
        restore(self._model, found["state"])
        self._lineage.restore(seen)
        self._states.restore(found["callbacks"])
        self._files.restore(found["files"])
        self.history, self.epoch, self.ended_itself = found["history"], found["epoch"], found["ended_itself"]
        self._identity, self._past = found["identity"], [path.name]
        return self.epoch

    def _is_time(self):
        """Whether a checkpoint now keeps them within their share of the time."""
        if self._seconds is None:
            numbers = sum(math.prod(variable.shape) for variable in _variables(self._model))
            self._seconds = 4 * numbers / _BYTES_A_SECOND
        return self._seconds <= _SHARE * (time.monotonic() - self._written)

    def _write(self):
        began = time.monotonic()
        self._identity = uuid.uuid4().hex
        content = {
            "identity": self._identity,
            "parents": self._parents,
            "epoch": self.epoch,
            "ended_itself": self.ended_itself,
            "fingerprint": self._fingerprint,
            "history": self.history,
            "callbacks": self._states.capture(),
            "files": self._files.capture(),
            "state": capture(self._model),
        }
        seen = self._lineage.state(self.identities)
        self._past = [*self._past[-1:], self._checkpoints.write(self.epoch, content, seen, self._past)]
        self._written = time.monotonic()
        self._seconds = self._written - began


class Ancestry:
    """Which fit a model's weights come from: two fits of one model, or a model made of another's trained layers.

    Weights are known by what is in them, so it does not matter how they came from one model into the other.
    """

    def __init__(self):
        self._identities = {}

    def add(self, model, identity):
        """The model's trained variables are what the fit ``identity`` made of them."""
        for digest in filter(None, map(_digest, model.trainable_variables)):
            self._identities[digest] = identity

    def parents_of(self, model):
        """The identities of the fits that the model's variables come from, sorted; none for a model that is new."""
        if not self._identities:
            return []
        found = (self._identities.get(_digest(variable)) for variable in model.variables)
        return sorted({identity for identity in found if identity})


def _variables(model):
    return [*model.variables, *(model.optimizer.variables if model.optimizer else [])]


def _digest(variable):
    """What tells a variable's values from others; None where they are all the same, as biases are before training."""
    array = numpy.asarray(variable).ravel()
    if not array.size or (array == array[0]).all():
        return None
    sample = array[:: max(1, len(array) // 4096)]
    return hashlib.sha256(repr(array.shape).encode() + sample.tobytes()).digest()


def _plain(value):
    """A measured value as a checkpoint holds it: a float, or an array of them."""
    array = numpy.asarray(value)
    return float(array) if array.ndim == 0 else array
