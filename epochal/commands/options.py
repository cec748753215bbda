"""Options and arguments that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print only JSON to standard output.")]
RunNumber = Annotated[
    int,
    typer.Argument(metavar="RUN", min=1, max=2**31, help="The run's number, as listed by epochal history."),
]
