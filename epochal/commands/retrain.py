"""``epochal retrain``: run job retrain for a run in this process, or join the run's search."""

from typing import Annotated

import typer

from epochal.commands.options import RunNumber
from epochal.jobs.runner import join_search, run_job
from epochal.settings import Environment


def retrain(
    number: RunNumber,
    join: Annotated[
        bool, typer.Option("--join", help="Train trials of the search that another process conducts, until it is over.")
    ] = False,
) -> None:
    """Do job retrain of a run here, or join its search from another agent, shell or machine of the same home."""
    environment = Environment.read().model_copy(update={"run": number})
    raise typer.Exit(join_search(environment) if join else run_job("retrain", environment))
