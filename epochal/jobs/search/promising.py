"""Choose a trial of a search to resume with more epochs, which costs less than trying new hyperparameters."""

from collections.abc import Sequence

from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.errors import Reason
from epochal.records import StoppedBy, Strategy, Trial, TrialState
from epochal.settings import RetrainSettings


def find_promising(trials: Sequence[Trial]) -> list[Trial]:
    """Return the measured trials of a search that are expected to reach the threshold with more epochs, best first.

    A trial is left out if a callback in the script stopped it early.
    """
    found = [
        trial
        for trial in trials
        if trial.strategy is Strategy.SEARCH
        and trial.state is TrialState.MEASURED
        and trial.stopped_by is not StoppedBy.SCRIPT
        and trial.forecast
        and trial.forecast.expected is not None
    ]
    return sorted(found, key=lambda trial: (-(trial.accuracy.value if trial.accuracy else 0.0), trial.number))


def choose_trial_to_resume(
    trials: Sequence[Trial], epochs: Epochs, settings: RetrainSettings
) -> tuple[Trial, int] | None:
    """Return the most promising trial that can be resumed, with its new total number of epochs, or None.

    ``epochs``: the literal that sets the number of epochs. A trial is skipped if ``max_epochs`` allows no more epochs,
    or if a later, uninterrupted trial has the same hyperparameters apart from the number of epochs.
    """
    for trial in find_promising(trials):
        assert trial.forecast
        assert trial.forecast.expected
        epochs_before = epochs.number_in(trial.hyperparameters)
        epochs_target = min(max(epochs_before + settings.epochs_step, trial.forecast.expected), settings.max_epochs)
        was_resumed = any(
            other.number > trial.number
            and other.reason is not Reason.INTERRUPTED
            and other.hyperparameters | {epochs.name: 0} == trial.hyperparameters | {epochs.name: 0}
            for other in trials
        )
        if epochs_target > epochs_before and not was_resumed:
            return trial, epochs_target
    return None
