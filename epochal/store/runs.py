"""Read the table of runs, which is also the work queue, and claim or release a run."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, or_, select, update

from epochal.records import Commit, Origin, Run, State, Trial
from epochal.store.database import reads, writes, writes_at_once
from epochal.store.errors import Busy
from epochal.store.owner import live_owner, this_process
from epochal.store.rows import read_row, read_trial
from epochal.store.schema import runs, trials
from epochal.store.transitions import UNFINISHED_STATES, interrupt_trials, no_such_run
from epochal.store.trials import training_rows


@reads
def load_run(connection: Connection, run: int) -> Run:
    """Return the run with the number ``run``. Raises UsageError if there is no such run."""
    found = _load(connection, runs.c.id == run)
    if not found:
        raise no_such_run(run)
    return found[0]


@reads
def state_of_run(connection: Connection, run: int) -> State:
    """Return the state of the run with the number ``run``. Raises UsageError if there is no such run."""
    state: State | None = connection.execute(select(runs.c.state).where(runs.c.id == run)).scalar()
    if state is None:
        raise no_such_run(run)
    return state


@reads
def list_runs(connection: Connection, limit: int = 20) -> list[Run]:
    """Return the newest ``limit`` runs, newest first."""
    return _load(connection, limit=limit)


@reads
def earlier_runs(connection: Connection, run: Run, limit: int = 20) -> list[Run]:
    """Return the last ``limit`` runs before ``run`` on the same branch and for the same project, newest first."""
    same = (
        runs.c.repository == run.commit.repository,
        runs.c.branch == run.commit.branch,
        runs.c.project == run.commit.project,
    )
    return _load(connection, *same, runs.c.id < run.id, limit=limit)


@reads
def runs_with_verdict(connection: Connection, repository: str, fingerprint: str) -> list[Run]:
    """Return the repository's runs with a verdict that a run with this fingerprint can reuse, newest first.

    These runs ended in state REACHED or EXHAUSTED without reusing a verdict themselves. They have this fingerprint, or
    they offered a change that results in it.
    """
    same = or_(runs.c.fingerprint == fingerprint, runs.c.offered_fingerprint == fingerprint)
    ended = runs.c.state.in_([State.REACHED, State.EXHAUSTED]), runs.c.reused_run.is_(None)
    return _load(connection, runs.c.repository == repository, same, *ended)


@reads
def runs_of_commit(connection: Connection, sha: str) -> list[Run]:
    """Return the runs of a commit, newest first."""
    return _load(connection, runs.c.sha == sha)


@reads
def last_pushed_commit(connection: Connection, repository: str, branch: str) -> str | None:
    """Return the commit hash of the newest run that a push to the branch started, or None if there is no such run."""
    pushed = runs.c.repository == repository, runs.c.branch == branch, runs.c.origin == Origin.PUSH
    return connection.execute(select(runs.c.sha).where(*pushed).order_by(runs.c.id.desc()).limit(1)).scalar()


@reads
def next_runs(connection: Connection) -> list[Run]:
    """Return the oldest unfinished run of each branch and project, oldest first. Only runs started by a push count.

    Starting only these ensures that the runs of a branch and project end in the order of their pushes.
    """
    older = runs.alias()
    waits = select(older.c.id).where(
        older.c.repository == runs.c.repository,
        older.c.branch == runs.c.branch,
        older.c.project == runs.c.project,
        older.c.origin == Origin.PUSH,
        older.c.state.in_(UNFINISHED_STATES),
        older.c.id < runs.c.id,
    )
    return _load(connection, runs.c.state.in_(UNFINISHED_STATES), runs.c.origin == Origin.PUSH, ~waits.exists())[::-1]


@reads
def next_run(connection: Connection, busy: Iterable[int]) -> Run | None:
    """Return the oldest of ``next_runs`` that has no live owner and is not in ``busy``, or None if all are taken."""
    taken = set(busy)
    waiting = (run for run in next_runs(connection) if run.id not in taken)
    return next((run for run in waiting if owner_of_run(connection, run.id) is None), None)


@reads
def owner_of_run(connection: Connection, run: int) -> str | None:
    """Return the owner of a run if that process is still alive, or None if no process is working on the run."""
    row = connection.execute(select(runs.c.owner, runs.c.heartbeat).where(runs.c.id == run)).first()
    return live_owner(row.owner, row.heartbeat) if row else None


@writes
def claim_run(connection: Connection, run: int, states: Iterable[State]) -> Run:
    """Make the calling process the owner of a run, and return the run.

    Trials that were running in this process or in a dead process are marked as interrupted. Raises Busy if another
    live process owns the run or the run is in none of ``states``, and UsageError if there is no such run.
    """
    columns = runs.c.state, runs.c.owner, runs.c.heartbeat, runs.c.started
    row = connection.execute(select(*columns).where(runs.c.id == run).with_for_update()).first()
    if row is None:
        raise no_such_run(run)
    if live_owner(row.owner, row.heartbeat) not in (None, this_process()):
        raise Busy(f"Another process ({row.owner}) is already working on run {run}.")
    if row.state not in states:
        raise Busy(f'Run {run} is in the state "{row.state}", so there is nothing to do.')
    now = datetime.now(UTC)
    claimed = {"owner": this_process(), "heartbeat": now, "started": row.started or now}
    connection.execute(update(runs).where(runs.c.id == run).values(**claimed))
    # The claiming process has not started to train yet, so a trial that it already owns was interrupted earlier.
    nobody_else = None, this_process()
    interrupted = [
        trial.number
        for trial in training_rows(connection, run)
        if live_owner(trial.owner, trial.heartbeat) in nobody_else
    ]
    interrupt_trials(connection, run, trials.c.number.in_(interrupted))
    return load_run(connection, run)


@writes_at_once
def record_heartbeat(connection: Connection, run: int) -> None:
    """Record a heartbeat for a run, if the calling process owns it, and for each of its trials that the process owns."""
    alive = {"heartbeat": datetime.now(UTC)}
    connection.execute(update(runs).where(runs.c.id == run, runs.c.owner == this_process()).values(**alive))
    connection.execute(update(trials).where(trials.c.run == run, trials.c.owner == this_process()).values(**alive))


@writes_at_once
def release_run(connection: Connection, run: int) -> None:
    """Remove the calling process as the owner of a run; do nothing if another process owns it."""
    own = runs.c.id == run, runs.c.owner == this_process()
    connection.execute(update(runs).where(*own).values(owner=None, heartbeat=None))


@writes
def store_build_url(connection: Connection, run: int, url: str) -> None:
    """Store the URL of the Jenkins build that is working on a run, unless the run already has a URL."""
    connection.execute(update(runs).where(runs.c.id == run, runs.c.build_url.is_(None)).values(build_url=url))


@writes
def add_notes(connection: Connection, run: int, notes: Sequence[str]) -> list[str]:
    """Add to a run any ``notes`` that it does not have yet, and return those that were added.

    The run's row is locked, so that no note is lost if trials add notes at the same time.
    """
    known = connection.execute(select(runs.c.notes).where(runs.c.id == run).with_for_update()).scalar_one()
    added = [note for note in dict.fromkeys(notes) if note not in known]
    connection.execute(update(runs).where(runs.c.id == run).values(notes=(*known, *added)))
    return added


def _load(connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Run]:
    """Return the runs that meet ``conditions``, newest first, each with its trials.

    A run that reuses a verdict gets the trials of ``reused_run`` instead, or only ``reused_trial`` if that is set.
    """
    rows = connection.execute(select(runs).where(*conditions).order_by(runs.c.id.desc()).limit(limit)).all()
    condition = trials.c.run.in_([row.reused_run or row.id for row in rows])
    by_run: dict[int, list[Trial]] = {}
    for row in connection.execute(select(trials).where(condition).order_by(trials.c.number)):
        by_run.setdefault(row.run, []).append(read_trial(row))
    found = []
    for row in rows:
        trained = by_run.get(row.reused_run or row.id, [])
        shown = tuple(trial for trial in trained if row.reused_trial in (None, trial.number))
        found.append(read_row(Run, row, commit=read_row(Commit, row), trials=shown))
    return found
