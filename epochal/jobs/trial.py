"""Run one trial: copy the code, change its hyperparameters, run it, measure the accuracy, and store the outcome."""

import re
import shutil
import time
from dataclasses import dataclass, field, replace

from epochal.analysis.findings import find_unseeded_splits
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.analysis.script import Change, diff
from epochal.errors import Reason, RunFailed
from epochal.folders import TrialFolder
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.checkpoints import ProvidedCheckpoints, provide_checkpoints, remove_old_checkpoints
from epochal.jobs.log import log
from epochal.jobs.measure import measure
from epochal.jobs.progress import OnEpoch, follow_epochs, format_epoch
from epochal.jobs.search.tested_rows import advise_same_rows
from epochal.jobs.strategy import Proposal
from epochal.records import Epoch, Step, StoppedBy, Strategy, Trial, TrialState
from epochal.results.accuracy import Choice, Findings
from epochal.results.divergence import parse_divergence
from epochal.results.measurements import parse_measurements
from epochal.results.metrics import parse_faults, parse_fits, parse_start_over, parse_validates_on_test
from epochal.results.outputs import read_metrics, read_untrusted_text
from epochal.results.printed import PrintedLines
from epochal.results.resumption import describe_resumption, effective_epochs, find_stop_cause
from epochal.results.sketches import is_other_test_set
from epochal.results.wording import describe_accuracy
from epochal.results.written import find_written_files
from epochal.runtimes.runtime import Training
from epochal.runtimes.stop import Stop
from epochal.store.runs import add_notes
from epochal.store.trials import add_trial, end_trial

_VALIDATES_ON_TEST = (
    "The script validates on its test data, so using validation to stop early or to choose a model inflates "
    "the accuracy. Validate on other data, for example with validation_split=0.1."
)
_TEST_SET_CHANGES = (
    "The script tests on different rows each time it runs, so every trial trains from the beginning. Seed the split "
    "(random_state=0, or shuffle(…, seed=0, reshuffle_each_iteration=False)), or do not shuffle the test data."
)
_OTHER_TEST_ROWS = (
    "The script tests on different rows in different trials, so the threshold may be reached by luck. Seed the split "
    "(random_state=0, or np.random.default_rng(0)), or do not shuffle the test data."
)
_MAX_LEFT_OVER = 0.1
"""The largest share of the test rows that a different batch or window size can leave out.

A larger difference must have another cause, such as a filter.
"""
_NOT_FINITE = re.compile(r"\b(nan|inf|infinity|infinite|finite)\b", re.IGNORECASE)
"""Matches error messages about predictions that are not finite, such as scikit-learn's "Input contains NaN"."""
_MAX_EPOCHS = 2**31 - 1
"""The largest number that fits in an integer column of the database. The training code may report any number."""


def _print_epoch(epoch: Epoch) -> None:
    log(f"  {format_epoch(epoch)}")


@dataclass(frozen=True)
class StartedTrial:
    """A trial that has been started.

    ``number``: its number within the run, counted from 1. ``proposal``: what to train. ``stop``: lets another thread
    end training early. ``on_epoch``: called with each epoch as soon as it has ended.
    """

    number: int
    proposal: Proposal
    stop: Stop = field(default_factory=Stop)
    on_epoch: OnEpoch = _print_epoch


def start_trial(active: ActiveRun, proposal: Proposal) -> StartedTrial:
    """Store a new trial for ``proposal`` in the database, and return it for ``run_trial``."""
    trained = active.hyperparameters(proposal.changes)
    number = add_trial(active.app.database, active.run.id, trained, proposal.strategy)
    return StartedTrial(number, proposal)


