"""Choose the literal whose change trains more epochs, and check that raising it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epochal.analysis.epochs import Epochs
from epochal.analysis.script import Script
from epochal.jobs.active_run import ActiveRun
from epochal.records import Strategy, Trial
from epochal.results.epochs import TrainedEpochs, count_epochs
from epochal.results.outputs import read_metrics, read_untrusted_text

_MAX_INEFFECTIVE = 2
"""After this many raises that trained no more epochs, no other literal is tried."""


@dataclass(frozen=True)
class EpochsChoice:
    """The literal to raise next.

    ``epochs``: the literal; None if there is none, or none that changes how long the script trains. ``ineffective``:
    for each trial that raised a literal without training more epochs, by its number, that literal. ``converged``:
    whether the training ends by itself before the number of iterations that ``epochs`` allows.
    """

    epochs: Epochs | None
    ineffective: Mapping[int, Epochs]
    converged: bool = False


def choose_epochs(active: ActiveRun) -> EpochsChoice:
    """Choose the literal that sets the number of epochs, by what the trials of the run trained so far."""
    trials = [
        trial for trial in active.load().trials if trial.accuracy is not None and trial.strategy is not Strategy.SEARCH
    ]
    return choose(active.script, trials, {trial.number: _count(active, trial) for trial in trials})


def choose(script: Script, trials: Sequence[Trial], trained: Mapping[int, TrainedEpochs | None]) -> EpochsChoice:
    """Choose the literal of ``script`` that sets the number of epochs.

    Literals whose number the first trial trained come first. ``trials``: the measured trials outside a search, in
    order. ``trained``: the epochs that each of them trained, by its number; None if that is unknown.
    """
    first = trained.get(trials[0].number) if trials else None
    candidates = sorted(script.epochs, key=lambda each: first is not None and each.number not in first.targets)
    ineffective = {}
    for trial in trials[1:]:
        raised = find_raised(script, trial)
        counts = trained.get(trials[0].number), trained.get(trial.number)
        if raised and _is_unchanged(raised, trials[0], trial, counts, is_last=raised is candidates[-1]):
            ineffective[trial.number] = raised
    remaining = [each for each in candidates if each not in ineffective.values()]
    if not remaining or len(ineffective) >= _MAX_INEFFECTIVE:
        return EpochsChoice(None, ineffective)
    last = trained.get(trials[-1].number) if trials else None
    converged = last is not None and last.converged and first is not None and remaining[0].number in first.targets
    return EpochsChoice(remaining[0], ineffective, converged)


def find_raised(script: Script, trial: Trial) -> Epochs | None:
    """Return the literal whose change gave ``trial`` its number of epochs; None if it trained the number as pushed."""
    for epochs in script.epochs:
        value = trial.hyperparameters.get(epochs.name, epochs.constant.value)
        if value != epochs.constant.value:
            return epochs
    return None


def _is_unchanged(
    raised: Epochs,
    first: Trial,
    trial: Trial,
    counts: tuple[TrainedEpochs | None, TrainedEpochs | None],
    *,
    is_last: bool,
) -> bool:
    """Return whether ``trial``, which raised a literal, trained as many epochs as ``first``, the code as pushed.

    ``counts``: the epochs of both. If they cannot be counted, an accuracy that is the same to the last digit shows it,
    as long as another literal can be tried; ``is_last`` says that none can.
    """
    if trial.stopped_by is not None:
        return False
    before, after = counts
    if before and after and not (before.are_iterations and raised.number not in before.targets):
        return before.total == after.total
    if is_last or first.accuracy is None or trial.accuracy is None:
        return False
    return first.accuracy.value == trial.accuracy.value and first.accuracy.test_set == trial.accuracy.test_set


def _count(active: ActiveRun, trial: Trial) -> TrainedEpochs | None:
    folder = active.folder.trial(trial.number)
    return count_epochs(read_metrics(folder.metrics), read_untrusted_text(folder.log) or "")
