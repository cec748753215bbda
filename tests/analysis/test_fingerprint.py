"""The fingerprint of everything that a verdict depends on: which changes affect it, and which do not."""

import json
import os
from pathlib import Path, PurePath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from epochal.analysis.fingerprint import affects_training, digest_listing, fingerprint, fingerprint_parts, list_files

_SCRIPT = '''"""A model."""
import helpers

epochs = 20
rate = 1e-3


def build(filters=16):
    """Build it."""
    return helpers.layer(filters, "relu")


class Model:
    """The model."""

    units = (1, 2)


print("Test accuracy:", epochs / 40)
'''
_FILES = {
    "nn.py": _SCRIPT,
    "helpers.py": "def layer(filters, name):\n    return filters, name\n",
    "data/a.csv": "1,2\n",
}


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return folder


def _fingerprint(folder: Path, context: list[str], change: dict[str, bytes] | None = None) -> str:
    return fingerprint([*context, *fingerprint_parts(folder, change or {})])


def _fingerprint_with(folder: Path, **changed: str) -> str:
    """Return the fingerprint after replacing the content of some files; ``data__a_csv`` stands for data/a.csv."""
    names = {name.replace("__", "/").replace("_", "."): content for name, content in changed.items()}
    return _fingerprint(_write(folder, _FILES | names), ["image"])


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a folder for the files of a commit."""
    return tmp_path / "code"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property test share."""
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize(
    "script",
    [
        _SCRIPT.replace("epochs = 20", "epochs=20  # many"),
        _SCRIPT.replace('"""Build it."""', "'''Build another\n    one.'''").replace("A model", "The model"),
        _SCRIPT.replace("\n", "\r\n"),
        "\ufeff" + _SCRIPT,
        "# coding: utf-8\n" + _SCRIPT.replace("1e-3", "0.001").replace('"relu"', "('relu')"),
        _SCRIPT + "\n'''epochs = 30\n'''\n",
    ],
)
def test_formatting_does_not_count(code: Path, script: str) -> None:
    """Comments, docstrings, whitespace, line endings, byte order marks and string statements do not affect training."""
    assert _fingerprint_with(code) == _fingerprint_with(code, nn_py=script)


@pytest.mark.parametrize(
    "changed",
    [
        {"nn_py": _SCRIPT.replace("20", "20.0")},
        {"nn_py": _SCRIPT.replace('"relu"', '"gelu"')},
        {"nn_py": _SCRIPT.replace("import helpers\n", "")},
        {"helpers_py": "def layer(filters, name):\n    return name, filters\n"},
        {"data__a_csv": "1,3\n"},
        {"data__README_md": "deeper down it may be data"},
        {"nn_py": "def x(:\n"},
    ],
)
def test_code_and_data_count(code: Path, changed: dict[str, str]) -> None:
    """Constants, strings, imports, local modules and data files affect training, and so may code that does not parse."""
    assert _fingerprint_with(code) != _fingerprint_with(code, **changed)


def test_only_the_code_of_a_notebook_counts(code: Path) -> None:
    """New outputs and execution counts make no difference. In a broken notebook, every byte counts."""

    def measure(source: str, count: int) -> str:
        cell = {"cell_type": "code", "source": [source], "execution_count": count, "outputs": [{"text": [str(count)]}]}
        _write(code, {"a.ipynb": json.dumps({"cells": [{"cell_type": "markdown", "source": str(count)}, cell]})})
        return fingerprint(fingerprint_parts(code, {}))

    first = measure("epochs = 20", 1)
    assert measure("epochs = 20", 2) == first
    assert measure("epochs = 30", 1) != first
    _write(code, {"a.ipynb": "{"})
    broken = fingerprint(fingerprint_parts(code, {}))
    _write(code, {"a.ipynb": "{ "})
    assert fingerprint(fingerprint_parts(code, {})) != broken


def test_unparsable_code_counts_by_its_bytes(code: Path) -> None:
    """Examples are a template that only looks like Python, and an integer with too many digits to convert."""
    assert _fingerprint_with(code, helpers_py="{% x %} # one\n") != _fingerprint_with(
        code, helpers_py="{% x %} # two\n"
    )
    huge = "big = 0x" + "f" * 5000
    assert _fingerprint_with(code, helpers_py=huge) != _fingerprint_with(code, helpers_py=f"{huge} # two\n")