def run_trial(active: ActiveRun, started: StartedTrial) -> Trial:
    """Run a trial from ``start_trial``, measure its accuracy, and return the trial after storing the outcome.

    A trial of a search fails if its test rows are certain to differ from those of the run's first measured trial.

    If the trial resumed and was not tested on the same test set as the model in its checkpoints, it is run
    again from the beginning. If its script failed after a fit was stopped early, it is run again for the number of
    epochs already completed. If ``started.stop`` ended it, it becomes PRUNED, or FAILED if it was interrupted. Raises
    RunFailed if training failed or yielded no accuracy, and NotOwner if the trial has meanwhile been marked as
    interrupted.
    """
    proposal, number, database = started.proposal, started.number, active.app.database
    log(f"trial {number}: training {_describe_changes(proposal)}")
    trained = active.hyperparameters(proposal.changes)
    trial = Trial(number, TrialState.TRAINING, trained, strategy=proposal.strategy)
    _prepare_folder(active, started)
    provided = provide_checkpoints(active, number, proposal)
    try:
        trial, choice = _train(active, started, trial, provided)
        if not started.stop.reason and _failed_after_early_stop(trial, choice):
            started, provided = _prepare_exact_epochs(active, started, provided)
            trial, choice = _train_again(active, started, trial, provided)
        if not started.stop.reason and _has_other_test_set(trial, choice, provided):
            log(
                f"trial {number}: after resuming, {active.script.path} did not test on the same rows as "
                f"{provided.source}; training from the beginning"
            )
            _prepare_folder(active, started)
            not_resumed = ProvidedCheckpoints(
                why=f"after resuming from {provided.source}, {active.script.path} tested on different rows (is its split seeded?)"
            )
            trial, choice = _train(active, started, replace(trial, caught=True), not_resumed)
        other = _find_other_test_set(active, started, choice) if isinstance(choice, Choice) else None
        is_search = proposal.strategy is Strategy.SEARCH  # such a trial then fails, so a note would only repeat why
        _add_notes(active, trial, choice, has_other_rows=other is not None and not is_search)
        if reason := started.stop.reason:
            state = TrialState.FAILED if reason is Reason.INTERRUPTED else TrialState.PRUNED
            trial = replace(trial, state=state, reason=reason, explanation=reason.description)
            end_trial(database, active.run.id, trial)
            return trial
        if isinstance(choice, RunFailed):
            raise choice
        if other and is_search:
            remedy = advise_same_rows(active.plan.code.sources, active.plan.space, [other], trial)
            explanation = (
                f"{active.script.path} {_describe_changes(proposal)} did not test on the same rows as trial {other.number}, "
                f"so the two accuracies cannot be compared. {remedy}"
            )
            raise RunFailed(Reason.TEST_SET_CHANGED, active.script.name_cells(explanation))
    except RunFailed as failure:
        failed = replace(trial, state=TrialState.FAILED, reason=failure.reason, explanation=failure.explanation)
        end_trial(database, active.run.id, failed)
        raise
    accuracy = choice.accuracy
    trial = replace(trial, state=TrialState.MEASURED, accuracy=accuracy)
    if proposal.strategy is not Strategy.COMMITTED:
        trial = _set_trained_epochs(active, trial, started.proposal)
    end_trial(database, active.run.id, trial)
    remove_old_checkpoints(active)
    if trial.resumption:
        log(f"trial {number}: {trial.resumption}")
    log(
        f"trial {number}: accuracy {describe_accuracy(accuracy.value, accuracy.samples)}, {accuracy.source.description}"
    )
    return trial


def _train(
    active: ActiveRun, started: StartedTrial, trial: Trial, provided: ProvidedCheckpoints
) -> tuple[Trial, Choice | RunFailed]:
    """Run a trial whose folder is ready; return it with its accuracy, or with an error that explains why it has none.

    If a fit could not resume, and could not train from the beginning in the same process, the trial is run again
    without checkpoints.
    """
    folder, proposal = active.folder.trial(trial.number), started.proposal
    printed = PrintedLines()
    with follow_epochs(folder.metrics, started.on_epoch):
        active.mark(Step.TRAINING_STARTED, trial.number)
        training = Training(
            active.run.id,
            trial.number,
            folder,
            active.plan.image,
            proposal.stop_at,
            started.stop,
            lambda output: printed.feed(output, time.time()),
            active.script.path,
        )
        outcome = active.plan.runtime.train(training)
        printed.close()
        active.mark(Step.TRAINING_ENDED, trial.number)
    trial = replace(trial, seconds=(trial.seconds or 0.0) + outcome.seconds)
    metrics = read_metrics(folder.metrics)
    if provided.source and not started.stop.reason and (why := parse_start_over(metrics)):
        log(f"trial {trial.number}: {why}; training from the beginning")
        _prepare_folder(active, started)
        return _train(active, started, trial, ProvidedCheckpoints(why=why))
    retrain = proposal.strategy is Strategy.MORE_EPOCHS or proposal.source is not None
    fits = parse_fits(metrics)
    trial = replace(
        trial,
        epochs_trained=sum(fit.trained for fit in fits) if fits else None,
        epochs_resumed=min(sum(fit.continued for fit in fits), _MAX_EPOCHS),
        resumption=describe_resumption(fits, provided.source, provided.why, retrain=retrain),
        validation_accuracy=fits[-1].validation_accuracy if fits else None,
        stopped_by=find_stop_cause(fits),
        validates_on_test=parse_validates_on_test(metrics),
    )
    findings = Findings(
        read_untrusted_text(folder.accuracy),
        parse_measurements(metrics),
        printed,
        fits,
        find_written_files(folder.code, active.folder.code),
        active.plan.code.percentages,
        active.script.path,
        active.plan.code.leaks,
    )
    try:
        return trial, measure(active, folder, outcome, findings)
    except RunFailed as failure:
        divergence = parse_divergence(metrics)
        if divergence and (failure.reason is Reason.ACCURACY_NOT_FINITE or _NOT_FINITE.search(failure.explanation)):
            failure = RunFailed(Reason.LOSS_NOT_FINITE, divergence.explanation, failure.detail)
        return trial, failure


