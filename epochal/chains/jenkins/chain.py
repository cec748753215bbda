"""The Jenkins chain: it requests each run's jobs, retrying until Jenkins accepts them, and follows their builds.

No important state is kept in memory. The next action is derived from the runs in the database and from the builds and
queue items in Jenkins, so both Epochal and Jenkins can be killed at any time.
"""

import logging
import threading
import time
from datetime import UTC, datetime

from epochal.app import App
from epochal.chains.jenkins.build_names import BuildNames
from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.decision import (
    MAX_FAILURES,
    CancelRun,
    FailRun,
    ItemState,
    Trigger,
    decide,
    find_lost_item,
    is_under_way,
)
from epochal.chains.jenkins.definitions import job_names, pull_job_name
from epochal.chains.jenkins.snapshot import JenkinsSnapshot, read_builds, read_items
from epochal.chains.job_scripts import first_job
from epochal.errors import Reason, UsageError
from epochal.jobs.finish import fail_stuck_run
from epochal.messages.outbox import drain_outbox
from epochal.records import Dispatch, Run, State
from epochal.store.dispatches import last_dispatch, store_dispatch
from epochal.store.errors import DatabaseUnavailable
from epochal.store.runs import load_run, next_runs, owner_of_run, store_build_url
from epochal.store.transitions import load_stop_request, request_stop

_log = logging.getLogger("epochal.chain")

_POLL_SECONDS = 1.0
"""Seconds between polls while there is work to do. Jenkins is polled because it sends no notifications."""

_IDLE_SECONDS = 60.0
"""Seconds between polls while there is no work. Polling continues in case somebody starts a build in Jenkins itself."""

_MAX_PAUSE_SECONDS = 60.0
_GRACE_SECONDS = 10.0
_FAILURE_PAUSE_SECONDS = 10.0
_STOP_REPEAT_SECONDS = 60.0
_BUILDS_PER_JOB = 100

_JOB_ERROR_STATUSES = (400, 403, 404, 409, 500)
"""The HTTP statuses of errors that affect only one job. After such an error, the chain continues with the other runs.

Any other failure (no response, or a status such as 401 or 503) affects all of Jenkins.
"""


