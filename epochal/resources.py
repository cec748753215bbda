"""Where the files are that travel with the package but are no Python: job scripts, hooks, Dockerfile, pins, the sample."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The installed file or folder ``name`` (``scripts``, ``hooks``, ``Dockerfile``, ``requirements``, ``ml_code``, ``jobs``,
    ``jenkins``).

    An installed package carries them inside itself; a checkout (``pip install -e``) has them at its top.
    """
    installed = _PACKAGE / "installed" / name
    return installed if installed.exists() else _PACKAGE.parent / name
