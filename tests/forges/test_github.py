"""GitHub's push event as it comes, and what is wrong with others."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.forges.github import PayloadError, Push, Skipped, read_body, read_push

_SHA = "0123456789abcdef0123456789abcdef01234567"
_FORM = "application/x-www-form-urlencoded"


def _payload(**changes: Any) -> dict[str, Any]:
    """A push event, cut down to what is read; ``changes`` replace fields, dots written as two underscores."""
    payload: dict[str, Any] = {
        "ref": "refs/heads/main",
        "after": _SHA,
        "deleted": False,
        "head_commit": {"message": "Digits", "author": {"name": "Ada", "email": "ada@example.com"}},
        "pusher": {"name": "ada"},
        "repository": {
            "clone_url": "https://github.com/ada/digits.git",
            "ssh_url": "git@github.com:ada/digits.git",
            "html_url": "https://github.com/ada/digits",
            "url": None,
        },
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        place = payload
        for key in path:
            place = place[key]
        place[last] = value
    return payload


def _push(**changes: Any) -> Push:
    push = read_push(_payload(**changes))
    assert isinstance(push, Push)
    return push


def _status(content_type: str, body: bytes) -> int:
    with pytest.raises(PayloadError) as error:
        read_body(content_type, body)
    return error.value.status


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a": "\xc3\xa9"}'),
        ("Application/JSON; charset=latin-1", b'{"a": "\xc3\xa9"}'),
        (_FORM, urlencode({"payload": '{"a": "é"}'}).encode()),
        (_FORM + ";charset=utf-8", urlencode({"more": "", "payload": '{"a": "é"}'}).encode()),
    ],
)
def test_both_content_types_are_read(content_type: str, body: bytes) -> None:
    """JSON, and the form that GitHub's settings offer first; always UTF-8."""
    assert read_body(content_type, body) == {"a": "é"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "application/jsonp"])
def test_other_content_types_are_415(content_type: str) -> None:
    """What GitHub does not send is not guessed at."""
    assert _status(content_type, b"{}") == 415


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"null"),
        ("application/json", b'{"a": "\xe9"}'),
        ("application/json", '{"a": 1}'.encode("utf-16")),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"a":' * 100_000),
        ("application/json", b"1" * 5000),
        (_FORM, b"{}"),
        (_FORM, b"payload="),
        (_FORM, b"payload=%7B%7D&payload=%7B%7D"),
        (_FORM, b"payload=&payload=%7B%7D"),
        (_FORM, b"payload=%7B%22a%22%3A%22%E9%22%7D"),
        (_FORM, b"payload=%7B%7D" + b"&a" * 20),
    ],
)
def test_what_is_no_json_object_is_400(content_type: str, body: bytes) -> None:
    """Broken, deep, doubled and foreign bodies are told, never a traceback."""
    assert _status(content_type, body) == 400


def test_a_push() -> None:
    """Everything that a run needs is taken from the event."""
    assert read_push(_payload()) == Push(
        frozenset({"github.com/ada/digits"}), "main", _SHA, "Digits", "Ada", "ada@example.com"
    )


def test_a_push_of_a_sha256_repository_without_an_address() -> None:
    """Longer names of commits are known, and an author may hide the address."""
    push = _push(after="ab" * 32, head_commit__author__email=None, ref="refs/heads/feature/größe-1.2")
    assert (push.sha, push.author_email, push.branch) == ("ab" * 32, "", "feature/größe-1.2")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ref": "refs/tags/v1"}, "refs/tags/v1 is a tag"),
        ({"ref": "refs/notes/commits"}, "no branch"),
        ({"deleted": True, "head_commit": None}, "deleted"),
        ({"after": "0" * 40, "head_commit": None}, "deleted"),
        ({"head_commit__message": "Digits [skip ci]"}, "[skip ci]"),
        ({"head_commit__message": "Digits\n\nText [ci skip] text"}, "[ci skip]"),
        ({"head_commit__message": "[no ci] Digits"}, "[no ci]"),
        ({"head_commit__message": "Digits [skip actions]"}, "[skip actions]"),
        ({"head_commit__message": "Digits [actions skip]"}, "[actions skip]"),
        ({"head_commit__message": "Digits\n\n\nskip-checks: true"}, "skip-checks"),
        ({"head_commit__message": "Digits\r\n\r\n\r\nskip-checks:true\r\n"}, "skip-checks"),
        ({"head_commit__message": "Digits\n\nReviewed-by: Bob\nskip-checks: true\n"}, "skip-checks"),
        ({"head_commit__message": "epochs = 20 → 30\n\nEpochal-Run: 7\n"}, "Epochal made it"),
    ],
)
def test_what_starts_no_run(changes: dict[str, Any], told: str) -> None:
    """Tags, deletions and GitHub's own words for skipping are answered with the reason."""
    skipped = read_push(_payload(**changes))
    assert isinstance(skipped, Skipped)
    assert told in skipped.reason


