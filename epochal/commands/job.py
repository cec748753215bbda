"""``epochal job …``: the commands that the job scripts run."""

import json
from typing import Annotated

import typer

from epochal.jobs.installation import describe_installation
from epochal.jobs.runner import run_job
from epochal.records import PROOF_PREFIX
from epochal.settings import Environment

job = typer.Typer(help="One job of the chain; called by scripts/*.sh.", no_args_is_help=True)


@job.command()
def pull() -> None:
    """Put the pushed commit into the run's snapshot."""
    raise typer.Exit(run_job("pull", Environment.read()))


@job.command()
def train() -> None:
    """Train as pushed; hold the accuracy against the threshold."""
    raise typer.Exit(run_job("train", Environment.read()))


@job.command()
def retrain() -> None:
    """Raise the epochs and go on training, until reached or exhausted."""
    raise typer.Exit(run_job("retrain", Environment.read()))


@job.command()
def prove(
    nonce: Annotated[str, typer.Argument(help="Names the gateway's question.")],
) -> None:
    """Say which home, database and scripts a job here works with; epochal jenkins check compares them."""
    typer.echo(PROOF_PREFIX + json.dumps(describe_installation(Environment.read(), nonce)))
