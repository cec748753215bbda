"""GitHub's push event, and the identity of a repository. Values in, values out ("Webhook events and payloads")."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from epochal.errors import EpochalError

_SKIP_WORDS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"skip-checks:\s*true", re.IGNORECASE)
# What a commit that Epochal makes by itself ends with: training it would start another one of its kind.
_OWN_TRAILER = re.compile(r"Epochal-Run: \d+")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) forbids anywhere in a name; a leading dash, which a command would take for an option; and
# what would break a line, or turn it around, where the name is shown.
_BAD_BRANCH = re.compile(
    r"[\x00-\x20\x7f-\x9f~^:?*\[\\\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    r"|\.\.|@\{|//|/\.|^[-/.]|[/.]\Z|\.lock(?:/|\Z)|^@\Z"
)
_LONGEST_BRANCH = 255
_LONGEST_URL = 2048
_URL_FIELDS = ("clone_url", "ssh_url", "html_url", "git_url", "url")
_HOST = r"(?P<host>\[[^\]/@]*\]|[^/:\[]*)"
_URL = re.compile(rf"[a-z][a-z0-9+.-]*://(?:[^/]*@)?{_HOST}(?::[^/]*)?(?P<path>(?:/.*)?)", re.IGNORECASE | re.DOTALL)
# git-clone(1): "user@host:path" is ssh's where no slash comes before the colon.
_SCP_LIKE = re.compile(rf"(?:[^/@]*@)?{_HOST}:(?P<path>.*)", re.DOTALL)
_SAME_HOST = {"ssh.github.com": "github.com", "www.github.com": "github.com"}


class PayloadError(EpochalError):
    """A request's body that cannot be used; ``status`` is the HTTP status to answer with: 400 or 415."""

    exit_status = 2

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class Push:
    """What a push tells: the repository by each of its addresses, the branch, and its new head.

    ``author_email`` is empty where GitHub does not tell it.
    """

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

    Raises PayloadError: 415 for another content type, 400 for what is no JSON object in UTF-8.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise PayloadError(
            415, f"The content type is {kind[:100] or 'missing'}; GitHub sends application/json or a form."
        )
    try:
        text = body.decode("utf-8")
        payload = json.loads(text if kind == "application/json" else _payload_field(text))
    except (ValueError, RecursionError):
        raise PayloadError(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(payload, dict):
        raise PayloadError(400, "The JSON is not an object.")
    return payload


def _payload_field(form: str) -> str:
    fields = parse_qs(form, keep_blank_values=True, errors="strict", max_num_fields=10).get("payload", [])
    if len(fields) != 1:
        raise PayloadError(400, "The form does not have one field called payload.")
    return fields[0]


def read_push(payload: dict[str, Any]) -> Push | Skipped:
    """What a push event asks for. Raises PayloadError(400) naming the field that is missing or not what it should be."""
    reference = _text(payload, "ref")
    sha = _text(payload, "after")
    if not _SHA.fullmatch(sha):
        raise PayloadError(400, "after: not the full name of a commit.")
    reason = _no_branch(reference, sha, payload)
    if reason:
        return Skipped(reason)
    head = _object(payload, "head_commit")
    message = _text(head, "message", "head_commit.")
    if word := skip_word(message):
        return Skipped(f"the commit's message says {word}")
    author = _object(head, "author", "head_commit.")
    return Push(
        identities=_identities(_object(payload, "repository")),
        branch=_branch(reference),
        sha=sha,
        message=message,
        author_name=_text(author, "name", "head_commit.author."),
        author_email=_text(author | {"email": author.get("email") or ""}, "email", "head_commit.author."),
        pusher=_text(_object(payload, "pusher"), "name", "pusher."),
    )


def _no_branch(reference: str, sha: str, payload: dict[str, Any]) -> str | None:
    if payload.get("deleted") is True or set(sha) == {"0"}:
        return f"{reference[:_LONGEST_BRANCH]} was deleted"
    if not reference.startswith("refs/heads/"):
        return f"{reference[:_LONGEST_BRANCH]} is {'a tag' if reference.startswith('refs/tags/') else 'no branch'}"
    return None


def _branch(reference: str) -> str:
    branch = reference.removeprefix("refs/heads/")
    if not branch or len(branch) > _LONGEST_BRANCH or _BAD_BRANCH.search(branch):
        raise PayloadError(400, "ref: not a name that git allows for a branch.")
    return branch


def skip_word(message: str) -> str | None:
    """The instruction to skip, by GitHub's rules ("Skipping workflow runs"), or the mark of a commit that Epochal made.

    The trailer ends the message, behind an empty line: GitHub asks for two, of which git by default keeps one.
    """
    found = next((word for word in _SKIP_WORDS if word in message.lower()), None)
    if found:
        return found
    *before, last = message.strip().splitlines() or [""]
    if _OWN_TRAILER.fullmatch(last.strip()):
        return f"{last.strip()}, so Epochal made it"
    is_trailer = _SKIP_TRAILER.fullmatch(last.strip()) and any(not line.strip() for line in before)
    return "skip-checks: true" if is_trailer else None


def _identities(repository: dict[str, Any]) -> frozenset[str]:
    addresses = [repository.get(name) for name in _URL_FIELDS]
    texts = [address for address in addresses if isinstance(address, str) and 0 < len(address) <= _LONGEST_URL]
    if not texts:
        raise PayloadError(400, "repository.clone_url: missing, or not a text.")
    return frozenset(identity(text) for text in texts)


def _object(payload: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise PayloadError(400, f"{where}{name}: missing, or not an object.")
    return value


def _text(payload: dict[str, Any], name: str, where: str = "") -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise PayloadError(400, f"{where}{name}: missing, or not a text.")
    # Half a surrogate pair and NUL are legal in JSON, but in no database and no mail.
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def identity(url: str) -> str:
    """One name for a repository, whichever of its addresses is given: ``github.com/ada/digits``, ``local/srv/digits.git``.

    Of an address: the host in lower case and the path, without user, password, port, ``.git`` and slashes at the end. Of a
    path (it begins with a slash or a dot) or file:// URL: ``local`` and the absolute path. An identity is its own identity.
    It never climbs: no part of it is ``..``.
    """
    host, path = _host_and_path(url)
    host = host.lower().strip(".") or "local"
    path = _plain_path(path) if host == "local" else _without_git(path)
    return f"{_SAME_HOST.get(host, host)}/{path}".rstrip("/")


def _host_and_path(url: str) -> tuple[str, str]:
    if url.startswith(("/", ".")):
        return "local", Path(url).absolute().as_posix()
    address = _URL.fullmatch(url)
    if address:
        is_file = url[:5].lower() == "file:"
        return "local" if is_file else address["host"], unquote(address["path"])
    scp_like = _SCP_LIKE.fullmatch(url)
    if scp_like:
        return scp_like["host"], scp_like["path"]
    host, _, path = url.partition("/")
    return host, path


def _plain_path(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _without_git(path: str) -> str:
    plain = _plain_path(path)
    while plain.endswith(".git"):
        plain = _plain_path(plain.removesuffix(".git"))
    return plain


def repository_name(url: str) -> str:
    """The repository's name for people: ``ada/digits``; of a local one its folder's name."""
    host, _, path = identity(url).partition("/")
    if host != "local":
        return path or host
    return path.removesuffix("/.git").rpartition("/")[2].removesuffix(".git") or "/"


def safe_url(url: str) -> str:
    """The URL without user and password, to be shown."""
    return re.sub(r"://[^/]*@", "://", url)
