"""``epochal run``: one commit through the chain in the foreground, by the same job scripts."""

import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from epochal.app import App
from epochal.chains.job_scripts import ChainStopped, JobScripts, first_job, next_job
from epochal.commands.options import Json
from epochal.errors import SettingsError, UsageError
from epochal.folders import SCRIPT
from epochal.gateway.polling import remote_head
from epochal.git import GitError, GitFolder
from epochal.jobs.signals import Stopped, stoppable
from epochal.pages.view import run_view
from epochal.records import EXIT_STATUS, Commit, Origin, Run, State
from epochal.resources import resource
from epochal.settings import Environment
from epochal.store.deliveries import accept_commit
from epochal.store.ends import request_stop
from epochal.store.runs import load_run


def run(
    repository: Annotated[str, typer.Argument(metavar="[DIR|URL]", help=f"The repository of {SCRIPT}.")] = ".",
    commit: Annotated[str | None, typer.Option(help="The commit; the newest one if not given.")] = None,
    branch: Annotated[str | None, typer.Option(help="The branch; the one that is checked out, or main.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Instead of epochal.toml's (0 to 1).")] = None,
    runtime: Annotated[
        Literal["docker", "process", "auto"] | None,
        typer.Option(help="Where to train; if neither this nor server.toml says so: auto."),
    ] = None,
    no_mail: Annotated[bool, typer.Option("--no-mail", help="Tell nobody.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train even where an earlier run's verdict could be taken over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send one commit through the chain in the foreground: no server, no webhook."""
    request = Request(repository, commit, branch, threshold, runtime, no_mail, force)
    ended, status, folder = run_in_foreground(Environment.read(), request, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(run_view(ended, folder), ensure_ascii=False))
    else:
        typer.echo(f"epochal show {ended.id} tells more; everything is in {folder}")
    raise typer.Exit(status)


@dataclass(frozen=True)
class Request:
    """What a person asks to be trained, and how; None leaves it to the settings."""

    repository: str
    commit: str | None
    branch: str | None
    threshold: float | None
    runtime: str | None
    no_mail: bool
    force: bool


def run_in_foreground(environment: Environment, request: Request, *, quiet: bool) -> tuple[Run, int, Path]:
    """The run as it ended, its exit status and its folder. ``quiet``: the jobs' lines go to standard error.

    Raises UsageError for a repository or a commit that is not there. Ctrl-C and SIGTERM cancel the run.
    """
    if request.threshold is not None and not 0 < request.threshold <= 1:
        raise SettingsError(
            f"--threshold {request.threshold:g}: an accuracy is over 0 and at the most 1 (80 % is 0.8)."
        )
    commit = _local_commit(request) if _has_work_tree(request.repository) else _remote_commit(request)
    app = App.open(environment)
    number = accept_commit(app.database, commit, Origin.PERSON, supersede=app.settings.supersede).run
    scripts = JobScripts(environment, resource("scripts"), _variables(app, request))
    ended = threading.Event()  # unlike a thread's join, its wait may be left by an exception and be begun again
    thread = threading.Thread(target=_drive, args=(app, scripts, number, quiet, ended))
    try:
        with stoppable():
            thread.start()
            ended.wait()
    except Stopped:
        with suppress(UsageError):  # it has ended already
            request_stop(app.database, number, State.CANCELLED)
        scripts.stop()
        ended.wait()
    run = load_run(app.database, number)
    return run, EXIT_STATUS[run.state] if run.state.ended else 70, app.home.run(number).path


def _drive(app: App, scripts: JobScripts, number: int, quiet: bool, ended: threading.Event) -> None:
    try:
        name = first_job(load_run(app.database, number))
        while name:
            status = scripts.run(name, load_run(app.database, number), (sys.stderr if quiet else sys.stdout).fileno())
            if status < 0:
                told = f"epochal: job {name} was killed by signal {-status}: nothing came of run {number}"
                print(told, file=sys.stderr)  # noqa: T201
            name = next_job(name, status)
    except ChainStopped:
        pass
    finally:
        ended.set()


def _variables(app: App, request: Request) -> dict[str, str]:
    variables: dict[str, str] = {"EPOCHAL_RUNTIME": request.runtime or app.personal_runtime}
    if request.threshold is not None:
        variables["EPOCHAL_THRESHOLD"] = str(request.threshold)
    if request.no_mail:
        variables["EPOCHAL_NO_MAIL"] = "1"
    if request.force:
        variables["EPOCHAL_FORCE"] = "1"
    return variables


def _has_work_tree(repository: str) -> bool:
    folder = Path(repository)
    return folder.is_dir() and not ((folder / "HEAD").is_file() and (folder / "objects").is_dir())


def _local_commit(request: Request) -> Commit:
    folder = GitFolder(Path(request.repository).absolute())
    try:
        top = GitFolder(Path(folder.text("rev-parse", "--show-toplevel") or request.repository).absolute())
        sha = top.resolve(request.commit or "HEAD")
        if request.commit is None and top.has_changes():
            print("epochal: the folder has changes that are not committed: they are not trained", file=sys.stderr)  # noqa: T201
        branch = request.branch or top.branch() or "HEAD"
        return Commit(str(top.folder), branch, sha)
    except GitError as error:
        raise UsageError(f"{request.repository}: {error}") from None


def _remote_commit(request: Request) -> Commit:
    branch = request.branch or "main"
    if request.commit:
        return Commit(request.repository, branch, request.commit)
    head = remote_head(request.repository, branch)
    if head is None:
        raise UsageError(f"{request.repository} has no branch {branch}: name one with --branch.")
    return Commit(request.repository, branch, head)
