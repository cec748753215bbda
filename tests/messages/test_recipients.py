"""Who gets the email about a run."""

from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.messages.recipients import Recipients, choose_recipients
from epochal.records import Commit
from epochal.settings import MailSettings


def _choose(address: str, *, domains: tuple[str, ...] = ("example.com",), to: tuple[str, ...] = ()) -> Recipients:
    commit = Commit("/srv/digits.git", "main", "a" * 40, author_email=address)
    return choose_recipients(MailSettings(to=to, allowed_domains=domains), commit)


def test_configured_recipients_replace_the_author() -> None:
    """The recipients that the admin lists get the email about every run."""
    assert _choose("ada@example.com", to=("team@example.org", "boss@example.org")) == Recipients(
        ("team@example.org", "boss@example.org")
    )


@pytest.mark.parametrize("domains", [("example.com",), ("EXAMPLE.com",), ("other.org", "example.com"), ("*",)])
def test_author_in_an_allowed_domain_is_mailed(domains: tuple[str, ...]) -> None:
    """Domains are compared without regard to case."""
    assert _choose("Ada.Lovelace+git@Example.COM", domains=domains) == Recipients(("Ada.Lovelace+git@Example.COM",))


@pytest.mark.parametrize("domains", [(), ("example.org",), ("ample.com",), ("com",), ("mail.example.com",)])
def test_other_domains_are_not_mailed(domains: tuple[str, ...]) -> None:
    """Parent domains and subdomains of an allowed domain do not count. The message names the setting to change."""
    recipients = _choose("ada@example.com", domains=domains)
    assert recipients.addresses == ()
    assert (
        recipients.problem
        == "example.com is not in allowed_domains under [mail] in server.toml, so ada@example.com gets no mail"
    )


@pytest.mark.parametrize(
    "address",
    [
        "49699333+ada@users.noreply.github.com",
        "ada@users.noreply.github.com",
        "noreply@github.com",
        "No-Reply@example.com",
        "do-not-reply+7@example.com",
    ],
)
def test_address_that_takes_no_mail_is_not_mailed(address: str) -> None:
    """GitHub hides real addresses behind noreply ones, which get no email even if every domain is allowed."""
    assert _choose(address, domains=("*",)) == Recipients(
        (), f'{address} is a noreply address; set "to" under [mail] in server.toml'
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "ada@example.com eve@example.com",
        "Ada <ada@example.com>",
        '"ada eve"@example.com',
        "ada@eve.net@example.com",
        "ada%eve.net@example.com",
        "eve.net!ada@example.com",
        "=?utf-8?q?eve=40eve.net=2C?=@example.com",
        "ada..lovelace@example.com",
        "ada@example..com",
        "ada@-example.com",
        "ada@[127.0.0.1]",
        "ädä@example.com",
        "ada\x00@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a." * 127 + "com",
    ],
)
def test_malformed_addresses_are_refused(address: str) -> None:
    """Only a single plain address is mailed, whether it comes from a commit or from the admin."""
    author = _choose(address, domains=("*",))
    assert author == Recipients(
        (), 'the author of the commit has no valid address; set "to" under [mail] in server.toml'
    )
    listed = _choose("ada@example.com", to=("team@example.org", address))
    assert listed.addresses == ("team@example.org",)
    assert listed.problem == f'"to" under [mail] in server.toml must list only bare addresses, but contains {address!a}'


@given(
    st.one_of(
        st.text(st.characters()),
        st.from_regex(r"[a-z.+']{1,9}@[a-z.-]{1,9}"),
        st.text("a@.,;:<>()\"'=?\\%!\r\n \x00-+", max_size=12),
    )
)
def test_no_author_adds_a_recipient(address: str) -> None:
    """Whatever a commit gives as its author's address, the email goes to at most this one address."""
    for recipient in _choose(address, domains=("*",)).addresses:
        assert getaddresses([recipient]) == [("", recipient)]
        assert recipient.isascii()
        assert recipient.isprintable()
        assert recipient.count("@") == 1
