"""Find import statements in the pushed code, and suggest replacements."""

import ast
import re
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from epochal.analysis.files import list_code_files
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.location import read_module
from epochal.analysis.packages import can_provide, find_package
from epochal.analysis.syntax import Module, resolve_imports


def find_import(code: Path, script: str, module: str) -> tuple[str, int] | None:
    """Return the file and line of the first import of ``module``, in the script or else in another file."""
    others = sorted(str(path.relative_to(code)) for path in code.rglob("*.py"))
    for file in (script, *others):
        for node in _walk_imports(code, file):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names] if not node.level else []
            if any(f"{name}.".startswith(f"{module}.") for name in names):
                return file, node.lineno
    return None


def find_imported(code: Path, file: str, line: int) -> list[str]:
    """Return the full names that the import statement on a line imports; empty if the line has no import statement."""
    for node in _walk_imports(code, file):
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            return [f"{prefix}{alias.name}" for alias in node.names]
    return []


def rewrite_relative_import(code: Path, file: str, line: int) -> str:
    """Return the relative import on a line as an absolute one; empty if the line has no relative import."""
    for node in _walk_imports(code, file):
        if isinstance(node, ast.ImportFrom) and node.level and node.lineno <= line <= (node.end_lineno or node.lineno):
            return make_absolute(node)
    return ""


def make_absolute(relative: ast.ImportFrom) -> str:
    """Return an absolute import statement that replaces a relative one."""
    names = ", ".join(ast.unparse(alias) for alias in relative.names)
    return f"from {relative.module} import {names}" if relative.module else f"import {names}"


def find_removed(code: Path, file: str, line: int, message: str) -> tuple[str, RemovedApi] | None:
    """Return the package's title and the removed API if such an API caused the error on ``line``; otherwise None.

    ``message``: the error message. It must match the API's ``error`` or contain the API's name; if ``line`` uses the
    API, part of the name is enough.
    """
    content = read_module(code, file)
    if content is None or Module.parse(content) is None:
        return None
    source = content.decode("utf-8", errors="replace")
    words = set(re.findall(r"\w+", message))
    best, most = None, 0
    for framework in frameworks().values():
        for api in framework.find_removed_apis(source):
            if api.what.isidentifier() and find_local_module(code, api.what):
                continue
            if api.error and re.search(api.error, message):
                return api.owner or framework.TITLE, api
            shared = len(words.intersection(re.findall(r"\w+", api.what)))
            if shared > most and (api.line == line or api.what in message):
                best, most = (api.owner or framework.TITLE, api), shared
    return best


def find_local_module(code: Path, name: str, *, ignore_case: bool = False) -> str:
    """Return the path of the module ``name`` (dotted) in any folder of the repository; empty if not found."""
    path = name.replace(".", "/")
    paths = sorted((each for each in list_code_files(code) if each.endswith(".py")), key=len)
    for candidate in (f"/{path}.py", f"/{path}/__init__.py"):
        for each in paths:
            if f"/{each}".endswith(candidate) or (ignore_case and f"/{each}".lower().endswith(candidate.lower())):
                return each
    return ""


def find_misplaced_import(code: Path, script: str, file: str, line: int, missing: str) -> tuple[str, str, str] | None:
    """Find the local module that a failed import of ``missing`` probably refers to.

    Its path may differ from the imported name in letter case, or have extra folders. Returns the module's name as
    written in the import statement, its path, and the statement to write instead (empty if the script cannot import
    from that path, for example because it is outside the script's folder). Returns None if there is no such module.
    """
    for node in _walk_imports(code, file):
        if not node.lineno <= line <= (node.end_lineno or node.lineno) or (
            isinstance(node, ast.ImportFrom) and node.level
        ):
            continue
        for alias in node.names:
            wanted = [f"{node.module}.{alias.name}", node.module] if isinstance(node, ast.ImportFrom) else [alias.name]
            for name in wanted:
                local = _find_similar_path(code, name) if name and f"{name}.".startswith(f"{missing}.") else ""
                found = _dotted_name(local, script) if local else ""
                if not name or not local or found == name:
                    continue
                if found and isinstance(node, ast.ImportFrom) and alias.name in _defined_names(code, local):
                    return name, local, f"from {found} import {ast.unparse(alias)}"
                return name, local, _replace_module(node, alias, name, found) if found else ""
    return None


def _find_similar_path(code: Path, name: str) -> str:
    """Return the path of the local module ``name``; the letter case may differ unless ``name`` is a known package."""
    return find_local_module(code, name) or (
        "" if find_package(name) else find_local_module(code, name, ignore_case=True)
    )


def _dotted_name(path: str, script: str) -> str:
    """Return the name under which a script can import the module at ``path``; empty if it cannot."""
    folder = PurePosixPath(script).parent
    if not PurePosixPath(path).is_relative_to(folder):
        return ""
    inside = str(PurePosixPath(path).relative_to(folder)).removesuffix(".py").removesuffix("/__init__")
    return inside.replace("/", ".") if all(part.isidentifier() for part in inside.split("/")) else ""


def _replace_module(node: ast.Import | ast.ImportFrom, alias: ast.alias, name: str, found: str) -> str:
    """Return an import statement with the module ``found`` instead of ``name``."""
    if isinstance(node, ast.Import):
        own = alias.asname or ("" if "." in name else name)
        return f"import {found}" + (f" as {own}" if own else "")
    if name == node.module:
        return f"from {found} import {', '.join(ast.unparse(each) for each in node.names)}"
    package, _, module = found.rpartition(".")
    own = alias.asname or alias.name
    return f"from {package} import {module}" + (f" as {own}" if own != module else "")


def find_hiding_module(code: Path, script: str, module: str, name: str) -> str:
    """Return the path of a file in the script's folder that hides the package or standard-library module ``module``.

    ``name``: what the code needs from ``module``. The result is empty if no file hides ``module``, if ``module`` cannot
    provide ``name``, or if the file provides it.
    """
    beside = Path(script).parent / module
    paths = [str(path) for path in (beside.with_suffix(".py"), beside / "__init__.py") if (code / path).is_file()]
    if not paths or not can_provide(module, name) or name in _defined_names(code, paths[0], module):
        return ""
    return paths[0]


def find_close_name(code: Path, file: str, name: str) -> str:
    """Return the name defined in the module ``file`` that is most like ``name``; empty if none is similar."""
    lower = {each.lower(): each for each in _defined_names(code, file)}
    found = get_close_matches(name.lower(), sorted(lower), n=1)
    return lower[found[0]] if found else ""


def _defined_names(code: Path, file: str, importing_from: str = "") -> set[str]:
    """Return the names that the module ``file`` defines at its top level.

    ``importing_from``: a module; if given, imported names are included, except those imported from this module.
    """
    module = Module.read(code / file)
    names = set[str]()
    for node in module.scope_nodes() if module else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    imported = resolve_imports(module.tree) if module and importing_from else {}
    return names | {name for name, full in imported.items() if full.partition(".")[0] != importing_from}


def _walk_imports(code: Path, file: str) -> list[ast.Import | ast.ImportFrom]:
    content = read_module(code, file)
    module = Module.parse(content) if content is not None else None
    found = [node for node in ast.walk(module.tree) if isinstance(node, ast.Import | ast.ImportFrom)] if module else []
    return sorted(found, key=lambda node: node.lineno)
