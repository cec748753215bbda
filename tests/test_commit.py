"""A repository's identity, its display name, and its address without a password."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.commit import identity, repository_name, safe_url


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/ada/digits.git",
        "https://github.com/ada/digits",
        "https://github.com/ada/digits/",
        "https://GitHub.com:443/ada/digits.git/",
        "https://ada:s3cret@github.com/ada/digits.git",
        "http://token@github.com//ada/./digits.git",
        "ssh://git@github.com/ada/digits.git",
        "ssh://git@ssh.github.com:443/ada/digits.git",
        "git://github.com/ada/digits.git.git",
        "git@github.com:ada/digits.git",
        "git@github.com:/ada/digits",
        "github.com:ada/digits.git",
        "github.com/ada/digits",
    ],
)
def test_all_addresses_of_a_repository_have_one_identity(url: str) -> None:
    """All addresses of a repository also give it the same display name."""
    assert identity(url) == "github.com/ada/digits"
    assert repository_name(url) == "ada/digits"


@pytest.mark.parametrize(
    ("url", "name", "known_as"),
    [
        ("/srv/git/digits.git", "local/srv/git/digits.git", "digits"),
        ("/srv//git/x/../digits.git/", "local/srv/git/digits.git", "digits"),
        ("file:///srv/git/my%20digits", "local/srv/git/my digits", "my digits"),
        ("file://localhost/srv/digits/.git", "local/srv/digits/.git", "digits"),
        ("https://gitlab.example/group/part/digits.git", "gitlab.example/group/part/digits", "group/part/digits"),
        ("ssh://git@[::1]:2222/ada/digits.git", "[::1]/ada/digits", "ada/digits"),
        ("https://../../etc/passwd", "local/etc/passwd", "passwd"),
        ("https://github.com/a/...git", "github.com", "github.com"),
    ],
)
def test_identity_of_paths_and_other_hosts(url: str, name: str, known_as: str) -> None:
    """An identity is used as a folder's path, so no address may lead out of the parent folder."""
    assert identity(url) == name
    assert repository_name(url) == known_as


def test_relative_path_has_the_identity_of_the_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, a relative path would be another repository in every working directory."""
    monkeypatch.chdir(tmp_path)
    assert identity("../digits") == identity(str(tmp_path.parent / "digits"))


_URLS = st.lists(
    st.sampled_from(
        [
            "https://",
            "file://",
            "git@",
            "GitHub.com",
            ":",
            "/",
            "..",
            ".",
            ".git",
            "@",
            "[",
            "]",
            "[::1]",
            "%2e",
            "local",
            "a",
            "é",
        ]
    )
    | st.text(max_size=2)
).map("".join)


@given(_URLS)
def test_identity_is_idempotent_and_names_a_folder(url: str) -> None:
    """Whatever the address, its identity is a relative path without any ".." in it."""
    name = identity(url)
    assert identity(name) == name
    assert not name.startswith("/")
    assert ".." not in name.split("/")
    assert repository_name(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:s3cret@github.com/ada/digits.git", "https://github.com/ada/digits.git"),
        ("https://s3cret@github.com/ada/digits.git", "https://github.com/ada/digits.git"),
        ("https://ada:p@ss@github.com/x@1", "https://github.com/x@1"),
        ("git@github.com:ada/digits.git", "git@github.com:ada/digits.git"),
        ("/srv/digits@1.git", "/srv/digits@1.git"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """A user and password in a URL are removed; everything else is kept."""
    assert safe_url(url) == shown
