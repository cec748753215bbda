"""GitHub's signature over a webhook's body: HMAC-SHA256 ("Validating webhook deliveries" in GitHub's documentation)."""

import hashlib
import hmac

from epochal.errors import SettingsError

SHORTEST_SECRET = 16
"""A shorter secret, in bytes, could be guessed; an empty one would accept anybody."""


def check_secret(secret: bytes) -> None:
    """Raise SettingsError for a secret that protects nothing."""
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"The webhook's secret has {len(secret)} bytes; it needs {SHORTEST_SECRET} or more. "
            "Make one: openssl rand -hex 32"
        )


def sign(secret: bytes, body: bytes) -> str:
    """The value of ``X-Hub-Signature-256`` for ``body``. Raises SettingsError for a short secret."""
    check_secret(secret)
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def verify(secret: bytes, body: bytes, header: str | None) -> bool:
    """Whether ``header`` signs ``body``, compared in constant time. Raises SettingsError for a short secret."""
    expected = sign(secret, body).encode("ascii")
    return hmac.compare_digest(expected, (header or "").encode("utf-8", "surrogatepass"))
