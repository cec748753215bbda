"""Verify a GitHub webhook delivery and read the push event in it (see GitHub's "Webhook events and payloads")."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from epochal.commit import find_skip_instruction, identity
from epochal.errors import EpochalError, SettingsError

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) forbids in a name; a leading dash, which a command would take for an option; and
# characters that would break a line or reverse its direction when the name is displayed.
_BAD_BRANCH = re.compile(
    r"[\x00-\x20\x7f-\x9f~^:?*\[\\\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    r"|\.\.|@\{|//|/\.|^[-/.]|[/.]\Z|\.lock(?:/|\Z)|^@\Z"
)
_MAX_BRANCH_LENGTH = 255
_MAX_URL_LENGTH = 2048
_URL_FIELDS = ("clone_url", "ssh_url", "html_url", "git_url", "url")
MIN_SECRET_BYTES = 16
"""The minimum length of a secret. A shorter one could be guessed, and an empty one would let anyone sign deliveries."""


class PayloadError(EpochalError):
    """The body of a request cannot be used; ``status`` is the HTTP status of the response, 400 or 415."""

    exit_status = 2

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class Push:
    """A push to a branch, with the branch's new head.

    ``identities``: the results of ``epochal.commit.identity`` for the repository's URLs in the payload.
    ``sha``, ``message``, ``author_name`` and ``author_email`` describe the new head; ``author_email`` is empty if
    GitHub does not send it.
    """

    identities: frozenset[str]
    branch: str
    sha: str
    message: str
    author_name: str
    author_email: str


@dataclass(frozen=True)
class Skipped:
    """A delivery that starts no run, with the reason."""

    reason: str


def read_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body, which is JSON or a form with the field ``payload``.

    Raises PayloadError: 415 for any other content type, 400 if the body contains no JSON object in UTF-8.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise PayloadError(
            415, f"The content type is {kind[:100] or 'missing'}; GitHub sends application/json or a form."
        )
    try:
        text = body.decode("utf-8")
        if kind == "application/x-www-form-urlencoded":
            fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=10).get("payload", [])
            if len(fields) != 1:
                raise PayloadError(400, "The form must have exactly one field named payload.")
            text = fields[0]
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise PayloadError(400, "The body is not valid JSON encoded in UTF-8.") from None
    if not isinstance(payload, dict):
        raise PayloadError(400, "The JSON in the body is not an object.")
    return payload


def read_push(payload: dict[str, Any]) -> Push | Skipped:
    """Return the push in the payload of a push event, or Skipped if the push starts no run.

    Raises PayloadError(400) if a field is missing or malformed; the error names the field.
    """
    reference = _get_text(payload, "ref")
    sha = _get_text(payload, "after")
    if not _SHA.fullmatch(sha):
        raise PayloadError(400, '"after" is not a full commit ID.')
    shown = reference[:_MAX_BRANCH_LENGTH]
    if payload.get("deleted") is True or set(sha) == {"0"}:
        return Skipped(f"{shown} was deleted")
    branch = reference.removeprefix("refs/heads/")
    if branch == reference:
        return Skipped(f"{shown} is {'a tag' if reference.startswith('refs/tags/') else 'not a branch'}")
    head = _get_object(payload, "head_commit")
    message = _get_text(head, "message", "head_commit.")
    if word := find_skip_instruction(message):
        return Skipped(f"the commit message says {word}")
    author = _get_object(head, "author", "head_commit.")
    repository = _get_object(payload, "repository")
    addresses = [repository.get(name) for name in _URL_FIELDS]
    texts = [address for address in addresses if isinstance(address, str) and 0 < len(address) <= _MAX_URL_LENGTH]
    if not texts:
        raise PayloadError(400, '"repository.clone_url" is missing or not a valid URL.')
    if not branch or len(branch) > _MAX_BRANCH_LENGTH or _BAD_BRANCH.search(branch):
        raise PayloadError(400, '"ref" is missing or not a valid branch name.')
    return Push(
        identities=frozenset(identity(text) for text in texts),
        branch=branch,
        sha=sha,
        message=message,
        author_name=_get_text(author, "name", "head_commit.author."),
        author_email=_get_text(author | {"email": author.get("email") or ""}, "email", "head_commit.author."),
    )


def _get_object(payload: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise PayloadError(400, f'"{where}{name}" is missing or not an object.')
    return value


def _get_text(payload: dict[str, Any], name: str, where: str = "") -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise PayloadError(400, f'"{where}{name}" is missing or not a string.')
    # JSON allows NUL and lone surrogates, but databases and mail do not.
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def check_secret(secret: bytes) -> None:
    """Raise SettingsError if the webhook's secret is too short to be secure."""
    if len(secret) < MIN_SECRET_BYTES:
        raise SettingsError(
            f"The webhook's secret must be at least {MIN_SECRET_BYTES} bytes long, but its length is {len(secret)}. "
            "Generate one: openssl rand -hex 32"
        )


def sign(secret: bytes, body: bytes) -> str:
    """Return the value of ``X-Hub-Signature-256`` for ``body``. Raises SettingsError if the secret is too short."""
    check_secret(secret)
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def verify(secret: bytes, body: bytes, header: str | None) -> bool:
    """Return whether ``header`` (``X-Hub-Signature-256``) is the signature of ``body``, comparing in constant time.

    Raises SettingsError if the secret is too short.
    """
    expected = sign(secret, body).encode("ascii")
    return hmac.compare_digest(expected, (header or "").encode("utf-8", "surrogatepass"))
