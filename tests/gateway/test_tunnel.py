"""The ngrok tunnel: its options, the errors if it cannot be opened, and the registration of the webhook."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epochal.commands import tunnel as command
from epochal.errors import UsageError
from epochal.gateway.tunnel import open_tunnel
from epochal.jobs.signals import Stopped
from epochal.settings.server import watch_repository
from tests.gateway.loopback import SECRET

_TOKEN = "2abcAuthtokenOfNobody"


@pytest.mark.parametrize("authtoken", [None, ""])
def test_missing_authtoken_is_reported(authtoken: str | None) -> None:
    """One line says where to get an authtoken and which variable to set."""
    with pytest.raises(UsageError, match=r"dashboard\.ngrok\.com.*EPOCHAL_NGROK_AUTHTOKEN_FILE") as error:
        open_tunnel("127.0.0.1:8787", authtoken, SECRET, None)
    assert "\n" not in str(error.value)


def test_failed_connection_is_reported_without_secrets() -> None:
    """The real SDK's error about an unreachable network or an unknown authtoken becomes one line."""
    with pytest.raises(
        UsageError, match=r"^ngrok did not open a tunnel: failed to connect session: .+Check the authtoken"
    ) as error:
        open_tunnel("127.0.0.1:8787", _TOKEN, SECRET, None)
    assert "\n" not in str(error.value)
    assert _TOKEN not in str(error.value)
    assert SECRET.decode() not in str(error.value)


class _FakeSdk(SimpleNamespace):
    """A stand-in for forward() and disconnect() of the ngrok SDK 1.4.0, since the tests have no ngrok account."""

    def forward(self, addr: str, **options: object) -> Any:
        self.request = {"addr": addr, **options}
        if options["authtoken"] != _TOKEN:
            message = (
                f"authentication failed: it is invalid.\nYour authtoken: {options['authtoken']}\r\n\r\nERR_NGROK_107"
            )
            raise ValueError("failed to connect session", message, "ERR_NGROK_107")
        return SimpleNamespace(url=lambda: "https://1a2b.ngrok.app")

    def disconnect(self, url: str) -> None:
        self.disconnected = url


@pytest.mark.parametrize("domain", [None, "epochal.ngrok.app"])
def test_tunnel_is_opened_with_github_verification(monkeypatch: pytest.MonkeyPatch, domain: str | None) -> None:
    """ngrok verifies GitHub's signatures with the webhook's secret. Closing the tunnel releases its address."""
    sdk = _FakeSdk()
    monkeypatch.setitem(sys.modules, "ngrok", sdk)
    tunnel = open_tunnel("127.0.0.1:8787", _TOKEN, SECRET, domain)
    assert sdk.request.pop("domain", None) == domain
    assert sdk.request == {
        "addr": "127.0.0.1:8787",
        "authtoken": _TOKEN,
        "verify_webhook_provider": "github",
        "verify_webhook_secret": SECRET.decode(),
    }
    assert tunnel.url == "https://1a2b.ngrok.app"
    tunnel.close()
    assert sdk.disconnected == tunnel.url


def test_refused_authtoken_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """ngrok's own message contains the authtoken, which must not be shown."""
    monkeypatch.setitem(sys.modules, "ngrok", _FakeSdk())
    with pytest.raises(UsageError, match="ERR_NGROK_107") as error:
        open_tunnel("127.0.0.1:8787", "2abcWrong", SECRET, None)
    assert "2abcWrong" not in str(error.value)
    assert "\n" not in str(error.value)


def test_sdk_is_imported_only_when_needed() -> None:
    """ngrok's SDK is large and would slow down the start of other commands."""
    program = "import sys, epochal.gateway.tunnel; sys.exit('ngrok' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("token", ["", "github_pat_1"])
def test_webhook_is_registered_if_a_token_is_set(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a token, the command says that the variable is not set."""
    registrations = []

    def register(*arguments: object) -> str:
        registrations.append(arguments)
        return "webhook made"

    monkeypatch.setitem(sys.modules, "ngrok", _FakeSdk())
    monkeypatch.setattr(command, "register_webhook", register)
    monkeypatch.setattr(command, "raise_on_signal", _raise_stopped)
    for name, value in {"HOME": str(tmp_path), "NGROK_AUTHTOKEN": _TOKEN, "GITHUB_TOKEN": token}.items():
        monkeypatch.setenv(f"EPOCHAL_{name}", value)
    watch_repository(tmp_path, "https://github.com/ada/digits.git", ("main",))

    command.tunnel(None)

    output = capsys.readouterr().out
    assert ("EPOCHAL_GITHUB_TOKEN is not set" in output) is not bool(token)
    assert [arguments[:2] for arguments in registrations] == (
        [("https://github.com/ada/digits.git", "https://1a2b.ngrok.app/webhook")] if token else []
    )
    assert [arguments[3] for arguments in registrations] == ([token] if token else [])


@contextmanager
def _raise_stopped() -> Iterator[None]:
    """Raise Stopped at once, like ``raise_on_signal`` after SIGTERM."""
    raise Stopped(signal.SIGTERM)
    yield
