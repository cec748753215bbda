"""Reading back what the recorder wrote: fits, their epochs and faults, whatever else is in the file."""

import json

from hypothesis import given
from hypothesis import strategies as st

from epochal.records import StoppedBy
from epochal.results.metrics import parse_faults, parse_fits


def _make_epoch(number: int, **changes: object) -> dict[str, object]:
    metrics = {"val_accuracy": number / 100}
    return {
        "event": "epoch",
        "model": 1,
        "call": 1,
        "epoch": number,
        "epochs": 30,
        "metrics": metrics,
        "seconds": 0.5,
    } | changes


def _join_lines(*events: object) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


_FIT = {
    "event": "fit",
    "model": 1,
    "call": 1,
    "epochs": 30,
    "continued": 20,
    "why": "",
    "history": {"val_accuracy": [number / 100 for number in range(1, 21)], "loss": [1.0] * 20},
}


def test_fit_has_all_of_its_epochs() -> None:
    """A resumed fit has the epochs before and after its checkpoint, in order, and knows what ended it."""
    stopped = {"event": "stopped", "model": 1, "call": 1}
    ended = {"event": "fitted", "model": 1, "call": 1, "epoch": 22}
    (fit,) = parse_fits(_join_lines(_FIT, _make_epoch(21), _make_epoch(22), stopped, ended))
    assert [epoch.number for epoch in fit.epochs] == list(range(1, 23))
    assert (fit.continued, fit.trained, fit.last_epoch, fit.validation_accuracy) == (20, 2, 22, 0.22)
    assert fit.stopped_by is StoppedBy.THRESHOLD
    (fit,) = parse_fits(_join_lines(_FIT, _make_epoch(21), ended))
    assert fit.stopped_by is StoppedBy.SCRIPT
    (killed,) = parse_fits(_join_lines(_FIT, _make_epoch(21)))
    assert killed.stopped_by is None
    assert [
        (fit.model, fit.call, fit.trained) for fit in parse_fits(_join_lines(_make_epoch(1), _make_epoch(1, model=2)))
    ] == [
        (1, 1, 1),
        (2, 1, 1),
    ]


def test_malformed_events_are_skipped() -> None:
    """Truncated lines, wrong types and absurd numbers do not affect other events."""
    broken: list[object] = [
        _FIT | {"history": 3},
        _FIT | {"continued": "many"},
        _make_epoch(1, metrics=None),
        [],
        None,
        {"event": "fitted"},
    ]
    text = (
        _join_lines(*broken)
        + '{"event": "fit", "mod\n'
        + _join_lines(_FIT | {"continued": 10**12, "call": 2}, _FIT, _make_epoch(-1), _make_epoch(21))
    )
    fits = {fit.call: fit for fit in parse_fits(text)}
    assert fits[1].trained == 1
    assert parse_faults(_join_lines({"event": "fault", "message": "a\nb"}, {"event": "fault"}, *[_FIT] * 3)) == [
        "ab",
        "None",
    ]


@given(
    st.lists(
        st.recursive(
            st.none() | st.integers() | st.floats() | st.text(),
            lambda inner: st.dictionaries(
                st.sampled_from(
                    ["event", "model", "call", "epoch", "epochs", "metrics", "seconds", "continued", "history", "why"]
                ),
                inner | st.sampled_from(["fit", "epoch", "fitted", "stopped"]),
                max_size=9,
            ),
        )
    )
)
def test_parsing_never_raises(events: list[object]) -> None:
    """The script can write to the file, too, so it may contain anything."""
    parse_fits(_join_lines(*events))
    parse_faults(_join_lines(*events))
