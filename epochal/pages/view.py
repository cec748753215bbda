"""A run as JSON, and its summary in one line. Performs no I/O.

The docstrings of the keys appear in docs/reference/json*.md.
"""

from pathlib import Path
from typing import TypedDict

from epochal.commit import safe_url
from epochal.errors import Reason
from epochal.grammar import plural
from epochal.records import (
    Accuracy,
    AccuracySource,
    Evidence,
    Forecast,
    Judgement,
    Run,
    State,
    StoppedBy,
    Strategy,
    Trial,
    TrialState,
    Value,
    Verdict,
)
from epochal.results.interval import wilson_interval
from epochal.results.wording import describe_doubt, describe_with_threshold


class JudgementView(TypedDict):
    """The gate's verdict on a trial, and the numbers behind it."""

    verdict: Verdict
    """The outcome of the comparison with the threshold."""
    look: int | None
    """The number of this branch's models evaluated on the test set, up to and including this one; null if unknown."""
    confidence: float
    """The confidence that epochal.toml requires; 0 if confidence is not required."""
    spent: float
    """If confidence is required, the false-positive probability that was allowed for this comparison."""
    bound: float | None
    """If confidence is required, the lower confidence bound for the accuracy."""
    required: float | None
    """The smallest accuracy that would have passed with the same number of samples; null if not even 1.0 would."""


class ForecastView(TypedDict):
    """A forecast of how the trial's learning curve would continue with more epochs."""

    threshold: float
    """The accuracy that a trial has to reach: the run's threshold, or more if the gate requires more."""
    last_epoch: int
    """The last epoch of the forecast, which is max_epochs in epochal.toml."""
    level: float
    """The accuracy expected after the last epoch."""
    margin: float
    """Half the width of the 90% interval around ``level``."""
    expected: int | None
    """The epoch at which the curve is expected to reach the threshold; null if that is after last_epoch."""
    earliest: int | None
    """The first epoch of the 90% interval around the expected epoch; null if it is after last_epoch."""
    latest: int | None
    """The last epoch of the 90% interval around the expected epoch; null if it is after last_epoch."""
    hopeless: bool
    """Whether the curve levels off below the threshold; if so, the number of epochs is not raised further."""
    sentence: str
    """The forecast as a sentence."""


class AccuracyView(TypedDict):
    """An accuracy, and facts about the data behind it."""

    accuracy: float | None
    """The measured accuracy, from 0 to 1; null if the trial has none."""
    accuracy_source: AccuracySource | None
    """Where the accuracy was read from."""
    interval: tuple[float, float] | None
    """The 95% confidence interval for the accuracy; null if the number of samples is unknown."""
    samples: int | None
    """The number of test samples."""
    test_set: str | None
    """A digest of the test samples, or the name that nn.py gives them."""
    metric: str
    """The name of the metric that counts as the accuracy."""
    chance: float | None
    """The accuracy of a model that always predicts the most frequent test label; null if the labels are unknown."""
    answer: str
    """The most frequent test label."""
    looks: int
    """How many different models the script evaluated on the test set, including the one with this accuracy."""
    rows_checked: bool
    """Whether the test rows were compared with the rows that the model was fitted on."""
    rows_unchecked: str
    """Why the test rows were not compared with the training rows."""
    rows_seen: float | None
    """The share of test rows that the model was fitted on; null if the rows were not compared."""
    rows_expected: float | None
    """The value of rows_seen that even a clean split would yield, because of duplicates; null if the rows were not compared."""
    rows_accepted: bool
    """Whether the accuracy counts only because epochal.toml sets repeated_rows."""


class TrialView(AccuracyView):
    """A trial: one execution of the script, with one set of hyperparameters."""

    number: int
    """The trial's number within the run, counted from 1."""
    strategy: Strategy
    """How the trial ran the code: as committed, with more epochs, or with hyperparameters from a search."""
    hyperparameters: dict[str, Value]
    """The number of epochs, the script's top-level constants, and other literals from [search] in epochal.toml."""
    epochs_trained: int | None
    """How many epochs this trial ran, excluding those before the checkpoint it resumed from; null if unknown."""
    epochs_resumed: int
    """The number of epochs before the checkpoint that the trial resumed from; 0 if it did not resume."""
    resumption: str
    """Which checkpoint the trial resumed from, or why it did not resume."""
    stopped_by: StoppedBy | None
    """What stopped training before the last epoch; null if nothing did."""
    judgement: JudgementView | None
    """The gate's verdict; null if the trial was not judged."""
    validation_accuracy: float | None
    """The accuracy on the validation data after the last epoch of the last fit."""
    validates_on_test: bool
    """Whether a fit used some of the test rows as validation data."""
    seconds: float | None
    """How long training took; null until it has ended."""
    state: TrialState
    """The state of the trial; pruned if it was stopped because other trials did better."""
    reason: Reason | None
    """Why the trial failed or was stopped."""
    forecast: ForecastView | None
    """The forecast of the learning curve; null if there is no forecast."""


