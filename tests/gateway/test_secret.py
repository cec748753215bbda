"""The webhook's secret: made once and for its owner only, and refused where it protects nothing."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from epochal.errors import SettingsError
from epochal.gateway.secret import webhook_secret


def _file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_first_start_makes_it(tmp_path: Path) -> None:
    """32 random bytes in hex, readable by the owner alone whatever the umask; the next start reads the same."""
    before = os.umask(0)
    try:
        secret, made = webhook_secret(tmp_path / "home", "", None)
    finally:
        os.umask(before)
    path = tmp_path / "home" / "webhook-secret"
    assert made
    assert len(bytes.fromhex(secret.decode())) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert webhook_secret(tmp_path / "home", "", None) == (secret, False)
    assert list(path.parent.iterdir()) == [path], "nothing temporary is left"
    assert webhook_secret(tmp_path / "other", "", None)[0] != secret


def test_two_first_starts_agree(tmp_path: Path) -> None:
    """Of several at once one makes it, and all read the same."""
    together = Barrier(8)

    def start(number: int) -> tuple[bytes, bool]:
        together.wait(timeout=20)
        return webhook_secret(tmp_path / str(number // 8), "", None)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(start, range(8 * 20)))
    assert len({secret for secret, _ in found}) == 20
    assert sum(made for _, made in found) == 20


def test_environment_before_configured_file_before_home(tmp_path: Path) -> None:
    """The line's end of a file is no part of the secret, and none is made where one is given."""
    configured = str(_file(tmp_path / "secret", b"configured-secret\r\n", 0o640))
    assert webhook_secret(tmp_path, configured, "from-the-environment") == (b"from-the-environment", False)
    assert webhook_secret(tmp_path, configured, None) == (b"configured-secret", False)
    assert not (tmp_path / "webhook-secret").exists()


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (b"", 0o600, "0 bytes"),
        (b"\n\n", 0o600, "0 bytes"),
        (b"fifteen bytes!!\n", 0o600, "openssl rand -hex 32"),
        (b"\xff\xfe" * 16, 0o600, "no text"),
        (b"a secret that is long enough", 0o604, "chmod 600"),
        (b"a secret that is long enough", 0o602, "chmod 600"),
    ],
)
def test_a_file_that_protects_nothing_is_refused(tmp_path: Path, content: bytes, mode: int, complaint: str) -> None:
    """The message names the file and how to mend it, and does not show what is in it."""
    path = _file(tmp_path / "webhook-secret", content, mode)
    for configured in ("", str(path)):
        with pytest.raises(SettingsError) as error:
            webhook_secret(tmp_path, configured, None)
        assert str(path) in str(error.value)
        assert complaint in str(error.value)
        assert "long enough" not in str(error.value)


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    """A missing configured file, a folder in its place, a home that is a file, a short variable."""
    (tmp_path / "folder").mkdir()
    for configured in ("missing", "folder"):
        with pytest.raises(SettingsError, match="cannot be read"):
            webhook_secret(tmp_path, str(tmp_path / configured), None)
    with pytest.raises(SettingsError, match="cannot be written"):
        webhook_secret(_file(tmp_path / "file", b"") / "home", "", None)
    for short in ("", "short"):
        with pytest.raises(SettingsError, match="EPOCHAL_WEBHOOK_SECRET"):
            webhook_secret(tmp_path, "", short)
