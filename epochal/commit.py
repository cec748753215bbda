"""Names of repositories, and the instructions in commit messages to skip training."""

import re
from pathlib import Path
from urllib.parse import unquote

from epochal.records import Commit

_SKIP_WORDS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"skip-checks:\s*true", re.IGNORECASE)
# The last line of the message of a commit made by Epochal. A run for such a commit would lead to another one.
_EPOCHAL_TRAILER = re.compile(r"Epochal-Run: \d+")
_HOST = r"(?P<host>\[[^\]/@]*\]|[^/:\[]*)"
_URL = re.compile(rf"[a-z][a-z0-9+.-]*://(?:[^/]*@)?{_HOST}(?::[^/]*)?(?P<path>(?:/.*)?)", re.IGNORECASE | re.DOTALL)
# git-clone(1): "user@host:path" is an ssh address if there is no slash before the colon.
_SCP_LIKE = re.compile(rf"(?:[^/@]*@)?{_HOST}:(?P<path>.*)", re.DOTALL)
_HOST_ALIASES = {"ssh.github.com": "github.com", "www.github.com": "github.com"}


def identity(url: str) -> str:
    """Return a name for a repository, such as ``github.com/ada/digits``, that is the same for all its addresses.

    For an address, the name is the lower-case host followed by the path, without user, password, port, trailing slashes
    or ``.git``. For a file:// URL, or a path that begins with a slash or a dot, it is ``local`` followed by the
    absolute path: ``local/srv/digits.git``. If the argument is already such a name, it is returned unchanged. No part
    of a name is ``..``, so the name is safe to use as a path.
    """
    host, path = _split_host_and_path(url)
    host = host.lower().strip(".") or "local"
    path = _normalise_path(path)
    while host != "local" and path.endswith(".git"):
        path = _normalise_path(path.removesuffix(".git"))
    return f"{_HOST_ALIASES.get(host, host)}/{path}".rstrip("/")


def _split_host_and_path(url: str) -> tuple[str, str]:
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


def _normalise_path(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def repository_name(url: str) -> str:
    """Return the display name of a repository, such as ``ada/digits``, or the name of its folder if it is local."""
    host, _, path = identity(url).partition("/")
    if host != "local":
        return path or host
    return path.removesuffix("/.git").rpartition("/")[2].removesuffix(".git") or "/"


def display_name(commit: Commit) -> str:
    """Return the display name of a commit's repository (``ada/digits``) or project (``ada/digits:faces``)."""
    name = repository_name(commit.repository)
    return f"{name}:{commit.project}" if commit.project else name


def safe_url(url: str) -> str:
    """Return ``url`` without the user name and password after ``://``, if any, so that it is safe to show."""
    return re.sub(r"://[^/]*@", "://", url)


def find_skip_instruction(message: str) -> str | None:
    """Return a commit message's instruction to skip training; None if there is none.

    It is one of GitHub's instructions (see "Skipping workflow runs" in GitHub's documentation) or, if Epochal made the
    commit, the message's last line plus ``(a commit by Epochal)``. The trailer ``skip-checks: true`` must be the last
    line, with an empty line somewhere above it; GitHub asks for two empty lines, but git keeps only one by default.
    """
    found = next((word for word in _SKIP_WORDS if word in message.lower()), None)
    if found:
        return found
    *before, last = message.strip().splitlines() or [""]
    if _EPOCHAL_TRAILER.fullmatch(last.strip()):
        return f"{last.strip()} (a commit by Epochal)"
    is_trailer = _SKIP_TRAILER.fullmatch(last.strip()) and any(not line.strip() for line in before)
    return "skip-checks: true" if is_trailer else None