class RunView(TypedDict):
    """A run: the progress of one commit through the three jobs."""

    run: int
    """The run's number."""
    repository: str
    """The URL or path of the repository, without a password."""
    commit: str
    """The full ID of the commit."""
    branch: str
    """The branch of the commit."""
    project: str
    """The project's folder in the repository; empty if the project is the whole repository."""
    script: str
    """The path of the script, relative to the project's folder or, without a project, to the repository."""
    state: State
    """The state of the run."""
    verdict: Verdict | None
    """The verdict so far; null if the run has no verdict."""
    reason: Reason | None
    """Why the run ended without reaching its threshold; null if it reached the threshold or has not ended."""
    explanation: str
    """What happened in this run, and what to do about it."""
    framework: str | None
    """The framework that the code trains with."""
    runtime: str | None
    """Where training ran: docker or process."""
    image: str | None
    """The Docker image that training ran in, or the folder of the virtual environment."""
    threshold: float | None
    """The accuracy that the run has to reach."""
    accuracy: float | None
    """The accuracy of the best trial; null if no accuracy was measured."""
    accuracy_source: AccuracySource | None
    """Where the accuracy of the best trial was read from."""
    trials: list[TrialView]
    """The trials in numerical order; if the run reuses a verdict, the trials behind that verdict."""
    notes: list[str]
    """Notes for the developer."""
    successor: int | None
    """The run of the newer commit that superseded this run."""
    reused_run: int | None
    """The run whose verdict this run reuses; null if it reuses none."""
    folder: str
    """The folder that contains the run's files."""


def run_view(run: Run, folder: Path) -> RunView:
    """Return a run as ``--json`` prints it. ``folder``: the run's folder."""
    best = run.best
    return {
        "run": run.id,
        "repository": safe_url(run.commit.repository),
        "commit": run.commit.sha,
        "branch": run.commit.branch,
        "project": run.commit.project,
        "script": run.script,
        "state": run.state,
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


def _trial_view(trial: Trial) -> TrialView:
    return {
        "number": trial.number,
        "strategy": trial.strategy,
        "hyperparameters": trial.hyperparameters,
        "epochs_trained": trial.epochs_trained,
        "epochs_resumed": trial.epochs_resumed,
        "resumption": trial.resumption,
        "stopped_by": trial.stopped_by,
        **_accuracy_view(trial.accuracy),
        "judgement": _judgement_view(trial.judgement) if trial.judgement else None,
        "validation_accuracy": trial.validation_accuracy,
        "validates_on_test": trial.validates_on_test,
        "seconds": trial.seconds,
        "state": trial.state,
        "reason": trial.reason,
        "forecast": _forecast_view(trial.forecast) if trial.forecast else None,
    }


def _judgement_view(judgement: Judgement) -> JudgementView:
    return {
        "verdict": judgement.verdict,
        "look": judgement.look,
        "confidence": judgement.confidence,
        "spent": judgement.spent,
        "bound": judgement.bound,
        "required": judgement.required,
    }


def _forecast_view(forecast: Forecast) -> ForecastView:
    return {
        "threshold": forecast.threshold,
        "last_epoch": forecast.last_epoch,
        "level": forecast.level,
        "margin": forecast.margin,
        "expected": forecast.expected,
        "earliest": forecast.earliest,
        "latest": forecast.latest,
        "hopeless": forecast.hopeless,
        "sentence": forecast.description,
    }


def _accuracy_view(accuracy: Accuracy | None) -> AccuracyView:
    """Return the fields of an accuracy, or their default values if there is no accuracy."""
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
    """Summarise a run for job output and Jenkins build names: ``0.831 (threshold 0.80) · 40 epochs · 3 trials``."""
    trained = [trial for trial in run.trials if trial.state in (TrialState.MEASURED, TrialState.PRUNED)]
    failed = [
        trial for trial in run.trials if trial.state is TrialState.FAILED and trial.reason is not Reason.INTERRUPTED
    ]
    parts = [run.state.value]
    if run.best and run.best.accuracy is not None and run.threshold is not None:
        parts = [describe_with_threshold(run.best.accuracy.value, run.threshold)]
        if doubt := describe_doubt(run.best, run.threshold):
            parts.append(doubt)
        if run.best.epochs:
            parts.append(plural(run.best.epochs, "epoch"))
        parts.append(plural(len(trained + failed), "trial") + (f" ({len(failed)} failed)" if failed else ""))
    if run.reused_run:
        parts.append(f"reused from run {run.reused_run}")
    return " · ".join(parts)
