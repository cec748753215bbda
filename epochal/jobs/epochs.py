"""Choose the literal whose change trains more epochs, and check that raising it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epochal.analysis.hyperparameters.epochs import Epochs
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
    whether the training ends by itself before the number of iterations that ``epochs`` allows. ``counted``: whether
    the epochs of the ineffective trials were counted, rather than only what they printed compared.
    """

    epochs: Epochs | None
    ineffective: Mapping[int, Epochs]
    converged: bool = False
    counted: bool = True


@dataclass(frozen=True)
class Training:
    """What a trial shows about how long it trained: its epochs, None if they are unknown, and what it printed."""

    epochs: TrainedEpochs | None
    output: str = ""


def choose_epochs(active: ActiveRun) -> EpochsChoice:
    """Choose the literal that sets the number of epochs, by what the trials of the run trained so far."""
    trials = [
        trial for trial in active.load().trials if trial.accuracy is not None and trial.strategy is not Strategy.SEARCH
    ]
    return choose(active.script, trials, {trial.number: _read_training(active, trial) for trial in trials})


def choose(script: Script, trials: Sequence[Trial], trainings: Mapping[int, Training]) -> EpochsChoice:
    """Choose the literal of ``script`` that sets the number of epochs.

    Literals whose number the first trial trained come first. ``trials``: the measured trials outside a search, in
    order. ``trainings``: what each of them shows, by its number.
    """
    if not trials:
        return EpochsChoice(script.epochs[0] if script.epochs else None, {})
    first, last = trainings[trials[0].number], trainings[trials[-1].number]
    targets = first.epochs.targets if first.epochs else frozenset()
    candidates = sorted(script.epochs, key=lambda each: bool(targets) and each.number not in targets)
    ineffective: dict[int, Epochs] = {}
    doubtful: dict[int, Epochs] = {}
    for trial in trials[1:]:
        raised, training = find_raised(script, trial), trainings[trial.number]
        if raised is None or trial.stopped_by is not None:
            continue
        if first.epochs and training.epochs and (not first.epochs.are_iterations or raised.number in targets):
            if first.epochs.total == training.epochs.total:
                ineffective[trial.number] = raised
        elif first.output and first.output == training.output:
            doubtful[trial.number] = raised
    # A script may print too little to tell, so the last literal is raised twice before it is given up.
    if len(set(doubtful.values())) < len(candidates) or len(doubtful) >= _MAX_INEFFECTIVE:
        ineffective |= doubtful
    remaining = [each for each in candidates if each not in ineffective.values()]
    if not remaining or len(ineffective) >= _MAX_INEFFECTIVE:
        return EpochsChoice(None, ineffective, counted=not doubtful)
    converged = last.epochs is not None and last.epochs.converged and remaining[0].number in targets
    return EpochsChoice(remaining[0], ineffective, converged)


def find_raised(script: Script, trial: Trial) -> Epochs | None:
    """Return the literal whose change gave ``trial`` its number of epochs; None if it trained the number as pushed."""
    for epochs in script.epochs:
        value = trial.hyperparameters.get(epochs.name, epochs.constant.value)
        if value != epochs.constant.value:
            return epochs
    return None


def _read_training(active: ActiveRun, trial: Trial) -> Training:
    folder = active.folder.trial(trial.number)
    output = read_untrusted_text(folder.log) or ""
    return Training(count_epochs(read_metrics(folder.metrics), output), output)
