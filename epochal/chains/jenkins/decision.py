"""Decide what the Jenkins chain does next for a run. The functions are pure: they send no requests."""

from dataclasses import dataclass
from enum import Enum

from epochal.chains.jenkins.snapshot import Build, JenkinsSnapshot
from epochal.records import Dispatch, Run, State

MAX_FAILURES = 3
"""Epochal fails a run after this many builds without a result, so that the run does not block its branch."""


class ItemState(Enum):
    """What became of a queue item that is neither in the queue nor listed as a build.

    CANCELLED: it was removed from the queue. STARTED: it became a build that is not listed yet. UNKNOWN: Jenkins does
    not know the item.
    """

    CANCELLED = "cancelled"
    STARTED = "started"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Wait:
    """The decision to do nothing: Jenkins is working on the run, or will start the run's next job without a request."""


@dataclass(frozen=True)
class Trigger:
    """The decision to request a build of ``job``.

    ``failures``: the number of builds of ``job`` for this run that have ended without a result.
    """

    job: str
    failures: int = 0


@dataclass(frozen=True)
class CancelRun:
    """The decision to cancel the run.

    Someone stopped the run's build or removed the run from the queue, so the run must not be triggered again.
    """


@dataclass(frozen=True)
class FailRun:
    """The decision to fail the run.

    ``build``: the last of MAX_FAILURES builds without a result. Its console output may say why.
    """

    build: Build


Decision = Wait | Trigger | CancelRun | FailRun


def is_under_way(run: int, snapshot: JenkinsSnapshot) -> bool:
    """Return whether the run has a queue item or a running build in Jenkins."""
    return snapshot.item_of(run) is not None or any(build.building for build in snapshot.builds_of(run))


def find_lost_item(dispatch: Dispatch | None, snapshot: JenkinsSnapshot) -> int | None:
    """Return the number of the dispatched queue item if it is neither in the queue nor listed as a build, else None."""
    if dispatch is None or dispatch.item is None:
        return None
    seen = {item.number for item in snapshot.items} | {build.item for build in snapshot.builds}
    return None if dispatch.item in seen else dispatch.item


def decide(
    run: Run,
    needed_job: str,
    dispatch: Dispatch | None,
    snapshot: JenkinsSnapshot,
    item: ItemState | None,
    *,
    grace_over: bool,
) -> Decision:
    """Decide what to do about a run that has not ended and that no live process is working on.

    needed_job: the name of the Jenkins job that the run's state requires.
    dispatch: the job that Jenkins was last asked to start for the run, or None.
    item: what became of the run's lost queue item (``find_lost_item``), or None if no item is lost.
    grace_over: whether Jenkins has had enough time to start the next job by itself since the latest build ended or, if
    there is no build, since the run was first seen in its current state.
    """
    builds = snapshot.builds_of(run.id)
    if is_under_way(run.id, snapshot) or item is ItemState.STARTED:
        return Wait()
    if item is ItemState.CANCELLED:
        return CancelRun()
    if not builds and dispatch is None and run.state is not State.QUEUED and not grace_over:
        # A build that was started directly in Jenkins pulled the commit, so Jenkins starts the next job, too.
        return Wait()
    if item is ItemState.UNKNOWN or not builds:
        # If Jenkins is killed, a queue item or a new build can be lost without a trace.
        return Trigger(needed_job, dispatch.failures if dispatch and dispatch.job == needed_job else 0)
    last = builds[-1]
    failures = dispatch.failures if dispatch and dispatch.job == last.job else 0
    if last.aborted_by_person:
        return CancelRun()
    if last.result == "ABORTED" and not last.interrupted:
        # A shutdown of Jenkins ended the build, which does not count as a failure.
        return Trigger(needed_job, failures)
    if last.job == needed_job:
        return FailRun(last) if failures + 1 >= MAX_FAILURES else Trigger(needed_job, failures + 1)
    return Trigger(needed_job) if grace_over or last.job not in snapshot.upstream_jobs else Wait()
