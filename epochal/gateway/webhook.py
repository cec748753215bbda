"""The gateway's web application: ``POST /webhook``, which GitHub calls, and ``GET /healthz``.

The order of the steps protects the gateway: the body's size is limited while the body is read, the signature of the raw
bytes is checked before anything is parsed, and the 202 response is sent only after the push is stored (GitHub, "Best
practices for using webhooks").
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from epochal.commit import identity
from epochal.forges.github import PayloadError, Skipped, check_secret, read_body, read_push, verify
from epochal.records import AcceptedCommit, Commit
from epochal.settings import WatchedRepository

_log = logging.getLogger("epochal.gateway")

MAX_BODY_BYTES = 25 * 1024 * 1024
"""The maximum size of a request's body. GitHub sends no larger payloads (see "Webhook events and payloads" in its docs)."""

READ_SECONDS = 10.0
"""How long a request's headers, and then its body, may take to arrive. GitHub waits just as long for a response."""

_RETRY_SECONDS = 60

_DELIVERY = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")


class Intake(Protocol):
    """Where the gateway stores deliveries. Both methods may block, and may be called from several threads."""

    def accept(self, delivery: str, event: str, commit: Commit) -> AcceptedCommit:
        """Store a delivery, and a new run unless the delivery or its commit already has one; return the run."""
        ...

    def store_ignored(self, delivery: str, event: str, result: str) -> None:
        """Store a delivery that starts no run; ``result`` is the reason."""
        ...


def create_app(secret: bytes, repositories: Sequence[WatchedRepository], intake: Intake) -> Starlette:
    """Return the gateway's application. Raises SettingsError if ``secret`` is shorter than 16 bytes.

    The responses to ``POST /webhook`` are JSON: 202 ``{"run", "status": "queued"}`` for a new run; 200 ``{"status",
    "reason"}`` for a delivery that starts no run; 200 ``{"status", "run"}`` if the delivery or its commit already has a
    run; otherwise ``{"error"}``, with 503 if the push could not be stored.
    """
    check_secret(secret)
    webhook = _Webhook(secret, repositories, intake)
    app = Starlette(
        routes=[Route("/webhook", webhook.answer, methods=["POST"]), Route("/healthz", _healthz, methods=["GET"])],
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    return app


async def _healthz(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


class _Webhook:
    def __init__(self, secret: bytes, repositories: Sequence[WatchedRepository], intake: Intake) -> None:
        self._secret = secret
        self._watched = [(identity(watched.url), watched) for watched in repositories]
        self._intake = intake

    async def answer(self, request: Request) -> JSONResponse:
        """Process one delivery, log the outcome in one line, and return the response."""
        delivery = _printable(request.headers.get("X-GitHub-Delivery", "without id"))
        try:
            status, content = await run_in_threadpool(self._process, request.headers, await _receive_body(request))
        except Exception as error:
            match error:
                case HTTPException():
                    refusal = error
                case PayloadError():
                    refusal = HTTPException(error.status, str(error))
                case ClientDisconnect():  # The client is gone, so only the log shows this.
                    refusal = HTTPException(400, "The client disconnected before the body arrived.")
                case _:
                    _log.exception("delivery %s: internal error", delivery)
                    refusal = HTTPException(500, "Internal error. See the server's log.")
            _log.warning("delivery %s: %s %s", delivery, refusal.status_code, _printable(refusal.detail))
            return await _http_error(request, refusal)
        _log.info("delivery %s: %s %s", delivery, status, _printable(str(content)))
        return JSONResponse(content, status)

    def _process(self, headers: Headers, body: bytes) -> tuple[int, dict[str, Any]]:
        """Check and store a delivery, and return the status and the JSON of the response."""
        signature = _single_header(headers, "X-Hub-Signature-256")
        if signature is None:
            raise HTTPException(401, "X-Hub-Signature-256 is missing. Enter the webhook's secret on GitHub.")
        if not verify(self._secret, body, signature):
            raise HTTPException(
                401, "X-Hub-Signature-256 does not match the body. Check that GitHub has this server's secret."
            )
        event = _require_header(headers, "X-GitHub-Event", _EVENT)
        delivery = _require_header(headers, "X-GitHub-Delivery", _DELIVERY)
        commit = self._find_commit(event, headers, body)
        try:
            if isinstance(commit, Skipped):
                self._intake.store_ignored(delivery, event, commit.reason)
                return 200, {"status": "ignored", "reason": commit.reason}
            accepted = self._intake.accept(delivery, event, commit)
        except Exception:
            _log.exception("delivery %s could not be stored", delivery)
            retry_after = {"Retry-After": str(_RETRY_SECONDS)}
            raise HTTPException(
                503, "The delivery could not be stored. Redeliver it from GitHub later.", retry_after
            ) from None
        if accepted.new:
            return 202, {"run": accepted.run, "status": "queued"}
        return 200, {"status": "already processed", "run": accepted.run}

    def _find_commit(self, event: str, headers: Headers, body: bytes) -> Commit | Skipped:
        """Return the commit to train, or the reason why the delivery starts no run."""
        if event == "ping":
            return Skipped("the webhook works: the signature is valid")
        if event != "push":
            return Skipped(f"{event} events do not start a run: choose only push events on GitHub")
        push = read_push(read_body(_single_header(headers, "Content-Type") or "", body))
        if isinstance(push, Skipped):
            return push
        repositories = [watched for name, watched in self._watched if name in push.identities]
        if not repositories:
            return Skipped(f"{min(push.identities)} is not watched: run epochal watch URL on the server")
        for watched in repositories:
            if push.branch in watched.branches:
                # Fetch from the URL that the admin configured, never from a URL in the payload.
                return Commit(watched.url, push.branch, push.sha, push.message, push.author_name, push.author_email)
        branches = ", ".join(branch for watched in repositories for branch in watched.branches)
        return Skipped(f"the branch {push.branch} is not watched (watched: {branches})")


async def _receive_body(request: Request) -> bytes:
    """Return the request's body. Raises HTTPException 413 if it is too large, 408 if it takes too long to arrive."""
    too_large = HTTPException(413, f"The body is larger than {MAX_BODY_BYTES // 1024**2} MiB, GitHub's limit.")
    if int(request.headers.get("Content-Length", "0")) > MAX_BODY_BYTES:  # h11 accepts only digits.
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {READ_SECONDS:g} s.") from None
    return bytes(body)


def _single_header(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise HTTPException(400, f"{name} was sent more than once.")
    return values[0] if values else None


def _require_header(headers: Headers, name: str, pattern: re.Pattern[str]) -> str:
    value = _single_header(headers, name) or ""
    if not pattern.fullmatch(value):
        raise HTTPException(400, f"{name} is missing or malformed.")
    return value


def _printable(text: str) -> str:
    """Return the first 200 characters of ``text`` as one log line, with ``?`` in place of unprintable ones."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])
