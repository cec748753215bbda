"""Detect which framework code trains with, by its imports.

The modules of ``epochal.analysis.frameworks`` say which imports mean which framework. One of them that is a tool (splits,
metrics) trains only if it is alone; two others are undecided and refused, unless epochal.toml says which; none of them is
plain Python. Imports anywhere in nn.py and the local modules that it imports count, those in functions too, but not those
under ``if TYPE_CHECKING``, which never run.
"""

import ast
import io
import sys
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from epochal.analysis.frameworks import WITHOUT, all_imports, frameworks
from epochal.analysis.syntax import last_name
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT

ReadModule = Callable[[str], str | None]
"""Gives the text of a local module by its dotted name, or None: ``helpers`` is helpers.py or helpers/__init__.py."""

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


@dataclass(frozen=True)
class Detection:
    """The framework, why (``nn.py line 3 imports keras``), and the modules to be proven by an import, sorted."""

    framework: str
    why: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Import:
    """One imported module, with a leading dot where the import is relative.

    ``names``: what ``from`` takes out of it, perhaps modules too. ``certain``: it runs whenever the code starts.
    """

    module: str
    names: tuple[str, ...]
    file: str
    line: int
    certain: bool

    @property
    def package(self) -> str:
        """The top-level package; empty for a relative import."""
        return self.module.partition(".")[0]


def detect_folder(code: Path, override: str = "") -> Detection:
    """Return the framework of ``code``/nn.py; ``override``, if not empty, decides it instead of the imports.

    Raises RunFailed: NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS.
    """

    def read_module(name: str) -> str | None:
        path = name.replace(".", "/")
        source = read_source(code, f"{path}.py")
        return source if source is not None else read_source(code, f"{path}/__init__.py")

    script = read_source(code, SCRIPT)
    if script is None:
        raise RunFailed(
            Reason.NO_SCRIPT, f"There is no {SCRIPT} at the top of the repository: that is the file that is trained."
        )
    found = detect(script, read_module, override)
    # A script may put a folder of its own on sys.path: what has a local module's name is not asked of the environment.
    local = {path.stem for path in code.rglob("*.py")} | {path.name for path in code.rglob("*") if path.is_dir()}
    return replace(found, modules=tuple(name for name in found.modules if name.partition(".")[0] not in local))


def read_source(code: Path, name: str) -> str | None:
    """Return a file's text, decoded as Python does (byte order mark, coding cookie); None if there is no such file.

    Raises RunFailed(SYNTAX_ERROR) if Python could not decode it either.
    """
    try:
        source = (code / name).read_bytes()
    except OSError:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:  # LookupError: a codec that makes no text
        raise RunFailed(Reason.SYNTAX_ERROR, f"{name} cannot be read as Python: {error}. Save it as UTF-8.") from None


def detect(script: str, read_module: ReadModule, override: str = "") -> Detection:
    """Return the framework of ``script``, the text of nn.py, and of the local modules that ``read_module`` knows.

    ``modules`` are those that run whenever the code starts: imported at the top level, not local, not of the standard
    library, and neither under a condition nor where an ImportError is caught. Raises RunFailed: SYNTAX_ERROR,
    SEVERAL_FRAMEWORKS.
    """
    imports = _foreign_imports(script, read_module)
    framework, why = (override, "epochal.toml says so") if override else _choose(imports)
    modules = {found.module for found in imports if found.certain and found.package not in sys.stdlib_module_names}
    return Detection(framework, why, tuple(sorted(modules)))


def _choose(imports: list[_Import]) -> tuple[str, str]:
    """Return the framework that the imports mean, and the first import that says so, in words."""
    known = frameworks()
    names = {package: name for name, framework in known.items() for package in framework.IMPORTS}
    first: dict[str, str] = {}
    for found in imports:
        if found.package in names:
            first.setdefault(names[found.package], f"{found.file} line {found.line} imports {found.package}")
    trainers = sorted(name for name in first if not known[name].IS_TOOL)
    if len(trainers) > 1:
        sentences = ", and ".join(first[name] for name in trainers)
        choices = " or ".join(f'framework = "{name}"' for name in trainers)
        raise RunFailed(
            Reason.SEVERAL_FRAMEWORKS, f"{sentences}: which of them trains? Write {choices} into epochal.toml."
        )
    for name in [*trainers, *sorted(first)]:
        return name, first[name]
    return WITHOUT, f"no import of {all_imports()}"


