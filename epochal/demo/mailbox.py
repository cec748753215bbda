"""Stands in for a mail server: takes mail by SMTP on loopback and shows it instead of delivering it."""

import email.policy
import socket
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox(Controller):
    """A local SMTP sink on ``port``. ``on_mail`` gets each message, from another thread."""

    def __init__(self, on_mail: Callable[[EmailMessage], None]) -> None:
        super().__init__(self, hostname="127.0.0.1", port=free_port())
        self._on_mail = on_mail

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Take a message (aiosmtpd's handler)."""
        message = message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self._on_mail(message)
        return "250 OK"


def free_port() -> int:
    """Return a port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
