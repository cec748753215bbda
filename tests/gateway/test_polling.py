"""Asking remotes for branch heads: real repositories, a password-protected HTTP server, and one that never answers."""

import base64
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from epochal.errors import UsageError
from epochal.gateway import polling
from epochal.gateway.polling import Poller, compare_heads, remote_head
from epochal.settings import WatchedRepository
from tests.gateway.loopback import SHA, NextLine, served
from tests.repositories import commit, git, make_repository

Head = tuple[str, str, str]


def test_head_is_of_exactly_the_named_branch(tmp_path: Path) -> None:
    """git ls-remote also lists branches whose names merely end with the given name."""
    origin = make_repository(tmp_path / "origin")
    first = git(origin, "rev-parse", "HEAD")
    git(origin, "branch", "a/refs/heads/main")
    second = commit(origin, {"nn.py": ""}, "Second")
    assert second != first
    assert remote_head(str(origin), "main") == second
    assert remote_head(str(origin), "heads/main") is None
    assert remote_head(str(origin), "mai*") is None


def test_variables_of_a_git_hook_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a hook, GIT_DIR names another repository; here, its configuration redirects the address."""
    origin = make_repository(tmp_path / "origin")
    other = make_repository(tmp_path / "other", {"nn.py": "other"})
    head = git(origin, "rev-parse", "HEAD")
    assert head != git(other, "rev-parse", "HEAD")
    git(other, "config", f"url.{other}.insteadOf", str(origin))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert remote_head(str(origin), "main") == head


def test_missing_repository_is_reported(tmp_path: Path) -> None:
    """The message includes the address, git's own message and the file to check."""
    with pytest.raises(
        UsageError, match=r"nowhere cannot be listed: .*does not appear to be a git repository.*server\.toml"
    ):
        remote_head(str(tmp_path / "nowhere"), "main")


@pytest.mark.parametrize("url", ["ext::touch {}", "--upload-pack=touch {}", "fd::17", "-c alias.ls-remote='!touch {}'"])
def test_address_runs_no_command(tmp_path: Path, url: str) -> None:
    """git would run a command for some transports, and for an address that looks like an option."""
    harm = tmp_path / "harm"
    with pytest.raises(UsageError):
        remote_head(url.format(harm), "main")
    assert not harm.exists()


def test_transport_of_another_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, git runs a git-remote-… program from PATH for an address with an unknown transport."""
    harm = tmp_path / "harm"
    helper = tmp_path / "git-remote-other"
    helper.write_text(f"#!/bin/sh\ntouch '{harm}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UsageError, match="transport 'other' not allowed"):
        remote_head("other::anything", "main")
    assert not harm.exists()


@contextmanager
def _private_repository() -> Iterator[str]:
    """Serve a private repository as GitHub does: git's plain HTTP protocol ("Git Internals", 10.6) behind a password."""
    right = "Basic " + base64.b64encode(b"ada:right").decode()

    def answer(request: Request) -> Response:
        if request.headers.get("Authorization") != right:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        if request.url.path.endswith("/HEAD"):
            return PlainTextResponse("ref: refs/heads/main\n")
        return PlainTextResponse(f"{SHA}\trefs/heads/main\n")

    paths = ("/digits.git/info/refs", "/digits.git/HEAD")
    with served(Starlette(routes=[Route(path, answer) for path in paths])) as address:
        yield f"{address}/digits.git"


def _write_credentials(path: Path, url: str, password: str) -> Path:
    path.write_text(url.replace("://", f"://ada:{password}@").removesuffix("/digits.git") + "\n")
    return path


def test_private_repository_is_read_with_the_credentials_file(tmp_path: Path) -> None:
    """The file's name may contain spaces and quotes. Without the file, git fails instead of asking for a password."""
    with _private_repository() as url:
        right = _write_credentials(tmp_path / "ada's credentials", url, "right")
        assert remote_head(url, "main", str(right)) == SHA
        with pytest.raises(UsageError, match=r"credentials in server\.toml"):
            remote_head(url, "main")


def test_refused_password_stays_in_its_file(tmp_path: Path) -> None:
    """git would erase the password, although the server may have refused it by mistake. No message shows it."""
    with _private_repository() as url:
        wrong = _write_credentials(tmp_path / "credentials", url, "hunter2")
        before = wrong.read_text()
        with pytest.raises(UsageError) as from_file:
            remote_head(url, "main", str(wrong))
        with pytest.raises(UsageError) as from_url:
            remote_head(url.replace("://", "://ada:hunter2@"), "main")
    assert wrong.read_text() == before
    assert "hunter2" not in f"{from_file.value} {from_url.value}"


