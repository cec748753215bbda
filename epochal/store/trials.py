"""The trials' rows: who trains what, and what came of it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from epochal.errors import Reason
from epochal.records import Forecast, Strategy, Trial, TrialState, Value
from epochal.store.database import reads, writes
from epochal.store.ends import interrupt_trials, is_open, require_owned
from epochal.store.errors import NotOwner
from epochal.store.owner import is_alive, this_process
from epochal.store.rows import trial_columns
from epochal.store.schema import trials

_COUNTS = or_(trials.c.reason.is_(None), trials.c.reason != Reason.INTERRUPTED)
"""An interrupted trial counts for nothing: what it was to train is trained again."""


@writes
def add_trial(
    connection: Connection, run: int, hyperparameters: dict[str, Value], strategy: Strategy = Strategy.COMMITTED
) -> int:
    """Start a trial of a run that the calling process owns; returns its number, from 1. Raises as ``change_run`` does."""
    require_owned(connection, run)
    return _insert(connection, run, hyperparameters, strategy)


@writes
def add_search_trial(connection: Connection, run: int, hyperparameters: dict[str, Value], most: int) -> int | None:
    """Start a trial of a search, in whichever process; returns its number.

    None if the run has ``most`` trials already or one with these hyperparameters, has ended, or was asked to end. However
    many processes ask at once, there are never more trials, nor two of the same.
    """
    if not is_open(connection, run):
        return None
    rows = connection.execute(select(trials.c.hyperparameters).where(trials.c.run == run, _COUNTS)).all()
    if len(rows) >= most or any(row.hyperparameters == hyperparameters for row in rows):
        return None
    return _insert(connection, run, hyperparameters, Strategy.SEARCH)


@writes
def end_trial(connection: Connection, run: int, trial: Trial) -> None:
    """Store what came of a trial that the calling process trained. Raises NotOwner if it was marked as interrupted."""
    mine = _is(run, trial.number), trials.c.owner == this_process(), _COUNTS
    if not connection.execute(update(trials).where(*mine).values(**trial_columns(trial))).rowcount:
        raise NotOwner(
            f"Trial {trial.number} of run {run} was marked as interrupted: this process no longer trains it."
        )


@writes
def keep_forecast(connection: Connection, run: int, number: int, forecast: Forecast) -> None:
    """Store what the learning curve of a measured trial promises."""
    connection.execute(update(trials).where(_is(run, number)).values(forecast=forecast))


@reads
def is_training(connection: Connection, run: int, number: int) -> bool:
    """Return whether a trial trains, and the process that began it lives."""
    return any(row.number == number and is_trained(row) for row in training(connection, run))


@writes
def mark_interrupted(connection: Connection, run: int) -> bool:
    """Mark the trials as interrupted whose process died; returns whether there were any."""
    dead = [row for row in training(connection, run) if not is_trained(row)]
    for row in dead:
        interrupt(connection, run, row.number)
    return bool(dead)


@reads
def other_trainers(connection: Connection, run: int) -> list[str]:
    """Return the living processes that train trials of the run, but for the calling one."""
    rows = [row for row in training(connection, run) if is_trained(row)]
    return sorted({row.owner for row in rows} - {this_process()})


def training(connection: Connection, run: int) -> list[Row[Any]]:
    """Return the rows of the trials that are training, or were when their process died."""
    wanted = trials.c.run == run, trials.c.state == TrialState.TRAINING
    return list(connection.execute(select(trials).where(*wanted).order_by(trials.c.number)))


def is_trained(row: Row[Any]) -> bool:
    """Return whether the process that began to train this row's trial still lives."""
    return row.owner is not None and is_alive(row.owner, row.heartbeat)


def interrupt(connection: Connection, run: int, number: int) -> None:
    """Mark a trial that is training as interrupted: nobody trains it any more."""
    interrupt_trials(connection, run, trials.c.number == number, explanation=Reason.INTERRUPTED.sentence)


def beat_trials(connection: Connection, run: int) -> None:
    """Say that the calling process lives, which trains some of the run's trials."""
    own = trials.c.run == run, trials.c.owner == this_process()
    connection.execute(update(trials).where(*own).values(heartbeat=datetime.now(UTC)))


def _insert(connection: Connection, run: int, hyperparameters: dict[str, Value], strategy: Strategy) -> int:
    last = connection.execute(select(func.max(trials.c.number)).where(trials.c.run == run)).scalar() or 0
    row = {
        "run": run,
        "number": last + 1,
        "state": TrialState.TRAINING,
        "hyperparameters": hyperparameters,
        "strategy": strategy,
        "owner": this_process(),
        "heartbeat": datetime.now(UTC),
    }
    connection.execute(insert(trials).values(**row))
    return last + 1


def _is(run: int, number: int) -> ColumnElement[bool]:
    return and_(trials.c.run == run, trials.c.number == number)
