"""Poll the heads of the watched branches when the server starts and, with ``--poll``, at regular intervals.

The check at startup finds pushes that were made while the server was down; regular polling makes a webhook unnecessary.
Polling returns only a commit's ID. The commit message, which may say to skip the commit, is unknown until the pull job
has fetched the commit.
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
"""A function that takes a watched repository, one of its branches, and the full ID of the commit at its head."""


def remote_head(url: str, branch: str, credentials: str = "") -> str | None:
    """Return the full ID of the commit at the head of ``branch``, or None if the repository has no such branch.

    ``credentials``: the path of a file in git's credential-store format; empty if no login is needed. Raises
    UsageError if the repository cannot be reached or does not answer within 30 s.
    """
    reference = f"refs/heads/{branch}"
    command = [*credential_options(credentials), "ls-remote", "--", url, reference]
    try:
        output = run_git(command, seconds=_TIMEOUT_SECONDS).decode("utf-8", "replace")
    except GitError as error:
        raise UsageError(
            f"The branches of {safe_url(url)} cannot be listed: {' '.join(str(error).split())[:400].rstrip('.')}. "
            "Check the address, the network and, for a private repository, its credentials in server.toml."
        ) from None
    for line in output.splitlines():
        sha, _, name = line.partition("\t")
        if name == reference:  # git also lists longer names that end with this one.
            return sha
    return None


LastRunSha = Callable[[str, str], str | None]
"""A function that takes a repository's URL and a branch, and returns the commit ID of the branch's last run, if any."""


def compare_heads(repositories: Sequence[WatchedRepository], last_run_sha: LastRunSha, on_head: OnHead) -> None:
    """Call ``on_head`` for each watched branch whose head is not the commit of its last run.

    An error while checking one branch is logged and does not affect the others.
    """
    for watched in repositories:
        for branch in watched.branches:
            try:
                _compare_head(watched, branch, last_run_sha, on_head)
            except Exception as error:
                _log.warning("%s", error)


def _compare_head(watched: WatchedRepository, branch: str, last_run_sha: LastRunSha, on_head: OnHead) -> None:
    head = remote_head(watched.url, branch, watched.credentials)
    if head is None:
        raise UsageError(f"{safe_url(watched.url)} has no branch {branch}.")
    if head != last_run_sha(watched.url, branch):
        on_head(watched, branch, head)


class Poller:
    """A thread that compares heads as ``compare_heads`` does, once at the start and then every ``seconds`` seconds.

    If ``on_head`` raises an exception, it is called again at the next poll. If polling a branch fails several
    times in a row, only the first error and the next success are logged.
    """

    def __init__(
        self, repositories: Sequence[WatchedRepository], seconds: float, last_run_sha: LastRunSha, on_head: OnHead
    ) -> None:
        self._repositories = repositories
        self._seconds = seconds
        self._last_run_sha = last_run_sha
        self._on_head = on_head
        self._failing: set[tuple[str, str]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poller", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling. Waits up to 2 s for a request in progress; a slower one is left to finish or time out."""
        self._stopped.set()
        self._thread.join(timeout=_STOP_SECONDS)

    def _poll(self) -> None:
        while not self._stopped.is_set():
            for watched in self._repositories:
                for branch in watched.branches:
                    if not self._stopped.is_set():
                        self._check_branch(watched, branch)
            self._stopped.wait(self._seconds)

    def _check_branch(self, watched: WatchedRepository, branch: str) -> None:
        key = (watched.url, branch)
        try:
            _compare_head(watched, branch, self._last_run_sha, self._on_head)
        except Exception as error:
            if key not in self._failing:
                _log.warning("%s Trying again every %g s.", error, self._seconds)
            self._failing.add(key)
        else:
            if key in self._failing:
                _log.info("%s %s: polling works again", safe_url(watched.url), branch)
            self._failing.discard(key)
