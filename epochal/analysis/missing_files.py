"""Explain why the code cannot read a file or write into a folder."""

import posixpath
import re
import shlex
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from epochal.grammar import capitalize

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_OTHER_MACHINE = re.compile(r"[A-Za-z]:[\\/]|/(?:home|Users|content|kaggle|gdrive|mnt|media|dbfs)/|~")
DATA_FOLDER = "the server's data folder (the data setting in $EPOCHAL_HOME/server.toml)"
"""The phrase that messages use for the data folder, which is for files that are not committed.

If the server has a data folder, ``EPOCHAL_DATA`` holds its path.
"""
LARGE_BYTES = 50_000_000
"""Files larger than this should not be committed: GitHub warns about them, and refuses those larger than 100 MB."""
USE_DATA_FOLDER = f'put the data in {DATA_FOLDER} and read it from os.environ["EPOCHAL_DATA"]'
_COMMIT = f"Commit the file, or {USE_DATA_FOLDER}."


def explain_missing_folder(folder: str, code: Path) -> str:
    """Return why the script cannot write a file into ``folder``, and what to do about it.

    ``folder``: a path relative to the folder ``code``, or an absolute one that is not inside it.
    """
    path = posixpath.normpath(folder)
    if path.startswith(("/", "..")) or _OTHER_MACHINE.match(folder):
        return f"The folder {folder} does not exist on the training machine. Write to a path inside the repository instead."
    if (code / path).is_dir():
        return (
            "The commit contains the target folder, but the script had already removed it or changed to another "
            "folder. If it calls os.chdir(), remove that call."
        )
    return (
        f"The folder {path} does not exist, because git does not store empty folders. Create it in the script: "
        f'os.makedirs("{path}", exist_ok=True).'
    )


def explain_missing_file(name: str, code: Path, line: str = "", *, is_computed: bool = False) -> str:
    """Return why the script cannot read the file ``name``, and what to do about it. ``code``: a copy of the commit.

    ``name``: a path as the script gave it, relative to ``code`` or absolute. ``line``: the line of code that opened the
    file, if that is known. ``is_computed``: whether the script derived the path from a folder's path, so that its code
    does not contain the relative path.
    """
    path = name.replace("\\", "/")
    if path != name and (code / path).exists():
        return (
            f"The commit contains {path}, but only Windows separates folders with backslashes. "
            f"Change the path to {path}."
        )
    path = str(PurePosixPath(path))
    files = sorted(str(each.relative_to(code)) for each in code.rglob("*"))
    if "chdir(" in line:
        return "The script already starts in the commit's folder. Remove the call to chdir(), or pass it a path inside the commit."
    if path in files:
        return (
            f"The commit contains {path}, but the script had already changed to another folder or removed the file. "
            "If it calls os.chdir(), remove that call."
        )
    if path.startswith("/") or _OTHER_MACHINE.match(name):
        if same := find_committed(path, files):
            return f'{name} is a path on another machine. The commit contains the file: change the path to "{same}".'
        if path.startswith("~"):
            return f"{name} does not exist, because the home folder is empty during training. {_COMMIT}"
        return f"{name} is neither in the commit nor on the training machine. {_COMMIT}"
    write = "Make the path point to" if is_computed else "Change the path to"
    if start := _find_start(path, code, files) if is_computed else "":
        write = f"{start} builds the path from its own folder (__file__): make the path point to"
    if same := next((each for each in files if each.lower() == path.lower()), ""):
        return f"{name} is not in the commit, but {same} is: the two paths differ only in letter case. {write} {same}."
    return _explain_left_out(path, code, files) or _explain_absent(path, files, write)


def find_committed(path: str, files: Collection[str]) -> str:
    """Return the longest trailing part of the absolute ``path`` that is one of ``files``, or an empty string."""
    parts = PurePosixPath(path).parts
    tails = {"/".join(parts[start:]) for start in range(1, len(parts))}
    return max(tails & set(files), key=len, default="")


def _explain_left_out(path: str, code: Path, files: list[str]) -> str:
    """Return how DVC or a .gitignore file keeps ``path`` out of the commit; empty if neither does."""
    rule = find_ignore_rule(path, code)
    ignored = f", because {rule} excludes it" if rule else ""
    for parent in (path, *_parents(path)):
        if f"{parent}.dvc" in files:
            return f"The commit contains {parent}.dvc but not {path}{ignored}. {explain_fetching(path)}"
    if rule:
        return f"{path} is not in the commit: {rule} excludes it. {explain_ignored(path)}"
    return ""


def _find_start(path: str, code: Path, files: list[str]) -> str:
    """Return a Python file that may build ``path`` from ``__file__``, or an empty string."""
    for each in files:
        inside = path.startswith(f"{PurePosixPath(each).parent}/")
        if inside and each.endswith(".py") and b"__file__" in (code / each).read_bytes():
            return each
    return ""


def _explain_absent(path: str, files: list[str], write: str) -> str:
    base = PurePosixPath(path).name
    if same := next((each for each in files if PurePosixPath(each).name == base), ""):
        return f"{path} is not in the commit, but {same} is. {write} {same}."
    if close := get_close_matches(path, files, n=1, cutoff=0.8):
        return f"{path} is not in the commit, but {close[0]} is. {write} {close[0]}, or commit {path}."
    return f"{path} is not in the commit. {_COMMIT}"


