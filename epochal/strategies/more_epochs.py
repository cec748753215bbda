"""The classic way: raise the epochs by a step and go on training, until the budget is used up. Values in, values out."""

from epochal.analysis.hyperparameters import find_epochs
from epochal.errors import Reason
from epochal.records import StoppedBy, Strategy, Trial
from epochal.settings import RetrainSettings
from epochal.strategies.answer import GiveUp, Proposal
from epochal.strategies.budget import used_up
from epochal.strategies.stopping_point import stopping_point


def next_trial(script: bytes, trials: tuple[Trial, ...], settings: RetrainSettings, wanted: float) -> Proposal | GiveUp:
    """What comes after ``trials`` of the unchanged ``script`` (nn.py as it was pushed); ``wanted``: an accuracy that the
    gate lets through.

    An interrupted trial counts for nothing here: the one after it trains what it would have trained. Nor do those of a
    search, which comes when there is no next one here.
    """
    constant = find_epochs(script)
    if constant is None:
        return GiveUp(
            Reason.NO_EPOCHS,
            "nn.py has no number of epochs that could be raised: write it as a constant (epochs = 20) or into fit(epochs=20).",
        )
    own = [trial for trial in trials if trial.strategy is not Strategy.SEARCH]
    measured = [trial for trial in own if trial.accuracy is not None]
    if measured and measured[-1].stopped_by is StoppedBy.SCRIPT:
        return GiveUp(
            Reason.STOPS_ITSELF,
            f"nn.py's own callbacks ended the training after epoch {measured[-1].epochs}, before its epochs were used up: "
            "more epochs would change nothing. Give them more patience, or change the network.",
        )
    last = measured[-1].forecast if measured else None
    if last and last.hopeless:
        return GiveUp(Reason.LEVELS_OFF, f"The accuracy {last.sentence}.")
    epochs = int(constant.value) + settings.epochs_step * len(measured)
    stop_at = stopping_point(wanted, measured) if settings.stop_at_threshold else None
    return (
        used_up(measured, settings)
        or _no_use(measured, epochs, settings)
        or Proposal(Strategy.MORE_EPOCHS, {constant: epochs}, stop_at)
    )


def _no_use(measured: list[Trial], epochs: int, settings: RetrainSettings) -> GiveUp | None:
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
