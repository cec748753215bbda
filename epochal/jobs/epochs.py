"""Choose which literal to increase so that the script trains for more epochs, and check whether that worked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.analysis.script import Script
from epochal.jobs.active_run import ActiveRun
from epochal.records import Strategy, Trial
from epochal.results.epochs import TrainedEpochs, count_epochs
from epochal.results.outputs import read_metrics, read_untrusted_text

_MAX_FACTOR = 10
_MAX_INEFFECTIVE = 2
"""After this many trials in which increasing a literal had no effect, no other literals are tried."""


@dataclass(frozen=True)
class EpochsChoice:
    """The literal to increase next, so that the script trains for more epochs.

    ``epochs``: the literal; None if no literal changes how long the script trains. ``ineffective``: the literals that
    had no effect when they were increased, keyed by the number of the trial that increased them. ``converged``: whether
    training converges before it reaches the number of iterations that ``epochs`` sets. ``epochs_counted``: whether the
    epochs of all trials in ``ineffective`` were counted; if not, the accuracy and output of some were compared instead.
    """

    epochs: Epochs | None
    ineffective: Mapping[int, Epochs]
    converged: bool = False
    epochs_counted: bool = True


@dataclass(frozen=True)
class Training:
    """Evidence of how long a trial trained: its number of epochs (None if unknown) and its output."""

    epochs: TrainedEpochs | None
    output: str = ""


def choose_epochs(active: ActiveRun) -> EpochsChoice:
    """Choose the literal that sets the number of epochs, based on how long the run's trials have trained so far."""
    trials = [
        trial for trial in active.load().trials if trial.accuracy is not None and trial.strategy is not Strategy.SEARCH
    ]
    return choose(active.script, trials, {trial.number: _read_training(active, trial) for trial in trials})


def choose(script: Script, trials: Sequence[Trial], trainings: Mapping[int, Training]) -> EpochsChoice:
    """Choose the literal of ``script`` that sets the number of epochs.

    If the first trial shows which numbers of epochs the script may have requested, literals that set one of these
    numbers are preferred. If the requested number is certain to be among them, literals that set a number more than
    ten times as large as the largest of them are left out.

    ``trials``: the measured trials, in order, except those of a search. ``trainings``: the evidence of how long each
    trial trained, by trial number.
    """
    if not trials:
        return EpochsChoice(script.epochs[0] if script.epochs else None, {})
    first, last = trainings[trials[0].number], trainings[trials[-1].number]
    targets = first.epochs.targets if first.epochs else frozenset()
    candidates = sorted(script.epochs, key=lambda each: bool(targets) and each.number not in targets)
    if first.epochs and first.epochs.is_asked:
        # A far higher number is something else, such as a number of samples from which the epochs are computed.
        candidates = [each for each in candidates if each.number <= _MAX_FACTOR * max(targets)]
    ineffective: dict[int, Epochs] = {}
    doubtful: dict[int, Epochs] = {}
    for trial in trials[1:]:
        raised, training = find_raised(script, trial), trainings[trial.number]
        if raised is None or trial.stopped_by is not None:
            continue
        if first.epochs and training.epochs and (not first.epochs.are_iterations or raised.number in targets):
            if first.epochs.total == training.epochs.total:
                ineffective[trial.number] = raised
        elif _has_same_accuracy(trials[0], trial) and _prints_the_same(first, training, raised, trial):
            doubtful[trial.number] = raised
    # The output may be too short to compare, so the last literal is raised twice before giving up.
    if len(set(doubtful.values())) < len(candidates) or len(doubtful) >= _MAX_INEFFECTIVE:
        ineffective |= doubtful
    remaining = [each for each in candidates if each not in ineffective.values()]
    counted = doubtful.keys().isdisjoint(ineffective)
    if not remaining or len(ineffective) >= _MAX_INEFFECTIVE:
        return EpochsChoice(None, ineffective, epochs_counted=counted)
    converged = last.epochs is not None and last.epochs.converged and remaining[0].number in targets
    return EpochsChoice(remaining[0], ineffective, converged, counted)


def find_raised(script: Script, trial: Trial) -> Epochs | None:
    """Return the literal that ``trial`` changed to train for more epochs, or None if it changed no such literal."""
    for epochs in script.epochs:
        value = trial.hyperparameters.get(epochs.name, epochs.constant.value)
        if value != epochs.constant.value:
            return epochs
    return None


def _has_same_accuracy(one: Trial, other: Trial) -> bool:
    return one.accuracy is not None and other.accuracy is not None and one.accuracy.value == other.accuracy.value


def _prints_the_same(first: Training, later: Training, raised: Epochs, trial: Trial) -> bool:
    """Return whether two trials printed the same output, apart from the value of the ``raised`` literal."""
    old, new = first.output.splitlines(), later.output.splitlines()
    value = str(trial.hyperparameters.get(raised.name))
    pattern = re.compile(rf"(?<![\w.]){re.escape(str(raised.constant.value))}(?![\w.])")
    return len(old) == len(new) > 0 and all(
        before == after or pattern.sub(value, before) == after for before, after in zip(old, new, strict=True)
    )


def _read_training(active: ActiveRun, trial: Trial) -> Training:
    folder = active.folder.trial(trial.number)
    output = read_untrusted_text(folder.log) or ""
    return Training(count_epochs(read_metrics(folder.metrics), output), output)
