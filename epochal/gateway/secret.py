"""The webhook's secret: known to GitHub, to this server, and to nobody else."""

import os
import secrets
from pathlib import Path

from epochal.errors import SettingsError
from epochal.settings.environment import read_secret
from epochal.signature import check_secret

FILE_NAME = "webhook-secret"


def webhook_secret(home: Path, configured_file: str, from_environment: str | None) -> tuple[bytes, bool]:
    """The secret, and whether it was made just now.

    From the environment, else from ``configured_file``, else from ``home``/webhook-secret, which the first start makes.
    Raises SettingsError for a secret that is short, or in a file that cannot be read or that others may read.
    """
    if from_environment is not None:
        return _checked(from_environment), False
    if configured_file:
        return _from_file(Path(configured_file), "[gateway] secret_file"), False
    path = home / FILE_NAME
    made = _make(path)
    return _from_file(path, "The webhook's secret"), made


def _make(path: Path) -> bool:
    """Make the file, complete and 0600 from its first moment; False if it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        os.link(temporary, path)  # unlike a rename it never takes the place of a secret that is there
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _from_file(path: Path, said_by: str) -> bytes:
    secret = read_secret(path, said_by)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise SettingsError(f"{said_by}: {path} may be read by others (mode {mode:o}). Type: chmod 600 {path}")
    return _checked(secret)


def _checked(secret: str) -> bytes:
    encoded = secret.encode("utf-8")
    check_secret(encoded)
    return encoded
