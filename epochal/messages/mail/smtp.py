"""Send an email in one SMTP session (RFC 5321), with the TLS mode and login from server.toml."""

import contextlib
import smtplib
import ssl
from collections.abc import Sequence

from epochal.errors import EpochalError
from epochal.settings import MailSettings


class MailError(EpochalError):
    """An email could not be sent. ``temporary`` says whether a retry may succeed."""

    exit_status = 1

    def __init__(self, text: str, *, temporary: bool) -> None:
        self.temporary = temporary
        super().__init__(text)


def send(
    message: bytes,
    sender: str,
    recipients: Sequence[str],
    settings: MailSettings,
    password: str | None,
    timeout_seconds: float = 30.0,
) -> dict[str, str]:
    """Send ``message`` (RFC 5322 bytes) to ``recipients`` through the mail server in ``settings``.

    Returns the server's reply for each recipient that it refused, if it accepted the email for at least one other
    recipient. Certificates are verified against the system's certificate authorities, or those in the file that
    SSL_CERT_FILE names. The server must send each reply within ``timeout_seconds``.

    Raises MailError. The error is temporary if no server is configured, if the server cannot be reached, or if it
    replies with a 4xx code. It is permanent if the server replies with a 5xx code (to a wrong login, for example), if
    the password is missing, if the user name or password is not ASCII, or if the connection cannot be secured as
    ``settings`` requires.
    """
    if not settings.host:
        raise MailError("no mail server is configured; set [mail] host in server.toml", temporary=True)
    if settings.user and not password:
        remedy = (
            "write it to the file named by password_file under [mail] in server.toml, or set EPOCHAL_MAIL_PASSWORD_FILE"
        )
        raise MailError(f"the password for {settings.user} is missing: {remedy}", temporary=False)
    if settings.user and not f"{settings.user}{password}".isascii():
        # smtplib would raise an error whose text contains the password.
        raise MailError(
            '"user" under [mail] and the password must be ASCII, because the smtplib module can send nothing else',
            temporary=False,
        )
    try:
        with contextlib.closing(_connect(settings, timeout_seconds)) as server:
            if settings.user:
                server.login(settings.user, password or "")
            refused = server.sendmail(sender, list(recipients), message)
            # The server has accepted the email, so an error in QUIT must not cause a retry, which would send it twice.
            with contextlib.suppress(OSError):
                server.quit()
    except (OSError, ValueError) as error:  # ValueError: an address or host name that SMTP cannot send
        raise _explain_failure(error, settings) from None
    return {address: _format_reply(code, text) for address, (code, text) in refused.items()}


def _connect(settings: MailSettings, timeout_seconds: float) -> smtplib.SMTP:
    if settings.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout_seconds, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=timeout_seconds)
    if settings.security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _explain_failure(error: Exception, settings: MailSettings) -> MailError:
    """Turn an error from smtplib, ssl or socket into a MailError that says what failed, where, and what to check."""
    where = f"mail server {settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPResponseException):
        reply = _format_reply(error.smtp_code, error.smtp_error)
        if isinstance(error, smtplib.SMTPAuthenticationError):
            what = (
                f"rejected the login for {settings.user} ({error.smtp_code}): "
                'check the password and "user" under [mail]'
            )
        elif isinstance(error, smtplib.SMTPSenderRefused):
            what = f'refused the sender {error.sender} ({reply}): check "from" under [mail]'
        else:
            what = f"did not accept the email ({reply})"
        return MailError(f"{where} {what}", temporary=_is_temporary(error.smtp_code))
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        temporary = any(_is_temporary(code) for code, _ in error.recipients.values())
        refused = (f"{address} ({_format_reply(code, text)})" for address, (code, text) in error.recipients.items())
        return MailError(f"{where} refused mail for {', '.join(refused)}", temporary=temporary)
    if isinstance(error, ssl.SSLError):
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"has a certificate that is not trusted ({error.verify_message})"
            what = f"{why}: check [mail] host, or set SSL_CERT_FILE to a file with the issuer's certificate"
        else:
            what = f"did not complete the TLS handshake on this port ({error.reason}): check [mail] security and port"
        return MailError(f"{where} {what}", temporary=isinstance(error, ssl.SSLEOFError))
    # smtplib's exceptions are OSErrors, too. Apart from a disconnection, those left here mean that the server lacks a
    # feature, such as STARTTLS or a login method that smtplib supports.
    disconnected = isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)
    if isinstance(error, OSError) and disconnected:
        return MailError(f"{where} cannot be reached ({error}): check [mail] host, port and security", temporary=True)
    return MailError(f"{where} cannot be used ({error}): check [mail] in server.toml", temporary=False)


def _is_temporary(code: int) -> bool:
    """Return True unless the code is 5xx (RFC 5321, 4.2.1). A malformed reply (-1 in smtplib) counts as temporary."""
    return not 500 <= code < 600


def _format_reply(code: int, text: bytes | str) -> str:
    reply = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(reply.split())}"
