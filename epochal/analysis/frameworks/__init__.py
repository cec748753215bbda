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
from typing import Protocol, cast

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
class RemovedApi:
    """A ``line`` (from 1) of the source that uses ``what`` today's framework lacks, and what to write ``instead``."""

    line: int
    what: str
    instead: str


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

    def find_removed_apis(self, source: str) -> list[RemovedApi]:
        """Return what a module's ``source`` uses that today's version has no more, in the order of lines."""


_NAMES = {*Framework.__annotations__, "find_removed_apis"}


def find_nothing(_source: str) -> list[RemovedApi]:
    """Return an empty list, as ``find_removed_apis`` of a framework without removed APIs to look for."""
    return []


def frameworks() -> dict[str, Framework]:
    """Return the module of every framework by its name, in the order of their names. Raises TypeError for any other module."""
    found: dict[str, Framework] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        missing = sorted(_NAMES - set(vars(module)))
        if missing:
            raise TypeError(f"{module.__file__} lacks {', '.join(missing)}: see epochal.analysis.frameworks.Framework.")
        found[name] = cast(Framework, module)
    return found


def dataset_caches() -> list[DatasetCache]:
    """Return the dataset caches of all frameworks."""
    return [framework.DATASETS for framework in frameworks().values() if framework.DATASETS]


def check_setting(name: str) -> None:
    """Raise SettingsError unless ``name``, the framework in epochal.toml, is that of a module, or empty."""
    known = list(frameworks())
    if name and name not in known:
        names = _join([repr(each) for each in ["", *known]])
        raise SettingsError(f"epochal.toml: framework: Input should be {names} (it is {name!r}).")


def find_dataset(name: str) -> tuple[str, str]:
    """Return the name of the framework that the dataset ``name`` belongs to, and the Python that has it cached.

    Raises UsageError for a dataset that no framework can fetch.
    """
    fetchable: dict[str, tuple[str, str]] = {}
    for framework, module in frameworks().items():
        if module.DATASETS:
            fetchable |= {dataset: (framework, script) for dataset, script in module.DATASETS.scripts.items()}
    if name in fetchable:
        return fetchable[name]
    raise UsageError(
        f"{name} is none of the datasets that can be fetched: {', '.join(fetchable)}. "
        "Put files of your own into the folder that server.toml calls data: training sees it as /data."
    )


def all_imports() -> str:
    """Return the packages whose import means a framework, as a list in words."""
    return _join([package for framework in frameworks().values() for package in framework.IMPORTS])


def fetchable_in_words() -> str:
    """Return whose datasets can be fetched, in words: ``Keras'``."""
    return _owned_in_words(
        {each.TITLE: "" for each in frameworks().values() if each.DATASETS and each.DATASETS.scripts}
    )


def measured_in_words() -> str:
    """Return the methods whose measurements are recorded, in words: ``Keras' evaluate() or scikit-learn's score()``."""
    methods = {each.TITLE: each.RECORDER.measures for each in frameworks().values() if each.RECORDER.measures}
    return _owned_in_words(methods)


def resumed_in_words() -> str:
    """Return the methods that are resumed from a checkpoint, in words: ``Keras' fit``."""
    methods = {each.TITLE: each.RECORDER.resumes for each in frameworks().values() if each.RECORDER.resumes}
    return _owned_in_words(methods)


def _owned_in_words(by_title: Mapping[str, str]) -> str:
    """Join what belongs to frameworks, by their titles; an empty text leaves the title alone."""
    ends = {title: "'" if title.endswith("s") else "'s" for title in by_title}
    return _join([f"{title}{ends[title]} {owned}".rstrip() for title, owned in by_title.items()])


def _join(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
