"""``epochal history``: list the runs in EPOCHAL_HOME."""

import json
from typing import Annotated

import typer

from epochal.app import App
from epochal.commands.options import Json
from epochal.commit import display_name
from epochal.errors import Reason
from epochal.pages.view import run_view
from epochal.records import Run
from epochal.results.wording import describe_doubt, describe_with_threshold
from epochal.settings import Environment
from epochal.store.runs import list_runs


def history(
    limit: Annotated[int, typer.Option(min=1, max=2**31, help="How many runs to list.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs in EPOCHAL_HOME, newest first."""
    app = App.open(Environment.read())
    found = list_runs(app.database, limit)
    if as_json:
        typer.echo(json.dumps([run_view(run, app.home.run(run.id).path) for run in found], ensure_ascii=False))
        return
    for run in found:
        typer.echo(history_line(run))
    if not found:
        typer.echo("no runs yet; use epochal run to train a commit, or epochal serve to wait for pushes")


def history_line(run: Run) -> str:
    """Return the line that ``epochal history`` prints for a run."""
    when = run.created.astimezone().strftime("%Y-%m-%d %H:%M")
    accuracy = "-"
    if run.best and run.best.accuracy and run.threshold is not None:
        doubt = describe_doubt(run.best, run.threshold).partition(" (")[0]
        accuracy = describe_with_threshold(run.best.accuracy.value, run.threshold) + (f", {doubt}" if doubt else "")
    # The level at which the learning curve flattens, if that ended the run: `` at 0.77 ± 0.01``.
    level = f" at {run.forecast.rounded}" if run.reason is Reason.LEVELS_OFF and run.forecast else ""
    why = f"  {run.reason}{level}" if run.reason else ""
    why += f"  reused from run {run.reused_run}" if run.reused_run else ""
    name = display_name(run.commit)
    return f"{run.id:>4}  {when}  {run.state:<10}  {accuracy:<22}  {name} {run.commit.branch} {run.commit.sha[:7]}{why}"
