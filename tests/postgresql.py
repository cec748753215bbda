"""A PostgreSQL server for a single test, from Debian's packages.

Without these packages the test is skipped, except in CI, where it fails.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER = "nobody"
"""The user that runs PostgreSQL if root runs the tests, because it refuses to run as root."""
_URL = "postgresql+psycopg://epochal@/postgres?host="


def _find_binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = shutil.which(name) or (str(found[-1]) if found else "")
    if not path:
        assert not os.environ.get("CI"), "CI was to have PostgreSQL"
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return path


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server with an empty database, and yield its URL. It listens only on a socket in a temporary folder."""
    # A socket's path may be at most 107 bytes long (unix(7)), and pytest's folders may exceed that.
    with tempfile.TemporaryDirectory() as folder:
        if os.getuid() == 0:
            os.chown(folder, pwd.getpwnam(_USER).pw_uid, -1)
        data = f"{folder}/data"
        _run([_find_binary("initdb"), "--auth=trust", "--username=epochal", "--no-sync", "-D", data])
        url = f"{_URL}{folder}"
        start(url)
        try:
            yield url
        finally:
            stop(url)


def start(url: str) -> None:
    """Start the server of the database at ``url``."""
    folder = url.removeprefix(_URL)
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    _run([_find_binary("pg_ctl"), "--wait", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "start"])


def stop(url: str) -> None:
    """Stop the server of the database at ``url`` abruptly: open connections break, and new ones are refused."""
    _run([_find_binary("pg_ctl"), "--wait", "-D", f"{url.removeprefix(_URL)}/data", "-m", "immediate", "stop"])


def _run(command: Sequence[str]) -> None:
    user = _USER if os.getuid() == 0 else None
    subprocess.run(command, check=True, user=user, capture_output=True, cwd="/")
