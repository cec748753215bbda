"""``epochal show``: what happened in a run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.options import Json, RunNumber
from epochal.pages.timeline import moments_of
from epochal.pages.view import run_lines, run_view, timeline_lines, timeline_view
from epochal.settings import Environment
from epochal.store.outbox import message_of_run
from epochal.store.runs import load_run


def show(
    number: RunNumber,
    timeline: Annotated[bool, typer.Option("--timeline", help="When, and where the time went.")] = False,
    as_json: Json = False,
) -> None:
    """What happened in a run."""
    app = App.open(Environment.read())
    found = load_run(app.database, number)
    folder: Path = app.home.run(number).path
    if timeline:
        moments = moments_of(app, found)
        view, lines = timeline_view(found, moments), timeline_lines(moments)
    else:
        view, lines = run_view(found, folder), run_lines(found, folder, message_of_run(app.database, number))
    if as_json:
        typer.echo(json.dumps(view, ensure_ascii=False))
        return
    for line in lines:
        typer.echo(line)
