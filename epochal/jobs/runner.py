"""What is the same for the three jobs: claim the run, work, and turn whatever happens into a state and an exit status."""

import threading
from collections.abc import Callable
from contextlib import suppress

from epochal.errors import Reason, RunFailed
from epochal.jobs.artifacts import publish
from epochal.jobs.finish import end_run
from epochal.jobs.job import EXIT_STATUS, Job, summary, tell
from epochal.jobs.pull import find_run, hand_on_again, pull
from epochal.jobs.signals import Stopped, heartbeat, stoppable
from epochal.messages.outbox import drain_outbox
from epochal.records import Run, State, Step
from epochal.settings import Environment
from epochal.store import Busy, CommitLost, DatabaseUnavailable, NotOwner, Patience, StopRequested

DATABASE_SECONDS = 120.0
"""How long a job waits for a database that does not answer; its training goes on meanwhile."""
_STOP_SECONDS = 20.0
_STOPPED_CHILD_SECONDS = 2.0

Work = Callable[[Job, Run], State]

_STATES = {
    "pull": frozenset({State.QUEUED}),
    "train": frozenset({State.PULLED, State.TRAINING}),
    "retrain": frozenset({State.BELOW, State.RETRAINING}),
}
"""Of each job the states of a run that it works on."""


def run_job(name: str, environment: Environment) -> int:
    """Do the job ``pull``, ``train`` or ``retrain`` for the run that the environment tells; returns its exit status.

    Raises UsageError and SettingsError; DatabaseUnavailable, which leaves the run to be taken up again. Whatever is wrong
    with the run itself is in its row, its mail and the last line.
    """
    job = _open(environment)
    try:
        with stoppable():
            run = find_run(job) if name == "pull" else job.run
            status = _conduct(job, run, name)
            if name != "pull":
                publish(job, run)
            return status
    except Stopped as stopped:
        return 128 + stopped.signal_number
    finally:
        job.store.close()


def join_search(environment: Environment) -> int:
    """Take part in the search of the run that the environment tells; returns the exit status that fits the run's state.

    Where the process that conducted the search died meanwhile, this one ends the run in its place. Raises UsageError
    where there is nothing to join, RunFailed for what keeps it from training here: the run goes on without it.
    """
    from epochal.jobs.search.conduct import join

    job = _open(environment)
    try:
        with stoppable():
            with heartbeat(job.store, job.run):
                join(job, job.run)
            if not job.store.run(job.run).state.ended and job.store.owner(job.run) is None:
                return _conduct(job, job.run, "retrain")
        run = job.store.run(job.run)
        tell(f"run {run.id}: {summary(run)}" if run.state.ended else f"run {run.id}: the search is over here")
        return EXIT_STATUS[run.state] if run.state.ended else 0
    except Stopped as stopped:
        return 128 + stopped.signal_number
    finally:
        job.store.close()


def _open(environment: Environment) -> Job:
    return Job.open(environment, Patience(DATABASE_SECONDS, tell))


def _conduct(job: Job, run: int, name: str) -> int:
    states = _STATES[name]
    try:
        claimed = job.store.claim(run, states)
    except Busy as busy:
        tell(str(busy))
        _wait_to_be_stopped(job, run)
        return _nothing_to_do(job, run, states)
    with heartbeat(job.store, run):
        try:
            return _work_and_end(job, claimed, name)
        except Stopped as stopped:
            return _end_after_signal(job, claimed, stopped)
        except NotOwner as lost:
            tell(str(lost))
            _wait_to_be_stopped(job, run)
            return _nothing_to_do(job, run, states)
        except CommitLost as lost:
            if not job.store.run(run).state.ended:
                raise
            tell(str(lost))
            return _nothing_to_do(job, run, states)


