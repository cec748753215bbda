"""The package: what each extra installs, and the lock files."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import uv
from packaging.requirements import Requirement

from epochal import __version__
from epochal.cli import EXTRAS

from .repositories import git

_TOP = Path(__file__).parent.parent
_PYPROJECT: dict[str, Any] = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))
_OPTIONAL: dict[str, list[str]] = _PYPROJECT["project"]["optional-dependencies"]


def test_plain_install_is_enough_for_init_check_and_the_hook(tmp_path: Path) -> None:
    """Without extras, Epochal can check and push a commit, and a server command names the extra that it needs.

    Takes several seconds, because it builds and installs the wheel.
    """
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    venv, origin, repository = tmp_path / "venv", tmp_path / "origin.git", tmp_path / "digits"
    for arguments in (
        ["build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(_TOP)],
        ["venv", "--quiet", "--python", sys.executable, str(venv)],
        ["pip", "install", "--quiet", "--python", str(venv), str(tmp_path / f"epochal-{__version__}-py3-none-any.whl")],
    ):
        subprocess.run([uv.find_uv_bin(), *arguments], env=environment, check=True)
    epochal = str(venv / "bin" / "epochal")
    assert subprocess.run([epochal, "--version"], capture_output=True, text=True).stdout == f"epochal {__version__}\n"
    assert not list(venv.glob("lib/*/site-packages/sqlalchemy"))
    subprocess.run(["git", "init", "--quiet", "--bare", str(origin)], check=True)
    repository.mkdir()
    (repository / "nn.py").write_text("epochs = 20\n", encoding="utf-8")
    subprocess.run([epochal, "init", str(repository), "--remote", str(origin)], env=environment, check=True)
    check = subprocess.run([epochal, "check", str(repository)], env=environment, capture_output=True, text=True)
    assert (check.returncode, check.stdout.splitlines()[0]) == (0, "script:     nn.py")
    git(repository, "config", "epochal.push", "foreground")
    git(repository, "add", "nn.py")
    git(repository, "commit", "--quiet", "--message", "first")
    assert git(origin, "log", "--format=%s", "main") == "first"
    serve = subprocess.run([epochal, "serve"], env=environment, capture_output=True, text=True)
    assert serve.returncode == 2
    assert "uv tool install 'epochal[server]'" in serve.stderr


def test_every_optional_package_belongs_to_an_extra() -> None:
    """If a command needs a missing package, Epochal can name the extra that installs it."""
    distributions = {module: names[0].lower() for module, names in packages_distributions().items()}
    for extra, requirements in _OPTIONAL.items():
        for name in (Requirement(each).name for each in requirements):
            modules = {module for module, distribution in distributions.items() if distribution == name}
            assert name in ("epochal", "setuptools") or any(EXTRAS.get(each) == extra for each in modules), name


def test_lock_files_fit_pyproject() -> None:
    """Each dependency is locked, with hashes, to a version that pyproject.toml allows."""
    needed = [*_PYPROJECT["project"]["dependencies"], *(each for extra in _OPTIONAL.values() for each in extra)]
    for path, wanted in {
        "requirements.txt": needed,
        "requirements-dev.txt": [*needed, *_PYPROJECT["dependency-groups"]["dev"]],
    }.items():
        text = (_TOP / path).read_text(encoding="utf-8")
        locked = dict(re.findall(r"^([a-z0-9-]+)(?:\[\S*\])?==(\S+).*\\\n +--hash=sha256:", text, re.MULTILINE))
        for requirement in map(Requirement, wanted):
            assert requirement.name == "epochal" or locked[requirement.name] in requirement.specifier, requirement
