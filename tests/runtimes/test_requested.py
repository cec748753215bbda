"""Which file in a repository decides what is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
import uv

from epochal.errors import RunFailed
from epochal.runtimes.recipe import read_recipe
from epochal.settings import ServerSettings

from .test_resolve import index as index

_PROJECT = (
    '[project]\nname = "digits"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["plain<2", "net==1.5"]\n'
)
_CONDA = "dependencies: [python=3.11, numpy=1.26, {pip: [humanize]}]\n"


def read(code: Path) -> tuple[str, str]:
    """Return the name of the file that counts, and what it asks for."""
    recipe = read_recipe("python", code, ServerSettings())
    return recipe.source, recipe.requirements


def test_first_file_that_asks_for_something_counts(tmp_path: Path) -> None:
    """requirements.txt comes first; a pyproject.toml that only configures tools asks for nothing."""
    assert read(tmp_path) == ("requirements.txt", "")
    (tmp_path / "environment.yml").write_text(_CONDA)
    assert read(tmp_path) == ("environment.yml", "numpy==1.26.*\nhumanize\n")
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 120\n")
    assert read(tmp_path)[0] == "environment.yml"
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    assert read(tmp_path) == ("pyproject.toml", "plain<2\nnet==1.5\n")
    (tmp_path / "requirements.txt").write_text("rich\n")
    assert read(tmp_path) == ("requirements.txt", "rich\n")


def test_lock_file_gives_exact_versions(tmp_path: Path, index: Path) -> None:
    """The locked versions and hashes are installed, but not the project itself or its development dependencies."""
    (tmp_path / "pyproject.toml").write_text(f'{_PROJECT}[dependency-groups]\ndev = ["text"]\n')
    variables = {"UV_DEFAULT_INDEX": index.as_uri(), "UV_NO_CACHE": "1"}
    subprocess.run(
        [uv.find_uv_bin(), "lock", "--quiet", "--python", sys.executable], cwd=tmp_path, check=True, env=variables
    )
    source, requirements = read(tmp_path)
    assert source == "uv.lock"
    assert [line.split()[0] for line in requirements.splitlines() if "==" in line] == [
        "layers==2.9",
        "net==1.5",
        "plain==1.1",
    ]
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(RunFailed, match=r"commit pyproject\.toml and uv\.lock together"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("pyproject.toml", _PROJECT.replace("plain<2", "plain @ file:///plain"), 'pyproject.toml: "plain @ file'),
        ("pyproject.toml", "[project\n", "pyproject.toml is not valid TOML"),
        ("pyproject.toml", '[project]\ndependencies = "numpy"\n', "dependencies must be a list of strings"),
        ("pyproject.toml", "[project]\ndependencies = [1]\n", "dependencies must be a list of strings"),
        ("environment.yml", "dependencies: [{pip: ['-e .']}]\n", 'environment.yml: "-e ."'),
    ],
)
def test_other_files_are_checked_like_requirements(tmp_path: Path, name: str, text: str, part: str) -> None:
    """In every file, a requirement that runs code during installation is refused."""
    (tmp_path / name).write_text(text)
    with pytest.raises(RunFailed) as caught:
        read(tmp_path)
    assert part in caught.value.explanation
