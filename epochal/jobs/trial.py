"""One trial: a copy of the code, perhaps with another number in nn.py, trained, measured and recorded."""

import shutil
import sys
import time
from dataclasses import replace

from epochal.analysis.hyperparameters import change_all, find_epochs, literals, unified_diff
from epochal.app import App
from epochal.errors import Reason, RunFailed
from epochal.folders import TrialFolder
from epochal.jobs.checkpoints import Handover, clear_old, hand_over, hand_over_from
from epochal.jobs.log import log
from epochal.jobs.plan import Plan
from epochal.jobs.progress import OnEpoch, epoch_line, following
from epochal.jobs.strategy import Proposal
from epochal.records import Fit, Run, Step, Strategy, Trial, TrialState, Value
from epochal.results.accuracy import Choice, Told, choose_accuracy
from epochal.results.diagnosis import diagnose, tail
from epochal.results.gate import accuracy_in_words
from epochal.results.measurements import parse_measured
from epochal.results.metrics import parse_faults, parse_fits, parse_validates_on_test
from epochal.results.outputs import read_left_text
from epochal.results.printed import PrintedLines
from epochal.results.resume import continuation, settled_epochs, stopped_by
from epochal.runtimes.runtime import Outcome, Training
from epochal.runtimes.stop import Stop

_LAST_OUTPUT = 256 * 1024
"""Where a traceback is looked for: the accuracy may be followed by more output than that."""
_LONGEST_TEXT = 200
"""A longer text is no hyperparameter."""
_VALIDATES_ON_TEST = (
    "nn.py validates on its test data: what stops or chooses by its validation does so by the very data that it is then "
    "judged on, which flatters; keep some data apart (validation_split=0.1)"
)
_TESTS_ON_OTHER_ROWS = (
    "nn.py tests on other rows in each training, so it is never resumed, and each trial trains from the beginning. Seed its "
    "split: random_state=0, or shuffle(…, seed=0, reshuffle_each_iteration=False); or do not shuffle what is tested on."
)
_MOST_EPOCHS = 2**31 - 1
"""What every database holds; the code that trains may write anything."""


