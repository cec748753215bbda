"""A run's outcome: its summary and, once it has ended, the change to adopt or the reason it did not pass the gate."""

from pathlib import Path

from epochal.errors import Reason
from epochal.folders import Home
from epochal.pages.view import summary
from epochal.records import Run, State
from epochal.results.wording import describe_doubt


def outcome_lines(run: Run, home: Home) -> list[str]:
    """Return the lines that a job prints last: the summary of the run, and what to do next if it has ended."""
    lines = [f"run {run.id}: {summary(run)}"]
    if run.state is State.EXHAUSTED:
        doubt = describe_doubt(run.best, run.threshold) if run.best and run.threshold is not None else ""
        outcome = f"ended with an accuracy that is {doubt}" if doubt else "ended below its threshold"
        lines.append(f"run {run.id} {outcome}: {describe_reason(run.state, run.reason, run.explanation)}")
    if run.best and (diff := find_offered_diff(run, home)):
        changes = ", ".join(f"{name} = {value}" for name, value in run.changes(run.best).items())
        lines += [
            f"The threshold was reached with {changes}. To adopt this change in the repository, run:",
            f"  git apply {diff}",
        ]
    return lines


def describe_reason(state: State, reason: Reason | None, explanation: str) -> str:
    """Return why a run ended, as ``reason: explanation``; without the reason if it only repeats ``state``."""
    return explanation if reason is None or reason.value == state.value else f"{reason}: {explanation}"


def find_offered_diff(run: Run, home: Home) -> Path | None:
    """Return the path of the diff for the change that reached the threshold; None if there is no such diff."""
    if run.state is not State.REACHED or run.best is None:
        return None
    diff = home.run(run.trained_by).trial(run.best.number).diff
    return diff if run.changes(run.best) and diff.exists() else None
