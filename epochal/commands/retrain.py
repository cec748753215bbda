"""``epochal retrain``: run the retrain job of a run, or join its search, in this process."""

from typing import Annotated

import typer

from epochal.commands.options import RunNumber
from epochal.jobs.runner import join_search, run_job
from epochal.settings import Environment


def retrain(
    number: RunNumber,
    join: Annotated[
        bool,
        typer.Option(
            "--join", help="Join a search that another process is running, and run trials for it until the search ends."
        ),
    ] = False,
) -> None:
    """Run the retrain job of a run, or join its search. To join from another machine, share EPOCHAL_HOME with it."""
    environment = Environment.read().model_copy(update={"run": number})
    raise typer.Exit(join_search(environment) if join else run_job("retrain", environment))
