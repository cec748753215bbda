"""``epochal mail``: send emails that could not be sent when their runs ended."""

from typing import Annotated

import typer

from epochal.app import App
from epochal.errors import UsageError
from epochal.messages.outbox import drain_outbox
from epochal.settings import Environment
from epochal.store.outbox import retry_messages


def mail(
    flush: Annotated[bool, typer.Option("--flush", help="Send the pending emails now.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Also send the emails that Epochal has given up on.")] = False,
) -> None:
    """Send the emails that could not be sent when their runs ended."""
    if not flush and not retry:
        raise UsageError(
            "epochal mail needs --flush (send the pending emails) or --retry (also send those that Epochal has given up on)."
        )
    app = App.open(Environment.read())
    if retry:
        retry_messages(app.database)
    raise typer.Exit(0 if drain_outbox(app, typer.echo) else 1)
