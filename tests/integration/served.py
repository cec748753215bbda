"""Run a real ``epochal serve``, deliver pushes to it as GitHub does, and receive its mail."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from epochal.demo.github import deliver, push_event
from epochal.demo.mailbox import Mailbox
from epochal.settings import watch_repository
from tests.repositories import git

Mails = queue.SimpleQueue[EmailMessage]

_SERVER = """\
runtime = "process"

[gateway]
port = 0

[mail]
host = "127.0.0.1"
port = {port}
security = "none"
from = "epochal@example.com"
allowed_domains = ["example.com"]
"""


@dataclass(frozen=True)
class Server:
    """A running ``epochal serve``, with the emails that it has sent."""

    home: Path
    address: str
    mails: Mails
    process: "subprocess.Popen[str]"

    @property
    def secret(self) -> bytes:
        """The webhook's secret."""
        return (self.home / "webhook-secret").read_text(encoding="ascii").strip().encode()

    def push(self, origin: Path) -> dict[str, Any]:
        """Deliver the webhook for a push to main, as GitHub does, and return the gateway's answer."""
        sha = git(origin, "rev-parse", "refs/heads/main")
        answer = deliver(f"{self.address}/webhook", self.secret, push_event(origin, "0" * 40, sha, "refs/heads/main"))
        decoded: dict[str, Any] = json.loads(answer.partition("{")[1] + answer.partition("{")[2])
        return decoded

    def wait_for_mail(self) -> EmailMessage:
        """Wait for the next email and return it."""
        return self.mails.get(timeout=120)


def write_settings(home: Path, origin: Path, mail_port: int, extra: str = "") -> None:
    """Write the server.toml of a server that watches ``origin``, with ``extra`` settings at the top."""
    (home / "server.toml").write_text(extra + _SERVER.format(port=mail_port), encoding="utf-8")
    watch_repository(home, str(origin), ("main",))


@contextmanager
def mailbox() -> Iterator[tuple[Mails, int]]:
    """Run a local SMTP server; yield the queue of the emails that it receives, and its port."""
    mails: Mails = queue.SimpleQueue()
    smtp_server = Mailbox(mails.put)
    smtp_server.start()
    try:
        yield mails, smtp_server.port
    finally:
        smtp_server.stop()


@contextmanager
def running_server(
    home: Path, origin: Path, extra: str = "", mail: tuple[Mails, int] | None = None
) -> Iterator[Server]:
    """Run ``epochal serve`` for ``home``, and yield once it answers.

    ``mail`` is what ``mailbox`` yielded, if a mailbox is already running; by default, a new one is started.
    """
    with ExitStack() as stack:
        mails, port = mail or stack.enter_context(mailbox())
        write_settings(home, origin, port, extra)
        process = start_server(home)
        stack.callback(_stop, process)
        assert process.stdout
        address = process.stdout.readline().removeprefix("gateway: ").strip().removesuffix("/webhook")
        assert address.startswith("http://"), process.stderr.read() if process.stderr else ""
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Server(home, address, mails, process)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


def start_server(home: Path) -> "subprocess.Popen[str]":
    """Start ``epochal serve``. The first line of its output contains its address."""
    with (home / "serve.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "epochal", "serve"],
            env=os.environ | {"EPOCHAL_HOME": str(home), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def post(server: Server, event: str, body: bytes, signature: str) -> httpx.Response:
    """Send a request to the webhook."""
    headers = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": signature,
        "Content-Type": "application/json",
    }
    return httpx.post(f"{server.address}/webhook", content=body, headers=headers)
