"""A run's moments, in order; what training code wrote is believed only where it can be true."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.pages.timeline import timeline
from epochal.records import Commit, Delivery, Moment, Origin, Run, State, Step

_START = datetime(2026, 3, 1, 12, tzinfo=UTC)
_FROM_RECORDER = {
    Step.PYTHON_STARTED,
    Step.FRAMEWORK_IMPORTED,
    Step.FIT_BEGAN,
    Step.FIRST_EPOCH_ENDED,
    Step.FIT_ENDED,
}


def _at(seconds: float) -> datetime:
    return _START + timedelta(seconds=seconds)


def _seconds(moment: Moment) -> float:
    return (moment.at - _START).total_seconds()


_RUN = Run(7, Commit("/srv/digits.git", "main", "a" * 40), Origin.PUSH, State.TRAINING, _at(3))
_LATER = _at(500)
_DELIVERY = Delivery("1", "push", _at(3), "queued", 7)
_TRAINED = (Moment(Step.TRAINING_STARTED, _at(100), 1), Moment(Step.TRAINING_ENDED, _at(200), 1))


def _line(event: str, **values: Any) -> str:
    shifted = {name: values[name] + _START.timestamp() for name in values.keys() & {"time", "started"}}
    return json.dumps({"event": event} | values | shifted)


def _told(metrics: Mapping[int, str], marks: Sequence[Moment] = _TRAINED, now: datetime = _LATER) -> list[Moment]:
    return [moment for moment in timeline(_RUN, [], marks, None, metrics, now) if moment.step in _FROM_RECORDER]


_METRICS = "\n".join(
    [
        _line("keras", started=101, time=106),
        _line("fit", model=1, call=1, epochs=2, history={}, time=107),
        _line("epoch", model=2, call=1, epoch=1, metrics={}, seconds=9),
        _line("epoch", model=1, call=1, epoch=1, metrics={}, seconds=1.5),
        _line("epoch", model=1, call=1, epoch=2, metrics={}, seconds=0.5),
        _line("fitted", model=1, call=1, epoch=2, time=110),
        _line("fit", model=1, call=2, epochs=2, history={}, time=111),
        _line("fitted", model=1, call=2, epoch=2, time=115),
    ]
)


def test_the_way_from_commit_to_mail_is_in_order() -> None:
    """Whatever order things are known in, they are told by time; what happened at one time, in the order of the way."""
    marks = [
        Moment(Step.VERDICT, _at(201), 1),
        *_TRAINED,
        Moment(Step.COMMITTED, _at(0)),
        Moment(Step.PULL_STARTED, _at(5)),
        Moment(Step.COMMITTED, _at(0)),  # pulled twice
        Moment(Step.PULL_STARTED, _at(4)),
    ]
    told = timeline(replace(_RUN, ended=_at(201)), [_DELIVERY], marks, _at(202), {1: _METRICS}, _LATER)
    assert [(moment.step, _seconds(moment), moment.trial) for moment in told] == [
        (Step.COMMITTED, 0, None),
        (Step.DELIVERED, 3, None),
        (Step.STORED, 3, None),
        (Step.PULL_STARTED, 4, None),
        (Step.PULL_STARTED, 5, None),
        (Step.TRAINING_STARTED, 100, 1),
        (Step.PYTHON_STARTED, 101, 1),
        (Step.FRAMEWORK_IMPORTED, 106, 1),
        (Step.FIT_BEGAN, 107, 1),
        (Step.FIRST_EPOCH_ENDED, 108.5, 1),
        (Step.FIT_ENDED, 115, 1),
        (Step.TRAINING_ENDED, 200, 1),
        (Step.VERDICT, 201, 1),
        (Step.RUN_ENDED, 201, None),
        (Step.MAILED, 202, None),
    ]


def test_what_is_not_known_is_left_out() -> None:
    """A run that was stored by no webhook and waits has one moment."""
    assert timeline(_RUN, [], [], None, {}, _LATER) == [Moment(Step.STORED, _at(3))]


@pytest.mark.parametrize(
    "line",
    [
        _line("keras", started=99, time=201),
        _line("keras", started=1e300, time=-1e300),
        '{"event": "keras", "started": NaN, "time": Infinity}',
        '{"event": "keras", "started": 1' + "0" * 400 + ', "time": "NaN"}',
        '{"event": "keras", "started": true, "time": null}',
        _line("fit", time=250) + "\n" + _line("epoch", seconds=1),
        _line("epoch", seconds=1),
        '["keras"]',
        '{"event": "fit", "time": ',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_true_is_passed_over(line: str) -> None:
    """Times before the training's start or after its end, what is no number, and lines that are no events."""
    assert _told({1: line}) == []


@pytest.mark.parametrize("seconds", [-2, True, "2", None])
def test_an_epoch_takes_time(seconds: Any) -> None:
    """A first epoch of less than no seconds, or of what is no number, is not told; the fit that it is of is."""
    fit = _line("fit", model=1, call=1, time=107)
    told = _told({1: fit + "\n" + _line("epoch", model=1, call=1, epoch=1, metrics={}, seconds=seconds)})
    assert [moment.step for moment in told] == [Step.FIT_BEGAN]


def test_a_training_without_an_end_lasts_until_now() -> None:
    """While a trial trains, what the recorder tells counts up to now; without a start nothing of it does."""
    told = _told({1: _METRICS}, _TRAINED[:1], now=_at(107.5))
    assert [moment.step for moment in told] == [Step.PYTHON_STARTED, Step.FRAMEWORK_IMPORTED, Step.FIT_BEGAN]
    assert _told({1: _METRICS, 2: _METRICS}, _TRAINED[1:]) == []


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.floats(100, 200).map(_START.timestamp().__add__),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_LINES = st.text() | st.fixed_dictionaries(
    {"event": st.sampled_from(["keras", "fit", "epoch", "fitted"])},
    optional=dict.fromkeys(("started", "time", "seconds", "model", "call"), _ANYTHING),
).map(json.dumps)


@given(st.lists(_LINES).map("\n".join))
def test_any_text_is_borne(text: str) -> None:
    """Whatever stands in metrics.jsonl, what is told of it lies between the training's start and end, each once."""
    told = _told({1: text})
    assert all(100 <= _seconds(moment) <= 200 for moment in told)
    assert len({moment.step for moment in told}) == len(told)
