"""Run one of the three jobs: claim the run, do the work, and turn the outcome into a state and an exit status."""

import importlib
import threading
from collections.abc import Callable
from contextlib import suppress

from epochal.app import App
from epochal.errors import Reason, RunFailed, UsageError
from epochal.jobs.artifacts import publish
from epochal.jobs.log import log
from epochal.jobs.signals import Stopped, heartbeat, raise_on_signal
from epochal.messages.outbox import drain_outbox
from epochal.records import EXIT_STATUS, Run, State, Step
from epochal.settings import Environment
from epochal.store.dispatches import last_dispatch
from epochal.store.errors import Busy, CommitLost, DatabaseUnavailable, NotOwner, StopRequested
from epochal.store.retry import RetryPolicy
from epochal.store.runs import claim_run, load_run, owner_of_run, state_of_run
from epochal.store.timeline import record_step
from epochal.store.transitions import load_stop_request

DATABASE_SECONDS = 120.0
"""How long a job waits for a database that does not answer. Training continues in the meantime."""
_STOP_SECONDS = 20.0
_STOPPED_CHILD_SECONDS = 2.0

_STATES = {
    "pull": frozenset({State.QUEUED}),
    "train": frozenset({State.PULLED, State.TRAINING}),
    "retrain": frozenset({State.BELOW, State.RETRAINING}),
}
"""For each job, the states of the runs that it may claim."""


def run_job(name: str, environment: Environment) -> int:
    """Run the job ``pull``, ``train`` or ``retrain`` as ``environment`` specifies, and return the exit status.

    The status is 128 plus the signal's number if a signal stopped the job. A failure of the run itself is not raised,
    but stored with the run, emailed and logged. Raises UsageError, SettingsError or DatabaseUnavailable; after
    DatabaseUnavailable, the run can be claimed again.
    """
    environment.create_home()
    app = App.open(environment, RetryPolicy(DATABASE_SECONDS, log))
    try:
        with raise_on_signal():
            run = _find_run_to_pull(app) if name == "pull" else _requested_run(environment)
            status = _claim_and_do(app, run, name)
            if name != "pull":
                publish(app, run)
            return status
    except Stopped as stopped:
        return 128 + stopped.signal_number
    finally:
        app.database.close()


def join_search(environment: Environment) -> int:
    """Join the search of the run named in ``environment``, and return the exit status for the run's state.

    The status is 0 if the run has not ended. If the job that started the search has died, this process claims the run
    and finishes the retrain job. Raises UsageError if there is no search to join, and RunFailed (without ending the
    run) if training is not possible on this machine.
    """
    from epochal.jobs.search.run import join
    from epochal.pages.outcome import outcome_lines

    app = App.open(environment, RetryPolicy(DATABASE_SECONDS, log))
    try:
        with raise_on_signal():
            number = _requested_run(environment)
            with heartbeat(app.database, number):
                join(app, number)
            if not state_of_run(app.database, number).ended and owner_of_run(app.database, number) is None:
                return _claim_and_do(app, number, "retrain")
        run = load_run(app.database, number)
        over = [f"run {run.id}: the search is over; the retrain job will end the run"]
        for line in outcome_lines(run, app.home) if run.state.ended else over:
            log(line)
        return EXIT_STATUS[run.state] if run.state.ended else 0
    except Stopped as stopped:
        return 128 + stopped.signal_number
    finally:
        app.database.close()


def _find_run_to_pull(app: App) -> int:
    # Imported here, because importing everything that the pull job needs (git, mail) would slow down other jobs.
    from epochal.jobs.pull import find_run

    return find_run(app)


def _requested_run(environment: Environment) -> int:
    if environment.run is None:
        raise UsageError("EPOCHAL_RUN is not set. Set it to the number of the run, which pull.sh prints.")
    return environment.run


def _claim_and_do(app: App, run: int, name: str) -> int:
    states = _STATES[name]
    try:
        claimed = claim_run(app.database, run, states)
    except Busy as busy:
        log(str(busy))
        _wait_to_be_stopped(app, run)
        return _status_without_work(app, run, states)
    with heartbeat(app.database, run):
        try:
            return _do_job(app, claimed, name)
        except Stopped as stopped:
            return _end_after_signal(app, claimed, stopped)
        except NotOwner as lost:
            log(str(lost))
            _wait_to_be_stopped(app, run)
            return _status_without_work(app, run, states)
        except CommitLost as lost:
            if not state_of_run(app.database, run).ended:
                raise
            log(str(lost))
            return _status_without_work(app, run, states)


