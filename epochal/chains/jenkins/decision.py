"""What is to be done for a run, from what is to be seen of it in Jenkins. Values in, values out."""

from dataclasses import dataclass
from enum import Enum

from epochal.chains.jenkins.world import Build, World
from epochal.records import Dispatch, Run, State

MOST_FAILURES = 3
"""A run whose build ended this often without a result is given up, so that it does not block its branch for ever."""


class ItemState(Enum):
    """What became of a queue item that is neither in the queue nor seen as a build."""

    CANCELLED = "cancelled"
    STARTED = "started"
    GONE = "gone"


@dataclass(frozen=True)
class Wait:
    """Something is under way."""


@dataclass(frozen=True)
class Trigger:
    """Ask for a build of ``job``; ``failures`` builds of it have ended without a result."""

    job: str
    failures: int = 0


@dataclass(frozen=True)
class Cancelled:
    """A person has cancelled the run in Jenkins: it is never triggered again."""


@dataclass(frozen=True)
class FailRun:
    """``build`` has failed too often without a word of why; its console may say it."""

    build: Build


Decision = Wait | Trigger | Cancelled | FailRun


def is_under_way(run: int, world: World) -> bool:
    """Return whether Jenkins works on the run, or is about to."""
    return world.item_of(run) is not None or any(build.building for build in world.builds_of(run))


def lost_item(dispatch: Dispatch | None, world: World) -> int | None:
    """Return the number of the dispatched queue item if it is neither in the queue nor a build, else None."""
    if dispatch is None or dispatch.item is None:
        return None
    seen = {item.number for item in world.items} | {build.item for build in world.builds}
    return None if dispatch.item in seen else dispatch.item


def decide(
    run: Run, needed: str, dispatch: Dispatch | None, world: World, item: ItemState | None, *, settled: bool
) -> Decision:
    """Decide what to do for an unended run that nobody works on.

    ``needed``: the job that its state asks for. ``item``: what became of ``lost_item``; None if there is none. ``settled``:
    its newest build has been over (without one: the run seen) for long enough that Jenkins would have started the next job.
    """
    builds = world.builds_of(run.id)
    if is_under_way(run.id, world) or item is ItemState.STARTED:
        return Wait()
    if item is ItemState.CANCELLED:
        return Cancelled()
    if not builds and dispatch is None and run.state is not State.QUEUED and not settled:
        return Wait()  # a build that was started without the gateway has pulled it, and Jenkins goes on by itself
    if item is ItemState.GONE or not builds:
        # Killed with Jenkins: build and queue item are gone as if they had never been.
        return Trigger(needed, dispatch.failures if dispatch and dispatch.job == needed else 0)
    last = builds[-1]
    failures = dispatch.failures if dispatch and dispatch.job == last.job else 0
    if last.aborted_by_person:
        return Cancelled()
    if last.result == "ABORTED" and not last.interrupted:
        return Trigger(needed, failures)  # by Jenkins' own shutdown
    if last.job == needed:
        return FailRun(last) if failures + 1 >= MOST_FAILURES else Trigger(needed, failures + 1)
    return Trigger(needed) if settled or last.job not in world.chained else Wait()
