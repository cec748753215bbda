"""The wording of the email about a run: its headline, its summary of the result, and its table of trials. No I/O."""

from collections.abc import Sequence

from epochal.errors import Reason
from epochal.grammar import join_words
from epochal.records import Run, State
from epochal.results.gate import compare
from epochal.results.wording import describe_doubt, describe_interval, format_with_threshold

_HEADINGS = ("trial", "epochs", "accuracy", "seconds", "outcome", "changes")


def headline(run: Run) -> str:
    """Return the outcome of the run in one line, such as ``Threshold Accuracy Reached!!! 0.831 (threshold 0.80)``."""
    accuracy, threshold = _format_best_and_threshold(run)
    if run.state is State.REACHED:
        return f"Threshold Accuracy Reached!!! {accuracy} (threshold {threshold})"
    if run.state is State.EXHAUSTED:
        doubt = _describe_best_doubt(run)
        return f"Threshold not reached: best {accuracy} (threshold {threshold})" + (f", {doubt}" if doubt else "")
    return f"Training failed: {run.reason.value.replace('_', ' ') if run.reason else 'unknown reason'}"


def describe_best_accuracy(run: Run) -> str:
    """Return the best accuracy with its threshold, interval and source; empty if no accuracy was measured."""
    best = run.best
    if best is None or best.accuracy is None:
        return ""
    interval = describe_interval(best.accuracy.value, best.accuracy.samples)
    accuracy, threshold = _format_best_and_threshold(run)
    details = f"{interval}; threshold {threshold}" if interval else f"threshold {threshold}"
    return f"{accuracy} ({details}), {best.accuracy.source.description}"


def result_sentence(run: Run, changes: Sequence[str]) -> str:
    """Return the result of the run in a few sentences, for people who read nothing else in the email.

    ``changes``: a string for each change in the best trial, such as ``epochs = 20 → 30``.
    """
    accuracy, threshold = _format_best_and_threshold(run)
    if run.state not in (State.REACHED, State.EXHAUSTED):
        why = f"{headline(run)}. {run.explanation or (run.reason.explanation if run.reason else '')}".rstrip()
        return why + (
            f" Before the failure, the best accuracy was {accuracy}; the threshold is {threshold}." if run.best else ""
        )
    how = f"with {', '.join(changes)}" if changes else "as committed"
    of = f"run {run.reused_run}" if run.reused_run else len(run.trials)
    if run.best:
        how += f" (trial {run.best.number} of {of})"
    reused = ""
    if run.reused_run:
        what = f"changes nothing that affects the verdict of run {run.reused_run}"
        if run.reused_trial:
            what = f"adopts the change that run {run.reused_run} suggested"
        reused = (
            f" This commit {what}, so the verdict was reused and nothing was trained. "
            "To make sure that the verdict was not due to chance, train again with epochal run --force."
        )
    if run.state is State.REACHED:
        return f"{run.script} reached its threshold of {threshold}: accuracy {accuracy} {how}.{reused}"
    doubt = _describe_best_doubt(run)
    best = f"the best accuracy was {accuracy} {how}{f', but this accuracy is {doubt}' if doubt else ''}"
    return f"{run.script} did not reach its threshold of {threshold}: {best}. {run.explanation}{reused}"


def describe_forecast(run: Run) -> str:
    """Return the forecast for a run that ended below its threshold; empty if unknown or already in the explanation."""
    is_open = run.state is State.EXHAUSTED and run.reason is not Reason.LEVELS_OFF
    return f"the accuracy that counts: {run.forecast.description}" if run.forecast and is_open else ""


def trial_table(run: Run) -> list[tuple[str, ...]]:
    """Return the headings and a row per trial, with the trial's changes in the last column; empty if no trial ran."""
    rows: list[tuple[str, ...]] = []
    for trial in run.trials:
        accuracy, outcome = "-", (trial.reason or trial.state).value.replace("_", " ")
        if trial.accuracy is not None and run.threshold is not None:
            value = trial.accuracy.value
            accuracy = format_with_threshold(value, run.threshold)[0]
            outcome = (trial.judgement.verdict if trial.judgement else compare(value, run.threshold)).value
        changes = ", ".join(f"{name} = {value}" for name, value in run.changes(trial).items())
        resumed = f"{trial.epochs_resumed} + " if trial.epochs_resumed else ""
        epochs = "-" if trial.epochs_trained is None else f"{resumed}{trial.epochs_trained}"
        seconds = "-" if trial.seconds is None else f"{trial.seconds:.1f}"
        rows.append((str(trial.number), epochs, accuracy, seconds, outcome, changes or "as committed"))
    return [_HEADINGS, *rows] if rows else []


def resumption_notes(run: Run) -> list[str]:
    """Return one note for each reason why trials did not resume from a checkpoint."""
    reasons: dict[str, list[int]] = {}
    for trial in run.trials[1:]:
        if trial.resumption and not trial.epochs_resumed:
            reasons.setdefault(trial.resumption, []).append(trial.number)
    return [
        f"trial{'s' if len(numbers) > 1 else ''} {join_words(list(map(str, numbers)))} {reason}"
        for reason, numbers in reasons.items()
    ]


def _format_best_and_threshold(run: Run) -> tuple[str, str]:
    """Return the best accuracy and the threshold as text, with enough digits to compare them."""
    if run.best is None or run.best.accuracy is None or run.threshold is None:
        return "none", "none"
    return format_with_threshold(run.best.accuracy.value, run.threshold)


def _describe_best_doubt(run: Run) -> str:
    return describe_doubt(run.best, run.threshold) if run.best and run.threshold else ""
