"""What is done for a run, for each thing that may be seen of it in Jenkins."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from epochal.chains.jenkins.decision import Cancelled, Decision, FailRun, ItemState, Trigger, Wait, decide, lost_item
from epochal.chains.jenkins.world import Build, Item, World
from epochal.records import Commit, Dispatch, Origin, Run, State

_MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
_RUN = Run(7, Commit("https://github.com/ada/digits.git", "main", "a" * 40), Origin.PUSH, State.PULLED, _MOMENT)


def _build(job: str, number: int = 1, **more: object) -> Build:
    values: dict[str, object] = {
        "job": job,
        "number": number,
        "url": "",
        "run": 7,
        "building": False,
        "result": "SUCCESS",
        "item": number,
        "started": number,
        "name": "",
        "description": "",
        "aborted_by_person": False,
        "interrupted": False,
    }
    return Build(**(values | more))  # type: ignore[arg-type]


def _dispatch(job: str = "train", item: int | None = 1, failures: int = 0) -> Dispatch:
    return Dispatch(7, job, item, failures, _MOMENT)


_PULL = _build("pull", started=0)
_FAILED = _build("train", result="FAILURE")


@pytest.mark.parametrize(
    ("builds", "dispatch", "item", "settled", "decision"),
    [
        ((), None, None, False, Wait()),  # pulled by a build that the gateway did not start: Jenkins goes on
        ((), None, None, True, Trigger("train")),
        ((), _dispatch(), ItemState.GONE, False, Trigger("train")),
        ((), _dispatch(), ItemState.STARTED, False, Wait()),
        ((), _dispatch(), ItemState.CANCELLED, False, Cancelled()),
        ((_build("train", building=True, result=None),), None, None, False, Wait()),
        ((_PULL,), None, None, False, Wait()),  # Jenkins' own chain is about to start train
        ((_PULL,), None, None, True, Trigger("train")),
        ((_FAILED,), _dispatch(), None, True, Trigger("train", 1)),
        ((_FAILED,), _dispatch(failures=1), None, True, Trigger("train", 2)),
        ((_FAILED,), _dispatch(failures=2), None, True, FailRun(_FAILED)),
        ((_FAILED,), _dispatch(job="pull", failures=2), None, True, Trigger("train", 1)),
        # Stopped by a person; by Jenkins' own shutdown; by its time limit, which would do it again and again.
        (
            (_build("train", result="ABORTED", aborted_by_person=True, interrupted=True),),
            None,
            None,
            False,
            Cancelled(),
        ),
        ((_build("train", result="ABORTED"),), _dispatch(failures=2), None, False, Trigger("train", 2)),
        ((_build("train", result="ABORTED", interrupted=True),), _dispatch(), None, False, Trigger("train", 1)),
        ((_PULL, _build("train", 2, result="ABORTED")), _dispatch(), None, False, Trigger("train")),
        # Killed after it was seen: the newest that is left is another job's.
        ((_PULL,), _dispatch(item=9), ItemState.GONE, True, Trigger("train")),
    ],
)
def test_each_sight_has_its_decision(
    builds: tuple[Build, ...], dispatch: Dispatch | None, item: ItemState | None, settled: bool, decision: Decision
) -> None:
    """Nothing is triggered while something is under way, nothing for ever, and a person's word is the last."""
    world = World(builds, (), frozenset({"pull", "train"}))
    assert decide(_RUN, "train", dispatch, world, item, settled=settled) == decision


def test_without_a_chain_in_jenkins_there_is_nothing_to_wait_for() -> None:
    """Where Jenkins starts no next job by itself, the gateway does at once; never beside one that waits in the queue."""
    world = World((_PULL,), (), frozenset())
    assert decide(_RUN, "train", None, world, None, settled=False) == Trigger("train")
    waiting = World((_PULL,), (Item(3, "train", 7),), frozenset())
    assert decide(_RUN, "train", None, waiting, None, settled=True) == Wait()


def test_what_was_just_pushed_is_triggered_at_once() -> None:
    """A queued run that Jenkins knows nothing of waits for nothing."""
    queued = replace(_RUN, state=State.QUEUED)
    assert decide(queued, "pull", None, World((), (), frozenset()), None, settled=False) == Trigger("pull")


def test_the_item_to_ask_about() -> None:
    """Only one that was asked for or seen, and is neither in the queue nor a build."""
    world = World((_build("train", item=4),), (Item(5, "pull", 8),), frozenset())
    assert [
        lost_item(dispatch, world) for dispatch in (None, _dispatch(item=None), _dispatch(item=4), _dispatch(item=5))
    ] == [None] * 4
    assert lost_item(_dispatch(item=6), world) == 6
