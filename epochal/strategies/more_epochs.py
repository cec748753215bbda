"""The classic way: raise the epochs by a step and go on training, until the budget is used up. Values in, values out."""

from dataclasses import dataclass

from epochal.errors import Reason
from epochal.hyperparameters import Constant, find_epochs
from epochal.records import StoppedBy, Trial
from epochal.settings import RetrainSettings
from epochal.strategies.stopping_point import stopping_point


@dataclass(frozen=True)
class Raise:
    """The next trial: the number in nn.py to change, and what it becomes.

    ``stop_at``: the validation accuracy (0 to 1) with which its fit ends; None: it trains all its epochs.
    """

    constant: Constant
    epochs: int
    stop_at: float | None = None


@dataclass(frozen=True)
class GiveUp:
    """There is no next trial, and why."""

    reason: Reason
    explanation: str


def next_trial(script: bytes, trials: tuple[Trial, ...], settings: RetrainSettings, wanted: float) -> Raise | GiveUp:
    """What comes after ``trials`` of the unchanged ``script`` (nn.py as it was pushed); ``wanted``: an accuracy that the
    gate lets through.

    An interrupted trial counts for nothing here: the one after it trains what it would have trained.
    """
    constant = find_epochs(script)
    if constant is None:
        return GiveUp(
            Reason.NO_EPOCHS,
            "nn.py has no number of epochs that could be raised: write it as a constant (epochs = 20) or into fit(epochs=20).",
        )
    measured = [trial for trial in trials if trial.accuracy is not None]
    if measured and measured[-1].stopped_by is StoppedBy.SCRIPT:
        return GiveUp(
            Reason.STOPS_ITSELF,
            f"nn.py's own callbacks ended the training after epoch {measured[-1].epochs}, before its epochs were used up: "
            "more epochs would change nothing. Give them more patience, or change the network.",
        )
    epochs = int(constant.value) + settings.epochs_step * len(measured)
    stop_at = stopping_point(wanted, measured) if settings.stop_at_threshold else None
    return _exhausted(measured, epochs, settings) or Raise(constant, epochs, stop_at)


def _exhausted(measured: list[Trial], epochs: int, settings: RetrainSettings) -> GiveUp | None:
    minutes = sum(trial.seconds or 0.0 for trial in measured) / 60
    if len(measured) >= settings.max_trials:
        return GiveUp(Reason.MAX_TRIALS, f"{len(measured)} trials were trained, and max_trials allows no more.")
    if minutes >= settings.max_minutes:
        return GiveUp(
            Reason.MAX_MINUTES, f"{minutes:.0f} minutes were trained, and max_minutes is {settings.max_minutes:g}."
        )
    if epochs > settings.max_epochs:
        return GiveUp(
            Reason.MAX_EPOCHS, f"The next trial would have {epochs} epochs; max_epochs is {settings.max_epochs}."
        )
    worse = _trials_since_best(measured)
    if worse >= settings.patience:
        return GiveUp(Reason.NO_IMPROVEMENT, f"The last {worse} trials did not better the best accuracy (patience).")
    return None


def _trials_since_best(measured: list[Trial]) -> int:
    accuracies = [trial.accuracy or 0.0 for trial in measured]
    return len(accuracies) - 1 - accuracies.index(max(accuracies))
