"""Sending what is in the outbox: at least once, each with the Message-ID that it was stored with."""

from epochal.errors import SettingsError
from epochal.jobs.job import Job
from epochal.messages.mail.smtp import MailError, send
from epochal.runtimes.runtime import Tell
from epochal.settings.environment import read_secret_setting
from epochal.store import Notice, NoticeState


def drain_outbox(job: Job, tell: Tell) -> bool:
    """Try each pending notice once; returns whether none is left that should be tried again."""
    clear = True
    last = 0
    while notice := job.store.take_notice(last):
        last = notice.id
        clear = _deliver(job, notice, tell) and clear
    return clear


def _deliver(job: Job, notice: Notice, tell: Tell) -> bool:
    to = ", ".join(notice.recipients)
    mail = job.settings.mail
    try:
        password = read_secret_setting(job.environment.mail_password, mail.password_file, "[mail] password_file")
        refused = send(notice.message, notice.sender, notice.recipients, mail, password)
    except MailError as error:
        return _put_off(job, notice, tell, str(error), again=error.temporary)
    except SettingsError as error:  # the password's file: it can be mended while the mail waits
        return _put_off(job, notice, tell, str(error), again=True)
    told = f"sent to {to}" + (f", but refused for {', '.join(refused)}" if refused else "")
    job.store.settle_notice(notice.id, NoticeState.SENT, told)
    tell(f"mail: run {notice.run}: {told}")
    return True


def _put_off(job: Job, notice: Notice, tell: Tell, why: str, *, again: bool) -> bool:
    job.store.settle_notice(notice.id, NoticeState.PENDING if again else NoticeState.GIVEN_UP, why)
    what = "it is tried again" if again else "it is not tried again; epochal mail --retry does"
    tell(f"mail: run {notice.run} to {', '.join(notice.recipients)}: {why} ({what})")
    return not again
