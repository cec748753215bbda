"""Plain data types for the contents of the database and of a run's folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from epochal.errors import Reason
from epochal.folders import SCRIPT

Value = bool | int | float | str
"""The types that a hyperparameter's value may have."""

Log = Callable[[str], None]
"""A function that logs one line of text. The line is passed to it without a trailing newline."""

PROOF_PREFIX = "epochal proof: "
"""The beginning of the line in which a job states which EPOCHAL_HOME, database and scripts it uses."""


def value_kind(value: Value) -> Literal["number", "text", "boolean"]:
    """Return the kind of a hyperparameter's value; True and False are not numbers."""
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def is_same_value(one: Value, other: Value) -> bool:
    """Return whether two values of a hyperparameter are equal: 20 and 20.0 are, but 1 and True are not."""
    return value_kind(one) == value_kind(other) and one == other


class State(StrEnum):
    """The state of a run. It is stored in the database and determines the next job, so no separate queue is needed."""

    QUEUED = "queued"
    PULLED = "pulled"
    TRAINING = "training"
    BELOW = "below"
    RETRAINING = "retraining"
    REACHED = "reached"
    EXHAUSTED = "exhausted"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether a run in this state has ended, so that nothing more will happen to it."""
        return self in _ENDED

    @property
    def verdict(self) -> "Verdict | None":
        """The verdict on a run in this state, or None if such a run has no verdict."""
        return _VERDICTS.get(self)


class Origin(StrEnum):
    """What started a run: a person, or a push, which counts only once even if it is reported twice."""

    PUSH = "push"
    PERSON = "person"


class Verdict(StrEnum):
    """The result of comparing an accuracy with the threshold; FAILED if no comparison was possible."""

    REACHED = "reached"
    BELOW = "below"
    FAILED = "failed"


_ENDED = frozenset({State.REACHED, State.EXHAUSTED, State.FAILED, State.SUPERSEDED, State.CANCELLED})
_VERDICTS = {
    State.REACHED: Verdict.REACHED,
    State.BELOW: Verdict.BELOW,
    State.RETRAINING: Verdict.BELOW,
    State.EXHAUSTED: Verdict.BELOW,
    State.FAILED: Verdict.FAILED,
}

EXIT_STATUS = {
    State.REACHED: 0,
    State.PULLED: 0,
    State.FAILED: 1,
    State.BELOW: 3,
    State.EXHAUSTED: 3,
    State.SUPERSEDED: 4,
    State.CANCELLED: 5,
}
"""The exit status of a job script, by the state of its run when the script ends. Jenkins and users rely on these values."""


class TrialState(StrEnum):
    """The state of a trial; PRUNED means that it was stopped because other trials did better."""

    TRAINING = "training"
    MEASURED = "measured"
    PRUNED = "pruned"
    FAILED = "failed"


class Strategy(StrEnum):
    """How a trial runs the code: as committed, with more epochs, or with hyperparameters from a search."""

    COMMITTED = "committed"
    MORE_EPOCHS = "more_epochs"
    SEARCH = "search"


class StoppedBy(StrEnum):
    """What stopped training before the last epoch: reaching the threshold, or the script itself."""

    THRESHOLD = "threshold"
    SCRIPT = "script"


class AccuracySource(StrEnum):
    """Where an accuracy was read from."""

    SCRIPT = "accuracy.json"
    EVALUATE = "evaluate"
    OUTPUT = "output"
    SCORE = "score"
    FILE = "file"
    CROSS_VALIDATION = "cross_validation"
    VALIDATION = "val_accuracy"

    @property
    def description(self) -> str:
        """The source of the accuracy as a phrase for the email and the output of ``epochal show``."""
        return _SOURCE_DESCRIPTIONS[self]


_SOURCE_DESCRIPTIONS = {
    AccuracySource.SCRIPT: "from the accuracy.json that the script wrote",
    AccuracySource.EVALUATE: "from the script's last evaluate()",
    AccuracySource.OUTPUT: "from a line that the script printed",
    AccuracySource.SCORE: "from the script's last score() or accuracy_score()",
    AccuracySource.FILE: "from a file that the script wrote",
    AccuracySource.CROSS_VALIDATION: "from the script's last cross-validation",
    AccuracySource.VALIDATION: "from the last validation (the script reported no test accuracy)",
}


@dataclass(frozen=True)
class Evidence:
    """Facts about the data behind an accuracy.

    metric: the name of the metric.
    chance: the accuracy (0 to 1) of a model that always predicts ``answer``, the most frequent test label; None if the
        labels are unknown.
    checked: whether the test rows were compared with the rows that the model was fitted on.
    unchecked: why the rows were not compared.
    seen: the share of test rows (0 to 1) that the model was fitted on.
    expected: the share that even a clean split would yield, because a dataset may contain identical rows.
    accepted: whether ``repeated_rows`` in epochal.toml makes the accuracy count even though ``seen`` is too high.
    new_labels: the share of test rows (0 to 1) whose labels are not among the training labels.
    """

    metric: str = ""
    chance: float | None = None
    answer: str = ""
    checked: bool = False
    unchecked: str = ""
    seen: float = 0.0
    expected: float = 0.0
    accepted: bool = False
    new_labels: float = 0.0


@dataclass(frozen=True)
class Accuracy:
    """A measured accuracy.

    value: the accuracy, from 0 to 1.
    source: where the accuracy was read from.
    samples: the number of test samples; None if unknown.
    test_set: a digest of the test samples, or the name that the script gives them; None if unknown.
    test_rows: the smallest hashes of the test samples (at most 1,024 sorted 64-bit little-endian numbers); None if
        unknown.
    looks: the number of different models that the script evaluated on this test set, including the model with
        this accuracy.
    evidence: facts about the data behind the accuracy.
    """

    value: float
    source: AccuracySource
    samples: int | None = None
    test_set: str | None = None
    test_rows: bytes | None = None
    looks: int = 1
    evidence: Evidence = Evidence()


@dataclass(frozen=True)
class Judgement:
    """The gate's verdict on a trial, and the numbers behind it.

    look: how many models of the branch, including this trial's, have been evaluated on the test set; None if unknown.
    confidence: the confidence that the settings require; 0 if no confidence is required.
    spent: the permitted probability of a false positive at this look; 0 if no confidence is required.
    bound: the lower confidence bound for the accuracy; None if no confidence is required.
    required: the smallest accuracy that would have passed with the same number of samples; None if even 1.0
        would have failed.
    """

    verdict: Verdict
    look: int | None = None
    confidence: float = 0.0
    spent: float = 0.0
    bound: float | None = None
    required: float | None = None


@dataclass(frozen=True)
class Epoch:
    """One epoch of a fit, as recorded in metrics.jsonl.

    model: the number of the Keras model in the script, counted from 1.
    call: the number of the call to fit on that model, counted from 1.
    number: the number of the epoch, counted from 1.
    epochs: the last epoch that the fit was asked to run; None if unknown.
    metrics: Keras' logs for the epoch; their values may be NaN or infinite.
    seconds: how long the epoch took; 0 if it ran before the checkpoint that the fit resumed from.
    """

    model: int
    call: int
    number: int
    epochs: int | None
    metrics: dict[str, float]
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """The accuracy (0 to 1) to show for the epoch: validation accuracy if measured, otherwise training accuracy."""
        validation = self.validation_accuracy
        return self._first("") if validation is None else validation

    @property
    def validation_accuracy(self) -> float | None:
        """The validation accuracy (0 to 1) after the epoch; None if it was not measured."""
        return self._first("val_")

    def _first(self, prefix: str) -> float | None:
        # Keras' name of the metric depends on the argument of compile(): "accuracy", "acc", or the name of its class.
        for name in ("accuracy", "acc"):
            if prefix + name in self.metrics:
                return self.metrics[prefix + name]
        named = [
            value
            for name, value in self.metrics.items()
            if name.startswith(prefix) and name.endswith(("_accuracy", "_acc"))
        ]
        return named[0] if named else None


@dataclass(frozen=True)
class Fit:
    """One call to Keras' fit, as recorded in metrics.jsonl.

    model, call: as in Epoch.
    target_epoch: the last epoch that the call was asked to run.
    continued: the epoch of the checkpoint that the call resumed from; 0 if it did not resume.
    why: why the call did not resume from the newest checkpoint, or could not keep checkpoints; otherwise empty.
    epochs: all epochs of the fit, including those before the checkpoint.
    stopped: whether the fit was stopped because its validation accuracy was high enough.
    ended: whether fit returned without an error.
    """

    model: int
    call: int
    target_epoch: int
    continued: int = 0
    why: str = ""
    epochs: tuple[Epoch, ...] = ()
    stopped: bool = False
    ended: bool = False

    @property
    def last_epoch(self) -> int:
        """The number of the fit's last epoch; if it has no epochs, the epoch of the checkpoint that it resumed from."""
        return self.epochs[-1].number if self.epochs else self.continued

    @property
    def trained(self) -> int:
        """The number of epochs that this call ran, excluding those before the checkpoint."""
        return sum(epoch.number > self.continued for epoch in self.epochs)

    @property
    def validation_accuracy(self) -> float | None:
        """The last measured validation accuracy (0 to 1); None if it was never measured or is out of range."""
        measured = (epoch.validation_accuracy for epoch in reversed(self.epochs))
        accuracy = next((each for each in measured if each is not None), None)
        return accuracy if accuracy is not None and 0 <= accuracy <= 1 else None

    @property
    def stopped_by(self) -> StoppedBy | None:
        """What stopped the fit before its target epoch; None if it reached that epoch or did not end normally."""
        if not self.ended or self.last_epoch >= self.target_epoch:
            return None
        return StoppedBy.THRESHOLD if self.stopped else StoppedBy.SCRIPT


