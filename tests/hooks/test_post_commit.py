"""The post-commit hook, in real repositories that push to a bare one, which reports each push on a pipe."""

import fcntl
import os
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from epochal.commands.init import initialise, read_last_push
from epochal.settings import child_environment
from tests.repositories import commit, git

_TIMEOUT_SECONDS = 60.0


class Pipe:
    """A FIFO to which other processes write lines."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Opened for writing, too, so that the reader sees no end of file between two writers (fifo(7)).
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._pending = b""

    def read_line(self) -> str:
        """Wait for the next line and return it."""
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._descriptor], [], [], _TIMEOUT_SECONDS)
            assert ready, f"nothing was written to {self.path}"
            self._pending += os.read(self._descriptor, 4096)
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def is_empty(self) -> bool:
        """Return whether everything written so far has been read."""
        return not self._pending and not select.select([self._descriptor], [], [], 0)[0]

    def write(self, text: str) -> None:
        """Write ``text``, so that a process that reads the FIFO continues."""
        os.write(self._descriptor, text.encode())


@dataclass(frozen=True)
class Developer:
    """A developer's repository, the bare one it pushes to, and a pipe with a line ``<sha> <ref>`` for each push."""

    folder: Path
    origin: Path
    pushes: Pipe

    def commit(self, message: str) -> str:
        """Commit a change to a file."""
        return commit(self.folder, {"notes.txt": message}, message)

    def wait_for_push(self) -> str:
        """Wait for the next push and return its commit."""
        return self.pushes.read_line().split()[0]

    def wait_for_pushers(self) -> None:
        """Wait until no hook is pushing. A hook that pushes holds a lock."""
        lock = self.folder / ".git/epochal/lock"
        subprocess.run(["flock", str(lock), "true"], check=True, timeout=_TIMEOUT_SECONDS)

    def git_and_hooks(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a git command that may fail, and wait until all processes that its hooks started have ended."""
        reading, writing = os.pipe()
        inherited = fcntl.fcntl(writing, fcntl.F_DUPFD, 100)  # the hook itself opens the descriptors 8 and 9
        os.close(writing)
        done = self.git(*arguments, inherited=(inherited,))
        os.close(inherited)
        with os.fdopen(reading, "rb") as pipe:
            pipe.read()  # ends once no process has the other end open
        return done

    def git(self, *arguments: str, inherited: tuple[int, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """Run a git command that may fail. The command and its hooks inherit the file descriptors ``inherited``."""
        command = ["git", "-C", str(self.folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            env=child_environment({}),
            pass_fds=inherited,
        )


def _install_receive_hook(origin: Path, pushes: Pipe) -> None:
    hook = origin / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nwhile read old new ref; do echo $new $ref >{pushes.path}; done\n")
    hook.chmod(0o755)


@pytest.fixture
def developer(tmp_path: Path) -> Iterator[Developer]:
    """Create a repository with ``epochal init``, without a commit."""
    origin = tmp_path / "origin.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    pushes = Pipe(tmp_path / "pushes")
    _install_receive_hook(origin, pushes)
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "nn.py").write_text("epochs = 20\n")
    initialise(folder, str(origin), ("main",))
    git(folder, "config", "epochal.pause", "1")
    yield Developer(folder, origin, pushes)
    subprocess.run(["pkill", "-f", "--", f"--push {folder}/"], check=False)


def test_commit_is_pushed_and_its_upstream_set(developer: Developer) -> None:
    """Each commit arrives at the remote, and the state of the last push is stored."""
    for message in ("First", "Second"):
        sha = developer.commit(message)
        assert developer.wait_for_push() == sha
    developer.wait_for_pushers()
    assert git(developer.folder, "rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    state = read_last_push(developer.folder)
    assert state is not None
    assert (state.state, state.branch, state.commit) == ("ok", "main", sha)
    assert "main" in (developer.folder / ".git/epochal/push.log").read_text()


def test_commits_during_a_hanging_push_are_pushed_together(developer: Developer, tmp_path: Path) -> None:
    """git commit returns at once even if a push hangs, and a single later push delivers the newest commit."""
    gate, seen = Pipe(tmp_path / "gate"), Pipe(tmp_path / "seen")
    hook = developer.origin / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho waiting >{seen.path}\nread line <{gate.path}\n")
    hook.chmod(0o755)
    first = developer.commit("First")
    seen.read_line()  # Wait until the first push hangs.
    for message in ("Second", "Third", "Fourth"):
        last = developer.commit(message)
    hook.unlink()
    gate.write("go on\n")
    assert developer.wait_for_push() == first
    assert developer.wait_for_push() == last
    developer.wait_for_pushers()
    assert developer.pushes.is_empty()


def test_nothing_is_pushed_if_off_detached_or_on_another_branch(developer: Developer) -> None:
    """The hook reports only once that a branch is not pushed."""
    developer.commit("First")
    developer.wait_for_push()
    git(developer.folder, "config", "epochal.push", "off")
    developer.commit("Off")
    git(developer.folder, "config", "epochal.push", "foreground")
    git(developer.folder, "checkout", "--quiet", "--detach")
    developer.commit("Detached")
    git(developer.folder, "checkout", "--quiet", "-b", "idea")
    messages = [developer.git("commit", "--allow-empty", "-m", f"Idea {number}").stderr for number in (1, 2)]
    assert "idea is not pushed" in messages[0]
    assert "epochal" not in messages[1]
    developer.wait_for_pushers()
    assert developer.pushes.is_empty()
    assert git(developer.origin, "branch", "--format=%(refname:short)") == "main"


def test_foreground_mode_waits_for_the_push(developer: Developer) -> None:
    """The commit has arrived at the remote when git commit returns."""
    git(developer.folder, "config", "epochal.push", "foreground")
    sha = developer.commit("First")
    assert git(developer.origin, "rev-parse", "main") == sha


def test_push_to_an_offline_remote_is_retried(developer: Developer) -> None:
    """The next commit succeeds and reports the failed push."""
    away = developer.origin.with_name("away.git")
    developer.origin.rename(away)
    git(developer.folder, "config", "epochal.retries", "0")
    git(developer.folder, "config", "epochal.push", "foreground")
    developer.commit("First")
    state = read_last_push(developer.folder)
    assert state is not None
    assert state.state == "failed"
    git(developer.folder, "config", "epochal.push", "background")
    git(developer.folder, "config", "epochal.retries", "30")
    second = developer.git("commit", "--allow-empty", "-m", "Second")
    assert second.returncode == 0
    assert "the last push of main failed" in second.stderr
    away.rename(developer.origin)
    assert developer.wait_for_push() == git(developer.folder, "rev-parse", "HEAD")


def test_diverged_branch_is_reported_and_never_forced(developer: Developer) -> None:
    """The branch diverges because a pushed commit is amended."""
    git(developer.folder, "config", "epochal.push", "foreground")
    sha = developer.commit("First")
    amended = developer.git("commit", "--amend", "-m", "Amended")
    assert amended.returncode == 0
    assert "so nothing was pushed" in amended.stderr
    assert git(developer.origin, "rev-parse", "main") == sha
    state = read_last_push(developer.folder)
    assert state is not None
    assert state.state == "diverged"


def _create_branches(developer: Developer) -> None:
    """Push a first commit of ``main``, and add two commits to a new branch ``idea``, which is not pushed."""
    developer.commit("First")
    developer.wait_for_push()
    developer.wait_for_pushers()
    git(developer.folder, "checkout", "--quiet", "-b", "idea")
    for number in (1, 2):
        commit(developer.folder, {f"idea-{number}.txt": "x"}, f"Idea {number}")
    git(developer.folder, "checkout", "--quiet", "main")


@pytest.mark.parametrize(
    "operation",
    [
        ["cherry-pick", "main..idea"],
        ["cherry-pick", "idea"],
        ["merge", "--no-ff", "-m", "Merge", "idea"],
        ["merge", "idea"],
        ["revert", "--no-edit", "HEAD"],
    ],
)
def test_only_the_result_of_an_operation_is_pushed(developer: Developer, operation: list[str]) -> None:
    """Even a cherry-pick of two commits leads to only one push, after it has finished."""
    _create_branches(developer)
    done = developer.git(*operation)
    assert done.returncode == 0, done.stderr
    assert developer.wait_for_push() == git(developer.folder, "rev-parse", "main")
    developer.wait_for_pushers()
    assert developer.pushes.is_empty()


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_only_the_result_of_a_rebase_is_pushed(developer: Developer, backend: str) -> None:
    """A rebase that makes two commits leads to only one push, after it has finished."""
    developer.commit("First")
    developer.wait_for_push()
    developer.wait_for_pushers()  # The push also writes to git's configuration, as the next command does.
    git(developer.folder, "config", "epochal.push", "off")
    for number in (1, 2):
        commit(developer.folder, {f"{number}.txt": "x"}, f"Number {number}")
    git(developer.folder, "config", "epochal.push", "background")
    done = developer.git("rebase", backend, "--force-rebase", "HEAD~2")
    assert done.returncode == 0, done.stderr
    assert developer.wait_for_push() == git(developer.folder, "rev-parse", "main")
    developer.wait_for_pushers()
    assert developer.pushes.is_empty()


@pytest.mark.parametrize("operation", [["merge", "idea"], ["cherry-pick", "main..idea"]])
def test_resolved_conflict_is_pushed(developer: Developer, operation: list[str]) -> None:
    """Only the commit that resolves the conflict is pushed, even if a cherry-pick made another commit before the conflict."""
    _create_branches(developer)
    git(developer.folder, "checkout", "--quiet", "idea")
    commit(developer.folder, {"notes.txt": "idea"}, "Idea")
    git(developer.folder, "checkout", "--quiet", "main")
    git(developer.folder, "config", "epochal.push", "off")
    developer.commit("Main")
    git(developer.folder, "config", "epochal.push", "background")
    assert developer.git_and_hooks(*operation).returncode != 0
    assert developer.pushes.is_empty()
    resolved = commit(developer.folder, {"notes.txt": "both"}, "Resolved")
    assert developer.wait_for_push() == resolved
    developer.wait_for_pushers()
    assert developer.pushes.is_empty()


def test_worktree_pushes_its_own_branch(developer: Developer, tmp_path: Path) -> None:
    """A commit in another worktree pushes the branch that is checked out there. The state is kept in the main repository."""
    developer.commit("First")
    developer.wait_for_push()
    developer.wait_for_pushers()
    git(developer.folder, "config", "--add", "epochal.branch", "idea")
    git(developer.folder, "worktree", "add", "--quiet", "-b", "idea", str(tmp_path / "tree"))
    sha = commit(tmp_path / "tree", {"notes.txt": "tree"}, "Tree")
    assert developer.pushes.read_line() == f"{sha} refs/heads/idea"
    developer.wait_for_pushers()
    state = read_last_push(developer.folder)
    assert state is not None
    assert (state.state, state.branch, state.commit) == ("ok", "idea", sha)
    assert not (developer.folder / ".git/worktrees/tree/epochal").exists()


def test_push_never_asks_for_a_password(developer: Developer, tmp_path: Path) -> None:
    """ssh gets no terminal, and git and ssh get variables that forbid prompts, so the push fails instead of hanging."""
    asked = tmp_path / "asked"
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\nenv | grep -E "ASKPASS|PROMPT" >{asked}\n(: </dev/tty) 2>/dev/null && echo tty >>{asked}\nexit 255\n'
    )
    ssh.chmod(0o755)
    git(developer.folder, "config", "core.sshCommand", str(ssh))
    git(developer.folder, "remote", "set-url", "origin", "ssh://example.invalid/digits.git")
    git(developer.folder, "config", "epochal.retries", "0")
    git(developer.folder, "config", "epochal.push", "foreground")
    developer.commit("First")
    written = asked.read_text()
    assert "GIT_TERMINAL_PROMPT=0" in written
    assert "SSH_ASKPASS_REQUIRE=never" in written
    assert "tty" not in written
    state = read_last_push(developer.folder)
    assert state is not None
    assert state.state == "failed"


@pytest.mark.parametrize("breakage", ["remote", "log", "configuration"])
def test_broken_setup_does_not_block_a_commit(developer: Developer, breakage: str) -> None:
    """The commit succeeds even if there is no remote, the log cannot be written, or the configuration is invalid."""
    if breakage == "remote":
        git(developer.folder, "remote", "remove", "origin")
    elif breakage == "log":
        (developer.folder / ".git/epochal").write_text("in the way")
    else:
        git(developer.folder, "config", "epochal.retries", "many")
        git(developer.folder, "config", "epochal.timeout", "soon")
    git(developer.folder, "add", "--all")
    done = developer.git("commit", "-m", "First")
    assert done.returncode == 0, done.stderr
    assert git(developer.folder, "log", "-1", "--format=%s") == "First"
