"""The webhook over real HTTP: which requests start a run, which are ignored and why, and which are refused."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.app import App
from epochal.chains.embedded import EmbeddedChain
from epochal.chains.job_scripts import JobScripts
from epochal.commands.serve import StoredIntake
from epochal.errors import SettingsError
from epochal.folders import resource
from epochal.forges.github import sign
from epochal.gateway import webhook
from epochal.gateway.webhook import MAX_BODY_BYTES, create_app
from epochal.records import AcceptedCommit, Commit, State
from epochal.settings import WatchedRepository
from epochal.store.runs import list_runs
from tests.gateway.loopback import (
    CLIENT,
    SECRET,
    SHA,
    URL,
    MemoryIntake,
    NextLine,
    deliver,
    push_event,
    request_headers,
    served,
)
from tests.jobs.chain import environment_of

WATCHED = (WatchedRepository(url=URL, branches=("main", "release/1.0")),)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Run a gateway that watches ada/digits, for tests that do not check what is stored."""
    with served(create_app(SECRET, WATCHED, MemoryIntake())) as address:
        yield address


def _send_raw(address: str, data: bytes) -> socket.socket:
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
    connection.sendall(data)
    return connection


def _read_answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _make_head(*lines: str) -> bytes:
    return "\r\n".join(["POST /webhook HTTP/1.1", "Host: gateway", *lines, "", ""]).encode("latin-1")


def test_push_is_stored_and_accepted() -> None:
    """The run uses the watched address of the repository, whatever clone URL the payload contains."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        repository = push_event()["repository"] | {"clone_url": "https://evil.example/digits.git"}
        answer = deliver(address, push_event(repository=repository))
    assert (answer.status_code, answer.json()) == (202, {"run": 1, "status": "queued"})
    assert intake.runs == [Commit(URL, "main", SHA, "More filters", "Ada", "ada@example.com")]


def _set_message(message: str) -> dict[str, Any]:
    return {"head_commit": push_event()["head_commit"] | {"message": message}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ref": "refs/heads/other"}, "other is not watched (watched: main, release/1.0)"),
        ({"ref": "refs/heads/release"}, "release is not watched"),
        ({"ref": "refs/tags/v1"}, "refs/tags/v1"),
        ({"deleted": True, "after": "0" * 40, "head_commit": None}, "deleted"),
        (_set_message("Typo [skip ci]"), "[skip ci]"),
        (_set_message("[ci skip] typo"), "[ci skip]"),
        (_set_message("Typo\n\n[no ci]"), "[no ci]"),
        (_set_message("Typo\n\n\nskip-checks: true"), "skip-checks: true"),
        ({"repository": {"clone_url": "https://github.com/eve/digits.git"}}, "run epochal watch URL"),
    ],
)
def test_ignored_push_is_answered_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """The reason is also stored, for ``epochal status``."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, push_event(**changes), X_GitHub_Delivery="a-1")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ignored"
    assert reason in answer.json()["reason"]
    assert (intake.runs, intake.results) == ([], [("a-1", "push", answer.json()["reason"])])


@pytest.mark.parametrize(
    ("event", "reason"), [("ping", "the signature is valid"), ("pull_request", "only push events")]
)
def test_other_events_are_ignored(event: str, reason: str) -> None:
    """Events other than pushes are answered with 200, so that GitHub shows a green tick, and start no run."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, push_event(), X_GitHub_Event=event, X_GitHub_Delivery="a-1")
    assert (answer.status_code, answer.json()["status"]) == (200, "ignored")
    assert reason in answer.json()["reason"]
    assert (intake.runs, intake.results) == ([], [("a-1", event, answer.json()["reason"])])


def test_push_sent_as_a_form_is_accepted() -> None:
    """GitHub sends a form by default and signs its raw bytes. The branch name here contains a slash."""
    intake = MemoryIntake()
    body = b"payload=" + quote_plus(json.dumps(push_event(ref="refs/heads/release/1.0"))).encode()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, body, Content_Type="application/x-www-form-urlencoded")
    assert answer.status_code == 202
    assert [commit.branch for commit in intake.runs] == ["release/1.0"]


def test_repository_may_be_watched_under_two_addresses() -> None:
    """Each address has its own watched branches, and the run uses the address for which its branch is watched."""
    intake = MemoryIntake()
    ssh = WatchedRepository(url="git@github.com:ada/digits.git", branches=("beta",))
    with served(create_app(SECRET, (*WATCHED, ssh), intake)) as address:
        assert deliver(address, push_event(ref="refs/heads/beta")).status_code == 202
    assert intake.runs[0].repository == ssh.url


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        sign(SECRET, b"another body"),
        sign(SECRET + b"!", json.dumps(push_event()).encode()),
        sign(SECRET, json.dumps(push_event()).encode()).replace("sha256", "sha1"),
    ],
)
def test_wrong_signature_is_refused(signature: str | None) -> None:
    """Nothing is stored, and the answer does not reveal the correct signature."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, push_event(), X_Hub_Signature_256=signature)
    assert answer.status_code == 401
    assert sign(SECRET, json.dumps(push_event()).encode())[7:] not in answer.text
    assert "error" in answer.json()
    assert not intake.runs
    assert not intake.results


