"""The trials' rows: who trains what, and what came of it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from epochal.errors import Reason
from epochal.records import Forecast, Strategy, Trial, TrialState, Value
from epochal.store.errors import NotOwner
from epochal.store.owner import is_alive, this_process
from epochal.store.schema import trials

_COUNTS = or_(trials.c.reason.is_(None), trials.c.reason != Reason.INTERRUPTED.value)


def start(connection: Connection, run: int, hyperparameters: dict[str, Value], strategy: Strategy) -> int:
    """A new trial that the calling process trains; returns its number, from 1."""
    last = connection.execute(select(func.max(trials.c.number)).where(trials.c.run == run)).scalar() or 0
    row = {
        "run": run,
        "number": last + 1,
        "state": TrialState.TRAINING.value,
        "hyperparameters": hyperparameters,
        "strategy": strategy.value,
        "owner": this_process(),
        "heartbeat": datetime.now(UTC),
    }
    connection.execute(insert(trials).values(**row))
    return last + 1


def count(connection: Connection, run: int) -> int:
    """How many trials a run has; those that were interrupted are none, for what they were to train is trained again."""
    return connection.execute(select(func.count()).where(trials.c.run == run, _COUNTS)).scalar_one()


def has(connection: Connection, run: int, hyperparameters: dict[str, Value]) -> bool:
    """Whether a trial of the run, other than an interrupted one, has exactly these hyperparameters."""
    rows = connection.execute(select(trials.c.hyperparameters).where(trials.c.run == run, _COUNTS))
    return any(row.hyperparameters == hyperparameters for row in rows)


def end(connection: Connection, run: int, trial: Trial) -> None:
    """Store what came of a trial. Raises NotOwner if the calling process did not start it, or it was interrupted since."""
    values = {
        "state": trial.state.value,
        "hyperparameters": trial.hyperparameters,
        "epochs_trained": trial.epochs_trained,
        "accuracy": trial.accuracy,
        "accuracy_source": trial.accuracy_source and trial.accuracy_source.value,
        "seconds": trial.seconds,
        "reason": trial.reason and trial.reason.value,
        "explanation": trial.explanation,
        "epochs_continued": trial.epochs_continued,
        "continuation": trial.continuation,
        "validation_accuracy": trial.validation_accuracy,
        "stopped_by": trial.stopped_by and trial.stopped_by.value,
        "samples": trial.samples,
        "test_set": trial.test_set,
        "test_rows": trial.test_rows,
        "looks": trial.looks,
        "evidence": asdict(trial.evidence),
        "caught": trial.caught,
        "validates_on_test": trial.validates_on_test,
    }
    mine = _is(run, trial.number), trials.c.owner == this_process(), _COUNTS
    if not connection.execute(update(trials).where(*mine).values(**values)).rowcount:
        raise NotOwner(
            f"Trial {trial.number} of run {run} was marked as interrupted: this process no longer trains it."
        )


def keep_forecast(connection: Connection, run: int, number: int, forecast: Forecast) -> None:
    """What the learning curve of a measured trial promises."""
    connection.execute(update(trials).where(_is(run, number)).values(forecast=asdict(forecast)))


def beat(connection: Connection, run: int) -> None:
    """Say that the calling process lives, which trains some of the run's trials."""
    own = trials.c.run == run, trials.c.owner == this_process()
    connection.execute(update(trials).where(*own).values(heartbeat=datetime.now(UTC)))


def training(connection: Connection, run: int) -> list[Row[Any]]:
    """The rows of the trials that are training, or were when their process died."""
    wanted = trials.c.run == run, trials.c.state == TrialState.TRAINING.value
    return list(connection.execute(select(trials).where(*wanted).order_by(trials.c.number)))


def is_trained(row: Row[Any]) -> bool:
    """Whether the process that began to train this row's trial still lives."""
    return row.owner is not None and is_alive(row.owner, row.heartbeat)


def interrupt(connection: Connection, run: int, number: int) -> None:
    """Nobody trains this trial any more: it has failed, by no fault of its own."""
    values = {"state": TrialState.FAILED.value, "reason": Reason.INTERRUPTED.value}
    connection.execute(update(trials).where(_is(run, number)).values(**values))


def _is(run: int, number: int) -> ColumnElement[bool]:
    return and_(trials.c.run == run, trials.c.number == number)
