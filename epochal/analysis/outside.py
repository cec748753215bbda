"""Find what the pushed code may read from outside the commit: absolute paths and URLs.

Every string that is an absolute path or a URL counts, unless the code clearly does not read from it: for example, if
the code only prints or compares the string, uses it as a regular expression or as the end of a longer path, or writes
the file first.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import takewhile
from pathlib import Path, PurePath

from epochal.analysis.fingerprint import list_files
from epochal.analysis.syntax import last_name, parse_tree

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://[^\s/]*[^\s:/][^\s]*", re.IGNORECASE)
_FILE_ADDRESS = re.compile(r"file:/*(?=/)", re.IGNORECASE)
_PATH = re.compile(r"/[\w.~@{%][^\0\n\r\t\\()|^$+<>\"'`;]*")
_WORD = re.compile(r"[^\s\"'`,;=\[\]()]+")
_INERT_ADDRESSES = ("http://www.w3.org/", "tcp://", "env://", "unix://")
_INERT_PATHS = (
    "/data",  # the server's data folder, which the fingerprint covers
    "/train",
    "/out",
    "/checkpoints",
    "/bin",
    "/dev/null",
    "/dev/random",
    "/dev/stderr",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/etc/ssl",
    "/lib",
    "/proc",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/cuda",
    "/usr/local/lib",
    "/usr/share/fonts",
)
"""Paths that belong to the training environment: the container's folders, and programs, libraries and devices."""
_INERT_CALLS = re.compile(
    r"print|log|debug|info|warn(ing)?|error|exception|critical|echo|(set_)?title|suptitle|[xy]label|text|annotate"
    r"|r?split(lines)?|replace|(starts|ends)with|[lr]?strip|remove(pre|suf)fix|r?partition|r?find|r?index|count"
    r"|str[fp]time|compile|(full)?match|search|sub|find(all|iter)|regex_\w+|device|route|getLogger|set_tracking_uri"
    r"|init_process_group|makedirs|mkdir|rmtree|remove|unlink|TensorBoard|CSVLogger|SummaryWriter|\w*FileHandler"
)
"""Calls that do not read from the paths and URLs in their arguments."""
_DESCRIBING = frozenset(
    {"help", "description", "epilog", "usage", "title", "label", "init_method", "desc", "sep", "end"}
)
"""Keyword arguments that only describe something: no call reads from a path or URL in them."""
_WRITING_CALLS = re.compile(
    r"(?!to_(tensor|categorical|list|numpy)$)((save|write|dump|export|to_|imwrite|imsave)\w*|ModelCheckpoint)"
)
_BUILDING = frozenset({"join", "Path", "PurePath", "str", "fspath", "format", "abspath", "normpath", "realpath"})
"""Calls that only build a path from their arguments, so only the use of the result matters."""
_RUNNING = frozenset({"system", "popen", "run", "call", "check_call", "check_output", "Popen", "getoutput"})
"""Calls that run a command given as a string, in which a path or a URL may follow other words."""
_CONFIGURATION = frozenset({".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".env"})
_MAX_CONFIGURATION = 100_000


class _Use(IntEnum):
    """What the code does with the path in a string or variable: read from it, write to it, or neither."""

    READ = 0
    WRITTEN = 1
    INERT = 2


@dataclass
class _Uses:
    """The uses of strings and variables in the code.

    ``texts`` and ``names``: the file, line and kind of each use, keyed by the string's text or the variable's name.
    ``texts_by_name``: the strings assigned to each variable. ``bindings``: how often each name is bound.
    """

    texts: dict[str, list[tuple[str, int, _Use]]] = field(default_factory=dict)
    names: dict[str, list[tuple[str, int, _Use]]] = field(default_factory=dict)
    texts_by_name: dict[str, set[str]] = field(default_factory=dict)
    bindings: Counter[str] = field(default_factory=Counter)


def find_outside(folder: Path, exported: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the sorted paths and URLs of what the code in ``folder`` may read from outside the training environment.

    ``exported``: more modules to search, keyed by path, such as an exported notebook. A configuration file is
    searched if a string in the code contains its name. Code that is not valid Python is skipped.
    """
    uses, words = _Uses(), set[str]()
    names = list_files(folder)
    modules = [name for name in names if name.endswith(".py") and (folder / name).is_file()]
    for name, source in {name: (folder / name).read_bytes() for name in modules}.items() | exported.items():
        if tree := parse_tree(source):
            _Reader(name, uses).visit(tree)
            words |= {node.value for node in ast.walk(tree) if _is_text(node)}  # type: ignore[attr-defined]
    found = {text for text, events in uses.texts.items() if _is_read(text, events, uses)}
    for name, status in names.items():
        file = PurePath(name)
        is_named = any(file.name in word or file.stem == word for word in words)
        if file.suffix in _CONFIGURATION and status.st_size <= _MAX_CONFIGURATION and is_named:
            found |= set(_find_in_settings((folder / name).read_text(encoding="utf-8", errors="replace")))
    return tuple(sorted(found))


def is_address(text: str) -> bool:
    """Return whether a result of ``find_outside`` is a URL rather than a path."""
    return not text.startswith("/")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_read(text: str, events: list[tuple[str, int, _Use]], uses: _Uses) -> bool:
    """Return whether the code reads from the path or URL ``text`` without having written to it first."""
    events = list(events)
    for name, texts in uses.texts_by_name.items():
        if text in texts:
            is_unique = uses.bindings[name] == 1  # otherwise, a write may use another variable of this name
            events += [event for event in uses.names.get(name, []) if is_unique or event[2] is not _Use.WRITTEN]
    reads = [(file, line) for file, line, use in events if use is _Use.READ]
    writes = [(file, line) for file, line, use in events if use is _Use.WRITTEN]
    return any(not any(file == other and line < at for other, line in writes) for file, at in reads)


class _Reader(ast.NodeVisitor):
    """A visitor that records how one file uses strings and variables."""

    def __init__(self, file: str, uses: _Uses) -> None:
        self._file = file
        self._uses = uses
        self._use = _Use.READ
        self._is_command = False
        self._names: list[str] = []
        """The names of the variables that the current expression is assigned to."""

    def visit_Expr(self, node: ast.Expr) -> None:
        """Skip docstrings and other statements that consist only of a string."""
        if not _is_text(node.value):
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Record the use of a string that is a path or a URL."""
        if isinstance(node.value, str):
            self._record(node, node.value)

    def visit_Name(self, node: ast.Name) -> None:
        """Record the use of a variable."""
        if isinstance(node.ctx, ast.Load):
            self._uses.names.setdefault(node.id, []).append((self._file, node.lineno, self._use))
        else:
            self._uses.bindings[node.id] += 1

    def visit_arg(self, node: ast.arg) -> None:
        """Record that a parameter binds its name."""
        self._uses.bindings[node.arg] += 1

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Record the use of an attribute as if it were a variable with the same name."""
        if isinstance(node.ctx, ast.Load):
            self._uses.names.setdefault(node.attr, []).append((self._file, node.lineno, self._use))
        else:
            self._uses.bindings[node.attr] += 1
        self._visit_as(self._use if _is_building(node.value) else _Use.READ, node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Record which variables are assigned a path. Their use shows whether the code reads from that path."""
        names = [last_name(target) for target in node.targets if isinstance(target, ast.Name | ast.Attribute)]
        for target in node.targets:
            self.visit(target)
        is_simple = len(names) == len(node.targets) and _is_building(node.value)
        self._visit_as(_Use.READ, node.value, names if is_simple else [])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Record the path, if any, that an annotated assignment assigns to a variable."""
        name = last_name(node.target)
        self.visit(node.target)
        if node.value:
            self._visit_as(_Use.READ, node.value, [name] if name and _is_building(node.value) else [])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Record the beginning of an f-string. Skip the text after inserted values: it only continues the path."""
        for place, value in enumerate(node.values):
            if place == 0 or not _is_text(value):
                self.visit(value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Record the first string of a concatenation. Skip the others, which continue the path."""
        if path := _join_from_root(node):
            self._record(node, path)
            return
        self.visit(node.left)
        if not (isinstance(node.op, ast.Add) and _is_text(node.right)):
            self.visit(node.right)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Record that a comparison does not read from the paths in it."""
        for part in (node.left, *node.comparators):
            self._visit_as(_Use.INERT, part)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Skip a string in square brackets: it is a key, not a path."""
        self.visit(node.value)
        if not _is_text(node.slice):
            self._visit_as(_Use.READ, node.slice)

    def visit_Dict(self, node: ast.Dict) -> None:
        """Skip the keys of a dictionary, which are not paths."""
        for value in node.values:
            self.visit(value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Record that the paths in an exception's message are neither read nor written."""
        for argument in getattr(node.exc, "args", []):
            self._visit_as(_Use.INERT, argument)

    def visit_Call(self, node: ast.Call) -> None:
        """Record whether a call reads from or writes to the paths in its arguments, or does neither."""
        name = last_name(node.func)
        if path := _join_from_root(node):
            self._record(node, path)
            return
        if name in _BUILDING:
            use = self._use
        elif _INERT_CALLS.fullmatch(name):
            use = _Use.INERT
        elif _is_writing(node, name):
            use = _Use.WRITTEN
        else:
            use = _Use.READ
        if name in _BUILDING:
            self.visit(node.func)
        else:
            self._visit_as(use if isinstance(node.func, ast.Attribute) else _Use.READ, node.func)  # Path("…").mkdir()
        command, self._is_command = self._is_command, name in _RUNNING
        names = self._names if name in _BUILDING else []
        arguments = [(None, each) for each in node.args] + [(each.arg, each.value) for each in node.keywords]
        for keyword, argument in arguments:
            self._visit_as(_Use.INERT if keyword in _DESCRIBING else use, argument, names)
        self._is_command = command

    def _record(self, node: ast.expr, text: str) -> None:
        for each in _find_in_command(text) if self._is_command else _find_in_text(text):
            events = self._uses.texts.setdefault(each, [])
            for name in self._names:
                self._uses.texts_by_name.setdefault(name, set()).add(each)
            if not self._names:
                events.append((self._file, node.lineno, self._use))

    def _visit_as(self, use: _Use, node: ast.AST, names: Iterable[str] = ()) -> None:
        before = self._use, self._names
        self._use, self._names = use, list(names)
        self.visit(node)
        self._use, self._names = before


def _is_building(node: ast.expr) -> bool:
    """Return whether an expression only builds a string or path from other values."""
    if isinstance(node, ast.Call):
        return last_name(node.func) in _BUILDING
    if isinstance(node, ast.BinOp):
        return _is_building(node.left)
    return _is_text(node) or isinstance(node, ast.JoinedStr)


def _join_from_root(node: ast.expr) -> str:
    """Return the path that an expression builds from "/" or os.sep, up to its first variable.

    The result is empty if the expression builds no such path.
    """
    root, *others = _split_path(node)
    if last_name(root) != "sep" and not (_is_text(root) and ast.literal_eval(root) == "/"):
        return ""
    names = [ast.literal_eval(each).strip("/") for each in takewhile(_is_text, others)]
    return "/" + "/".join(names) if names else ""


def _split_path(node: ast.expr) -> list[ast.expr]:
    """Return the expressions that ``node`` joins into a path, in order; only ``node`` itself if it joins none."""
    parts = [node]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Div):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and last_name(node.func) in _BUILDING and node.args:
        parts = node.args
    return parts if parts == [node] else [leaf for part in parts for leaf in _split_path(part)]


def _is_writing(node: ast.Call, name: str) -> bool:
    if name == "open":
        modes = [argument for argument in node.args[1:2] if _is_text(argument)]
        modes += [keyword.value for keyword in node.keywords if keyword.arg == "mode" and _is_text(keyword.value)]
        # In Path(…).open("w"), the mode is the first argument.
        if isinstance(node.func, ast.Attribute) and len(node.args) == 1 and _is_text(node.args[0]):
            modes.append(node.args[0])
        return any(set(str(getattr(mode, "value", ""))) & set("wax") for mode in modes)
    return bool(_WRITING_CALLS.fullmatch(name))


def _find_in_text(text: str) -> Iterator[str]:
    """Yield ``text`` if all of it is an absolute path or URL that is not inert; for a file URL, yield the path."""
    local = _FILE_ADDRESS.sub("", text)
    if _ADDRESS.fullmatch(text) and local == text:
        if not text.lower().startswith(_INERT_ADDRESSES):
            yield text
    elif _PATH.fullmatch(local) and not _is_inert(local):
        yield local


def _is_inert(path: str) -> bool:
    first, _, rest = path[1:].partition("/")
    if ":" in first:  # a TensorFlow device: /GPU:0
        return True
    if not rest and "." not in first and not Path(path).exists():  # a web page, a unit such as /s, or an HDF5 group
        return True
    return any(path == inert or path.startswith(f"{inert}/") for inert in _INERT_PATHS)


def _find_in_command(command: str) -> Iterator[str]:
    for word in _WORD.findall(command):
        yield from _find_in_text(word)


def _find_in_settings(text: str) -> Iterator[str]:
    for line in text.splitlines():
        for word in _WORD.findall(line if line.lstrip()[:1] not in ("#", ";") else ""):
            yield from _find_in_text(word)
