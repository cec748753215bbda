"""An application on a loopback port, an in-memory intake, and GitHub's push event, for tests of the gateway."""

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
from epochal.records import AcceptedCommit, Commit

SECRET = b"a secret of the tests' own"
URL = "https://github.com/ada/digits.git"
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"

CLIENT = httpx.Client(timeout=30)  # Shared, because each new client reads the certificates again.

NextLine = Callable[[], str]
"""Waits for the next line of a log and returns it."""


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve ``app`` with the gateway's server, in a thread, and yield its address."""
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
    """Stores in memory what the gateway would store in the database. The first ``failures`` calls raise OSError."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.runs: list[Commit] = []
        self.results: list[tuple[str, str, str]] = []

    def accept(self, delivery: str, event: str, commit: Commit) -> AcceptedCommit:
        """Store a new run."""
        self._raise_while_failing()
        self.runs.append(commit)
        return AcceptedCommit(len(self.runs), new=True)

    def store_ignored(self, delivery: str, event: str, result: str) -> None:
        """Store the delivery in ``results``."""
        self._raise_while_failing()
        self.results.append((delivery, event, result))

    def _raise_while_failing(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no space left on device: /secret/place/epochal.db")


def push_event(**changes: Any) -> dict[str, Any]:
    """Return a push event like those in GitHub's "Webhook events and payloads". ``changes`` replace its top-level keys."""
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
    """Return GitHub's headers for ``body``. ``changes`` override them (``X_GitHub_Event="ping"``; None: omit)."""
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
    """POST ``event`` to the gateway at ``address`` as GitHub does. ``changes`` override headers."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return CLIENT.post(f"{address}/webhook", content=body, headers=request_headers(body, **changes))
