"""Which framework code trains with, told by its imports.

The rules: ``keras``, ``tensorflow`` and ``tf_keras`` mean keras; ``torch`` and ``lightning`` mean torch; ``sklearn`` beside one of
them is a tool (splits, metrics), alone it is what trains; keras beside torch is undecided and refused, unless epochal.toml
says which; none of them is plain python.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from epochal.errors import Reason, RunFailed

Framework = Literal["keras", "sklearn", "torch", "python"]

_PACKAGES: dict[str, Framework] = {
    "keras": "keras",
    "tensorflow": "keras",
    "tf_keras": "keras",
    "torch": "torch",
    "torchvision": "torch",
    "lightning": "torch",
    "sklearn": "sklearn",
}

ReadModule = Callable[[str], str | None]


@dataclass(frozen=True)
class Detection:
    """The framework, why (``nn.py line 3 imports keras``), and the modules to be proven by an import, sorted."""

    framework: Framework
    why: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Import:
    module: str
    file: str
    line: int
    required: bool

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def sentence(self) -> str:
        return f"{self.file} line {self.line} imports {self.package}"


def detect_folder(code: Path, override: str = "") -> Detection:
    """The framework of ``code``/nn.py and the local modules that it imports; ``override`` decides instead if it is given.

    Raises RunFailed: NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS.
    """
    script = _read(code / "nn.py")
    if script is None:
        raise RunFailed(Reason.NO_SCRIPT, "There is no nn.py at the top of the repository: that is the file that is trained.")
    return detect(script, lambda name: _read_module(code, name), override)


def detect(script: str, read_module: ReadModule, override: str = "") -> Detection:
    """The same for the text of nn.py; ``read_module`` gives a local module's text by its dotted name, or None."""
    imports = _all_imports(script, read_module)
    required = {found.module for found in imports if found.required and found.package not in sys.stdlib_module_names}
    framework, why = _decide(imports, override)
    return Detection(framework, why, tuple(sorted(required)))


def _decide(imports: list[_Import], override: str) -> tuple[Framework, str]:
    first: dict[Framework, _Import] = {}
    for found in imports:
        if found.package in _PACKAGES:
            first.setdefault(_PACKAGES[found.package], found)
    if override:
        return override, "epochal.toml says so"  # type: ignore[return-value] # its values are checked by the settings
    if "keras" in first and "torch" in first:
        raise RunFailed(
            Reason.SEVERAL_FRAMEWORKS,
            f'{first["keras"].sentence}, and {first["torch"].sentence}: write framework = "keras" or framework = "torch" '
            "into epochal.toml.",
        )
    for framework in ("keras", "torch", "sklearn"):
        if framework in first:
            return framework, first[framework].sentence  # type: ignore[index, return-value]
    return "python", "no import of keras, tensorflow, sklearn or torch"


def _all_imports(script: str, read_module: ReadModule) -> list[_Import]:
    """The imports of nn.py and, breadth first, of the local modules; those of local modules themselves are left out."""
    found: list[_Import] = []
    waiting = [("", "nn.py", script)]
    seen = {""}
    for module, file, text in waiting:
        for imported in _imports(text, file, module):
            local = _local(imported.module, read_module)
            if not local:
                found.append(imported)
            for name, source in local:
                if name not in seen:
                    seen.add(name)
                    waiting.append((name, f"{name.replace('.', '/')}.py", source))
    return found


def _local(module: str, read_module: ReadModule) -> list[tuple[str, str]]:
    """The local modules that importing ``module`` runs: its packages and itself; empty if it is not local."""
    parts = module.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [(name, source) for name in names if (source := read_module(name)) is not None]


def _imports(text: str, file: str, module: str) -> Iterator[_Import]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise RunFailed(Reason.SYNTAX_ERROR, f"{file} line {line}: {getattr(error, 'msg', error)}") from None
    except (RecursionError, MemoryError):
        raise RunFailed(Reason.SYNTAX_ERROR, f"{file}: nested too deeply for Python to read") from None
    required = set(_required(tree.body))
    for node in ast.walk(tree):
        for name in _imported(node, module):
            assert isinstance(node, ast.Import | ast.ImportFrom)
            yield _Import(name, file, node.lineno, node in required)


def _imported(node: ast.AST, module: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if not node.level:
        return [node.module or ""]
    # A package's __init__ would climb one step less; nn.py's helpers are mostly flat, and a wrong step finds no file.
    base = module.split(".")[: -node.level]
    return [".".join([*base, node.module or alias.name]) for alias in node.names]


def _required(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The imports that run whenever the module is imported: not in functions, not where an ImportError is expected."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.With):
            yield from _required(statement.body)
        elif isinstance(statement, ast.If) and _is_main_guard(statement.test):
            yield from _required(statement.body)
        elif isinstance(statement, ast.Try) and not statement.handlers:
            yield from _required(statement.body)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _read_module(code: Path, name: str) -> str | None:
    path = code.joinpath(*name.split("."))
    if not name or not path.resolve().is_relative_to(code.resolve()):
        return None
    found = _read(path.with_name(f"{path.name}.py"))
    return found if found is not None else _read(path / "__init__.py") or ("" if path.is_dir() else None)


def _read(path: Path) -> str | None:
    """A module's text, decoded as Python does (byte order mark, coding cookie); None if there is no such file."""
    if not path.is_file():
        return None
    source = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise RunFailed(Reason.SYNTAX_ERROR, f"{path.name}: {error}") from None
