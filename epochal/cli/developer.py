"""What a developer types in the repository of nn.py: ``init`` and ``status``."""

from pathlib import Path
from typing import Annotated

import typer

from epochal.settings import Environment


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("init")(init)
    app.command("status")(status)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder with nn.py.")] = Path(),
    remote: Annotated[
        str | None, typer.Option(help="Where the commits are pushed to: GitHub's URL, or a path.")
    ] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(help="A branch that is pushed (more than once for several); asked for if not given."),
    ] = None,
    jenkinsfile: Annotated[
        bool, typer.Option("--jenkinsfile", help="Write a Jenkinsfile, too: the chain as one Pipeline.")
    ] = False,
) -> None:
    """Turn a folder with nn.py into a repository whose commits push themselves. Run twice it changes nothing."""
    from epochal.initialise import initialise

    branches = tuple(branch or _ask_branches(folder, remote))
    lines = initialise(folder, remote, branches, jenkinsfile=jenkinsfile)
    for line in lines or ["nothing to change: everything is as it should be"]:
        typer.echo(line)


def _ask_branches(folder: Path, remote: str | None) -> list[str]:
    from epochal.initialise import configured_branches, current_branch

    configured = configured_branches(folder)
    if configured:
        return list(configured)
    default = _watched_branches(remote) or [current_branch(folder) or "main"]
    if not typer.get_text_stream("stdin").isatty():
        return default
    answer = typer.prompt("Which branches should push themselves (separated by spaces)", default=" ".join(default))
    return str(answer).split()


def _watched_branches(remote: str | None) -> list[str]:
    """The branches of ``remote`` that the server on this machine watches, if there is one and it does."""
    from epochal.commit import identity
    from epochal.settings import read_server_settings

    watched = read_server_settings(Environment.read()).repository if remote else ()
    return [branch for each in watched if identity(each.url) == identity(remote or "") for branch in each.branches]


def status(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The repository of nn.py.")] = Path(),
    commit: Annotated[str, typer.Option(help="The commit to look for.")] = "HEAD",
) -> None:
    """Where is my commit? Pushed, delivered, and in which state its run is."""
    from epochal.status import status_lines

    for line in status_lines(folder, commit, Environment.read()):
        typer.echo(line)
