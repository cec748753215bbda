"""Measure a trial after its training: choose the accuracy that counts, or explain why the trial has no accuracy."""

import re
from dataclasses import replace

from epochal.analysis.calls import find_used_texts
from epochal.analysis.findings import find_uncalled_functions
from epochal.analysis.frameworks import frameworks
from epochal.analysis.script import Script
from epochal.analysis.syntax import last_name
from epochal.errors import Reason, RunFailed
from epochal.folders import TrialFolder
from epochal.jobs.active_run import ActiveRun
from epochal.results.accuracy import Choice, Findings, choose_accuracy, explain_empty_test
from epochal.results.diagnosis import (
    diagnose,
    explain_exceptions,
    explain_missing_subcommand,
    explain_printed_exceptions,
    shows_usage,
    tail,
)
from epochal.results.ending import Ending, Endings, parse_endings
from epochal.results.epochs import count_epochs
from epochal.results.exceptions import Frame
from epochal.results.gate import is_above_chance
from epochal.results.metrics import parse_events
from epochal.results.outputs import read_metrics
from epochal.results.own_gate import find_own_gate
from epochal.results.remedies import Origin
from epochal.results.swallowed import describe_last_swallowed_fit, find_swallowed_fit
from epochal.runtimes.runtime import Outcome

_LAST_OUTPUT = 256 * 1024
"""How many characters at the end of the log are searched for a traceback."""


def measure(active: ActiveRun, folder: TrialFolder, outcome: Outcome, findings: Findings) -> Choice:
    """Return the accuracy that counts, chosen from ``findings``, with notes for the developer.

    Raises RunFailed if training failed or yielded no accuracy. If the script was exported from a notebook, the notes
    and the error's explanation name the cells of the notebook.
    """
    script = active.script
    try:
        choice = _measure(active, folder, outcome, findings)
    except RunFailed as failure:
        raise RunFailed(failure.reason, script.name_cells(failure.explanation), failure.detail) from None
    evidence = choice.accuracy.evidence
    evidence = replace(evidence, unchecked=script.name_cells(evidence.unchecked))
    return Choice(replace(choice.accuracy, evidence=evidence), tuple(map(script.name_cells, choice.notes)))


def _measure(active: ActiveRun, folder: TrialFolder, outcome: Outcome, findings: Findings) -> Choice:
    output = ""
    if folder.log.exists():  # there is no log if training was stopped before it started
        output = folder.log.read_bytes().decode("utf-8", "replace")  # at most limits.log_mb
    # A notebook's export is only in the trial's copy of the code.
    code = folder.code if active.script.notebook else active.folder.code
    memory_mb = active.app.settings.limits.memory_mb
    origin = Origin(code, active.script.path, active.plan.runtime.has_network, memory_mb)
    endings = parse_endings(read_metrics(folder.metrics))
    failure = diagnose(outcome.exit_status, outcome.reason, output[-_LAST_OUTPUT:], origin, endings)
    if failure and outcome.reason is Reason.TIMED_OUT:
        explanation = _explain_time_limit(active, folder, output)
        if endings.children:
            explanation += f" {_explain_child(endings, origin)[1]}"
        failure = Reason.TIMED_OUT, explanation
    if failure and failure[0] is Reason.SCRIPT_ERROR and (empty := explain_empty_test(findings)):
        failure = failure[0], f"{failure[1]} {empty}"
    note = _explain_end(active.script, outcome, endings.script, findings, origin)
    if failure and not note:
        raise _fail(active, *failure, output)
    may_train = _may_have_trained(active, read_metrics(folder.metrics), output)
    missing = "" if may_train else explain_missing_subcommand(origin)
    findings = replace(findings, hidden=missing or active.plan.code.explain_hidden_accuracy(output))
    try:
        choice = _choose(active, findings, output, origin, endings)
    except RunFailed as failure_to_measure:
        if failure:
            raise _fail(active, *failure, output) from None
        detail = failure_to_measure.detail or tail(output)
        raise RunFailed(failure_to_measure.reason, failure_to_measure.explanation, detail) from None
    return replace(choice, notes=(*choice.notes, note)) if note else choice


def _may_have_trained(active: ActiveRun, metrics_jsonl: str, output: str) -> bool:
    """Return whether the recorder saw training or a measurement, or whether the output may come from training.

    The recorder does not observe training with some frameworks. For these, any output counts, unless it contains a
    usage message.
    """
    kinds = {str(event.get("event")) for event in parse_events(metrics_jsonl)}
    if kinds - {"ended", "threads"} or count_epochs(metrics_jsonl, output):
        return True
    framework = frameworks().get(active.plan.code.detection.framework)
    is_recorded = framework is not None and bool(framework.RECORDER.measures)
    return not is_recorded and bool(output.strip()) and not shows_usage(output.splitlines())


