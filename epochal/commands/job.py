"""``epochal job …``: what the three job scripts call."""

import json
from collections.abc import Callable
from typing import Annotated

import typer

from epochal.jobs.installation import describe_installation
from epochal.jobs.runner import run_job
from epochal.records import PROOF_MARK
from epochal.settings import Environment


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    job = typer.Typer(help="One job of the chain; called by scripts/*.sh.", no_args_is_help=True)
    for name, text in (
        ("pull", "Put the pushed commit into the run's snapshot."),
        ("train", "Train as pushed; hold the accuracy against the threshold."),
        ("retrain", "Raise the epochs and go on training, until reached or exhausted."),
    ):
        job.command(name, help=text)(_command(name))
    job.command("prove")(prove)
    app.add_typer(job, name="job")


def prove(
    nonce: Annotated[str, typer.Argument(help="Names the gateway's question.")],
) -> None:
    """Say which home, database and scripts a job here works with; epochal jenkins check compares them."""
    typer.echo(PROOF_MARK + json.dumps(describe_installation(Environment.read(), nonce)))


def _command(name: str) -> Callable[[], None]:
    def command() -> None:
        raise typer.Exit(run_job(name, Environment.read()))

    return command
