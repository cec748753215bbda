"""Sending a mail: one conversation with the mail server (RFC 5321), protected as the settings say."""

import smtplib
import ssl
from collections.abc import Sequence

from epochal.errors import EpochalError
from epochal.settings import MailSettings

_TIMEOUT_SECONDS = 30.0


class MailError(EpochalError):
    """The mail could not be sent; ``temporary`` says whether it is worth trying again."""

    exit_status = 1

    def __init__(self, text: str, *, temporary: bool) -> None:
        self.temporary = temporary
        super().__init__(text)


def send(
    message: bytes, sender: str, recipients: Sequence[str], settings: MailSettings, password: str | None
) -> tuple[str, ...]:
    """Hand ``message`` (RFC 5322 bytes) to the mail server for ``recipients``; returns those that it refused.

    Raises MailError: temporary where the server does not answer or answers 4xx; for good where it answers 5xx, where the
    login is wrong, or where its certificate is not trusted.
    """
    where = f"mail server {settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user:
                server.login(settings.user, password or "")
            refused = server.sendmail(sender, list(recipients), message)
    except smtplib.SMTPAuthenticationError as error:
        told = f"{where} refused the login of {settings.user} ({error.smtp_code}): check [mail] user and its password"
        raise MailError(told, temporary=400 <= error.smtp_code < 500) from None
    except smtplib.SMTPNotSupportedError:
        what = "starttls" if settings.security == "starttls" else "a login"
        raise MailError(f"{where} does not offer {what}: check [mail] security and port", temporary=False) from None
    except smtplib.SMTPRecipientsRefused as error:
        answers = ", ".join(f"{address}: {_answer(*answer)}" for address, answer in error.recipients.items())
        temporary = any(400 <= code < 500 for code, _ in error.recipients.values())
        raise MailError(f"{where} takes no mail for {answers}", temporary=temporary) from None
    except smtplib.SMTPResponseException as error:
        told = f"{where} answered {_answer(error.smtp_code, error.smtp_error)}"
        raise MailError(told, temporary=not 500 <= error.smtp_code < 600) from None
    except ssl.SSLCertVerificationError as error:
        raise MailError(f"{where} showed a certificate that is not trusted: {error.verify_message}", temporary=False) from None
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(f"{where} cannot be reached: {error}", temporary=True) from None
    return tuple(refused)


def _connected(settings: MailSettings) -> smtplib.SMTP:
    if settings.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=_TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT_SECONDS)
    if settings.security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"
