"""Who is told: the addresses of the server's settings, else the commit's author where the admin allows the domain."""

import re
from dataclasses import dataclass

from epochal.records import Commit
from epochal.settings import MailSettings

# What RFC 5321 allows without quotes, one address only; anything odder is told, not mailed.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)")
_NOREPLY = re.compile(r"^(?:no-?reply|do-?not-?reply)[+@]|@users\.noreply\.", re.IGNORECASE)


@dataclass(frozen=True)
class Recipients:
    """The addresses, or none, and then why and which setting mends it."""

    addresses: tuple[str, ...]
    why: str = ""


def choose_recipients(mail: MailSettings, commit: Commit) -> Recipients:
    """Who gets the mail about a run of ``commit``."""
    if mail.to:
        return Recipients(mail.to)
    address = commit.author_email
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return Recipients((), "the commit's author has no usable address; set [mail] to in server.toml")
    if _NOREPLY.search(address):
        return Recipients((), f"{address} takes no mail; set [mail] to in server.toml")
    allowed = {domain.lower() for domain in mail.allowed_domains}
    if "*" not in allowed and found["domain"].lower() not in allowed:
        domain = found["domain"]
        return Recipients((), f"{domain} is not in [mail] allowed_domains in server.toml, so {address} is not mailed")
    return Recipients((address,))
