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
    """``home`` (whether the question is to be seen there), ``database``, ``scripts``, ``machine``: digests, keyed with ``nonce``.

    Raises SettingsError where the settings cannot be read.
    """
    settings = read_server_settings(environment)
    home = Home(environment.home)
    scripts = Path(environment.scripts) if environment.scripts else resource("scripts")
    contents = b"".join(_content(scripts / name) for name in _SCRIPTS)
    return {
        "home": _digest(nonce, _content(home.question(nonce))),
        "database": _digest(nonce, (settings.database or home.database).encode()),
        "scripts": _digest(nonce, contents),
        "machine": _digest(nonce, _content(_BOOT)),
    }


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _digest(nonce: str, content: bytes) -> str:
    return hmac.new(nonce.encode(), content, hashlib.sha256).hexdigest()
