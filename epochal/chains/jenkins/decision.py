"""Decide what the Jenkins chain does next for a run. Pure functions: they send no requests."""

from dataclasses import dataclass
from enum import Enum

from epochal.chains.jenkins.world import Build, World
from epochal.records import Dispatch, Run, State

MOST_FAILURES = 3
"""A run is given up after this many builds without a result, so that it does not block its branch for ever."""


class ItemState(Enum):
    """What became of a queue item that is neither in the queue nor listed as a build.

    CANCELLED: it was removed from the queue. STARTED: it left the queue for a build that is not listed yet. GONE:
    Jenkins does not know the item.
    """

    CANCELLED = "cancelled"
    STARTED = "started"
    GONE = "gone"


@dataclass(frozen=True)
class Wait:
    """Do nothing: Jenkins works on the run, or will start its next job without a request."""


@dataclass(frozen=True)
class Trigger:
    """Request a build of ``job``. ``failures`` is how many of its builds for this run ended without a result."""

    job: str
    failures: int = 0


@dataclass(frozen=True)
class Cancelled:
    """Cancel the run: a person stopped its build or removed it from the queue, so it must not be triggered again."""


@dataclass(frozen=True)
class FailRun:
    """Give the run up: ``build`` is the last of MOST_FAILURES builds without a result. Its console may say why."""

    build: Build


Decision = Wait | Trigger | Cancelled | FailRun


def is_under_way(run: int, world: World) -> bool:
    """Return whether the run has a queue item or a running build in Jenkins."""
    return world.item_of(run) is not None or any(build.building for build in world.builds_of(run))


def lost_item(dispatch: Dispatch | None, world: World) -> int | None:
    """Return the number of the dispatched queue item if neither the queue nor a build has it, else None."""
    if dispatch is None or dispatch.item is None:
        return None
    seen = {item.number for item in world.items} | {build.item for build in world.builds}
    return None if dispatch.item in seen else dispatch.item


def decide(
    run: Run, needed: str, dispatch: Dispatch | None, world: World, item: ItemState | None, *, settled: bool
) -> Decision:
    """Decide what to do for a run that has not ended and has no living owner.

    needed: the name of the Jenkins job that the run's state requires.
    dispatch: what Jenkins was last asked to do for the run, or None.
    item: what became of the run's ``lost_item``, or None if no item is lost.
    settled: Jenkins has had enough time to start the next job by itself, since the newest build ended or, without
    builds, since the run was first seen in its state.
    """
    builds = world.builds_of(run.id)
    if is_under_way(run.id, world) or item is ItemState.STARTED:
        return Wait()
    if item is ItemState.CANCELLED:
        return Cancelled()
    if not builds and dispatch is None and run.state is not State.QUEUED and not settled:
        # A build that was started in Jenkins itself has pulled the run, so Jenkins starts the next job, too.
        return Wait()
    if item is ItemState.GONE or not builds:
        # If Jenkins is killed, a queue item or a new build can be lost without a trace.
        return Trigger(needed, dispatch.failures if dispatch and dispatch.job == needed else 0)
    last = builds[-1]
    failures = dispatch.failures if dispatch and dispatch.job == last.job else 0
    if last.aborted_by_person:
        return Cancelled()
    if last.result == "ABORTED" and not last.interrupted:
        return Trigger(needed, failures)  # Jenkins' own shutdown ended the build, which is not counted as a failure.
    if last.job == needed:
        return FailRun(last) if failures + 1 >= MOST_FAILURES else Trigger(needed, failures + 1)
    return Trigger(needed) if settled or last.job not in world.chained else Wait()
