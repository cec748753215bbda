"""An application on a loopback port, a store in memory, and GitHub's push event, for the tests of the gateway."""

import json
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from epochal.forges.github import sign
from epochal.gateway.listener import serve_app
from epochal.records import Accepted, Commit

SECRET = b"a secret of the tests' own"
URL = "https://github.com/ada/digits.git"
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"

CLIENT = httpx.Client(timeout=30)  # one for all: each reads the certificates anew

NextLine = Callable[[], str]
"""Waits for the next line of a log."""


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of ``app``, which is served by the gateway's own server in a thread."""
    addresses: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = threading.Event()
    thread = threading.Thread(target=serve_app, args=(app, "127.0.0.1", 0, addresses.put, stop), daemon=True)
    thread.start()
    try:
        yield addresses.get(timeout=10)
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server did not stop"


class MemoryIntake:
    """Keeps what the database would; ``failures`` says how often it fails first."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.runs: list[Commit] = []
        self.deliveries: dict[str, int] = {}
        self.results: list[tuple[str, str, str]] = []

    def accept(self, delivery: str, event: str, commit: Commit) -> Accepted:
        """A run for a delivery that is new."""
        self._fail_first()
        if delivery in self.deliveries:
            return Accepted(self.deliveries[delivery], new=False)
        self.runs.append(commit)
        self.deliveries[delivery] = len(self.runs)
        return Accepted(len(self.runs), new=True)

    def ignored(self, delivery: str, event: str, result: str) -> None:
        """Kept for the test to look at."""
        self._fail_first()
        self.results.append((delivery, event, result))

    def _fail_first(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no space left on device: /secret/place/epochal.db")


def push_event(**changes: Any) -> dict[str, Any]:
    """A push event in the shape of GitHub's "Webhook events and payloads", with ``changes`` at its top."""
    author = {"name": "Ada", "email": "ada@example.com", "username": "ada"}
    head = {
        "id": SHA,
        "tree_id": "f9d2a07e9488b91af2641b26b9407fe22a451433",
        "distinct": True,
        "message": "More filters",
        "timestamp": "2026-11-23T05:00:00+01:00",
        "url": f"https://github.com/ada/digits/commit/{SHA}",
        "author": author,
        "committer": author,
        "added": [],
        "removed": [],
        "modified": ["nn.py"],
    }
    event = {
        "ref": "refs/heads/main",
        "before": "a10867b14bb761a232cd80139fbd4c0d33264240",
        "after": SHA,
        "repository": {
            "id": 186853002,
            "name": "digits",
            "full_name": "ada/digits",
            "private": False,
            "owner": {"name": "ada", "login": "ada"},
            "html_url": "https://github.com/ada/digits",
            "url": "https://github.com/ada/digits",
            "git_url": "git://github.com/ada/digits.git",
            "ssh_url": "git@github.com:ada/digits.git",
            "clone_url": URL,
            "default_branch": "main",
        },
        "pusher": {"name": "ada", "email": "ada@example.com"},
        "sender": {"login": "ada", "id": 21031067, "type": "User"},
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": "https://github.com/ada/digits/compare/a10867b14bb7...6113728f27ae",
        "commits": [head],
        "head_commit": head,
    }
    return event | changes


def request_headers(body: bytes, **changes: str | None) -> dict[str, str]:
    """What GitHub sends with ``body``, signed; ``changes`` (``X_GitHub_Event="ping"``; None: without it) on top."""
    headers: dict[str, str | None] = {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(SECRET, body),
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


def deliver(address: str, event: dict[str, Any] | bytes, **changes: str | None) -> httpx.Response:
    """POST ``event`` to the gateway at ``address`` as GitHub does; ``changes`` are headers that differ."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return CLIENT.post(f"{address}/webhook", content=body, headers=request_headers(body, **changes))
