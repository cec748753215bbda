"""Compute digests that identify a machine's EPOCHAL_HOME, database and job scripts without revealing secrets."""

import hashlib
import hmac
from pathlib import Path

from epochal.folders import Home, resource
from epochal.settings import Environment, read_server_settings

_SCRIPTS = ("pull.sh", "train.sh", "retrain.sh")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def describe_installation(environment: Environment, nonce: str) -> dict[str, str]:
    """Return digests that show whether two machines use the same EPOCHAL_HOME, database and job scripts.

    The digests are hexadecimal HMAC-SHA256 values keyed with ``nonce``. ``home`` covers a file that the caller wrote
    into $EPOCHAL_HOME for this purpose, ``database`` the database URL, ``scripts`` the job scripts, and ``machine`` the
    kernel's boot ID. A file that cannot be read counts as empty. Raises SettingsError if the settings cannot be read.
    """
    settings = read_server_settings(environment)
    home = Home(environment.home)
    scripts = Path(environment.scripts) if environment.scripts else resource("scripts")
    contents = {
        "home": _read(home.challenge_file(nonce)),
        "database": home.database_url(settings.database).encode(),
        "scripts": b"".join(_read(scripts / name) for name in _SCRIPTS),
        "machine": _read(_BOOT_ID),
    }
    return {name: hmac.new(nonce.encode(), content, hashlib.sha256).hexdigest() for name, content in contents.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
