"""What a job on this machine works with, told without giving a secret away: equal answers mean the same things."""

import hashlib
import hmac
from pathlib import Path

from epochal.folders import Home
from epochal.resources import resource
from epochal.settings import Environment, read_server_settings

_SCRIPTS = ("pull.sh", "train.sh", "retrain.sh")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def describe_installation(environment: Environment, nonce: str) -> dict[str, str]:
    """Return digests, keyed with ``nonce``, of ``home`` (the question that lies there), ``database``, ``scripts``, ``machine``.

    Raises SettingsError if the settings cannot be read.
    """
    settings = read_server_settings(environment)
    home = Home(environment.home)
    scripts = Path(environment.scripts) if environment.scripts else resource("scripts")
    contents = {
        "home": _read(home.question(nonce)),
        "database": home.database_url(settings.database).encode(),
        "scripts": b"".join(_read(scripts / name) for name in _SCRIPTS),
        "machine": _read(_BOOT),
    }
    return {name: hmac.new(nonce.encode(), content, hashlib.sha256).hexdigest() for name, content in contents.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
