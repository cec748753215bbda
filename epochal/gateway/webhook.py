"""``POST /webhook``, as GitHub sends it: signature first, then sense, then storing, then the answer.

Answers, all JSON: 202 stored, 200 nothing to do (with the reason), 400 not understood, 401 signature, 404, 405, 408 too slow,
413 too large, 415 content type, 503 not stored (GitHub's redelivery may come again), 500 our own fault.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from epochal.payload import PayloadError, Push, Skipped, identity, read_body, read_push
from epochal.records import Commit
from epochal.settings import WatchedRepository
from epochal.signature import check_secret, verify

BODY_LIMIT = 25 * 1024 * 1024
"""GitHub sends no larger payload ("Webhook events and payloads")."""

_BODY_SECONDS = 30.0
_DELIVERY = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_EVENT = re.compile(r"[a-z_]{1,64}")

_log = logging.getLogger("epochal.gateway")


@dataclass(frozen=True)
class Accepted:
    """The run of a stored push, and whether it is a new one."""

    run: int
    new: bool


class Intake(Protocol):
    """Where deliveries are stored."""

    def accept(self, delivery: str, event: str, commit: Commit) -> Accepted:
        """Store delivery and run together; a delivery that was processed already starts no second run."""
        ...

    def ignored(self, delivery: str, event: str, result: str) -> None:
        """Remember a delivery that starts no run."""
        ...


class _Refused(Exception):
    def __init__(self, status: int, error: str) -> None:
        self.status = status
        self.error = error


def create_app(secret: bytes, repositories: Sequence[WatchedRepository], intake: Intake) -> Starlette:
    """The gateway's application: /webhook and /healthz, nothing else. Raises SettingsError for an empty or short secret."""
    check_secret(secret)
    webhook = _Webhook(secret, repositories, intake)

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/webhook", webhook.answer, methods=["POST"]), Route("/healthz", healthz, methods=["GET"])],
        exception_handlers={HTTPException: _http_error, Exception: _own_fault},
    )


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _own_fault(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "a fault of the gateway's own; its log says more"}, 500)


class _Webhook:
    def __init__(self, secret: bytes, repositories: Sequence[WatchedRepository], intake: Intake) -> None:
        self._secret = secret
        self._watched = {identity(watched.url): watched for watched in repositories}
        self._intake = intake

    async def answer(self, request: Request) -> JSONResponse:
        try:
            body = await _read(request)
            if not verify(self._secret, body, request.headers.get("x-hub-signature-256")):
                raise _Refused(401, "X-Hub-Signature-256 is missing, or not the signature of this body with our secret.")
            delivery = _header(request, "X-GitHub-Delivery", _DELIVERY)
            event = _header(request, "X-GitHub-Event", _EVENT)
            status, content = await self._handle(delivery, event, request.headers.get("content-type", ""), body)
        except _Refused as refused:
            _log.warning("refused with %s: %s", refused.status, refused.error)
            return JSONResponse({"error": refused.error}, refused.status)
        except PayloadError as error:
            _log.warning("%s: refused with %s: %s", delivery, error.status, error)
            return JSONResponse({"error": str(error)}, error.status)
        except ClientDisconnect:
            return JSONResponse({"error": "the request ended before its body did"}, 400)
        _log.info("%s: %s: %s %s", delivery, event, status, content)
        return JSONResponse(content, status, headers={"Retry-After": "10"} if status == 503 else None)

    async def _handle(self, delivery: str, event: str, content_type: str, body: bytes) -> tuple[int, dict[str, Any]]:
        payload = read_body(content_type, body)
        if event == "ping":
            return await self._ignore(delivery, event, "pong")
        if event != "push":
            return await self._ignore(delivery, event, f"{event} events start no run")
        push = read_push(payload)
        if isinstance(push, Skipped):
            return await self._ignore(delivery, event, push.reason)
        watched = next((self._watched[name] for name in sorted(push.identities) if name in self._watched), None)
        if watched is None:
            return await self._ignore(delivery, event, "this repository is not watched: epochal watch URL")
        if push.branch not in watched.branches:
            return await self._ignore(delivery, event, f"the branch {push.branch} is not watched")
        return await self._store(delivery, event, _commit(watched, push))

    async def _ignore(self, delivery: str, event: str, reason: str) -> tuple[int, dict[str, Any]]:
        try:
            await run_in_threadpool(self._intake.ignored, delivery, event, reason)
        except Exception:
            _log.exception("%s: an ignored delivery could not be remembered", delivery)
        return 200, {"status": "ignored", "reason": reason}

    async def _store(self, delivery: str, event: str, commit: Commit) -> tuple[int, dict[str, Any]]:
        try:
            accepted = await run_in_threadpool(self._intake.accept, delivery, event, commit)
        except Exception:
            # Whatever it is, GitHub must know that nothing was stored, and our log why.
            _log.exception("%s: not stored", delivery)
            return 503, {"error": "the delivery could not be stored; deliver it again"}
        if not accepted.new:
            return 200, {"status": "already processed", "run": accepted.run}
        return 202, {"status": "queued", "run": accepted.run}


async def _read(request: Request) -> bytes:
    """The whole body, counted while it comes: the length that a client claims is not to be relied on."""
    claimed = request.headers.get("content-length", "0")
    if claimed.isdecimal() and int(claimed) > BODY_LIMIT:
        raise _Refused(413, f"The body is larger than {BODY_LIMIT} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT:
                    raise _Refused(413, f"The body is larger than {BODY_LIMIT} bytes.")
    except TimeoutError:
        raise _Refused(408, f"The body took longer than {_BODY_SECONDS:g} s.") from None
    return bytes(body)


def _header(request: Request, name: str, form: re.Pattern[str]) -> str:
    value = request.headers.get(name, "")
    if not form.fullmatch(value):
        raise _Refused(400, f"{name} is missing, or not what GitHub sends.")
    return value


def _commit(watched: WatchedRepository, push: Push) -> Commit:
    # The address is the admin's: a payload must not make git fetch from elsewhere.
    return Commit(watched.url, push.branch, push.sha, push.message, push.author_name, push.author_email)


def serve_app(app: Starlette, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM. ``ready`` gets the address as soon as it is listened on (port 0: any free one)."""
    configuration = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    _Server(configuration, ready).run()


class _Server(uvicorn.Server):
    def __init__(self, configuration: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(configuration)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
