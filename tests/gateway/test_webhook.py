"""The webhook's answers, over real HTTP: what starts a run, what does not and why, and what is refused."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.errors import SettingsError
from epochal.forges.github import sign
from epochal.gateway import webhook
from epochal.gateway.webhook import MOST_BYTES, create_app
from epochal.records import Accepted, Commit
from epochal.settings import WatchedRepository
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

WATCHED = (WatchedRepository(url=URL, branches=("main", "release/1.0")),)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway that watches ada/digits; for tests that do not look at what is stored."""
    with served(create_app(SECRET, WATCHED, MemoryIntake())) as address:
        yield address


def _raw(address: str, data: bytes) -> socket.socket:
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
    connection.sendall(data)
    return connection


def _answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _head(*lines: str) -> bytes:
    return "\r\n".join(["POST /webhook HTTP/1.1", "Host: gateway", *lines, "", ""]).encode("latin-1")


def test_a_push_is_stored_then_accepted() -> None:
    """The run's repository is the watched address, whatever else the payload says; its commit is the push's."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        repository = push_event()["repository"] | {"clone_url": "https://evil.example/digits.git"}
        answer = deliver(address, push_event(repository=repository))
    assert (answer.status_code, answer.json()) == (202, {"run": 1, "status": "queued"})
    assert intake.runs == [Commit(URL, "main", SHA, "More filters", "Ada", "ada@example.com")]


def _head_commit(message: str) -> dict[str, Any]:
    return {"head_commit": push_event()["head_commit"] | {"message": message}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ref": "refs/heads/other"}, "other is not watched (watched: main, release/1.0)"),
        ({"ref": "refs/heads/release"}, "release is not watched"),
        ({"ref": "refs/tags/v1"}, "refs/tags/v1"),
        ({"deleted": True, "after": "0" * 40, "head_commit": None}, "deleted"),
        (_head_commit("Typo [skip ci]"), "[skip ci]"),
        (_head_commit("[ci skip] typo"), "[ci skip]"),
        (_head_commit("Typo\n\n[no ci]"), "[no ci]"),
        (_head_commit("Typo\n\n\nskip-checks: true"), "skip-checks: true"),
        ({"repository": {"clone_url": "https://github.com/eve/digits.git"}}, "run epochal watch URL"),
    ],
)
def test_a_push_that_starts_no_run(changes: dict[str, Any], reason: str) -> None:
    """It is answered with 200 and the reason, which is kept for epochal status."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, push_event(**changes), X_GitHub_Delivery="a-1")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ignored"
    assert reason in answer.json()["reason"]
    assert (intake.runs, intake.results) == ([], [("a-1", "push", answer.json()["reason"])])


@pytest.mark.parametrize(
    ("event", "reason"), [("ping", "the signature is right"), ("pull_request", "just the push event")]
)
def test_other_events_start_no_run(address: str, event: str, reason: str) -> None:
    """A ping is answered, so that GitHub shows a green tick; other events are told off gently."""
    answer = deliver(address, {"zen": "Keep it logically awesome.", "hook_id": 1}, X_GitHub_Event=event)
    assert (answer.status_code, answer.json()["status"]) == (200, "ignored")
    assert reason in answer.json()["reason"]


def test_another_watched_branch_and_a_form() -> None:
    """A branch with a slash, sent as the form that GitHub offers first, its signature over the form's raw bytes."""
    intake = MemoryIntake()
    body = b"payload=" + quote_plus(json.dumps(push_event(ref="refs/heads/release/1.0"))).encode()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, body, Content_Type="application/x-www-form-urlencoded")
    assert answer.status_code == 202
    assert [commit.branch for commit in intake.runs] == ["release/1.0"]


def test_one_repository_watched_by_two_addresses() -> None:
    """Each address may have branches of its own."""
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
def test_what_is_not_signed_with_the_secret_is_refused(signature: str | None) -> None:
    """Nothing of it is stored, and the answer does not give the right signature away."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answer = deliver(address, push_event(), X_Hub_Signature_256=signature)
    assert answer.status_code == 401
    assert sign(SECRET, json.dumps(push_event()).encode())[7:] not in answer.text
    assert "error" in answer.json()
    assert not intake.runs
    assert not intake.results


def test_nothing_is_parsed_before_the_signature(address: str) -> None:
    """A body that is no JSON, of an unknown type, without an event's name: what is wrong first is the signature."""
    answer = deliver(address, b"{", X_Hub_Signature_256="sha256=0", Content_Type="x/y", X_GitHub_Event=None)
    assert answer.status_code == 401


@pytest.mark.parametrize("secret", [b"", b"fifteen bytes!!"])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    """A gateway that anybody could talk to does not start."""
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
def test_headers_that_github_does_not_send(address: str, status: int, changes: dict[str, str | None]) -> None:
    """They are refused with a sentence."""
    answer = deliver(address, push_event(), **changes)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("name", ["X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event", "Content-Type"])
