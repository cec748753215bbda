"""End a run, and store its final state and the email about it in one transaction."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import make_msgid
from pathlib import Path

from epochal.analysis.frameworks import frameworks
from epochal.app import App
from epochal.commit import display_name
from epochal.errors import Reason
from epochal.jobs.log import log
from epochal.messages.mail.compose import Report, compose, serialise
from epochal.messages.recipients import choose_recipients
from epochal.records import Message, MessageState, Run, State, Trial, Value
from epochal.store.runs import load_run
from epochal.store.transitions import end_owned_run, end_unowned_run

_MAILED = frozenset({State.REACHED, State.EXHAUSTED, State.FAILED})


def end_run(
    app: App, number: int, state: State, reason: Reason | None = None, explanation: str = "", detail: str = ""
) -> None:
    """Give the run its final ``state``, and store the email about it, if one is due, in the same transaction.

    ``explanation`` and ``detail`` are shown to the user along with ``reason``. Raises the same errors as ``end_owned_run``.
    """
    run = load_run(app.database, number)
    store_end(app, replace(run, state=state, reason=reason, explanation=explanation, detail=detail))


def store_end(app: App, run: Run) -> None:
    """Record that ``run`` has just ended, and store the email about it. Raises the same errors as ``end_owned_run``."""
    ended = replace(run, ended=datetime.now(UTC))
    end_owned_run(app.database, ended, _compose_mail(app, ended))


def fail_stuck_run(app: App, number: int, reason: Reason, explanation: str) -> None:
    """End a run as FAILED because its jobs ended without a result too many times, and queue the email about it.

    Do nothing if a live process owns the run, or if the run has ended or has been asked to end.
    """
    run = load_run(app.database, number)
    failed = replace(run, state=State.FAILED, reason=reason, explanation=explanation, ended=datetime.now(UTC))
    end_unowned_run(app.database, failed, _compose_mail(app, failed))


def _compose_mail(app: App, run: Run) -> Message | None:
    mail = app.settings.mail
    if run.state not in _MAILED or app.environment.no_mail:
        return None
    message_id = make_msgid(idstring=f"run-{run.id}", domain=mail.sender.rpartition("@")[2])
    recipients = choose_recipients(mail, run.commit)
    problem = recipients.problem if mail.host else "no mail server is configured; set [mail] host in server.toml"
    state = MessageState.PENDING if mail.host and recipients.addresses else MessageState.UNADDRESSED
    if problem:
        log(f"mail: {'not sent: ' if state is MessageState.UNADDRESSED else ''}{problem}")
    message = serialise(compose(_build_report(app, run), mail.sender, recipients.addresses, message_id))
    return Message(run.id, message_id, mail.sender, recipients.addresses, message, state, problem)


def _build_report(app: App, run: Run) -> Report:
    folder, best = app.home.run(run.trained_by), run.best
    trial = best or (run.trials[-1] if run.trials else None)
    trial_folder = folder.trial(trial.number) if trial else None
    diff = trial_folder.diff if trial and trial_folder and run.changes(trial) else None
    adopted = run.changes(best) if best else {}
    return Report(
        run=run,
        repository=display_name(run.commit),
        folder=folder.path,
        model=find_saved_model(app, run, trial),
        log=trial_folder.log if trial_folder and trial_folder.log.exists() else None,
        diff=diff.read_text(encoding="utf-8") if diff and diff.exists() else "",
        minutes=((run.ended or run.created) - (run.started or run.created)).total_seconds() / 60,
        changes=tuple(_describe_change(run, name, value) for name, value in adopted.items()),
    )


def _describe_change(run: Run, name: str, value: Value) -> str:
    before = run.trials[0].hyperparameters.get(name)
    return f"{name} = {value}" if before is None else f"{name} = {before} → {value}"


def find_saved_model(app: App, run: Run, trial: Trial | None) -> Path | None:
    """Return the newest model file that the trial saved, or None.

    A model file has a suffix that one of the frameworks uses for models, and is not part of the commit.
    """
    if trial is None:
        return None
    folder = app.home.run(run.trained_by)
    pushed = {path.relative_to(folder.code) for path in folder.code.rglob("*")}
    code, out = folder.trial(trial.number).code, folder.trial(trial.number).out
    saved = [path for path in code.rglob("*") if path.relative_to(code) not in pushed] + list(out.rglob("*"))
    suffixes = {suffix for framework in frameworks().values() for suffix in framework.MODEL_SUFFIXES}
    models = [path for path in saved if path.suffix in suffixes and path.is_file() and not path.is_symlink()]
    return max(models, key=lambda path: path.stat().st_mtime, default=None)
