"""The webhook's secret: from the environment, from a configured file, or made at the first start."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from epochal.errors import SettingsError
from epochal.forges.github import check_secret
from epochal.settings import Environment, ServerSettings

FILE_NAME = "webhook-secret"
_RANDOM_BYTES = 32  # as many as the hash that it keys; more would add nothing (RFC 2104, section 3)


def configured_secret(environment: Environment, settings: ServerSettings) -> tuple[bytes, bool]:
    """Return the secret of the home, and whether it was made just now. Raises as ``webhook_secret`` does."""
    given = environment.webhook_secret
    from_environment = given.get_secret_value() if given else None
    return webhook_secret(environment.home, settings.gateway.secret_file, from_environment)


def webhook_secret(home: Path, configured_file: str, from_environment: str | None) -> tuple[bytes, bool]:
    """Return the secret, and whether it was made just now, in ``home``/webhook-secret.

    ``from_environment`` goes before ``configured_file`` (empty: none), which goes before the file in ``home``. Raises
    SettingsError for a secret that is short or no text, and for a file that cannot be read or that everybody can.
    """
    if from_environment is not None:
        return _checked(from_environment.strip().encode(), "EPOCHAL_WEBHOOK_SECRET"), False
    if configured_file:
        return _read(Path(configured_file).expanduser()), False
    path = home / FILE_NAME
    made = not path.exists() and _make(path)
    return _read(path), made


def _make(path: Path) -> bool:
    """Write the file, complete and private from the first moment. Returns False if another process was faster."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_RANDOM_BYTES) + "\n")
        path.hardlink_to(temporary)  # unlike a rename, this never takes the place of a secret that is there
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingsError(f"{path}: the webhook's secret cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
    return True


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read().strip()
    except OSError as error:
        raise SettingsError(
            f"{path}: the webhook's secret cannot be read: {error.strerror}. "
            "It should be a file that the user who runs epochal may read."
        ) from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise SettingsError(
            f"{path}: everybody on this machine may read or write the webhook's secret. Mend it: chmod 600 {path}"
        )
    return _checked(secret, str(path))


def _checked(secret: bytes, where: str) -> bytes:
    try:
        secret.decode("utf-8")
        check_secret(secret)
    except UnicodeDecodeError:
        raise SettingsError(f"{where}: the webhook's secret is no text. Make one: openssl rand -hex 32") from None
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    return secret
