"""Runs as commands show them to people and programs, without a database or a training run."""

from dataclasses import replace
from pathlib import Path

import pytest

from epochal.commands.history import history_line
from epochal.commands.show import run_lines
from epochal.pages.view import run_view
from epochal.records import Evidence, Run, State
from epochal.results.gate import Rule, judge
from tests.messages import reports
from tests.trials import measured

_CHECKED = Evidence("accuracy", 0.94, "no", checked=True, seen=0.03, expected=0.01)


def _make_run(correct: int, rule: Rule, evidence: Evidence) -> Run:
    """Return a run with one trial, which got ``correct`` of 500 test samples right."""
    judgement = judge(correct / 500, 500, rule, 2, evidence)
    return reports.run(
        State.EXHAUSTED, reports.trial(1, correct / 500, samples=500, looks=2, judgement=judgement, evidence=evidence)
    )


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (_make_run(475, Rule(0.8), _CHECKED), "  0.950 (threshold 0.80), not clearly above chance  "),
        (_make_run(405, Rule(0.8, 0.95), Evidence()), "  0.810 (threshold 0.80), not certain enough  "),
        (_make_run(350, Rule(0.8, 0.95), Evidence()), "  0.700 (threshold 0.80)  ada"),
    ],
)
def test_history_explains_an_accuracy_that_is_not_enough(run: Run, shown: str) -> None:
    """Without an explanation, a line with 0.950 (threshold 0.80) would look like a mistake.

    An accuracy below the threshold needs no explanation.
    """
    assert shown in history_line(run)


def test_show_prints_the_evidence() -> None:
    """Below a measured trial, a line says what is known about its test rows and about chance.

    A trial without an accuracy has no such line.
    """
    trial, evidence = run_lines(_make_run(475, Rule(0.8), _CHECKED), Path("/runs/7"), None, None)[-2:]
    assert ", 0.958 or more is clearly above chance on 500 samples, " in trial
    assert evidence.strip() == (
        "The test rows were checked: 3% of them were also in the training data; even a clean split would yield 1%, "
        "because rows repeat in this data. Always answering 'no' gives 0.940."
    )
    unmeasured = reports.run(State.FAILED, reports.trial(1, None))
    assert run_lines(unmeasured, Path("/runs/7"), None, None)[-1].startswith("trial 1:")


def test_json_has_the_evidence() -> None:
    """Each trial has what is known about its test rows and about chance. Shares that were not measured are null."""
    run = _make_run(475, Rule(0.8), _CHECKED)
    (shown,) = run_view(run, Path("/runs/7"))["trials"]
    expected = {
        "metric": "accuracy",
        "chance": 0.94,
        "answer": "no",
        "looks": 2,
        "rows_checked": True,
        "rows_unchecked": "",
        "rows_seen": 0.03,
        "rows_expected": 0.01,
        "rows_accepted": False,
    }
    assert {name: value for name, value in shown.items() if name in expected} == expected
    assert shown["judgement"]
    assert (shown["judgement"]["look"], shown["judgement"]["required"]) == (2, 0.958)
    assert "looks" not in shown["judgement"]
    unchecked = replace(run.trials[0], accuracy=measured(0.95, evidence=Evidence(unchecked="another process trained")))
    (shown,) = run_view(replace(run, trials=(unchecked,)), Path("/runs/7"))["trials"]
    assert (shown["rows_unchecked"], shown["rows_seen"]) == ("another process trained", None)
