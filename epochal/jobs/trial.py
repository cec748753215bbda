"""One trial: a copy of the code, perhaps with other numbers in it, trained, measured and recorded."""

import shutil
import time
from dataclasses import dataclass, field, replace

from epochal.analysis.script import Change, diff
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT, TrialFolder
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.checkpoints import Handover, clear_old, hand_over
from epochal.jobs.log import log
from epochal.jobs.progress import OnEpoch, epoch_line, following
from epochal.jobs.strategy import Proposal
from epochal.records import Epoch, Step, Strategy, Trial, TrialState
from epochal.results.accuracy import Choice, Told, choose_accuracy
from epochal.results.diagnosis import diagnose, tail
from epochal.results.measurements import parse_measured
from epochal.results.metrics import parse_faults, parse_fits, parse_validates_on_test
from epochal.results.outputs import read_left_text, read_metrics
from epochal.results.printed import PrintedLines
from epochal.results.resumption import resumption_in_words, settled_epochs, stopped_by
from epochal.results.wording import accuracy_in_words
from epochal.runtimes.runtime import Outcome, Training
from epochal.runtimes.stop import Stop
from epochal.store.runs import add_notes
from epochal.store.trials import add_trial, end_trial

_LAST_OUTPUT = 256 * 1024
"""Where a traceback is looked for: the accuracy may be followed by more output than that."""
_VALIDATES_ON_TEST = (
    f"{SCRIPT} validates on its test data: what stops or chooses by its validation does so by the very data that it is then "
    "judged on, which flatters; keep some data apart (validation_split=0.1)"
)
_TESTS_ON_OTHER_ROWS = (
    f"{SCRIPT} tests on other rows in each training, so it is never resumed, and each trial trains from the beginning. Seed its "
    "split: random_state=0, or shuffle(…, seed=0, reshuffle_each_iteration=False); or do not shuffle what is tested on."
)
_MOST_EPOCHS = 2**31 - 1
"""What every database holds; the code that trains may write anything."""


def _print_epoch(epoch: Epoch) -> None:
    log(f"  {epoch_line(epoch)}")


@dataclass(frozen=True)
class StartedTrial:
    """A trial that was started: its number, and the proposal.

    ``on_epoch`` is called with each epoch as soon as it has ended; ``stop`` may end the training: it is PRUNED then.
    """

    number: int
    proposal: Proposal
    stop: Stop = field(default_factory=Stop)
    on_epoch: OnEpoch = _print_epoch


def start_trial(active: ActiveRun, proposal: Proposal) -> StartedTrial:
    """Store a new trial of the proposal, which ``run_trial`` then trains."""
    trained = active.script.hyperparameters(proposal.changes)
    number = add_trial(active.app.database, active.run.id, trained, proposal.strategy)
    return StartedTrial(number, proposal)


def run_trial(active: ActiveRun, started: StartedTrial) -> Trial:
    """Train the run's code once as it was proposed, measure it, and store the outcome.

    A trial that resumed onto another test set than its checkpoint's is trained again, from the beginning. Raises RunFailed
    if there is no accuracy.
    """
    proposal, number, database = started.proposal, started.number, active.app.database
    log(f"trial {number}: training {_in_words(proposal)}")
    trained = active.script.hyperparameters(proposal.changes)
    trial = Trial(number, TrialState.TRAINING, trained, strategy=proposal.strategy)
    _prepare_folder(active, started)
    handover = hand_over(active, number, proposal)
    try:
        trial, choice = _train(active, started, trial, handover)
        if not started.stop.reason and _is_caught(trial, choice, handover):
            log(
                f"trial {number}: resumed, it was tested on other rows than {handover.source}: training from the beginning"
            )
            _prepare_folder(active, started)
            again = Handover(why=f"resumed from {handover.source}, it was tested on other rows (is its split seeded?)")
            trial, choice = _train(active, started, replace(trial, caught=True), again)
        _add_notes(active, trial, choice)
        if reason := started.stop.reason:
            state = TrialState.FAILED if reason is Reason.INTERRUPTED else TrialState.PRUNED
            trial = replace(trial, state=state, reason=reason, explanation=reason.sentence)
            end_trial(database, active.run.id, trial)
            return trial
        if isinstance(choice, RunFailed):
            raise choice
    except RunFailed as failure:
        failed = replace(trial, state=TrialState.FAILED, reason=failure.reason, explanation=failure.explanation)
        end_trial(database, active.run.id, failed)
        raise
    accuracy = choice.accuracy
    trial = replace(trial, state=TrialState.MEASURED, accuracy=accuracy)
    if proposal.strategy is not Strategy.COMMITTED:
        trial = _settle_epochs(active, trial, proposal)
    end_trial(database, active.run.id, trial)
    clear_old(active)
    if trial.resumption:
        log(f"trial {number}: {trial.resumption}")
    log(f"trial {number}: accuracy {accuracy_in_words(accuracy.value, accuracy.samples)}, {accuracy.source.sentence}")
    return trial


