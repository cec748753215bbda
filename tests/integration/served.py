"""A real ``epochal serve`` for the tests, and GitHub's part of the conversation."""

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
class Served:
    """A running server: its home, its address, what was mailed, and the process."""

    home: Path
    address: str
    mails: Mails
    process: "subprocess.Popen[str]"

    @property
    def secret(self) -> bytes:
        """The webhook's secret, as GitHub knows it."""
        return (self.home / "webhook-secret").read_text(encoding="ascii").strip().encode()

    def push(self, origin: Path) -> dict[str, Any]:
        """What GitHub sends when main was pushed to; returns the gateway's answer."""
        sha = git(origin, "rev-parse", "refs/heads/main")
        answer = deliver(f"{self.address}/webhook", self.secret, push_event(origin, "0" * 40, sha, "refs/heads/main"))
        found: dict[str, Any] = json.loads(answer.partition("{")[1] + answer.partition("{")[2])
        return found

    def mail(self) -> EmailMessage:
        """The next mail, waited for."""
        return self.mails.get(timeout=120)


def write_settings(home: Path, origin: Path, mail_port: int, more: str = "") -> None:
    """server.toml for a server that watches ``origin``; ``more`` goes to its top."""
    (home / "server.toml").write_text(more + _SERVER.format(port=mail_port), encoding="utf-8")
    watch_repository(home, str(origin), ("main",))


@contextmanager
def mailbox() -> Iterator[tuple[Mails, int]]:
    """A local SMTP sink: what it got, and its port."""
    mails: Mails = queue.SimpleQueue()
    sink = Mailbox(mails.put)
    sink.start()
    try:
        yield mails, sink.port
    finally:
        sink.stop()


@contextmanager
def served(home: Path, origin: Path, more: str = "", mail: tuple[Mails, int] | None = None) -> Iterator[Served]:
    """``epochal serve`` for ``home`` from the moment that it answers; stopped at the end. ``mail``: an SMTP sink there is."""
    with ExitStack() as stack:
        mails, port = mail or stack.enter_context(mailbox())
        write_settings(home, origin, port, more)
        process = start_server(home)
        stack.callback(_stop, process)
        assert process.stdout
        address = process.stdout.readline().removeprefix("gateway: ").strip().removesuffix("/webhook")
        assert address.startswith("http://"), process.stderr.read() if process.stderr else ""
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Served(home, address, mails, process)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


def start_server(home: Path) -> "subprocess.Popen[str]":
    """The process; its first line of output is its address."""
    with (home / "serve.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "epochal", "serve"],
            env=os.environ | {"EPOCHAL_HOME": str(home), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def post(server: Served, event: str, body: bytes, signature: str) -> httpx.Response:
    """Any request to the webhook."""
    headers = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": signature,
        "Content-Type": "application/json",
    }
    return httpx.post(f"{server.address}/webhook", content=body, headers=headers)
