"""``epochal init``: turn a folder with a training script into a repository whose hooks push its commits.

The command is idempotent.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from epochal.analysis.script import Script, read_script
from epochal.commands.check import check_folder, check_lines
from epochal.commit import identity, safe_url
from epochal.errors import RunFailed, UsageError
from epochal.folders import resource
from epochal.git import GitError, GitFolder, run_git
from epochal.jobs.search.suggested_space import suggest
from epochal.settings import (
    Environment,
    RepositorySettings,
    read_repository_settings,
    read_server_settings,
    table_lines,
    template,
)

HOOKS = ("post-commit", "post-merge", "post-rewrite")
"""The hooks to install.

After a clean merge, git runs post-merge but not post-commit; after a rebase, it runs post-rewrite (githooks(5)).
"""

_KEPT_SUFFIX = ".before-epochal"

_STUB = """\
#!/bin/sh
# Installed by epochal init. A hook that was here before is kept next to this file and runs first.
previous="$0{kept}"
if [ -x "$previous" ]; then
    "$previous" "$@"
fi
hook={hook}
if [ -x "$hook" ]; then
    exec "$hook" {name} "$@"
fi
echo "epochal: nothing was pushed, because $hook is missing. Install Epochal and run epochal init again." >&2
exit 0
"""


@dataclass(frozen=True)
class LastPush:
    """The result of the hook's last push, as recorded in a file. Fields missing from the file are empty.

    state: ``ok``, ``failed``, ``diverged`` (the remote has other commits), or ``pushing`` if the push has not ended.
    commit: the full ID of the commit to push.
    time: when the hook wrote the file, in UTC (ISO 8601).
    message: details for the developer.
    """

    state: str
    branch: str
    commit: str
    time: str
    message: str


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder with the training script.")] = Path(),
    remote: Annotated[str | None, typer.Option(help="The repository to push to: a GitHub URL or a path.")] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(
            help="A branch to push; this option may be repeated. By default, the branches set by an earlier epochal init; "
            "if there are none, you are asked for the branches."
        ),
    ] = None,
    jenkinsfile: Annotated[
        bool, typer.Option("--jenkinsfile", help="Also write a Jenkinsfile, which runs the chain as one Pipeline.")
    ] = False,
) -> None:
    """Set up a folder so that its commits are pushed automatically. Repeating the same command changes nothing."""
    branches = tuple(branch or _ask_branches(folder, remote))
    lines = initialise(folder, remote, branches, jenkinsfile=jenkinsfile)
    for line in lines or ["nothing to change: everything is up to date"]:
        typer.echo(line)
    typer.echo()
    for line in check_lines(check_folder(folder)):
        typer.echo(line)


def _ask_branches(folder: Path, remote: str | None) -> list[str]:
    configured = configured_branches(folder)
    if configured:
        return list(configured)
    # Suggest the branches of this remote that server.toml on this machine watches, if any.
    watched = read_server_settings(Environment.read()).repository if remote else ()
    default = [branch for each in watched if identity(each.url) == identity(remote or "") for branch in each.branches]
    default = default or [current_branch(folder) or "main"]
    if not typer.get_text_stream("stdin").isatty():
        return default
    answer = typer.prompt("Branches to push automatically (separated by spaces)", default=" ".join(default))
    return str(answer).split()


def initialise(folder: Path, remote: str | None, branches: tuple[str, ...], *, jenkinsfile: bool = False) -> list[str]:
    """Set up ``folder``, and return lines that report what was done and what was left alone.

    ``remote`` is the URL or path of the remote named origin, or None if the repository already has a remote of that
    name. The hooks will push ``branches``.

    Raises UsageError, before changing anything, if ``folder`` has no script or is inside another repository, or if its
    remote origin differs from ``remote`` (or is missing, if ``remote`` is None). Also raises UsageError if git fails or
    an existing hook cannot be kept; by then, some changes may have been made.
    """
    folder = folder.absolute()
    _check_folder(folder, remote)
    repository = GitFolder(folder)
    done = []
    try:
        if not (folder / ".git").exists():
            run_git(["init", "--quiet", "--initial-branch=main", str(folder)])
            done.append("created a git repository with the branch main")
        if remote is not None and not _read_config(repository, "remote.origin.url"):
            repository.run("remote", "add", "origin", remote)
            done.append(f"set the remote origin: {safe_url(remote)}")
        done += _write_settings(folder)
        if jenkinsfile:
            done += _write_jenkinsfile(folder)
        configured = _read_config(repository, "epochal.branch")
        if set(configured) != set(branches):
            if configured:
                repository.run("config", "--unset-all", "epochal.branch")
            for branch in branches:
                repository.run("config", "--add", "epochal.branch", branch)
            done.append(f"set the branches to push automatically: {', '.join(branches)}")
        hooks = folder / repository.run_text("rev-parse", "--git-path", "hooks")
        hooks.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            done += _install_hook(hooks / name)
    except GitError as error:
        raise UsageError(f"{folder}: {error}") from None
    return done


def current_branch(folder: Path) -> str | None:
    """Return the branch that is checked out in ``folder``; None if HEAD is detached or there is no repository."""
    try:
        return GitFolder(folder.absolute()).branch() or None
    except GitError:
        return None


def configured_branches(folder: Path) -> tuple[str, ...]:
    """Return the branches pushed by the hooks of the repository in ``folder``; empty before ``epochal init``."""
    if not (folder / ".git").exists():
        return ()
    return tuple(_read_config(GitFolder(folder.absolute()), "epochal.branch"))


def read_last_push(folder: Path) -> LastPush | None:
    """Return the result of the last push by the hook in ``folder``'s repository, or None if there has been no push."""
    repository = GitFolder(folder.absolute())
    path = folder.absolute() / repository.run_text("rev-parse", "--git-common-dir") / "epochal" / "last-push"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    values = dict(line.partition("=")[::2] for line in lines)
    return LastPush(*(values.get(name, "") for name in ("state", "branch", "commit", "time", "message")))