@dataclass(frozen=True)
class Commit:
    """A commit for which a run is started, either by a push or by a person.

    repository: the URL or path that git fetches from.
    project: the path of the project's folder; empty for the whole repository, or while the project is unknown.
    """

    repository: str
    branch: str
    sha: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    project: str = ""


@dataclass(frozen=True)
class Forecast:
    """A forecast of whether a learning curve will reach ``threshold`` by ``last_epoch``.

    level: the accuracy (0 to 1) expected after ``last_epoch``.
    margin: half the width of the 90% interval for ``level``.
    expected: the epoch at which the curve is expected to reach the threshold; None if that is after ``last_epoch``.
    earliest, latest: the bounds of the 90% interval for ``expected``; each is None if it is after ``last_epoch``.
    hopeless: True if the model has begun to learn, but its accuracy will almost certainly stay below the threshold.

    If the curve is not hopeless and ``expected`` is None, the forecast is inconclusive.
    """

    threshold: float
    last_epoch: int
    level: float = 0.0
    margin: float = 1.0
    expected: int | None = None
    earliest: int | None = None
    latest: int | None = None
    hopeless: bool = False

    @property
    def description(self) -> str:
        """The forecast in words, such as ``levels off at 0.77 ± 0.01 and …``."""
        threshold = f"{self.threshold:.2f}" if self.threshold == round(self.threshold, 2) else f"{self.threshold:.10g}"
        if self.hopeless:
            return f"levels off at {self.rounded} and will not reach {threshold}, even with more epochs"
        if self.expected and self.latest:
            return f"{threshold} is expected at epoch {self.expected} (90% interval: {self.earliest} to {self.latest})"
        if self.expected:
            return (
                f"{threshold} may be reached by epoch {self.last_epoch}, but probably not before epoch {self.earliest}"
            )
        return f"it is not clear yet whether {threshold} will be reached with more epochs"

    @property
    def rounded(self) -> str:
        """The text ``level ± margin``, with two decimals, or more if the margin would round to 0.

        For a hopeless curve, more decimals are also used if the sum of the two rounded numbers would reach the
        threshold.
        """
        for digits in range(2, 17):
            level, margin = round(self.level, digits), round(self.margin, digits)
            if margin and (not self.hopeless or level + margin < self.threshold):
                break
        return f"{level:.{digits}f} ± {margin:.{digits}f}"


