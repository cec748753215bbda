"""``epochal history``: the runs of this home."""

import json
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.options import Json
from epochal.pages.view import history_line, run_view
from epochal.settings import Environment
from epochal.store.runs import list_runs


def history(
    limit: Annotated[int, typer.Option(min=1, max=2**31, help="How many runs, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """The runs of this home, newest first."""
    app = App.open(Environment.read())
    found = list_runs(app.database, limit)
    if as_json:
        typer.echo(json.dumps([run_view(run, app.home.run(run.id).path) for run in found], ensure_ascii=False))
        return
    for run in found:
        typer.echo(history_line(run))
    if not found:
        typer.echo("no runs yet: epochal run trains a commit, epochal serve waits for pushes")
