"""``epochal job …``: the commands that the job scripts run."""

import json
from typing import Annotated

import typer

from epochal.jobs.installation import describe_installation
from epochal.jobs.runner import run_job
from epochal.records import PROOF_PREFIX
from epochal.settings import Environment

job = typer.Typer(help="Run one job of the chain; called by scripts/*.sh.", no_args_is_help=True)


@job.command()
def pull() -> None:
    """Write the files of the pushed commit to the run's folder."""
    raise typer.Exit(run_job("pull", Environment.read()))


@job.command()
def train() -> None:
    """Train with the code as pushed, and compare the accuracy with the threshold."""
    raise typer.Exit(run_job("train", Environment.read()))


@job.command()
def retrain() -> None:
    """Run more trials until one reaches the threshold, nothing is left to try, or the budget is used up."""
    raise typer.Exit(run_job("retrain", Environment.read()))


@job.command()
def prove(
    nonce: Annotated[str, typer.Argument(help="A random value that identifies the check.")],
) -> None:
    """Print digests of this machine's EPOCHAL_HOME, database and scripts, for ``epochal jenkins check``."""
    typer.echo(PROOF_PREFIX + json.dumps(describe_installation(Environment.read(), nonce)))
