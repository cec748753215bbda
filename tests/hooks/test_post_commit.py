"""The git hook, in real repositories that push to a bare one which tells of each push on a pipe."""

import os
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from epochal.commands.init import initialise, pushed_state
from epochal.settings import child_environment
from tests.repositories import commit, git

_PATIENCE_SECONDS = 60.0


class Pipe:
    """A FIFO that another process writes lines to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Opened for both, so that it never ends between two writers (fifo(7)).
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._pending = b""

    def line(self) -> str:
        """The next line, waited for."""
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._descriptor], [], [], _PATIENCE_SECONDS)
            assert ready, f"nothing was written to {self.path}"
            self._pending += os.read(self._descriptor, 4096)
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def is_quiet(self) -> bool:
        """Whether nothing more was written so far."""
        return not self._pending and not select.select([self._descriptor], [], [], 0)[0]

    def write(self, text: str) -> None:
        """Let a reader go on."""
        os.write(self._descriptor, text.encode())


@dataclass(frozen=True)
class Developer:
    """A developer's repository, the bare one it pushes to, and the pipe that tells of pushes: ``<sha> <ref>``."""

    folder: Path
    origin: Path
    pushes: Pipe

    def commit(self, message: str) -> str:
        """A commit that changes a file."""
        return commit(self.folder, {"notes.txt": message}, message)

    def pushed(self) -> str:
        """The commit that arrived next."""
        return self.pushes.line().split()[0]

    def settle(self) -> None:
        """Wait until no pusher is at work: they hold the kernel's lock."""
        lock = self.folder / ".git/epochal/lock"
        subprocess.run(["flock", str(lock), "true"], check=True, timeout=_PATIENCE_SECONDS)

    def git(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A git command whose outcome the test looks at."""
        command = ["git", "-C", str(self.folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS, env=child_environment({})
        )


def _receive(origin: Path, pushes: Pipe) -> None:
    hook = origin / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nwhile read old new ref; do echo $new $ref >{pushes.path}; done\n")
    hook.chmod(0o755)


@pytest.fixture
def developer(tmp_path: Path) -> Iterator[Developer]:
    """A repository made ready by ``epochal init``, without a commit yet."""
    origin = tmp_path / "origin.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    pushes = Pipe(tmp_path / "pushes")
    _receive(origin, pushes)
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "nn.py").write_text("epochs = 20\n")
    initialise(folder, str(origin), ("main",))
    git(folder, "config", "epochal.pause", "1")
    yield Developer(folder, origin, pushes)
    subprocess.run(["pkill", "-f", "--", f"--push {folder}/"], check=False)


def test_a_commit_is_pushed_and_its_upstream_set(developer: Developer) -> None:
    """The first commit sets the upstream; each one arrives; the last push is known afterwards."""
    for message in ("First", "Second"):
        sha = developer.commit(message)
        assert developer.pushed() == sha
    developer.settle()
    assert git(developer.folder, "rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    state = pushed_state(developer.folder)
    assert state is not None
    assert (state.state, state.branch, state.commit) == ("ok", "main", sha)
    assert "main" in (developer.folder / ".git/epochal/push.log").read_text()


def test_commit_returns_while_the_push_hangs_and_the_last_head_wins(developer: Developer, tmp_path: Path) -> None:
    """Commits made while a push does not get through return at once; one later push takes the newest head."""
    gate, seen = Pipe(tmp_path / "gate"), Pipe(tmp_path / "seen")
    hook = developer.origin / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho waiting >{seen.path}\nread line <{gate.path}\n")
    hook.chmod(0o755)
    first = developer.commit("First")
    seen.line()  # the push has begun, and hangs
    for message in ("Second", "Third", "Fourth"):
        last = developer.commit(message)
    hook.unlink()
    gate.write("go on\n")
    assert developer.pushed() == first
    assert developer.pushed() == last
    developer.settle()
    assert developer.pushes.is_quiet()


def test_off_detached_and_other_branches_push_nothing(developer: Developer) -> None:
    """Nothing is pushed where it is off, on a detached HEAD, or from a branch that is not wanted, which is told once."""
    developer.commit("First")
    developer.pushed()
    git(developer.folder, "config", "epochal.push", "off")
    developer.commit("Off")
    git(developer.folder, "config", "epochal.push", "foreground")
    git(developer.folder, "checkout", "--quiet", "--detach")
    developer.commit("Detached")
    git(developer.folder, "checkout", "--quiet", "-b", "idea")
    told = [developer.git("commit", "--allow-empty", "-m", f"Idea {number}").stderr for number in (1, 2)]
    assert "idea is not pushed" in told[0]
    assert "epochal" not in told[1]
    developer.settle()
    assert developer.pushes.is_quiet()
    assert git(developer.origin, "branch", "--format=%(refname:short)") == "main"


def test_foreground_waits_for_the_push(developer: Developer) -> None:
    """In the foreground the commit has arrived when git commit returns."""
    git(developer.folder, "config", "epochal.push", "foreground")
    sha = developer.commit("First")
    assert git(developer.origin, "rev-parse", "main") == sha


def test_an_offline_remote_is_tried_again_and_told(developer: Developer) -> None:
    """While the remote is away the push is tried again; a failure is told at the next commit, which is not blocked."""
    away = developer.origin.with_name("away.git")
    developer.origin.rename(away)
    git(developer.folder, "config", "epochal.retries", "0")
    git(developer.folder, "config", "epochal.push", "foreground")
    developer.commit("First")
    state = pushed_state(developer.folder)
    assert state is not None
    assert state.state == "failed"
    git(developer.folder, "config", "epochal.push", "background")
    git(developer.folder, "config", "epochal.retries", "30")
    second = developer.git("commit", "--allow-empty", "-m", "Second")
    assert second.returncode == 0
    assert "the last push of main did not get through" in second.stderr
    away.rename(developer.origin)
    assert developer.pushed() == git(developer.folder, "rev-parse", "HEAD")


def test_a_diverged_branch_is_told_and_never_forced(developer: Developer) -> None:
    """What was amended after it was pushed is not forced on anybody."""
    git(developer.folder, "config", "epochal.push", "foreground")
    sha = developer.commit("First")
    amended = developer.git("commit", "--amend", "-m", "Amended")
    assert amended.returncode == 0
    assert "nothing was forced" in amended.stderr
    assert git(developer.origin, "rev-parse", "main") == sha
    state = pushed_state(developer.folder)
    assert state is not None
    assert state.state == "diverged"


def _diverge(developer: Developer) -> None:
    """Two commits on ``idea`` and one on ``main``, all but the first unpushed."""
    developer.commit("First")
    developer.pushed()
    developer.settle()
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
def test_the_end_of_an_operation_is_pushed_and_nothing_before(developer: Developer, operation: list[str]) -> None:
    """However many commits it makes, one push takes the result when cherry-pick, merge or revert has ended."""
    _diverge(developer)
    done = developer.git(*operation)
    assert done.returncode == 0, done.stderr
    assert developer.pushed() == git(developer.folder, "rev-parse", "main")
    developer.settle()
    assert developer.pushes.is_quiet()


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_the_end_of_a_rebase_is_pushed(developer: Developer, backend: str) -> None:
    """The commits that a rebase made are pushed when it has ended, not in the middle."""
    developer.commit("First")
    developer.pushed()
    developer.settle()  # the push writes to the configuration, too
    git(developer.folder, "config", "epochal.push", "off")
    for number in (1, 2):
        commit(developer.folder, {f"{number}.txt": "x"}, f"Number {number}")
    git(developer.folder, "config", "epochal.push", "background")
    done = developer.git("rebase", backend, "--force-rebase", "HEAD~2")
    assert done.returncode == 0, done.stderr
    assert developer.pushed() == git(developer.folder, "rev-parse", "main")
    developer.settle()
    assert developer.pushes.is_quiet()


def test_a_conflict_is_pushed_when_it_is_resolved(developer: Developer) -> None:
    """In the middle of a conflict nothing is pushed; the commit that ends it is."""
    developer.commit("First")
    developer.pushed()
    git(developer.folder, "checkout", "--quiet", "-b", "idea")
    commit(developer.folder, {"notes.txt": "idea"}, "Idea")
    git(developer.folder, "checkout", "--quiet", "main")
    developer.commit("Main")
    developer.pushed()
    developer.settle()
    assert developer.git("merge", "idea").returncode != 0
    assert developer.pushes.is_quiet()
    merged = commit(developer.folder, {"notes.txt": "both"}, "Merged")
    assert developer.pushed() == merged


def test_a_worktree_pushes_its_own_branch(developer: Developer, tmp_path: Path) -> None:
    """A commit in another work tree pushes that one's branch, and its state is kept with the repository."""
    developer.commit("First")
    developer.pushed()
    git(developer.folder, "config", "--add", "epochal.branch", "idea")
    git(developer.folder, "worktree", "add", "--quiet", "-b", "idea", str(tmp_path / "tree"))
    sha = commit(tmp_path / "tree", {"notes.txt": "tree"}, "Tree")
    assert developer.pushes.line() == f"{sha} refs/heads/idea"


def test_nobody_is_asked_for_a_password(developer: Developer, tmp_path: Path) -> None:
    """A transport that asks gets no terminal, no helper that asks, and no input: it fails instead of hanging."""
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
    state = pushed_state(developer.folder)
    assert state is not None
    assert state.state == "failed"


@pytest.mark.parametrize("breakage", ["remote", "log", "configuration"])
def test_no_commit_is_blocked(developer: Developer, breakage: str) -> None:
    """Without a remote, with a log that cannot be written, with nonsense in the configuration: the commit is made."""
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
