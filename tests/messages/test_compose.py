"""The email about a run: what it tells its reader, and that no text in it can break its format."""

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epochal.errors import Reason
from epochal.messages.mail.compose import Report, compose, serialise
from epochal.records import AccuracySource, Evidence, Forecast, State, Verdict
from epochal.results.gate import Rule, judge
from tests.messages import reports
from tests.trials import measured

SENDER = "epochal@example.org"
MESSAGE_ID = "<1772366400.run-7@example.org>"
HEADERS = ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"]
ENCODED_LINE_END = "=?utf-8?q?a=0D=0ABcc:_eve@example.net?="
INJECTIONS = [
    "\r\nBcc: eve@example.net",
    "\n\n--=_epochal\nContent-Type: text/html\n\n",
    ENCODED_LINE_END,
    "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?=",
    "\nrepository  eve/other",
    "\u2028branch      other",
    "\x85commit      0000000",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ run }}{% raw %}",
    ", eve@example.net",
    "\x00\x1b[2J",
    "\ud800",
    "\u202egpj",
    "ü" * 300,
    "word " * 300,
]
untrusted_text = st.one_of(
    st.text(st.characters()), st.lists(st.sampled_from([*INJECTIONS, " ", "main"]), max_size=6).map("".join)
)


def _compose_mail(report: Report) -> EmailMessage:
    """Return the email as its recipient gets it: composed, serialised and parsed again."""
    data = serialise(compose(report, SENDER, ["ada@example.com"], MESSAGE_ID))
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def _read_body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def _compose_text(report: Report) -> str:
    return _read_body(_compose_mail(report), "plain")


class _Tags(HTMLParser):
    """A parser that lists the elements and attributes of an HTML page in ``found``."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag, *(f"{tag}.{name}" for name, _ in attrs)]


@pytest.mark.parametrize(
    ("report", "subject", "first"),
    [
        (
            reports.reached(),
            "Threshold Accuracy Reached!!! 0.831 (threshold 0.80) · ada/digits main 3f2a1b9",
            "nn.py reached its threshold of 0.80: accuracy 0.831 with epochs = 20 → 30 (trial 2 of 2).",
        ),
        (
            replace(reports.reached(), run=reports.run(State.REACHED, reports.trial(1, 0.9)), changes=(), diff=""),
            "Threshold Accuracy Reached!!! 0.900 (threshold 0.80) · ada/digits main 3f2a1b9",
            "nn.py reached its threshold of 0.80: accuracy 0.900 as committed (trial 1 of 1).",
        ),
        (
            reports.exhausted(),
            "Threshold not reached: best 0.771 (threshold 0.80) · ada/digits main 3f2a1b9",
            "nn.py did not reach its threshold of 0.80: the best accuracy was 0.771 with epochs = 20 → 30 (trial 2 of 3). "
            "The run had as many trials as max_trials = 3 allows.",
        ),
        (
            reports.failed(),
            "Training failed: out of memory · ada/digits main 3f2a1b9",
            "Training failed: out of memory. "
            "The training needed more memory than the server allows: a smaller batch needs less.",
        ),
        (
            reports.reused_run(),
            "Threshold not reached: best 0.771 (threshold 0.80) · ada/digits main 3f2a1b9, reused from run 5",
            "nn.py did not reach its threshold of 0.80: the best accuracy was 0.771 with epochs = 20 → 30 (trial 2 of run 5). "
            "The run had as many trials as max_trials = 3 allows. "
            "This commit changes nothing that affects the verdict of run 5, so the verdict was reused and nothing was "
            "trained. To make sure that the verdict was not due to chance, train again with epochal run --force.",
        ),
        (
            reports.adopted(),
            "Threshold Accuracy Reached!!! 0.831 (threshold 0.80) · ada/digits main 3f2a1b9, reused from run 5",
            "nn.py reached its threshold of 0.80: accuracy 0.831 as committed (trial 2 of run 5). "
            "This commit adopts the change that run 5 suggested, so the verdict was reused and nothing was "
            "trained. To make sure that the verdict was not due to chance, train again with epochal run --force.",
        ),
    ],
    ids=["reached", "reached as committed", "exhausted", "failed", "reused", "adopted"],
)
def test_subject_and_first_sentence_give_the_verdict(report: Report, subject: str, first: str) -> None:
    """The subject also gives the commit. Text and HTML both start with the sentence, so nobody has to read on."""
    mail = _compose_mail(report)
    assert mail["Subject"] == subject
    assert _read_body(mail, "plain").split("\n\n")[0].split() == first.split()
    assert first in _read_body(mail, "html")


def test_exhausted_run_gives_the_forecast() -> None:
    """The line is left out if there is no forecast, or if the explanation already gives it."""
    report = reports.exhausted()
    forecast = Forecast(0.8, 200, 0.84, 0.02, expected=47, earliest=41, latest=58)
    *others, last = report.run.trials
    run = replace(report.run, trials=(*others, replace(last, forecast=forecast)))
    assert (
        "forecast    the accuracy that counts: 0.80 is expected at epoch 47 (90%\n            interval: 41 to 58)\n"
        in _compose_text(replace(report, run=run))
    )
    assert "forecast" not in _compose_text(replace(report, run=replace(run, reason=Reason.LEVELS_OFF)))
    assert "forecast" not in _compose_text(report)


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_both_parts_have_all_facts(kind: str) -> None:
    """The facts include the repository, commit, accuracy, change, notes, minutes, and where to find the rest."""
    body = _read_body(_compose_mail(reports.reached()), kind)
    for fact in (
        "ada/digits",
        "main",
        reports.SHA,
        "Ada Lovelace",
        "Fewer filters",
        "They were many.",
        "0.831 (threshold 0.80), from the script",
        "nn.py line 1 imports keras",
        "1.9 minutes",
        "Suggested change",
        "epochs = 20 → 30",
        "-epochs = 20\n",
        "+epochs = 30\n",
        "digits.csv is a git-lfs pointer.",
        "/srv/epochal/runs/7/trials/2/code/model.keras",
        "/srv/epochal/runs/7/trials/2/train.log",
        "https://jenkins.example.org/job/retrain/4/",
    ):
        assert fact in body


def test_trials_are_a_table() -> None:
    """Each row gives a trial's number, epochs (resumed + newly trained), accuracy, seconds, outcome and changes."""
    failing = reports.run(State.FAILED, reports.trial(1, 0.771), reports.trial(2, None))
    text = _compose_text(replace(reports.failed(), run=failing))
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    assert ["1", "20", "0.771", "41.2", "below", "as committed"] in rows
    assert ["2", "20 + 10", "-", "82.4", "out of memory", "epochs = 30"] in rows


