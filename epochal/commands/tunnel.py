"""``epochal tunnel``: open an ngrok tunnel to the gateway and register its address with GitHub."""

import threading
from typing import Annotated

import typer

from epochal.app import App
from epochal.forges.github_api import register_webhook
from epochal.gateway.secret import configured_secret
from epochal.gateway.tunnel import open_tunnel
from epochal.jobs.signals import Stopped, raise_on_signal
from epochal.settings import Environment


def tunnel(
    domain: Annotated[str | None, typer.Option(help="Your ngrok domain; by default, ngrok chooses an address.")] = None,
) -> None:
    """Keep an ngrok tunnel to the gateway open. If a GitHub token is set, register the tunnel's address with GitHub."""
    environment = Environment.read()
    environment.create_home()
    app = App.open(environment)
    secret, _ = configured_secret(environment, app.settings)
    gateway = f"{app.settings.gateway.host}:{app.settings.gateway.port}"
    authtoken, token = environment.ngrok_authtoken, environment.github_token
    opened = open_tunnel(gateway, authtoken.get_secret_value() if authtoken else None, secret, domain)
    try:
        typer.echo(f"tunnel: {opened.url}/webhook forwards to {gateway}")
        if token:
            for watched in app.settings.repository:
                typer.echo(register_webhook(watched.url, f"{opened.url}/webhook", secret, token.get_secret_value()))
        else:
            typer.echo("EPOCHAL_GITHUB_TOKEN is not set; add the webhook by hand on GitHub (Settings, Webhooks)")
        with raise_on_signal():
            threading.Event().wait()
    except Stopped:
        pass
    finally:
        opened.close()