def _train(
    active: ActiveRun, started: StartedTrial, trial: Trial, handover: Handover
) -> tuple[Trial, Choice | RunFailed]:
    """Train a trial whose folder is ready; returns it with what its fits did, and its accuracy or why it has none."""
    folder, proposal = active.folder.trial(trial.number), started.proposal
    printed = PrintedLines()
    with following(folder.metrics, started.on_epoch):
        active.mark(Step.TRAINING_STARTED, trial.number)
        training = Training(
            active.run.id,
            trial.number,
            folder,
            active.plan.image,
            proposal.stop_at,
            started.stop,
            lambda output: printed.feed(output, time.time()),
        )
        outcome = active.plan.runtime.train(training)
        printed.close()
        active.mark(Step.TRAINING_ENDED, trial.number)
    retrain = proposal.strategy is Strategy.MORE_EPOCHS or proposal.source is not None
    metrics = read_metrics(folder.metrics)
    fits = parse_fits(metrics)
    trial = replace(
        trial,
        seconds=(trial.seconds or 0.0) + outcome.seconds,
        epochs_trained=sum(fit.trained for fit in fits) if fits else None,
        epochs_resumed=min(sum(fit.continued for fit in fits), _MOST_EPOCHS),
        resumption=resumption_in_words(fits, handover.source, handover.why, retrain=retrain),
        validation_accuracy=fits[-1].validation_accuracy if fits else None,
        stopped_by=stopped_by(fits),
        validates_on_test=parse_validates_on_test(metrics),
    )
    told = Told(read_left_text(folder.accuracy), parse_measured(metrics), printed, fits)
    try:
        return trial, _measure(active, folder, outcome, told)
    except RunFailed as failure:
        return trial, failure


def _is_caught(trial: Trial, choice: Choice | RunFailed, handover: Handover) -> bool:
    """Return whether a trial resumed onto another test set than the one behind its checkpoints.

    An interrupted trial's checkpoints have none yet: then it must be known that the test rows were not trained on.
    """
    if not trial.epochs_resumed:
        return False
    if isinstance(choice, RunFailed):
        return choice.reason is Reason.NO_ACCURACY
    if handover.test_set is None:
        return not choice.accuracy.evidence.checked
    return choice.accuracy.test_set != handover.test_set


def _in_words(proposal: Proposal) -> str:
    """Return how the trial's nn.py differs: ``with epochs = 30, filters = 64``."""
    changed = {constant: value for constant, value in proposal.changes.items() if value != constant.value}
    changes = ", ".join(f"{constant.name} = {value}" for constant, value in changed.items())
    return f"with {changes}" if changes else "as pushed"


def _prepare_folder(active: ActiveRun, started: StartedTrial) -> None:
    folder, change = active.folder.trial(started.number), active.script.change(started.proposal.changes)
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(active.folder.code, folder.code, symlinks=True)
    folder.out.mkdir()
    folder.checkpoints.mkdir()
    for path, content in change.items():
        (folder.code / path).write_bytes(content)
    _offer(active, folder, change)


def _offer(active: ActiveRun, folder: TrialFolder, change: Change) -> None:
    """Write what a trial changes in the code into its folder, for whoever adopts it: the files, and the difference."""
    shutil.rmtree(folder.change, ignore_errors=True)
    folder.diff.unlink(missing_ok=True)
    for path, content in change.items():
        (folder.change / path).parent.mkdir(parents=True, exist_ok=True)
        (folder.change / path).write_bytes(content)
    if change:
        folder.diff.write_text(diff(active.folder.code, change), encoding="utf-8")


def _add_notes(active: ActiveRun, trial: Trial, choice: Choice | RunFailed) -> None:
    faults = parse_faults(read_metrics(active.folder.trial(trial.number).metrics))
    notes = [f"trial {trial.number}: the recorder failed: {fault}" for fault in faults]
    notes += [_VALIDATES_ON_TEST] * trial.validates_on_test + [_TESTS_ON_OTHER_ROWS] * trial.caught
    if isinstance(choice, Choice):
        notes += choice.notes
    for note in add_notes(active.app.database, active.run.id, notes) if notes else ():
        log(f"note: {note}")


def _settle_epochs(active: ActiveRun, trial: Trial, proposal: Proposal) -> Trial:
    """Return the trial as it is to be adopted: one that stopped at the threshold needs no more epochs than it trained."""
    constant, folder = active.script.epochs, active.folder.trial(trial.number)
    if constant is None:
        return trial
    wanted = int(proposal.changes.get(constant, constant.value))
    epochs = settled_epochs(parse_fits(read_metrics(folder.metrics)), wanted)
    if epochs == wanted:
        return trial
    _offer(active, folder, active.script.change({**proposal.changes, constant: epochs}))
    return replace(trial, hyperparameters=trial.hyperparameters | {constant.name: epochs})


def _measure(active: ActiveRun, folder: TrialFolder, outcome: Outcome, told: Told) -> Choice:
    """Choose the accuracy of a training among those that were told. Raises RunFailed for one that failed or told none."""
    plan, output = active.plan, ""
    if folder.log.exists():  # else the training ended before it could be started
        output = folder.log.read_bytes().decode("utf-8", "replace")  # limits.log_mb at the most
    failure = diagnose(
        outcome.exit_status, outcome.reason, output[-_LAST_OUTPUT:], has_network=plan.runtime.has_network
    )
    if failure:
        reason, explanation = failure
        raise RunFailed(reason, " ".join([explanation, *active.run.notes]), tail(output))
    try:
        return choose_accuracy(told, plan.settings.metric, repeated_rows=plan.settings.repeated_rows)
    except RunFailed as failure_to_measure:
        detail = failure_to_measure.detail or tail(output)
        raise RunFailed(failure_to_measure.reason, failure_to_measure.explanation, detail) from None