def _choose(active: ActiveRun, findings: Findings, output: str, origin: Origin, endings: Endings) -> Choice:
    settings = active.plan.settings
    if swallowed := find_swallowed_fit(endings.failed_fits, findings, origin):
        raise RunFailed(*swallowed)
    failed_fit = describe_last_swallowed_fit(endings.failed_fits, findings, origin)
    try:
        choice = choose_accuracy(findings, settings.metric, repeated_rows=settings.repeated_rows)
    except RunFailed as failure:
        if failure.reason is Reason.NO_ACCURACY and not findings.recorded.measurements:
            _raise_caught_exception(endings, output, origin)
            for uncalled in find_uncalled_functions(
                active.plan.code.sources, active.folder.code, active.plan.code.files
            ):
                raise RunFailed(failure.reason, f"{uncalled.message} {uncalled.remedy}") from None
        if failure.reason is Reason.NO_ACCURACY and failed_fit:
            raise RunFailed(failure.reason, f"{failure.explanation} {failed_fit}", failure.detail) from None
        raise
    is_doubtful = failed_fit and not is_above_chance(choice.accuracy)
    return replace(choice, notes=(*choice.notes, failed_fit)) if is_doubtful else choice


def _raise_caught_exception(endings: Endings, output: str, origin: Origin) -> None:
    """Raise RunFailed if the script printed an exception that it caught, or if an exception ended a child process."""
    if endings.children:
        raise RunFailed(*_explain_child(endings, origin))
    if printed := explain_printed_exceptions(output[-_LAST_OUTPUT:], origin):
        reason, explanation = printed
        raise RunFailed(
            reason, f"{origin.script} printed an exception and ended without reporting an accuracy. {explanation}"
        )


def _explain_child(endings: Endings, origin: Origin) -> tuple[Reason, str]:
    """Return the reason and an explanation for the exception that ended the last of the failed child processes."""
    reason, explanation = explain_exceptions(endings.children[-1], origin)
    return reason, f"A Python process that {origin.script} started has failed. {explanation}"


def _explain_time_limit(active: ActiveRun, folder: TrialFolder, output: str) -> str:
    """State the time limit that training exceeded, how far it got, and what to do."""
    trained, reached = count_epochs(read_metrics(folder.metrics), output), ""
    if trained and not trained.are_iterations:
        last = max(trained.targets)
        reached = f" after epoch {trained.total}" + (f" of {last}" if last > trained.total else "")
    limit = f"{active.app.settings.limits.minutes:g} min"
    return f"Training exceeded its time limit ({limit}){reached}. {Reason.TIMED_OUT.remedy}"


def _explain_end(script: Script, outcome: Outcome, ending: Ending | None, findings: Findings, origin: Origin) -> str:
    """Return a note if the script did not end normally but its accuracy may still count; otherwise an empty string.

    It may count if the script deliberately ended with an error after measuring it, or left threads running.
    """
    if ending is None:
        return ""
    if gate := find_own_gate(outcome.exit_status, ending, origin):
        return (
            f"{origin.script} had already measured the accuracy when {gate.place} ended the script with exit status "
            f"{outcome.exit_status}. The accuracy counts, not the exit status."
        )
    if ending.threads or (outcome.reason is Reason.TIMED_OUT and ending.status == 0):
        if any(each.at > ending.at for each in findings.recorded.measurements):
            return ""  # a thread is still doing the work
        threads = "; ".join(_describe_thread(script, each) for each in ending.threads)
        which, them = ("threads", "them") if len(ending.threads) > 1 else ("a thread", "it")
        return (
            f"{origin.script} finished, but {which} that it had started kept running{f': {threads}' if threads else ''}. "
            f"This does not affect the verdict. Create {them} with daemon=True, so that the script does not wait for {them}."
        )
    return ""


def _describe_thread(script: Script, function: Frame) -> str:
    """Return a thread's function, with the line that creates the thread or, failing that, the line of the function."""
    for path, call in script.find_calls("Thread"):
        target = next((each.value for each in call.keywords if each.arg == "target"), None)
        if target is not None and last_name(target) == function.function:
            return f"{function.function}, in the thread created on line {call.lineno} of {path}"
    return f"{function.function} in {function.place}" if function.path else function.function


def _is_relevant(note: str, active: ActiveRun) -> bool:
    """Return whether a note is relevant to the script.

    A note about Git LFS files is relevant only if a string in the code may name one of the files or its folder.
    Strings that the code only prints do not count.
    """
    paths, _, text = note.partition(": ")
    if "Git LFS" not in text or paths.endswith(" more"):
        return True
    strings = [text for source in active.plan.code.sources for text in find_used_texts(source.tree)]
    words = {word for string in strings for word in re.split(r"[/\\]", string)}
    tops = {path.partition("/")[0] for path in paths.split(", ")}
    return bool(tops & words) or any("*" in word or word == "." for word in words)


def _fail(active: ActiveRun, reason: Reason, explanation: str, output: str) -> RunFailed:
    # A note begins with the files that it is about, which the explanation may have covered already.
    explanation = active.script.name_cells(explanation)
    notes = [
        note for note in active.run.notes if note.partition(":")[0] not in explanation and _is_relevant(note, active)
    ]
    return RunFailed(reason, " ".join([explanation, *notes]), tail(output))
