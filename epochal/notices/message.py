"""The mail about a run's end: one decisive sentence first, then everything that it rests on. Values in, bytes out."""

import email.policy
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import jinja2

from epochal.notices.wording import best_of_threshold, change_title, decisive_sentence, headline, trial_table
from epochal.records import Run

# RFC 2045, 6.7 and RFC 2047, 2: no line of quoted-printable, and none with an encoded word, is longer than that.
_SMTP = email.policy.SMTP.clone(max_line_length=76)
# Quoted-printable never has an underscore behind an equals sign (RFC 2045, 6.7): no text can hold this boundary.
_BOUNDARY = "=_epochal"
_WIDTH = 78
_LONGEST_NAME = 60
_LONGEST_LINE = 300
_MOST_LINES = 60
# What has no place in a text for people: control characters (a terminal obeys them), and those that turn the writing's
# direction, with which a line shows something else than it says.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BROKEN_IN_HEADERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class Report:
    """What the mail tells: the ended run, and what its folder says.

    ``repository`` is its name for people; ``model`` and ``log`` are the best trial's; ``diff`` is the change of nn.py
    to adopt (unified, empty if none), ``adopt`` the same in words (``epochs = 20 → 30``); ``minutes`` of the whole run.
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
    """The mail: plain text, and the same as simple HTML. The same report gives the same bytes.

    Takes any text in ``report``: none can add a header, a recipient or markup, nor pass for another line of the mail.
    """
    message = EmailMessage(policy=_SMTP)
    message["From"] = _one_line(sender)
    message["To"] = _one_line(", ".join(recipients)) or "undisclosed-recipients:;"
    message["Subject"] = _subject(report)
    message["Date"] = format_datetime(report.run.ended or report.run.created)
    message["Message-ID"] = _one_line(message_id)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(_render("mail.txt.j2", report), cte="quoted-printable")
    message.add_alternative(_render("mail.html.j2", report), subtype="html", cte="quoted-printable")
    message.set_boundary(_BOUNDARY)
    return message


def serialise(message: EmailMessage) -> bytes:
    """The message as bytes (RFC 5322), which stay the same however often they are sent."""
    return message.as_bytes(policy=_SMTP)


def _subject(report: Report) -> str:
    """What came of it, then of what. Long names are cut, so that the commit behind them is not."""
    commit = report.run.commit
    names = (_cut(_one_line(name), _LONGEST_NAME) for name in (report.repository, commit.branch))
    return _one_line(f"{headline(report.run)} · {' '.join(names)} {commit.sha[:7]}")


def _render(name: str, report: Report) -> str:
    run = report.run
    text = _TEMPLATES.get_template(name).render(
        report=report,
        run=run,
        headline=headline(run),
        sentence=decisive_sentence(run, report.adopt),
        facts=_facts(report),
        table=trial_table(run),
        change=change_title(run),
        places=_places(report),
    )
    return _UNREADABLE.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def _facts(report: Report) -> dict[str, str]:
    run, commit = report.run, report.run.commit
    source = run.best.accuracy_source if run.best else None
    facts = {
        "repository": report.repository,
        "branch": commit.branch,
        "commit": f"{commit.sha[:7]} · {commit.sha}",
        "author": f"{commit.author_name} <{commit.author_email}>" if commit.author_email else commit.author_name,
        "accuracy": f"{best_of_threshold(run)}, {source.sentence}" if source else "",
        "framework": f"{run.framework} ({run.framework_why})" if run.framework else "",
        "time": f"{report.minutes:.1f} minutes",
    }
    return _told(facts)


def _places(report: Report) -> dict[str, str]:
    no_model = "nn.py saved none" if report.run.best else ""
    places = {
        "model": str(report.model or no_model),
        "log": str(report.log or ""),
        "folder": str(report.folder),
        "build": report.run.build_url or "",
    }
    return _told(places)


def _told(facts: dict[str, str]) -> dict[str, str]:
    return {name: _cut(_one_line(value), _LONGEST_LINE) for name, value in facts.items() if value}


def _one_line(text: str) -> str:
    """``text`` on one line and fit for a header: no control characters, no separators of lines, no lone surrogates.

    Nor encoded words (RFC 2047): Python decodes those that it is given, line ends in them included.
    """
    kept = (" " if unicodedata.category(character) in _BROKEN_IN_HEADERS else character for character in text)
    return " ".join("".join(kept).replace("=?", "= ?").split())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _lines(text: str) -> list[str]:
    """The lines of a text that somebody else wrote, so many and so long as a mail can bear; some may be empty."""
    lines = [_cut(line, _LONGEST_LINE) for line in text.strip("\r\n").splitlines()]
    return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], f"… ({len(lines) - _MOST_LINES} more lines)"]


def _indented(text: str) -> str:
    return textwrap.indent("\n".join(_lines(text)), "    ")


def _wrapped(text: str, indent: int = 0) -> str:
    """``text`` in lines of a terminal's width, the later ones indented; a word that is longer (a path) stays whole."""
    wrapper = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * indent
    return "\n".join(wrapper.fill(line) for line in _lines(text))


def _columns(table: Sequence[Sequence[str]]) -> list[str]:
    """A table in lines: numbers to the right, the words of the last two columns to the left."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    numbers = len(widths) - 2
    return [
        "  ".join(
            cell.rjust(width) if index < numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.filters |= {"lines": _lines, "indented": _indented, "wrapped": _wrapped, "columns": _columns}
