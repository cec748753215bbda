"""The webhook's secret: generated once, readable only by its owner, and refused if it offers no protection."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from epochal.errors import SettingsError
from epochal.gateway.secret import webhook_secret


def _write_file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_first_start_generates_a_secret(tmp_path: Path) -> None:
    """The secret is 32 random bytes in hex, and only the owner may read its file, whatever the umask."""
    before = os.umask(0)
    try:
        secret, generated = webhook_secret(tmp_path / "home", "", None)
    finally:
        os.umask(before)
    path = tmp_path / "home" / "webhook-secret"
    assert generated
    assert len(bytes.fromhex(secret.decode())) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert webhook_secret(tmp_path / "home", "", None) == (secret, False)
    assert list(path.parent.iterdir()) == [path], "nothing temporary is left"
    assert webhook_secret(tmp_path / "other", "", None)[0] != secret


def test_concurrent_first_starts_agree(tmp_path: Path) -> None:
    """One of eight concurrent starts generates the secret, and all read the same one."""
    barrier = Barrier(8)

    def start(number: int) -> tuple[bytes, bool]:
        barrier.wait(timeout=20)
        return webhook_secret(tmp_path / str(number // 8), "", None)

    with ThreadPoolExecutor(8) as threads:
        secrets = list(threads.map(start, range(8 * 20)))
    assert len({secret for secret, _ in secrets}) == 20
    assert sum(generated for _, generated in secrets) == 20


def test_environment_overrides_the_configured_file(tmp_path: Path) -> None:
    """Both override the home's file, and then no secret is generated. A line ending in the file is ignored."""
    configured = str(_write_file(tmp_path / "secret", b"configured-secret\r\n", 0o640))
    home, empty = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    _write_file(home / "webhook-secret", b"a secret of the home")
    for folder in (home, empty):
        assert webhook_secret(folder, configured, "from-the-environment") == (b"from-the-environment", False)
        assert webhook_secret(folder, "", "from-the-environment") == (b"from-the-environment", False)
        assert webhook_secret(folder, configured, None) == (b"configured-secret", False)
    assert webhook_secret(home, "", None) == (b"a secret of the home", False)
    assert not empty.exists()


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"", 0o600, "its length is 0"),
        (b"\n\n", 0o600, "its length is 0"),
        (b"fifteen bytes!!\n", 0o600, "openssl rand -hex 32"),
        (b"\xff\xfe" * 16, 0o600, "not UTF-8 text"),
        (b"a secret that is long enough", 0o604, "chmod 600"),
        (b"a secret that is long enough", 0o602, "chmod 600"),
    ],
)
def test_unsafe_secret_file_is_refused(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    """The message names the file and the remedy, but does not show the content."""
    path = _write_file(tmp_path / "webhook-secret", content, mode)
    for configured in ("", str(path)):
        with pytest.raises(SettingsError) as error:
            webhook_secret(tmp_path, configured, None)
        assert str(path) in str(error.value)
        assert message in str(error.value)
        assert "long enough" not in str(error.value)


def test_unusable_secret_source_is_reported(tmp_path: Path) -> None:
    """The configured file may be missing or a folder, the home may be a file, or the variable may be too short."""
    (tmp_path / "folder").mkdir()
    for configured in ("missing", "folder"):
        with pytest.raises(SettingsError, match="cannot be read"):
            webhook_secret(tmp_path, str(tmp_path / configured), None)
    with pytest.raises(SettingsError, match="cannot be written"):
        webhook_secret(_write_file(tmp_path / "file", b"") / "home", "", None)
    for short in ("", "short"):
        with pytest.raises(SettingsError, match="EPOCHAL_WEBHOOK_SECRET"):
            webhook_secret(tmp_path, "", short)
