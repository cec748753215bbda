"""A commit and its repository, as people and git name them: one name per repository, and what a message may ask for."""

import re
from pathlib import Path
from urllib.parse import unquote

_SKIP_WORDS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_SKIP_TRAILER = re.compile(r"skip-checks:\s*true", re.IGNORECASE)
# What a commit that Epochal makes by itself ends with: training it would start another one of its kind.
_OWN_TRAILER = re.compile(r"Epochal-Run: \d+")
_HOST = r"(?P<host>\[[^\]/@]*\]|[^/:\[]*)"
_URL = re.compile(rf"[a-z][a-z0-9+.-]*://(?:[^/]*@)?{_HOST}(?::[^/]*)?(?P<path>(?:/.*)?)", re.IGNORECASE | re.DOTALL)
# git-clone(1): "user@host:path" is ssh's where no slash comes before the colon.
_SCP_LIKE = re.compile(rf"(?:[^/@]*@)?{_HOST}:(?P<path>.*)", re.DOTALL)
_SAME_HOST = {"ssh.github.com": "github.com", "www.github.com": "github.com"}


def identity(url: str) -> str:
    """One name for a repository, whichever of its addresses is given: ``github.com/ada/digits``, ``local/srv/digits.git``.

    Of an address: the host in lower case and the path, without user, password, port, ``.git`` and slashes at the end. Of a
    path (it begins with a slash or a dot) or file:// URL: ``local`` and the absolute path. An identity is its own identity.
    It never climbs: no part of it is ``..``.
    """
    host, path = _host_and_path(url)
    host = host.lower().strip(".") or "local"
    path = _plain_path(path)
    while host != "local" and path.endswith(".git"):
        path = _plain_path(path.removesuffix(".git"))
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


def repository_name(url: str) -> str:
    """The repository's name for people: ``ada/digits``; of a local one its folder's name."""
    host, _, path = identity(url).partition("/")
    if host != "local":
        return path or host
    return path.removesuffix("/.git").rpartition("/")[2].removesuffix(".git") or "/"


def safe_url(url: str) -> str:
    """The URL without user and password, to be shown."""
    return re.sub(r"://[^/]*@", "://", url)


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
