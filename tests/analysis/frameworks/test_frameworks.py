"""The modules of the frameworks, as the rest of Epochal finds them."""

import re
from pathlib import Path

import pytest

from epochal.analysis import frameworks as package
from epochal.analysis.frameworks import check_setting, find_dataset, frameworks
from epochal.errors import SettingsError, UsageError
from epochal.store.schema import metadata


def test_every_module_says_all_that_is_asked() -> None:
    """The four of the package, with pins that are there, patterns that are ones, and names that the database can hold."""
    assert list(frameworks()) == ["keras", "python", "sklearn", "torch"]
    for name, framework in frameworks().items():
        assert framework.PINS.name == f"{name}.txt"
        assert framework.PINS.is_file()
        for pattern in (framework.LOG_LINES.progress, framework.LOG_LINES.reports):
            re.compile(pattern)
        assert len(name) <= metadata.tables["runs"].c.framework.type.length  # type: ignore[attr-defined]


def test_no_import_means_two_frameworks() -> None:
    """Each package belongs to one module."""
    packages = [package for framework in frameworks().values() for package in framework.IMPORTS]
    assert len(packages) == len(set(packages))


def test_a_module_that_lacks_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say which file it is, instead of failing where the name is first used."""
    (tmp_path / "unfinished_one.py").write_text('TITLE = "Unfinished"\n')
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match=re.escape(f"{tmp_path}/unfinished_one.py lacks DATASETS, ")):
        frameworks()


def test_the_setting_is_a_module_or_empty() -> None:
    """Any framework's name, or none; for another one all are listed."""
    for name in ("", *frameworks()):
        check_setting(name)
    with pytest.raises(SettingsError, match="'', 'keras', 'python', 'sklearn' or 'torch'"):
        check_setting("Keras")


def test_the_datasets_that_can_be_fetched() -> None:
    """Keras' eight, two of them with their dictionary."""
    assert find_dataset("mnist") == ("keras", "from keras.datasets import mnist; mnist.load_data()")
    assert find_dataset("imdb")[1].endswith("imdb.load_data(); imdb.get_word_index()")
    with pytest.raises(UsageError, match="imagenet is none of the datasets that can be fetched: boston_housing, "):
        find_dataset("imagenet")
