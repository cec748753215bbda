"""Git as the pull job needs it: fetch one commit, read what it is, and write its files somewhere."""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epochal.errors import Reason, RunFailed
from epochal.settings import child_environment

_TIMEOUT_SECONDS = 600
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

    def head(self) -> str:
        """The full name of the commit that is checked out."""
        return self.text("rev-parse", "HEAD^{commit}")

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


def run_git(arguments: list[str], variables: dict[str, str] | None = None, ok: tuple[int, ...] = (0,)) -> bytes:
    """Run git without a chance to ask for a password and without filters that fetch (git-lfs); returns what it prints.

    Raises GitError where its exit status is not among ``ok``.
    """
    safe = ["-c", "protocol.ext.allow=never", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false"]
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
    try:
        done = subprocess.run(
            ["git", *safe, *arguments],
            env=child_environment(quiet | (variables or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed: install it with your system's packages (apt install git).") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git gave no answer within {_TIMEOUT_SECONDS} s.") from None
    if done.returncode not in ok:
        raise GitError(done.stderr.decode("utf-8", "replace").strip() or f"git ended with status {done.returncode}")
    return done.stdout


def fetch_commit(cache: Path, url: str, branch: str, sha: str, credentials: str = "") -> GitFolder:
    """A bare repository under ``cache`` that has the commit ``sha`` of ``url``.

    Fetches just that commit, or, from servers that give no single commits away, its branch. Raises RunFailed:
    REPOSITORY_UNREACHABLE, or UNKNOWN_COMMIT where the repository answers but does not have it (any more).
    """
    folder = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
    repository = GitFolder(folder)
    with _failing_as(Reason.REPOSITORY_UNREACHABLE, f"{url} could not be fetched."):
        if not folder.exists():
            cache.mkdir(parents=True, exist_ok=True)
            run_git(["init", "--quiet", "--bare", str(folder)])
    if repository.has(sha):
        return repository
    helper = ["-c", f"credential.helper=store --file={credentials}"] if credentials else []
    fetch = [*helper, "-C", str(folder), "fetch", "--quiet", "--no-tags", "--depth=1", "--", url]
    try:
        run_git([*fetch, sha])
    except GitError:
        with _failing_as(Reason.REPOSITORY_UNREACHABLE, f"{url} could not be fetched."):
            run_git([*helper, "-C", str(folder), "fetch", "--quiet", "--no-tags", "--", url, f"refs/heads/{branch}"])
    if not repository.has(sha):
        raise RunFailed(
            Reason.UNKNOWN_COMMIT,
            f"{url} does not have the commit {sha} on {branch}: was it pushed, and not replaced by a forced push since?",
        )
    return repository


@contextmanager
def _failing_as(reason: Reason, explanation: str) -> Iterator[None]:
    try:
        yield
    except GitError as error:
        raise RunFailed(reason, explanation, str(error)) from None


def check_files(folder: Path) -> tuple[str, ...]:
    """Look at a commit's files as they were written; returns what its developer should be told, a line each.

    Raises RunFailed(UNSAFE_SYMLINK) for a symbolic link that leaves ``folder``, be it by way of other links.
    """
    pointers = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            _refuse_outside(path, folder)
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


def _refuse_outside(link: Path, folder: Path) -> None:
    target = link.readlink()
    try:
        inside = link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links that lead to each other in a circle
        inside = False
    if target.is_absolute() or not inside:
        name = link.relative_to(folder)
        raise RunFailed(
            Reason.UNSAFE_SYMLINK,
            f"{name} is a symbolic link to {target}, which is outside of the repository: remove it.",
        )