def test_signature_is_checked_first(address: str) -> None:
    """A request with several errors is refused because of its signature, before anything in it is parsed."""
    answer = deliver(address, b"{", X_Hub_Signature_256="sha256=0", Content_Type="x/y", X_GitHub_Event=None)
    assert answer.status_code == 401


@pytest.mark.parametrize("secret", [b"", b"fifteen bytes!!"])
def test_short_secret_is_refused(secret: bytes) -> None:
    """Anybody could guess a short secret and start runs, so the gateway does not start."""
    with pytest.raises(SettingsError, match="16"):
        create_app(secret, WATCHED, MemoryIntake())


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (400, {"X_GitHub_Event": None}),
        (400, {"X_GitHub_Event": "Push!"}),
        (400, {"X_GitHub_Delivery": None}),
        (400, {"X_GitHub_Delivery": "../../etc/passwd"}),
        (400, {"X_GitHub_Delivery": "a" * 65}),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": None}),
    ],
)
def test_headers_that_github_does_not_send_are_refused(
    address: str, status: int, changes: dict[str, str | None]
) -> None:
    """The answer contains an error message."""
    answer = deliver(address, push_event(), **changes)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("name", ["X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event", "Content-Type"])
def test_repeated_header_is_refused(address: str, name: str) -> None:
    """If a header is sent twice, it is unclear which value counts."""
    body = json.dumps(push_event()).encode()
    headers = [*request_headers(body).items(), (name, "application/json")]
    answer = CLIENT.post(f"{address}/webhook", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": f"{name} was sent more than once."})


def test_repeated_delivery_starts_no_second_run(home: Path) -> None:
    """A redelivery has the same id, so the answer gives the existing run, even if the branch has moved on since."""
    app = App.open(environment_of(home))
    chain = EmbeddedChain(app, JobScripts(environment_of(home), resource("scripts")), 1)  # not started
    with served(create_app(SECRET, WATCHED, StoredIntake(app.database, "queued", chain))) as address:
        first = deliver(address, push_event(), X_GitHub_Delivery="a-1")
        deliver(address, push_event(after="b" * 40), X_GitHub_Delivery="a-2")
        again = deliver(address, push_event(), X_GitHub_Delivery="a-1")
    assert (first.status_code, first.json()) == (202, {"run": 1, "status": "queued"})
    assert (again.status_code, again.json()) == (200, {"status": "already processed", "run": 1})
    assert [(run.id, run.state) for run in list_runs(app.database, limit=9)] == [
        (2, State.QUEUED),
        (1, State.SUPERSEDED),
    ]
    app.database.close()


@pytest.mark.parametrize("changes", [{}, {"ref": "refs/tags/v1"}])
def test_delivery_that_could_not_be_stored_is_accepted_later(changes: dict[str, Any], log: NextLine) -> None:
    """A database error is answered with 503; its details appear only in the log."""
    with served(create_app(SECRET, WATCHED, MemoryIntake(failures=1))) as address:
        answers = [deliver(address, push_event(**changes), X_GitHub_Delivery="a-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200 if changes else 202]
    assert int(answers[0].headers["Retry-After"]) > 0
    assert "secret/place" not in answers[0].text
    assert "no space left" in log(), "the log says why"


def test_internal_error_reveals_no_details(log: NextLine) -> None:
    """The answer is a 500 in JSON. The traceback appears only in the log, with the delivery's id."""

    class Broken(MemoryIntake):
        def accept(self, delivery: str, event: str, commit: Commit) -> AcceptedCommit:
            return None  # type: ignore[return-value]

    with served(create_app(SECRET, WATCHED, Broken())) as address:
        answer = deliver(address, push_event(), X_GitHub_Delivery="a-1")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert "NoneType" not in answer.text
    logged = log()
    assert "delivery a-1" in logged
    assert "AttributeError" in logged


def test_only_two_paths_are_served(address: str) -> None:
    """Other paths get 404 in JSON. A wrong method gets 405, with the right one in the Allow header."""
    assert CLIENT.get(f"{address}/healthz").json() == {"status": "ok"}
    for path in ("/", "/webhook/", "/healthz/x", "/docs", "/metrics", "/webhook%2f"):
        answer = CLIENT.post(f"{address}{path}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
    answer = CLIENT.get(f"{address}/webhook")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["error"]
    assert "server" not in answer.headers


def test_declared_length_over_the_limit_is_refused_at_once(address: str) -> None:
    """The answer is sent before any of the body has arrived."""
    answer = _read_answer(_send_raw(address, _make_head(f"Content-Length: {MAX_BODY_BYTES + 1}")))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'{"error":' in answer


@pytest.mark.parametrize(("excess", "status"), [(0, b"200"), (1, b"413")])
def test_chunked_body_over_the_limit_is_refused(address: str, excess: int, status: bytes) -> None:
    """A chunked body of 25 MiB is accepted; one that is a byte longer is refused."""
    body = b" " * (MAX_BODY_BYTES + excess)
    headers = request_headers(body, X_GitHub_Event="ping")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    connection = _send_raw(address, _make_head(*lines, "Transfer-Encoding: chunked"))
    connection.sendall(f"{len(body):x}\r\n".encode() + body + (b"\r\n0\r\n\r\n" if not excess else b""))
    assert _read_answer(connection).split(b" ")[1] == status


def test_truncated_body_is_logged(address: str, log: NextLine) -> None:
    """The log line contains the delivery's id, and the next request is answered."""
    _send_raw(address, _make_head("X-GitHub-Delivery: a-1", "Content-Length: 100") + b"{").close()
    assert log() == "delivery a-1: 400 The client disconnected before the body arrived."
    assert deliver(address, push_event(), X_GitHub_Event="ping").status_code == 200


def test_slow_body_times_out(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends too slowly must not keep a connection open."""
    monkeypatch.setattr(webhook, "READ_SECONDS", 0.2)
    answer = _read_answer(_send_raw(address, _make_head("Content-Length: 100") + b"{"))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'{"error":' in answer


def test_slow_head_times_out(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the headers do not arrive in time, the connection is closed without an answer."""
    monkeypatch.setattr(webhook, "READ_SECONDS", 0.2)
    assert _read_answer(_send_raw(address, b"POST /webhook HTT")) == b""


def test_each_delivery_is_one_printable_line_in_the_log(address: str, log: NextLine) -> None:
    """Control characters in the id are replaced, and neither the secret nor a signature is logged."""
    answer = deliver(address, push_event(), X_GitHub_Delivery="a-1")
    right = sign(SECRET, json.dumps(push_event()).encode())
    _read_answer(_send_raw(address, _make_head("X-GitHub-Delivery: a\x85\x9b31mroot", "Content-Length: 0")))
    lines = [log() for _ in range(2)]
    assert lines[0] == f"delivery a-1: {answer.status_code} {answer.json()}"
    assert lines[1].startswith("delivery a??31mroot: 401")
    assert not [line for line in lines if right[7:] in line or SECRET.decode() in line]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
_EVENTS = st.builds(
    lambda changes: json.dumps(push_event(**changes)).encode(),
    st.dictionaries(st.sampled_from(sorted(push_event())), _VALUES, max_size=3),
)
_TYPES = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain"])


@settings(max_examples=150)
@given(body=st.binary() | _EVENTS | _EVENTS.map(lambda event: b"payload=" + event), content_type=_TYPES)
def test_any_signed_body_is_answered_in_json(address: str, body: bytes, content_type: str) -> None:
    """Whatever it contains, the body is accepted, ignored or refused, and never causes an internal error."""
    answer = deliver(address, body, Content_Type=content_type)
    assert answer.status_code in (200, 202, 400, 415)
    assert isinstance(answer.json(), dict)
