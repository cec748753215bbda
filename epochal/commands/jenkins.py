"""``epochal jenkins …``: create and delete the jobs in Jenkins, and check whether Jenkins is ready for them."""

from typing import Annotated

import typer

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.checks import check_all
from epochal.chains.jenkins.client import JenkinsClient
from epochal.settings import Environment, ServerSettings, read_server_settings

_Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without", metavar="PLUGIN", help="A plugin that the jobs should not use (git, parameterized-trigger, …)."
    ),
]


jenkins = typer.Typer(help="Manage Epochal's jobs and their view in Jenkins.", no_args_is_help=True)


@jenkins.command()
def apply(
    without: _Without = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without making them.")] = False,
) -> None:
    """Create or update the jobs and the view."""
    work = provisioning.preview if dry_run else provisioning.apply
    client, settings = _open()
    work(client, settings, without or [], typer.echo)


@jenkins.command()
def check(without: _Without = None) -> None:
    """Check whether Jenkins is ready for the chain, and print one line per check. Exit with status 1 if any fails."""
    client, settings = _open()
    raise typer.Exit(0 if check_all(client, settings, Environment.read(), without or [], typer.echo) else 1)


@jenkins.command()
def delete() -> None:
    """Delete the jobs and the view that Epochal created in Jenkins."""
    client, settings = _open()
    provisioning.delete(client, settings, typer.echo)


def _open() -> tuple[JenkinsClient, ServerSettings]:
    environment = Environment.read()
    settings = read_server_settings(environment)
    return JenkinsClient.open(environment, settings.jenkins), settings
