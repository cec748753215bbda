"""The framework modules, and the functions that look things up in them."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from epochal.analysis import frameworks as package
from epochal.analysis.frameworks import check_framework, find_dataset, frameworks
from epochal.errors import SettingsError, UsageError
from epochal.store.schema import metadata


def test_framework_modules_are_complete() -> None:
    """Each module's pins file exists, its log patterns compile, and its name fits the database column."""
    assert list(frameworks()) == ["jax", "keras", "lightgbm", "python", "sklearn", "torch", "xgboost"]
    for name, framework in frameworks().items():
        assert framework.PINS.name == f"{name}.txt"
        assert framework.PINS.is_file()
        for pattern in (framework.LOG_LINES.progress, framework.LOG_LINES.reports):
            re.compile(pattern)
        assert len(name) <= metadata.tables["runs"].c.framework.type.length  # type: ignore[attr-defined]


def test_no_import_belongs_to_two_frameworks() -> None:
    """Otherwise the framework of a script would depend on the order of the modules."""
    packages = [package for framework in frameworks().values() for package in framework.IMPORTS]
    assert len(packages) == len(set(packages))


def test_incomplete_module_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and what it lacks, and is raised on loading rather than at first use."""
    (tmp_path / "unfinished_one.py").write_text('TITLE = "Unfinished"\n')
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match=re.escape(f"{tmp_path}/unfinished_one.py lacks DATASETS, ")):
        frameworks()


def test_framework_setting_is_a_known_name_or_empty() -> None:
    """The error for any other name lists the known ones."""
    for name in ("", *frameworks()):
        check_framework(name)
    with pytest.raises(
        SettingsError, match="'', 'jax', 'keras', 'lightgbm', 'python', 'sklearn', 'torch' or 'xgboost'"
    ):
        check_framework("Keras")


def test_datasets_are_found_by_name() -> None:
    """IMDB includes its word index, and pretrained weights also have names. The error for an unknown name lists the known ones."""
    assert find_dataset("mnist") == ("keras", "from keras.datasets import mnist; mnist.load_data()")
    assert find_dataset("imdb")[1].endswith("imdb.load_data(); imdb.get_word_index()")
    assert find_dataset("VGG16")[0] == "keras"
    assert find_dataset("fetch_covtype") == ("sklearn", "from sklearn.datasets import fetch_covtype; fetch_covtype()")
    with pytest.raises(
        UsageError, match=r"There is no dataset named imagenet to fetch\. Choose one of:\n  boston_housing, "
    ):
        find_dataset("imagenet")


def test_nltk_data_is_unpacked_where_nltk_finds_it(tmp_path: Path) -> None:
    """The download script works without NLTK installed; here it gets a local archive."""
    archive = tmp_path / "address" / "tokenizers" / "punkt_tab.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("punkt_tab/english/a.txt", "")
    framework, script = find_dataset("nltk:punkt_tab")
    address = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages"
    assert address in script
    script = script.replace(address, archive.parent.parent.as_uri())
    subprocess.run([sys.executable, "-c", script], env={"NLTK_DATA": str(tmp_path / "nltk_data")}, check=True)
    assert framework == "python"
    assert (tmp_path / "nltk_data" / "tokenizers" / "punkt_tab" / "english" / "a.txt").exists()
