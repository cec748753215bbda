"""Real git repositories in temporary folders."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str) -> str:
    """Run a git command in ``folder``, without the ``GIT_*`` variables of this process, and return its output.

    The environment is cleaned here, not by Epochal, because expected values must not depend on the code under test.
    """
    command = ["git", "-C", str(folder), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _IDENTITY
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def make_repository(folder: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """Create a repository whose first commit on main has ``files``, and return its folder."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, files or {"nn.py": "print('Test accuracy: 0.9')\n"}, "First")
    return folder


def commit(folder: Path, files: dict[str, str | bytes], message: str) -> str:
    """Write ``files``, commit everything, and return the full hash of the commit."""
    write_files(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write ``files`` into ``folder``; the keys are paths relative to it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
