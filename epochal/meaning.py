"""What a commit means to its training: two that mean the same need not be trained twice. A folder in, a digest out."""

import ast
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NOT_TRAINED = (
    "epochal.toml",
    "*.md",
    "README*",
    "LICENSE*",
    ".gitignore",
    ".gitattributes",
    ".editorconfig",
    "Jenkinsfile",
)
"""Files that training does not depend on; what matters of epochal.toml is read from it."""
_REQUIREMENTS = "requirements.txt"
_READS_ITSELF = (b"__doc__", b"getsource", b"getdoc")
"""Code that says this may read its own text: every character of it counts."""


def meaning_of(code: Path, circumstances: Mapping[str, Any]) -> str:
    """64 hexadecimal digits that change with what a training of ``code`` depends on.

    Of Python files that is the syntax tree (``ast``): no comment, no docstring, no formatting. Of requirements.txt the
    requirements; of any other file its bytes, of a symbolic link its target. ``circumstances``: what else matters, as
    JSON could hold it.
    """
    digest = hashlib.sha256()
    for part in [json.dumps(circumstances, sort_keys=True, default=str).encode(), *_parts(code)]:
        digest.update(b"%d:%s" % (len(part), part))
    return digest.hexdigest()


def is_trained(path: Path) -> bool:
    """Whether training may depend on a file of this name."""
    return not any(path.match(pattern) for pattern in NOT_TRAINED)


def _parts(code: Path) -> Iterator[bytes]:
    for path in sorted(_files(code)):
        name = os.fsencode(path.relative_to(code))
        yield name
        if path.is_symlink():
            yield b"link " + os.fsencode(path.readlink())
        elif path.suffix == ".py":
            yield b"code " + _syntax(path.read_bytes())
        elif name == _REQUIREMENTS.encode():
            yield b"requirements " + _requirements(path.read_bytes())
        else:
            yield b"file " + _digest(path)


def _files(code: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(code):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (path for name in [*names, *links] if is_trained(path := Path(parent, name)))


def _syntax(source: bytes) -> bytes:
    if any(word in source for word in _READS_ITSELF):
        return source
    try:
        with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to tell
            tree = ast.parse(source)
            _remove_docstrings(tree)
            return ast.dump(tree).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source


def _remove_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node
        ):
            node.body = node.body[1:]


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _requirements(content: bytes) -> bytes:
    lines = (line.partition(b" #")[0].strip() for line in content.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"#"))


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
