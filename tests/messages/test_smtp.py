"""Sending, to real mail servers on loopback."""

import socket
import ssl
import subprocess
import time
import traceback
from pathlib import Path
from typing import Any, Literal

import pytest

from epochal.messages.mail.compose import compose, serialise
from epochal.messages.mail.smtp import MailError, send
from epochal.settings import MailSettings
from tests.messages import reports
from tests.messages.servers import Inbox, knows, mail_server

SENDER = "epochal@example.org"
ADA, EVE = "ada@example.com", "eve@example.com"
PASSWORD = "correct horse"
MESSAGE = serialise(compose(reports.reached(), SENDER, [ADA], "<1.run-7@example.org>"))

Security = Literal["starttls", "tls", "none"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that signed itself, and its key, in one file."""
    file = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-addext", "keyUsage=critical,keyCertSign,digitalSignature"]
    subprocess.run([*command, "-keyout", file, "-out", file.with_suffix(".crt")], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, which this machine trusts while the test goes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    return certificate


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _protection(security: Security, certificate: Path) -> dict[str, Any]:
    """The server's options for a kind of protection."""
    if security == "starttls":
        return {"tls_context": _context(certificate), "require_starttls": True}
    return {"implicit_tls": _context(certificate)} if security == "tls" else {}


def _settings(port: int, security: Security = "none", user: str = "", host: str = "localhost") -> MailSettings:
    return MailSettings(host=host, port=port, security=security, user=user)


def _error(settings: MailSettings, password: str | None = None, recipients: tuple[str, ...] = (ADA,)) -> MailError:
    with pytest.raises(MailError) as raised:
        send(MESSAGE, SENDER, recipients, settings, password, timeout_seconds=5)
    return raised.value


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_the_bytes_arrive(security: Security, trusted: Path) -> None:
    """With each kind of protection the server gets sender, recipients and exactly the bytes that were made."""
    inbox = Inbox()
    with mail_server(inbox, **_protection(security, trusted)) as port:
        assert send(MESSAGE, SENDER, [ADA, EVE], _settings(port, security), None) == ()
    (envelope,) = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos, envelope.content) == (SENDER, [ADA, EVE], MESSAGE)
    assert (inbox.sessions[0].ssl is not None) == (security == "starttls")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_refused(security: Security, certificate: Path) -> None:
    """A server that only says that it is who it is gets neither mail nor login."""
    inbox = Inbox()
    with mail_server(inbox, **_protection(security, certificate)) as port:
        error = _error(_settings(port, security, "ada"), PASSWORD)
    assert f"mail server localhost:{port} shows a certificate that is not trusted (self-signed certificate)" in str(
        error
    )
    assert "SSL_CERT_FILE" in str(error)
    assert not error.temporary
    assert not inbox.envelopes


def test_a_certificate_of_another_host_is_refused(trusted: Path) -> None:
    """A trusted certificate counts for the names in it only."""
    with mail_server(Inbox(), **_protection("tls", trusted)) as port:
        error = _error(_settings(port, "tls", host="127.0.0.1"))
    assert "certificate is not valid for '127.0.0.1'" in str(error)
    assert not error.temporary


def test_a_server_without_starttls_gets_nothing() -> None:
    """Where the settings want protection, no mail goes unprotected instead."""
    inbox = Inbox()
    with mail_server(inbox) as port:
        error = _error(_settings(port, "starttls"))
    assert "STARTTLS extension not supported by server" in str(error)
    assert "check [mail]" in str(error)
    assert not error.temporary
    assert not inbox.envelopes