def run_trial(
    app: App,
    run: Run,
    plan: Plan,
    proposal: Proposal,
    number: int,
    *,
    stop: Stop | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trial:
    """Train the run's code once as ``proposal`` has it, as trial ``number``, which was started, and measure it.

    ``on_epoch`` hears of each epoch as soon as it has ended; ``stop`` may end the training: it is PRUNED then. One that
    resumed onto another test set than its checkpoint's is trained again, from the beginning. Whatever comes of it is in the
    database; raises RunFailed if no accuracy did.
    """
    script = (app.home.run(run.id).code / "nn.py").read_bytes()
    trained = change_all(script, proposal.changes)
    folder = app.home.run(run.id).trial(number)
    stop, listen = stop or Stop(), on_epoch or (lambda epoch: log(f"  {epoch_line(epoch)}"))
    trial = Trial(number, TrialState.TRAINING, hyperparameters(trained), strategy=proposal.strategy)
    _prepare_folder(app, run, folder, script, trained)
    handover = _hand_over(app, run, number, proposal)
    try:
        trial, choice = _train(app, run, plan, proposal, trial, handover, stop, listen)
        if not stop.reason and _is_caught(trial, choice, handover):
            log(
                f"trial {number}: resumed, it was tested on other rows than {handover.source}: training from the beginning"
            )
            _prepare_folder(app, run, folder, script, trained)
            again = Handover(why=f"resumed from {handover.source}, it was tested on other rows (is its split seeded?)")
            trial = replace(trial, caught=True)
            trial, choice = _train(app, run, plan, proposal, trial, again, stop, listen)
        _tell_notes(app, run, trial, folder, choice)
        if stop.reason:
            return _pruned(app, run, trial, stop.reason)
        if isinstance(choice, RunFailed):
            raise choice
    except RunFailed as failure:
        reason, explanation = failure.reason, failure.explanation
        app.store.end_trial(run.id, replace(trial, state=TrialState.FAILED, reason=reason, explanation=explanation))
        raise
    accuracy = choice.accuracy
    trial = replace(
        trial,
        state=TrialState.MEASURED,
        accuracy=accuracy.value,
        accuracy_source=accuracy.source,
        samples=accuracy.samples,
        test_set=accuracy.test_set,
        test_rows=accuracy.test_rows,
        looks=accuracy.looks,
        evidence=accuracy.evidence,
    )
    if proposal.strategy is not Strategy.COMMITTED:
        trial = _settled(trial, folder, script, proposal)
    app.store.end_trial(run.id, trial)
    clear_old(app, run)
    if trial.continuation:
        log(f"trial {number}: {trial.continuation}")
    log(f"trial {number}: accuracy {accuracy_in_words(accuracy.value, accuracy.samples)}, {accuracy.source.sentence}")
    return trial


def _train(
    app: App,
    run: Run,
    plan: Plan,
    proposal: Proposal,
    trial: Trial,
    handover: Handover,
    stop: Stop,
    on_epoch: OnEpoch,
) -> tuple[Trial, Choice | RunFailed]:
    """Train a trial whose folder is ready; returns it with its fits, and its accuracy or why it has none."""
    folder = app.home.run(run.id).trial(trial.number)
    printed = PrintedLines()
    with following(folder.metrics, on_epoch):
        app.store.mark(run.id, Step.TRAINING_STARTED, trial.number)
        training = Training(
            run.id,
            trial.number,
            folder,
            plan.image,
            proposal.stop_at,
            stop,
            lambda output: printed.feed(output, time.time()),
        )
        outcome = plan.runtime.train(training)
        printed.close()
        app.store.mark(run.id, Step.TRAINING_ENDED, trial.number)
    retrain = proposal.strategy is Strategy.MORE_EPOCHS or proposal.source is not None
    trial = replace(trial, seconds=(trial.seconds or 0.0) + outcome.seconds)
    trial = _learnt(trial, folder, handover, retrain=retrain)
    try:
        return trial, _measure(folder, outcome, printed, plan, run.notes)
    except RunFailed as failure:
        return trial, failure


def _is_caught(trial: Trial, choice: Choice | RunFailed, handover: Handover) -> bool:
    """Whether a trial resumed onto another test set than the one behind its checkpoints.

    Those of an interrupted trial have none yet: then it must be known that the test rows were not trained on.
    """
    if not trial.epochs_continued:
        return False
    if isinstance(choice, RunFailed):
        return choice.reason is Reason.NO_ACCURACY
    if handover.test_set is None:
        return not choice.accuracy.evidence.checked
    return choice.accuracy.test_set != handover.test_set


def start_trial(app: App, run: Run, proposal: Proposal) -> int:
    """Begin a trial of what is proposed, with a line that says so; returns its number."""
    script = (app.home.run(run.id).code / "nn.py").read_bytes()
    trained = hyperparameters(change_all(script, proposal.changes))
    number = app.store.start_trial(run.id, trained, proposal.strategy)
    log(f"trial {number}: training {in_words(proposal)}")
    return number


def in_words(proposal: Proposal) -> str:
    """How the trial's nn.py differs: ``with epochs = 30, filters = 64``."""
    changed = {constant: value for constant, value in proposal.changes.items() if value != constant.value}
    changes = ", ".join(f"{constant.name} = {value}" for constant, value in changed.items())
    return f"with {changes}" if changes else "as pushed"


def _hand_over(app: App, run: Run, number: int, proposal: Proposal) -> Handover:
    if proposal.source is not None:
        return hand_over_from(app, run, number, proposal.source)
    return Handover() if proposal.strategy is Strategy.SEARCH else hand_over(app, run, number)


def _pruned(app: App, run: Run, trial: Trial, reason: Reason) -> Trial:
    state = TrialState.FAILED if reason is Reason.INTERRUPTED else TrialState.PRUNED
    trial = replace(trial, state=state, reason=reason, explanation=reason.sentence)
    app.store.end_trial(run.id, trial)
    return trial


def hyperparameters(script: bytes) -> dict[str, Value]:
    """What a trial trains with: nn.py's constants, and its epochs wherever they stand."""
    found = {constant.name: constant.value for constant in literals(script) if _can_be_kept(constant.value)}
    epochs = find_epochs(script)
    return found | ({epochs.name: epochs.value} if epochs else {})


def _can_be_kept(value: Value) -> bool:
    """Whether every database and JSON can hold it: what they cannot is nothing that is tuned."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable()
    return abs(value) <= sys.float_info.max


def _prepare_folder(app: App, run: Run, folder: TrialFolder, script: bytes, trained: bytes) -> None:
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(app.home.run(run.id).code, folder.code, symlinks=True)
    folder.out.mkdir()
    folder.checkpoints.mkdir()
    (folder.code / "nn.py").write_bytes(trained)
    _offer(folder, script, trained)


def _offer(folder: TrialFolder, script: bytes, changed: bytes) -> None:
    for path in (folder.script, folder.diff):
        path.unlink(missing_ok=True)
    if changed != script:
        folder.script.write_bytes(changed)
        folder.diff.write_text(unified_diff(script, changed, "nn.py"), encoding="utf-8")


def _learnt(trial: Trial, folder: TrialFolder, handover: Handover, *, retrain: bool) -> Trial:
    """Return the trial with what its fits did."""
    fits = _fits(folder)
    return replace(
        trial,
        epochs_trained=sum(fit.trained for fit in fits) if fits else None,
        epochs_continued=min(sum(fit.continued for fit in fits), _MOST_EPOCHS),
        continuation=continuation(fits, handover.source, handover.why, retrain=retrain),
        validation_accuracy=fits[-1].validation_accuracy if fits else None,
        stopped_by=stopped_by(fits),
        validates_on_test=parse_validates_on_test(_metrics(folder)),
    )


def _tell_notes(app: App, run: Run, trial: Trial, folder: TrialFolder, choice: Choice | RunFailed) -> None:
    faults = [f"trial {trial.number}: the recorder failed: {fault}" for fault in parse_faults(_metrics(folder))]
    notes = faults + [_VALIDATES_ON_TEST] * trial.validates_on_test + [_TESTS_ON_OTHER_ROWS] * trial.caught
    if isinstance(choice, Choice):
        notes += choice.notes
    for note in app.store.add_notes(run.id, notes) if notes else ():
        log(f"note: {note}")


def _settled(trial: Trial, folder: TrialFolder, script: bytes, proposal: Proposal) -> Trial:
    """The trial as it is to be adopted: one that stopped at the threshold needs no more epochs than it trained."""
    constant = find_epochs(script)
    if constant is None:
        return trial
    wanted = int(proposal.changes.get(constant, constant.value))
    epochs = settled_epochs(_fits(folder), wanted)
    if epochs == wanted:
        return trial
    settled = change_all(script, {**proposal.changes, constant: epochs})
    _offer(folder, script, settled)
    return replace(trial, hyperparameters=trial.hyperparameters | {constant.name: epochs})


def _fits(folder: TrialFolder) -> list[Fit]:
    return parse_fits(_metrics(folder))


def _metrics(folder: TrialFolder) -> str:
    return read_left_text(folder.metrics) or ""


def _measure(
    folder: TrialFolder, outcome: Outcome, printed: PrintedLines, plan: Plan, notes: tuple[str, ...]
) -> Choice:
    log = _log(folder)
    failure = diagnose(outcome.exit_status, outcome.reason, log[-_LAST_OUTPUT:], has_network=plan.runtime.has_network)
    if failure:
        reason, explanation = failure
        told = " ".join([explanation, *notes])
        raise RunFailed(reason, told, tail(log))
    metrics = _metrics(folder)
    told_by = Told(read_left_text(folder.accuracy), parse_measured(metrics), printed, parse_fits(metrics))
    try:
        return choose_accuracy(told_by, plan.settings.metric, repeated_rows=plan.settings.repeated_rows)
    except RunFailed as failure_to_measure:
        detail = failure_to_measure.detail or tail(log)
        raise RunFailed(failure_to_measure.reason, failure_to_measure.explanation, detail) from None


def _log(folder: TrialFolder) -> str:
    if not folder.log.exists():  # the training ended before it could be started
        return ""
    return folder.log.read_bytes().decode("utf-8", "replace")  # limits.log_mb at the most