def test_note_says_why_trials_did_not_resume() -> None:
    """Trials with the same reason share a note. Trials that resumed, and those without a reason, get no note."""
    why = "trained from the beginning: the training data: x has different values"
    trials = [reports.trial(number, 0.7, epochs_resumed=0, resumption=why) for number in (2, 3)]
    text = _compose_text(replace(reports.reached(), run=reports.run(State.REACHED, reports.trial(1, 0.7), *trials)))
    assert f"Note: trials 2 and 3 {why}" in " ".join(text.split())
    assert "from the beginning" not in _compose_text(reports.reached())
    resumed = reports.trial(2, 0.7, resumption="resumed from epoch 20 of trial 1")
    silent = reports.trial(3, 0.7, epochs_resumed=0)
    text = _compose_text(
        replace(reports.reached(), run=reports.run(State.REACHED, reports.trial(1, 0.7), resumed, silent))
    )
    assert "Note:" not in text


def test_failed_run_shows_the_end_of_the_log() -> None:
    """The log lines are indented, and no change is suggested."""
    text = _compose_text(reports.failed())
    assert "Details:\n\n    Epoch 1/20\n    MemoryError: Unable to allocate 38.1 GiB\n" in text
    assert "Suggested" not in text


def test_run_that_failed_after_trials_gives_its_best_accuracy() -> None:
    """The best trial's change did not reach the threshold, so it is shown but not suggested."""
    failing = replace(
        reports.run(State.FAILED, reports.trial(1, 0.7), reports.trial(2, 0.771), reports.trial(3, None)),
        reason=Reason.OUT_OF_MEMORY,
    )
    text = _compose_text(replace(reports.reached(), run=failing))
    assert "Before the failure, the best accuracy was 0.771; the threshold is 0.80." in " ".join(text.split())
    assert "Changes in the best trial: epochs = 20 → 30" in text
    assert "Suggested" not in text


def test_run_without_trials() -> None:
    """A run that failed before training has no table of trials, and its reason provides the explanation."""
    failing = replace(reports.run(State.FAILED), reason=Reason.NO_SCRIPT, threshold=None)
    text = _compose_text(replace(reports.failed(), run=failing, log=None))
    assert " ".join(text.split()).startswith(f"Training failed: no script. {Reason.NO_SCRIPT.explanation} repository")
    assert "trial" not in text


def test_missing_model_is_reported() -> None:
    """Otherwise the reader would look for a file that nn.py never saved."""
    assert "model       nn.py saved no model\n" in _compose_text(replace(reports.reached(), model=None))


def test_lines_fit_a_terminal() -> None:
    """Lines have at most 78 characters, and long explanations break between words."""
    report = reports.exhausted()
    accuracy = measured(0.7, AccuracySource.VALIDATION)
    trials = tuple(replace(trial, accuracy=accuracy) for trial in report.run.trials)
    text = _compose_text(replace(report, run=replace(report.run, trials=trials, explanation="many words " * 40)))
    assert max(len(line) for line in text.splitlines()) <= 78
    assert text.count("many words") == 40