def _work_and_end(job: Job, run: Run, name: str) -> int:
    """Do the work, or end the run as it was asked to; returns the exit status."""
    try:
        if asked := job.store.stop_requested(run.id):
            raise StopRequested(run.id, asked)
        return _work(job, run, name)
    except StopRequested as request:
        _wait_to_be_stopped(job, run.id)
        return _end(job, run, request.state, RunFailed(Reason(request.state.value)))


def _work(job: Job, run: Run, name: str) -> int:
    try:
        state = _marked(job, run, name)
    except RunFailed as failure:
        return _end(job, run, State.FAILED, failure)
    _send_mail(job)
    with suppress(DatabaseUnavailable):  # the run's state is stored: nothing changes it, nor the exit status, any more
        tell(f"run {run.id}: {summary(job.store.run(run.id))}")
    return EXIT_STATUS[state]


def _end_after_signal(job: Job, run: Run, stopped: Stopped) -> int:
    """Return the exit status of a run that has ended; end one that was asked to; raise ``stopped`` to leave it as it is."""
    job.store.patience.end()  # whoever sent the signal does not wait for long
    try:
        stored, asked = job.store.run(run.id), job.store.stop_requested(run.id)
        if stored.state.ended:
            return EXIT_STATUS[stored.state]
        if asked:
            return _end(job, run, asked, RunFailed(Reason(asked.value)))
    except (DatabaseUnavailable, NotOwner) as error:
        tell(str(error))
    tell(f"run {run.id} was interrupted: it is taken up again by the next start of epochal serve")
    raise stopped


def _wait_to_be_stopped(job: Job, run: int) -> None:
    """In Jenkins, let the gateway stop the build of a superseded or cancelled run: it ends grey then, and red by itself."""
    stopped = job.store.stop_requested(run) or job.store.run(run).state in (State.SUPERSEDED, State.CANCELLED)
    if stopped and job.store.dispatch(run):
        tell("the gateway stops this build")
        threading.Event().wait(_STOP_SECONDS)


def _marked(job: Job, run: Run, name: str) -> State:
    """Do the work, with its start and, where another job goes on from here, its end marked."""
    job.store.mark(run.id, Step.start_of(name))
    state = _worked(job, run, _work_of(name))
    if not state.ended:
        job.store.mark(run.id, Step.end_of(name))
    return state


def _work_of(name: str) -> Work:
    """What a job does. Imported here: Docker's and Optuna's clients take longer to import than job pull takes."""
    if name == "pull":
        return pull
    if name == "train":
        from epochal.jobs.train import train

        return train
    from epochal.jobs.retrain import retrain

    return retrain


def _worked(job: Job, run: Run, work: Work) -> State:
    """Do the work. Jenkins stops what a job has started first, and the job itself a moment later: until then a failure
    may be no more than the stop."""
    try:
        return work(job, run)
    except RunFailed:
        if job.environment.build_tag:  # the one variable that every Jenkins sets
            threading.Event().wait(_STOPPED_CHILD_SECONDS)
        raise


def _nothing_to_do(job: Job, run: int, states: frozenset[State]) -> int:
    """The status of a job whose run another one works on, or has ended: a pull that was done before is done."""
    state = job.store.run(run).state
    if State.QUEUED in states:
        hand_on_again(job, run)
        return EXIT_STATUS[state] if state in (State.FAILED, State.SUPERSEDED, State.CANCELLED) else 0
    # A run that goes on elsewhere is nothing to mark a build for: yellow would start job retrain twice.
    return EXIT_STATUS[state] if state.ended else 0


def _end(job: Job, run: Run, state: State, failure: RunFailed) -> int:
    end_run(job, run.id, state, failure.reason, failure.explanation, failure.detail)
    for line in failure.detail.splitlines():
        tell(f"  | {line}")
    _send_mail(job)
    tell(f"run {run.id} {state}: {failure.reason}: {failure.explanation}")
    return EXIT_STATUS[state]


def _send_mail(job: Job) -> None:
    try:
        drain_outbox(job, tell)
    except DatabaseUnavailable as error:
        tell(f"mail: epochal serve or epochal mail sends it later: {error}")
