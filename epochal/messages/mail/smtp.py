"""Sending a mail: one conversation with the mail server (RFC 5321), protected as the settings say."""

import contextlib
import smtplib
import ssl
from collections.abc import Sequence

from epochal.errors import EpochalError
from epochal.settings import MailSettings


class MailError(EpochalError):
    """The mail could not be sent; ``temporary`` says whether it is worth trying again."""

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
) -> tuple[str, ...]:
    """Hand ``message`` (RFC 5322 bytes) to the mail server for ``recipients``.

    Returns the recipients that it refused, each with its answer, where it took the mail for others; it is sent then.
    Certificates are checked against the system's authorities, or those in the file that SSL_CERT_FILE names.
    Each of the server's answers may take ``timeout_seconds``.

    Raises MailError: temporary where the server cannot be reached or answers 4xx; for good where it answers 5xx, where
    the login is wrong, or where the connection cannot be protected as the settings say.
    """
    _check(settings, password)
    try:
        with contextlib.closing(_connect(settings, timeout_seconds)) as server:
            if settings.user:
                server.login(settings.user, password or "")
            refused = server.sendmail(sender, list(recipients), message)
            # The server has the mail from here on: whatever QUIT comes to, sending it again would double it.
            with contextlib.suppress(OSError):
                server.quit()
    except (OSError, ValueError) as error:  # ValueError: an address or a host's name that no command can carry
        raise _failure(error, settings) from None
    return tuple(_refusals(refused))


def _check(settings: MailSettings, password: str | None) -> None:
    """Raise MailError for what needs no server to be seen."""
    if not settings.host:
        raise MailError("no mail server is set: [mail] host in server.toml", temporary=True)
    if not settings.user:
        return
    remedy = "put it into the file that [mail] password_file in server.toml names, or set EPOCHAL_MAIL_PASSWORD_FILE"
    if not password:
        raise MailError(f"there is no password for {settings.user}: {remedy}", temporary=False)
    if not f"{settings.user}{password}".isascii():  # smtplib would raise an error that carries the password
        raise MailError("[mail] user and its password must be ASCII: Python's smtplib sends no other", temporary=False)


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


def _failure(error: Exception, settings: MailSettings) -> MailError:
    """What smtplib, ssl or socket raised, as one line that says what, where, and what to look at."""
    where = f"mail server {settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPResponseException):
        return MailError(f"{where} {_answered(error, settings)}", temporary=_is_temporary(error.smtp_code))
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        temporary = any(_is_temporary(code) for code, _ in error.recipients.values())
        return MailError(f"{where} takes no mail for {', '.join(_refusals(error.recipients))}", temporary=temporary)
    if isinstance(error, ssl.SSLError):
        return MailError(f"{where} {_unprotected(error)}", temporary=isinstance(error, ssl.SSLEOFError))
    # Every exception of smtplib is an OSError too; those that are left say what the server does not offer.
    disconnected = isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)
    if isinstance(error, OSError) and disconnected:
        return MailError(f"{where} cannot be reached ({error}): check [mail] host, port and security", temporary=True)
    return MailError(f"{where} cannot be used ({error}): check [mail] in server.toml", temporary=False)


def _answered(error: smtplib.SMTPResponseException, settings: MailSettings) -> str:
    answer = _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"refused the login of {settings.user} ({error.smtp_code}): check [mail] user and its password"
    if isinstance(error, smtplib.SMTPSenderRefused):
        return f"takes no mail from {error.sender} ({answer}): check [mail] from"
    return f"did not take the mail ({answer})"


def _unprotected(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"shows a certificate that is not trusted ({error.verify_message})"
        return f"{why}: check [mail] host, or name its authority's file in SSL_CERT_FILE"
    return f"does not speak TLS there ({error.reason}): check [mail] security and port"


def _is_temporary(code: int) -> bool:
    """Whether an answer means "later" (RFC 5321, 4.2.1); what is no answer at all (smtplib's -1) may be one later."""
    return not 500 <= code < 600


def _refusals(refused: dict[str, tuple[int, bytes]]) -> list[str]:
    return [f"{address} ({_answer(code, text)})" for address, (code, text) in refused.items()]


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"
