"""A run as JSON, and its summary in one line. No I/O."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from epochal.commit import safe_url
from epochal.records import Accuracy, Evidence, Run, Trial, TrialState
from epochal.results.interval import wilson_interval
from epochal.results.wording import describe_doubt, format_with_threshold


def run_view(run: Run, folder: Path) -> dict[str, Any]:
    """Return a run as ``--json`` prints it. ``folder``: the run's folder.

    ``accuracy`` is that of the best trial, None if none was measured.
    """
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
        "forecast": asdict(trial.forecast) | {"sentence": trial.forecast.description} if trial.forecast else None,
    }


def _accuracy_view(accuracy: Accuracy | None) -> dict[str, Any]:
    """Return the fields of an accuracy; without one, the same fields with default values."""
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


def summary(run: Run) -> str:
    """Return the run in one line, for job output and Jenkins build names: ``0.831 of 0.80 · epoch 40 · 3 trials``."""
    trained = [trial for trial in run.trials if trial.state in (TrialState.MEASURED, TrialState.PRUNED)]
    parts = [run.state.value]
    if run.best and run.best.accuracy is not None and run.threshold is not None:
        parts = [" of ".join(format_with_threshold(run.best.accuracy.value, run.threshold))]
        if doubt := describe_doubt(run.best, run.threshold):
            parts.append(doubt)
        if run.best.epochs:
            parts.append(f"epoch {run.best.epochs}")
        parts.append(f"{len(trained)} trial{'s' if len(trained) != 1 else ''}")
    if run.reused_run:
        parts.append(f"taken over from run {run.reused_run}")
    return " · ".join(parts)
