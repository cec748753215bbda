"""The fingerprint: a digest of everything that a verdict depends on, so that equivalent code need not be run again.

Python files are compared by their syntax trees (``ast``), ignoring comments, formatting, docstrings and other string
statements; notebooks by their code cells; other files in the commit by their bytes. Files that ``affects_training``
excludes are compared only if the code seems to read them.
"""

import ast
import hashlib
import json
import os
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from epochal.analysis.syntax import last_name

# The fingerprint includes epochal.toml as parsed settings and requirements.txt as part of the image's name.
_EXCLUDED = (
    "epochal.toml",
    "requirements.txt",
    ".gitignore",
    ".gitattributes",
    "Jenkinsfile",
    "*.md",
    "README*",
    "LICENSE*",
)
_SOURCE_READERS = frozenset({"getsource", "getsourcelines", "getcomments", "findsource", "linecache"})
_TEXT_READERS = frozenset({"__doc__", "getdoc", "doctest", "docopt"})
_FILE_READERS = frozenset({"open", "read_text", "read_bytes"})


def fingerprint(parts: Iterable[str]) -> str:
    """Return the SHA-256 digest (64 hexadecimal digits) of ``parts``; it depends on their order and boundaries."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def digest_listing(folder: Path) -> str:
    """Return a digest of the names, sizes and modification times (ns) of the files in ``folder``.

    The files are not read, as they may be large.
    """
    return fingerprint(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in list_files(folder).items())


def list_files(folder: Path) -> dict[str, os.stat_result]:
    """Return the ``lstat`` result of each file and symbolic link below ``folder``, by relative path.

    The paths are sorted. Links are not followed; folders themselves are not included.
    """
    found = {}
    for parent, folders, names in os.walk(folder):
        inside = parent[len(str(folder)) :].lstrip("/")
        for name in [*names, *folders]:
            with suppress(FileNotFoundError):  # the file may have been deleted in the meantime
                status = os.lstat(f"{parent}/{name}")
                if not stat.S_ISDIR(status.st_mode):
                    found[f"{inside}/{name}".lstrip("/")] = status
    return dict(sorted(found.items()))


def affects_training(name: str) -> bool:
    """Return whether training may depend on the content of a file in the commit.

    ``name``: its path, as in ``list_files``. Training may depend on any file except these at the top level of the
    repository: documentation, files for git and Jenkins, epochal.toml and requirements.txt. The fingerprint covers the
    last two in other ways.
    """
    return "/" in name or not any(fnmatchcase(name, pattern) for pattern in _EXCLUDED)


def fingerprint_parts(folder: Path, changed_files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the commit's files in ``folder`` as parts of the fingerprint: the name, kind and content of each.

    ``changed_files``: contents to use instead of those in ``folder``, by path. If the code seems to read Python source
    files, all Python files are compared by their bytes. A file that ``affects_training`` excludes is still included if
    the code contains its name, or ``*`` followed by its suffix, because the code may read the file. For a notebook,
    only its code is compared, so that running it again does not change the fingerprint.
    """
    files = list_files(folder)
    sources = {
        name: changed_files[name] if name in changed_files else (folder / name).read_bytes()
        for name, status in files.items()
        if name.endswith(".py") and stat.S_ISREG(status.st_mode)
    }
    code = _read_sources(sources)
    text = "".join(code.values())
    parts: list[str] = []
    for name, status in files.items():
        path, suffix, is_link = folder / name, PurePath(name).suffix, stat.S_ISLNK(status.st_mode)
        if name in code:
            content = code[name]
        elif not (affects_training(name) or name in text or (suffix and f"*{suffix}" in text)):
            continue
        elif name.endswith(".ipynb") and not is_link:
            content = _read_cells(changed_files[name] if name in changed_files else path.read_bytes())
        elif name in changed_files:
            content = hashlib.sha256(changed_files[name]).hexdigest()
        elif is_link:
            content = str(path.readlink())
        else:
            with path.open("rb", buffering=0) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        kind = "link" if is_link else "program" if status.st_mode & stat.S_IXUSR else "file"
        parts += [name, kind, content]
    return tuple(parts)


def _read_cells(notebook: bytes) -> str:
    """Return a notebook's code without outputs or execution counts; the notebook's digest if it cannot be parsed."""
    try:
        cells = [cell["source"] for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
        return json.dumps(["".join(source) for source in cells])
    except (ValueError, KeyError, TypeError, RecursionError):
        return hashlib.sha256(notebook).hexdigest()


@dataclass(frozen=True)
class _Module:
    """A parsed module.

    ``words``: its names, imports and strings. ``reads_source``: whether its code seems to read Python source files.
    """

    tree: str
    words: frozenset[str]
    reads_source: bool


def _read_sources(sources: Mapping[str, bytes]) -> dict[str, str]:
    """Return the text to compare for each Python file: its syntax tree or its bytes.

    The bytes are compared if the file is not valid Python, or if the code seems to read Python files.
    """
    modules = {name: _read_module(source, keep_strings=False) for name, source in sources.items()}
    as_bytes = {name: source.decode("latin-1") for name, source in sources.items()}
    known = [module for module in modules.values() if module]
    words = frozenset[str]().union(*(module.words for module in known))
    if words & _SOURCE_READERS or any(module.reads_source for module in known):
        return as_bytes
    if words & _TEXT_READERS:
        modules = {name: _read_module(source, keep_strings=True) for name, source in sources.items()}
    return {name: module.tree if module else as_bytes[name] for name, module in modules.items()}


def _read_module(source: bytes, *, keep_strings: bool) -> _Module | None:
    """Parse a module, keeping string statements if ``keep_strings`` is true; return None if it is not valid Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about the pushed code are not reported
            tree = ast.parse(source)
        if not keep_strings:
            tree = _RemoveStringStatements().visit(tree)
        return _Module(ast.dump(tree), frozenset(_words(tree)), any(map(_reads_source, ast.walk(tree))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: NUL, or a number too long to print
        return None


class _RemoveStringStatements(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Remove docstrings and all other statements that consist only of a string."""
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else node


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _reads_source(node: ast.AST) -> bool:
    """Return whether ``node`` is ``"train.py"``, ``open(__file__)``, ``Path(__file__).read_text()`` or similar."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.endswith(".py")
    if isinstance(node, ast.Call):
        reader, call = last_name(node.func), node
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
        reader, call = node.attr, node.value
    else:
        return False
    return reader in _FILE_READERS and any(getattr(argument, "id", "") == "__file__" for argument in call.args)