@dataclass(frozen=True)
class Trial:
    """One execution of the training code with one set of hyperparameters.

    epochs_trained: the number of epochs that the trial ran, excluding those before its checkpoint; None if unknown.
    epochs_resumed: the number of epochs before the checkpoint that the trial resumed from; 0 if it did not resume.
    resumption: a description of the checkpoint that the trial resumed from, or the reason why it did not resume.
    validation_accuracy: the validation accuracy (0 to 1) after the last epoch of the last fit.
    forecast: the forecast of the learning curve; None if no forecast is possible.
    validates_on_test: whether a fit used some of the test rows as validation data.
    caught: whether the trial was run again from the beginning because the test rows changed when the script
        resumed from a checkpoint.
    """

    number: int
    state: TrialState
    hyperparameters: dict[str, Value]
    epochs_trained: int | None = None
    accuracy: Accuracy | None = None
    seconds: float | None = None
    reason: Reason | None = None
    explanation: str = ""
    epochs_resumed: int = 0
    resumption: str = ""
    validation_accuracy: float | None = None
    stopped_by: StoppedBy | None = None
    strategy: Strategy = Strategy.COMMITTED
    forecast: Forecast | None = None
    validates_on_test: bool = False
    caught: bool = False
    judgement: Judgement | None = None

    @property
    def reached(self) -> bool:
        """Whether the trial reached the threshold, according to the gate's verdict."""
        return self.judgement is not None and self.judgement.verdict is Verdict.REACHED

    @property
    def epochs(self) -> int | None:
        """The total number of epochs trained, including those before the checkpoint; None if unknown or 0."""
        total = (self.epochs_trained or 0) + self.epochs_resumed
        return total or None


