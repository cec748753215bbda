"""A tunnel from a public ngrok address to the gateway.

ngrok checks the signatures of GitHub's requests, so its SDK sends the webhook's secret to ngrok. The gateway does not
rely on that check, but repeats it.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from epochal.errors import UsageError


@dataclass(frozen=True)
class Tunnel:
    """An open tunnel. ``url``: its https address, without a trailing slash. ``sdk``: the module ``ngrok``."""

    url: str
    sdk: Any

    def close(self) -> None:
        """Close the tunnel and release its address."""
        self.sdk.disconnect(self.url)


def open_tunnel(address_to_forward: str, authtoken: str | None, secret: bytes, domain: str | None) -> Tunnel:
    """Open a tunnel from ``domain``, or from an address that ngrok chooses, to ``address_to_forward`` (host:port).

    Raises UsageError if there is no authtoken or no network, or if ngrok refuses to open the tunnel.
    """
    if not authtoken:
        raise UsageError(
            "A tunnel needs an ngrok authtoken. Copy it from https://dashboard.ngrok.com/get-started/your-authtoken "
            "and set EPOCHAL_NGROK_AUTHTOKEN or EPOCHAL_NGROK_AUTHTOKEN_FILE."
        )
    sdk: Any = importlib.import_module("ngrok")  # a native library of 10 MB, which only this command needs
    options = {"domain": domain} if domain else {}
    try:
        listener = sdk.forward(
            address_to_forward,
            authtoken=authtoken,
            verify_webhook_provider="github",
            verify_webhook_secret=secret.decode(),
            **options,
        )
    except (ValueError, RuntimeError, OSError) as error:
        # ngrok's message about an unknown authtoken contains that token, which must not be shown.
        reason = " ".join(": ".join(str(part) for part in error.args).replace(authtoken, "[authtoken]").split())
        raise UsageError(
            f"ngrok did not open a tunnel: {reason}. "
            "Check the authtoken, the domain and the connection to connect.ngrok-agent.com:443."
        ) from None
    return Tunnel(str(listener.url()).rstrip("/"), sdk)
