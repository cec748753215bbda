"""The ngrok address through which GitHub reaches the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from epochal.errors import UsageError


@dataclass(frozen=True)
class Tunnel:
    """An open tunnel: its public address, and how it is closed."""

    url: str
    close: Callable[[], Any]


def open_tunnel(forward_to: str, authtoken: str | None, secret: bytes, domain: str | None) -> Tunnel:
    """An ngrok address that leads to ``forward_to`` (``host:port``).

    ngrok verifies GitHub's signature with the webhook's secret, so that nothing else comes through ("Webhook verification" in
    ngrok's documentation); the gateway verifies it all the same. Raises UsageError, in one line, without an authtoken or a
    network.
    """
    if not authtoken:
        raise UsageError(
            "EPOCHAL_NGROK_AUTHTOKEN is not set: put the authtoken of your ngrok account into a file and name it by "
            "EPOCHAL_NGROK_AUTHTOKEN_FILE."
        )
    import ngrok  # a large library, and only this command needs it

    options = {"domain": domain} if domain else {}
    try:
        listener = ngrok.forward(
            forward_to,
            authtoken=authtoken,
            verify_webhook_provider="github",
            verify_webhook_secret=secret.decode("utf-8"),
            **options,
        )
    except ValueError as error:  # the only kind that ngrok 1.4 raises, whatever it was
        said = " ".join(str(part) for part in error.args).replace(authtoken, "…")
        raise UsageError(f"The tunnel could not be opened: {' '.join(said.split())}") from None
    return Tunnel(listener.url(), listener.close)
