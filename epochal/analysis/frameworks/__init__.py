"""One module for each framework that code can train with: what Epochal knows of it.

A module's name is the framework's in ``epochal.toml``, in the database (at most 16 characters) and in the tag of its image;
it has the names of ``Framework``. Every module in this package's ``__path__`` counts, so a new framework is a new file here,
and one that is kept elsewhere is known as soon as its folder is added to ``__path__``.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from epochal.errors import SettingsError, UsageError

WITHOUT = "python"
"""The framework of code that imports none."""


@dataclass(frozen=True)
class DatasetCache:
    """Where a framework caches the datasets that it downloads.

    ``folder``: its folder's name in Epochal's dataset cache. ``variable``: the environment variable that tells it the folder.
    ``linked_as``: the folder in a training's HOME that gets a link to each cached file, for a framework that writes beside
    them; empty if the variable is set for the training instead. ``scripts``: by the name of each dataset that can be
    fetched, the Python that has it cached. ``module``: a pattern of the path of the framework's own modules that download
    datasets, as a traceback shows it, with the dataset as the group ``name``; empty if there are none.
    """

    folder: str
    variable: str
    linked_as: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)
    module: str = ""


@dataclass(frozen=True)
class LogLines:
    """Patterns of the lines that a framework prints by itself; empty if it prints none.

    ``progress``: matches, whatever the case, the beginning of a line that shows progress. ``reports``: is found in a line
    that contains an accuracy but does not state it as the code's result.
    """

    progress: str = ""
    reports: str = ""


@dataclass(frozen=True)
class Recorder:
    """What the module of ``epochal_recorder`` with the framework's name can do; nothing if there is no such module.

    ``measures``: the method of the framework whose accuracy and test samples it records. ``resumes``: the method that it
    resumes from a checkpoint.
    """

    measures: str = ""
    resumes: str = ""


@dataclass(frozen=True)
class Idiom:
    """A ``line`` (from 1) of the source with ``what`` today's framework lacks, and what to write ``instead``."""

    line: int
    what: str
    instead: str


@runtime_checkable
class Framework(Protocol):
    """What a module of this package has."""

    TITLE: str
    """The framework's name as its makers write it: ``scikit-learn``."""
    IMPORTS: tuple[str, ...]
    """The top-level packages whose import means the framework."""
    IS_TOOL: bool
    """Whether code that imports it beside another framework trains with the other one."""
    PINS: Path
    """The requirements file of its training environment."""
    DATASETS: DatasetCache | None
    """Its cache of downloaded datasets, if it has one."""
    MODEL_SUFFIXES: tuple[str, ...]
    """The suffixes of the files that it saves models in."""
    LOG_LINES: LogLines
    """What it prints by itself."""
    RECORDER: Recorder
    """What the recorder can do for it."""

    def find_idioms(self, source: str) -> list[Idiom]:
        """Return the idioms of older versions in a module's ``source`` that today's version lacks, in the order of lines."""


_NAMES = {*Framework.__annotations__, "find_idioms"}


def no_idioms(_source: str) -> list[Idiom]:
    """Return nothing, as ``find_idioms`` of a framework without idioms to look for."""
    return []


def frameworks() -> dict[str, Framework]:
    """Return the module of every framework by its name, in the order of their names. Raises TypeError for any other module."""
    found: dict[str, Framework] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        if not isinstance(module, Framework):
            missing = sorted(_NAMES - set(vars(module)))
            raise TypeError(f"{module.__file__} lacks {', '.join(missing)}: see epochal.analysis.frameworks.Framework.")
        found[name] = module
    return found


def dataset_caches() -> list[DatasetCache]:
    """Return the dataset caches of all frameworks."""
    return [framework.DATASETS for framework in frameworks().values() if framework.DATASETS]


def check_setting(name: str) -> None:
    """Raise SettingsError unless ``name``, the framework in epochal.toml, is that of a module, or empty."""
    known = list(frameworks())
    if name and name not in known:
        names = _listed([repr(each) for each in ["", *known]])
        raise SettingsError(f"epochal.toml: framework: Input should be {names} (it is {name!r}).")


def find_dataset(name: str) -> tuple[str, str]:
    """Return the name of the framework that the dataset ``name`` belongs to, and the Python that has it cached.

    Raises UsageError for a dataset that no framework can fetch.
    """
    caches = {framework: module.DATASETS for framework, module in frameworks().items() if module.DATASETS}
    for framework, cache in caches.items():
        if name in cache.scripts:
            return framework, cache.scripts[name]
    known = ", ".join(dataset for cache in caches.values() for dataset in cache.scripts)
    raise UsageError(
        f"{name} is none of the datasets that can be fetched: {known}. "
        "Put files of your own into the folder that server.toml calls data: training sees it as /data."
    )


def all_imports() -> str:
    """Return the packages whose import means a framework, as a list in words."""
    return _listed([package for framework in frameworks().values() for package in framework.IMPORTS])


def fetchable_in_words() -> str:
    """Return whose datasets can be fetched, in words: ``Keras'``."""
    return _listed(
        [_possessive(each.TITLE) for each in frameworks().values() if each.DATASETS and each.DATASETS.scripts]
    )


def measured_in_words() -> str:
    """Return the methods whose measurements are recorded, in words: ``Keras' evaluate() or scikit-learn's score()``."""
    return _methods({each.TITLE: each.RECORDER.measures for each in frameworks().values()})


def resumed_in_words() -> str:
    """Return the methods that are resumed from a checkpoint, in words: ``Keras' fit``."""
    return _methods({each.TITLE: each.RECORDER.resumes for each in frameworks().values()})


def _methods(by_title: Mapping[str, str]) -> str:
    return _listed([f"{_possessive(title)} {method}" for title, method in by_title.items() if method])


def _possessive(title: str) -> str:
    return f"{title}'" if title.endswith("s") else f"{title}'s"


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
