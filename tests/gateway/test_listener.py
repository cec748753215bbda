"""How the gateway's server starts and stops."""

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
def _program(host: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process that serves, and the address that it told."""
    command = [sys.executable, "-c", _PROGRAM, host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_lets_the_caller_put_away(number: signal.Signals) -> None:
    """The signal does not kill the process: what comes after serve_app is reached, and nothing is complained of."""
    with _program("127.0.0.1") as (process, address):
        assert CLIENT.get(f"{address}/healthz").status_code == 200
        process.send_signal(number)
        output, complaints = process.communicate(timeout=20)
    assert (process.returncode, output, complaints) == (0, "put away\n", "")


def test_an_ipv6_address_is_told_in_brackets() -> None:
    """The address that is told can be asked as it is."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with _program("::1") as (_, address):
        assert address.startswith("http://[::1]:")
        assert CLIENT.get(f"{address}/healthz").status_code == 200


def test_a_port_that_is_taken() -> None:
    """It is told in a sentence that names address and setting."""
    app = create_app(SECRET, [], MemoryIntake())
    with served(app) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: Address already in use.*server\.toml"):
            serve_app(app, "127.0.0.1", port, print)
