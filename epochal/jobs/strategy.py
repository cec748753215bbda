"""Decide how many epochs the next trial trains for, when it may stop early, and whether the budget allows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from epochal.analysis.frameworks import NO_FRAMEWORK, frameworks
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.epochs import Epochs, find_iterations_argument
from epochal.analysis.script import Script
from epochal.analysis.syntax import last_name
from epochal.errors import Reason
from epochal.grammar import capitalize, join_words
from epochal.jobs.epochs import EpochsChoice
from epochal.jobs.search.suggested_space import suggest
from epochal.records import StoppedBy, Strategy, Trial, Value
from epochal.results.gate import describe_baseline, is_above_chance
from epochal.results.wording import describe_new_labels
from epochal.settings import RetrainSettings, table_lines


@dataclass(frozen=True)
class Proposal:
    """A proposal for the next trial.

    ``changes``: new values for constants in the code; empty to train it as pushed. ``stop_at``: the validation
    accuracy (0 to 1) at which training stops early; None to train for all epochs. ``source``: the number of the trial
    whose checkpoints the new trial resumes from. If it is None, a trial of a search starts from the beginning, and any
    other trial resumes from the newest suitable checkpoints.
    """

    strategy: Strategy = Strategy.COMMITTED
    changes: Mapping[Constant, Value] = field(default_factory=dict)
    stop_at: float | None = None
    source: int | None = None


@dataclass(frozen=True)
class GiveUp:
    """The decision to start no more trials, and the reason for it.

    ``cause``: what happened in this run. ``remedy``: what to do about it; by default, the remedy of ``reason``.
    ``search``: how to search for better hyperparameters instead; empty if that is not suggested.
    """

    reason: Reason
    cause: str
    remedy: str = ""
    search: str = ""

    @property
    def explanation(self) -> str:
        """What happened and what to do next."""
        return f"{self.cause} {self.remedy or self.reason.remedy}{self.search}"


class EndCause(StrEnum):
    """The reason why a run starts no more trials, if that reason is not a GiveUp.

    INTERRUPTED: another process ended the run, or the trials of this process were stopped.
    """

    REACHED = "reached"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"


def check_budget(trials: Sequence[Trial], settings: RetrainSettings) -> GiveUp | None:
    """Return why the budget allows no more trials after ``trials``, or None if it allows another one.

    All trials count, whatever their outcome, except interrupted ones, which are run again.
    """
    counted = [trial for trial in trials if trial.reason is not Reason.INTERRUPTED]
    minutes = sum(trial.seconds or 0.0 for trial in counted) / 60
    if len(counted) >= settings.max_trials:
        return GiveUp(Reason.MAX_TRIALS, f"The run used all the trials that max_trials = {settings.max_trials} allows.")
    if minutes >= settings.max_minutes:
        taken = f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.2g}"
        return GiveUp(
            Reason.MAX_MINUTES,
            f"Training took {taken} min, and max_minutes = {settings.max_minutes:g} allows no more.",
        )
    return None


_MIN_RISE = 0.01
"""The minimum by which ``choose_stop_accuracy`` raises the value. With less, a trial might run just one more epoch."""


def choose_stop_accuracy(target: float, trials: Sequence[Trial]) -> float | None:
    """Return the validation accuracy (0 to 1) at which the next trial may stop; None if it should run all its epochs.

    The value starts at ``target``, the accuracy (0 to 1) that the gate requires on the test data. If a trial's
    validation accuracy reached the value, but its measured accuracy was below ``target``, the value is raised by the
    difference between these two accuracies, or by 0.01 if that is more.
    """
    stop_at = target
    for trial in trials:
        if trial.accuracy is None or trial.validation_accuracy is None:
            continue
        if trial.validation_accuracy >= stop_at and trial.accuracy.value < target:
            stop_at += max(trial.validation_accuracy - trial.accuracy.value, _MIN_RISE)
    return stop_at if stop_at <= 1 else None


def next_trial(
    script: Script,
    framework: str,
    trials: tuple[Trial, ...],
    settings: RetrainSettings,
    target: float,
    choice: EpochsChoice,
) -> Proposal | GiveUp:
    """Propose a trial of the pushed ``script`` with more epochs, or return the reason to give up.

    ``framework``: the name of the framework that the script trains with. ``trials``: the run's trials so far. Trials of
    a search, and trials without an accuracy (for example because they were interrupted), are ignored. Trials in which
    raising the number of epochs had no effect count only towards the budget. ``target``: an accuracy (0 to 1) that
    passes the gate. ``choice``: which literal to increase, and whether that can help.
    """
    epoch_trials = [trial for trial in trials if trial.strategy is not Strategy.SEARCH]
    trained = [trial for trial in epoch_trials if trial.accuracy is not None]
    if choice.epochs is None:
        return _explain_no_epochs(script, framework, trained, choice)
    measured = [trial for trial in trained if trial.number not in choice.ineffective]
    if choice.converged:
        return GiveUp(
            Reason.STOPS_ITSELF,
            f"Training in {script.path} ended before it reached its maximum number of iterations, so raising that number "
            "would change nothing.",
            _explain_convergence(script),
            _suggest_search(script),
        )
    if measured and measured[-1].stopped_by is StoppedBy.SCRIPT:
        return GiveUp(
            Reason.STOPS_ITSELF,
            f"{_describe_callback(script)} stopped training early, after epoch {measured[-1].epochs}, so more epochs "
            "would change nothing.",
            "Raise the callback's patience, or change the model.",
        )
    last = measured[-1].forecast if measured else None
    if last and last.hopeless:
        return GiveUp(Reason.LEVELS_OFF, f"The accuracy {last.description}.")
    epochs = choice.epochs.number + settings.epochs_step * len(measured)
    stop_at = choose_stop_accuracy(target, measured) if settings.stop_at_threshold else None
    return (
        check_budget(trained, settings)
        or _check_limits(measured, epochs, settings)
        or Proposal(Strategy.MORE_EPOCHS, {choice.epochs.constant: choice.epochs.value_for(epochs)}, stop_at)
    )


def _describe_callback(script: Script) -> str:
    """Describe the callback that stops training, with its line if it is the only EarlyStopping in the code."""
    found = list(script.find_calls("EarlyStopping"))
    if len(found) == 1:
        path, call = found[0]
        return f"EarlyStopping on line {call.lineno} of {path}"
    return f"A callback in {script.path}"


_FITTING = frozenset({"fit", "partial_fit", "fit_predict", "cross_val_score", "cross_val_predict", "cross_validate"})
"""The functions and methods that fit scikit-learn models."""
_MAKE_SEARCHABLE = " To make a search possible, write each hyperparameter as a constant, as in learning_rate = 0.01."


def _explain_no_epochs(script: Script, framework: str, trained: Sequence[Trial], choice: EpochsChoice) -> GiveUp:
    """Explain that the script has no number of epochs to raise, or that raising that number had no effect."""
    search = _suggest_search(script) or _MAKE_SEARCHABLE
    fits = any(last_name(call.func) in _FITTING for _, call in script.find_calls())
    # Code that only loads data with scikit-learn trains in a loop of its own.
    remedy = frameworks()[NO_FRAMEWORK if framework == "sklearn" and not fits else framework].SET_EPOCHS
    raised = list(dict.fromkeys(choice.ineffective.values()))
    if not raised:
        return GiveUp(
            Reason.NO_EPOCHS,
            f"{script.path} and the files that it reads do not set a number of epochs that can be raised.",
            remedy,
            search,
        )
    if choice.epochs_counted:
        names = " and ".join(each.describe() for each in raised)
        cause = f"Raising {names} did not change how many epochs the script trained for."
    elif used := [each for each in raised if each.is_used]:
        return GiveUp(
            Reason.LEVELS_OFF,
            f"{_describe_plateau(trained, choice, used[0])}, so more epochs do not help.",
            "Change the model or the data.",
            search,
        )
    else:
        names = " or ".join(each.describe() for each in raised)
        if len(raised) == 1:
            remedy = _suggest_argument(script) or remedy
        cause = f"No training call or loop seems to use {names}, and a higher value did not change the accuracy."
    return GiveUp(Reason.EPOCHS_UNCHANGED, cause, remedy, search)


def _suggest_argument(script: Script) -> str:
    """Return advice to pass the number of epochs to an estimator in the script; empty if none accepts it."""
    for _, call in script.find_calls():
        if argument := find_iterations_argument(call):
            return f"Pass the number of epochs to {last_name(call.func)}() as {argument}."
    return ""


def _describe_plateau(trained: Sequence[Trial], choice: EpochsChoice, used: Epochs) -> str:
    """Say that raising the literal ``used`` did not change the accuracy, and list the numbers of epochs tried."""
    same = [trial for trial in trained if choice.ineffective.get(trial.number) == used]
    numbers = [str(number) for number in (used.number, *(used.number_in(each.hyperparameters) for each in same))]
    accuracy = same[0].accuracy.value if same[0].accuracy else 0.0
    return f"The accuracy stayed at {accuracy:.3f} with {join_words(numbers)} epochs"


def _explain_convergence(script: Script) -> str:
    stops_early = b"early_stopping" in script.content or b"n_iter_no_change" in script.content
    patience = ", increase the early-stopping patience," if stops_early else ""
    return f"Lower the tolerance (tol){patience} or change the model."


def _suggest_search(script: Script) -> str:
    """Return advice to search over at most three hyperparameters; empty if the script has none with a known name."""
    space = dict(list(suggest(script).items())[:3])
    lines = "\n".join(table_lines("search", space))
    return f" To search for better hyperparameters, add this to epochal.toml:\n{lines}" if space else ""


_MANY_NEW_LABELS = 0.1
"""If at least this share of test rows has labels that are new to the model, that explains accuracy at chance level."""


def advise_at_chance(end: GiveUp, trials: Sequence[Trial]) -> GiveUp:
    """Return ``end``, with a cause and a remedy added if no trial is clearly better than always giving the same answer.

    If ``end`` has no remedy of its own, the new remedy is used instead of that of ``end.reason``. Otherwise, the new
    one is added to the remedy of ``end``, or replaces it if many test labels are new to the model. If ``end`` is due
    to too few samples or to a loss that is not finite, it is returned unchanged, because its own remedy comes first.
    """
    best = max((trial.accuracy for trial in trials if trial.accuracy), key=lambda each: each.value, default=None)
    if best is None or best.evidence.chance is None:
        return end
    if best.value > best.evidence.chance and is_above_chance(best):
        return end
    if end.reason in (Reason.TOO_FEW_SAMPLES, Reason.LOSS_NOT_FINITE):  # what they advise comes first
        return end
    baseline = describe_baseline(best.evidence)
    cause = f"{capitalize(baseline)} would be at least as accurate."
    if best.value > best.evidence.chance:
        cause = f"The best accuracy is not clearly better than that of {baseline} ({best.evidence.chance:.3f})."
    labels = "check that each row still has its own label (for example, that x and y are shuffled together)"
    remedy = f"{labels.capitalize()}, scale the inputs, or change the model."
    if best.evidence.new_labels >= _MANY_NEW_LABELS:
        remedy = describe_new_labels(best.evidence)
    elif end.remedy:
        remedy = f"{end.remedy} Also {labels} and that the inputs are scaled."
    return replace(end, cause=f"{end.cause} {cause}", remedy=remedy)


def _check_limits(measured: list[Trial], epochs: int, settings: RetrainSettings) -> GiveUp | None:
    """Return why a trial with ``epochs`` epochs should not follow the ``measured`` trials; None if it may follow."""
    if epochs > settings.max_epochs:
        return GiveUp(
            Reason.MAX_EPOCHS,
            f"The next trial would train for {epochs} epochs, but max_epochs is {settings.max_epochs}.",
        )
    accuracies = [trial.accuracy.value if trial.accuracy else 0.0 for trial in measured]
    trials_since_best = len(accuracies) - 1 - accuracies.index(max(accuracies))
    if trials_since_best < settings.patience:
        return None
    which = f"last {trials_since_best} trials" if trials_since_best > 1 else "last trial"
    return GiveUp(
        Reason.NO_IMPROVEMENT, f"The {which} did not improve on the best accuracy (patience = {settings.patience})."
    )
