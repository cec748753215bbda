"""Run git: fetch a commit, describe it, and write out its files."""

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from epochal.commit import safe_url
from epochal.errors import Reason, RunFailed, UsageError
from epochal.settings import child_environment

_TIMEOUT_SECONDS = 600.0
_COMMAND = ["git", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false"]
_ENVIRONMENT = {
    "LC_ALL": "C",
    # A URL could name a command to run (ext::sh …), so only real transports are allowed (git(1)).
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    # Nobody can answer a prompt from git, a graphical askpass program, or ssh.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
}
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_LFS_POINTER_BYTES = 1024  # pointer files are smaller than this (specification of git-lfs)


class GitError(Exception):
    """A git command failed; the text is git's error output or, if there is none, an explanation."""


class GitFolder:
    """A git repository on this machine, bare or with a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Return whether the folder is in a git repository, even one that git refuses to read."""
        try:
            self.run("rev-parse", "--git-dir")
        except GitError as error:
            return "not a git repository" not in str(error)
        return True

    def check(self) -> None:
        """Raise UsageError if the folder does not exist or is not in a git repository."""
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder. Pass the folder of a git repository.")
        if not self.exists():
            raise UsageError(
                f"{self.folder} is not in a git repository. In that folder, run:\n"
                '  git init && git add --all && git commit -m "First version"'
            )

    def has(self, sha: str) -> bool:
        """Return whether the repository has the commit ``sha``, which may also be a name such as HEAD."""
        try:
            self.run("cat-file", "-e", f"{sha}^{{commit}}")
        except GitError:
            return False
        return True

    def is_empty(self) -> bool:
        """Return whether the repository has a work tree but no commits yet; False if git refuses to read it."""
        with suppress(GitError):
            if self.run_text("rev-parse", "--is-bare-repository") == "true":
                return False
            return not self.run("rev-list", "--all", "--max-count=1") and not self.has("HEAD")
        return False

    def branch(self) -> str:
        """Return the name of the branch that is checked out; empty on a detached HEAD."""
        return self.run_text("branch", "--show-current")

    def resolve(self, revision: str) -> str:
        """Return the full SHA of the commit that ``revision`` names.

        Raises UsageError if no commit or more than one matches, and GitError if the repository cannot be read.
        """
        try:
            return self.run_text("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        except GitError as error:
            if re.search(r"short (object ID|SHA1) \S+ is ambiguous", str(error)):
                problem = f"Several commit IDs in {self.folder} begin with {revision}. Give more digits."
            elif "Needed a single revision" not in str(error):
                raise
            elif revision == "HEAD" and self.run_text("rev-parse", "--is-bare-repository") == "false":
                problem = (
                    f"{self.folder} has no commits yet. In that folder, run:\n"
                    '  git add --all && git commit -m "First version"'
                )
            else:
                problem = (
                    f"There is no commit {revision} in {self.folder}. The command git log --oneline lists the commits."
                )
            raise UsageError(problem) from None

    def uncommitted(self) -> str:
        """Return a short list of the paths with uncommitted changes, as text; empty if nothing has changed.

        Files that git ignores are left out, and a new folder is listed as one path.
        """
        entries = iter(self.run("status", "--porcelain", "-z").decode("utf-8", "replace").split("\0"))
        paths = []
        for entry in entries:  # two letters, a space and the path (git-status(1))
            if entry.startswith("R"):
                next(entries)  # the old path of a renamed file
            if entry:
                paths.append(entry[3:])
        return _shorten_list(paths)

    def details(self, sha: str) -> tuple[str, str, str]:
        """Return the message, author name and author email address of the commit ``sha``."""
        name, email, message = self.run_text("show", "--no-patch", "--format=%an%x00%ae%x00%B", sha).split("\0", 2)
        return message.strip(), name, email

    def commit_time(self, sha: str) -> datetime | None:
        """Return the commit time of ``sha`` according to the committer's clock, in UTC to the second; None if it is invalid."""
        try:
            return datetime.fromtimestamp(int(self.run_text("show", "--no-patch", "--format=%ct", sha)), UTC)
        except (ValueError, OverflowError, OSError):  # the time in a commit may be any text
            return None

    def read_file(self, sha: str, path: str) -> str | None:
        """Return the text of a file in the commit ``sha``; None if the commit has no such file."""
        try:
            return self.run("show", f"{sha}:{path}").decode("utf-8", "replace")
        except GitError:
            return None

    def tree(self, sha: str, path: str) -> str | None:
        """Return the ID of the git tree for the folder ``path`` in commit ``sha``; None if no such folder exists."""
        try:
            found = self.run_text("rev-parse", "--verify", "--quiet", f"{sha}:{path}")
            return found if self.run_text("cat-file", "-t", found) == "tree" else None
        except GitError:
            return None

    def submodule_notes(self, revision: str) -> tuple[str, ...]:
        """Return a tuple with a one-line note that submodules are not fetched; empty if there are no submodules.

        ``revision``: a commit, or the ID of one of its folders (see ``tree``).
        """
        lines = self.run("ls-tree", "-r", "-z", revision).split(b"\0")
        paths = [line.partition(b"\t")[2].decode("utf-8", "replace") for line in lines if line.startswith(b"160000 ")]
        if not paths:
            return ()
        return (f"{_shorten_list(paths)}: submodules are not fetched, so the script finds an empty folder there.",)

    def write_files(self, revision: str, folder: Path) -> None:
        """Write the files of a commit into the existing ``folder``, as a checkout would.

        ``revision``: the commit, or the ID of one of its folders (see ``tree``).

        This does not use ``git archive``, which would omit files that .gitattributes marks as export-ignore. The
        repository's index and work tree are not touched.
        """
        index = folder.parent / f".{folder.name}.index"
        try:
            variables = {
                "GIT_DIR": self.run_text("rev-parse", "--absolute-git-dir"),
                "GIT_WORK_TREE": str(folder),
                "GIT_INDEX_FILE": str(index),
            }
            run_git(["read-tree", revision], variables)
            run_git(["-C", str(folder), "checkout-index", "--all"], variables)
        finally:
            index.unlink(missing_ok=True)

    def run_text(self, *arguments: str) -> str:
        """Return the output of a git command as text, without the final newline; raises GitError if it fails."""
        return self.run(*arguments).decode("utf-8", "replace").removesuffix("\n")

    def run(self, *arguments: str) -> bytes:
        """Return the output of a git command in this repository; raises GitError if it fails."""
        return run_git(["-C", str(self.folder), *arguments])


def run_git(arguments: list[str], variables: dict[str, str] | None = None, seconds: float = _TIMEOUT_SECONDS) -> bytes:
    """Run git without password prompts and without filters that download files (git-lfs), and return its output.

    ``variables``: environment variables to set. After ``seconds``, or on any exception, git and the programs that it
    started are killed. Raises GitError if git is missing, fails or takes too long.
    """
    try:
        # In a new session git has no terminal to prompt on, and can be killed together with its child processes.
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
        raise GitError(
            "git is not installed. Install it with your system's package manager (for example, apt install git)."
        ) from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not finish within {seconds:g} s. Check the network.") from None
    if process.returncode != 0:
        raise GitError(errors.decode("utf-8", "replace").strip() or f"git exited with status {process.returncode}")
    return output


def credential_options(credentials: str) -> list[str]:
    """Return the options that make git read passwords only from the file ``credentials``; no options if the path is empty.

    The file has the format of git-credential-store(1). git may only read it: git would otherwise delete a password from
    the admin's file the first time that a server rejects the password.
    """
    if not credentials:
        return []
    store = f"git credential-store --file={shlex.quote(str(Path(credentials).expanduser()))} get"
    return ["-c", "credential.helper=", "-c", f'credential.helper=!f() {{ test "$1" != get || {store}; }}; f']


def fetch_commit(cache: Path, url: str, branch: str, sha: str, credentials: str = "") -> GitFolder:
    """Fetch the commit ``sha`` from ``url`` into a bare repository under ``cache``, and return that repository.

    Only that commit is fetched; if the server does not serve single commits, the whole ``branch`` is fetched instead.
    ``credentials``: as in ``credential_options``. Raises RunFailed with REPOSITORY_UNREACHABLE, or with UNKNOWN_COMMIT
    if the repository at ``url`` never had the commit or no longer has it.
    """
    shown = safe_url(url)
    folder = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
    repository = GitFolder(folder)
    cache.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # simultaneous shallow fetches into one repository would fail
        try:
            if not folder.exists():
                new_folder = folder.with_suffix(".new")
                shutil.rmtree(new_folder, ignore_errors=True)
                run_git(["init", "--quiet", "--bare", str(new_folder)])
                new_folder.rename(folder)  # atomic: an existing folder is taken for a complete repository
            if not repository.has(sha):
                fetch = [*credential_options(credentials), "-C", str(folder), "fetch", "--quiet", "--no-tags"]
                try:
                    run_git([*fetch, "--depth=1", "--", url, sha])
                except GitError:
                    run_git([*fetch, "--", url, f"refs/heads/{branch}"])
        except GitError as error:
            reason = Reason.REPOSITORY_UNREACHABLE
            raise RunFailed(reason, f"{shown} could not be fetched. {reason.remedy}", str(error)) from None
        if not repository.has(sha):
            raise RunFailed(
                Reason.UNKNOWN_COMMIT,
                f"{shown} does not have the commit {sha} on {branch}: it was not pushed, or a force push replaced it.",
            )
    return repository


def check_files(folder: Path) -> tuple[str, ...]:
    """Check the files of a commit in ``folder``, and return one-line notes for the developer.

    If some files are git-lfs pointers, a note lists them. Raises RunFailed(UNSAFE_SYMLINK) for a symbolic link that is
    absolute or leads out of ``folder``, even if only through other links.
    """
    pointers = []
    for path in sorted(folder.rglob("*")):
        if problem := explain_unsafe_link(folder, path):
            raise RunFailed(Reason.UNSAFE_SYMLINK, problem)
        if path.is_symlink():
            continue
        if path.is_file() and path.stat().st_size < _LFS_POINTER_BYTES and path.read_bytes().startswith(_LFS_POINTER):
            pointers.append(str(path.relative_to(folder)))
    if not pointers:
        return ()
    return (
        f"{_shorten_list(pointers)}: Git LFS files are not downloaded, so the script finds only pointers of about 130 bytes. "
        "Put such data in the server's data folder (the data setting in $EPOCHAL_HOME/server.toml), which scripts "
        "find at $EPOCHAL_DATA.",
    )


def explain_unsafe_link(folder: Path, path: Path) -> str:
    """Return why ``path`` in ``folder`` is an unsafe symbolic link; empty if it is not one."""
    if not path.is_symlink():
        return ""
    target = path.readlink()
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links that form a cycle
        inside = False
    if inside and not target.is_absolute():
        return ""
    name = path.relative_to(folder)
    return f"{name} is a symbolic link to {target}. Remove it, or make it a relative link to a file in the repository."


def _shorten_list(paths: list[str], limit: int = 3) -> str:
    shown = ", ".join(paths[:limit])
    return f"{shown} and {len(paths) - limit} more" if len(paths) > limit else shown
