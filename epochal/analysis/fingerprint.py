"""What a verdict depends on, as one digest: what means the same need not be trained twice.

Python code counts by its syntax tree (``ast``), so comments, formatting, docstrings and other texts that stand alone do not;
every other file of the commit counts by its bytes, except for those that ``matters`` leaves out.
"""

import ast
import hashlib
import os
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from epochal.analysis.syntax import last_name

# Settings and requirements count by what they say, which is among the circumstances of a training.
_LEFT_OUT = (
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
    """Return the SHA-256 (64 hexadecimal digits) of these texts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def listing_of(folder: Path) -> str:
    """Return a digest of the names, sizes and times of change (ns) in ``folder``: big data are not read."""
    return fingerprint(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in files_of(folder).items())


def files_of(folder: Path) -> dict[str, os.stat_result]:
    """Return the files and symbolic links (with their own status) below ``folder``, by their sorted names relative to it."""
    found = {}
    for parent, folders, names in os.walk(folder):
        inside = parent[len(str(folder)) :].lstrip("/")
        for name in [*names, *folders]:
            with suppress(FileNotFoundError):  # somebody may be at work in a data folder
                status = os.lstat(f"{parent}/{name}")
                if not stat.S_ISDIR(status.st_mode):
                    found[f"{inside}/{name}".lstrip("/")] = status
    return dict(sorted(found.items()))


def matters(name: str) -> bool:
    """Return whether training may depend on the bytes of a file of the commit, as ``files_of`` names it.

    Not on the top level's texts for people and files for git and Jenkins; settings and requirements count by what they say.
    """
    return "/" in name or not any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)


def read_parts(folder: Path, change: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the parts of the fingerprint that are the commit's files in ``folder``: name, kind and content of each.

    ``change``: files, by their paths in ``folder``, that count with another content. Code that reads its own source, or a
    text that ``matters`` would leave out, counts by that, too: if it has the file's name, or a wildcard for its suffix,
    among its strings.
    """
    files = files_of(folder)
    sources = {
        name: change[name] if name in change else (folder / name).read_bytes()
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
        elif not (matters(name) or name in text or (suffix and f"*{suffix}" in text)):
            continue
        elif name in change:
            content = hashlib.sha256(change[name]).hexdigest()
        elif is_link:
            content = str(path.readlink())
        else:
            with path.open("rb", buffering=0) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        kind = "link" if is_link else "program" if status.st_mode & stat.S_IXUSR else "file"
        parts += [name, kind, content]
    return tuple(parts)


@dataclass(frozen=True)
class _Module:
    """A module's syntax tree in text, and the words in it: names, attributes, imports, strings."""

    tree: str
    words: frozenset[str]
    reads_its_file: bool


def _read_sources(sources: Mapping[str, bytes]) -> dict[str, str]:
    """Return what counts of each source: its tree, or its bytes if Python cannot read it or it is read as a text."""
    modules = {name: _read_module(source, texts=False) for name, source in sources.items()}
    as_bytes = {name: source.decode("latin-1") for name, source in sources.items()}
    known = [module for module in modules.values() if module]
    words = frozenset[str]().union(*(module.words for module in known))
    if words & _SOURCE_READERS or any(module.reads_its_file for module in known):
        return as_bytes
    if words & _TEXT_READERS:
        modules = {name: _read_module(source, texts=True) for name, source in sources.items()}
    return {name: module.tree if module else as_bytes[name] for name, module in modules.items()}


def _read_module(source: bytes, *, texts: bool) -> _Module | None:
    """Return the module with or without the ``texts`` that stand alone; None if it is not valid Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to report
            tree = ast.parse(source)
        if not texts:
            tree = _WithoutTexts().visit(tree)
        return _Module(ast.dump(tree), frozenset(_words(tree)), any(map(_reads_a_source, ast.walk(tree))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: NUL, and numbers too long to be shown
        return None


class _WithoutTexts(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Remove docstrings, and strings that stand where a comment might."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


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


def _reads_a_source(node: ast.AST) -> bool:
    """Return whether it is ``"train.py"``, ``open(__file__)``, ``Path(__file__).read_text()`` or the like."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.endswith(".py")
    if isinstance(node, ast.Call):
        reader, call = last_name(node.func), node
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
        reader, call = node.attr, node.value
    else:
        return False
    return reader in _FILE_READERS and any(getattr(given, "id", "") == "__file__" for given in call.args)
