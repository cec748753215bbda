"""What the database and a run's folder hold, as plain values. Imports only the list of reasons."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from epochal.errors import Reason
from epochal.folders import SCRIPT

Value = bool | int | float | str
"""What a hyperparameter can be."""

Log = Callable[[str], None]
"""Takes one line that says what is going on, without a line end."""

PROOF_MARK = "epochal proof: "
"""What the line of a job's output begins with that tells which home, database and scripts it works with."""


def kind_of(value: Value) -> Literal["number", "text", "truth"]:
    """What a hyperparameter's value is; True and False are no numbers."""
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def same(one: Value, other: Value) -> bool:
    """Whether two values of a hyperparameter are equal: 20 and 20.0 are, 1 and True are not."""
    return kind_of(one) == kind_of(other) and one == other


class State(StrEnum):
    """Where a run stands; the state in the database is the queue."""

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
        """Whether nothing more will happen to a run in this state."""
        return self in _ENDED

    @property
    def verdict(self) -> "Verdict | None":
        """The verdict that this state stands for; None while there is none."""
        return _VERDICTS.get(self)


class Origin(StrEnum):
    """What started a run. A push's commit is one run, however many triggers tell of it; a person may ask again."""

    PUSH = "push"
    PERSON = "person"


class Verdict(StrEnum):
    """The outcome of the gate's comparison."""

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
"""The exit status of a job script whose run is in this state when it ends: the contract with Jenkins and with people."""


class TrialState(StrEnum):
    """Where a trial stands: it trains, was measured, was stopped as others did better, or failed."""

    TRAINING = "training"
    MEASURED = "measured"
    PRUNED = "pruned"
    FAILED = "failed"


class Strategy(StrEnum):
    """What a trial is: the code as committed, the same with more epochs, or a search's with other hyperparameters."""

    COMMITTED = "committed"
    MORE_EPOCHS = "more_epochs"
    SEARCH = "search"


class StoppedBy(StrEnum):
    """What ended a training before its epochs were used up."""

    THRESHOLD = "threshold"
    SCRIPT = "script"


class AccuracySource(StrEnum):
    """Where an accuracy was read."""

    SCRIPT = "accuracy.json"
    EVALUATE = "evaluate"
    OUTPUT = "output"
    SCORE = "score"
    VALIDATION = "val_accuracy"

    @property
    def sentence(self) -> str:
        """The source in words, as mail and history tell it."""
        return _SOURCE_SENTENCES[self]


