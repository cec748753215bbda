"""Reading GitHub's push event, and refusing malformed ones."""

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
    """Return a push event with the fields that Epochal reads; ``pusher__name="bob"`` sets pusher.name, for example."""
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


def _read_changed_push(**changes: Any) -> Push:
    push = read_push(_payload(**changes))
    assert isinstance(push, Push)
    return push


def _catch_status(content_type: str, body: bytes) -> int:
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
    """GitHub sends JSON, or a form with JSON in it, always in UTF-8."""
    assert read_body(content_type, body) == {"a": "é"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "application/jsonp"])
def test_other_content_types_are_415(content_type: str) -> None:
    """GitHub never sends other content types, so they are refused."""
    assert _catch_status(content_type, b"{}") == 415


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
def test_body_without_a_json_object_is_400(content_type: str, body: bytes) -> None:
    """Broken, deeply nested, repeated and wrongly encoded payloads are all refused."""
    assert _catch_status(content_type, body) == 400


def test_push_is_read() -> None:
    """The event contains everything that a run needs."""
    assert read_push(_payload()) == Push(
        frozenset({"github.com/ada/digits"}), "main", _SHA, "Digits", "Ada", "ada@example.com"
    )


def test_push_of_a_sha256_repository_without_an_address() -> None:
    """Commits may have longer hashes, authors may hide their address, and branches may have slashes and umlauts."""
    push = _read_changed_push(after="ab" * 32, head_commit__author__email=None, ref="refs/heads/feature/größe-1.2")
    assert (push.sha, push.author_email, push.branch) == ("ab" * 32, "", "feature/größe-1.2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ref": "refs/tags/v1"}, "refs/tags/v1 is a tag"),
        ({"ref": "refs/notes/commits"}, "not a branch"),
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
        ({"head_commit__message": "epochs = 20 → 30\n\nEpochal-Run: 7\n"}, "a commit by Epochal"),
    ],
)
def test_skipped_push_gives_the_reason(changes: dict[str, Any], reason: str) -> None:
    """Tags, deletions, commits by Epochal and commits with GitHub's skip instructions start no run."""
    skipped = read_push(_payload(**changes))
    assert isinstance(skipped, Skipped)
    assert reason in skipped.reason


@pytest.mark.parametrize(
    "message",
    [
        "",
        "skip ci",
        "skip-checks: true",
        "Why skip-checks: true\n\nis no trailer",
        "A\n\nskip-checks: true\nB",
        "A subject\nskip-checks: true",  # a trailer follows an empty line
        "Epochal-Run: 7 was it",
    ],
)
def test_text_that_resembles_a_skip_instruction_is_ignored(message: str) -> None:
    """A commit with such a message is trained like any other."""
    assert _read_changed_push(head_commit__message=message).message == message


@pytest.mark.parametrize("pusher", [None, "ada", {}, {"login": "ada", "username": "ada"}])
def test_pusher_is_optional(pusher: object) -> None:
    """Nothing depends on the pusher, who has no name in Gitea's events."""
    assert _read_changed_push(pusher=pusher).branch == "main"


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
def test_invalid_field_is_named(field: str, value: object) -> None:
    """A field that is missing or of the wrong type is refused, and the message starts with its path."""
    with pytest.raises(PayloadError, match=re.escape(f'"{field}" is ')) as error:
        read_push(_payload(**{field.replace(".", "__"): value}))
    assert error.value.status == 400


def test_repository_without_a_url_is_refused() -> None:
    """Without a URL, nothing could be fetched."""
    with pytest.raises(PayloadError, match=r'^"repository\.clone_url" is '):
        read_push(_payload(repository={"clone_url": 1, "url": "x" * 9999}))


@pytest.mark.parametrize(
    "branch",
    [
        "-rf", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a\nb", "a\x7f", "a@{1}", "@", ".a", "a/.b", "/a",
        "a/", "a//b", "a.", "a.lock", "a.lock/b", "a\u2028b", "a\u202eb", "a\ud800", "a" * 256,
    ],
)  # fmt: skip
def test_unsafe_branch_is_refused(branch: str) -> None:
    """A name that git forbids, or that a command would take for an option, is refused."""
    with pytest.raises(PayloadError, match=r'^"ref" is '):
        read_push(_payload(ref=f"refs/heads/{branch}"))


def test_characters_that_no_database_stores_are_replaced() -> None:
    """JSON allows NUL and unpaired surrogates, but databases cannot store them."""
    assert _read_changed_push(head_commit__message="a\0b\ud800c").message == "a?b?c"


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
    """No body raises an exception other than PayloadError."""
    try:
        assert isinstance(read_body(content_type, body), dict)
    except PayloadError as error:
        assert error.status in (400, 415)


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3), st.sampled_from(_FIELDS), _JSON)
def test_any_object_is_a_push_or_refused(payload: dict[str, Any], field: str, value: object) -> None:
    """Any JSON object results in a push that can be stored, a reason to skip it, or a PayloadError."""
    for candidate in (payload, _payload(**{field: value})):
        try:
            push = read_push(candidate)
        except PayloadError as error:
            assert error.status == 400
            continue
        texts = [push.reason] if isinstance(push, Skipped) else [push.branch, push.message, push.author_email]
        assert "\0" not in "".join(texts).encode("utf-8").decode("utf-8")
