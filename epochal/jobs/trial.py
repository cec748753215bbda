"""One trial: a copy of the code, perhaps with another number in nn.py, trained, measured and recorded."""

import shutil
import sys
from dataclasses import replace

from epochal.accuracy import parse_epochs, read_accuracy
from epochal.diagnosis import diagnose, tail
from epochal.errors import RunFailed
from epochal.folders import TrialFolder
from epochal.hyperparameters import change, constants, find_epochs, unified_diff
from epochal.jobs.job import Job, tell
from epochal.jobs.left_files import read_left_text
from epochal.jobs.progress import epoch_line, following
from epochal.moments import Step
from epochal.records import Accuracy, Run, Trial, TrialState
from epochal.runtimes import Outcome, Runtime, Training
from epochal.strategies.more_epochs import Raise

_LAST_OUTPUT = 256 * 1024
"""Where a traceback is looked for: the accuracy may be followed by more output than that."""


def run_trial(job: Job, run: Run, runtime: Runtime, image: str, raised: Raise | None = None) -> Trial:
    """Train the run's code once, with ``raised`` epochs or as it was pushed, and measure it.

    Whatever comes of it is in the database; raises RunFailed if no accuracy did.
    """
    script = (job.home.run(run.id).code / "nn.py").read_bytes()
    changed = change(script, raised.constant, raised.epochs) if raised else script
    number = job.store.start_trial(run.id, _hyperparameters(changed))
    folder = job.home.run(run.id).trial(number)
    _prepare_folder(job, run, folder, script, changed)
    tell(f"trial {number}: training" + (f" with {raised.constant.name} = {raised.epochs}" if raised else " as pushed"))
    trial = Trial(number, TrialState.TRAINING, {})
    try:
        with following(folder.metrics, lambda epoch: tell(f"  {epoch_line(epoch)}")):
            job.store.mark(run.id, Step.TRAINING_STARTED, number)
            outcome = runtime.train(Training(run.id, number, folder, image))
            job.store.mark(run.id, Step.TRAINING_ENDED, number)
        trial = replace(trial, seconds=outcome.seconds, epochs_trained=_epochs_trained(folder))
        accuracy = _measure(folder, outcome, run.notes, has_network=runtime.has_network)
    except RunFailed as failure:
        reason, explanation = failure.reason, failure.explanation
        job.store.end_trial(run.id, replace(trial, state=TrialState.FAILED, reason=reason, explanation=explanation))
        raise
    trial = replace(trial, state=TrialState.MEASURED, accuracy=accuracy.value, accuracy_source=accuracy.source)
    job.store.end_trial(run.id, trial)
    tell(f"trial {number}: accuracy {accuracy.value:.4g}, {accuracy.source.sentence}")
    return trial


def _hyperparameters(script: bytes) -> dict[str, int | float]:
    """The numbers that the trial trains with: nn.py's constants, and its epochs wherever they stand."""
    # What no database and no JSON can hold is nothing that is tuned.
    fits = [constant for constant in constants(script) if abs(constant.value) <= sys.float_info.max]
    found = {constant.name: constant.value for constant in fits}
    epochs = find_epochs(script)
    return found | ({epochs.name: epochs.value} if epochs else {})


def _prepare_folder(job: Job, run: Run, folder: TrialFolder, script: bytes, changed: bytes) -> None:
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(job.home.run(run.id).code, folder.code, symlinks=True)
    folder.out.mkdir()
    if changed != script:
        (folder.code / "nn.py").write_bytes(changed)
        folder.diff.write_text(unified_diff(script, changed, "nn.py"), encoding="utf-8")


def _epochs_trained(folder: TrialFolder) -> int | None:
    return len(parse_epochs(read_left_text(folder.metrics) or "")) or None


def _measure(folder: TrialFolder, outcome: Outcome, notes: tuple[str, ...], *, has_network: bool) -> Accuracy:
    log = _log(folder)
    failure = diagnose(outcome.exit_status, outcome.reason, log[-_LAST_OUTPUT:], has_network=has_network)
    if failure:
        reason, explanation = failure
        told = " ".join([explanation, *notes])
        raise RunFailed(reason, told, tail(log))
    try:
        return read_accuracy(read_left_text(folder.accuracy), log, parse_epochs(read_left_text(folder.metrics) or ""))
    except RunFailed as failure_to_measure:
        detail = failure_to_measure.detail or tail(log)
        raise RunFailed(failure_to_measure.reason, failure_to_measure.explanation, detail) from None


def _log(folder: TrialFolder) -> str:
    if not folder.log.exists():  # the training ended before it could be started
        return ""
    return folder.log.read_bytes().decode("utf-8", "replace")  # limits.log_mb at the most
