"""``epochal jenkins …``: create, check and delete the jobs in Jenkins."""

from typing import Annotated

import typer

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.checks import check_all
from epochal.chains.jenkins.client import JenkinsClient
from epochal.settings import Environment, ServerSettings, read_server_settings

_Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="PLUGIN", help="A plugin to do without (git, parameterized-trigger, …)."),
]


jenkins = typer.Typer(help="The chain in Jenkins: its three jobs and their view.", no_args_is_help=True)


@jenkins.command()
def apply(
    without: _Without = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
) -> None:
    """Make the jobs and the view, or bring them up to date."""
    work = provisioning.preview if dry_run else provisioning.apply
    client, settings = _open()
    work(client, settings, without or [], typer.echo)


@jenkins.command()
def check(without: _Without = None) -> None:
    """Say, a line each, whether Jenkins is ready for the chain; exit status 1 on any no."""
    client, settings = _open()
    raise typer.Exit(0 if check_all(client, settings, Environment.read(), without or [], typer.echo) else 1)


@jenkins.command()
def delete() -> None:
    """Take away the jobs and the view that apply made."""
    client, settings = _open()
    provisioning.delete(client, settings, typer.echo)


def _open() -> tuple[JenkinsClient, ServerSettings]:
    environment = Environment.read()
    settings = read_server_settings(environment)
    return JenkinsClient.open(environment, settings.jenkins), settings