def test_names_links_modes_and_context_count(code: Path) -> None:
    """File names, link targets and the executable bit count, and so does each context string on its own."""
    fingerprints = {_fingerprint_with(code), _fingerprint(code, ["image", ""]), _fingerprint(code, ["im", "age"])}
    (code / "data/a.csv").chmod(0o755)
    fingerprints.add(_fingerprint(code, ["image"]))
    (code / "data/a.csv").rename(code / "data/b.csv")
    fingerprints.add(_fingerprint(code, ["image"]))
    for target in ("data", "data/b.csv"):
        (code / "link").unlink(missing_ok=True)
        (code / "link").symlink_to(target)
        fingerprints.add(_fingerprint(code, ["image"]))
    assert len(fingerprints) == 7
    assert "link" in list_files(code)


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGES.md", "LICENSE", "epochal.toml", "requirements.txt", ".gitignore"]
)
def test_texts_and_settings_count_only_if_the_code_names_them(code: Path, name: str) -> None:
    """A top-level file counts if a string in the code is its name, or a wildcard with its suffix."""
    script = _write(code, _FILES) / "nn.py"
    before = _fingerprint(code, [])
    (code / name).write_text("More")
    assert (affects_training(name), affects_training(f"data/{name}")) == (False, True)
    assert _fingerprint(code, []) == before
    for named in (name, f"*{PurePath(name).suffix or name}"):
        script.write_text(f"{_SCRIPT}files = glob.glob({named!r})\n")
        (code / name).write_text("One")
        before = _fingerprint(code, [])
        (code / name).write_text("Two")
        assert _fingerprint(code, []) != before


@pytest.mark.parametrize(
    ("line", "comment", "docstring"),
    [
        ("parser = docopt(__doc__)", False, True),
        ("from inspect import getdoc", False, True),
        ("text = inspect.getsource(build)", True, True),
        ("text = open(__file__).read()", True, True),
        ("text = Path(__file__).read_text()", True, True),
        ("text = open('nn.py').read()", True, True),
        ("folder = Path(__file__).parent", False, False),
    ],
)
def test_code_that_reads_itself_counts_by_what_it_reads(code: Path, line: str, comment: bool, docstring: bool) -> None:
    """If the code reads its own docstrings, they count; if it reads its own source, every byte counts."""
    script = f"{_SCRIPT}{line}\n"
    before = _fingerprint_with(code, nn_py=script)
    assert (_fingerprint_with(code, nn_py=f"{script}# more\n") != before) is comment
    assert (_fingerprint_with(code, nn_py=script.replace("A model", "The model")) != before) is docstring


def test_change_has_the_fingerprint_of_the_commit_that_adopts_it(code: Path) -> None:
    """That is why the verdict on a suggested change can be reused once the change is committed."""
    changed = _SCRIPT.replace("20", "30")
    _write(code, _FILES)
    offered = _fingerprint(code, ["image"], {"nn.py": changed.encode()})
    assert offered != _fingerprint(code, ["image"])
    other_data = _fingerprint(code, ["image"], {"data/a.csv": b"3,4\n"})
    assert offered == _fingerprint_with(code, nn_py=f"# Adopted.\n{changed}")
    assert other_data == _fingerprint_with(code, data__a_csv="3,4\n")


@given(line=st.integers(0, _SCRIPT.count("\n")), text=st.text(st.characters(exclude_categories=["C", "Z"])))
def test_comments_never_count(folder: Path, line: int, text: str) -> None:
    """A comment may contain any text and be on any line, with blank lines around it."""
    lines = _SCRIPT.splitlines()
    lines.insert(line, f"\n    # {text}\n")
    assert _fingerprint_with(folder) == _fingerprint_with(folder, nn_py="\n".join(lines))


@given(value=st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.booleans(), st.none()))
def test_every_other_constant_counts(folder: Path, value: object) -> None:
    """Even an equal value counts as a change if its type is different: 20.0 is not 20."""
    assume(not (type(value) is int and value == 20))
    assert _fingerprint_with(folder) != _fingerprint_with(folder, nn_py=_SCRIPT.replace("= 20", f"= {value!r}"))


def test_listing_of_data_changes_with_names_sizes_and_times(tmp_path: Path) -> None:
    """The contents need not be read, because a change to a file also changes its modification time."""
    data = _write(tmp_path, {"a/one.npz": "1", "two.npz": "2"})
    os.utime(data / "two.npz", ns=(1, 1))
    first = digest_listing(data)
    assert digest_listing(data) == first
    os.utime(data / "two.npz", ns=(1, 2))
    second = digest_listing(data)
    (data / "two.npz").write_text("22")
    os.utime(data / "two.npz", ns=(1, 2))
    third = digest_listing(data)
    (data / "two.npz").rename(data / "a/two.npz")
    assert len({first, second, third, digest_listing(data)}) == 4
