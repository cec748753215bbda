"""What can be asked of the database, and what can be told to it. Every method is one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, or_, select, update

from epochal.errors import SettingsError, UsageError
from epochal.records import (
    Commit,
    Delivery,
    Dispatch,
    Forecast,
    Judgement,
    Moment,
    Origin,
    Run,
    State,
    Step,
    Strategy,
    Trial,
    Value,
)
from epochal.store import dispatches, ends, looks, marks, outbox, pushes, trials
from epochal.store.database import migrate, open_engine, writing
from epochal.store.errors import Busy, DatabaseUnavailable
from epochal.store.outbox import Notice, NoticeState
from epochal.store.owner import is_alive, this_process
from epochal.store.patience import Patience, impatient, patient
from epochal.store.pushes import change
from epochal.store.rows import to_delivery, to_run, to_trial
from epochal.store.schema import deliveries, runs
from epochal.store.schema import trials as run_trials

__all__ = ["Accepted", "Notice", "NoticeState", "Store"]


@dataclass(frozen=True)
class Accepted:
    """The run that a push or a person got; ``new`` if it was made now; ``stop``: owners of runs that it supersedes."""

    run: int
    new: bool
    stop: tuple[str, ...] = ()


class Store:
    """The database of one home. Safe to use from several threads and several processes."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        """Open the database and bring it to the newest version.

        Raises SettingsError if it cannot be opened, or does not answer within ``patience`` (None: at once).
        """
        self.patience = patience or Patience()
        self._engine = open_engine(url)
        try:
            self.patience.run(lambda: migrate(self._engine))
        except DatabaseUnavailable as error:
            shown = self._engine.url.render_as_string(hide_password=True)
            raise SettingsError(f"database: {shown} cannot be opened: {error}.") from None

    def close(self) -> None:
        """Give the database's connections back."""
        self._engine.dispose()

    # How a run begins.

    @patient
    def accept(
        self, commit: Commit, origin: Origin, *, delivery: tuple[str, str] | None = None, supersede: str
    ) -> Accepted:
        """Store a delivery (its id and event, if a webhook brought it) and its run, or find the run that is there already.

        Older queued runs of the branch that nobody works on become superseded; with ``supersede = "running"`` those that
        are worked on are asked to stop, and their owners are returned.
        """
        received = datetime.now(UTC)  # now: the transaction may have to wait for another one
        with writing(self._engine) as connection:
            if delivery and (seen := pushes.seen(connection, delivery[0])):
                return Accepted(seen, new=False)
            known = pushes.pushed_run(connection, commit) if origin is Origin.PUSH else None
            run = known or pushes.insert_run(connection, commit, origin)
            if known:
                pushes.add_author(connection, run, commit)
            if known and delivery and pushes.revive(connection, run):
                known = None
            if delivery:
                pushes.keep_delivery(connection, delivery, received, "already known" if known else "queued", run)
            stop = (
                () if known or origin is Origin.PERSON else pushes.supersede_older(connection, commit, run, supersede)
            )
            return Accepted(run, new=known is None, stop=stop)

    @patient
    def ignore(self, delivery: str, event: str, result: str) -> None:
        """Remember a delivery that starts no run, and why. A later one with the same id takes its place."""
        with writing(self._engine) as connection:
            if not pushes.seen(connection, delivery):
                pushes.keep_delivery(connection, (delivery, event), datetime.now(UTC), result, None)

    @patient
    def deliveries(self, most: int = 20) -> list[Delivery]:
        """The newest deliveries, newest first."""
        query = select(deliveries).order_by(deliveries.c.received.desc()).limit(most)
        with self._engine.connect() as connection:
            return [to_delivery(row) for row in connection.execute(query)]

    @patient
    def deliveries_of(self, run: int) -> list[Delivery]:
        """The deliveries of a run's commit, oldest first."""
        query = select(deliveries).where(deliveries.c.run == run).order_by(deliveries.c.received)
        with self._engine.connect() as connection:
            return [to_delivery(row) for row in connection.execute(query)]

    # Looking at runs.

    @patient
    def run(self, run: int) -> Run:
        """The run with this number; raises UsageError if there is none."""
        found = self._runs(runs.c.id == run)
        if not found:
            raise UsageError(f"There is no run {run} in this home. epochal history lists the runs that there are.")
        return found[0]

    @patient
    def history(self, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        return self._runs(most=most)

    @patient
    def earlier_runs(self, run: Run, most: int = 20) -> list[Run]:
        """The runs of the same branch before ``run``, newest first."""
        same = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
        return self._runs(*same, runs.c.id < run.id, most=most)

    @patient
    def verdicts_on(self, repository: str, meaning: str) -> list[Run]:
        """The repository's runs that trained or offered code of this meaning themselves and came to a verdict, newest first."""
        same = runs.c.repository == repository, or_(runs.c.meaning == meaning, runs.c.offered == meaning)
        ended = runs.c.state.in_([State.REACHED.value, State.EXHAUSTED.value]), runs.c.taken_over.is_(None)
        return self._runs(*same, *ended)

    @patient
    def runs_of(self, sha: str) -> list[Run]:
        """The runs of a commit, newest first."""
        return self._runs(runs.c.sha == sha)

    @patient
    def last_sha(self, repository: str, branch: str) -> str | None:
        """The commit of the branch's newest run that a push started; None if there was none."""
        query = select(runs.c.sha).where(
            runs.c.repository == repository, runs.c.branch == branch, runs.c.origin == Origin.PUSH.value
        )
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(runs.c.id.desc()).limit(1)).scalar()

    @patient
    def foremost(self) -> list[Run]:
        """The unended runs that pushes started, of each branch the oldest, oldest first.

        Who works on these only, ends the runs of one branch in the order in which they were pushed.
        """
        return self._runs(pushes.is_foremost())[::-1]

    @patient
    def next_run(self, busy: Iterable[int]) -> Run | None:
        """The oldest of the foremost runs that nobody works on, leaving out ``busy`` ones."""
        taken = set(busy)
        return next((run for run in self.foremost() if run.id not in taken and self.owner(run.id) is None), None)

    @patient
    def owner(self, run: int) -> str | None:
        """The living owner of a run; None if nobody works on it."""
        with self._engine.connect() as connection:
            row = connection.execute(select(runs.c.owner, runs.c.heartbeat).where(runs.c.id == run)).first()
        return row.owner if row and row.owner and is_alive(row.owner, row.heartbeat) else None

    def _runs(self, *conditions: Any, most: int | None = None) -> list[Run]:
        query = select(runs).where(*conditions).order_by(runs.c.id.desc()).limit(most)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
            of_these = run_trials.c.run.in_([row.taken_over or row.id for row in rows])
            own = select(run_trials).where(of_these).order_by(run_trials.c.number)
            by_run: dict[int, list[Trial]] = {}
            for row in connection.execute(own):
                by_run.setdefault(row.run, []).append(to_trial(row))
        return [to_run(row, _shown(row, by_run)) for row in rows]

    # Working on a run.

    @patient
    def claim(self, run: int, states: Iterable[State]) -> Run:
        """Make the calling process the run's owner.

        Raises Busy if another living process is, or if the run is in none of ``states``; UsageError if there is no such run.
        """
        wanted = tuple(state.value for state in states)
        with writing(self._engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).first()
            if row is None:
                raise UsageError(f"There is no run {run} in this home. epochal history lists the runs that there are.")
            if row.owner and row.owner != this_process() and is_alive(row.owner, row.heartbeat):
                raise Busy(f"Run {run} is worked on by another process ({row.owner}).")
            if row.state not in wanted:
                raise Busy(f"Run {run} is {row.state}: there is nothing to do here.")
            moment = datetime.now(UTC)
            change(connection, run, owner=this_process(), heartbeat=moment, started=row.started or moment)
            for trial in trials.training(connection, run):
                # One of its own is from before it was interrupted: who claims a run trains nothing of it yet.
                if trial.owner == this_process() or not trials.is_trained(trial):
                    trials.interrupt(connection, run, trial.number)
        return self.run(run)

    @impatient
    def beat(self, run: int) -> None:
        """Say that the calling process lives, if it is the run's owner or trains some of its trials."""
        own = runs.c.id == run, runs.c.owner == this_process()
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(*own).values(heartbeat=datetime.now(UTC)))
            trials.beat(connection, run)

    @impatient
    def release(self, run: int) -> None:
        """The calling process works on the run no more."""
        own = runs.c.id == run, runs.c.owner == this_process()
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(*own).values(owner=None, heartbeat=None))

    @patient
    def change(self, run: int, **columns: Any) -> None:
        """Set columns of a run (state, framework, image, threshold, notes …) that the calling process owns.

        Raises NotOwner if it does not, or the run has ended; StopRequested if the run was asked to end.
        """
        with writing(self._engine) as connection:
            ends.change_owned(connection, run, **columns)

    @patient
    def keep_build_url(self, run: int, url: str) -> None:
        """Set the page of the build that works on a run, if none is known."""
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(runs.c.id == run, runs.c.build_url.is_(None)).values(build_url=url))

    @patient
    def add_notes(self, run: int, notes: Sequence[str]) -> list[str]:
        """Add what is not among the run's notes yet; returns what was added. Trials side by side lose none."""
        with writing(self._engine) as connection:
            known = connection.execute(select(runs.c.notes).where(runs.c.id == run).with_for_update()).scalar_one()
            added = [note for note in dict.fromkeys(notes) if note not in known]
            change(connection, run, notes=[*known, *added])
        return added

    @patient
    def request_stop(self, run: int, state: State) -> str | None:
        """Ask that a run ends as SUPERSEDED or CANCELLED; returns its living owner, whom a signal makes look.

        A run that nobody works on ends at once. Raises UsageError for one that has ended already.
        """
        self.run(run)  # is there
        with writing(self._engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).one()
            if State(row.state).ended:
                raise UsageError(f"Run {run} has ended already: it is {row.state}.")
            owner = row.owner if row.owner and is_alive(row.owner, row.heartbeat) else None
            asked = State(row.stop_requested or state)  # the first request counts
            change(connection, run, stop_requested=asked.value)
            if owner is None:
                ends.end(connection, run, row.owner, asked, reason=asked.value, ended=datetime.now(UTC))
        return owner

    @patient
    def stop_requested(self, run: int) -> State | None:
        """What the run was asked to end as; None if it was not."""
        with self._engine.connect() as connection:
            asked = connection.execute(select(runs.c.stop_requested).where(runs.c.id == run)).scalar()
        return State(asked) if asked else None

    @patient
    def start_trial(self, run: int, hyperparameters: dict[str, Value], strategy: Strategy = Strategy.COMMITTED) -> int:
        """Start a trial of a run that the calling process owns; returns its number, from 1. Raises as ``change`` does."""
        with writing(self._engine) as connection:
            ends.require_owned(connection, run)
            return trials.start(connection, run, hyperparameters, strategy)

    @patient
    def start_searching_trial(self, run: int, hyperparameters: dict[str, Value], most: int) -> int | None:
        """Start a trial of a search, in whichever process; returns its number.

        None if the run has ``most`` trials already or one with these hyperparameters, has ended, or was asked to end.
        However many processes ask at once, there are never more trials, nor two of the same.
        """
        with writing(self._engine) as connection:
            if not ends.is_open(connection, run):
                return None
            if trials.count(connection, run) >= most or trials.has(connection, run, hyperparameters):
                return None
            return trials.start(connection, run, hyperparameters, Strategy.SEARCH)

    @patient
    def end_trial(self, run: int, trial: Trial) -> None:
        """Store what came of a trial that the calling process trained. Raises NotOwner if it was marked as interrupted."""
        with writing(self._engine) as connection:
            trials.end(connection, run, trial)

    @patient
    def is_training(self, run: int, trial: int) -> bool:
        """Whether a trial trains, and the process that began it lives."""
        with self._engine.connect() as connection:
            return any(row.number == trial and trials.is_trained(row) for row in trials.training(connection, run))

    @patient
    def bury_trials(self, run: int) -> bool:
        """Mark the trials as interrupted whose process died; returns whether there were any."""
        with writing(self._engine) as connection:
            dead = [row for row in trials.training(connection, run) if not trials.is_trained(row)]
            for row in dead:
                trials.interrupt(connection, run, row.number)
        return bool(dead)

    @patient
    def others_training(self, run: int) -> list[str]:
        """The living processes that train trials of the run, the calling one left out."""
        with self._engine.connect() as connection:
            rows = [row for row in trials.training(connection, run) if trials.is_trained(row)]
        return sorted({row.owner for row in rows} - {this_process()})

    @patient
    def keep_forecast(self, run: int, trial: int, forecast: Forecast) -> None:
        """What the learning curve of a measured trial promises."""
        with writing(self._engine) as connection:
            trials.keep_forecast(connection, run, trial, forecast)

    @patient
    def judge(self, run: Run, trial: Trial, decide: Callable[[int | None], Judgement]) -> Judgement:
        """Judge a measured trial, once and for all.

        ``decide`` is given the number of the trial's look at its test set, counted over all runs of the branch; None if
        the test set is not known. What it returns is stored, and returned from then on. What it raises stores nothing.
        """
        with writing(self._engine) as connection:
            return looks.judge(connection, run, trial, decide)

    @patient
    def looks_before(self, run: Run, trial: Trial) -> int | None:
        """Return how many looks other trials of the branch had at the trial's test set; None if that is not known."""
        with self._engine.connect() as connection:
            return looks.looks_before(connection, run, trial)

    @patient
    def end_run(self, run: Run, notice: Notice | None) -> None:
        """End a run that the calling process owns as ``run`` says, and store the notice, in one transaction.

        Raises NothingReached if ``run`` is REACHED but none of its trials is, StopRequested if it was asked to end in
        another state, NotOwner if the calling process does not own it or it has ended. Nothing is stored then.
        """
        with writing(self._engine) as connection:
            ends.end_owned(connection, run.id, run.state, notice, **_end_columns(run))

    @patient
    def end_unowned_run(self, run: Run, notice: Notice | None) -> bool:
        """End a run that no living process owns as ``run`` says, and store the notice; returns whether it did.

        It does not if somebody owns the run, if it has ended, or if it was asked to end in another state.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run.id).with_for_update()).one()
            if row.owner and is_alive(row.owner, row.heartbeat):
                return False
            return ends.end(connection, run.id, row.owner, run.state, notice, **_end_columns(run))

    # Where the time goes.

    @patient
    def mark(self, run: int, step: Step, trial: int | None = None, at: datetime | None = None) -> None:
        """Keep that a run (one of its trials) came to ``step`` now, or at the aware time ``at``; earlier marks stay."""
        moment = Moment(step, at or datetime.now(UTC), trial)
        with writing(self._engine) as connection:
            marks.add(connection, run, moment)

    @patient
    def marks(self, run: int) -> list[Moment]:
        """What was marked of a run, in that order."""
        with self._engine.connect() as connection:
            return marks.of_run(connection, run)

    # What Jenkins was asked.

    @patient
    def dispatch(self, run: int) -> Dispatch | None:
        """What Jenkins was last asked to do for a run; None if nothing yet."""
        with self._engine.connect() as connection:
            return dispatches.of_run(connection, run)

    @patient
    def keep_dispatch(self, dispatch: Dispatch) -> None:
        """Remember what Jenkins was asked to do for a run, instead of what it was asked before."""
        with writing(self._engine) as connection:
            dispatches.keep(connection, dispatch)

    # The outbox.

    @patient
    def take_notice(self, after: int = 0) -> Notice | None:
        """The oldest pending notice numbered over ``after``, kept from others for some minutes; None if there is none."""
        with writing(self._engine) as connection:
            return outbox.take(connection, after)

    @patient
    def settle_notice(self, notice: int, state: NoticeState, told: str) -> None:
        """What came of a notice that was taken: SENT, PENDING (try again later) or GIVEN_UP, and what is told of it."""
        with writing(self._engine) as connection:
            outbox.settle(connection, notice, state, told)

    @patient
    def retry_notices(self) -> int:
        """Make the given-up notices pending again; returns how many there were."""
        with writing(self._engine) as connection:
            return outbox.retry(connection)

    @patient
    def notice(self, run: int) -> Notice | None:
        """The notice of a run's end; None if it has none (yet)."""
        with self._engine.connect() as connection:
            return outbox.of_run(connection, run)


def _end_columns(run: Run) -> dict[str, Any]:
    return {
        "reason": run.reason and run.reason.value,
        "explanation": run.explanation,
        "detail": run.detail,
        "ended": run.ended,
        "taken_over": run.taken_over,
        "taken_trial": run.taken_trial,
    }


def _shown(row: Row[Any], by_run: dict[int, list[Trial]]) -> tuple[Trial, ...]:
    """The trials that a run is shown with: its own, or those of the run whose verdict it took over."""
    found = by_run.get(row.taken_over or row.id, [])
    return tuple(trial for trial in found if row.taken_trial in (None, trial.number))