def _check_folder(folder: Path, remote: str | None) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Pass the folder that contains the training script.")
    try:
        top = GitFolder(folder).run_text("rev-parse", "--show-toplevel")
    except GitError:
        top = ""
    if top and Path(top).resolve() != folder.resolve():
        path = folder.resolve().relative_to(Path(top).resolve())
        raise UsageError(
            f"{folder} is inside another repository, {top}. To train it as a project of that repository, run epochal init "
            f'there, and list the folder in {top}/epochal.toml:\n    [[project]]\n    path = "{path}"\n'
            f"To make the folder a separate repository:\n    git init {shlex.quote(str(folder))}"
        )
    _read_script(folder)
    known = _read_config(GitFolder(folder), "remote.origin.url") if top else []
    if remote is None and not known:
        raise UsageError(
            f"{folder} has no remote named origin to push to. Set one with --remote https://github.com/you/digits.git"
        )
    if remote is not None and known and known != [remote]:
        shown = safe_url(known[0])
        raise UsageError(
            f"{folder} already has the remote origin {shown}. To change it:\n    git remote set-url origin {safe_url(remote)}"
        )


def _write_settings(folder: Path) -> list[str]:
    path, script = folder / "epochal.toml", _read_script(folder)
    proposed = suggest(script) if script else {}
    if not path.exists():
        text = template(RepositorySettings, "Epochal's settings for this repository", {"search": proposed})
        path.write_text(text, encoding="utf-8")
        return [
            "wrote epochal.toml, with all settings commented out"
            + (", including a suggested search space" if proposed else "")
        ]
    # An existing file belongs to the developer and is not changed. Suggest a search only if the file has none.
    if not proposed or "[search]" in path.read_text(encoding="utf-8", errors="replace"):
        return []
    lines = table_lines("search", proposed)
    return ["left epochal.toml unchanged; to enable a search, add these lines:", *(f"    {line}" for line in lines)]


def _read_script(folder: Path) -> Script | None:
    """Return the folder's training script; None if epochal.toml lists projects instead.

    Raises UsageError if there is no script, and SettingsError if epochal.toml is invalid.
    """
    settings = read_repository_settings(folder)
    if settings.project:
        return None
    try:
        return read_script(folder, settings.script, is_commit=False)
    except RunFailed as failure:
        raise UsageError(f"{folder}: {failure.explanation}") from None


def _write_jenkinsfile(folder: Path) -> list[str]:
    path, text = folder / "Jenkinsfile", resource("Jenkinsfile").read_text(encoding="utf-8")
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        return ["wrote Jenkinsfile, which runs the chain as one Pipeline"]
    same = path.read_text(encoding="utf-8", errors="replace") == text
    return [] if same else ["left the existing Jenkinsfile unchanged: it differs from Epochal's"]


def _install_hook(path: Path) -> list[str]:
    stub = _STUB.format(kept=_KEPT_SUFFIX, hook=shlex.quote(str(resource("hooks") / "post-commit")), name=path.name)
    done = [f"installed the {path.name} hook"]
    if path.exists() or path.is_symlink():
        present = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""  # a broken link
        if present == stub:
            return []
        if "Installed by epochal init." not in present:  # Keep other people's hooks, but replace Epochal's own.
            kept = path.with_name(path.name + _KEPT_SUFFIX)
            if kept.exists():
                raise UsageError(
                    f"{kept} exists, and {path} was not installed by Epochal. "
                    f"Merge {path.name} into {kept.name}, delete {path.name}, and try again."
                )
            path.rename(kept)
            done = [f"moved the existing {path.name} hook to {kept.name}; it still runs, before the new one", *done]
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(stub, encoding="utf-8")
    temporary.chmod(0o755)
    temporary.replace(path)
    return done


def _read_config(repository: GitFolder, name: str) -> list[str]:
    """Return the values of a git setting in ``repository``, ignoring the global configuration."""
    try:
        return repository.run_text("config", "--local", "--get-all", name).splitlines()
    except GitError:
        return []
