"""Git as the pull job uses it, on real repositories."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed, UsageError
from epochal.git import GitError, GitFolder, check_files, fetch_commit
from tests.repositories import commit, git, make_repository


def _write_files(repository: GitFolder, sha: str, folder: Path) -> Path:
    folder.mkdir()
    repository.write_files(sha, folder)
    return folder


def test_pushed_commit_is_fetched_instead_of_the_newest(tmp_path: Path) -> None:
    """The branch may have moved on since the push."""
    origin = make_repository(tmp_path / "origin", {"nn.py": "old"})
    old = git(origin, "rev-parse", "HEAD")
    commit(origin, {"nn.py": "new"}, "Second")
    repository = fetch_commit(tmp_path / "cache", str(origin), "main", old)
    assert (_write_files(repository, old, tmp_path / "code") / "nn.py").read_text() == "old"
    assert repository.details(old) == ("First", "Ada", "ada@example.com")


def test_short_id_of_several_commits_is_refused(tmp_path: Path) -> None:
    """The IDs of commits with these messages both begin with e406."""
    origin = make_repository(tmp_path / "origin")
    tree, who = git(origin, "hash-object", "-t", "tree", "-w", "/dev/null"), "Ada <ada@example.com> 1 +0000"
    content = tmp_path / "commit"
    for message in ("68", "72"):
        content.write_text(f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}\n")
        git(origin, "hash-object", "-t", "commit", "-w", str(content))
    with pytest.raises(UsageError, match=r"Several commit IDs in .*/origin begin with e406\. Give more digits\."):
        GitFolder(origin).resolve("e406")


@pytest.mark.parametrize(
    ("committer_time", "committed"),
    [
        ("1767225600 +0100", datetime(2026, 1, 1, tzinfo=UTC)),
        ("99999999999999 +0000", None),
        ("soon", None),
    ],
)
def test_commit_time_may_be_missing(tmp_path: Path, committer_time: str, committed: datetime | None) -> None:
    """A committer's time that is malformed, or too far in the future for a date, is not an error."""
    origin = make_repository(tmp_path / "origin")
    tree = git(origin, "rev-parse", "HEAD^{tree}")
    author = "author Ada <ada@example.com> 1 +0000"
    content = tmp_path / "commit"
    content.write_text(f"tree {tree}\n{author}\ncommitter Ada <ada@example.com> {committer_time}\n\nLate\n")
    sha = git(origin, "hash-object", "-t", "commit", "-w", "--literally", str(content))
    assert GitFolder(origin).commit_time(sha) == committed


def test_files_are_written_exactly_as_committed(tmp_path: Path) -> None:
    """This includes CRLF, byte order marks, executable bits, and files marked export-ignore."""
    files: dict[str, str | bytes] = {
        "nn.py": b"\xef\xbb\xbfepochs = 20\r\n",
        "run.sh": "#!/bin/sh\n",
        "left/out.txt": "here",
        ".gitattributes": "left export-ignore\n",
    }
    origin = make_repository(tmp_path / "origin", files)
    (origin / "run.sh").chmod(0o755)
    sha = commit(origin, {}, "Executable")
    code = _write_files(fetch_commit(tmp_path / "cache", str(origin), "main", sha), sha, tmp_path / "code")
    assert (code / "nn.py").read_bytes() == files["nn.py"]
    assert (code / "left/out.txt").read_text() == "here"
    assert (code / "run.sh").stat().st_mode & 0o100


def test_missing_commit_and_missing_repository_have_different_reasons(tmp_path: Path) -> None:
    """A commit may be missing after a forced push; a missing repository needs another address, or access."""
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
    """They may be absolute, lead upwards or form a loop. A link that stays inside is allowed."""
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    for name, target in links.items():
        (folder / name).symlink_to(target)
    if "in" in links:  # stays inside, through another link
        assert check_files(folder) == ()
        (folder / "sly").symlink_to("deep/x/..")
    with pytest.raises(RunFailed) as error:
        check_files(folder)
    assert error.value.reason is Reason.UNSAFE_SYMLINK


def test_lfs_pointers_and_submodules_are_reported(tmp_path: Path) -> None:
    """The script gets a pointer instead of the file, and an empty folder instead of the submodule."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    inner = make_repository(tmp_path / "inner")
    origin = make_repository(tmp_path / "origin", {"nn.py": "", "data.csv": pointer})
    git(origin, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "library")
    sha = commit(origin, {}, "Submodule")
    repository = GitFolder(origin)
    code = _write_files(repository, sha, tmp_path / "code")
    (pointers,) = check_files(code)
    assert pointers.startswith("data.csv: Git LFS files are not downloaded")
    (submodules,) = repository.submodule_notes(sha)
    assert submodules.startswith("library: submodules are not fetched")


def test_error_has_the_message_of_git(tmp_path: Path) -> None:
    """The message says why the command failed."""
    with pytest.raises(GitError, match="not a git repository"):
        GitFolder(tmp_path).resolve("HEAD")


@pytest.mark.parametrize(("variable", "folder"), [("GIT_DIR", ".git"), ("GIT_OBJECT_DIRECTORY", ".git/objects")])
def test_variables_of_a_hook_do_not_redirect_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, folder: str
) -> None:
    """git sets variables for a hook that point to the hook's own repository."""
    origin = make_repository(tmp_path / "origin", {"nn.py": "origin"})
    other = make_repository(tmp_path / "other", {"nn.py": "other"})
    head = git(origin, "rev-parse", "HEAD")
    monkeypatch.setenv(variable, str(other / folder))
    misled = subprocess.run(["git", "-C", str(origin), "show", "HEAD:nn.py"], capture_output=True, check=False)
    assert misled.stdout != b"origin"  # git itself follows the variable
    assert GitFolder(origin).resolve("HEAD") == head
    assert (_write_files(GitFolder(origin), head, tmp_path / "code") / "nn.py").read_text() == "origin"
