"""Sending what is in the outbox: at least once, each with the Message-ID that it was stored with."""

from epochal.app import App
from epochal.errors import SettingsError
from epochal.messages.mail.smtp import MailError, send
from epochal.records import Log, Message, MessageState
from epochal.settings.environment import read_secret_setting
from epochal.store.outbox import settle_message, take_message


def drain_outbox(app: App, log: Log) -> bool:
    """Try each pending notice once; returns whether none is left that should be tried again."""
    clear = True
    last = 0
    while notice := take_message(app.database, last):
        last = notice.id
        clear = _deliver(app, notice, log) and clear
    return clear


def _deliver(app: App, notice: Message, log: Log) -> bool:
    to = ", ".join(notice.recipients)
    mail = app.settings.mail
    try:
        password = read_secret_setting(app.environment.mail_password, mail.password_file, "[mail] password_file")
        refused = send(notice.content, notice.sender, notice.recipients, mail, password)
    except MailError as error:
        return _put_off(app, notice, log, str(error), again=error.temporary)
    except SettingsError as error:  # the password's file: it can be mended while the mail waits
        return _put_off(app, notice, log, str(error), again=True)
    told = f"sent to {to}" + (f", but refused for {', '.join(refused)}" if refused else "")
    settle_message(app.database, notice.id, MessageState.SENT, told)
    log(f"mail: run {notice.run}: {told}")
    return True


def _put_off(app: App, notice: Message, log: Log, why: str, *, again: bool) -> bool:
    settle_message(app.database, notice.id, MessageState.PENDING if again else MessageState.GIVEN_UP, why)
    what = "it is tried again" if again else "it is not tried again; epochal mail --retry does"
    log(f"mail: run {notice.run} to {', '.join(notice.recipients)}: {why} ({what})")
    return not again