def _failed_after_early_stop(trial: Trial, choice: Choice | RunFailed) -> bool:
    """Return whether the script failed after its fit was stopped at the threshold (it may expect a longer history)."""
    failed = isinstance(choice, RunFailed) and choice.reason is Reason.SCRIPT_ERROR
    return failed and trial.stopped_by is StoppedBy.THRESHOLD


def _prepare_exact_epochs(
    active: ActiveRun, started: StartedTrial, provided: ProvidedCheckpoints
) -> tuple[StartedTrial, ProvidedCheckpoints]:
    """Prepare to rerun a stopped trial from its checkpoint, with its number of epochs set to the number completed.

    The fit's history then has the length that the script expects. If the number completed is unknown or the number
    of epochs cannot be set, the trial is run for all its epochs.
    """
    changes = dict(started.proposal.changes)
    if raised := _find_raised(active, started.proposal):
        fits = parse_fits(read_metrics(active.folder.trial(started.number).metrics))
        epochs = effective_epochs(fits, raised.number_with(changes[raised.constant]))
        changes[raised.constant] = raised.value_for(epochs)
    exact = replace(started, proposal=replace(started.proposal, changes=changes, stop_at=None))
    log(
        f"trial {started.number}: {active.script.path} failed after its fit was stopped at the threshold, perhaps because "
        f"the fit's history was too short; training again {_describe_changes(exact.proposal)}, without stopping early"
    )
    _prepare_folder(active, exact, keep_checkpoints=True)
    return exact, ProvidedCheckpoints(f"trial {started.number}", provided.test_set)


def _train_again(
    active: ActiveRun, exact: StartedTrial, stopped: Trial, provided: ProvidedCheckpoints
) -> tuple[Trial, Choice | RunFailed]:
    """Run a trial that ``_prepare_exact_epochs`` has prepared. ``stopped``: the trial after its first attempt."""
    hyperparameters = active.hyperparameters(exact.proposal.changes)
    trial, choice = _train(active, exact, replace(stopped, hyperparameters=hyperparameters), provided)
    if trial.epochs_trained == 0 and not _has_other_test_set(trial, choice, provided):
        # The first attempt had already run all of these epochs.
        trial = replace(
            trial,
            epochs_trained=stopped.epochs_trained,
            epochs_resumed=stopped.epochs_resumed,
            resumption=stopped.resumption,
            stopped_by=stopped.stopped_by,
        )
    return trial, choice


def _has_other_test_set(trial: Trial, choice: Choice | RunFailed, provided: ProvidedCheckpoints) -> bool:
    """Return whether a trial resumed from checkpoints of a model that was tested on a different test set.

    Also return True if no accuracy was found after resuming. If the model was never tested, for example because its
    trial was interrupted, return True unless the test rows were compared with the training rows.
    """
    if not trial.epochs_resumed:
        return False
    if isinstance(choice, RunFailed):
        return choice.reason is Reason.NO_ACCURACY
    if provided.test_set is None:
        return not choice.accuracy.evidence.checked
    return choice.accuracy.test_set != provided.test_set


