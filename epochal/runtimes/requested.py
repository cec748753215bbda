"""The packages that a repository asks for in requirements.txt, or else in uv.lock, pyproject.toml or environment.yml."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from epochal.analysis.conda import conda_to_pip
from epochal.errors import Reason, RunFailed
from epochal.settings import child_environment

REQUIREMENTS = "requirements.txt"

_EXPORT_SECONDS = 60.0


def read_requested(code: Path) -> tuple[str, str]:
    """Return the name of the file in ``code`` that lists the required packages, and its content in pip's format.

    If there is no such file, the name is requirements.txt and the content is empty. Raises
    RunFailed(REFUSED_REQUIREMENT) if the file cannot be read or converted.
    """
    readers: dict[str, Callable[[Path, str], str]] = {
        REQUIREMENTS: _read_text,
        "uv.lock": _export_lock,
        "pyproject.toml": _read_project,
        "environment.yml": _read_conda,
        "environment.yaml": _read_conda,
    }
    for name, read in readers.items():
        if (code / name).exists() and (text := read(code, name)):
            return name, text
    return REQUIREMENTS, ""


def _read_text(code: Path, name: str) -> str:
    try:
        return (code / name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RunFailed(Reason.REFUSED_REQUIREMENT, f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT,
            f"{name} is not UTF-8 text (PowerShell's > writes UTF-16). Save it as UTF-8.",
        ) from None


def _export_lock(code: Path, name: str) -> str:
    """Return the pins that uv exports from the lock file without running code; development groups are left out."""
    import uv  # not in a plain installation, which cannot train

    command = [uv.find_uv_bin(), "export", "--frozen", "--offline", "--no-config", "--no-progress", "--quiet"]
    command += [
        "--no-default-groups",
        "--no-emit-workspace",
        "--no-header",
        "--no-annotate",
        "--python",
        sys.executable,
    ]
    variables = child_environment({"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"})
    try:
        exported = subprocess.run(
            command, cwd=code, env=variables, capture_output=True, text=True, timeout=_EXPORT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(Reason.REFUSED_REQUIREMENT, f"uv took too long to read {name}.") from None
    # Without a pyproject.toml, uv looks for one in the parent folders.
    if exported.returncode or not (code / "pyproject.toml").is_file():
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT,
            f"uv cannot read {name}. Run uv lock, and commit pyproject.toml and {name} together, "
            f"or add a {REQUIREMENTS}.",
            exported.stderr,
        )
    return exported.stdout


def _read_project(code: Path, name: str) -> str:
    """Return the dependencies in the [project] table; empty if there are none (some files only configure tools)."""
    try:
        dependencies = tomllib.loads(_read_text(code, name)).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise RunFailed(Reason.REFUSED_REQUIREMENT, f"{name} is not valid TOML: {error}. Correct it.") from None
    except AttributeError:
        raise RunFailed(Reason.REFUSED_REQUIREMENT, f"In {name}, project must be a table: [project].") from None
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT,
            f'In {name}, dependencies must be a list of strings, such as ["numpy>=2", "pandas"].',
        )
    return "".join(f"{line}\n" for line in dependencies)


def _read_conda(code: Path, name: str) -> str:
    return conda_to_pip(_read_text(code, name), name)
