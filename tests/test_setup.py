"""``make setup`` on machines that lack something. A shell script stands in for Python."""

import os
import subprocess
from pathlib import Path

from epochal.folders import resource


def _run_setup(tmp_path: Path, python: str) -> "subprocess.CompletedProcess[str]":
    """Run scripts/setup in an empty checkout where the only Python is the shell script ``python``."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    (checkout / "scripts").mkdir(parents=True)
    programs.mkdir()
    (checkout / "scripts/setup").write_bytes((resource("scripts") / "setup").read_bytes())
    (checkout / "scripts/setup").chmod(0o755)
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (checkout / name).touch()
    (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (programs / "python3").chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:/usr/bin:/bin", "PYTHON": "python3"}
    command = [str(checkout / "scripts/setup")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_unsupported_python_is_named(tmp_path: Path) -> None:
    """The message also lists the supported versions and says how to choose one."""
    done = _run_setup(tmp_path, 'case "$1" in --version) echo Python 3.10.2;; *) exit 1;; esac')
    assert done.returncode == 2
    assert "3.11, 3.12 or 3.13; found Python 3.10.2" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_missing_venv_module_is_reported_with_its_package(tmp_path: Path) -> None:
    """On Debian, the module is not part of the python3 package."""
    done = _run_setup(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac')
    assert done.returncode == 2
    assert "apt install python3.12-venv" in done.stderr
