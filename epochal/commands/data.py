"""``epochal data``: download datasets for code that trains without network access."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from epochal.analysis.frameworks import find_dataset
from epochal.app import App
from epochal.runtimes.choice import choose_runtime
from epochal.settings import Environment

data = typer.Typer(help="Download datasets for code that trains without network access.", no_args_is_help=True)


@data.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="A dataset (cifar10, fetch_20newsgroups), a model's weights (ResNet50) or NLTK data (nltk:punkt_tab)."
        ),
    ],
) -> None:
    """Download a dataset into the cache. This uses the network even if training has no access to it."""
    framework, script = find_dataset(name)
    environment = Environment.read()
    app = App.open(environment)
    runtime = choose_runtime(
        app.interactive_runtime, environment.home, app.settings, environment.docker_host, typer.echo
    )
    with tempfile.TemporaryDirectory() as empty:
        image = runtime.prepare(framework, Path(empty), typer.echo)
    runtime.fetch_dataset(image, script, typer.echo)
    typer.echo(f"{name} is in the dataset cache, where training will find it")
