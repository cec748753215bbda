"""The moments of a run, in order. Those reported by the training code count only if they are plausible."""

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
_RECORDED_STEPS = {
    Step.PYTHON_STARTED,
    Step.FRAMEWORK_IMPORTED,
    Step.FIT_BEGAN,
    Step.FIRST_EPOCH_ENDED,
    Step.FIT_ENDED,
}


def _to_time(seconds: float) -> datetime:
    return _START + timedelta(seconds=seconds)


def _to_seconds(moment: Moment) -> float:
    return (moment.at - _START).total_seconds()


_RUN = Run(7, Commit("/srv/digits.git", "main", "a" * 40), Origin.PUSH, State.TRAINING, _to_time(3))
_LATER = _to_time(500)
_DELIVERY = Delivery("1", "push", _to_time(3), "queued", 7)
_TRAINED = (Moment(Step.TRAINING_STARTED, _to_time(100), 1), Moment(Step.TRAINING_ENDED, _to_time(200), 1))


def _format_event(event: str, **values: Any) -> str:
    shifted = {name: values[name] + _START.timestamp() for name in values.keys() & {"time", "started"}}
    return json.dumps({"event": event} | values | shifted)


def _read_recorded(
    metrics: Mapping[int, str], stored: Sequence[Moment] = _TRAINED, now: datetime = _LATER
) -> list[Moment]:
    return [moment for moment in timeline(_RUN, [], stored, None, metrics, now) if moment.step in _RECORDED_STEPS]


_METRICS = "\n".join(
    [
        _format_event("keras", started=101, time=106),
        _format_event("fit", model=1, call=1, epochs=2, history={}, time=107),
        _format_event("epoch", model=2, call=1, epoch=1, metrics={}, seconds=9),
        _format_event("epoch", model=1, call=1, epoch=1, metrics={}, seconds=1.5),
        _format_event("epoch", model=1, call=1, epoch=2, metrics={}, seconds=0.5),
        _format_event("fitted", model=1, call=1, epoch=2, time=110),
        _format_event("fit", model=1, call=2, epochs=2, history={}, time=111),
        _format_event("fitted", model=1, call=2, epoch=2, time=115),
    ]
)


def test_moments_are_in_order() -> None:
    """Moments are sorted by time, and simultaneous ones by step. A commit that was pulled twice is shown once."""
    stored = [
        Moment(Step.VERDICT, _to_time(201), 1),
        *_TRAINED,
        Moment(Step.COMMITTED, _to_time(0)),
        Moment(Step.PULL_STARTED, _to_time(5)),
        Moment(Step.COMMITTED, _to_time(0)),  # pulled twice
        Moment(Step.PULL_STARTED, _to_time(4)),
    ]
    moments = timeline(replace(_RUN, ended=_to_time(201)), [_DELIVERY], stored, _to_time(202), {1: _METRICS}, _LATER)
    assert [(moment.step, _to_seconds(moment), moment.trial) for moment in moments] == [
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


def test_unknown_moments_are_left_out() -> None:
    """A queued run that no webhook reported has a single moment."""
    assert timeline(_RUN, [], [], None, {}, _LATER) == [Moment(Step.STORED, _to_time(3))]


@pytest.mark.parametrize(
    "line",
    [
        _format_event("keras", started=99, time=201),
        _format_event("keras", started=1e300, time=-1e300),
        '{"event": "keras", "started": NaN, "time": Infinity}',
        '{"event": "keras", "started": 1' + "0" * 400 + ', "time": "NaN"}',
        '{"event": "keras", "started": true, "time": null}',
        _format_event("fit", time=250) + "\n" + _format_event("epoch", seconds=1),
        _format_event("epoch", seconds=1),
        '["keras"]',
        '{"event": "fit", "time": ',
        "[" * 100_000,
    ],
)
def test_implausible_moments_are_ignored(line: str) -> None:
    """Times outside the training run, values that are not finite numbers and lines that are not events are ignored."""
    assert _read_recorded({1: line}) == []


@pytest.mark.parametrize("seconds", [-2, True, "2", None])
def test_first_epoch_needs_a_valid_duration(seconds: Any) -> None:
    """If the duration is negative or not a number, the epoch's end is left out, but not the start of its fit."""
    fit = _format_event("fit", model=1, call=1, time=107)
    moments = _read_recorded(
        {1: fit + "\n" + _format_event("epoch", model=1, call=1, epoch=1, metrics={}, seconds=seconds)}
    )
    assert [moment.step for moment in moments] == [Step.FIT_BEGAN]


def test_training_without_an_end_lasts_until_now() -> None:
    """While a trial is training, its recorded moments count up to now. If its start is unknown, none of them count."""
    moments = _read_recorded({1: _METRICS}, _TRAINED[:1], now=_to_time(107.5))
    assert [moment.step for moment in moments] == [Step.PYTHON_STARTED, Step.FRAMEWORK_IMPORTED, Step.FIT_BEGAN]
    assert _read_recorded({1: _METRICS, 2: _METRICS}, _TRAINED[1:]) == []


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
def test_any_text_is_accepted(text: str) -> None:
    """Whatever metrics.jsonl contains, the moments read from it lie within the training run, and none occurs twice."""
    moments = _read_recorded({1: text})
    assert all(100 <= _to_seconds(moment) <= 200 for moment in moments)
    assert len({moment.step for moment in moments}) == len(moments)
