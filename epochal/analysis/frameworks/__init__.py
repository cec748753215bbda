"""One module for each supported framework, with everything that Epochal knows about the framework.

A module's name is the framework's name in ``epochal.toml``, in the database (at most 16 characters) and in the tag of
its image. The module defines the attributes of ``Framework``. Every module on this package's ``__path__`` is used: to
add a framework, put a file here, or put it in another folder and add that folder to ``__path__``.
"""

import ast
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from epochal.analysis.syntax import full_name, parse_tree, resolve_imports
from epochal.errors import SettingsError, UsageError
from epochal.grammar import join_words

NO_FRAMEWORK = "python"
"""The name of the framework module for code that imports no framework."""


@dataclass(frozen=True)
class DatasetCache:
    """Where a framework caches the datasets that it downloads.

    folder: the name of the framework's folder in Epochal's dataset cache.
    variable: the environment variable that sets the framework's cache folder.
    link_folder: for a framework that writes files next to its cached ones, the folder in the training process's HOME
        that holds links to the cached files; empty if ``variable`` is set for training instead.
    scripts: for each dataset that can be downloaded, Python code that downloads it into the cache.
    module: a regular expression for the path and name of each function that downloads a dataset, such as
        ``sklearn/datasets/_covtype.py fetch_covtype``. Its group ``name`` is the dataset's name. Empty if the framework
        has no such functions.
    """

    folder: str
    variable: str
    link_folder: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)
    module: str = ""


@dataclass(frozen=True)
class LogLines:
    """Regular expressions for the lines that a framework prints on its own; empty if it prints no such lines.

    ``progress``: matches the beginning of a line that shows progress; case is ignored. ``reports``: matches some part
    of a line that states an accuracy other than the code's result.
    """

    progress: str = ""
    reports: str = ""


@dataclass(frozen=True)
class Recorder:
    """The methods of a framework that the recorder supports, as named in messages.

    ``measures``: the method that measures an accuracy; the recorder records this accuracy and the test samples.
    ``resumes``: the method that the recorder can resume from a checkpoint. Each is empty if there is no such method.
    """

    measures: str = ""
    resumes: str = ""


@dataclass(frozen=True)
class RemovedApi:
    """A line of code that uses an API that the framework has removed.

    ``line``: the number of the line, counted from 1. ``what``: the removed API. ``instead``: what to use instead.
    ``owner``: the title of the package that provided the API, if that is not the framework itself. ``error``: a regular
    expression for the error that a later line raises because of this one, if that error does not name the API.
    """

    line: int
    what: str
    instead: str
    owner: str = ""
    error: str = ""


class Framework(Protocol):
    """The attributes that each module of this package defines."""

    TITLE: str
    """The framework's name as its developers write it, such as ``scikit-learn``."""
    IMPORTS: tuple[str, ...]
    """The top-level packages whose import identifies the framework."""
    RANK: int
    """If code imports several frameworks, Epochal chooses the one with the lowest rank. Ranks start at 0.

    Importing two frameworks of rank 0 is an error unless epochal.toml names one, because either of them could train the
    model. Among several frameworks that share a higher rank, Epochal chooses the one that is imported first.
    """
    PINS: Path
    """The requirements file of the framework's training environment, with pinned versions."""
    DATASETS: DatasetCache | None
    """The framework's cache of downloaded datasets, if it has one."""
    MODEL_SUFFIXES: tuple[str, ...]
    """The suffixes of the framework's model files."""
    LOG_LINES: LogLines
    """Patterns for the lines that the framework prints on its own."""
    RECORDER: Recorder
    """What the recorder can do for the framework."""
    SET_EPOCHS: str
    """A message that tells users how to set the number of epochs so that a retrain can raise it."""

    def find_removed_apis(self, source: str) -> list[RemovedApi]:
        """Return each place in a module's ``source`` that uses an API removed from the framework, in line order."""


_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_VERSIONS = re.compile(r"version|\bPY[23]\b|hasattr")

_NAMES = {*Framework.__annotations__, "find_removed_apis"}


def no_removed_apis(_source: str) -> list[RemovedApi]:
    """Return an empty list. Frameworks without known removed APIs use this as their ``find_removed_apis``."""
    return []


def find_removed_names(source: str, removed: Mapping[str, str]) -> list[RemovedApi]:
    """Return each place in a module's ``source`` that imports or uses a name in ``removed``, sorted by line.

    ``removed``: full names of modules and of what they define, mapped to their new full names or to descriptions of
    what to use instead. Code that may be for another version (in a ``try``, or under a version check) is left out. The
    list is empty if the source is not valid Python.
    """
    tree = parse_tree(source)
    if tree is None:
        return []
    nodes, guarded = _walk_unguarded(tree)
    unsure = {name for node in guarded for name in resolve_imports(node)}
    names = {name: full for name, full in resolve_imports(tree).items() if name not in unsure}
    found = {api for node in nodes for api in _check_node(node, names, removed)}
    return sorted(found, key=lambda api: (api.line, api.what))


