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

    Returns the recipients that it refused, each with its answer, if it took the mail for others; it is sent then.
    Certificates are checked against the system's authorities, or those in the file that SSL_CERT_FILE names.
    Each of the server's answers may take ``timeout_seconds``.

    Raises MailError: temporary if no server is set, if it cannot be reached, or answers 4xx; for good if it answers 5xx,
    if the login is wrong, or if the connection cannot be protected as the settings say.
    """
    if not settings.host:
        raise MailError("no mail server is set: [mail] host in server.toml", temporary=True)
    if settings.user and not password:
        remedy = (
            "put it into the file that [mail] password_file in server.toml names, or set EPOCHAL_MAIL_PASSWORD_FILE"
        )
        raise MailError(f"there is no password for {settings.user}: {remedy}", temporary=False)
    if settings.user and not f"{settings.user}{password}".isascii():
        # smtplib would raise an error that carries the password
        raise MailError("[mail] user and its password must be ASCII: Python's smtplib sends no other", temporary=False)
    try:
        with contextlib.closing(_connect(settings, timeout_seconds)) as server:
            if settings.user:
                server.login(settings.user, password or "")
            refused = server.sendmail(sender, list(recipients), message)
            # The server has the mail from here on: whatever QUIT comes to, sending it again would double it.
            with contextlib.suppress(OSError):
                server.quit()
    except (OSError, ValueError) as error:  # ValueError: an address or a host's name that no command can carry
        raise _explain_failure(error, settings) from None
    return tuple(_refusals(refused))


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
    """Return what smtplib, ssl or socket raised, as one line that says what, where, and what to look at."""
    where = f"mail server {settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPResponseException):
        answer = _answer(error.smtp_code, error.smtp_error)
        if isinstance(error, smtplib.SMTPAuthenticationError):
            what = f"refused the login of {settings.user} ({error.smtp_code}): check [mail] user and its password"
        elif isinstance(error, smtplib.SMTPSenderRefused):
            what = f"takes no mail from {error.sender} ({answer}): check [mail] from"
        else:
            what = f"did not take the mail ({answer})"
        return MailError(f"{where} {what}", temporary=_is_temporary(error.smtp_code))
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        temporary = any(_is_temporary(code) for code, _ in error.recipients.values())
        return MailError(f"{where} takes no mail for {', '.join(_refusals(error.recipients))}", temporary=temporary)
    if isinstance(error, ssl.SSLError):
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"shows a certificate that is not trusted ({error.verify_message})"
            what = f"{why}: check [mail] host, or name its authority's file in SSL_CERT_FILE"
        else:
            what = f"does not speak TLS there ({error.reason}): check [mail] security and port"
        return MailError(f"{where} {what}", temporary=isinstance(error, ssl.SSLEOFError))
    # Every exception of smtplib is an OSError too; those that are left say what the server does not offer.
    disconnected = isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)
    if isinstance(error, OSError) and disconnected:
        return MailError(f"{where} cannot be reached ({error}): check [mail] host, port and security", temporary=True)
    return MailError(f"{where} cannot be used ({error}): check [mail] in server.toml", temporary=False)


def _is_temporary(code: int) -> bool:
    """Return whether an answer means "later" (RFC 5321, 4.2.1); what is no answer at all (smtplib's -1) may be one later."""
    return not 500 <= code < 600


def _refusals(refused: dict[str, tuple[int, bytes]]) -> list[str]:
    return [f"{address} ({_answer(code, text)})" for address, (code, text) in refused.items()]


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"
