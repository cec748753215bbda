"""Runs as people and programs are shown them. Values in, values out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from epochal.commit import repository_name, safe_url
from epochal.errors import Reason
from epochal.records import Accuracy, Evidence, Message, Moment, Run, Trial, TrialState
from epochal.results.gate import (
    accuracy_in_words,
    certainty_in_words,
    doubt_in_words,
    evidence_in_words,
    in_words,
    wilson_interval,
)


def run_view(run: Run, folder: Path) -> dict[str, Any]:
    """Return a run as ``--json`` prints it; ``accuracy`` is the best trial's, null where none was measured."""
    best = run.best
    return {
        "run": run.id,
        "repository": safe_url(run.commit.repository),
        "commit": run.commit.sha,
        "branch": run.commit.branch,
        "state": run.state.value,
        "verdict": run.state.verdict,
        "reason": run.reason,
        "explanation": run.explanation,
        "framework": run.framework,
        "runtime": run.runtime,
        "image": run.image,
        "threshold": run.threshold,
        "accuracy": best.accuracy.value if best and best.accuracy else None,
        "accuracy_source": best.accuracy.source if best and best.accuracy else None,
        "trials": [_trial_view(trial) for trial in run.trials],
        "notes": list(run.notes),
        "successor": run.successor,
        "reused_run": run.reused_run,
        "folder": str(folder),
    }


def _trial_view(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "strategy": trial.strategy,
        "hyperparameters": trial.hyperparameters,
        "epochs_trained": trial.epochs_trained,
        "epochs_resumed": trial.epochs_resumed,
        "resumption": trial.resumption,
        "stopped_by": trial.stopped_by,
        **_accuracy_view(trial.accuracy),
        "judgement": asdict(trial.judgement) if trial.judgement else None,
        "validation_accuracy": trial.validation_accuracy,
        "validates_on_test": trial.validates_on_test,
        "seconds": trial.seconds,
        "state": trial.state.value,
        "reason": trial.reason,
        "forecast": asdict(trial.forecast) | {"sentence": trial.forecast.sentence} if trial.forecast else None,
    }


def _accuracy_view(accuracy: Accuracy | None) -> dict[str, Any]:
    """Return what is known of an accuracy; the same keys if there is none."""
    evidence = accuracy.evidence if accuracy else Evidence()
    samples = accuracy.samples if accuracy else None
    interval = wilson_interval(accuracy.value, samples) if accuracy and samples is not None else None
    return {
        "accuracy": accuracy.value if accuracy else None,
        "accuracy_source": accuracy.source if accuracy else None,
        "interval": interval,
        "samples": samples,
        "test_set": accuracy.test_set if accuracy else None,
        "metric": evidence.metric,
        "chance": evidence.chance,
        "answer": evidence.answer,
        "looks": accuracy.looks if accuracy else 1,
        "rows_checked": evidence.checked,
        "rows_unchecked": evidence.unchecked,
        "rows_seen": evidence.seen if evidence.checked else None,
        "rows_expected": evidence.expected if evidence.checked else None,
        "rows_accepted": evidence.accepted,
    }


def history_line(run: Run) -> str:
    """Return a run in one line, as ``epochal history`` prints it."""
    when = run.created.astimezone().strftime("%Y-%m-%d %H:%M")
    accuracy = "-"
    if run.best and run.best.accuracy and run.threshold is not None:
        doubt = doubt_in_words(run.best, run.threshold).partition(" (")[0]
        accuracy = " of ".join(in_words(run.best.accuracy.value, run.threshold)) + (f", {doubt}" if doubt else "")
    # The level that the run ended at because its learning curve does not leave it: `` at 0.77 ± 0.01``.
    level = f" at {run.forecast.rounded}" if run.reason is Reason.LEVELS_OFF and run.forecast else ""
    why = f"  {run.reason}{level}" if run.reason else ""
    why += f"  taken over from run {run.reused_run}" if run.reused_run else ""
    name = repository_name(run.commit.repository)
    return f"{run.id:>4}  {when}  {run.state:<10}  {accuracy:<15}  {name} {run.commit.branch} {run.commit.sha[:7]}{why}"


