"""What counts for a training, and what does not."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.meaning import meaning_of

_SCRIPT = '''"""A network."""
# Hyperparameters
epochs = 20
rate = 1e-3


def build():
    """Make it."""
    return "text"
'''


def _meaning(folder: Path, files: dict[str, str], **circumstances: object) -> str:
    code = folder / "code"
    for path in sorted(code.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, text in files.items():
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return meaning_of(code, circumstances)


@pytest.mark.parametrize(
    "files",
    [
        {"nn.py": _SCRIPT.replace("# Hyperparameters\n", "")},
        {"nn.py": _SCRIPT.replace('"""A network."""', "'''Another text.'''")},
        {"nn.py": _SCRIPT.replace('    """Make it."""\n', "")},
        {"nn.py": _SCRIPT.replace("epochs = 20", "epochs=20  # more").replace("1e-3", "0.001")},
        {"nn.py": _SCRIPT, "README.md": "text", "LICENSE": "text", ".gitignore": "*.keras"},
        {"nn.py": _SCRIPT, "epochal.toml": "# what matters of it is in the circumstances"},
    ],
)
def test_what_does_not_count(tmp_path: Path, files: dict[str, str]) -> None:
    """Comments, docstrings, formatting, how a number is written, and files that training does not depend on."""
    assert _meaning(tmp_path, files, threshold=0.8) == _meaning(tmp_path, {"nn.py": _SCRIPT}, threshold=0.8)


@pytest.mark.parametrize(
    "files",
    [
        {"nn.py": _SCRIPT.replace("20", "21")},
        {"nn.py": _SCRIPT.replace('"text"', '"other"')},
        {"nn.py": _SCRIPT + "print(build.__doc__)\n"},
        {"nn.py": _SCRIPT, "layers.py": "width = 3\n"},
        {"nn.py": _SCRIPT, "data/digits.csv": "1,2\n"},
        {"nn.py": _SCRIPT, "requirements.txt": "numpy\n"},
        {"nn.py": "epochs = \n"},
    ],
)
def test_what_counts(tmp_path: Path, files: dict[str, str]) -> None:
    """Any value, any other module, any data, the requirements."""
    assert _meaning(tmp_path, files, threshold=0.8) != _meaning(tmp_path, {"nn.py": _SCRIPT}, threshold=0.8)


def test_the_circumstances_count(tmp_path: Path) -> None:
    """The same code under other settings is something else."""
    files = {"nn.py": _SCRIPT}
    assert _meaning(tmp_path, files, threshold=0.8) != _meaning(tmp_path, files, threshold=0.9)


def test_code_that_may_read_itself_counts_by_the_letter(tmp_path: Path) -> None:
    """A docstring is an option's text for docopt, and source is data for who asks for it."""
    files = {"nn.py": '"""Usage: nn.py"""\nimport docopt\ndocopt.docopt(__doc__)\n'}
    other = {"nn.py": files["nn.py"].replace("Usage: nn.py", "Usage: nn.py --fast")}
    assert _meaning(tmp_path, files) != _meaning(tmp_path, other)


def test_a_link_counts_by_its_target(tmp_path: Path) -> None:
    """It is not followed: what is behind it counts where it stands."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "data").symlink_to("one")
    before = meaning_of(tmp_path / "code", {})
    (tmp_path / "code" / "data").unlink()
    (tmp_path / "code" / "data").symlink_to("other")
    assert meaning_of(tmp_path / "code", {}) != before


def test_requirements_count_without_their_comments(tmp_path: Path) -> None:
    """A remark about a requirement asks for nothing."""
    plain = _meaning(tmp_path, {"requirements.txt": "numpy\npandas\n"})
    assert _meaning(tmp_path, {"requirements.txt": "# of data\nnumpy # arrays\n\npandas"}) == plain
    assert _meaning(tmp_path, {"requirements.txt": "numpy\n"}) != plain


@given(st.text(), st.text())
def test_files_do_not_run_into_each_other(one: str, other: str) -> None:
    """Where one file ends and the next begins counts: no two ways of sharing a text among files are the same."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("a", one), ("b", other)):
            Path(folder, name).write_bytes(text.encode("utf-8", "surrogatepass"))
        parted = meaning_of(Path(folder), {})
        Path(folder, "a").write_bytes((one + other).encode("utf-8", "surrogatepass"))
        Path(folder, "b").write_bytes(b"")
        assert (meaning_of(Path(folder), {}) == parted) == (other == "")
