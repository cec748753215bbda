"""What the admin types: ``watch``, ``serve``, ``tunnel``, ``data``, ``mail``."""

import logging
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from epochal.commit import identity, safe_url
from epochal.errors import UsageError
from epochal.settings import Environment, RuntimeName, read_server_settings, watch_repository


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("watch")(watch)
    app.command("serve")(serve)
    app.command("tunnel")(tunnel)
    app.command("mail")(mail)
    data = typer.Typer(help="Datasets for code that trains without a network.", no_args_is_help=True)
    data.command("fetch")(fetch)
    app.add_typer(data, name="data")


def watch(
    url: Annotated[str, typer.Argument(help="The repository, as git fetches it: https, ssh, or a path.")],
    branch: Annotated[list[str] | None, typer.Option(help="A branch to train (more than once for several).")] = None,
) -> None:
    """Write a watched repository into server.toml."""
    environment = Environment.read()
    url = str(Path(url).absolute()) if Path(url).exists() else url
    branches = tuple(branch or ["main"])
    for watched in read_server_settings(environment).repository:
        if watched.url != url and identity(watched.url) == identity(url):
            raise UsageError(
                f"{safe_url(url)} is watched already, as {safe_url(watched.url)}: two would train each commit twice."
            )
    written = watch_repository(environment.home, url, branches)
    told = "is watched from the next start of epochal serve on" if written else "is watched already"
    typer.echo(f"{safe_url(url)} ({', '.join(branches)}) {told}: {environment.home / 'server.toml'}")


def serve(
    poll: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Ask the remotes every so often instead of waiting for pushes."),
    ] = None,
) -> None:
    """Run the gateway and the embedded chain until stopped."""
    from epochal.serving import serve as run_server

    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO, datefmt="%H:%M:%S")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    run_server(Environment.read(), poll, typer.echo)


def tunnel(
    domain: Annotated[str | None, typer.Option(help="Your own domain at ngrok; a random one if not given.")] = None,
) -> None:
    """Open an ngrok address for the gateway, and tell GitHub of it where a token is set; until stopped."""
    from epochal.serving import open_tunnel_until_stopped

    open_tunnel_until_stopped(Environment.read(), domain, typer.echo)


def mail(
    flush: Annotated[bool, typer.Option("--flush", help="Send what is pending now.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Send what was given up, too.")] = False,
) -> None:
    """Send the mails that could not be sent when their runs ended."""
    from epochal.jobs.job import Job
    from epochal.messages.outbox import drain_outbox

    if not flush and not retry:
        raise UsageError("epochal mail needs --flush (send what is pending) or --retry (what was given up, too).")
    job = Job.open(Environment.read())
    if retry:
        job.store.retry_notices()
    raise typer.Exit(0 if drain_outbox(job, typer.echo) else 1)


def fetch(
    name: Annotated[str, typer.Argument(help="cifar10, mnist, fashion_mnist, imdb, …: a dataset of Keras'.")],
) -> None:
    """Fill the dataset cache, with the network on, outside of the sandbox that pushed code trains in."""
    from epochal.analysis.datasets import fetch_script
    from epochal.jobs.job import Job
    from epochal.runtimes.choice import choose_runtime

    script = fetch_script(name)
    environment = Environment.read()
    job = Job.open(environment)
    chosen: RuntimeName = environment.runtime or ("process" if job.settings.runtime == "process" else "auto")
    runtime = choose_runtime(chosen, environment.home, job.settings, environment.docker_host, typer.echo)
    with tempfile.TemporaryDirectory() as empty:
        image = runtime.prepare("keras", Path(empty), typer.echo)
    runtime.fetch_dataset(image, script, typer.echo)
    typer.echo(f"{name} is in the dataset cache: code that asks Keras for it finds it there")
