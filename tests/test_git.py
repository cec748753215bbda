"""Git as the pull job needs it, on real repositories."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed
from epochal.git import GitError, GitFolder, check_files, fetch_commit
from tests.repositories import commit, git, make_repository


def _written(repository: GitFolder, sha: str, folder: Path) -> Path:
    folder.mkdir()
    repository.write_files(sha, folder)
    return folder


def test_the_commit_is_fetched_not_the_branch(tmp_path: Path) -> None:
    """What is written is the commit that was asked for, though its branch has moved on since."""
    origin = make_repository(tmp_path / "origin", {"nn.py": "old"})
    old = git(origin, "rev-parse", "HEAD")
    commit(origin, {"nn.py": "new"}, "Second")
    repository = fetch_commit(tmp_path / "cache", str(origin), "main", old)
    assert (_written(repository, old, tmp_path / "code") / "nn.py").read_text() == "old"
    assert repository.details(old) == ("First", "Ada", "ada@example.com")


@pytest.mark.parametrize(
    ("written", "committed"),
    [
        ("1767225600 +0100", datetime(2026, 1, 1, tzinfo=UTC)),
        ("99999999999999 +0000", None),
        ("soon", None),
    ],
)
def test_the_committers_time_is_read_where_it_is_one(tmp_path: Path, written: str, committed: datetime | None) -> None:
    """A commit whose committer wrote a time far off our calendar, or none, has no time, and is no error."""
    origin = make_repository(tmp_path / "origin")
    tree = git(origin, "rev-parse", "HEAD^{tree}")
    author = "author Ada <ada@example.com> 1 +0000"
    content = tmp_path / "commit"
    content.write_text(f"tree {tree}\n{author}\ncommitter Ada <ada@example.com> {written}\n\nLate\n")
    sha = git(origin, "hash-object", "-t", "commit", "-w", "--literally", str(content))
    assert GitFolder(origin).committed(sha) == committed


def test_every_byte_is_the_commits(tmp_path: Path) -> None:
    """CRLF, a byte order mark, an executable bit and files marked export-ignore come as they were committed."""
    files: dict[str, str | bytes] = {
        "nn.py": b"\xef\xbb\xbfepochs = 20\r\n",
        "run.sh": "#!/bin/sh\n",
        "left/out.txt": "here",
        ".gitattributes": "left export-ignore\n",
    }
    origin = make_repository(tmp_path / "origin", files)
    (origin / "run.sh").chmod(0o755)
    sha = commit(origin, {}, "Executable")
    code = _written(fetch_commit(tmp_path / "cache", str(origin), "main", sha), sha, tmp_path / "code")
    assert (code / "nn.py").read_bytes() == files["nn.py"]
    assert (code / "left/out.txt").read_text() == "here"
    assert (code / "run.sh").stat().st_mode & 0o100


def test_a_commit_that_is_gone_and_a_repository_that_is_not_there(tmp_path: Path) -> None:
    """Each has a reason of its own."""
    origin = make_repository(tmp_path / "origin")
    with pytest.raises(RunFailed) as unknown:
        fetch_commit(tmp_path / "cache", str(origin), "main", "a" * 40)
    assert unknown.value.reason is Reason.UNKNOWN_COMMIT
    with pytest.raises(RunFailed) as unreachable:
        fetch_commit(tmp_path / "cache", str(tmp_path / "nowhere"), "main", "a" * 40)
    assert unreachable.value.reason is Reason.REPOSITORY_UNREACHABLE


@pytest.mark.parametrize(
    "links", [{"out": "/etc"}, {"deep/out": "../../x"}, {"a": "b", "b": "a"}, {"in": "deep/x", "deep/x": ".."}]
)
def test_links_that_leave_the_repository_are_refused(tmp_path: Path, links: dict[str, str]) -> None:
    """Absolute, climbing, circling links are refused; one that stays inside is not."""
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    for name, target in links.items():
        (folder / name).symlink_to(target)
    if "in" in links:  # stays inside, by way of another link
        assert check_files(folder) == ()
        (folder / "sly").symlink_to("deep/x/..")
    with pytest.raises(RunFailed) as error:
        check_files(folder)
    assert error.value.reason is Reason.UNSAFE_SYMLINK


def test_lfs_pointers_and_submodules_are_told(tmp_path: Path) -> None:
    """A pointer instead of a file, and a folder that will be empty, are named."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    inner = make_repository(tmp_path / "inner")
    origin = make_repository(tmp_path / "origin", {"nn.py": "", "data.csv": pointer})
    git(origin, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "library")
    sha = commit(origin, {}, "Submodule")
    repository = GitFolder(origin)
    code = _written(repository, sha, tmp_path / "code")
    (pointers,) = check_files(code)
    assert pointers.startswith("data.csv: a git-lfs pointer")
    (submodules,) = repository.submodules(sha)
    assert submodules.startswith("library: a submodule")


def test_git_says_what_is_wrong(tmp_path: Path) -> None:
    """A failing git command is an error with git's own words."""
    with pytest.raises(GitError, match="not a git repository"):
        GitFolder(tmp_path).resolve("HEAD")


@pytest.mark.parametrize(("variable", "folder"), [("GIT_DIR", ".git"), ("GIT_OBJECT_DIRECTORY", ".git/objects")])
def test_a_hooks_variables_do_not_mislead_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, folder: str
) -> None:
    """Read the repository that was named, though a hook's variables point at another one."""
    origin = make_repository(tmp_path / "origin", {"nn.py": "origin"})
    other = make_repository(tmp_path / "other", {"nn.py": "other"})
    head = git(origin, "rev-parse", "HEAD")
    monkeypatch.setenv(variable, str(other / folder))
    misled = subprocess.run(["git", "-C", str(origin), "show", "HEAD:nn.py"], capture_output=True, check=False)
    assert misled.stdout != b"origin"  # git itself follows the variable
    assert GitFolder(origin).resolve("HEAD") == head
    assert (_written(GitFolder(origin), head, tmp_path / "code") / "nn.py").read_text() == "origin"
