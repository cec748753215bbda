"""What a mail says of a run: numbers that cannot mislead, one decisive sentence, a table. Values in, words out."""

from collections.abc import Sequence

from epochal.errors import Reason
from epochal.folders import SCRIPT
from epochal.records import Run, State, Trial
from epochal.results.gate import (
    certainty_in_words,
    compare,
    doubt_in_words,
    evidence_in_words,
    in_words,
    interval_in_words,
)

_HEADINGS = ("trial", "epochs", "accuracy", "seconds", "outcome", SCRIPT)


def headline(run: Run) -> str:
    """What came of the run: ``Threshold Accuracy Reached!!! 0.831 of 0.80``."""
    if run.state is State.REACHED:
        return f"Threshold Accuracy Reached!!! {best_of_threshold(run)}"
    if run.state is State.EXHAUSTED:
        doubt = _doubt(run)
        return f"Threshold not reached: best {best_of_threshold(run)}" + (f", {doubt}" if doubt else "")
    return f"Training failed: {run.reason.value.replace('_', ' ') if run.reason else 'no reason is known'}"


def best_of_threshold(run: Run) -> str:
    """The best accuracy and the threshold: ``0.831 of 0.80``."""
    accuracy, threshold = _best_and_threshold(run)
    return f"{accuracy} of {threshold}"


def measured(run: Run) -> str:
    """The best accuracy with its interval, the threshold, and where it was read; empty where none was measured."""
    best = run.best
    if best is None or best.accuracy is None:
        return ""
    interval = interval_in_words(best.accuracy.value, best.accuracy.samples)
    return f"{best_of_threshold(run)}{f' ({interval})' if interval else ''}, {best.accuracy.source.sentence}"


def certainty(run: Run) -> str:
    """Say what the verdict on the best trial rests on besides the threshold; empty if that is all it rests on."""
    return certainty_in_words(run.best, run.threshold) if run.best and run.threshold else ""


def evidence(run: Run) -> str:
    """Say in a short paragraph what is known of the data behind the best trial's accuracy; empty if there is none."""
    return " ".join(evidence_in_words(run.best, run.threshold)) if run.best and run.threshold else ""


def decisive_sentence(run: Run, adopt: Sequence[str]) -> str:
    """What the reader needs if they read no further; ``adopt`` is the change in words (``epochs = 20 → 30``)."""
    accuracy, threshold = _best_and_threshold(run)
    if run.state is State.REACHED:
        return (
            f"{SCRIPT} reached its threshold of {threshold}: accuracy {accuracy}, {_how(run, adopt)}.{_taken_over(run)}"
        )
    if run.state is State.EXHAUSTED:
        doubt = _doubt(run)
        best = f"the best accuracy is {accuracy}, {f'{doubt}, ' if doubt else ''}{_how(run, adopt)}"
        return f"{SCRIPT} did not reach its threshold of {threshold}: {best}. {run.explanation}{_taken_over(run)}"
    before = f" The best accuracy before that was {best_of_threshold(run)}." if run.best else ""
    return f"{_why_failed(run)}{before}"


def promise(run: Run) -> str:
    """What more epochs promise a run that ended without its threshold; empty where the decisive sentence says it."""
    told = run.state is State.EXHAUSTED and run.reason is not Reason.LEVELS_OFF
    return run.forecast.sentence if run.forecast and told else ""


def change_title(run: Run) -> str:
    """What the change of nn.py is to the reader: one to adopt, or just what was tried."""
    if run.state is State.REACHED:
        return "The change to adopt"
    return f"What the {'best' if run.best else 'last'} trial changed"


def trial_table(run: Run) -> list[tuple[str, ...]]:
    """The trials, a row each under the headings; the last column says how its nn.py differs; empty without trials."""
    if not run.trials:
        return []
    return [_HEADINGS, *(_row(run, trial) for trial in run.trials)]


def resumption_notes(run: Run) -> list[str]:
    """What is to be told of trials that were to go on from an earlier one and did not, each reason once."""
    reasons: dict[str, list[int]] = {}
    for trial in run.trials[1:]:
        if trial.resumption and not trial.epochs_resumed:
            reasons.setdefault(trial.resumption, []).append(trial.number)
    return [
        f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))} {reason}"
        for reason, numbers in reasons.items()
    ]


def _why_failed(run: Run) -> str:
    if run.reason and run.explanation in ("", run.reason.sentence):
        return f"Training failed: {run.reason.sentence}."
    return f"{headline(run)}. {run.explanation}"


def _row(run: Run, trial: Trial) -> tuple[str, ...]:
    accuracy, outcome = "-", (trial.reason or trial.state).value.replace("_", " ")
    if trial.accuracy is not None and run.threshold is not None:
        accuracy = in_words(trial.accuracy.value, run.threshold)[0]
        outcome = (trial.judgement.verdict if trial.judgement else compare(trial.accuracy.value, run.threshold)).value
    changes = ", ".join(f"{name} = {value}" for name, value in run.changes(trial).items())
    continued = f"{trial.epochs_resumed} + " if trial.epochs_resumed else ""
    epochs = "-" if trial.epochs_trained is None else f"{continued}{trial.epochs_trained}"
    seconds = "-" if trial.seconds is None else f"{trial.seconds:.1f}"
    return str(trial.number), epochs, accuracy, seconds, outcome, changes or "as committed"


def _best_and_threshold(run: Run) -> tuple[str, str]:
    if run.best is None or run.best.accuracy is None or run.threshold is None:
        return "none", "none"
    return in_words(run.best.accuracy.value, run.threshold)


def _doubt(run: Run) -> str:
    return doubt_in_words(run.best, run.threshold) if run.best and run.threshold else ""


def _how(run: Run, adopt: Sequence[str]) -> str:
    change = f"with {', '.join(adopt)}" if adopt else "as it was committed"
    of = f"run {run.reused_run}" if run.reused_run else len(run.trials)
    return f"{change} (trial {run.best.number} of {of})" if run.best else change


def _taken_over(run: Run) -> str:
    if not run.reused_run:
        return ""
    what = (
        f"adopts the change that run {run.reused_run} offered"
        if run.reused_trial
        else f"changes nothing that the verdict of run {run.reused_run} depends on"
    )
    return (
        f" This commit {what}, so that verdict is taken over and nothing was trained. A verdict may be chance: "
        "epochal run --force trains anew."
    )
