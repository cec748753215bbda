"""Send each message in the outbox at least once, and always with the same Message-ID."""

from epochal.app import App
from epochal.errors import SettingsError
from epochal.messages.mail.smtp import MailError, send
from epochal.records import Log, Message, MessageState
from epochal.settings.environment import read_secret_setting
from epochal.store.outbox import release_message, take_message

OUTBOX_PAUSE_SECONDS = 60.0
"""How long ``epochal serve`` waits between attempts to send email. A mail server may refuse an email temporarily."""


def drain_outbox(app: App, log: Log) -> bool:
    """Try to send each pending message once. Return whether all of them were sent."""
    all_sent = True
    last = 0
    while message := take_message(app.database, last):
        last = message.id
        all_sent = _deliver(app, message, log) and all_sent
    return all_sent


def _deliver(app: App, message: Message, log: Log) -> bool:
    """Try to send a message and store the outcome. Return whether it was sent."""
    recipients = ", ".join(message.recipients)
    mail = app.settings.mail
    try:
        password = read_secret_setting(app.environment.mail_password, mail.password_file, "[mail] password_file")
        refused = send(message.content, message.sender, message.recipients, mail, password)
    except (MailError, SettingsError) as error:
        # A SettingsError means that the password file is unusable; the admin can fix it while the email is pending.
        retry = isinstance(error, SettingsError) or error.temporary
        release_message(app.database, message.id, MessageState.PENDING if retry else MessageState.GIVEN_UP, str(error))
        what = "Epochal will try again" if retry else "to try again, run epochal mail --retry"
        log(f"mail: run {message.run}: not sent to {recipients}: {error} ({what})")
        return False
    outcome = f"sent to {', '.join(each for each in message.recipients if each not in refused)}"
    if refused:
        outcome += f"; the mail server refused {', '.join(f'{each} ({reply})' for each, reply in refused.items())}"
    release_message(app.database, message.id, MessageState.SENT, outcome)
    log(f"mail: run {message.run}: {outcome}")
    return True
