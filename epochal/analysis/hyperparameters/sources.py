"""Read the files that may set hyperparameters: the script, the local modules it imports, and configuration files."""

import ast
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from epochal.analysis.hyperparameters.config_files import CONFIG_SUFFIXES, find_keys
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.syntax import Module

_MAX_BYTES = 256 * 1024
"""The maximum size of a file to read. Larger files hold data rather than settings."""
_MAX_MODULES = 200
_MAX_CONFIG_FILES = 200
_NOT_READ = frozenset({"epochal.toml", "pyproject.toml", "package.json", "package-lock.json"})


@dataclass(frozen=True)
class Sources:
    """The files that may set hyperparameters. All paths are relative to the folder that contains the code.

    ``script``: the path of the script. ``modules``: the script and the local modules that it imports, directly or
    indirectly. ``configs``: the YAML, JSON and TOML files that these modules seem to read. Both map paths to contents.
    """

    script: str
    modules: Mapping[str, bytes]
    configs: Mapping[str, bytes]

    @property
    def contents(self) -> dict[str, bytes]:
        """The contents of all files, keyed by path."""
        return {**self.modules, **self.configs}


def read_sources(code: Path, script: str, content: bytes) -> Sources:
    """Read the script's local modules and configuration files from the folder ``code``.

    ``script``: the script's path in that folder. ``content``: the script's content; the script need not exist in the
    folder. Only regular files of at most 256 KB are read.
    """
    modules = read_modules(code, script, content)
    return Sources(script, modules, _read_configs(code, PurePosixPath(script).parent, modules))


def read_modules(code: Path, script: str, content: bytes) -> dict[str, bytes]:
    """Return the contents of the script and its local modules, keyed by path, script first. See ``read_sources``."""
    modules = {script: content}
    folder = PurePosixPath(script).parent
    queue = [script]
    for path in queue:
        module = Module.parse(modules[path])
        for imported in _imported_paths(module.tree, PurePosixPath(path), folder) if module else ():
            if imported not in modules and len(modules) < _MAX_MODULES:
                text = _read_file(code, imported)
                if text is not None:
                    modules[imported] = text
                    queue.append(imported)
    return modules


def imported_module(node: ast.ImportFrom | ast.alias, path: str, script: str) -> list[str]:
    """Return the possible paths of the module in ``from module import …`` or ``import module``.

    ``path``: the file that imports it. ``script``: the script, whose folder Python searches for modules.
    """
    if isinstance(node, ast.alias):
        return _module_paths(PurePosixPath(script).parent, node.name)
    return _module_paths(_import_folder(node, PurePosixPath(path), PurePosixPath(script).parent), node.module or "")


def _imported_paths(tree: ast.Module, path: PurePosixPath, folder: PurePosixPath) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_paths(folder, alias.name)
        elif isinstance(node, ast.ImportFrom):
            start, name = _import_folder(node, path, folder), node.module or ""
            yield from _module_paths(start, name)
            for alias in node.names:
                yield from _module_paths(start, f"{name}.{alias.name}".strip("."))


def _import_folder(node: ast.ImportFrom, path: PurePosixPath, folder: PurePosixPath) -> PurePosixPath:
    for _ in range(node.level):
        path = path.parent
    return path if node.level else folder


def _module_paths(folder: PurePosixPath, name: str) -> list[str]:
    base = folder.joinpath(*name.split("."))
    return [str(base / "__init__.py"), *([f"{base}.py"] if name else [])]


def _read_configs(code: Path, folder: PurePosixPath, modules: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the configuration files that the modules mention by name, with or without the suffix.

    A configuration file may mention others, which are also returned: with Hydra, ``defaults: [{model: small}]`` loads
    model/small.yaml. Files in ``folder``, the script's folder, are considered first.
    """
    trees = (module.tree for module in map(Module.parse, modules.values()) if module)
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    mentioned = {PurePosixPath(text).name for text in texts}
    unread = sorted(
        _find_configs(code),
        key=lambda path: (not PurePosixPath(path).is_relative_to(folder), path.count("/"), path),
    )
    found: dict[str, bytes] = {}
    while path := next((each for each in unread if mentioned & {Path(each).name, Path(each).stem}), ""):
        unread.remove(path)
        content = _read_file(code, path)
        if content is not None:
            found[path] = content
            values = [constant.value for constant in find_keys(path, content)]
            mentioned |= {PurePosixPath(value).name for value in values if isinstance(value, str)}
    return found


def _find_configs(code: Path) -> list[str]:
    found: list[str] = []
    for parent, folders, names in os.walk(code):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(parent).relative_to(code)
        found += [
            (inside / name).as_posix() for name in names if name.endswith(CONFIG_SUFFIXES) and name not in _NOT_READ
        ]
        if len(found) > _MAX_CONFIG_FILES:
            break
    return found[:_MAX_CONFIG_FILES]


def _read_file(code: Path, path: str) -> bytes | None:
    """Return the content of a regular file; None if it cannot be read, is too large, or is reached through a link."""
    file = code / path
    try:
        status = os.lstat(file)
        is_plain = stat.S_ISREG(status.st_mode) and file.resolve() == code.resolve() / path
        return file.read_bytes() if is_plain and status.st_size <= _MAX_BYTES else None
    except OSError:
        return None


def find_config_constants(sources: Sources) -> list[Constant]:
    """Return the values in the configuration files, in order of appearance."""
    return [constant for path, content in sources.configs.items() for constant in find_keys(path, content)]
