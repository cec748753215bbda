"""Asking a remote for its head instead of waiting to be told."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epochal.git import GitError, run_git
from epochal.payload import safe_url
from epochal.settings import WatchedRepository

_log = logging.getLogger("epochal.polling")

OnHead = Callable[[WatchedRepository, str, str], None]
"""Takes a watched repository, a branch, and the full name of the commit that is its head."""


@dataclass(frozen=True)
class RemoteHead:
    """The full name of the commit at the head of a remote branch."""

    sha: str


def remote_head(url: str, branch: str, credentials: str = "") -> RemoteHead | None:
    """The head of ``branch`` at ``url`` (git-ls-remote(1)); None where the remote has no such branch. Raises GitError."""
    helper = ["-c", f"credential.helper=store --file={credentials}"] if credentials else []
    answer = run_git([*helper, "ls-remote", "--exit-code", "--quiet", "--", url, f"refs/heads/{branch}"], ok=(0, 2))
    for line in answer.decode("utf-8", "replace").splitlines():
        sha, _, reference = line.partition("\t")
        if reference == f"refs/heads/{branch}":
            return RemoteHead(sha)
    return None


def compare_heads(
    repositories: Sequence[WatchedRepository], last_sha: Callable[[str, str], str | None], on_head: OnHead
) -> None:
    """Tell ``on_head`` of each watched branch whose head is not the commit of its last run.

    ``last_sha`` gives that commit for a URL and a branch. A remote that does not answer is told in the log.
    """
    for watched in repositories:
        for branch in watched.branches:
            try:
                head = remote_head(watched.url, branch, watched.credentials)
            except GitError as error:
                _log.warning("%s %s cannot be asked: %s", safe_url(watched.url), branch, error)
                continue
            if head and head.sha != last_sha(watched.url, branch):
                on_head(watched, branch, head.sha)


class Poller:
    """A thread that compares the remotes' heads every so many seconds, waiting in between."""

    def __init__(
        self,
        repositories: Sequence[WatchedRepository],
        seconds: float,
        last_sha: Callable[[str, str], str | None],
        on_head: OnHead,
    ) -> None:
        self._repositories = repositories
        self._seconds = seconds
        self._last_sha = last_sha
        self._on_head = on_head
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poller", daemon=True)

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _poll(self) -> None:
        while not self._stopped.wait(self._seconds):
            compare_heads(self._repositories, self._last_sha, self._on_head)
