"""Run the gateway's HTTP server, with limits on time and connections, and shut it down cleanly."""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from epochal.errors import UsageError
from epochal.gateway.webhook import READ_SECONDS

_MAX_CONNECTIONS = 32  # Each connection may hold a body in memory before its signature is checked.
_SHUTDOWN_SECONDS = 5


def serve_app(
    app: Starlette, host: str, port: int, ready: Callable[[str], None], stop: threading.Event | None = None
) -> None:
    """Serve ``app`` until ``stop`` is set or, in the main thread, SIGINT or SIGTERM arrives.

    Requests in progress then have up to 5 s to finish. Once the server accepts requests, ``ready`` is called with the
    address, for example ``http://127.0.0.1:8787``. Port 0 means any free port. Raises UsageError if the server cannot
    listen on ``host`` and ``port``.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"The gateway cannot listen on {host}:{port}: {error.strerror}. "
            "If another program is using the port, stop it. Otherwise, change [gateway] host or port in server.toml."
        ) from None
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # Allow one request per connection: GitHub needs no more, and nobody can keep an idle connection open.
        headers=[("Connection", "close")],
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    _Server(config, lambda: ready(address), stop or threading.Event()).run(sockets=[listener])


class _Connection(H11Protocol):
    """A uvicorn HTTP/1.1 connection that is closed if the request headers take too long to arrive."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(READ_SECONDS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it is ready, can be stopped by an event, and does not re-raise signals."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stop: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature is uvicorn's)
        # uvicorn would raise the signal again when it stops, and SIGTERM would kill the process before it cleans up.
        self.should_exit = True
