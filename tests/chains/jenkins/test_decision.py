"""What the Jenkins chain does next for a run, depending on its builds and queue items."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from epochal.chains.jenkins.decision import (
    CancelRun,
    Decision,
    FailRun,
    ItemState,
    Trigger,
    Wait,
    decide,
    find_lost_item,
)
from epochal.chains.jenkins.snapshot import Build, Item, JenkinsSnapshot
from epochal.records import Commit, Dispatch, Origin, Run, State

_TIME = datetime(2026, 11, 23, tzinfo=UTC)
_RUN = Run(7, Commit("https://github.com/ada/digits.git", "main", "a" * 40), Origin.PUSH, State.PULLED, _TIME)


def _make_build(job: str, number: int = 1, **changes: object) -> Build:
    values: dict[str, object] = {
        "job": job,
        "number": number,
        "url": "",
        "run": 7,
        "building": False,
        "result": "SUCCESS",
        "item": number,
        "timestamp": number,
        "name": "",
        "description": "",
        "aborted_by_person": False,
        "interrupted": False,
    }
    return Build(**(values | changes))  # type: ignore[arg-type]


def _make_dispatch(job: str = "train", item: int | None = 1, failures: int = 0) -> Dispatch:
    return Dispatch(7, job, item, failures, _TIME)


_PULL = _make_build("pull", timestamp=0)
_FAILED = _make_build("train", result="FAILURE")


@pytest.mark.parametrize(
    ("builds", "dispatch", "item", "grace_over", "decision"),
    [
        ((), None, None, False, Wait()),  # A build that the gateway did not start has pulled the run.
        ((), None, None, True, Trigger("train")),
        ((), _make_dispatch(), ItemState.UNKNOWN, False, Trigger("train")),
        ((), _make_dispatch(), ItemState.STARTED, False, Wait()),
        ((), _make_dispatch(), ItemState.CANCELLED, False, CancelRun()),
        ((_make_build("train", building=True, result=None),), None, None, False, Wait()),
        ((_PULL,), None, None, False, Wait()),  # Jenkins is about to start train itself.
        ((_PULL,), None, None, True, Trigger("train")),
        ((_FAILED,), _make_dispatch(), None, True, Trigger("train", 1)),
        ((_FAILED,), _make_dispatch(failures=1), None, True, Trigger("train", 2)),
        ((_FAILED,), _make_dispatch(failures=2), None, True, FailRun(_FAILED)),
        ((_FAILED,), _make_dispatch(job="pull", failures=2), None, True, Trigger("train", 1)),
        # Someone stopped the build.
        (
            (_make_build("train", result="ABORTED", aborted_by_person=True, interrupted=True),),
            None,
            None,
            False,
            CancelRun(),
        ),
        # Jenkins' shutdown ended the build, which does not count as a failure.
        ((_make_build("train", result="ABORTED"),), _make_dispatch(failures=2), None, False, Trigger("train", 2)),
        # The time limit of the job ended the build. That counts, because it would happen again.
        (
            (_make_build("train", result="ABORTED", interrupted=True),),
            _make_dispatch(),
            None,
            False,
            Trigger("train", 1),
        ),
        # The newest build decides.
        ((_PULL, _make_build("train", 2, result="ABORTED")), _make_dispatch(), None, False, Trigger("train")),
        # Jenkins was killed after the train build had been seen, so the newest build is a pull build.
        ((_PULL,), _make_dispatch(item=9), ItemState.UNKNOWN, True, Trigger("train")),
    ],
)
def test_decision_for_each_state_in_jenkins(
    builds: tuple[Build, ...], dispatch: Dispatch | None, item: ItemState | None, grace_over: bool, decision: Decision
) -> None:
    """Nothing is triggered while a build runs, failures are limited, and a build that someone stops is not retried."""
    snapshot = JenkinsSnapshot(builds, (), frozenset({"pull", "train"}))
    assert decide(_RUN, "train", dispatch, snapshot, item, grace_over=grace_over) == decision


def test_next_job_is_triggered_at_once_if_jenkins_does_not_start_it() -> None:
    """A build that is already in the queue is not triggered a second time."""
    snapshot = JenkinsSnapshot((_PULL,), (), frozenset())
    assert decide(_RUN, "train", None, snapshot, None, grace_over=False) == Trigger("train")
    waiting = JenkinsSnapshot((_PULL,), (Item(3, "train", 7),), frozenset())
    assert decide(_RUN, "train", None, waiting, None, grace_over=True) == Wait()


def test_queued_run_is_triggered_at_once() -> None:
    """Only a run that has been pulled waits for Jenkins to start the next job."""
    queued = replace(_RUN, state=State.QUEUED)
    assert decide(queued, "pull", None, JenkinsSnapshot((), (), frozenset()), None, grace_over=False) == Trigger("pull")


def test_lost_item_is_neither_queued_nor_built() -> None:
    """A dispatch without a queue item cannot lose one."""
    snapshot = JenkinsSnapshot((_make_build("train", item=4),), (Item(5, "pull", 8),), frozenset())
    assert [
        find_lost_item(dispatch, snapshot)
        for dispatch in (None, _make_dispatch(item=None), _make_dispatch(item=4), _make_dispatch(item=5))
    ] == [None] * 4
    assert find_lost_item(_make_dispatch(item=6), snapshot) == 6