def find_pointer(names: Iterable[str], code: Path) -> str:
    """Return the first of the files ``names`` (in the folder ``code``) that is a Git LFS pointer; empty if none is."""
    return next((name for name in names if (read_start(name, code) or b"").startswith(LFS_POINTER)), "")


def read_start(name: str, code: Path, size: int = 4096) -> bytes | None:
    """Return the first ``size`` bytes of ``name``, a file in ``code``; None if it is a link or unreadable."""
    path = code / name
    try:
        if name and not name.startswith("/") and ".." not in path.parts and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                return file.read(size)
    except (OSError, ValueError):
        pass
    return None


def explain_pointer(name: str) -> str:
    """Explain that ``name`` is a Git LFS pointer, and say what to do about it."""
    return (
        f"{name} is a Git LFS pointer, not the data. Epochal does not fetch the data: run git lfs pull, remove "
        f"the file's pattern from .gitattributes, and run git add --renormalize . && git commit; or {USE_DATA_FOLDER}."
    )


def explain_unmatched(pattern: str, code: Path) -> str:
    """Return why no file in the folder ``code`` matches a relative glob pattern; empty if a file matches."""
    if any(code.glob(pattern)):
        return ""
    if rule := find_ignore_rule(re.sub(r"\*+|\?", "x", pattern), code):
        commit = f": {rule} excludes such files. Commit the files with git add --force {pattern} && git commit"
    else:
        commit = ". Commit the files"
    return f"No file in the commit matches {pattern}{commit}, or {USE_DATA_FOLDER}."


def find_submodule(path: str, code: Path) -> str:
    """Return the submodule that would contain the file ``path``, or an empty string if none would.

    ``code``: a snapshot of the commit. A folder that is empty there belongs to a submodule, because git does not store
    other empty folders.
    """
    return next((each for each in _parents(path) if (code / each).is_dir() and not any((code / each).iterdir())), "")


def explain_submodule(folder: str) -> str:
    """Explain that ``folder`` is a git submodule, and say how to commit its files."""
    quoted, nested = shlex.quote(folder), shlex.quote(f"{folder}/.git")
    return (
        f"{folder} is a git submodule, and Epochal does not fetch its files. To commit them to this repository, run "
        f"git rm --cached {quoted} && rm -rf {nested} && git add {quoted} && git commit -m {_quote_message(folder)}."
    )


def explain_adding(path: str) -> str:
    """Return an instruction, without a full stop, to commit a file that git ignores."""
    return f"Commit it with {adding_command(path)}"


def adding_command(path: str) -> str:
    """Return the command that commits a file that git ignores."""
    return f"git add --force {shlex.quote(path)} && git commit -m {_quote_message(path)}"


def _quote_message(path: str) -> str:
    """Return the message for a commit that adds ``path``, quoted for a shell."""
    return f'"Add {path}"' if shlex.quote(path) == path else shlex.quote(f"Add {path}")


def explain_ignored(path: str, size: int | None = None) -> str:
    """Return what to do about a data file that git ignores. ``size``: its size in bytes; None if it is not known."""
    return capitalize(_provide(f"{explain_adding(path)}", size))


def _provide(commit: str, size: int | None) -> str:
    """Return an instruction to commit a data file or put it in the data folder; only the latter if it is too large."""
    if size is not None and size > LARGE_BYTES:
        return f"{USE_DATA_FOLDER}."
    case = f", especially if it is larger than {LARGE_BYTES / 1e6:.0f} MB," if size is None else ""
    return f"{commit}, or{case} {USE_DATA_FOLDER}."


def explain_fetching(path: str, size: int | None = None) -> str:
    """Return what to do about a file that git ignores because DVC stores it. ``size``: see ``explain_ignored``."""
    commit = f"commit the file itself with git add --force {shlex.quote(path)} && git commit"
    return f"Epochal does not fetch the data: {_provide(commit, size)}"


def find_ignore_rule(path: str, code: Path) -> str:
    """Return the location of the rule that ignores ``path``, such as ``data/.gitignore line 1``; empty if no rule does.

    The rules are those of gitignore(5): the last match in the nearest file decides, and a file under an ignored folder
    is ignored.
    """
    for each in (*reversed(_parents(path)), path):
        if found := _find_rule(each, code, is_folder=each != path):
            return found
    return ""


def _find_rule(path: str, code: Path, *, is_folder: bool) -> str:
    for folder in (*_parents(path), "."):
        try:
            lines = (code / folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        inner = path if folder == "." else path[len(folder) + 1 :]
        for number, line in reversed(list(enumerate(lines, 1))):
            rule = line.strip()
            if not rule or rule.startswith("#"):
                continue
            if _matches(rule.removeprefix("!"), inner, is_folder=is_folder):
                return "" if rule.startswith("!") else str(PurePosixPath(folder, ".gitignore")) + f" line {number}"
    return ""


def _matches(rule: str, path: str, *, is_folder: bool) -> bool:
    if rule.endswith("/") and not is_folder:
        return False
    pattern = rule.rstrip("/")
    if "/" not in pattern:
        return fnmatchcase(PurePosixPath(path).name, pattern)
    pattern = re.escape(pattern.removeprefix("/")).replace(r"\*\*/", "(?:.*/)?").replace(r"/\*\*", "/.*")
    pattern = pattern.replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return bool(re.fullmatch(pattern, path))


def _parents(path: str) -> list[str]:
    """Return the folders above a relative path, nearest first, excluding ``.``."""
    return [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
