"""``epochal run``: run the chain for one commit in the foreground, with the same job scripts as the server."""

import json
import re
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import typer

from epochal.app import App
from epochal.chains.job_scripts import ChainStopped, JobScripts, first_job, next_job
from epochal.commands.options import Json
from epochal.errors import SettingsError, UsageError
from epochal.folders import resource
from epochal.gateway.polling import remote_head
from epochal.git import GitError, GitFolder
from epochal.jobs.signals import Stopped, raise_on_signal
from epochal.pages.view import run_view
from epochal.records import EXIT_STATUS, Commit, Origin, State
from epochal.settings import Environment, check_project, read_projects
from epochal.store.deliveries import accept_commit
from epochal.store.runs import load_run
from epochal.store.transitions import request_stop


def _parse_threshold(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise SettingsError(f"--threshold must be a number greater than 0 and at most 1 (80% is 0.8), not {text}.")


def run(
    repository: Annotated[
        str, typer.Argument(metavar="[DIR|URL]", help="The repository that contains the commit.")
    ] = ".",
    commit: Annotated[str | None, typer.Option(help="The commit to train; by default, the newest.")] = None,
    branch: Annotated[
        str | None, typer.Option(help="The branch; by default, the branch checked out in DIR, or main for a URL.")
    ] = None,
    project: Annotated[
        str, typer.Option(help="The folder of the project to train, if epochal.toml lists projects; by default, DIR.")
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option(
            parser=_parse_threshold,
            metavar="THRESHOLD",
            help="The threshold (greater than 0, at most 1), instead of the one in epochal.toml.",
        ),
    ] = None,
    runtime: Annotated[
        Literal["docker", "process", "auto"] | None,
        typer.Option(help="Where to train; by default, the runtime set in server.toml or, if none is set, auto."),
    ] = None,
    no_mail: Annotated[bool, typer.Option("--no-mail", help="Send no email.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train even if the verdict of an earlier run could be reused.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train one commit in the foreground, without a server or a webhook."""
    environment = Environment.read()
    folder = Path(repository)
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    environment.create_home()
    app = App.open(environment)
    if folder.exists() or ":" not in repository:
        found = _local_commit(folder, commit, branch, project, bare=bare)
    else:
        found = replace(_remote_commit(app, repository, commit, branch), project=_normalise(project))
    number = accept_commit(app.database, found, Origin.PERSON, supersede=app.settings.supersede).run
    variables: dict[str, str] = {"EPOCHAL_RUNTIME": runtime or app.interactive_runtime}
    if threshold is not None:
        variables["EPOCHAL_THRESHOLD"] = str(threshold)
    if no_mail:
        variables["EPOCHAL_NO_MAIL"] = "1"
    if force:
        variables["EPOCHAL_FORCE"] = "1"
    scripts = JobScripts(environment, resource("scripts"), variables)
    output = sys.stderr if as_json else sys.stdout  # The output of the jobs goes here.
    ended = threading.Event()  # Unlike Thread.join, its wait() can be interrupted by an exception and called again.
    thread = threading.Thread(target=_run_jobs, args=(app, scripts, number, output.fileno(), ended))
    with raise_on_signal():
        try:
            thread.start()
            ended.wait()
        except Stopped:  # Ctrl-C, SIGTERM and SIGHUP cancel the run. Another signal must not interrupt this.
            with suppress(UsageError):  # The run may have ended already.
                request_stop(app.database, number, State.CANCELLED)
            scripts.stop()
            if thread.ident:  # Otherwise the signal arrived before the thread had started, so no job will start.
                ended.wait()
    stored = load_run(app.database, number)
    path = app.home.run(number).path
    if as_json:
        typer.echo(json.dumps(run_view(stored, path), ensure_ascii=False))
    else:
        typer.echo(f"for details, run epochal show {number} or see {path}")
    raise typer.Exit(EXIT_STATUS[stored.state] if stored.state.ended else 70)


def _run_jobs(app: App, scripts: JobScripts, number: int, output: int, ended: threading.Event) -> None:
    try:
        name = first_job(load_run(app.database, number))
        while name:
            status = scripts.run(name, load_run(app.database, number), output)
            if status < 0:
                text = f"epochal: the {name} job was killed by signal {-status}; run {number} has no verdict"
                print(text, file=sys.stderr)  # noqa: T201
            name = next_job(name, status)
    except ChainStopped:
        pass
    finally:
        ended.set()


def _local_commit(path: Path, commit: str | None, branch: str | None, project: str, *, bare: bool) -> Commit:
    folder = GitFolder(path.absolute())
    folder.check()
    try:
        top = folder if bare else GitFolder(Path(folder.run_text("rev-parse", "--show-toplevel") or path).absolute())
        if bare and not top.has("HEAD"):
            branch = branch or "main"
        sha = _choose_commit(top, commit, branch)
        is_newest = not bare and commit is None and top.has("HEAD") and sha == top.resolve("HEAD")
        if is_newest and (changed := top.uncommitted()):
            text = f"epochal: {top.folder} has uncommitted changes, which are ignored: {changed}"
            print(text, file=sys.stderr)  # noqa: T201
        projects = read_projects(top.read_file(sha, "epochal.toml") or "")
        if project:
            given = Path(project)
            project = _normalise(str(given.relative_to(top.folder) if given.is_relative_to(top.folder) else given))
            check_project(project, projects)
        else:
            inside = path.resolve().relative_to(top.folder.resolve()).as_posix()
            project = inside if inside in projects else ""
            if not project and inside != "." and top.read_file(sha, f"{inside}/epochal.toml") is not None:
                raise UsageError(
                    f"{inside} has an epochal.toml of its own, but is not a project of {top.folder}. List it in "
                    f'{top.folder}/epochal.toml:\n    [[project]]\n    path = "{inside}"'
                )
        return Commit(str(top.folder), branch or top.branch() or "HEAD", sha, project=project)
    except GitError as error:
        raise UsageError(f"{path}: {error}") from None


def _normalise(project: str) -> str:
    """Return a project's path without ``./`` and without slashes at either end, for comparison with epochal.toml."""
    return str(PurePosixPath(project.strip("/"))) if project else ""


def _choose_commit(repository: GitFolder, commit: str | None, branch: str | None) -> str:
    """Return the hash of ``commit`` or, if it is None, of the newest commit on ``branch``; if both are None, of HEAD.

    Raises UsageError if there is no such branch, unless ``commit`` is given and HEAD is detached: a CI server checks
    out a commit without the branch that it belongs to.
    """
    if branch is None:
        return repository.resolve(commit or "HEAD")
    names = [name for name in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}") if repository.has(name)]
    if not names and (commit is None or repository.branch()):
        raise UsageError(f"{repository.folder} has no branch {branch}. Name an existing branch with --branch.")
    return repository.resolve(commit or names[0])


def _remote_commit(app: App, repository: str, commit: str | None, branch: str | None) -> Commit:
    branch = branch or "main"
    if commit and not re.fullmatch(r"[0-9a-fA-F]{4,64}", commit):
        raise UsageError(f"If the repository is a URL, --commit must be the ID of a commit, not {commit}.")
    sha = commit or remote_head(repository, branch, app.credentials(repository))
    if sha is None:
        raise UsageError(f"{repository} has no branch {branch}. Name an existing branch with --branch.")
    return Commit(repository, branch, sha)
