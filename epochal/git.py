"""Git as the pull job needs it: fetch one commit, read what it is, and write its files somewhere."""

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from epochal.commit import safe_url
from epochal.errors import Reason, RunFailed
from epochal.settings import child_environment

_TIMEOUT_SECONDS = 600.0
_COMMAND = ["git", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false"]
_ENVIRONMENT = {
    "LC_ALL": "C",
    # A URL may name a command to run (ext::sh …): only real transports are allowed (git(1)).
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    # Nobody is there to be asked: not by git, not by a window, not by ssh.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
}
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_LFS_POINTER_BYTES = 1024  # a pointer file is smaller than this (git-lfs' specification)


class GitError(Exception):
    """A git command that failed; its text is what git said."""


class GitFolder:
    """A git repository on this machine, bare or with a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, sha: str) -> bool:
        """Whether the commit ``sha`` is here."""
        try:
            self.run("cat-file", "-e", f"{sha}^{{commit}}")
        except GitError:
            return False
        return True

    def branch(self) -> str:
        """The branch that is checked out; empty on a detached HEAD."""
        return self.text("branch", "--show-current")

    def resolve(self, revision: str) -> str:
        """The full name of the commit that ``revision`` means; raises GitError if there is none."""
        return self.text("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")

    def has_changes(self) -> bool:
        """Whether tracked files differ from the commit that is checked out."""
        return bool(self.text("status", "--porcelain", "--untracked-files=no"))

    def details(self, sha: str) -> tuple[str, str, str]:
        """Message, author's name and author's address of a commit."""
        name, email, message = self.text("show", "--no-patch", "--format=%an%x00%ae%x00%B", sha).split("\0", 2)
        return message.strip(), name, email

    def committed(self, sha: str) -> datetime | None:
        """When the committer's clock said that the commit was made, in whole seconds; None where it names no time."""
        try:
            return datetime.fromtimestamp(int(self.text("show", "--no-patch", "--format=%ct", sha)), UTC)
        except (ValueError, OverflowError, OSError):  # anybody can write anything there
            return None

    def submodules(self, sha: str) -> tuple[str, ...]:
        """What is told of the commit's submodules (a line, or nothing): their files are not fetched."""
        lines = self.run("ls-tree", "-r", "-z", sha).split(b"\0")
        paths = [line.partition(b"\t")[2].decode("utf-8", "replace") for line in lines if line.startswith(b"160000 ")]
        if not paths:
            return ()
        return (f"{_some(paths)}: a submodule, which is not fetched. Training sees an empty folder there.",)

    def write_files(self, sha: str, folder: Path) -> None:
        """Write the commit's files into the existing ``folder``, as a checkout of it would.

        Not by ``git archive``: that leaves out what .gitattributes marks as export-ignore. Nothing of this repository's
        own index or work tree is touched.
        """
        index = folder.parent / f".{folder.name}.index"
        try:
            variables = {
                "GIT_DIR": self.text("rev-parse", "--absolute-git-dir"),
                "GIT_WORK_TREE": str(folder),
                "GIT_INDEX_FILE": str(index),
            }
            run_git(["read-tree", sha], variables)
            run_git(["-C", str(folder), "checkout-index", "--all"], variables)
        finally:
            index.unlink(missing_ok=True)

    def text(self, *arguments: str) -> str:
        """What a git command prints, without the last line's end."""
        return self.run(*arguments).decode("utf-8", "replace").removesuffix("\n")

    def run(self, *arguments: str) -> bytes:
        """What a git command prints; raises GitError with what it said where it fails."""
        return run_git(["-C", str(self.folder), *arguments])


def run_git(arguments: list[str], variables: dict[str, str] | None = None, seconds: float = _TIMEOUT_SECONDS) -> bytes:
    """Run git without a chance to ask for a password and without filters that fetch (git-lfs); returns what it prints.

    However it is left, by its end, an exception or after ``seconds``, nothing that it started goes on. Raises GitError.
    """
    try:
        # A session of its own has no terminal to ask on, and can be killed with the programs that git starts.
        with subprocess.Popen(
            [*_COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(_ENVIRONMENT | (variables or {})),
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except FileNotFoundError:
        raise GitError("git is not installed: install it with your system's packages (apt install git).") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git gave no answer within {seconds:g} s: check the network.") from None
    if process.returncode != 0:
        raise GitError(errors.decode("utf-8", "replace").strip() or f"git ended with status {process.returncode}")
    return output


def credential_options(credentials: str) -> list[str]:
    """The options that make git take passwords from the file ``credentials`` (git-credential-store(1)) alone; or none.

    Only "get" reaches the store: it would otherwise delete a password from the admin's file as soon as a server refuses it
    once.
    """
    if not credentials:
        return []
    store = f"git credential-store --file={shlex.quote(str(Path(credentials).expanduser()))} get"
    return ["-c", "credential.helper=", "-c", f'credential.helper=!f() {{ test "$1" != get || {store}; }}; f']


def fetch_commit(cache: Path, url: str, branch: str, sha: str, credentials: str = "") -> GitFolder:
    """Return a bare repository under ``cache`` that has the commit ``sha`` of ``url``.

    Fetches just that commit, or, from servers that give no single commits away, its branch. Raises RunFailed:
    REPOSITORY_UNREACHABLE, or UNKNOWN_COMMIT if the repository answers but does not have it (any more).
    """
    shown = safe_url(url)
    folder = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
    repository = GitFolder(folder)
    cache.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two shallow fetches into one repository at a time would fail
        try:
            if not folder.exists():
                made = folder.with_suffix(".new")
                shutil.rmtree(made, ignore_errors=True)
                run_git(["init", "--quiet", "--bare", str(made)])
                made.rename(folder)  # whole or not at all: a folder that is there is taken for a repository
            if not repository.has(sha):
                fetch = [*credential_options(credentials), "-C", str(folder), "fetch", "--quiet", "--no-tags"]
                try:
                    run_git([*fetch, "--depth=1", "--", url, sha])
                except GitError:
                    run_git([*fetch, "--", url, f"refs/heads/{branch}"])
        except GitError as error:
            raise RunFailed(Reason.REPOSITORY_UNREACHABLE, f"{shown} could not be fetched.", str(error)) from None
        if not repository.has(sha):
            raise RunFailed(
                Reason.UNKNOWN_COMMIT,
                f"{shown} does not have the commit {sha} on {branch}: was it pushed, and not replaced by a forced push since?",
            )
    return repository


def check_files(folder: Path) -> tuple[str, ...]:
    """Look at a commit's files as they were written; returns what its developer should be told, a line each.

    Raises RunFailed(UNSAFE_SYMLINK) for a symbolic link that leaves ``folder``, be it by way of other links.
    """
    pointers = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            target = path.readlink()
            try:
                inside = path.resolve().is_relative_to(folder.resolve())
            except (OSError, RuntimeError):  # links that lead to each other in a circle
                inside = False
            if target.is_absolute() or not inside:
                name = path.relative_to(folder)
                raise RunFailed(
                    Reason.UNSAFE_SYMLINK,
                    f"{name} is a symbolic link to {target}, which is outside of the repository: remove it.",
                )
        elif path.is_file() and path.stat().st_size < _LFS_POINTER_BYTES and path.read_bytes().startswith(_LFS_POINTER):
            pointers.append(str(path.relative_to(folder)))
    if not pointers:
        return ()
    return (
        f"{_some(pointers)}: a git-lfs pointer of some 130 bytes, not the file itself. Training sees the pointer; put "
        "such data into the server's data folder (/data) instead.",
    )


def _some(paths: list[str], most: int = 3) -> str:
    shown = ", ".join(paths[:most])
    return f"{shown} and {len(paths) - most} more" if len(paths) > most else shown
