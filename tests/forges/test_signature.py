"""GitHub's webhook signature: the documented example, wrong signatures, short secrets, and arbitrary headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingsError
from epochal.forges.github import check_secret, sign, verify

# The example from "Validating webhook deliveries" in GitHub's documentation.
_SECRET = b"It's a Secret to Everybody"
_BODY = b"Hello, World!"
_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_documented_example() -> None:
    """The signature is the one in GitHub's documentation, and it is accepted."""
    assert sign(_SECRET, _BODY) == _SIGNATURE
    assert verify(_SECRET, _BODY, _SIGNATURE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        _SIGNATURE.removeprefix("sha256="),
        _SIGNATURE.replace("sha256=", "sha1="),
        _SIGNATURE[:-1],
        _SIGNATURE[:-1] + "8",
        _SIGNATURE + "0",
        _SIGNATURE + "\n",
        " " + _SIGNATURE,
        sign(_SECRET + b"!", _BODY),
        sign(_SECRET, _BODY + b"\n"),
    ],
)
def test_wrong_signature_is_refused(header: str | None) -> None:
    """A signature may be missing, shortened or lengthened, or made for another secret or body."""
    assert not verify(_SECRET, _BODY, header)


@pytest.mark.parametrize("secret", [b"", b" ", b"fifteen bytes!!"])
def test_short_secret_is_refused(secret: bytes) -> None:
    """The server does not start with a short secret, nor sign or verify with it, and the message does not show it."""
    for use in (lambda: check_secret(secret), lambda: sign(secret, _BODY), lambda: verify(secret, _BODY, _SIGNATURE)):
        with pytest.raises(SettingsError) as error:
            use()
        assert "16" in str(error.value)
        assert repr(secret)[1:] not in str(error.value)


@given(st.binary(min_size=16), st.binary(), st.text())
def test_any_header_is_accepted_or_refused(secret: bytes, body: bytes, header: str) -> None:
    """No header raises an exception, and the correct signature is always accepted."""
    assert verify(secret, body, header) == (header == sign(secret, body))
    assert verify(secret, body, sign(secret, body))