def _find_other_test_set(active: ActiveRun, started: StartedTrial, choice: Choice) -> Trial | None:
    """Return the run's first measured trial if its test rows certainly differ from those of ``started``; else None."""
    measured = (trial for trial in active.load().trials if trial.number != started.number and trial.accuracy)
    first = next(measured, None)
    is_search = started.proposal.strategy is Strategy.SEARCH
    if first is None or first.accuracy is None:
        return None
    is_unseeded = any(each.kind == "unseeded_split" for each in find_unseeded_splits(active.plan.code.sources))
    may_leave_over = (
        is_search and any(map(_sets_size, started.proposal.changes)) and _are_of_similar_size(first, choice)
    )
    if may_leave_over and not is_unseeded:
        return None
    is_other = is_other_test_set(
        first.accuracy,
        choice.accuracy,
        same_preprocessing=not is_search,  # a searched constant may change it
        is_unseeded=is_unseeded,
    )
    return first if is_other else None


def _are_of_similar_size(first: Trial, choice: Choice) -> bool:
    """Return whether a different batch or window size could explain the difference in size between two test sets.

    Return True if a size is unknown.
    """
    sizes = [each.samples for each in (first.accuracy, choice.accuracy) if each and each.samples]
    return len(sizes) < 2 or min(sizes) >= (1 - _MAX_LEFT_OVER) * max(sizes)


def _sets_size(constant: Constant) -> bool:
    """Return whether a constant may set the size of batches or windows, and thereby change which rows are test data."""
    return bool(re.search(r"batch|steps|window|seq|length", constant.name, re.IGNORECASE))


def _describe_changes(proposal: Proposal) -> str:
    """Return how the trial's script differs from the pushed one, as in ``with epochs = 30, filters = 64``."""
    changed = {constant: value for constant, value in proposal.changes.items() if value != constant.value}
    changes = ", ".join(f"{constant.name} = {value}" for constant, value in changed.items())
    return f"with {changes}" if changes else "as pushed"


def _prepare_folder(active: ActiveRun, started: StartedTrial, *, keep_checkpoints: bool = False) -> None:
    folder, changes = active.folder.trial(started.number), started.proposal.changes
    if keep_checkpoints:
        for part in (folder.code, folder.out):
            shutil.rmtree(part)
    else:
        shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(active.folder.code, folder.code, symlinks=True)
    folder.out.mkdir()
    folder.checkpoints.mkdir(exist_ok=True)
    for path, content in active.script.files_to_train(changes).items():
        (folder.code / path).write_bytes(content)
    _write_change(active, folder, active.script.apply(changes))


def _write_change(active: ActiveRun, folder: TrialFolder, change: Change) -> None:
    """Write the changed files and their diff to the trial's folder, so that a developer can adopt the change."""
    shutil.rmtree(folder.changed_files, ignore_errors=True)
    folder.diff.unlink(missing_ok=True)
    for path, content in change.items():
        (folder.changed_files / path).parent.mkdir(parents=True, exist_ok=True)
        (folder.changed_files / path).write_bytes(content)
    if change:
        folder.diff.write_text(diff(active.folder.code, change, active.run.commit.project), encoding="utf-8")


def _add_notes(active: ActiveRun, trial: Trial, choice: Choice | RunFailed, *, has_other_rows: bool) -> None:
    faults = parse_faults(read_metrics(active.folder.trial(trial.number).metrics))
    notes = [f"trial {trial.number}: internal error while recording training: {fault}" for fault in faults]
    notes += [_VALIDATES_ON_TEST] * trial.validates_on_test + [_TEST_SET_CHANGES] * trial.caught
    notes += [_OTHER_TEST_ROWS] * (has_other_rows and not trial.caught)
    if isinstance(choice, Choice):
        notes += choice.notes
    for note in add_notes(active.app.database, active.run.id, notes) if notes else ():
        log(f"note: {note}")


def _find_raised(active: ActiveRun, proposal: Proposal) -> Epochs | None:
    """Return the literal that the trial changes in order to train for more epochs, or None if there is none."""
    return next((each for each in active.script.epochs if each.constant in proposal.changes), None)


def _set_trained_epochs(active: ActiveRun, trial: Trial, proposal: Proposal) -> Trial:
    """Set the trial's epochs to the number actually completed, if its fit was stopped early at the threshold."""
    folder = active.folder.trial(trial.number)
    raised = _find_raised(active, proposal)
    if raised is None:
        return trial
    target_epochs = raised.number_with(proposal.changes[raised.constant])
    epochs = effective_epochs(parse_fits(read_metrics(folder.metrics)), target_epochs)
    if epochs == target_epochs:
        return trial
    value = raised.value_for(epochs)
    _write_change(active, folder, active.script.apply({**proposal.changes, raised.constant: value}))
    return replace(trial, hyperparameters=trial.hyperparameters | {raised.name: value})