def test_a_header_that_comes_twice_is_refused(address: str, name: str) -> None:
    """Which of the two would count is nobody's guess."""
    body = json.dumps(push_event()).encode()
    headers = [*request_headers(body).items(), (name, "application/json")]
    answer = CLIENT.post(f"{address}/webhook", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": f"{name} was sent more than once."})


def test_a_repeated_delivery_starts_no_second_run() -> None:
    """GitHub's redelivery has the same id; the answer names the run that is there."""
    intake = MemoryIntake()
    with served(create_app(SECRET, WATCHED, intake)) as address:
        answers = [deliver(address, push_event(), X_GitHub_Delivery="a-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[1].json() == {"status": "already processed", "run": 1}
    assert len(intake.runs) == 1


@pytest.mark.parametrize("changes", [{}, {"ref": "refs/tags/v1"}])
def test_a_delivery_that_could_not_be_stored_may_come_again(changes: dict[str, Any], log: NextLine) -> None:
    """The database's failure is a 503 without its details; the same delivery later is processed."""
    with served(create_app(SECRET, WATCHED, MemoryIntake(failures=1))) as address:
        answers = [deliver(address, push_event(**changes), X_GitHub_Delivery="a-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200 if changes else 202]
    assert int(answers[0].headers["Retry-After"]) > 0
    assert "secret/place" not in answers[0].text
    assert "no space left" in log(), "the log says why"


def test_a_fault_of_our_own_tells_nothing(log: NextLine) -> None:
    """It is a 500 in JSON; the traceback is in the log, with the delivery's id."""

    class Broken(MemoryIntake):
        def accept(self, delivery: str, event: str, commit: Commit) -> Accepted:
            return None  # type: ignore[return-value]

    with served(create_app(SECRET, WATCHED, Broken())) as address:
        answer = deliver(address, push_event(), X_GitHub_Delivery="a-1")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert "NoneType" not in answer.text
    logged = log()
    assert "delivery a-1" in logged
    assert "AttributeError" in logged


def test_only_two_paths_are_on_this_port(address: str) -> None:
    """The rest is not found, in JSON; a wrong method is told the right one."""
    assert CLIENT.get(f"{address}/healthz").json() == {"status": "ok"}
    for path in ("/", "/webhook/", "/healthz/x", "/docs", "/metrics", "/webhook%2f"):
        answer = CLIENT.post(f"{address}{path}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
    answer = CLIENT.get(f"{address}/webhook")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["error"]
    assert "server" not in answer.headers


def test_a_length_over_the_limit_is_refused_at_once(address: str) -> None:
    """Not one byte of the body has to come."""
    answer = _answer(_raw(address, _head(f"Content-Length: {MOST_BYTES + 1}")))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'{"error":' in answer


@pytest.mark.parametrize(("more", "status"), [(0, b"200"), (1, b"413")])
def test_a_body_without_length_is_counted(address: str, more: int, status: bytes) -> None:
    """25 MiB in chunks are taken and their signature is right; one byte more is refused."""
    body = b" " * (MOST_BYTES + more)
    headers = request_headers(body, X_GitHub_Event="ping")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    connection = _raw(address, _head(*lines, "Transfer-Encoding: chunked"))
    connection.sendall(f"{len(body):x}\r\n".encode() + body + (b"\r\n0\r\n\r\n" if not more else b""))
    assert _answer(connection).split(b" ")[1] == status


def test_a_body_that_is_cut_off(address: str, log: NextLine) -> None:
    """It is logged with its delivery and forgotten; others are answered."""
    _raw(address, _head("X-GitHub-Delivery: a-1", "Content-Length: 100") + b"{").close()
    assert log() == "delivery a-1: 400 The connection was cut off."
    assert deliver(address, push_event(), X_GitHub_Event="ping").status_code == 200


def test_a_body_that_does_not_come(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends slower than GitHub ever would is not waited for."""
    monkeypatch.setattr(webhook, "READ_SECONDS", 0.2)
    answer = _answer(_raw(address, _head("Content-Length: 100") + b"{"))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'{"error":' in answer


def test_a_head_that_does_not_come(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which no request comes is closed."""
    monkeypatch.setattr(webhook, "READ_SECONDS", 0.2)
    assert _answer(_raw(address, b"POST /webhook HTT")) == b""


def test_the_log_is_fit_to_read(address: str, log: NextLine) -> None:
    """Each delivery is one printable line with its id; nothing of the secret or of a signature is in it."""
    answer = deliver(address, push_event(), X_GitHub_Delivery="a-1")
    right = sign(SECRET, json.dumps(push_event()).encode())
    _answer(_raw(address, _head("X-GitHub-Delivery: a\x85\x9b31mroot", "Content-Length: 0")))
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


@settings(max_examples=150, deadline=None)
@given(body=st.binary() | _EVENTS | _EVENTS.map(lambda event: b"payload=" + event), content_type=_TYPES)
def test_any_signed_body_is_answered_in_json(address: str, body: bytes, content_type: str) -> None:
    """Whatever a signed body holds, it is understood, ignored or refused: never a fault."""
    answer = deliver(address, body, Content_Type=content_type)
    assert answer.status_code in (200, 202, 400, 415)
    assert isinstance(answer.json(), dict)
