"""A stand-in for a mail server. It accepts mail over SMTP on loopback and passes it to a callback."""

import email.policy
import socket
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox(Controller):
    """An SMTP server on a free loopback ``port``. It calls ``on_mail`` with each message, from another thread."""

    def __init__(self, on_mail: Callable[[EmailMessage], None]) -> None:
        super().__init__(self, hostname="127.0.0.1", port=free_port())
        self._on_mail = on_mail

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Accept a message. aiosmtpd calls this method."""
        message = message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self._on_mail(message)
        return "250 OK"


def free_port() -> int:
    """Return a loopback port on which no program is listening right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
