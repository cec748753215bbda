"""``epochal status``: show whether a commit was pushed and delivered to Epochal, and the state of its runs."""

from pathlib import Path
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.history import history_line
from epochal.commands.init import read_last_push
from epochal.errors import UsageError
from epochal.gateway.lock import is_server_running
from epochal.git import GitError, GitFolder
from epochal.pages.view import summary
from epochal.settings import Environment
from epochal.store.deliveries import list_deliveries
from epochal.store.runs import runs_of_commit


def status(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The repository.")] = Path(),
    commit: Annotated[str, typer.Option(help="The commit to look up.")] = "HEAD",
) -> None:
    """Show whether a commit was pushed and delivered to Epochal, and the state of its runs."""
    environment = Environment.read()
    repository = GitFolder(folder.absolute())
    repository.check()
    try:
        sha = repository.resolve(commit)
    except GitError as error:
        raise UsageError(f"{folder}: {error}") from None
    typer.echo(f"commit:    {sha[:7]} {repository.details(sha)[0].partition(chr(10))[0]}")
    pushed = "no"
    if repository.run_text("branch", "--remotes", "--contains", sha):
        pushed = "yes"
    elif (last := read_last_push(repository.folder)) and last.commit == sha:
        pushed = f"not seen on a remote; the hook's last push: {last.state} ({last.message})"
    typer.echo(f"pushed:    {pushed}")
    app = App.open(environment)
    delivered = {delivery.run: delivery for delivery in list_deliveries(app.database, limit=200)}
    runs = runs_of_commit(app.database, sha)
    for run in runs:
        delivery = delivered.get(run.id)
        how = (
            f"delivery {delivery.id} at {delivery.received.astimezone():%H:%M:%S}" if delivery else "without a webhook"
        )
        typer.echo(f"delivered: {how}")
        typer.echo(f"run:       {history_line(run).strip()} ({summary(run)})")
    if not runs:
        server_running = is_server_running(environment.home)
        typer.echo(
            f"delivered: no; {environment.home} has no run for this commit"
            + ("" if server_running else "; epochal serve is not running for this EPOCHAL_HOME")
        )
