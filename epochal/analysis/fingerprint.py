"""What a verdict depends on, as one digest: what means the same need not be trained twice.

Python code counts by its syntax tree (``ast``), so comments, formatting, docstrings and other texts that stand alone do not;
every other file of the commit counts by its bytes, except for those that ``matters`` leaves out.
"""

import ast
import hashlib
import os
import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

# Settings and requirements count by what they say, which the circumstances tell.
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


def fingerprint(code: Path, circumstances: Sequence[str], change: Mapping[str, bytes] | None = None) -> str:
    """The SHA-256 (64 hexadecimal digits) of the commit's files in ``code`` and of ``circumstances``.

    ``circumstances`` is all else that a verdict depends on, in a fixed order. ``change``: files, by their paths in
    ``code``, that count with another content. Code that reads its own source, or a text that it would leave out, counts
    by that, too: if the code has the file's name, or a wildcard for its suffix, among its strings.
    """
    files, change = files_of(code), change or {}
    sources = {
        name: change[name] if name in change else (code / name).read_bytes()
        for name, status in files.items()
        if _is_source(name, status)
    }
    told = _told(sources)
    text = "".join(told.values())
    digest = hashlib.sha256()
    for part in circumstances:
        _add(digest, part)
    for name, status in files.items():
        if name in told or matters(name) or _is_named(name, text):
            content = told[name] if name in told else _content(code / name, change.get(name))
            for part in (name, _kind(status), content):
                _add(digest, part)
    return digest.hexdigest()


def files_of(folder: Path) -> dict[str, os.stat_result]:
    """The files and symbolic links (their own status) in ``folder`` and below it, by their names relative to it, in order."""
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
    """Whether training may depend on a file of the commit, as ``files_of`` names it, by its bytes.

    Not on the top level's texts for people and files for git and Jenkins; settings and requirements count by what they say.
    """
    return "/" in name or not any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)


def listing_of(folder: Path) -> str:
    """A digest of the names, sizes and times of change (ns) in ``folder``: what can be told of big data quickly."""
    digest = hashlib.sha256()
    for name, status in files_of(folder).items():
        _add(digest, f"{name} {status.st_size} {status.st_mtime_ns}")
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", part: str) -> None:
    encoded = part.encode("utf-8", "surrogateescape")
    digest.update(b"%d:" % len(encoded) + encoded)


def _is_source(name: str, status: os.stat_result) -> bool:
    return name.endswith(".py") and stat.S_ISREG(status.st_mode)


def _is_named(name: str, text: str) -> bool:
    suffix = PurePath(name).suffix
    return name in text or (suffix != "" and f"*{suffix}" in text)


def _kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "link"
    return "program" if status.st_mode & stat.S_IXUSR else "file"


def _content(path: Path, changed: bytes | None) -> str:
    if changed is not None:
        return hashlib.sha256(changed).hexdigest()
    if path.is_symlink():
        return str(path.readlink())
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Module:
    """A module's syntax tree in text, and the words in it: names, attributes, imports, strings."""

    tree: str
    words: frozenset[str]
    reads_its_file: bool


def _told(sources: Mapping[str, bytes]) -> dict[str, str]:
    """What counts of each source: its tree, or its bytes where Python cannot read it or where it is read as a text."""
    modules = {name: _module(source, texts=False) for name, source in sources.items()}
    known = [module for module in modules.values() if module]
    words = frozenset[str]().union(*(module.words for module in known))
    if words & _SOURCE_READERS or any(module.reads_its_file for module in known):
        return {name: _bytes(source) for name, source in sources.items()}
    if words & _TEXT_READERS:
        modules = {name: _module(source, texts=True) for name, source in sources.items()}
    return {name: module.tree if module else _bytes(sources[name]) for name, module in modules.items()}


def _bytes(source: bytes) -> str:
    return source.decode("latin-1")


def _module(source: bytes, *, texts: bool) -> _Module | None:
    """The module with or without the ``texts`` that stand alone; None for what cannot be read as Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to tell
            tree = ast.parse(source)
        if not texts:
            tree = _WithoutTexts().visit(tree)
        return _Module(ast.dump(tree), frozenset(_words(tree)), any(map(_reads_a_source, ast.walk(tree))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: NUL, and numbers too long to be shown
        return None


class _WithoutTexts(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """No docstring, and no string that stands where a comment might."""
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
    """Whether it is ``"train.py"``, ``open(__file__)``, ``Path(__file__).read_text()`` or the like."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.endswith(".py")
    if isinstance(node, ast.Call):
        return _called(node) in _FILE_READERS and _is_given_file(node)
    return isinstance(node, ast.Attribute) and node.attr in _FILE_READERS and _is_given_file(node.value)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_given_file(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and any(getattr(given, "id", "") == "__file__" for given in node.args)
