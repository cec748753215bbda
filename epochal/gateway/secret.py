"""The webhook's secret, which is set in the environment, read from a file, or generated on first start."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from epochal.errors import SettingsError
from epochal.forges.github import check_secret
from epochal.settings import Environment, ServerSettings

FILE_NAME = "webhook-secret"
_RANDOM_BYTES = 32  # The output length of SHA-256; a longer key adds little strength (RFC 2104, section 3).


def configured_secret(environment: Environment, settings: ServerSettings) -> tuple[bytes, bool]:
    """Return the webhook's secret, and whether it was just generated. Raises SettingsError if it is unusable."""
    secret = environment.webhook_secret
    from_environment = secret.get_secret_value() if secret else None
    return webhook_secret(environment.home, settings.gateway.secret_file, from_environment)


def webhook_secret(home: Path, configured_file: str, from_environment: str | None) -> tuple[bytes, bool]:
    """Return the webhook's secret, and whether it was just generated.

    The secret is ``from_environment`` or, if that is None, the content of the file ``configured_file``. If
    ``configured_file`` is empty, the file is ``home``/webhook-secret, which is generated if it does not exist.
    Whitespace around the secret is removed.

    Raises SettingsError if the secret is too short or not UTF-8, if its file cannot be read or written, or if every
    user can read or change the file.
    """
    if from_environment is not None:
        return _validate(from_environment.strip().encode(), "EPOCHAL_WEBHOOK_SECRET"), False
    path = secret_file(home, configured_file)
    generated = not configured_file and not path.exists() and _generate(path)
    return _read(path), generated


def secret_file(home: Path, configured_file: str) -> Path:
    """Return the path of the file with the webhook's secret. The file is not used if the environment sets the secret."""
    return Path(configured_file).expanduser() if configured_file else home / FILE_NAME


def _generate(path: Path) -> bool:
    """Write a new secret to ``path`` atomically, with mode 600. Returns False if another process got there first."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_RANDOM_BYTES) + "\n")
        path.hardlink_to(temporary)  # Unlike a rename, this never replaces an existing secret.
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
            "The secret must be in a file that the user running Epochal can read."
        ) from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise SettingsError(
            f"{path}: every user on this machine can read or change the webhook's secret. To fix this: chmod 600 {path}"
        )
    return _validate(secret, str(path))


def _validate(secret: bytes, where: str) -> bytes:
    try:
        secret.decode("utf-8")
        check_secret(secret)
    except UnicodeDecodeError:
        raise SettingsError(
            f"{where}: the webhook's secret is not UTF-8 text. Generate a new one: openssl rand -hex 32"
        ) from None
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    return secret