def test_silent_remote_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that git started for the request is ended too, so its connection is closed."""
    monkeypatch.setattr(polling, "_TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(UsageError, match="git did not finish within"):
            remote_head(f"http://127.0.0.1:{listener.getsockname()[1]}/digits.git", "main")
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            while connection.recv(4096):
                pass


def _watch_main(*origins: Path) -> list[WatchedRepository]:
    return [WatchedRepository(url=str(origin), branches=("main",)) for origin in origins]


def test_push_during_downtime_is_found(tmp_path: Path, log: NextLine) -> None:
    """A push is found if the head differs from the last run's commit. A missing repository does not affect the others."""
    known, moved, new = (make_repository(tmp_path / name) for name in ("known", "moved", "new"))
    last = {str(origin): git(origin, "rev-parse", "HEAD") for origin in (known, moved)}
    commit(moved, {"nn.py": ""}, "Second")
    found: list[Head] = []
    compare_heads(
        _watch_main(tmp_path / "gone", known, moved, new),
        lambda url, branch: last.get(url),
        lambda watched, branch, sha: found.append((watched.url, branch, sha)),
    )
    assert found == [(str(origin), "main", git(origin, "rev-parse", "HEAD")) for origin in (moved, new)]
    assert "gone cannot be listed" in log()


class _MemoryRuns:
    """An in-memory store of each repository's last commit. The first ``failures`` calls of ``on_head`` raise OSError."""

    def __init__(self, failures: int = 0) -> None:
        self.found: queue.SimpleQueue[Head] = queue.SimpleQueue()
        self._last: dict[str, str] = {}
        self._failures = failures

    def last_sha(self, url: str, branch: str) -> str | None:
        return self._last.get(url)

    def on_head(self, watched: WatchedRepository, branch: str, sha: str) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("the database is locked.")
        self._last[watched.url] = sha
        self.found.put((watched.url, branch, sha))


@contextmanager
def _running_poller(origin: Path, seconds: float, runs: _MemoryRuns) -> Iterator[Callable[[], Head]]:
    poller = Poller(_watch_main(origin), seconds, runs.last_sha, runs.on_head)
    poller.start()
    try:
        yield lambda: runs.found.get(timeout=20)
    finally:
        poller.stop()
        assert "poller" not in [thread.name for thread in threading.enumerate()]


def test_polling_reports_each_head_once(tmp_path: Path) -> None:
    """The first head and every later push are reported exactly once."""
    origin = make_repository(tmp_path / "origin")
    runs = _MemoryRuns()
    with _running_poller(origin, 0.05, runs) as next_head:
        assert next_head() == (str(origin), "main", git(origin, "rev-parse", "HEAD"))
        second = commit(origin, {"nn.py": ""}, "Second")
        assert next_head() == (str(origin), "main", second)
        third = commit(origin, {"nn.py": "3"}, "Third")
        assert next_head() == (str(origin), "main", third)
    assert runs.found.empty()


def test_polling_stops_at_once(tmp_path: Path) -> None:
    """Stopping does not wait for the next poll, which is an hour away."""
    with _running_poller(make_repository(tmp_path / "origin"), 3600, _MemoryRuns()) as next_head:
        next_head()


def test_polling_logs_when_an_error_begins_and_ends(tmp_path: Path, log: NextLine) -> None:
    """Nothing is logged in between, however often the remote is polled."""
    origin = tmp_path / "origin"
    with _running_poller(origin, 0.05, _MemoryRuns()) as next_head:
        assert "origin cannot be listed" in log()
        make_repository(tmp_path / "made").rename(origin)
        assert next_head()[0] == str(origin)
        assert log() == f"{origin} main: polling works again"
        origin.rename(tmp_path / "made")
        assert "origin cannot be listed" in log()


def test_head_that_could_not_be_stored_is_reported_again(tmp_path: Path, log: NextLine) -> None:
    """A database error loses no push, and is logged only once, however often it recurs."""
    origin = make_repository(tmp_path / "origin")
    with _running_poller(origin, 0.05, _MemoryRuns(failures=3)) as next_head:
        assert next_head()[2] == git(origin, "rev-parse", "HEAD")
        assert log() == "the database is locked. Trying again every 0.05 s."
        assert log() == f"{origin} main: polling works again"