def test_tls_where_there_is_none() -> None:
    """Implicit TLS set for a port that speaks plainly: the setting to look at is named."""
    with mail_server(Inbox()) as port:
        error = _error(_settings(port, "tls"))
    assert "does not speak TLS there" in str(error)
    assert "check [mail] security and port" in str(error)
    assert not error.temporary


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_login(security: Security, trusted: Path) -> None:
    """The right password opens a server that wants one."""
    inbox = Inbox()
    options = _protection(security, trusted) | {"authenticator": knows("ada", PASSWORD), "auth_required": True}
    with mail_server(inbox, auth_require_tls=False, **options) as port:
        send(MESSAGE, SENDER, [ADA], _settings(port, security, "ada"), PASSWORD)
    assert inbox.envelopes


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("password", ["wrong horse", "pferd mit ü", None])
def test_a_wrong_password(password: str | None) -> None:
    """A login that the server refuses, or that cannot be sent, is told without the password, and not tried again."""
    inbox = Inbox()
    options = {"authenticator": knows("ada", PASSWORD), "auth_required": True, "auth_require_tls": False}
    with mail_server(inbox, **options) as port:
        error = _error(_settings(port, user="ada"), password)
    assert "password" in str(error)
    assert not error.temporary
    told = "".join(traceback.format_exception(error)) + repr(error.__context__)
    assert "horse" not in told
    assert "pferd" not in told
    assert not inbox.envelopes


def test_a_server_without_a_login() -> None:
    """A user is set but the server knows no logins: told so, as a matter of the settings."""
    with mail_server(Inbox()) as port:
        error = _error(_settings(port, user="ada"), PASSWORD)
    assert "SMTP AUTH extension not supported by server" in str(error)
    assert not error.temporary


@pytest.mark.parametrize("code", [421, 451, 550])
@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ("MAIL", f"takes no mail from {SENDER}"),
        (ADA, f"takes no mail for {ADA}"),
        ("DATA", "did not take the mail"),
    ],
)
def test_refusals(refused: str, told: str, code: int) -> None:
    """4xx is worth another try, 5xx is not (RFC 5321, 4.2.1); the server's own words are passed on."""
    with mail_server(Inbox({refused: f"{code} so it is"})) as port:
        error = _error(_settings(port))
    assert str(error).startswith(f"mail server localhost:{port} {told} ({code} so it is)")
    assert error.temporary == (code < 500)


def test_some_recipients_refused() -> None:
    """Where one recipient is taken the mail is sent, and the others are told with the server's answer."""
    inbox = Inbox({EVE: "550 no Eve here"})
    with mail_server(inbox) as port:
        refused = send(MESSAGE, SENDER, [ADA, EVE], _settings(port), None)
    assert refused == (f"{EVE} (550 no Eve here)",)
    assert inbox.envelopes[0].rcpt_tos == [ADA]


def test_all_recipients_refused() -> None:
    """If one of the refusals is temporary the mail is worth another try."""
    with mail_server(Inbox({EVE: "550 no Eve here", ADA: "450 later"})) as port:
        error = _error(_settings(port), recipients=(ADA, EVE))
    assert f"{ADA} (450 later), {EVE} (550 no Eve here)" in str(error)
    assert error.temporary


def test_a_bad_goodbye_is_no_failure() -> None:
    """Once the server has taken the mail nothing makes it count as unsent: it would be sent twice."""
    inbox = Inbox({"QUIT": "421 going down"})
    with mail_server(inbox) as port:
        assert send(MESSAGE, SENDER, [ADA], _settings(port), None) == ()
    assert inbox.envelopes


def test_nobody_answers() -> None:
    """A port where nobody listens: tried again later."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        error = _error(_settings(reserved.getsockname()[1], host="127.0.0.1"))
    assert "cannot be reached ([Errno 111] Connection refused): check [mail] host, port and security" in str(error)
    assert error.temporary


def test_a_server_that_says_nothing() -> None:
    """A server that takes the connection and is silent holds nobody up: tried again later."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailError) as raised:
        settings = _settings(silent.getsockname()[1], host="127.0.0.1")
        before = time.monotonic()
        send(MESSAGE, SENDER, [ADA], settings, None, timeout_seconds=0.2)
    assert time.monotonic() - before < 5
    assert "timed out): check [mail] host, port and security" in str(raised.value)
    assert raised.value.temporary


def test_settings_that_no_server_needs_to_see() -> None:
    """Without a host the setting is named; so is an address that no command can carry."""
    assert "[mail] host in server.toml" in str(_error(_settings(25, host="")))
    with mail_server(Inbox()) as port, pytest.raises(MailError, match="check \\[mail\\]"):
        send(MESSAGE, "épochal@example.org", [ADA], _settings(port), None)