def run_lines(run: Run, folder: Path, notice: Message | None) -> list[str]:
    """Return what happened in a run, line by line."""
    commit = run.commit
    subject = commit.message.partition("\n")[0]
    facts = [
        ("run", f"{run.id}: {run.state}" + (f" ({run.reason}: {run.explanation})" if run.reason else "")),
        ("commit", f"{commit.sha[:7]} of {repository_name(commit.repository)} {commit.branch}: {subject}"),
        ("framework", f"{run.framework} ({run.framework_why})" if run.framework else ""),
        ("trained in", f"{run.runtime}: {run.image}" if run.image else ""),
        ("threshold", f"{run.threshold:g}" if run.threshold else ""),
        ("taken over", f"from run {run.reused_run}, whose trials these are" if run.reused_run else ""),
        ("superseded by", f"run {run.successor}" if run.successor else ""),
        ("mail", f"{notice.state}: {notice.outcome}".rstrip(": ") if notice else ""),
        ("build", run.build_url or ""),
        ("folder", str(folder)),
    ]
    lines = [f"{name + ':':<14} {value}" for name, value in facts if value]
    lines += [f"{'note:':<14} {note}" for note in run.notes]
    for trial in run.trials:
        lines.append(f"{f'trial {trial.number}:':<14} {_describe_trial(run, trial)}")
        if run.threshold and (sentences := evidence_in_words(trial, run.threshold)):
            lines.append(f"{'':<14} {' '.join(sentences)}")
    return lines + [f"  | {line}" for line in run.detail.splitlines()]


def _describe_trial(run: Run, trial: Trial) -> str:
    """Return what a trial changed, trained and measured, and why it has no accuracy if it has none."""
    found = trial.accuracy
    accuracy = f"accuracy {accuracy_in_words(found.value, found.samples)} {found.source.sentence}" if found else ""
    why = f"{trial.state}: {trial.reason}: {trial.explanation}" if trial.reason else ""
    if trial.state is TrialState.PRUNED:
        why = f"stopped: {trial.explanation}"
    parts = [
        *(f"{name} = {value}" for name, value in run.changes(trial).items()),
        f"{trial.epochs} epochs" if trial.epochs else "",
        trial.resumption,
        accuracy,
        certainty_in_words(trial, run.threshold) if run.threshold else "",
        f"{trial.seconds:.1f} s" if trial.seconds is not None else "",
        trial.forecast.sentence if trial.forecast else "",
        why,
    ]
    return ", ".join(part for part in parts if part)


def timeline_view(run: Run, moments: Sequence[Moment]) -> dict[str, Any]:
    """Return a run's moments as ``--json`` prints them: ``at`` in ISO 8601, seconds since the first and since the one before."""
    return {
        "run": run.id,
        "timeline": [
            {
                "moment": moment.step,
                "trial": moment.trial,
                "at": moment.at.isoformat(),
                "since_first": first,
                "since_before": before,
            }
            for moment, first, before in _add_seconds(moments)
        ],
    }


def timeline_lines(moments: Sequence[Moment]) -> list[str]:
    """Return a run's moments as the lines of a table."""
    lines = [f"{'moment':<20}  {'trial':>5}  {'seconds':>10}  {'since before':>12}"]
    for moment, first, before in _add_seconds(moments):
        lines.append(f"{moment.step:<20}  {moment.trial or '':>5}  {first:>10.2f}  {before:>12.2f}")
    return lines


def _add_seconds(moments: Sequence[Moment]) -> Iterator[tuple[Moment, float, float]]:
    """Yield each moment with the seconds since the first one and since the one before it, 0 for the first one."""
    for before, moment in pairwise([*moments[:1], *moments]):
        yield moment, (moment.at - moments[0].at).total_seconds(), (moment.at - before.at).total_seconds()


def summary(run: Run) -> str:
    """Return the run in one line, as job output and Jenkins' display name have it: ``0.831 of 0.80 · epoch 40 · 3 trials``."""
    trained = [trial for trial in run.trials if trial.state in (TrialState.MEASURED, TrialState.PRUNED)]
    parts = [run.state.value]
    if run.best and run.best.accuracy is not None and run.threshold is not None:
        parts = [" of ".join(in_words(run.best.accuracy.value, run.threshold))]
        if doubt := doubt_in_words(run.best, run.threshold):
            parts.append(doubt)
        if run.best.epochs:
            parts.append(f"epoch {run.best.epochs}")
        parts.append(f"{len(trained)} trial{'s' if len(trained) != 1 else ''}")
    if run.reused_run:
        parts.append(f"taken over from run {run.reused_run}")
    return " · ".join(parts)