def _foreign_imports(script: str, read_module: ReadModule) -> list[_Import]:
    """Return the imports of what is not local: nn.py's, then breadth first those of the local modules that it imports."""
    found: list[_Import] = []
    waiting = [("", SCRIPT, script, True)]
    seen = set()
    for name, file, text, certain in waiting:
        for imported in _imports(text, file, name, certain):
            local = _local_modules(imported, read_module)
            if not local and imported.package:
                found.append(imported)
            for module, source in local:
                # A module that was met in a function counts again where its import is certain.
                if (module, imported.certain) not in seen:
                    seen.add((module, imported.certain))
                    suffix = ".py" if read_module(f"{module}.__init__") is None else "/__init__.py"
                    waiting.append((module, module.replace(".", "/") + suffix, source, imported.certain))
    return found


def _local_modules(imported: _Import, read_module: ReadModule) -> list[tuple[str, str]]:
    """Return the local modules, name and text, that the import runs: packages, the module, and those among its names."""
    parts = imported.module.strip(".").split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    names += [".".join([*parts, name]).strip(".") for name in imported.names]
    return [(name, source) for name in names if name and (source := read_module(name)) is not None]


def _imports(text: str, file: str, module: str, certain: bool) -> Iterator[_Import]:
    """Yield the imports of the local ``module`` (empty: nn.py) in the order of their lines.

    Those of a statement are certain if both the statement and ``certain`` are.
    """
    statements = sorted(_statements(_parse(text, file)), key=lambda found: (found[0].lineno, found[0].col_offset))
    for statement, runs in statements:
        names: tuple[str, ...] = ()
        if isinstance(statement, ast.Import):
            modules = [alias.name for alias in statement.names]
        else:
            names = tuple(alias.name for alias in statement.names)
            modules = [statement.module or ""]
            if statement.level:
                # The dots climb out of a module, from a package's __init__ one step less. The name does not say which of
                # the two it is, so both are looked for: where the other one leads there is no file.
                parts = module.split(".")
                climbs = (statement.level, statement.level - 1)
                packages = {".".join(parts[: max(len(parts) - climb, 0)]) for climb in climbs}
                modules = [f".{package}.{statement.module or ''}" for package in sorted(packages)]
        for name in modules:
            yield _Import(name, names, file, statement.lineno, certain and runs)


def _parse(text: str, file: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):  # of the code, which are not ours to report
            return ast.parse(text.removeprefix("\ufeff"))
    except SyntaxError as error:
        detail = (error.text or "").rstrip()
        where = f"{file} line {error.lineno or 1}: {error.msg} (as Python {_PYTHON} reads it)."
        raise RunFailed(Reason.SYNTAX_ERROR, where, detail) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise RunFailed(Reason.SYNTAX_ERROR, f"{file} cannot be read as Python: {error}.") from None


def _statements(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield the import statements, each with whether it runs whenever its module does."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, certain = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, certain
            continue
        children: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            children = node.orelse
        inside = certain and _runs_its_body(node)
        waiting += [(child, inside) for child in children if isinstance(child, _BLOCKS)]


def _runs_its_body(node: ast.AST) -> bool:
    """Return whether a statement always runs what it contains, and what that raises is seen."""
    if isinstance(node, ast.Try):
        caught: list[ast.expr | None] = []
        for handler in node.handlers:
            caught += handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return not any(kind is None or (isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS) for kind in caught)
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        return not any(last_name(call.func) == "suppress" for call in calls)  # of whichever exceptions
    return isinstance(node, ast.Module | ast.ClassDef)
