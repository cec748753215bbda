"""The mail about a run's end: one decisive sentence first, then everything that it rests on. Values in, bytes out."""

import email.policy
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jinja2

from epochal.records import Run, State, Trial

_LONGEST_SUBJECT = 150
_SMTP = email.policy.SMTP.clone(max_line_length=998)  # RFC 5322, 2.1.1: lines may be that long; subjects are kept short


@dataclass(frozen=True)
class Report:
    """What the mail tells: the ended run, and what its folder says.

    ``diff`` is the change of nn.py to adopt (empty if none), ``adopt`` the same in words (``epochs = 20 → 30``).
    """

    run: Run
    repository: str
    folder: Path
    model: Path | None
    log: Path | None
    diff: str
    minutes: float
    adopt: tuple[str, ...]


def compose(report: Report, sender: str, recipients: Sequence[str], message_id: str) -> EmailMessage:
    """The mail: plain text, and the same as simple HTML. Everything but its texts is safe from what a commit says."""
    message = EmailMessage(policy=_SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients) or "undisclosed-recipients:;"
    message["Subject"] = _header(subject(report))
    message["Date"] = format_datetime(report.run.ended or report.run.created)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(_text(_render("mail.txt.j2", report)), cte="quoted-printable")
    message.add_alternative(_text(_render("mail.html.j2", report)), subtype="html", cte="quoted-printable")
    return message


def serialise(message: EmailMessage) -> bytes:
    """The message as bytes (RFC 5322), which stay the same however often they are sent."""
    return message.as_bytes(policy=_SMTP)


def subject(report: Report) -> str:
    """The subject's text: what came of it, then of what."""
    commit = report.run.commit
    return f"{headline(report.run)} · {report.repository} {commit.branch} {commit.sha[:7]}"


def headline(run: Run) -> str:
    """What came of the run: ``Threshold Accuracy Reached!!! 0.831 of 0.80``."""
    if run.state is State.REACHED:
        return f"Threshold Accuracy Reached!!! {_of_threshold(run)}"
    if run.state is State.EXHAUSTED:
        return f"Threshold not reached: best {_of_threshold(run)}"
    return f"Training failed: {run.reason.value.replace('_', ' ') if run.reason else 'no reason is known'}"


def _of_threshold(run: Run) -> str:
    if run.best is None or run.best.accuracy is None or run.threshold is None:
        return "no accuracy"
    accuracy, threshold = compare(run.best.accuracy, run.threshold)
    return f"{accuracy} of {threshold}"


def compare(accuracy: float, threshold: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes that they show what the gate saw: 0.7996 is not 0.800."""
    for digits in range(3, 17):
        shown = f"{accuracy:.{digits}f}"
        if (float(shown) >= threshold) == (accuracy >= threshold):
            break
    return shown, f"{threshold:.2f}" if round(threshold, 2) == threshold else f"{threshold:g}"


def _first_sentence(run: Run) -> str:
    trials = f"{len(run.trials)} trial{'s' if len(run.trials) != 1 else ''}"
    if run.state is State.REACHED:
        return f"The accuracy is {_of_threshold(run)}: reached, after {trials}."
    if run.state is State.EXHAUSTED:
        return f"The threshold was not reached: the best accuracy is {_of_threshold(run)}, after {trials}. {run.explanation}"
    return f"The training failed: {run.explanation}"


def _render(name: str, report: Report) -> str:
    run = report.run
    return _TEMPLATES.get_template(name).render(
        report=report,
        run=run,
        commit=run.commit,
        first_sentence=_first_sentence(run),
        headline=headline(run),
        source=run.best.accuracy_source.sentence if run.best and run.best.accuracy_source else "",
        rows=[_row(trial) for trial in run.trials],
        message=run.commit.message.strip(),
        author=f"{run.commit.author_name} <{run.commit.author_email}>" if run.commit.author_email else "",
    )


def _row(trial: Trial) -> dict[str, str]:
    epochs = trial.epochs_trained or trial.hyperparameters.get("epochs")
    return {
        "number": str(trial.number),
        "epochs": str(epochs) if epochs is not None else "-",
        "accuracy": f"{trial.accuracy:.4g}" if trial.accuracy is not None else "-",
        "seconds": f"{trial.seconds:.1f}" if trial.seconds is not None else "-",
        "state": trial.reason.value.replace("_", " ") if trial.reason else trial.state.value,
    }


def _header(text: str) -> str:
    """``text`` on one line: no control characters, no line or paragraph separators, no lone surrogates, not too long."""
    kept = "".join(" " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character for character in text)
    return " ".join(kept.split())[:_LONGEST_SUBJECT]


def _text(text: str) -> str:
    """A body without what no mail may hold: NUL, bare carriage returns, lone surrogates."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", whole.replace("\r\n", "\n").replace("\r", "\n"))


def _indent(text: Any) -> str:
    return "\n".join(f"    {line}" for line in str(text).splitlines())


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.filters["indented"] = _indent
