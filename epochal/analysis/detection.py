"""Detect which framework the pushed code trains with, based on its imports.

Each module in ``epochal.analysis.frameworks`` lists the imports that identify its framework, and gives the framework a
rank. If code imports several frameworks, the one with the lowest rank is used: scikit-learn, for example, is used only
if no other framework is imported. Code that imports several frameworks of rank 0 is refused unless epochal.toml names
one. Code that imports no framework is treated as plain Python. The imports in the script and in its local modules are
considered, including those in functions, but not those under ``if TYPE_CHECKING``, which never run.
"""

import ast
import io
import json
import re
import shlex
import sys
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

from epochal.analysis.conda import conda_to_pip
from epochal.analysis.files import list_code_files
from epochal.analysis.frameworks import NO_FRAMEWORK, all_imports, frameworks
from epochal.analysis.location import is_exported
from epochal.analysis.requirements import find_refused
from epochal.analysis.syntax import last_name
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT
from epochal.grammar import join_words

ReadModule = Callable[[str], str | None]
"""A function that takes the dotted name of a local module and returns its text, or None if there is no such module.

The name ``helpers`` refers to helpers.py or helpers/__init__.py.
"""

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_MAGIC = ("!", "%")
_OPTIONS_WITH_VALUE = frozenset(
    {"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t", "--target", "-n", "--name"}
    | {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--channel", "--trusted-host"}
)
"""Options of pip and conda that are followed by a value."""
_SEPARATORS = frozenset(";&|")
_INSTALLER = re.compile(r"(?:.*/)?(pip|conda|mamba)[\d.]*")
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


@dataclass(frozen=True)
class Detection:
    """The framework that the pushed code trains with, and the modules that the code needs.

    ``framework``: the framework's name in ``epochal.analysis.frameworks``. ``why``: the reason for this choice, such as
    ``nn.py line 3 imports keras``. ``modules``: the third-party modules that the code always imports when it starts,
    sorted; Epochal tries to import them before training.
    """

    framework: str
    why: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Import:
    """One imported module; its name has a leading dot if the import is relative.

    ``names``: the names after ``from … import``, which may be modules. ``certain``: whether the import always runs when
    the code starts, so that the code cannot start if the module is missing.
    """

    module: str
    names: tuple[str, ...]
    file: str
    line: int
    certain: bool

    @property
    def package(self) -> str:
        """The top-level package of the imported module; empty for a relative import."""
        return self.module.partition(".")[0]


def detect_folder(code: Path, path: str, content: bytes, override: str = "") -> Detection:
    """Detect which framework a script and its local modules use, and which modules they need.

    ``code``: the folder of the pushed code. ``path``: the script's path in it. ``content``: the script's bytes.
    ``override``: the name of the framework to use; empty to detect it. Raises RunFailed (SYNTAX_ERROR,
    NOTEBOOK_CODE, SEVERAL_FRAMEWORKS).
    """
    folder = (code / path).parent  # Python looks for modules beside the script first.

    def read_module(name: str) -> str | None:
        parts = name.replace(".", "/")
        source = read_source(folder, f"{parts}.py")
        return source if source is not None else read_source(folder, f"{parts}/__init__.py")

    found = detect(decode_source(content, path), read_module, override, path)
    # A script may add any folder of the repository to sys.path, so a module with the same name as a local file or
    # folder need not be in the training environment.
    paths = [PurePosixPath(name) for name in list_code_files(code)]
    local = {path.stem for path in paths if path.suffix == ".py"} | {part for path in paths for part in path.parts[:-1]}
    local |= {path.name for path in code.iterdir() if path.is_dir()}
    return replace(found, modules=tuple(name for name in found.modules if name.partition(".")[0] not in local))


def read_source(folder: Path, name: str) -> str | None:
    """Return the text of the file ``name`` in ``folder``; None if it cannot be opened."""
    try:
        return decode_source((folder / name).read_bytes(), name)
    except OSError:
        return None


def decode_source(content: bytes, name: str) -> str:
    """Return ``content``, the bytes of the Python file ``name``, as text.

    Like Python, decode it according to its byte order mark or encoding declaration. Raises RunFailed(SYNTAX_ERROR) if
    that fails.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:  # LookupError: a codec that does not decode to text
        raise RunFailed(Reason.SYNTAX_ERROR, f"{name} cannot be read as Python: {error}. Save it as UTF-8.") from None


def detect(script: str, read_module: ReadModule, override: str = "", path: str = SCRIPT) -> Detection:
    """Detect which framework a script and its local modules use, and which modules they need.

    The needed modules are those imported at the top level, neither under a condition nor in a block that catches
    ImportError. Local modules and those of the standard library are left out. ``script``: the script's text.
    ``override`` and ``path``: as in ``detect_folder``. Raises RunFailed (SYNTAX_ERROR, NOTEBOOK_CODE,
    SEVERAL_FRAMEWORKS).
    """
    imports = _external_imports(script, path, read_module)
    framework, why = (override, "set in epochal.toml") if override else _choose_framework(imports)
    modules = {found.module for found in imports if found.certain and found.package not in sys.stdlib_module_names}
    return Detection(framework, why, tuple(sorted(modules)))


def _choose_framework(imports: list[_Import]) -> tuple[str, str]:
    """Return the framework that the imports identify, and the reason for this choice."""
    known = frameworks()
    names = {package: name for name, framework in known.items() for package in framework.IMPORTS}
    first: dict[str, str] = {}
    for found in imports:
        if found.package in names:
            first.setdefault(names[found.package], f"{found.file} line {found.line} imports {found.package}")
    rank = min((known[name].RANK for name in first), default=0)
    trainers = [name for name in first if rank == known[name].RANK]
    if rank == 0 and len(trainers) > 1:
        trainers.sort()
        sentences = ", and ".join(first[name] for name in trainers)
        choices = " or ".join(f'framework = "{name}"' for name in trainers)
        raise RunFailed(
            Reason.SEVERAL_FRAMEWORKS, f"{sentences}. In epochal.toml, choose the framework to train with: {choices}."
        )
    if trainers:
        return trainers[0], first[trainers[0]]
    return NO_FRAMEWORK, f"no import of {all_imports()}"


def _external_imports(script: str, path: str, read_module: ReadModule) -> list[_Import]:
    """Return the imports of non-local modules in the script and then, breadth first, in its local modules."""
    found: list[_Import] = []
    folder = PurePosixPath(path).parent
    queue = [("", path, script, True)]
    seen = set()
    for name, origin, text, certain in queue:
        for imported in _read_imports(text, origin, name, certain):
            local = _local_modules(imported, read_module)
            if not local and imported.package:
                found.append(imported)
            for module, source in local:
                # A module that only uncertain imports have reached so far is read again if this import is certain.
                if (module, imported.certain) not in seen:
                    seen.add((module, imported.certain))
                    suffix = ".py" if read_module(f"{module}.__init__") is None else "/__init__.py"
                    file = str(folder / (module.replace(".", "/") + suffix))
                    queue.append((module, file, source, imported.certain))
    return found


def _local_modules(imported: _Import, read_module: ReadModule) -> list[tuple[str, str]]:
    """Return the name and text of each local module that an import runs, including parent packages and submodules."""
    parts = imported.module.strip(".").split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    names += [".".join([*parts, name]).strip(".") for name in imported.names]
    return [(name, source) for name in names if name and (source := read_module(name)) is not None]


def _read_imports(text: str, file: str, module: str, certain: bool) -> Iterator[_Import]:
    """Yield the imports of the script or a local module in source order.

    ``module``: the module's dotted name, empty for the script. ``file``: its path, for messages. ``certain``: whether
    the module is certain to run; if not, its imports are not marked as certain either.
    """
    statements = sorted(
        _import_statements(_parse(text, file)), key=lambda found: (found[0].lineno, found[0].col_offset)
    )
    for statement, runs in statements:
        names: tuple[str, ...] = ()
        if isinstance(statement, ast.Import):
            modules = [alias.name for alias in statement.names]
        else:
            names = tuple(alias.name for alias in statement.names)
            modules = [statement.module or ""]
            if statement.level:
                # In a package's __init__ the dots climb one level less than in a module. The name does not say which of
                # the two this is, so both targets are tried; the wrong one has no file.
                parts = module.split(".")
                climbs = (statement.level, statement.level - 1)
                packages = {".".join(parts[: max(len(parts) - climb, 0)]) for climb in climbs}
                modules = [f".{package}.{statement.module or ''}" for package in sorted(packages)]
        for name in modules:
            yield _Import(name, names, file, statement.lineno, certain and runs)


_PYTHON_2 = re.compile(
    r"Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized"
)


def _parse(text: str, file: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about the pushed code are not reported
            return ast.parse(text.removeprefix("\ufeff"))
    except SyntaxError as error:
        detail = (error.text or "").rstrip()
        if detail.lstrip().startswith(_MAGIC):
            raise RunFailed(Reason.NOTEBOOK_CODE, _explain_magics(text, file, error.lineno or 1, detail)) from None
        where = f"{file} line {error.lineno or 1}: {error.msg} (parsed as Python {_PYTHON})."
        if _PYTHON_2.search(error.msg):
            where = (
                f"{file} line {error.lineno or 1}: this is Python 2 code ({error.msg.partition('.')[0]}), but training "
                f"uses Python {_PYTHON}. Convert the whole file to Python 3"
            )
            if is_exported(file):  # 2to3 cannot read the notebook
                where += "."
            else:
                where += f", for example with 2to3 --write {shlex.quote(file)} (2to3 is part of Python up to 3.12)."
        raise RunFailed(Reason.SYNTAX_ERROR, where, detail) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise RunFailed(Reason.SYNTAX_ERROR, f"{file} cannot be read as Python: {error}.") from None


def _explain_magics(text: str, file: str, first: int, magic: str) -> str:
    """Explain what to do about notebook-only lines, such as ``!pip install tqdm`` or ``%matplotlib inline``.

    ``first``: the line number of the first such line, counted from 1. ``magic``: the text of that line.
    """
    lines = enumerate(text.splitlines(), 1)
    found = {first: magic} | {
        number: line for number, line in lines if number > first and line.lstrip().startswith(_MAGIC)
    }
    magics = {number: line.strip() for number, line in found.items()}
    others = ", ".join(f"{magics[number].split()[0]} on line {number}" for number in list(magics)[1:])
    also = f" (likewise {others})" if others else ""
    problem = f"{file} line {first}: {magics[first].split()[0]} works only in a notebook{also}."
    commands = [command for line in magics.values() for command in _split_commands(line.lstrip("!% "))]
    packages = list(dict.fromkeys(package for command in commands for package in _find_installed(command)))
    add = f", and add {join_words(packages)} to requirements.txt" if packages else ""
    is_in_block = any(line[:1].isspace() for line in found.values())
    which = "each of the lines" if others else "the line"
    remedy = f"Replace {which} with pass" if is_in_block else f"Remove {'the lines' if others else which}"
    return f"{problem} {remedy}{add}."


def _split_commands(line: str) -> list[list[str]]:
    """Return the words of each command in a line of shell code, up to a comment or an unbalanced quote."""
    words = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    words.whitespace_split, words.commenters = True, ""
    commands: list[list[str]] = [[]]
    with suppress(ValueError):  # an unbalanced quote
        for word in words:
            if word.startswith("#"):
                break
            if word[:1] in _SEPARATORS:
                commands.append([])
            else:
                commands[-1].append(word)
    return commands


def _find_installed(command: list[str]) -> Iterator[str]:
    """Yield the packages that a command installs with pip or conda, except pip itself and refused requirements."""
    start = command.index("install") if "install" in command else 0
    installer = next((found[1] for word in command[:start] if (found := _INSTALLER.fullmatch(word))), "")
    option = ""
    for word in command[start + 1 :] if installer else ():
        if not word.startswith("-") and option not in _OPTIONS_WITH_VALUE:
            required = word if installer == "pip" else _translate_from_conda(word)
            if required and not find_refused(required) and Requirement(required).name.lower() != "pip":
                yield required
        option = word


def _translate_from_conda(word: str) -> str:
    """Return the pip requirement for a package that conda installs; empty if there is none."""
    try:
        return conda_to_pip(json.dumps({"dependencies": [word]}), "conda install").strip()
    except RunFailed:
        return ""


def _import_statements(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield each import that a module can run, and whether the module always runs it."""
    stack: list[tuple[ast.AST, bool]] = [(tree, True)]
    while stack:
        node, certain = stack.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, certain
            continue
        children: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            children = node.orelse
        inside = certain and _always_runs_body(node)
        stack += [(child, inside) for child in children if isinstance(child, _BLOCKS)]


def _always_runs_body(node: ast.AST) -> bool:
    """Return whether a statement always runs the statements inside it, and does not catch their ImportErrors."""
    if isinstance(node, ast.Try):
        caught: list[ast.expr | None] = []
        for handler in node.handlers:
            caught += handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return not any(kind is None or (isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS) for kind in caught)
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        return not any(last_name(call.func) == "suppress" for call in calls)  # no matter which exceptions it suppresses
    return isinstance(node, ast.Module | ast.ClassDef)
