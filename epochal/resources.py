"""Find the files that are installed with the package but are not Python modules, such as job scripts and hooks."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Return the path of a file or folder that is installed with the package.

    ``name``: ``scripts``, ``hooks``, ``Dockerfile``, ``requirements``, ``Jenkinsfile``, ``ml_code``, ``jobs`` or
    ``jenkins``. It is inside an installed package, or at the top of a checkout (``pip install -e``).
    """
    installed = _PACKAGE / "installed" / name
    return installed if installed.exists() else _PACKAGE.parent / name
