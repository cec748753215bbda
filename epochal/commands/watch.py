"""``epochal watch``: add a watched repository to server.toml."""

from pathlib import Path
from typing import Annotated

import typer

from epochal.commit import identity, safe_url
from epochal.errors import UsageError
from epochal.settings import Environment, read_server_settings, watch_repository


def watch(
    url: Annotated[str, typer.Argument(help="The repository to fetch from: an https or ssh URL, or a path.")],
    branch: Annotated[
        list[str] | None,
        typer.Option(help="A branch to watch; by default, main. Repeat the option to watch several branches."),
    ] = None,
) -> None:
    """Add a repository to server.toml so that each push to the repository starts a run."""
    environment = Environment.read()
    environment.create_home()
    url = str(Path(url).absolute()) if Path(url).exists() else url
    branches = tuple(branch or ["main"])
    for watched in read_server_settings(environment).repository:
        if watched.url != url and identity(watched.url) == identity(url):
            raise UsageError(
                f"{safe_url(url)} is already watched as {safe_url(watched.url)}. "
                "Watching both would start two runs for each commit."
            )
    written = watch_repository(environment.home, url, branches)
    outcome = "will be watched once the server (epochal serve) is restarted" if written else "is already watched"
    typer.echo(f"{safe_url(url)} ({', '.join(branches)}) {outcome}. See {environment.home / 'server.toml'}")
