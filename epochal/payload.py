"""GitHub's push event, and the identity of a repository. Values in, values out ("Webhook events and payloads")."""

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from epochal.errors import EpochalError

_SKIP_WORDS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"^skip-checks:\s*true\s*$", re.IGNORECASE | re.MULTILINE)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) forbids anywhere in a name, and a leading dash, which a command would take for an option.
_BAD_REFERENCE = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|/\.|\.lock(?:/|$)")
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>.+)")


class PayloadError(EpochalError):
    """A request's body that cannot be used; ``status`` is the HTTP status to answer with."""

    exit_status = 2

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class Push:
    """What a push tells: the repository by each of its addresses, the branch, and its new head."""

    identities: frozenset[str]
    branch: str
    sha: str
    message: str
    author_name: str
    author_email: str
    pusher: str


@dataclass(frozen=True)
class Skipped:
    """A push that starts no run, and why."""

    reason: str


def read_body(content_type: str, body: bytes) -> dict[str, Any]:
    """The JSON object in a request's body: the body itself, or the field ``payload`` of a form.

    Raises PayloadError: 415 for another content type, 400 for what is no JSON object.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return _object(body)
    if kind == "application/x-www-form-urlencoded":
        return _object(_form_field(body))
    raise PayloadError(415, f"The content type is {kind or 'missing'}; GitHub sends application/json or a form.")


def _form_field(body: bytes) -> bytes:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise PayloadError(400, "The form cannot be read.") from None
    if len(fields.get("payload", [])) != 1:
        raise PayloadError(400, "The form should have one field called payload.")
    return fields["payload"][0].encode("utf-8", "surrogatepass")


def _object(text: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise PayloadError(400, "The body is not JSON.") from None
    if not isinstance(payload, dict):
        raise PayloadError(400, "The JSON should be an object.")
    return payload


def read_push(payload: dict[str, Any]) -> Push | Skipped:
    """What a push event asks for. Raises PayloadError(400) naming the field that is missing or not what it should be."""
    reference = _text(payload, "ref")
    if not reference.startswith("refs/heads/"):
        return Skipped(f"{reference[:100]} is no branch")
    if payload.get("deleted") is True:
        return Skipped(f"{reference[:100]} was deleted")
    branch = reference.removeprefix("refs/heads/")
    if not branch or _BAD_REFERENCE.search(branch) or not branch.isprintable() or len(branch) > 255:
        raise PayloadError(400, "ref: this is no name that git allows for a branch.")
    sha = _text(payload, "after")
    if not _SHA.fullmatch(sha):
        raise PayloadError(400, "after: this is no commit's full name.")
    head = payload.get("head_commit")
    head = head if isinstance(head, dict) else {}
    message = _optional(head, "message")
    if word := _skip_word(message):
        return Skipped(f"the commit's message says {word}")
    author = head.get("author") if isinstance(head.get("author"), dict) else {}
    assert isinstance(author, dict)
    return Push(
        identities=_identities(payload),
        branch=branch,
        sha=sha,
        message=message,
        author_name=_optional(author, "name"),
        author_email=_optional(author, "email"),
        pusher=_optional(payload.get("pusher"), "name"),
    )


def _skip_word(message: str) -> str | None:
    """GitHub's own rules ("Skipping workflow runs"), the trailer accepted wherever it is the message's last paragraph."""
    lower = message.lower()
    for word in _SKIP_WORDS:
        if word in lower:
            return word
    last = re.split(r"\n\s*\n", message.strip().replace("\r\n", "\n"))[-1]
    return "skip-checks: true" if _SKIP_TRAILER.search(last) else None


def _identities(payload: dict[str, Any]) -> frozenset[str]:
    repository = payload.get("repository")
    if not isinstance(repository, dict):
        raise PayloadError(400, "repository: missing, or not an object.")
    addresses = [repository.get(name) for name in ("clone_url", "ssh_url", "html_url", "git_url", "url")]
    found = frozenset(identity(address) for address in addresses if isinstance(address, str) and address)
    if not found:
        raise PayloadError(400, "repository: it has no clone_url.")
    return found


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise PayloadError(400, f"{name}: missing, or not a text.")
    return value


def _optional(mapping: Any, name: str) -> str:
    value = mapping.get(name) if isinstance(mapping, dict) else None
    # Half a surrogate pair is legal JSON and no text that a database or a mail could hold.
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "") if isinstance(value, str) else ""


def identity(url: str) -> str:
    """One name for a repository, whichever of its addresses is given: ``github.com/ada/digits``; ``local/srv/digits``.

    Without scheme, user, password, port, ``.git`` and a trailing slash; the host in lower case.
    """
    host, path = _host_and_path(url)
    clean = "/".join(part for part in PurePosixPath("/", path).parts[1:] if part not in ("..", "."))
    return f"{host}/{clean.removesuffix('.git')}"


def repository_name(url: str) -> str:
    """The repository's name for people: ``ada/digits``; of a local one its folder's name."""
    host, _, path = identity(url).partition("/")
    return path.rpartition("/")[2] if host == "local" else path


def safe_url(url: str) -> str:
    """The URL without user and password, to be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return identity(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "unknown", url
    if parts.scheme == "file" or url.startswith(("/", "./", "../")):
        return "local", unquote(parts.path) if parts.scheme == "file" else url
    if host:
        return host.lower(), unquote(parts.path)
    scp_like = _SCP_LIKE.fullmatch(url)
    return (scp_like["host"].lower(), scp_like["path"]) if scp_like else ("local", url)
