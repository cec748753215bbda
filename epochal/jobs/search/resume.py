"""A search's trial whose learning curve has not ended: more epochs for it are cheaper than another combination."""

from collections.abc import Sequence

from epochal.analysis.hyperparameters import Constant
from epochal.errors import Reason
from epochal.records import StoppedBy, Strategy, Trial, TrialState, Value
from epochal.settings import RetrainSettings


def promising(trials: Sequence[Trial]) -> list[Trial]:
    """The search's measured trials that are expected to reach the threshold with more epochs, the best first."""
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


def next_to_resume(trials: Sequence[Trial], epochs: Constant, settings: RetrainSettings) -> tuple[Trial, int] | None:
    """The trial to go on from, and the number of epochs that it gets in all; None where none is promising.

    None, too, where a trial of the same combination with more epochs was begun already, or max_epochs allows no more.
    """
    for trial in promising(trials):
        assert trial.forecast
        assert trial.forecast.expected
        before = int(trial.hyperparameters[epochs.name])
        wanted = min(max(before + settings.epochs_step, trial.forecast.expected), settings.max_epochs)
        if wanted > before and not any(_resumes(other, trial, epochs) for other in trials):
            return trial, wanted
    return None


def _resumes(other: Trial, trial: Trial, epochs: Constant) -> bool:
    if other.number <= trial.number or other.reason is Reason.INTERRUPTED:
        return False
    return _without(other, epochs) == _without(trial, epochs)


def _without(trial: Trial, epochs: Constant) -> dict[str, Value]:
    return {name: value for name, value in trial.hyperparameters.items() if name != epochs.name}
