"""``epochal cancel``: cancel a run that has not ended."""

import typer

from epochal.app import App
from epochal.commands.options import RunNumber
from epochal.records import State
from epochal.settings import Environment
from epochal.store.dispatches import last_dispatch
from epochal.store.owner import signal_owner
from epochal.store.transitions import request_stop


def cancel(number: RunNumber) -> None:
    """Cancel a run that has not ended. Its training is stopped, and no email is sent."""
    app = App.open(Environment.read())
    owner = request_stop(app.database, number, State.CANCELLED)
    # A signal would turn a Jenkins build red, so no signal is sent: the gateway stops the build, which ends as ABORTED.
    if owner and last_dispatch(app.database, number) is None:
        signal_owner(owner)
    typer.echo(f"run {number} is cancelled" + ("; its job is shutting down" if owner else ""))
