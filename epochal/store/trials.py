"""The trials' rows: who trains what, and what came of it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from epochal.errors import Reason
from epochal.records import Forecast, Strategy, Trial, TrialState, Value
from epochal.store.database import reads, writes
from epochal.store.ends import OPEN, interrupt_trials, require_owned
from epochal.store.errors import NotOwner
from epochal.store.owner import living, this_process
from epochal.store.rows import trial_columns
from epochal.store.schema import runs, trials

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
    # Locks the run's row until the transaction ends, so that processes which ask at once wait for each other.
    if connection.execute(select(runs.c.id).where(runs.c.id == run, *OPEN).with_for_update()).first() is None:
        return None
    rows = connection.execute(select(trials.c.hyperparameters).where(trials.c.run == run, _COUNTS)).all()
    if len(rows) >= most or any(row.hyperparameters == hyperparameters for row in rows):
        return None
    return _insert(connection, run, hyperparameters, Strategy.SEARCH)


@writes
def end_trial(connection: Connection, run: int, trial: Trial) -> None:
    """Store what came of a trial that the calling process trained. Raises NotOwner if it was marked as interrupted."""
    mine = trials.c.run == run, trials.c.number == trial.number, trials.c.owner == this_process(), _COUNTS
    if not connection.execute(update(trials).where(*mine).values(**trial_columns(trial))).rowcount:
        raise NotOwner(
            f"Trial {trial.number} of run {run} was marked as interrupted: this process no longer trains it."
        )


@writes
def keep_forecast(connection: Connection, run: int, number: int, forecast: Forecast) -> None:
    """Store what the learning curve of a measured trial promises."""
    same = trials.c.run == run, trials.c.number == number
    connection.execute(update(trials).where(*same).values(forecast=forecast))


@reads
def has_live_trainer(connection: Connection, run: int, number: int) -> bool:
    """Return whether a trial is training, in a process that lives."""
    return any(row.number == number and living(row.owner, row.heartbeat) for row in training(connection, run))


@writes
def mark_interrupted(connection: Connection, run: int) -> bool:
    """Mark the trials as interrupted whose process died; returns whether there were any."""
    dead = [row.number for row in training(connection, run) if not living(row.owner, row.heartbeat)]
    interrupt_trials(connection, run, trials.c.number.in_(dead))
    return bool(dead)


@reads
def other_trainers(connection: Connection, run: int) -> list[str]:
    """Return the living processes that train trials of the run, but for the calling one."""
    trainers = {living(row.owner, row.heartbeat) for row in training(connection, run)}
    return sorted(trainer for trainer in trainers if trainer not in (None, this_process()))


def training(connection: Connection, run: int) -> list[Row[Any]]:
    """Return the rows of the trials that are training, or were when their process died."""
    wanted = trials.c.run == run, trials.c.state == TrialState.TRAINING
    return list(connection.execute(select(trials).where(*wanted).order_by(trials.c.number)))


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