def _walk_unguarded(tree: ast.Module) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return the nodes outside any ``try`` or version check, and the outermost ``try`` and version-check nodes."""
    nodes, guarded, stack = list[ast.AST](), list[ast.AST](), list[ast.AST]([tree])
    while stack:
        node = stack.pop()
        if (isinstance(node, ast.Try) and node.handlers) or (
            isinstance(node, ast.If | ast.IfExp) and _VERSIONS.search(ast.unparse(node.test))
        ):
            guarded.append(node)
        else:
            nodes.append(node)
            stack += ast.iter_child_nodes(node)
    return nodes, guarded


def _check_node(node: ast.AST, names: dict[str, str], removed: Mapping[str, str]) -> Iterator[RemovedApi]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if what := _find_prefix(alias.name, removed):
                yield RemovedApi(node.lineno, what, _rewrite_import(alias, what, removed[what]))
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            if what := _find_prefix(f"{node.module}.{alias.name}", removed):
                yield RemovedApi(alias.lineno, what, _rewrite_import_from(node, alias, what, removed[what]))
    elif isinstance(node, ast.Attribute) and (what := _find_prefix(full_name(node, names), removed)):
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not f"{full_name(root, names)}.".startswith(f"{what}."):  # else replacing the import is enough
            yield RemovedApi(node.end_lineno or node.lineno, what, removed[what])


def _find_prefix(path: str, removed: Mapping[str, str]) -> str:
    """Return the longest key of ``removed`` that is a prefix of a dotted name; empty if there is none."""
    parts = path.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in removed), "")


def _rewrite_import(alias: ast.alias, what: str, instead: str) -> str:
    if not _NAME.fullmatch(instead):
        return instead
    moved = instead + alias.name.removeprefix(what)
    own = alias.asname or ("" if "." in alias.name else alias.name)
    return f"import {moved}" + (f" as {own}" if own not in ("", moved) else "")


def _rewrite_import_from(node: ast.ImportFrom, alias: ast.alias, what: str, instead: str) -> str:
    if not _NAME.fullmatch(instead):
        return instead
    if what != f"{node.module}.{alias.name}":
        names = ", ".join(ast.unparse(each) for each in node.names)
        return f"from {instead}{(node.module or '').removeprefix(what)} import {names}"
    package, _, name = instead.rpartition(".")
    renamed = f" as {alias.asname}" if alias.asname else ""
    return f"from {package} import {name}{renamed}" if package else f"import {name}{renamed}"


def frameworks() -> dict[str, Framework]:
    """Return each framework's module, keyed and sorted by name.

    Raises TypeError if a module of this package lacks an attribute of ``Framework``.
    """
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


def check_framework(name: str) -> None:
    """Raise SettingsError unless ``name`` (``framework`` in epochal.toml) is empty or the name of a framework."""
    known = frameworks()
    if name and name not in known:
        names = join_words([repr(each) for each in ["", *known]], "or")
        meant = [each for each, module in known.items() if name.lower() in (module.TITLE.lower(), *module.IMPORTS)]
        similar = meant or get_close_matches(name.lower(), known, n=1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        raise SettingsError(f"epochal.toml: framework: Input should be {names} (it is {name!r}).{hint}")


def find_dataset(name: str) -> tuple[str, str]:
    """Return the framework of the dataset ``name``, and the Python code that downloads it into the framework's cache.

    Raises UsageError if no framework can download it.
    """
    fetchable: dict[str, tuple[str, str]] = {}
    for framework, module in frameworks().items():
        if module.DATASETS:
            fetchable |= {dataset: (framework, script) for dataset, script in module.DATASETS.scripts.items()}
    if name in fetchable:
        return fetchable[name]
    raise UsageError(
        f"There is no dataset named {name} to fetch. Choose one of:\n  {', '.join(fetchable)}\n"
        "To train on your own files, put them in the server's data folder (the data setting in server.toml); scripts "
        "find its path in the environment variable EPOCHAL_DATA."
    )


def all_imports() -> str:
    """Return the packages whose import identifies a framework, as in ``keras, tensorflow or torch``."""
    return join_words([package for framework in frameworks().values() for package in framework.IMPORTS], "or")


def describe_measured_methods() -> str:
    """Return the methods whose results are recorded, as in ``Keras' evaluate() or scikit-learn's score()``."""
    methods = {each.TITLE: each.RECORDER.measures for each in frameworks().values() if each.RECORDER.measures}
    return _join_possessives(methods)


def describe_resumed_methods() -> str:
    """Return the methods that can resume from a checkpoint, as in ``Keras' fit``."""
    methods = {each.TITLE: each.RECORDER.resumes for each in frameworks().values() if each.RECORDER.resumes}
    return _join_possessives(methods)


def _join_possessives(by_title: Mapping[str, str]) -> str:
    """Join framework titles as possessives, each followed by its text: ``Keras' fit or XGBoost's score()``."""
    ends = {title: "'" if title.endswith("s") else "'s" for title in by_title}
    return join_words([f"{title}{ends[title]} {text}".rstrip() for title, text in by_title.items()], "or")
