"""An address at ngrok that leads to the gateway.

ngrok checks GitHub's signature at its edge already, and so has to know the webhook's secret: the SDK sends it there.
The gateway checks again, because that is the check that we can see.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from epochal.errors import UsageError


@dataclass(frozen=True)
class Tunnel:
    """An open tunnel; ``url`` is its https address, without a slash at the end."""

    url: str
    sdk: Any

    def close(self) -> None:
        """Close the tunnel and release its address."""
        self.sdk.disconnect(self.url)


def open_tunnel(address_to_forward: str, authtoken: str | None, secret: bytes, domain: str | None) -> Tunnel:
    """Open an https address that leads to ``address_to_forward`` (host:port): ``domain``, or one that ngrok gives.

    Raises UsageError in one line without an authtoken, without a network, and where ngrok refuses.
    """
    if not authtoken:
        raise UsageError(
            "A tunnel needs ngrok's authtoken: take it from https://dashboard.ngrok.com/get-started/your-authtoken "
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
        # ngrok's own message for a token that it does not know holds that token.
        said = " ".join(": ".join(str(part) for part in error.args).replace(authtoken, "[authtoken]").split())
        raise UsageError(
            f"ngrok gave no address: {said}. "
            "Check the network (connect.ngrok-agent.com:443), the authtoken and the domain."
        ) from None
    return Tunnel(str(listener.url()).rstrip("/"), sdk)
