"""``epochal status``: where is my commit? Pushed, delivered, and in which state."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.init import pushed_state
from epochal.errors import UsageError
from epochal.folders import SCRIPT
from epochal.gateway.served import is_served
from epochal.git import GitError, GitFolder
from epochal.pages.view import history_line, summary
from epochal.settings import Environment
from epochal.store.deliveries import list_deliveries
from epochal.store.runs import runs_of_commit


def status(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help=f"The repository of {SCRIPT}.")] = Path(),
    commit: Annotated[str, typer.Option(help="The commit to look for.")] = "HEAD",
) -> None:
    """Where is my commit? Pushed, delivered, and in which state its run is."""
    for line in status_lines(folder, commit, Environment.read()):
        typer.echo(line)


def status_lines(folder: Path, revision: str, environment: Environment) -> Iterator[str]:
    """A line each for commit, push, delivery and run. Raises UsageError where ``folder`` has no such commit."""
    repository = GitFolder(folder.absolute())
    try:
        sha = repository.resolve(revision)
    except GitError as error:
        raise UsageError(f"{folder}: {error}") from None
    yield f"commit:    {sha[:7]} {repository.details(sha)[0].partition(chr(10))[0]}"
    yield f"pushed:    {_pushed(repository, sha)}"
    app = App.open(environment)
    delivered = {delivery.run: delivery for delivery in list_deliveries(app.database, limit=200)}
    runs = runs_of_commit(app.database, sha)
    for run in runs:
        delivery = delivered.get(run.id)
        how = f"delivery {delivery.id} at {delivery.received.astimezone():%H:%M:%S}" if delivery else "by no webhook"
        yield f"delivered: {how}"
        yield f"run:       {history_line(run).strip()} ({summary(run)})"
    if not runs:
        served = is_served(environment.home)
        yield "delivered: not to this home" + ("" if served else ", and no epochal serve runs for it")


def _pushed(repository: GitFolder, sha: str) -> str:
    if any(line for line in repository.text("branch", "--remotes", "--contains", sha).splitlines()):
        return "yes"
    state = pushed_state(repository.folder)
    return f"no: {state.state}: {state.message}" if state and state.commit == sha else "no"
