"""Read and write the table of trials: their hyperparameters, owners and results."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from epochal.errors import Reason
from epochal.records import Forecast, Strategy, Trial, TrialState, Value
from epochal.store.database import reads, writes
from epochal.store.errors import NotOwner
from epochal.store.owner import live_owner, this_process
from epochal.store.rows import trial_columns
from epochal.store.schema import runs, trials
from epochal.store.transitions import CHANGEABLE, interrupt_trials, require_owned

_COUNTS = or_(trials.c.reason.is_(None), trials.c.reason != Reason.INTERRUPTED)
"""Selects the trials that count. Interrupted trials do not, because they are run again."""


@writes
def add_trial(
    connection: Connection, run: int, hyperparameters: dict[str, Value], strategy: Strategy = Strategy.COMMITTED
) -> int:
    """Add a trial in state TRAINING to a run that the calling process owns; return the trial's number.

    Trials are numbered from 1. Raises NotOwner or StopRequested as ``change_run`` does.
    """
    require_owned(connection, run)
    return _insert(connection, run, hyperparameters, strategy)


@writes
def add_search_trial(connection: Connection, run: int, hyperparameters: dict[str, Value], limit: int) -> int | None:
    """Add a search trial in state TRAINING to a run, whichever process owns the run; return the trial's number.

    Returns None if the run already has ``limit`` trials or a trial with these hyperparameters, has ended, or was asked
    to end. Interrupted trials are ignored. The limit holds even if several processes call this function at once.
    """
    # The query locks the run's row until the transaction ends, so that simultaneous calls wait for each other.
    if connection.execute(select(runs.c.id).where(runs.c.id == run, *CHANGEABLE).with_for_update()).first() is None:
        return None
    rows = connection.execute(select(trials.c.hyperparameters).where(trials.c.run == run, _COUNTS)).all()
    if len(rows) >= limit or any(row.hyperparameters == hyperparameters for row in rows):
        return None
    return _insert(connection, run, hyperparameters, Strategy.SEARCH)


@writes
def end_trial(connection: Connection, run: int, trial: Trial) -> None:
    """Store the result of a trial that this process ran. Raises NotOwner if the trial was marked as interrupted."""
    mine = trials.c.run == run, trials.c.number == trial.number, trials.c.owner == this_process(), _COUNTS
    if not connection.execute(update(trials).where(*mine).values(**trial_columns(trial))).rowcount:
        raise NotOwner(f"Trial {trial.number} of run {run} was marked as interrupted, so its result is discarded.")


@writes
def store_forecast(connection: Connection, run: int, number: int, forecast: Forecast) -> None:
    """Store the forecast made from a measured trial's learning curve."""
    same = trials.c.run == run, trials.c.number == number
    connection.execute(update(trials).where(*same).values(forecast=forecast))


@reads
def is_training(connection: Connection, run: int, number: int) -> bool:
    """Return whether a live process is running trial ``number`` of a run."""
    return any(row.number == number and live_owner(row.owner, row.heartbeat) for row in training_rows(connection, run))


@writes
def mark_interrupted(connection: Connection, run: int) -> bool:
    """Mark as interrupted all trials whose process died during training; return whether there were any such trials."""
    dead = [row.number for row in training_rows(connection, run) if not live_owner(row.owner, row.heartbeat)]
    interrupt_trials(connection, run, trials.c.number.in_(dead))
    return bool(dead)


@reads
def other_trainers(connection: Connection, run: int) -> list[str]:
    """Return the other live processes that are running trials of the run, in sorted order."""
    trainers = {live_owner(row.owner, row.heartbeat) for row in training_rows(connection, run)}
    return sorted(trainer for trainer in trainers if trainer not in (None, this_process()))


def training_rows(connection: Connection, run: int) -> list[Row[Any]]:
    """Return the database rows of a run's trials in state TRAINING, including trials whose processes have died."""
    conditions = trials.c.run == run, trials.c.state == TrialState.TRAINING
    return list(connection.execute(select(trials).where(*conditions).order_by(trials.c.number)))


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