class JenkinsChain:
    """A thread that polls Jenkins and the database. Call ``wake`` after storing or ending a run."""

    def __init__(self, app: App, client: JenkinsClient) -> None:
        self._app = app
        self._client = client
        self._changed = threading.Condition()
        self._woken = True
        self._stopping = False
        self._ended_since: dict[tuple[str, int], float] = {}
        self._retries: dict[int, tuple[float, float]] = {}
        self._stop_sent_at: dict[tuple[str, int], float] = {}
        self._last_logged: dict[str, str] = {}
        self._build_names = BuildNames(client, app.settings.jenkins.prefix, self._log_once)
        self._thread = threading.Thread(target=self._work, name="jenkins", daemon=True)

    def start(self) -> None:
        """Start polling. Runs that an earlier process left unfinished are continued."""
        self._thread.start()

    def wake(self) -> None:
        """Poll now instead of waiting for the next regular poll."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def interrupt(self, owner: str) -> None:
        """Do nothing: the next poll stops the Jenkins build, which ends as ABORTED. A signal would make it fail."""

    def stop(self) -> None:
        """Stop polling, and wait up to 30 s for the thread to end. Builds in Jenkins keep running."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        pause, retry_pause = 0.0, _POLL_SECONDS
        while True:
            with self._changed:
                if not self._woken and not self._stopping:
                    self._changed.wait(pause)
                self._woken = False
                if self._stopping:
                    return
            try:
                pause, retry_pause = self._poll(), _POLL_SECONDS
            except (JenkinsError, DatabaseUnavailable) as error:
                self._log_once("jenkins", f"{str(error).removesuffix('.')}. Trying again.")
                pause, retry_pause = retry_pause, min(2 * retry_pause, _MAX_PAUSE_SECONDS)
            except Exception:
                _log.exception("polling Jenkins failed")
                pause = _MAX_PAUSE_SECONDS

    def _poll(self) -> float:
        """Poll once, act on the result, and return the seconds until the next poll."""
        runs = next_runs(self._app.database)
        snapshot = self._take_snapshot()
        self._last_logged.pop("jenkins", None)
        for run in runs:
            self._record_jenkins_dispatch(run, snapshot)
            self._advance(run, snapshot)
        self._stop_ended(snapshot)
        self._build_names.update(snapshot, self._find_run)
        busy = runs or snapshot.items or any(build.building for build in snapshot.builds)
        return _POLL_SECONDS if busy else _IDLE_SECONDS

    def _take_snapshot(self) -> JenkinsSnapshot:
        names = job_names(self._app.settings)
        answers = {name: self._client.job(name, _BUILDS_PER_JOB) for name in names}
        builds = [build for name, answer in answers.items() if answer for build in read_builds(name, answer)]
        items = read_items(self._client.get_queue_info(), names)
        for build in builds:
            if not build.building:
                self._ended_since.setdefault((build.job, build.number), time.monotonic())
        upstream_jobs = [name for name, answer in answers.items() if answer and answer.get("downstreamProjects")]
        return JenkinsSnapshot(tuple(builds), tuple(items), frozenset(upstream_jobs))

    def _record_jenkins_dispatch(self, run: Run, snapshot: JenkinsSnapshot) -> None:
        """Record a queue item or build that Jenkins created on its own, so that the chain notices if it is lost."""
        item = snapshot.item_of(run.id)
        builds = snapshot.builds_of(run.id)
        number, job = (item.number, item.job) if item else (builds[-1].item, builds[-1].job) if builds else (None, "")
        dispatch = last_dispatch(self._app.database, run.id)
        if number is not None and is_under_way(run.id, snapshot) and (dispatch is None or dispatch.item != number):
            failures = dispatch.failures if dispatch and dispatch.job == job else 0
            store_dispatch(self._app.database, Dispatch(run.id, job, number, failures, datetime.now(UTC)))
        if builds and run.build_url is None:  # Jenkins passes no BUILD_URL to a job if its own URL is not configured.
            store_build_url(self._app.database, run.id, builds[-1].url)

    def _advance(self, run: Run, snapshot: JenkinsSnapshot) -> None:
        if owner_of_run(self._app.database, run.id) or is_under_way(run.id, snapshot):
            return
        if requested := load_stop_request(self._app.database, run.id):  # The owner died before it could end the run.
            request_stop(self._app.database, run.id, requested)
            return
        job = first_job(run)
        assert job is not None
        needed_job = self._app.settings.jenkins.prefix + job
        if job == "pull":
            try:
                needed_job = pull_job_name(self._app.settings, run.commit.repository)
            except UsageError as error:
                self._log_once(f"run {run.id}", str(error))
                return
        dispatch = last_dispatch(self._app.database, run.id)
        lost = find_lost_item(dispatch, snapshot)
        item = self._query_item_state(lost) if lost is not None else None
        seconds_since_end = self._seconds_since_end(run, snapshot)
        match decide(run, needed_job, dispatch, snapshot, item, grace_over=seconds_since_end >= _GRACE_SECONDS):
            case Trigger() as trigger if seconds_since_end >= trigger.failures * _FAILURE_PAUSE_SECONDS:
                self._trigger(run, trigger)
            case CancelRun():
                _log.info("run %s: cancelled in Jenkins", run.id)
                request_stop(self._app.database, run.id, State.CANCELLED)
            case FailRun(build):
                explanation = (
                    f"The Jenkins job {build.job} failed {MAX_FAILURES} times before its script could report a reason"
                )
                explanation += f"; for details, see the build's console: {build.url}"
                _log.error("run %s: giving up: %s", run.id, explanation)
                fail_stuck_run(self._app, run.id, Reason.BUILD_FAILED, explanation)
                drain_outbox(self._app, _log.info)

    def _seconds_since_end(self, run: Run, snapshot: JenkinsSnapshot) -> float:
        """Return the number of seconds since the run's latest build was first seen to have ended.

        If the run has no builds, count from when it was first seen in its current state.
        """
        builds = snapshot.builds_of(run.id)
        key = (builds[-1].job, builds[-1].number) if builds else (f"run {run.state}", run.id)
        return time.monotonic() - self._ended_since.setdefault(key, time.monotonic())

    def _query_item_state(self, number: int) -> ItemState:
        answer = self._client.queue_item(number)
        if answer is None:
            return ItemState.UNKNOWN
        return ItemState.CANCELLED if answer.get("cancelled") else ItemState.STARTED

    def _trigger(self, run: Run, trigger: Trigger) -> None:
        if time.monotonic() < self._retries.get(run.id, (0.0, 0.0))[0]:
            return
        parameters = {"EPOCHAL_RUN": str(run.id)}
        if first_job(run) == "pull":
            parameters |= {"commit": run.commit.sha, "EPOCHAL_BRANCH": run.commit.branch}
        try:
            item = self._client.trigger(trigger.job, parameters)
        except JenkinsError as error:
            self._log_once(f"run {run.id}", f"{trigger.job} could not be started: {error} Trying again.")
            if error.status not in _JOB_ERROR_STATUSES:
                raise
            pause = min(2 * self._retries.get(run.id, (0.0, 0.5))[1], _MAX_PAUSE_SECONDS)
            self._retries[run.id] = time.monotonic() + pause, pause
            return
        self._retries.pop(run.id, None)
        self._last_logged.pop(f"run {run.id}", None)
        store_dispatch(self._app.database, Dispatch(run.id, trigger.job, item, trigger.failures, datetime.now(UTC)))
        _log.info("run %s: %s is in Jenkins' queue as item %s", run.id, trigger.job, item)

    def _stop_ended(self, snapshot: JenkinsSnapshot) -> None:
        """Remove superseded and cancelled runs from Jenkins' queue, and stop their builds, which then end as ABORTED.

        A stop request is repeated only after a minute, because a second request would interfere while the first is
        still ending the build's processes.
        """
        for item in snapshot.items:
            if item.run is not None and self._should_stop(item.run):
                self._client.cancel_item(item.number)
        for build in snapshot.builds:
            if build.building and build.run is not None and self._should_stop(build.run):
                key = build.job, build.number
                if time.monotonic() - self._stop_sent_at.get(key, -_STOP_REPEAT_SECONDS) >= _STOP_REPEAT_SECONDS:
                    self._stop_sent_at[key] = time.monotonic()
                    _log.info("run %s: stopping %s", build.run, build.url)
                    self._client.stop_build(build.job, build.number)

    def _should_stop(self, number: int) -> bool:
        run = self._find_run(number)
        if run is None:
            return False
        requested = load_stop_request(self._app.database, number)
        return run.state in (State.SUPERSEDED, State.CANCELLED) or (requested is not None and not run.state.ended)

    def _find_run(self, number: int) -> Run | None:
        """Return the run with this number, or None if it does not exist: a build can be started with any number."""
        try:
            return load_run(self._app.database, number)
        except UsageError:
            return None

    def _log_once(self, subject: str, text: str) -> None:
        """Log ``text`` unless it was the last text logged about ``subject``."""
        if self._last_logged.get(subject) != text:
            self._last_logged[subject] = text
            _log.warning("%s", text)
