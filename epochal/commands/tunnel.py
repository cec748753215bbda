"""``epochal tunnel``: an ngrok address for the gateway, told to GitHub."""

import threading
from collections.abc import Callable
from typing import Annotated

import typer

from epochal.app import App
from epochal.forges.github_api import register_webhook
from epochal.gateway.secret import configured_secret
from epochal.gateway.tunnel import open_tunnel
from epochal.jobs.signals import Stopped, stoppable
from epochal.settings import Environment


def tunnel(
    domain: Annotated[str | None, typer.Option(help="Your own domain at ngrok; a random one if not given.")] = None,
) -> None:
    """Open an ngrok address for the gateway, and tell GitHub of it where a token is set; until stopped."""
    open_tunnel_until_stopped(Environment.read(), domain, typer.echo)


def open_tunnel_until_stopped(environment: Environment, domain: str | None, tell: Callable[[str], None]) -> None:
    """Open the ngrok address and register it at GitHub where a token is set; returns at SIGINT or SIGTERM.

    Raises UsageError in one line where there is no authtoken or no network.
    """
    app = App.open(environment)
    secret, _ = configured_secret(environment, app.settings)
    gateway = app.settings.gateway
    authtoken = environment.ngrok_authtoken
    opened = open_tunnel(
        f"{gateway.host}:{gateway.port}", authtoken.get_secret_value() if authtoken else None, secret, domain
    )
    try:
        tell(f"tunnel: {opened.url}/webhook leads to {gateway.host}:{gateway.port}")
        for watched in app.settings.repository if environment.github_token else ():
            token = environment.github_token
            assert token is not None
            tell(register_webhook(watched.url, f"{opened.url}/webhook", secret, token.get_secret_value()))
        if not environment.github_token:
            tell("EPOCHAL_GITHUB_TOKEN is not set: enter the address at GitHub (Settings, Webhooks) by hand")
        with stoppable():
            threading.Event().wait()
    except Stopped:
        pass
    finally:
        opened.close()
