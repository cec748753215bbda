"""Compose the email about a run that has ended: first the result, then the facts behind it.

The functions read no files except the templates.
"""

import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from epochal.messages.mail.typesetting import (
    align_columns,
    indent_lines,
    split_lines,
    strip_control_characters,
    to_one_line,
    wrap_paragraph,
)
from epochal.messages.mail.wording import (
    describe_best_accuracy,
    describe_forecast,
    headline,
    result_sentence,
    resumption_notes,
    trial_table,
)
from epochal.records import Run, State
from epochal.results.wording import describe_certainty, describe_evidence

# The limit for lines of quoted-printable (RFC 2045, 6.7) and for header lines with an encoded word (RFC 2047, 2).
_SMTP = email.policy.SMTP.clone(max_line_length=76)
# Quoted-printable never has an underscore after an equals sign (RFC 2045, 6.7), so no text can contain this boundary.
_BOUNDARY = "=_epochal"
_MAX_NAME_LENGTH = 60
_MAX_FACT_LENGTH = 300
_MAX_PARAGRAPH_LENGTH = 3000


@dataclass(frozen=True)
class Report:
    """The content of an email: a run that has ended, and the files that were found in its folder.

    ``repository``: the short name to show. ``model``, ``log``, ``diff``: the saved model, the log and the change to
    the code (a unified diff, empty if nothing changed) of the best trial, or of the last one if no trial was measured.
    ``changes``: a string for each change in the best trial, such as ``epochs = 20 → 30``. ``minutes``: how long the
    whole run took.
    """

    run: Run
    repository: str
    folder: Path
    model: Path | None
    log: Path | None
    diff: str
    minutes: float
    changes: tuple[str, ...]


def compose(report: Report, sender: str, recipients: Sequence[str], message_id: str) -> EmailMessage:
    """Compose the email about a run whose state is REACHED, EXHAUSTED or FAILED, as plain text and as simple HTML.

    The same arguments always produce the same message. Text from a commit, a script or a log cannot add a header, a
    recipient or markup, and cannot be mistaken for a line that Epochal wrote.
    """
    message = EmailMessage(policy=_SMTP)
    message["From"] = to_one_line(sender)
    message["To"] = to_one_line(", ".join(recipients)) or "undisclosed-recipients:;"
    message["Subject"] = _subject(report)
    message["Date"] = format_datetime(report.run.ended or report.run.created)
    message["Message-ID"] = to_one_line(message_id)
    message["Auto-Submitted"] = "auto-generated"  # suppresses out-of-office replies (RFC 3834)
    text, html = _render(_collect_parts(report))
    message.set_content(strip_control_characters(text), cte="quoted-printable")
    message.add_alternative(strip_control_characters(html), subtype="html", cte="quoted-printable")
    message.set_boundary(_BOUNDARY)
    return message


def serialise(message: EmailMessage) -> bytes:
    """Return the message as bytes (RFC 5322), the same on every call."""
    return message.as_bytes(policy=_SMTP)


def _subject(report: Report) -> str:
    """Return the subject: outcome, repository, branch and commit. Long names are truncated to keep the commit ID visible."""
    commit = report.run.commit
    names = (to_one_line(name, _MAX_NAME_LENGTH) for name in (report.repository, commit.branch))
    reused = f", reused from run {report.run.reused_run}" if report.run.reused_run else ""
    return to_one_line(f"{headline(report.run)} · {' '.join(names)} {commit.sha[:7]}{reused}")


def _collect_parts(report: Report) -> dict[str, Any]:
    """Return the templates' variables. Each fact, note and path is one line; empty facts and paths are left out."""
    run, commit, best = report.run, report.run.commit, report.run.best
    facts = {
        "repository": report.repository,
        "branch": commit.branch,
        "commit": f"{commit.sha[:7]} · {commit.sha}",
        "author": f"{commit.author_name} <{commit.author_email}>" if commit.author_email else commit.author_name,
        "accuracy": describe_best_accuracy(run),
        "certainty": describe_certainty(best, run.threshold) if best and run.threshold else "",
        "forecast": describe_forecast(run),
        "framework": f"{run.framework} ({run.framework_why})" if run.framework else "",
        "time": f"{report.minutes:.1f} minutes",
    }
    places = {
        "model": str(report.model or (f"{run.script} saved no model" if best else "")),
        "log": str(report.log or ""),
        "folder": str(report.folder),
        "build": run.build_url or "",
    }
    evidence = " ".join(describe_evidence(best, run.threshold)) if best and run.threshold else ""
    change_heading = f"Changes in the {'best' if best else 'last'} trial"
    return {
        "report": report,
        "run": run,
        "headline": headline(run),
        "sentence": to_one_line(result_sentence(run, report.changes), _MAX_PARAGRAPH_LENGTH),
        "notes": [to_one_line(f"Note: {note}", _MAX_PARAGRAPH_LENGTH) for note in [*run.notes, *resumption_notes(run)]],
        "facts": {name: to_one_line(value, _MAX_FACT_LENGTH) for name, value in facts.items() if value},
        "evidence": to_one_line(evidence, _MAX_PARAGRAPH_LENGTH),
        "table": trial_table(run),
        "change": "Suggested change" if run.state is State.REACHED else change_heading,
        "places": {name: to_one_line(value, _MAX_FACT_LENGTH) for name, value in places.items() if value},
    }


def _render(parts: dict[str, Any]) -> tuple[str, str]:
    """Return the body of the email as plain text and as HTML."""
    # Import Jinja here, so that a job that sends no email starts faster.
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = (split_lines, indent_lines, wrap_paragraph, align_columns)
    templates.filters |= {function.__name__: function for function in filters}
    text, html = (templates.get_template(f"mail.{kind}.j2").render(parts) for kind in ("txt", "html"))
    return text, html
