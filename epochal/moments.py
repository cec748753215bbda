"""The moments of a run's way from the commit to the mail. Imports nothing of ours."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