@dataclass(frozen=True)
class Run:
    """The progress of one commit through the three jobs.

    fingerprint: a digest of everything that the verdict depends on. offered_fingerprint: the fingerprint that the code
    would have after the change offered in the email. script: the path of the script or notebook, relative to the
    repository or to the project's folder. reused_run: the run whose verdict this run reuses instead of training; None
    if this run trains. reused_trial: the only trial of ``reused_run`` to reuse, if this commit adopts the change that
    the trial tested; otherwise None. trials: the trials of this run or, if it reuses a verdict, of ``reused_run`` (only
    ``reused_trial`` if that is set).
    """

    id: int
    commit: Commit
    origin: Origin
    state: State
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    reason: Reason | None = None
    explanation: str = ""
    detail: str = ""
    framework: str | None = None
    framework_why: str = ""
    runtime: str | None = None
    image: str | None = None
    threshold: float | None = None
    build_url: str | None = None
    successor: int | None = None
    notes: tuple[str, ...] = ()
    fingerprint: str | None = None
    offered_fingerprint: str | None = None
    reused_run: int | None = None
    reused_trial: int | None = None
    script: str = SCRIPT
    trials: tuple[Trial, ...] = field(default=())

    @property
    def trained_by(self) -> int:
        """The ID of the run that owns the trials and their folders: this run, or the run whose verdict it reuses."""
        return self.reused_run or self.id

    @property
    def best(self) -> Trial | None:
        """The trial with the highest accuracy; None if no trial has an accuracy.

        Trials that reached the threshold take precedence, and ties go to the earliest trial.
        """
        return max((trial for trial in self.trials if trial.accuracy is not None), key=_rank, default=None)

    @property
    def last_measured(self) -> Trial | None:
        """The newest trial that has an accuracy, or None if no trial has one."""
        return next((trial for trial in reversed(self.trials) if trial.accuracy is not None), None)

    @property
    def reached(self) -> bool:
        """Whether a trial of the run reached the threshold."""
        return any(trial.reached for trial in self.trials)

    @property
    def forecast(self) -> Forecast | None:
        """The forecast of the last measured trial, or None if there is no forecast."""
        last = self.last_measured
        return last.forecast if last else None

    def changes(self, trial: Trial) -> dict[str, Value]:
        """Return the hyperparameters of ``trial`` that differ from those of the first trial (the code as committed)."""
        first = self.trials[0].hyperparameters
        return {name: value for name, value in trial.hyperparameters.items() if first.get(name) != value}


