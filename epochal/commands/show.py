"""``epochal show``: print what happened in a run, or its timeline."""

import json
from pathlib import Path
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.options import Json, RunNumber
from epochal.commit import display_name
from epochal.grammar import plural
from epochal.pages.outcome import describe_reason, find_offered_diff
from epochal.pages.timeline import TimelineView, load_timeline, timeline_lines, timeline_view
from epochal.pages.view import RunView, run_view
from epochal.records import Message, Run, Trial, TrialState
from epochal.results.wording import describe_accuracy, describe_certainty, describe_evidence
from epochal.settings import Environment
from epochal.store.outbox import message_of_run
from epochal.store.runs import load_run


def show(
    number: RunNumber,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Show when each step happened and how long it took.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what happened in a run."""
    app = App.open(Environment.read())
    found = load_run(app.database, number)
    folder: Path = app.home.run(number).path
    view: RunView | TimelineView
    if timeline:
        moments = load_timeline(app, found)
        view, lines = timeline_view(found, moments), timeline_lines(moments)
    else:
        diff = find_offered_diff(found, app.home)
        view, lines = run_view(found, folder), run_lines(found, folder, message_of_run(app.database, number), diff)
    if as_json:
        typer.echo(json.dumps(view, ensure_ascii=False))
        return
    for line in lines:
        typer.echo(line)


def run_lines(run: Run, folder: Path, message: Message | None, diff: Path | None) -> list[str]:
    """Return the lines that ``epochal show`` prints for a run: a summary, then notes, trials and failure details.

    ``folder``: the run's folder. ``message``: the email about the run, if any. ``diff``: the file that contains the
    change to adopt, if any.
    """
    commit = run.commit
    subject = commit.message.partition("\n")[0]
    why = describe_reason(run.state, run.reason, run.explanation)
    facts = [
        ("run", f"{run.id}: {run.state}" + (f" ({why})" if why else "")),
        ("commit", f"{commit.sha[:7]} of {display_name(commit)}, branch {commit.branch}: {subject}"),
        ("framework", f"{run.framework} ({run.framework_why})" if run.framework else ""),
        ("trained in", f"{run.runtime}: {run.image}" if run.image else ""),
        ("threshold", f"{run.threshold:g}" if run.threshold else ""),
        ("reused from", f"run {run.reused_run}, which ran these trials" if run.reused_run else ""),
        ("superseded by", f"run {run.successor}" if run.successor else ""),
        ("mail", f"{message.state}: {message.outcome}".rstrip(": ") if message else ""),
        ("build", run.build_url or ""),
        ("folder", str(folder)),
        ("to adopt", f"git apply {diff}" if diff else ""),
    ]
    lines = [f"{name + ':':<14} {value}" for name, value in facts if value]
    lines += [f"{'note:':<14} {note}" for note in run.notes]
    for trial in run.trials:
        lines.append(f"{f'trial {trial.number}:':<14} {_describe_trial(run, trial)}")
        if run.threshold and (sentences := describe_evidence(trial, run.threshold)):
            lines.append(f"{'':<14} {' '.join(sentences)}")
    return lines + [f"  | {line}" for line in run.detail.splitlines()]


def _describe_trial(run: Run, trial: Trial) -> str:
    """Return one line about a trial: its changes, epochs, accuracy and duration, and why it failed or was stopped."""
    found = trial.accuracy
    accuracy = f"accuracy {describe_accuracy(found.value, found.samples)} {found.source.description}" if found else ""
    why = f"{trial.state}: {trial.reason}: {trial.explanation}" if trial.reason else ""
    if trial.state is TrialState.PRUNED:
        why = f"stopped: {trial.explanation}"
    parts = [
        *(f"{name} = {value}" for name, value in run.changes(trial).items()),
        plural(trial.epochs, "epoch") if trial.epochs else "",
        trial.resumption,
        accuracy,
        describe_certainty(trial, run.threshold) if run.threshold else "",
        f"{trial.seconds:.1f} s" if trial.seconds is not None else "",
        f"forecast of the accuracy that counts: {trial.forecast.description}" if trial.forecast else "",
        why,
    ]
    return ", ".join(part for part in parts if part)
