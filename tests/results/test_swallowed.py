"""Whether the fit of the measured model raised an exception that the script caught."""

import json
from pathlib import Path
from typing import Any

import pytest

from epochal.errors import Reason
from epochal.results.accuracy import Findings
from epochal.results.ending import parse_endings
from epochal.results.measurements import parse_measurements
from epochal.results.metrics import parse_fits
from epochal.results.remedies import Origin
from epochal.results.swallowed import find_swallowed_fit
from tests.printing import printed

_SCRIPT = "class Stop(Exception): ...\ndef stop():\n    raise Stop\nmodel.fit(x, y, callbacks=[stop])\n"
_LIBRARY = ["/opt/venv/lib/python3.11/site-packages/keras/src/trainer.py", 9, "fit"]


def _fit(model: int, call: int = 1, *, epochs: int = 0, ended: bool = False) -> list[dict[str, Any]]:
    names = {"model": model, "call": call}
    events: list[dict[str, Any]] = [{"event": "fit", **names, "epochs": 9, "continued": 0, "why": "", "history": {}}]
    for epoch in range(1, epochs + 1):
        events.append({"event": "epoch", **names, "epoch": epoch, "epochs": 9, "metrics": {}, "seconds": 1.0})
    return [*events, {"event": "fitted", **names, "epoch": epochs}] if ended else events


def _fail(model: int, call: int = 1, *more: list[Any]) -> dict[str, Any]:
    frames = [["nn.py", 4, "<module>"], _LIBRARY, *more]
    raised = [{"name": "ValueError", "message": "Shapes differ.", "frames": frames, "file": ""}]
    return {"event": "failed", "model": model, "call": call, "raised": raised}


def _evaluate(model: int) -> dict[str, Any]:
    return {"event": "evaluate", "model": model, "metrics": {"accuracy": 0.12}, "time": 9.0}


@pytest.mark.parametrize(
    ("events", "is_swallowed"),
    [
        ([*_fit(1), _fail(1), _evaluate(1)], True),
        ([*_fit(1, epochs=3), _fail(1), _evaluate(1)], True),  # a library failed in epoch 4
        ([*_fit(1), _fail(1)], True),  # nothing was measured: the accuracy may be a printed one
        ([*_fit(1), _fail(1), *_fit(1, 2, epochs=9, ended=True), _evaluate(1)], False),  # with a smaller batch, perhaps
        ([*_fit(1), _fail(1), *_fit(2, epochs=9, ended=True), _evaluate(2)], False),  # another candidate
        ([*_fit(1, epochs=9, ended=True), *_fit(2), _fail(2), _evaluate(1)], False),
        ([*_fit(1, epochs=3), _fail(1, 1, ["nn.py", 3, "stop"]), _evaluate(1)], False),  # stopped on purpose
        ([*_fit(1), _fail(1, 1, ["nn.py", 3, "stop"]), _evaluate(1)], True),  # but nothing was trained
        ([*_fit(1, epochs=9, ended=True), _evaluate(1)], False),
    ],
)
def test_failed_fit_of_the_measured_network_is_found(
    tmp_path: Path, events: list[dict[str, Any]], is_swallowed: bool
) -> None:
    """Any other failed fit has nothing to do with the accuracy."""
    (tmp_path / "nn.py").write_text(_SCRIPT)
    metrics = "".join(json.dumps(event) + "\n" for event in events)
    findings = Findings(None, parse_measurements(metrics), printed(""), parse_fits(metrics))
    found = find_swallowed_fit(parse_endings(metrics).failed_fits, findings, Origin(tmp_path))
    assert bool(found) is is_swallowed
    if found:
        reason, explanation = found
        assert reason is Reason.SCRIPT_ERROR
        assert explanation.startswith("fit() on line 4 raised ValueError: Shapes differ")
        assert "but nn.py caught it and continued." in explanation