@pytest.mark.parametrize(
    ("accuracy", "threshold", "shown"),
    [
        (0.7996, 0.8, "best 0.7996 (threshold 0.80)"),
        (0.79999999, 0.8, "best 0.79999999 (threshold 0.80)"),
        (0.7994, 0.8, "best 0.799 (threshold 0.80)"),
        (0.8124, 0.8125, "best 0.812 (threshold 0.8125)"),
    ],
)
def test_accuracy_below_the_threshold_never_looks_reached(accuracy: float, threshold: float, shown: str) -> None:
    """The subject and the table show more digits if rounding would hide that the accuracy is too low."""
    run = replace(reports.run(State.EXHAUSTED, reports.trial(1, accuracy)), threshold=threshold)
    report = replace(reports.exhausted(), run=run)
    assert shown in str(_compose_mail(report)["Subject"])
    assert f" {shown.split()[1]} " in _compose_text(report).partition("trial  epochs")[2]


def _make_judged_report(accuracy: float, rule: Rule, evidence: Evidence) -> Report:
    """Return a report on a run with one trial, judged at the first look at 360 test samples: reached or exhausted."""
    judgement = judge(accuracy, 360, rule, 1, evidence)
    trial = reports.trial(1, accuracy, samples=360, judgement=judgement, evidence=evidence)
    state = State.REACHED if judgement.verdict is Verdict.REACHED else State.EXHAUSTED
    return replace(
        reports.exhausted(), run=replace(reports.run(state, trial), explanation="No more."), changes=(), diff=""
    )


def test_uncertain_accuracy_is_not_reported_as_reached() -> None:
    """The email gives the accuracy's lower bound, the look, and the accuracy that would be needed."""
    mail = _compose_mail(_make_judged_report(299 / 360, Rule(0.8, 0.95), Evidence()))
    doubt = "0.831 (threshold 0.80), not certain enough (lower bound 0.788)"
    assert str(mail["Subject"]).startswith(f"Threshold not reached: best {doubt} · ")
    text = " ".join(_read_body(mail, "plain").split())
    assert (
        "the best accuracy was 0.831 as committed (trial 1 of 1), but this accuracy is not certain enough (lower bound 0.788)."
        in text
    )
    assert "accuracy 0.831 (0.788 to 0.866, 360 test samples; threshold 0.80), from the script" in text
    assert (
        "certainty lower bound 0.788 at 95% confidence, 0.845 is needed on 360 samples, 1 model evaluated on this test set so far"
        in text
    )
    assert " 41.2 below as committed" in text


def test_certain_accuracy_is_reported_as_reached() -> None:
    """The email also gives the lower bound, on which the verdict is based."""
    mail = _compose_mail(_make_judged_report(0.875, Rule(0.8, 0.95), Evidence()))
    assert str(mail["Subject"]).startswith("Threshold Accuracy Reached!!! 0.875 (threshold 0.80) · ")
    assert "lower bound 0.836 at 95% confidence" in " ".join(_read_body(mail, "plain").split())


def test_accuracy_near_chance_is_not_reported_as_reached() -> None:
    """The subject and the first sentence give the accuracy by chance; the facts give the accuracy that is needed."""
    mail = _compose_mail(_make_judged_report(0.95, Rule(0.8), Evidence(chance=0.94, answer="no")))
    doubt = "not clearly above chance (always answering 'no' gives 0.940)"
    assert str(mail["Subject"]).startswith(f"Threshold not reached: best 0.950 (threshold 0.80), {doubt} · ")
    text = " ".join(_read_body(mail, "plain").split())
    assert f"the best accuracy was 0.950 as committed (trial 1 of 1), but this accuracy is {doubt}." in text
    assert "certainty 0.964 or more is clearly above chance on 360 samples" in text


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_paragraph_describes_the_evidence(kind: str) -> None:
    """The paragraph before the commit message covers the row check, chance, and how often a worse model would pass."""
    evidence = Evidence(chance=0.25, answer="7", checked=True, seen=0.03, expected=0.01)
    body = " ".join(
        _read_body(_compose_mail(_make_judged_report(0.85, Rule(0.8), evidence)), kind).replace("&#39;", "'").split()
    )
    paragraph = (
        "The test rows were checked: 3% of them were also in the training data; even a clean split would yield 1%, "
        "because rows repeat in this data. Always answering '7' gives 0.250. If evaluated once on 360 test samples, a model "
        "with a true accuracy of 0.75 would pass by luck with a probability of 1.5%."
    )
    assert body.index("1.9 minutes") < body.index(paragraph) < body.index("Fewer filters")
    assert "Test rows" not in _compose_text(reports.failed())


