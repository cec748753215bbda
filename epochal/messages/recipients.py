"""Choose who gets the email: the addresses in server.toml or, if there are none, the commit's author.

The author's address must be in an allowed domain.
"""

import re
from dataclasses import dataclass

from epochal.records import Commit
from epochal.settings import MailSettings

# A bare address (RFC 5321, 4.1.2) without the forms that are legal but risky: quoted strings and comments, "%" and "!"
# (some servers still read them as a route to another host), and "=?" (it starts an encoded word). Other addresses get
# no mail and are reported.
_ATOM = r"[A-Za-z0-9_+=~&'#*/^{|}$`-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@.{{1,253}}\Z){_ATOM}(?:\.{_ATOM})*@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")
_NOREPLY = re.compile(r"^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply)[+@]|@users\.noreply\.", re.IGNORECASE)


@dataclass(frozen=True)
class Recipients:
    """The addresses to send the email to; may be empty.

    ``problem``: who gets no mail, and which setting to change; empty if nobody was left out.
    """

    addresses: tuple[str, ...]
    problem: str = ""


def choose_recipients(mail: MailSettings, commit: Commit) -> Recipients:
    """Return the recipients of the email about a run of ``commit``.

    The recipients are the valid addresses in ``mail.to`` or, if ``mail.to`` is empty, the author of the commit, unless
    the author's address is malformed, is a noreply address, or has a domain that is not in ``mail.allowed_domains``.
    Each address is ASCII and has no display name.
    """
    if mail.to:
        refused = ", ".join(ascii(address) for address in mail.to if not _ADDRESS.fullmatch(address))
        problem = (
            f'"to" under [mail] in server.toml must list only bare addresses, but contains {refused}' if refused else ""
        )
        return Recipients(tuple(address for address in mail.to if _ADDRESS.fullmatch(address)), problem)
    address = commit.author_email
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return Recipients((), 'the author of the commit has no valid address; set "to" under [mail] in server.toml')
    if _NOREPLY.search(address):
        return Recipients((), f'{address} is a noreply address; set "to" under [mail] in server.toml')
    domain = found["domain"].lower()
    if not {"*", domain} & {allowed.lower() for allowed in mail.allowed_domains}:
        return Recipients(
            (), f"{domain} is not in allowed_domains under [mail] in server.toml, so {address} gets no mail"
        )
    return Recipients((address,))