_SOURCE_SENTENCES = {
    AccuracySource.SCRIPT: f"from the accuracy.json that {SCRIPT} wrote",
    AccuracySource.EVALUATE: f"from {SCRIPT}'s last evaluate()",
    AccuracySource.OUTPUT: f"from the line that {SCRIPT} printed",
    AccuracySource.SCORE: f"from {SCRIPT}'s last score() or accuracy_score()",
    AccuracySource.VALIDATION: f"from the last epoch's val_accuracy, as {SCRIPT} told no test accuracy",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of the data behind an accuracy.

    ``metric``: the name that it was measured under. ``chance``: what always giving ``answer``, the most frequent one among
    the test labels, would score (0 to 1); None if the labels are not known. ``checked``: whether the test rows were compared
    with the rows that the network was fitted on; if not, ``unchecked`` says why. ``seen``: the share of test rows that it
    was fitted on; ``expected``: the share that a clean split of data with repeated rows would show. ``accepted``: more were
    seen than expected, and ``repeated_rows`` in epochal.toml accepts that.
    """

    metric: str = ""
    chance: float | None = None
    answer: str = ""
    checked: bool = False
    unchecked: str = ""
    seen: float = 0.0
    expected: float = 0.0
    accepted: bool = False


@dataclass(frozen=True)
class Accuracy:
    """A measured accuracy: ``value`` from 0 to 1, where it was read, and the number of test samples if known.

    ``test_set`` is a digest (or the script's own name) of those samples, ``test_rows`` the smallest hashes of them (sorted
    64-bit little-endian numbers, 1,024 at most); None if it is not known which they were. ``looks``: how many different
    networks the training compared with that test set, this one included.
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
    """The gate's verdict on a trial, and what it rests on.

    ``look``: number of this comparison against the same test set on this branch, starting at 1; None if the test set is
    not known. ``confidence``: what was asked for, 0 for none; with it, ``spent`` is the probability of a false positive
    that this look was allowed, and ``bound`` the lower confidence bound of the accuracy. ``required``: the smallest
    accuracy on as many samples that would have been let through; None if not even 1.0 would.
    """

    verdict: Verdict
    look: int | None = None
    confidence: float = 0.0
    spent: float = 0.0
    bound: float | None = None
    required: float | None = None


@dataclass(frozen=True)
class Epoch:
    """One line of metrics.jsonl that an epoch wrote. ``number`` counts from 1; ``metrics`` are keras' logs of the epoch."""

    model: int
    call: int
    number: int
    epochs: int | None
    metrics: dict[str, float]
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """The accuracy to show for the epoch (0 to 1): the validation's if there is one, else the training's."""
        validation = self.validation_accuracy
        return self._first("") if validation is None else validation

    @property
    def validation_accuracy(self) -> float | None:
        """The accuracy (0 to 1) on the validation data; None where the fit had none."""
        return self._first("val_")

    def _first(self, prefix: str) -> float | None:
        # Keras names the metric as it was given to compile(): "accuracy", "acc", or by its class.
        for wanted in ("accuracy", "acc"):
            if prefix + wanted in self.metrics:
                return self.metrics[prefix + wanted]
        named = [
            value for name, value in self.metrics.items() if name.startswith(prefix) and name.endswith("_accuracy")
        ]
        return named[0] if named else None


@dataclass(frozen=True)
class Fit:
    """One call of Keras' fit, as metrics.jsonl tells it.

    ``wanted``: the epoch that the call was to end with. ``continued``: the epoch that it went on from, 0 if none; if
    there was a checkpoint that it did not go on from, ``why`` says why. ``epochs``: all of them, those before its
    checkpoint too. ``stopped``: the validation accuracy reached what it was to stop at. ``ended``: it came to its end.
    """

    model: int
    call: int
    wanted: int
    continued: int = 0
    why: str = ""
    epochs: tuple[Epoch, ...] = ()
    stopped: bool = False
    ended: bool = False

    @property
    def last_epoch(self) -> int:
        """The epoch that the model has been trained to."""
        return self.epochs[-1].number if self.epochs else self.continued

    @property
    def trained(self) -> int:
        """How many epochs it trained itself."""
        return sum(epoch.number > self.continued for epoch in self.epochs)

    @property
    def validation_accuracy(self) -> float | None:
        """The accuracy (0 to 1) on the validation data after its last epoch; None where it was not measured then."""
        accuracy = self.epochs[-1].validation_accuracy if self.epochs else None
        return accuracy if accuracy is not None and 0 <= accuracy <= 1 else None

    @property
    def stopped_by(self) -> StoppedBy | None:
        """What ended it before the wanted epoch; None if nothing did."""
        if not self.ended or self.last_epoch >= self.wanted:
            return None
        return StoppedBy.THRESHOLD if self.stopped else StoppedBy.SCRIPT


@dataclass(frozen=True)
class Commit:
    """What a push or a person asks to be trained. ``repository`` is the URL or path that git fetches from."""

    repository: str
    branch: str
    sha: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""


@dataclass(frozen=True)
class Forecast:
    """Whether a learning curve will reach ``threshold``, looking no further than ``last_epoch``.

    ``level``: the accuracy expected after that epoch, 0 to 1; ``margin``: half of its 90 % interval. The epoch at which the
    threshold is ``expected``, and its 90 % interval from ``earliest`` to ``latest``: each None where it is not before the
    last epoch. ``hopeless``: the whole interval stays below. What is neither hopeless nor expected cannot be told yet.
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
    def sentence(self) -> str:
        """The forecast in words: ``levels off at 0.77 ± 0.01: more epochs will not reach 0.80``."""
        wanted = f"{self.threshold:.2f}" if self.threshold == round(self.threshold, 2) else f"{self.threshold:.10g}"
        if self.hopeless:
            return f"levels off at {self.rounded}: more epochs will not reach {wanted}"
        if self.expected is None:
            return f"whether more epochs will reach {wanted} cannot be told yet"
        interval = f"{self.earliest} to {self.latest}" if self.latest else f"{self.earliest} at the earliest"
        return f"{wanted} is expected at epoch {self.expected} ({interval})"

    @property
    def rounded(self) -> str:
        """Level and margin, with as many decimals as it takes to show that there is a margin, and what it stays below."""
        for digits in range(2, 17):
            level, margin = round(self.level, digits), round(self.margin, digits)
            if margin and (not self.hopeless or level + margin < self.threshold):
                break
        return f"{level:.{digits}f} ± {margin:.{digits}f}"


@dataclass(frozen=True)
class Trial:
    """One training of the code with one set of hyperparameters.

    ``epochs_trained`` by itself, on top of the ``epochs_resumed`` that its checkpoint had; ``resumption`` says in
    words what it went on from, or why it did not. ``validation_accuracy``: 0 to 1, of the last fit's last epoch.
    ``forecast``: of its learning curve; None where there is none, or nothing to foresee.
    ``validates_on_test``: its fit's validation data were the test data. ``caught``: it resumed onto another test set than
    its checkpoint's, and was trained again from the beginning.
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
        """Whether the gate let it through."""
        return self.judgement is not None and self.judgement.verdict is Verdict.REACHED

    @property
    def epochs(self) -> int | None:
        """All the epochs behind its accuracy; None where they are not known."""
        total = (self.epochs_trained or 0) + self.epochs_resumed
        return total or None


@dataclass(frozen=True)
class Run:
    """One commit's way through the three jobs.

    ``fingerprint``: the digest of what its verdict depends on; ``offered_fingerprint``: what that would be with the change
    that its mail offers. ``reused_run``: the run whose verdict it reuses, instead of training; ``trials`` are that run's
    then, or its trial ``reused_trial`` alone, whose code this run's is.
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
    trials: tuple[Trial, ...] = field(default=())

    @property
    def trained_by(self) -> int:
        """The run that trained its trials, in whose folder they are: itself, or the one whose verdict it took over."""
        return self.reused_run or self.id

    @property
    def best(self) -> Trial | None:
        """The measured trial that reached the threshold, else the one with the highest accuracy; the earliest of equals."""
        return max((trial for trial in self.trials if trial.accuracy is not None), key=_rank, default=None)

    @property
    def last_measured(self) -> Trial | None:
        """The newest of its trials that has an accuracy; None if none has."""
        return next((trial for trial in reversed(self.trials) if trial.accuracy is not None), None)

    @property
    def reached(self) -> bool:
        """Whether the gate let one of its trials through."""
        return any(trial.reached for trial in self.trials)

    @property
    def forecast(self) -> Forecast | None:
        """The forecast of the last measured trial; None where it has none."""
        last = self.last_measured
        return last.forecast if last else None

    def changes(self, trial: Trial) -> dict[str, Value]:
        """The hyperparameters of one of its trials that differ from the first one's, which trained as committed."""
        first = self.trials[0].hyperparameters
        return {name: value for name, value in trial.hyperparameters.items() if first.get(name) != value}


def _rank(trial: Trial) -> tuple[bool, float, int]:
    return trial.reached, trial.accuracy.value if trial.accuracy else 0.0, -trial.number


@dataclass(frozen=True)
class Delivery:
    """One webhook request: GitHub's id for it, and what came of it."""

    id: str
    event: str
    received: datetime
    result: str
    run: int | None = None


@dataclass(frozen=True)
class Dispatch:
    """What Jenkins was last asked to do for a run, or was last seen to do.

    ``item`` is the number of the queue item (None if Jenkins did not tell it), ``failures`` how many builds of the same
    job ended without a result before.
    """

    run: int
    job: str
    item: int | None
    failures: int
    requested: datetime


class Step(StrEnum):
    """What a run comes to, in the order of its way. The words are what the database keeps and what people are shown."""

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

    @staticmethod
    def start_of(job: str) -> "Step":
        """The start of the job ``pull``, ``train`` or ``retrain``."""
        return Step(f"job {job} started")

    @staticmethod
    def end_of(job: str) -> "Step":
        """The end of the job ``pull`` or ``train`` where another one follows it."""
        return Step(f"job {job} ended")


@dataclass(frozen=True)
class Moment:
    """When (an aware time) a run came to ``step``, and which of its trials did, if it is a trial's."""

    step: Step
    at: datetime
    trial: int | None = None


class MessageState(StrEnum):
    """Where a message stands. UNADDRESSED: there was nobody to send it to, and ``outcome`` says why."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given_up"
    UNADDRESSED = "unaddressed"


@dataclass(frozen=True)
class Message:
    """A mail about a run's end: its bytes (RFC 5322), who gets it, what came of it, and when it was sent."""

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
class Accepted:
    """The run that a push or a person got; ``new`` if it was made now; ``stop``: owners of runs that it supersedes."""

    run: int
    new: bool
    stop: tuple[str, ...] = ()