@pytest.mark.parametrize("text", INJECTIONS)
def test_labels_inject_nothing(text: str) -> None:
    """Neither a label nor the reason why rows were not checked can add headers, lines or markup to the email."""
    report = _make_judged_report(0.95, Rule(0.8), Evidence(chance=0.94, answer=text, unchecked=text))
    mail = _compose_mail(report)
    assert sorted(mail.keys()) == HEADERS
    assert not any(part.defects for part in mail.walk())
    assert set(_Tags(_read_body(mail, "html")).found) <= set(
        _Tags(_read_body(_compose_mail(reports.reached()), "html")).found
    )
    names = [line.split("  ")[0] for line in _read_body(mail, "plain").splitlines() if "  " in line]
    assert [names.count(name) for name in ("repository", "branch", "commit")] == [1, 1, 1]


def test_headers() -> None:
    """The date is when the run ended, and Auto-Submitted says that a program sent the email (RFC 3834)."""
    mail = _compose_mail(reports.reached())
    assert (mail["From"], mail["To"], mail["Message-ID"]) == (SENDER, "ada@example.com", MESSAGE_ID)
    assert mail["Date"].datetime == reports.reached().run.ended
    assert mail["Auto-Submitted"] == "auto-generated"


def test_same_report_gives_the_same_bytes() -> None:
    """Nothing in the email is random or depends on when it was composed."""
    first, second = (serialise(compose(reports.reached(), SENDER, ["ada@example.com"], MESSAGE_ID)) for _ in range(2))
    assert first == second


def test_html_loads_nothing() -> None:
    """The link to the build is the only URL in the page."""
    page = _read_body(_compose_mail(reports.reached()), "html")
    assert page.count("://") == 2  # the link and its text
    assert not {"img", "link", "script", "iframe"} & set(_Tags(page).found)


def test_long_branch_does_not_hide_the_commit() -> None:
    """The subject shortens the branch name and still ends with the commit."""
    run = reports.reached().run
    subject = str(
        _compose_mail(replace(reports.reached(), run=replace(run, commit=replace(run.commit, branch="x" * 900))))[
            "Subject"
        ]
    )
    assert subject.endswith("… 3f2a1b9")
    assert len(subject) < 200


def test_long_commit_message_is_cut() -> None:
    """The email stays small, and says how many lines were left out."""
    run = reports.reached().run
    message = "\n".join(["x" * 10_000] * 1_000)
    report = replace(reports.reached(), run=replace(run, commit=replace(run.commit, message=message)))
    assert len(serialise(compose(report, SENDER, [], MESSAGE_ID))) < 100_000
    assert "… (lines left out: 940)" in _compose_text(report)


@given(untrusted_text, untrusted_text, untrusted_text, untrusted_text, untrusted_text)
@example(ENCODED_LINE_END, ENCODED_LINE_END, ENCODED_LINE_END, ENCODED_LINE_END, ENCODED_LINE_END)
@example(*INJECTIONS[:5])
@example(*INJECTIONS[5:10])
@example(*INJECTIONS[10:15])
def test_untrusted_text_injects_nothing(repository: str, branch: str, message: str, author: str, printed: str) -> None:
    """Whatever names, messages and logs contain, they change no header, recipient, part or markup of the email."""
    ordinary = reports.failed()
    commit = replace(ordinary.run.commit, branch=branch, message=message, author_name=author, author_email=author)
    run = replace(
        ordinary.run, commit=commit, explanation=printed, detail=printed, notes=(printed,), framework_why=printed
    )
    report = replace(ordinary, run=run, repository=repository, diff=printed)
    mail = _compose_mail(report)
    assert sorted(mail.keys()) == HEADERS
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]
    assert [address.addr_spec for address in mail["From"].addresses] == [SENDER]
    assert str(mail["Subject"]).startswith("Training failed: out of memory · ")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not any(part.defects for part in mail.walk())
    facts = [line.split("  ")[0] for line in _read_body(mail, "plain").splitlines() if "  " in line]
    assert (facts.count("commit"), facts.count("time"), facts.count("folder")) == (1, 1, 1)
    assert facts.count("repository") <= 1
    assert facts.count("branch") <= 1
    assert set(_Tags(_read_body(mail, "html")).found) <= set(
        _Tags(_read_body(_compose_mail(reports.reached()), "html")).found
    )


@given(untrusted_text, untrusted_text)
def test_mail_is_ascii_in_short_lines(branch: str, message: str) -> None:
    """No mail server has a reason to rewrite lines of at most 76 ASCII characters."""
    report = reports.reached()
    commit = replace(report.run.commit, branch=branch, message=message)
    data = serialise(compose(replace(report, run=replace(report.run, commit=commit)), SENDER, [], MESSAGE_ID))
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 76
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\x00" not in data
