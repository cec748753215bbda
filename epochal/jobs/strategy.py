"""What to try next: more epochs, where to stop, and when the budget is used up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from epochal.analysis.hyperparameters import Constant
from epochal.analysis.script import Script
from epochal.errors import Reason
from epochal.folders import SCRIPT
from epochal.records import StoppedBy, Strategy, Trial, Value
from epochal.settings import RetrainSettings


@dataclass(frozen=True)
class Proposal:
    """The next trial: the constants of nn.py that change, and what they become; empty: it trains as pushed.

    ``stop_at``: the validation accuracy (0 to 1) with which its fit ends; None: it trains all its epochs. ``source``: the
    trial from whose checkpoints it goes on; None: in a search none, else the newest that there are.
    """

    strategy: Strategy = Strategy.COMMITTED
    changes: Mapping[Constant, Value] = field(default_factory=dict)
    stop_at: float | None = None
    source: int | None = None


@dataclass(frozen=True)
class GiveUp:
    """There is no next trial, and why."""

    reason: Reason
    explanation: str


class Ended(StrEnum):
    """What ended a run's trials, if not that nothing is left to try (GiveUp).

    INTERRUPTED: another process has ended the run.
    """

    REACHED = "reached"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"


def used_up(trials: Sequence[Trial], settings: RetrainSettings) -> GiveUp | None:
    """Return why no further trial may start after ``trials``, whatever their outcome; None if one may.

    Interrupted trials do not count: they run again.
    """
    counted = [trial for trial in trials if trial.reason is not Reason.INTERRUPTED]
    minutes = sum(trial.seconds or 0.0 for trial in counted) / 60
    if len(counted) >= settings.max_trials:
        return GiveUp(Reason.MAX_TRIALS, f"{len(counted)} trials were trained, and max_trials allows no more.")
    if minutes >= settings.max_minutes:
        return GiveUp(
            Reason.MAX_MINUTES, f"{minutes:.0f} minutes were trained, and max_minutes is {settings.max_minutes:g}."
        )
    return None


_LEAST_RISE = 0.01
"""A gap that is next to nothing must not make the trials crawl, an epoch each."""


def stopping_point(wanted: float, trials: Sequence[Trial]) -> float | None:
    """Return the validation accuracy (0 to 1) to stop at after ``trials``; None if all epochs are to be trained.

    It is the accuracy that is ``wanted`` of the gate's data, plus the gap seen if a trial's validation accuracy had come
    to it and the gate then measured less.
    """
    point = wanted
    for trial in trials:
        if trial.accuracy is None or trial.validation_accuracy is None:
            continue
        if trial.validation_accuracy >= point and trial.accuracy.value < wanted:
            point += max(trial.validation_accuracy - trial.accuracy.value, _LEAST_RISE)
    return point if point <= 1 else None


def next_trial(
    script: Script, trials: tuple[Trial, ...], settings: RetrainSettings, wanted: float
) -> Proposal | GiveUp:
    """Return what to train after ``trials`` of the unchanged ``script`` (nn.py as pushed), or why more epochs are of no use.

    ``wanted``: an accuracy that the gate lets through. Interrupted trials do not count: the next one trains what they
    would have trained. Nor do those of a search, which begins when there is no next one here.
    """
    constant = script.epochs
    if constant is None:
        return GiveUp(
            Reason.NO_EPOCHS,
            f"{SCRIPT} has no number of epochs that could be raised: write it as a constant (epochs = 20) or into fit(epochs=20).",
        )
    own = [trial for trial in trials if trial.strategy is not Strategy.SEARCH]
    measured = [trial for trial in own if trial.accuracy is not None]
    if measured and measured[-1].stopped_by is StoppedBy.SCRIPT:
        return GiveUp(
            Reason.STOPS_ITSELF,
            f"{SCRIPT}'s own callbacks ended the training after epoch {measured[-1].epochs}, before its epochs were used up: "
            "more epochs would change nothing. Give them more patience, or change the network.",
        )
    last = measured[-1].forecast if measured else None
    if last and last.hopeless:
        return GiveUp(Reason.LEVELS_OFF, f"The accuracy {last.sentence}.")
    epochs = int(constant.value) + settings.epochs_step * len(measured)
    stop_at = stopping_point(wanted, measured) if settings.stop_at_threshold else None
    return (
        used_up(measured, settings)
        or _find_no_use(measured, epochs, settings)
        or Proposal(Strategy.MORE_EPOCHS, {constant: epochs}, stop_at)
    )


def _find_no_use(measured: list[Trial], epochs: int, settings: RetrainSettings) -> GiveUp | None:
    """Return why a trial with so many ``epochs`` is not worth training after those that were measured; None if it is."""
    if epochs > settings.max_epochs:
        return GiveUp(
            Reason.MAX_EPOCHS, f"The next trial would have {epochs} epochs; max_epochs is {settings.max_epochs}."
        )
    accuracies = [trial.accuracy.value if trial.accuracy else 0.0 for trial in measured]
    worse = len(accuracies) - 1 - accuracies.index(max(accuracies))
    if worse >= settings.patience:
        return GiveUp(Reason.NO_IMPROVEMENT, f"The last {worse} trials did not better the best accuracy (patience).")
    return None