def _do_job(app: App, run: Run, name: str) -> int:
    """Do the job's work for a claimed run, or end the run if that was requested, and return the exit status.

    Also store when the job started and, unless it ended the run, when the job finished.
    """
    # Imported here, because a job that finds nothing to do prints no outcome.
    from epochal.pages.outcome import outcome_lines

    try:
        if requested := load_stop_request(app.database, run.id):
            raise StopRequested(run.id, requested)
        record_step(app.database, run.id, Step.start_of(name))
        # Imported here, because importing the Docker SDK and Optuna takes longer than the whole pull job.
        work: Callable[[App, Run], State] = getattr(importlib.import_module(f"epochal.jobs.{name}"), name)
        state = work(app, run)
        if not state.ended:
            record_step(app.database, run.id, Step.end_of(name))
    except RunFailed as failure:
        # When Jenkins aborts a build, it kills the job's child processes a moment before the job itself. Wait for the
        # signal to the job, so that the death of a child process does not count as a failure of the run.
        if app.environment.build_tag:  # Jenkins always sets this variable
            threading.Event().wait(_STOPPED_CHILD_SECONDS)
        try:
            return _end(app, run, State.FAILED, failure)
        except StopRequested as request:
            return _end_as_requested(app, run, request)
    except StopRequested as request:
        return _end_as_requested(app, run, request)
    _send_mail(app)
    with suppress(DatabaseUnavailable):  # the outcome is stored, so it does not matter if it cannot be printed
        for line in outcome_lines(load_run(app.database, run.id), app.home):
            log(line)
    return EXIT_STATUS[state]


def _end_as_requested(app: App, run: Run, request: StopRequested) -> int:
    _wait_to_be_stopped(app, run.id)
    return _end(app, run, request.state, RunFailed(Reason(request.state.value)))


def _end_after_signal(app: App, run: Run, stopped: Stopped) -> int:
    """End the run after a signal, if requested; return the exit status if it has ended, else raise ``stopped``."""
    app.database.retry_policy.stop_waiting()  # the sender of the signal will not wait long
    try:
        stored, requested = load_run(app.database, run.id), load_stop_request(app.database, run.id)
        if stored.state.ended:
            return EXIT_STATUS[stored.state]
        if requested:
            return _end(app, run, requested, RunFailed(Reason(requested.value)))
    except (DatabaseUnavailable, NotOwner) as error:
        log(str(error))
    log(f"run {run.id} was interrupted; if a push started it, epochal serve will continue it")
    raise stopped


def _wait_to_be_stopped(app: App, run: int) -> None:
    """Give the gateway time to abort the Jenkins build of a superseded or cancelled run, before the build turns red."""
    stopped = load_stop_request(app.database, run) or state_of_run(app.database, run) in (
        State.SUPERSEDED,
        State.CANCELLED,
    )
    if stopped and last_dispatch(app.database, run):
        log("waiting for the gateway to stop this build")
        threading.Event().wait(_STOP_SECONDS)


def _status_without_work(app: App, run: int, states: frozenset[State]) -> int:
    """Return the exit status of a job that has nothing to do, because its run has moved on or has another owner."""
    state = state_of_run(app.database, run)
    if State.QUEUED in states:
        from epochal.jobs.pull import pass_on_pulled_run  # imported here for the same reason as in _find_run_to_pull

        pass_on_pulled_run(app, run)
        return EXIT_STATUS[state] if state in (State.FAILED, State.SUPERSEDED, State.CANCELLED) else 0
    # If the run is not over, the status is 0: a yellow build would start the retrain job a second time.
    return EXIT_STATUS[state] if state.ended else 0


def _end(app: App, run: Run, state: State, failure: RunFailed) -> int:
    """End a run in ``state`` because of ``failure``, send the run's email, and return the exit status."""
    # Imported here, because ``finish`` imports the code that composes emails, which a job with nothing to do can skip.
    from epochal.jobs.finish import end_run
    from epochal.pages.outcome import describe_reason

    end_run(app, run.id, state, failure.reason, failure.explanation, failure.detail)
    for line in failure.detail.splitlines():
        log(f"  | {line}")
    _send_mail(app)
    log(f"run {run.id} {state}: {describe_reason(state, failure.reason, failure.explanation)}")
    return EXIT_STATUS[state]


def _send_mail(app: App) -> None:
    if app.environment.no_mail:
        return
    try:
        drain_outbox(app, log)
    except DatabaseUnavailable as error:
        log(f"mail: the email cannot be sent now ({error}); epochal serve or epochal mail --flush will send it")
