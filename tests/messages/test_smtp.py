"""Sending mail to real servers on loopback."""

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
from tests.messages.servers import Inbox, mail_server, make_authenticator

SENDER = "epochal@example.org"
ADA, EVE = "ada@example.com", "eve@example.com"
PASSWORD = "correct horse"
MESSAGE = serialise(compose(reports.reached(), SENDER, [ADA], "<1.run-7@example.org>"))

Security = Literal["starttls", "tls", "none"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate for localhost, with its key in the same file."""
    file = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-addext", "keyUsage=critical,keyCertSign,digitalSignature"]
    subprocess.run([*command, "-keyout", file, "-out", file.with_suffix(".crt")], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the certificate, which is trusted during the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    return certificate


def _make_tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _make_server_options(security: Security, certificate: Path) -> dict[str, Any]:
    """Return the options of a server with this kind of security."""
    if security == "starttls":
        return {"tls_context": _make_tls_context(certificate), "require_starttls": True}
    return {"implicit_tls": _make_tls_context(certificate)} if security == "tls" else {}


def _make_settings(port: int, security: Security = "none", user: str = "", host: str = "localhost") -> MailSettings:
    return MailSettings(host=host, port=port, security=security, user=user)


def _catch_error(
    settings: MailSettings, password: str | None = None, recipients: tuple[str, ...] = (ADA,)
) -> MailError:
    with pytest.raises(MailError) as raised:
        send(MESSAGE, SENDER, recipients, settings, password, timeout_seconds=5)
    return raised.value


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mail_arrives_unchanged(security: Security, trusted: Path) -> None:
    """With each kind of security, the server gets the sender, the recipients and exactly the bytes that were sent."""
    inbox = Inbox()
    with mail_server(inbox, **_make_server_options(security, trusted)) as port:
        assert send(MESSAGE, SENDER, [ADA, EVE], _make_settings(port, security), None) == {}
    (envelope,) = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos, envelope.content) == (SENDER, [ADA, EVE], MESSAGE)
    assert (inbox.sessions[0].ssl is not None) == (security == "starttls")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_untrusted_certificate_is_refused(security: Security, certificate: Path) -> None:
    """Anybody could claim to be the mail server. The error names the variable for trusting a certificate."""
    inbox = Inbox()
    with mail_server(inbox, **_make_server_options(security, certificate)) as port:
        error = _catch_error(_make_settings(port, security, "ada"), PASSWORD)
    assert f"mail server localhost:{port} has a certificate that is not trusted (self-signed certificate)" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert not error.temporary
    assert not inbox.envelopes


def test_certificate_of_another_host_is_refused(trusted: Path) -> None:
    """A trusted certificate is valid only for the host names in it."""
    with mail_server(Inbox(), **_make_server_options("tls", trusted)) as port:
        error = _catch_error(_make_settings(port, "tls", host="127.0.0.1"))
    assert "certificate is not valid for '127.0.0.1'" in str(error)
    assert not error.temporary


def test_server_without_starttls_gets_no_mail() -> None:
    """If the settings ask for encryption, mail is never sent without it."""
    inbox = Inbox()
    with mail_server(inbox) as port:
        error = _catch_error(_make_settings(port, "starttls"))
    assert "STARTTLS extension not supported by server" in str(error)
    assert "check [mail]" in str(error)
    assert not error.temporary
    assert not inbox.envelopes


def test_tls_to_a_port_without_tls_is_reported() -> None:
    """The error names the settings to check."""
    with mail_server(Inbox()) as port:
        error = _catch_error(_make_settings(port, "tls"))
    assert "did not complete the TLS handshake on this port" in str(error)
    assert "check [mail] security and port" in str(error)
    assert not error.temporary


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_right_password_logs_in(security: Security, trusted: Path) -> None:
    """The server accepts mail only after a login."""
    inbox = Inbox()
    options = _make_server_options(security, trusted) | {
        "authenticator": make_authenticator("ada", PASSWORD),
        "auth_required": True,
    }
    with mail_server(inbox, auth_require_tls=False, **options) as port:
        send(MESSAGE, SENDER, [ADA], _make_settings(port, security, "ada"), PASSWORD)
    assert inbox.envelopes


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("password", ["wrong horse", "pferd mit ü", None])
def test_failed_login_is_not_retried(password: str | None) -> None:
    """Neither the error nor its traceback contains the password, whether it is wrong, cannot be sent, or is missing."""
    inbox = Inbox()
    options = {"authenticator": make_authenticator("ada", PASSWORD), "auth_required": True, "auth_require_tls": False}
    with mail_server(inbox, **options) as port:
        error = _catch_error(_make_settings(port, user="ada"), password)
    assert "password" in str(error)
    assert not error.temporary
    output = "".join(traceback.format_exception(error)) + repr(error.__context__)
    assert "horse" not in output
    assert "pferd" not in output
    assert not inbox.envelopes


def test_server_without_logins_is_not_retried() -> None:
    """The settings name a user, but the server does not support logins."""
    with mail_server(Inbox()) as port:
        error = _catch_error(_make_settings(port, user="ada"), PASSWORD)
    assert "SMTP AUTH extension not supported by server" in str(error)
    assert not error.temporary


@pytest.mark.parametrize("code", [421, 451, 550])
@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ("MAIL", f"refused the sender {SENDER}"),
        (ADA, f"refused mail for {ADA}"),
        ("DATA", "did not accept the email"),
    ],
)
def test_refusal_is_temporary_if_the_code_is_4xx(refused: str, expected: str, code: int) -> None:
    """A 5xx code is permanent (RFC 5321, 4.2.1). The error contains the server's answer."""
    with mail_server(Inbox({refused: f"{code} so it is"})) as port:
        error = _catch_error(_make_settings(port))
    assert str(error).startswith(f"mail server localhost:{port} {expected} ({code} so it is)")
    assert error.temporary == (code < 500)


def test_refused_recipients_are_returned() -> None:
    """The email is sent to the others. Each refused address is returned with the server's answer."""
    inbox = Inbox({EVE: "550 no Eve here"})
    with mail_server(inbox) as port:
        refused = send(MESSAGE, SENDER, [ADA, EVE], _make_settings(port), None)
    assert refused == {EVE: "550 no Eve here"}
    assert inbox.envelopes[0].rcpt_tos == [ADA]


def test_error_is_temporary_if_one_of_all_refusals_is() -> None:
    """If every recipient is refused, the email has not been sent to anybody and can be sent again."""
    with mail_server(Inbox({EVE: "550 no Eve here", ADA: "450 later"})) as port:
        error = _catch_error(_make_settings(port), recipients=(ADA, EVE))
    assert f"{ADA} (450 later), {EVE} (550 no Eve here)" in str(error)
    assert error.temporary


def test_failure_after_the_mail_is_ignored() -> None:
    """The server has accepted the email, so an error would make the outbox send it twice."""
    inbox = Inbox({"QUIT": "421 going down"})
    with mail_server(inbox) as port:
        assert send(MESSAGE, SENDER, [ADA], _make_settings(port), None) == {}
    assert inbox.envelopes


def test_refused_connection_is_temporary() -> None:
    """The error names the settings to check."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        error = _catch_error(_make_settings(reserved.getsockname()[1], host="127.0.0.1"))
    assert "cannot be reached ([Errno 111] Connection refused): check [mail] host, port and security" in str(error)
    assert error.temporary


def test_silent_server_times_out() -> None:
    """A server that accepts the connection but sends nothing must not block the job; the email is retried later."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailError) as raised:
        settings = _make_settings(silent.getsockname()[1], host="127.0.0.1")
        before = time.monotonic()
        send(MESSAGE, SENDER, [ADA], settings, None, timeout_seconds=0.2)
    assert time.monotonic() - before < 5
    assert "timed out): check [mail] host, port and security" in str(raised.value)
    assert raised.value.temporary


def test_unusable_settings_are_named() -> None:
    """Either the host is missing, or SMTP cannot transmit the sender's address."""
    assert "[mail] host in server.toml" in str(_catch_error(_make_settings(25, host="")))
    with mail_server(Inbox()) as port, pytest.raises(MailError, match="check \\[mail\\]"):
        send(MESSAGE, "épochal@example.org", [ADA], _make_settings(port), None)