def _rank(trial: Trial) -> tuple[bool, float, int]:
    return trial.reached, trial.accuracy.value if trial.accuracy else 0.0, -trial.number


@dataclass(frozen=True)
class Delivery:
    """One webhook request: GitHub's ID for it, its outcome, and the run that it led to, if any."""

    id: str
    event: str
    received: datetime
    result: str
    run: int | None = None


@dataclass(frozen=True)
class Dispatch:
    """The latest Jenkins job that Epochal requested, or saw running, for a run.

    ``item``: the number of the queue item; None if Jenkins did not report one. ``failures``: how many earlier builds of
    the same job ended without a result.
    """

    run: int
    job: str
    item: int | None
    failures: int
    requested: datetime


class Step(StrEnum):
    """The steps of a run, roughly in chronological order; their values are stored in the database."""

    COMMITTED = "commit"
    DELIVERED = "webhook received"
    STORED = "run stored"
    PULL_STARTED = "job pull started"
    PULL_ENDED = "job pull ended"
    TRAIN_STARTED = "job train started"
    RETRAIN_STARTED = "job retrain started"
    ENVIRONMENT_READY = "environment ready"
    TRAINING_STARTED = "training started"
    PYTHON_STARTED = "Python started"
    FRAMEWORK_IMPORTED = "framework imported"
    FIT_BEGAN = "fit began"
    FIRST_EPOCH_ENDED = "first epoch ended"
    FIT_ENDED = "fit ended"
    TRAINING_ENDED = "training ended"
    VERDICT = "verdict"
    TRAIN_ENDED = "job train ended"
    RUN_ENDED = "run ended"
    MAILED = "mail sent"

    @property
    def label(self) -> str:
        """The step in words, such as ``pull job started``."""
        return re.sub(r"^job (\w+)", r"\1 job", self.value)

    @staticmethod
    def start_of(job: str) -> "Step":
        """Return the timeline's step for the start of ``job``, which is ``pull``, ``train`` or ``retrain``."""
        return Step(f"job {job} started")

    @staticmethod
    def end_of(job: str) -> "Step":
        """Return the timeline's step for the end of ``job`` (pull or train). It is recorded only if another job follows."""
        return Step(f"job {job} ended")


@dataclass(frozen=True)
class Moment:
    """The time when a run, or one of its trials, reached ``step``.

    ``at``: the time, with its time zone. ``trial``: the trial's number; None for a step of the run itself.
    """

    step: Step
    at: datetime
    trial: int | None = None


class MessageState(StrEnum):
    """The state of a message. UNADDRESSED: there was no recipient or no mail server; ``Message.outcome`` says which."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given_up"
    UNADDRESSED = "unaddressed"


@dataclass(frozen=True)
class Message:
    """An email about a run that has ended: its content (RFC 5322), its recipients, and the outcome of sending it."""

    run: int
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    state: MessageState = MessageState.PENDING
    outcome: str = ""
    attempts: int = 0
    id: int = 0
    sent: datetime | None = None


@dataclass(frozen=True)
class AcceptedCommit:
    """The run that was stored or found for a commit.

    ``new``: whether the run has just been queued; False if it was queued earlier. ``superseded_owners``: the names of
    the processes that are working on older, superseded runs and have to stop.
    """

    run: int
    new: bool
    superseded_owners: tuple[str, ...] = ()
