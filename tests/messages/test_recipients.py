"""Who is told."""

from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.messages.recipients import Recipients, choose_recipients
from epochal.records import Commit
from epochal.settings import MailSettings
from tests.messages.reports import unhurried


def _choose(address: str, *, domains: tuple[str, ...] = ("example.com",), to: tuple[str, ...] = ()) -> Recipients:
    commit = Commit("/srv/digits.git", "main", "a" * 40, author_email=address)
    return choose_recipients(MailSettings(to=to, allowed_domains=domains), commit)


def test_the_settings_come_first() -> None:
    """Whom the admin names is told of every run; the author then is not."""
    assert _choose("ada@example.com", to=("team@example.org", "boss@example.org")) == Recipients(
        ("team@example.org", "boss@example.org")
    )


@pytest.mark.parametrize("domains", [("example.com",), ("EXAMPLE.com",), ("other.org", "example.com"), ("*",)])
def test_the_author_in_an_allowed_domain(domains: tuple[str, ...]) -> None:
    """Without such settings the author is told, in whatever case the domain is written."""
    assert _choose("Ada.Lovelace+git@Example.COM", domains=domains) == Recipients(("Ada.Lovelace+git@Example.COM",))


@pytest.mark.parametrize("domains", [(), ("example.org",), ("ample.com",), ("com",), ("mail.example.com",)])
def test_other_domains_are_not_mailed(domains: tuple[str, ...]) -> None:
    """Only the very domain counts, none above or below it, and the setting that mends it is named."""
    recipients = _choose("ada@example.com", domains=domains)
    assert recipients.addresses == ()
    assert (
        recipients.why
        == "example.com is not in [mail] allowed_domains in server.toml, so ada@example.com is not mailed"
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
def test_an_address_that_takes_no_mail_is_told(address: str) -> None:
    """GitHub's stand-ins for hidden addresses are not mailed, whatever domains are allowed."""
    assert _choose(address, domains=("*",)) == Recipients((), f"{address} takes no mail; set [mail] to in server.toml")


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
def test_odd_addresses_are_refused(address: str) -> None:
    """What is not one plain address is not mailed, be it the author's or the admin's."""
    author = _choose(address, domains=("*",))
    assert author == Recipients((), "the commit's author has no usable address; set [mail] to in server.toml")
    listed = _choose("ada@example.com", to=("team@example.org", address))
    assert listed.addresses == ("team@example.org",)
    assert listed.why == f"[mail] to in server.toml wants one bare address in each entry, unlike {address!a}"


@unhurried
@given(
    st.one_of(
        st.text(st.characters()),
        st.from_regex(r"[a-z.+']{1,9}@[a-z.-]{1,9}"),
        st.text("a@.,;:<>()\"'=?\\%!\r\n \x00-+", max_size=12),
    )
)
def test_who_is_mailed_is_one_address(address: str) -> None:
    """Whatever a commit gives as its author's address, no more than that one recipient comes of it."""
    for mailed in _choose(address, domains=("*",)).addresses:
        assert getaddresses([mailed]) == [("", mailed)]
        assert mailed.isascii()
        assert mailed.isprintable()
        assert mailed.count("@") == 1
