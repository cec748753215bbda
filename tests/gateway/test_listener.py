"""How the gateway's HTTP server starts and stops."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from epochal.errors import UsageError
from epochal.gateway.listener import serve_app
from epochal.gateway.webhook import create_app
from tests.gateway.loopback import CLIENT, SECRET, MemoryIntake, served

_PROGRAM = """
import sys
from epochal.gateway.listener import serve_app
from epochal.gateway.webhook import create_app
serve_app(create_app(b"0123456789abcdef", [], None), sys.argv[1], 0, lambda address: print(address, flush=True))
print("put away", flush=True)
"""


@contextmanager
def _start_program(host: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a process that runs the server; yield the process and the address that it printed."""
    command = [sys.executable, "-c", _PROGRAM, host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_stops_the_server_but_not_the_process(number: signal.Signals) -> None:
    """serve_app returns instead of ending the process, so that the caller can clean up, and no error is printed."""
    with _start_program("127.0.0.1") as (process, address):
        assert CLIENT.get(f"{address}/healthz").status_code == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "put away\n", "")


def test_ipv6_address_is_printed_in_brackets() -> None:
    """Without the brackets, it would not be a valid URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with _start_program("::1") as (_, address):
        assert address.startswith("http://[::1]:")
        assert CLIENT.get(f"{address}/healthz").status_code == 200


def test_port_in_use_is_reported() -> None:
    """The message names the address and the file in which to change it."""
    app = create_app(SECRET, [], MemoryIntake())
    with served(app) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: Address already in use.*server\.toml"):
            serve_app(app, "127.0.0.1", port, print)
