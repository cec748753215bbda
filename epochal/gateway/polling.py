"""Asking the remotes for their heads: at every start, for what was pushed in between, or instead of a webhook.

A head is a commit's name only: its message, and so a wish to skip it, becomes known when it is pulled.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from epochal.commit import safe_url
from epochal.errors import UsageError
from epochal.git import GitError, credential_options, run_git
from epochal.settings import WatchedRepository

_log = logging.getLogger("epochal.gateway")

_TIMEOUT_SECONDS = 30.0
_STOP_SECONDS = 2.0

OnHead = Callable[[WatchedRepository, str, str], None]
"""Takes a watched repository, a branch of it, and the full name of the commit that is its head."""


def remote_head(url: str, branch: str, credentials: str = "") -> str | None:
    """Return the commit that ``branch`` is at, at ``url``; None if the repository has no such branch.

    ``credentials`` is a file in git's credential-store format, or empty. Raises UsageError where the repository cannot
    be asked, or does not answer within 30 s.
    """
    reference = f"refs/heads/{branch}"
    command = [*credential_options(credentials), "ls-remote", "--", url, reference]
    try:
        listed = run_git(command, seconds=_TIMEOUT_SECONDS).decode("utf-8", "replace")
    except GitError as error:
        raise UsageError(
            f"{safe_url(url)} cannot be asked for its branches: {' '.join(str(error).split())[:400].rstrip('.')}. "
            "Check the address, the network and, of a private repository, its credentials in server.toml."
        ) from None
    for line in listed.splitlines():
        sha, _, name = line.partition("\t")
        if name == reference:  # git lists whatever ends like this
            return sha
    return None


LastRunSha = Callable[[str, str], str | None]
"""Takes a URL and a branch, gives the commit of its last run; None if there was none."""


def compare_heads(repositories: Sequence[WatchedRepository], last_run_sha: LastRunSha, on_head: OnHead) -> None:
    """Call ``on_head`` for each watched branch whose head is not the commit of its last run.

    What goes wrong with one branch is logged, and keeps no other from being asked.
    """
    for watched in repositories:
        for branch in watched.branches:
            try:
                _compare(watched, branch, last_run_sha, on_head)
            except Exception as error:
                _log.warning("%s", error)


def _compare(watched: WatchedRepository, branch: str, last_run_sha: LastRunSha, on_head: OnHead) -> None:
    head = remote_head(watched.url, branch, watched.credentials)
    if head is None:
        raise UsageError(f"{safe_url(watched.url)} has no branch {branch}.")
    if head != last_run_sha(watched.url, branch):
        on_head(watched, branch, head)


class Poller:
    """Compares the remotes' heads with the last runs every ``seconds``, in a thread of its own; at once at its start.

    If ``on_head`` raises, it is called again the next time. Troubles are logged when they begin and when they end.
    """

    def __init__(
        self, repositories: Sequence[WatchedRepository], seconds: float, last_run_sha: LastRunSha, on_head: OnHead
    ) -> None:
        self._repositories = repositories
        self._seconds = seconds
        self._last_run_sha = last_run_sha
        self._on_head = on_head
        self._troubled: set[tuple[str, str]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poller", daemon=True)

    def start(self) -> None:
        """Start to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking. Wait briefly for a question that is under way, then leave it to its time limit."""
        self._stopped.set()
        self._thread.join(timeout=_STOP_SECONDS)

    def _poll(self) -> None:
        while not self._stopped.is_set():
            for watched in self._repositories:
                for branch in watched.branches:
                    if not self._stopped.is_set():
                        self._look(watched, branch)
            self._stopped.wait(self._seconds)

    def _look(self, watched: WatchedRepository, branch: str) -> None:
        key = (watched.url, branch)
        try:
            _compare(watched, branch, self._last_run_sha, self._on_head)
        except Exception as error:
            if key not in self._troubled:
                _log.warning("%s It is tried again every %g s.", error, self._seconds)
            self._troubled.add(key)
        else:
            if key in self._troubled:
                _log.info("%s %s: asked again without trouble", safe_url(watched.url), branch)
            self._troubled.discard(key)
