"""The tunnel: what is told where it cannot be opened, and what ngrok is asked for."""

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
def test_no_authtoken(authtoken: str | None) -> None:
    """One line that says where to get one and where to put it."""
    with pytest.raises(UsageError, match=r"dashboard\.ngrok\.com.*EPOCHAL_NGROK_AUTHTOKEN_FILE") as error:
        open_tunnel("127.0.0.1:8787", authtoken, SECRET, None)
    assert "\n" not in str(error.value)


def test_no_network_or_an_authtoken_that_is_none() -> None:
    """What the real SDK raises becomes one line, without authtoken and secret."""
    with pytest.raises(
        UsageError, match=r"^ngrok gave no address: failed to connect session: .+Check the network"
    ) as error:
        open_tunnel("127.0.0.1:8787", _TOKEN, SECRET, None)
    assert "\n" not in str(error.value)
    assert _TOKEN not in str(error.value)
    assert SECRET.decode() not in str(error.value)


class _Sdk(SimpleNamespace):
    """Stands in for the ngrok SDK where there is an account, which no test has: forward() and disconnect() of its 1.4.0."""

    def forward(self, addr: str, **options: object) -> Any:
        self.asked = {"addr": addr, **options}
        if options["authtoken"] != _TOKEN:
            said = f"authentication failed: it is invalid.\nYour authtoken: {options['authtoken']}\r\n\r\nERR_NGROK_107"
            raise ValueError("failed to connect session", said, "ERR_NGROK_107")
        return SimpleNamespace(url=lambda: "https://1a2b.ngrok.app")

    def disconnect(self, url: str) -> None:
        self.disconnected = url


@pytest.mark.parametrize("domain", [None, "epochal.ngrok.app"])
def test_what_ngrok_is_asked_for(monkeypatch: pytest.MonkeyPatch, domain: str | None) -> None:
    """The gateway's address, with GitHub's verification on and the webhook's secret; close gives the address back."""
    sdk = _Sdk()
    monkeypatch.setitem(sys.modules, "ngrok", sdk)
    tunnel = open_tunnel("127.0.0.1:8787", _TOKEN, SECRET, domain)
    assert sdk.asked.pop("domain", None) == domain
    assert sdk.asked == {
        "addr": "127.0.0.1:8787",
        "authtoken": _TOKEN,
        "verify_webhook_provider": "github",
        "verify_webhook_secret": SECRET.decode(),
    }
    assert tunnel.url == "https://1a2b.ngrok.app"
    tunnel.close()
    assert sdk.disconnected == tunnel.url


def test_a_refused_authtoken_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """ngrok's own message shows it; ours does not."""
    monkeypatch.setitem(sys.modules, "ngrok", _Sdk())
    with pytest.raises(UsageError, match="ERR_NGROK_107") as error:
        open_tunnel("127.0.0.1:8787", "2abcWrong", SECRET, None)
    assert "2abcWrong" not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_sdk_is_loaded_only_when_needed() -> None:
    """It is a large library that no other command waits for."""
    program = "import sys, epochal.gateway.tunnel; sys.exit('ngrok' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("token", ["", "github_pat_1"])
def test_the_webhook_is_registered_if_there_is_a_token(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command has each watched repository's webhook lead to the address, or asks for it to be entered."""
    entered = []

    def register(*given: object) -> str:
        entered.append(given)
        return "webhook made"

    monkeypatch.setitem(sys.modules, "ngrok", _Sdk())
    monkeypatch.setattr(command, "register_webhook", register)
    monkeypatch.setattr(command, "stoppable", _stopped)
    for name, value in {"HOME": str(tmp_path), "NGROK_AUTHTOKEN": _TOKEN, "GITHUB_TOKEN": token}.items():
        monkeypatch.setenv(f"EPOCHAL_{name}", value)
    watch_repository(tmp_path, "https://github.com/ada/digits.git", ("main",))

    command.tunnel(None)

    output = capsys.readouterr().out
    assert ("EPOCHAL_GITHUB_TOKEN is not set" in output) is not bool(token)
    assert [given[:2] for given in entered] == (
        [("https://github.com/ada/digits.git", "https://1a2b.ngrok.app/webhook")] if token else []
    )
    assert [given[3] for given in entered] == ([token] if token else [])


@contextmanager
def _stopped() -> Iterator[None]:
    """As ``stoppable``, after a SIGTERM."""
    raise Stopped(signal.SIGTERM)
    yield
