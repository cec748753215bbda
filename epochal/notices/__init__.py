"""Who is told of a run's end, and how: by mail."""

from epochal.notices.message import Report, compose, serialise
from epochal.notices.recipients import Recipients, choose_recipients
from epochal.notices.smtp import MailError, send

__all__ = ["MailError", "Recipients", "Report", "choose_recipients", "compose", "send", "serialise"]
