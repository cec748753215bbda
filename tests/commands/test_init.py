"""``epochal init`` in real folders."""

import os
import re
from pathlib import Path

import pytest

from epochal.analysis.script import read_script
from epochal.commands.init import HOOKS, configured_branches, current_branch, initialise
from epochal.errors import UsageError
from epochal.jobs.search.suggested_space import suggest
from epochal.settings import RepositorySettings, read_repository_settings
from tests.repositories import commit, git, make_repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that has nn.py and is not a repository yet."""
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "nn.py").write_text("epochs = 20\n")
    return folder


def _read_files(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_init_creates_a_repository_and_is_idempotent(folder: Path) -> None:
    """The first call sets up the repository, remote, hooks, branches and settings; further calls write no files."""
    assert initialise(folder, "https://example.com/ada/digits.git", ("main", "develop"))
    assert current_branch(folder) == "main"
    assert configured_branches(folder) == ("main", "develop")
    assert git(folder, "remote", "get-url", "origin") == "https://example.com/ada/digits.git"
    assert read_repository_settings(folder) == RepositorySettings()
    assert all(os.access(folder / ".git/hooks" / name, os.X_OK) for name in HOOKS)
    before = _read_files(folder)
    assert initialise(folder, "https://example.com/ada/digits.git", ("main", "develop")) == []
    assert initialise(folder, None, ("main", "develop")) == []
    assert _read_files(folder) == before


def test_jenkinsfile_is_written_on_request_and_never_overwritten(folder: Path) -> None:
    """A Jenkinsfile that the developer has changed is left alone, and a line of output says so."""
    remote = "https://example.com/ada/digits.git"
    initialise(folder, remote, ("main",))
    assert not (folder / "Jenkinsfile").exists()
    assert initialise(folder, remote, ("main",), jenkinsfile=True) == [
        "wrote Jenkinsfile, which runs the chain as one Pipeline"
    ]
    assert "epochal" in (folder / "Jenkinsfile").read_text().lower()
    assert initialise(folder, remote, ("main",), jenkinsfile=True) == []
    (folder / "Jenkinsfile").write_text("pipeline {}\n")
    (line,) = initialise(folder, remote, ("main",), jenkinsfile=True)
    assert line.startswith("left the existing Jenkinsfile unchanged")
    assert (folder / "Jenkinsfile").read_text() == "pipeline {}\n"


def test_search_space_is_suggested_in_comments(folder: Path) -> None:
    """The suggestion is commented out in the new epochal.toml, and takes effect once it is uncommented."""
    (folder / "nn.py").write_text("epochs = 20\nlearning_rate = 0.01\nfilters = 8\n")
    assert any("a suggested search space" in line for line in initialise(folder, "x", ("main",)))
    written = (folder / "epochal.toml").read_text()
    assert read_repository_settings(folder).search == {}
    written = re.sub(r"^#\[\[project\]\](\n#.*)*", "", written, flags=re.MULTILINE)  # it excludes all other settings
    (folder / "epochal.toml").write_text(re.sub(r"^#(?! )", "", written, flags=re.MULTILINE))
    assert read_repository_settings(folder) == RepositorySettings(search=suggest(read_script(folder)))


def test_search_space_is_suggested_for_existing_settings(folder: Path) -> None:
    """Nothing is suggested if nn.py has nothing to search or epochal.toml already has a [search] table."""
    (folder / "epochal.toml").write_text("threshold = 0.9\n")
    assert not any("search" in line for line in initialise(folder, "x", ("main",)))
    (folder / "nn.py").write_text("filters = 8\n")
    lines = initialise(folder, None, ("main",))
    assert [line.strip() for line in lines[1:]] == ["[search]", "filters = { choices = [4, 8, 16, 32] }"]
    assert (folder / "epochal.toml").read_text() == "threshold = 0.9\n"
    (folder / "epochal.toml").write_text("[search]\n")
    assert initialise(folder, None, ("main",)) == []


def test_existing_hook_is_kept_and_runs(folder: Path, tmp_path: Path) -> None:
    """The hook is moved aside unchanged, and still gets its arguments and its input."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    existing = f'#!/bin/sh\necho "$@" >{tmp_path}/arguments\ncat >{tmp_path}/input\nexit 3\n'
    for name in ("post-commit", "post-rewrite"):
        (folder / ".git/hooks" / name).write_text(existing)
        (folder / ".git/hooks" / name).chmod(0o755)
    initialise(folder, str(tmp_path / "origin.git"), ("main",))
    git(folder, "config", "epochal.push", "off")
    assert (folder / ".git/hooks/post-commit.before-epochal").read_text() == existing
    commit(folder, {}, "First")
    git(folder, "commit", "--amend", "-m", "Amended")
    assert (tmp_path / "arguments").read_text() == "amend\n"
    assert git(folder, "rev-parse", "HEAD") in (tmp_path / "input").read_text()
    assert initialise(folder, None, ("main",)) == []


def test_configured_hooks_folder_is_used(folder: Path, tmp_path: Path) -> None:
    """The hooks are installed in the folder that git's core.hooksPath names."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "core.hooksPath", str(tmp_path / "hooks"))
    initialise(folder, str(tmp_path / "origin.git"), ("main",))
    assert (tmp_path / "hooks/post-commit").exists()


def test_hook_of_an_uninstalled_epochal_does_not_block_commits(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If Epochal has been uninstalled, the commit still succeeds, and a line says why nothing was pushed."""
    initialise(folder, str(tmp_path / "origin.git"), ("main",))
    stub = folder / ".git/hooks/post-commit"
    lines = stub.read_text().splitlines()
    stub.write_text("\n".join("hook=/no/such/hook" if line.startswith("hook=") else line for line in lines) + "\n")
    git(folder, "add", "--all")
    assert os.system(f"git -C {folder} -c user.name=A -c user.email=a@example.com commit --quiet -m First") == 0
    assert "nothing was pushed, because /no/such/hook is missing" in capfd.readouterr().err


def test_unsuitable_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    """A folder is refused if it has no nn.py, no remote or another remote, or is inside another repository. Nothing changes."""

    def refuse(refused: Path, remote: str | None, message: str) -> str:
        before = _read_files(tmp_path)
        with pytest.raises(UsageError, match=message) as error:
            initialise(refused, remote, ("main", "idea"))
        assert _read_files(tmp_path) == before
        return str(error.value)

    refuse(tmp_path, "x", r"There is no nn\.py")
    refuse(folder, None, "--remote")
    initialise(folder, "https://ada:secret@example.com/digits.git", ("main",))
    assert "secret" not in refuse(folder, "https://example.com/else.git", "already has the remote origin")
    outer = make_repository(tmp_path / "outer", {"inner/nn.py": ""})
    refuse(outer / "inner", "x", r'inside another repository(.|\n)*path = "inner"')