@pytest.mark.parametrize(
    "message",
    [
        "",
        "skip ci",
        "skip-checks: true",
        "Why skip-checks: true\n\nis no trailer",
        "A\n\nskip-checks: true\nB",
        "A subject\nskip-checks: true",  # without an empty line it is no trailer
        "Epochal-Run: 7 was it",
    ],
)
def test_what_is_no_instruction_to_skip(message: str) -> None:
    """Words that only look like an instruction do not keep a commit from being trained."""
    assert _push(head_commit__message=message).message == message


@pytest.mark.parametrize("pusher", [None, "ada", {}, {"login": "ada", "username": "ada"}])
def test_a_push_need_not_say_who_pushed(pusher: object) -> None:
    """Nothing depends on the pusher; Gitea's has no name."""
    assert _push(pusher=pusher).branch == "main"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ref", None),
        ("ref", 1),
        ("ref", "refs/heads/"),
        ("after", None),
        ("after", _SHA[:-1]),
        ("after", _SHA.upper()),
        ("after", _SHA + "\n"),
        ("head_commit", None),
        ("head_commit.message", 5),
        ("head_commit.author", []),
        ("head_commit.author.name", None),
        ("head_commit.author.email", 5),
        ("repository", None),
    ],
)
def test_a_field_that_is_not_right_is_named(field: str, value: object) -> None:
    """A missing or mistyped field is 400, with its name."""
    with pytest.raises(PayloadError, match=re.escape(f"{field}: ")) as error:
        read_push(_payload(**{field.replace(".", "__"): value}))
    assert error.value.status == 400


def test_a_repository_without_an_address_is_refused() -> None:
    """A push that does not say of what is 400."""
    with pytest.raises(PayloadError, match=r"^repository\.clone_url: "):
        read_push(_payload(repository={"clone_url": 1, "url": "x" * 9999}))


@pytest.mark.parametrize(
    "branch",
    [
        "-rf", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a\nb", "a\x7f", "a@{1}", "@", ".a", "a/.b", "/a",
        "a/", "a//b", "a.", "a.lock", "a.lock/b", "a\u2028b", "a\u202eb", "a\ud800", "a" * 256,
    ],
)  # fmt: skip
def test_an_unsafe_branch_is_refused(branch: str) -> None:
    """What git does not allow for a branch, or a command would take for an option, is 400."""
    with pytest.raises(PayloadError, match=r"^ref: "):
        read_push(_payload(ref=f"refs/heads/{branch}"))


def test_text_that_no_database_holds_is_made_harmless() -> None:
    """NUL and half surrogate pairs, legal in JSON, do not get further."""
    assert _push(head_commit__message="a\0b\ud800c").message == "a?b?c"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
_FIELDS = [
    "ref",
    "after",
    "deleted",
    "head_commit",
    "head_commit__message",
    "head_commit__author",
    "repository",
]
_FIELDS += ["repository__clone_url", "head_commit__author__email"]


@given(st.sampled_from(["application/json", _FORM]) | st.text(), st.binary() | _JSON.map(json.dumps).map(str.encode))
def test_any_body_is_read_or_refused(content_type: str, body: bytes) -> None:
    """Whatever is sent, the answer is an object or a PayloadError."""
    try:
        assert isinstance(read_body(content_type, body), dict)
    except PayloadError as error:
        assert error.status in (400, 415)


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3), st.sampled_from(_FIELDS), _JSON)
def test_any_object_is_a_push_or_refused(payload: dict[str, Any], field: str, value: object) -> None:
    """Whatever the JSON says, the answer is a push that can be stored, a reason to skip it, or a PayloadError."""
    for candidate in (payload, _payload(**{field: value})):
        try:
            push = read_push(candidate)
        except PayloadError as error:
            assert error.status == 400
            continue
        texts = [push.reason] if isinstance(push, Skipped) else [push.branch, push.message, push.author_email]
        assert "\0" not in "".join(texts).encode("utf-8").decode("utf-8")
