"""One trial: a copy of the code, perhaps with another number in nn.py, trained, measured and recorded."""

import shutil
import sys
from dataclasses import replace

from epochal.accuracy import read_accuracy
from epochal.continuation import continuation, settled_epochs, stopped_by
from epochal.diagnosis import diagnose, tail
from epochal.errors import RunFailed
from epochal.folders import TrialFolder
from epochal.hyperparameters import change, constants, find_epochs, unified_diff
from epochal.jobs.checkpoints import clear_old, hand_over
from epochal.jobs.job import Job, tell
from epochal.jobs.left_files import read_left_text
from epochal.jobs.progress import epoch_line, following
from epochal.metrics import parse_epochs, parse_faults, parse_fits, parse_scores
from epochal.moments import Step
from epochal.records import Accuracy, Fit, Run, Trial, TrialState
from epochal.runtimes import Outcome, Runtime, Training
from epochal.strategies.more_epochs import Raise

_LAST_OUTPUT = 256 * 1024
"""Where a traceback is looked for: the accuracy may be followed by more output than that."""
_MOST_EPOCHS = 2**31 - 1
"""What every database holds; the code that trains may write anything."""


def run_trial(job: Job, run: Run, runtime: Runtime, image: str, raised: Raise | None = None) -> Trial:
    """Train the run's code once, with ``raised`` epochs or as it was pushed, and measure it.

    Whatever comes of it is in the database; raises RunFailed if no accuracy did.
    """
    script = (job.home.run(run.id).code / "nn.py").read_bytes()
    trained = change(script, raised.constant, raised.epochs) if raised else script
    number = job.store.start_trial(run.id, _hyperparameters(trained))
    folder = job.home.run(run.id).trial(number)
    _prepare_folder(job, run, folder, script, trained)
    source = hand_over(job, run, number)
    tell(f"trial {number}: training" + (f" with {raised.constant.name} = {raised.epochs}" if raised else " as pushed"))
    trial = Trial(number, TrialState.TRAINING, _hyperparameters(trained))
    try:
        with following(folder.metrics, lambda epoch: tell(f"  {epoch_line(epoch)}")):
            job.store.mark(run.id, Step.TRAINING_STARTED, number)
            outcome = runtime.train(Training(run.id, number, folder, image, raised.stop_at if raised else None))
            job.store.mark(run.id, Step.TRAINING_ENDED, number)
        trial = _learnt(replace(trial, seconds=outcome.seconds), folder, source, retrain=raised is not None)
        _tell_faults(job, run, trial, folder)
        accuracy = _measure(folder, outcome, run.notes, has_network=runtime.has_network)
    except RunFailed as failure:
        reason, explanation = failure.reason, failure.explanation
        job.store.end_trial(run.id, replace(trial, state=TrialState.FAILED, reason=reason, explanation=explanation))
        raise
    trial = replace(trial, state=TrialState.MEASURED, accuracy=accuracy.value, accuracy_source=accuracy.source)
    if raised:
        trial = _settled(trial, folder, script, raised)
    job.store.end_trial(run.id, trial)
    clear_old(job, run)
    if trial.continuation:
        tell(f"trial {number}: {trial.continuation}")
    tell(f"trial {number}: accuracy {accuracy.value:.4g}, {accuracy.source.sentence}")
    return trial


def _hyperparameters(script: bytes) -> dict[str, int | float]:
    """The numbers that the trial trains with: nn.py's constants, and its epochs wherever they stand."""
    # What no database and no JSON can hold is nothing that is tuned.
    fits = [constant for constant in constants(script) if abs(constant.value) <= sys.float_info.max]
    found = {constant.name: constant.value for constant in fits}
    epochs = find_epochs(script)
    return found | ({epochs.name: epochs.value} if epochs else {})


def _prepare_folder(job: Job, run: Run, folder: TrialFolder, script: bytes, trained: bytes) -> None:
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(job.home.run(run.id).code, folder.code, symlinks=True)
    folder.out.mkdir()
    folder.checkpoints.mkdir()
    if trained != script:
        (folder.code / "nn.py").write_bytes(trained)
        _offer(folder, script, trained)


def _offer(folder: TrialFolder, script: bytes, changed: bytes) -> None:
    folder.script.write_bytes(changed)
    folder.diff.write_text(unified_diff(script, changed, "nn.py"), encoding="utf-8")


def _learnt(trial: Trial, folder: TrialFolder, source: str, *, retrain: bool) -> Trial:
    """The trial with what its fits tell; ``source``: where the checkpoints came from that it was given."""
    fits = _fits(folder)
    return replace(
        trial,
        epochs_trained=sum(fit.trained for fit in fits) if fits else None,
        epochs_continued=min(sum(fit.continued for fit in fits), _MOST_EPOCHS),
        continuation=continuation(fits, source, retrain=retrain),
        validation_accuracy=fits[-1].validation_accuracy if fits else None,
        stopped_by=stopped_by(fits),
    )


def _tell_faults(job: Job, run: Run, trial: Trial, folder: TrialFolder) -> None:
    notes = [f"trial {trial.number}: the recorder failed: {fault}" for fault in parse_faults(_metrics(folder))]
    for note in notes:
        tell(f"note: {note}")
    if notes:
        job.store.change(run.id, notes=[*job.store.run(run.id).notes, *notes])


def _settled(trial: Trial, folder: TrialFolder, script: bytes, raised: Raise) -> Trial:
    """The trial as it is to be adopted: one that stopped at the threshold needs no more epochs than it trained."""
    epochs = settled_epochs(_fits(folder), raised.epochs)
    if epochs in (raised.epochs, raised.constant.value):
        return trial
    _offer(folder, script, change(script, raised.constant, epochs))
    return replace(trial, hyperparameters=trial.hyperparameters | {raised.constant.name: epochs})


def _fits(folder: TrialFolder) -> list[Fit]:
    return parse_fits(_metrics(folder))


def _metrics(folder: TrialFolder) -> str:
    return read_left_text(folder.metrics) or ""


def _measure(folder: TrialFolder, outcome: Outcome, notes: tuple[str, ...], *, has_network: bool) -> Accuracy:
    log = _log(folder)
    failure = diagnose(outcome.exit_status, outcome.reason, log[-_LAST_OUTPUT:], has_network=has_network)
    if failure:
        reason, explanation = failure
        told = " ".join([explanation, *notes])
        raise RunFailed(reason, told, tail(log))
    metrics = _metrics(folder)
    try:
        return read_accuracy(read_left_text(folder.accuracy), log, parse_scores(metrics), parse_epochs(metrics))
    except RunFailed as failure_to_measure:
        detail = failure_to_measure.detail or tail(log)
        raise RunFailed(failure_to_measure.reason, failure_to_measure.explanation, detail) from None


def _log(folder: TrialFolder) -> str:
    if not folder.log.exists():  # the training ended before it could be started
        return ""
    return folder.log.read_bytes().decode("utf-8", "replace")  # limits.log_mb at the most
