"""Find files that the code needs but the commit lacks, and packages that the training environment lacks."""

import ast
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from epochal.analysis.conda import conda_to_pip, find_requirement
from epochal.analysis.detection import Detection
from epochal.analysis.findings.finding import Finding, Severity
from epochal.analysis.findings.source import Source, find_certain
from epochal.analysis.findings.unattended import reads_file
from epochal.analysis.frameworks import frameworks
from epochal.analysis.imports import find_misplaced_import, make_absolute
from epochal.analysis.missing_files import (
    LARGE_BYTES,
    USE_DATA_FOLDER,
    explain_adding,
    explain_fetching,
    explain_ignored,
    explain_missing_file,
    explain_pointer,
    explain_submodule,
    find_ignore_rule,
    find_pointer,
)
from epochal.analysis.packages import (
    PYTHON_2_MODULES,
    can_provide,
    describe_module,
    explain_gpu_module,
    find_package,
    find_service,
    find_similar_module,
    needs_gpu,
)
from epochal.analysis.requirements import explain_refused, find_refused, find_wrong_names
from epochal.analysis.syntax import full_name, last_name, text_of
from epochal.errors import RunFailed

_OWN_FOLDER = re.compile(
    r"(?:pathlib\.)?Path\(__file__\)(?:\.(?:resolve|absolute)\(\))?\.parent"
    r"|os\.path\.dirname\((?:__file__|os\.path\.(?:abspath|realpath)\(__file__\))\)"
)
"""Matches expressions for the folder of the Python file in which they appear."""

_PROVIDERS = {
    "clang": ("libclang",),
    "cv2": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "functorch": ("torch",),
    "grpc": ("grpcio",),
    "markdown_it": ("markdown-it-py",),
    "pasta": ("google-pasta",),
    "tensorflow": ("tensorflow-cpu",),
    "torchgen": ("torch",),
    "xgboost": ("xgboost-cpu",),
}
"""For each module, the packages that provide it besides the usual one."""

_DEPENDENCIES = {
    "imbalanced-learn": ("joblib", "numpy", "scikit-learn", "scipy", "threadpoolctl"),
    "joblib": (),
    "keras": ("absl-py", "h5py", "ml-dtypes", "namex", "numpy", "optree", "packaging", "rich"),
    "lightgbm": ("numpy", "scipy"),
    "matplotlib": ("numpy", "packaging", "pillow", "python-dateutil", "six"),
    "nltk": ("click", "joblib", "regex", "tqdm"),
    "numpy": (),
    "opencv-python": ("numpy",),
    "opencv-python-headless": ("numpy",),
    "openpyxl": ("et-xmlfile",),
    "pandas": ("numpy", "python-dateutil", "pytz", "six", "tzdata"),
    "pillow": (),
    "pyyaml": (),
    "requests": ("certifi", "charset-normalizer", "idna", "urllib3"),
    "scikit-learn": ("joblib", "numpy", "scipy", "threadpoolctl"),
    "scipy": ("numpy",),
    "seaborn": ("matplotlib", "numpy", "packaging", "pandas", "pillow", "python-dateutil", "six"),
    "tensorflow": ("tensorboard",),
    "torch": (),
    "torchvision": (),
    "tqdm": (),
    "xgboost": ("numpy", "scipy"),
}
"""For each package, the dependencies that are installed with it and that a script is likely to import.

If requirements.txt names a package that is neither listed here nor in the training environment, the package's
dependencies are unknown, so no module is reported as missing.
"""

_MISSPELLED = 0.9
"""A submodule's name is taken to be misspelled if it is at least this similar to the name of a known submodule."""

_OTHER_LISTS = ("pyproject.toml", "environment.yml", "environment.yaml", "uv.lock", "Pipfile", "setup.py")
"""Files other than requirements.txt that list the packages that the code needs."""


_NEEDED_BY_NUMPY_TEXT = """
ast bisect contextlib contextvars copyreg datetime dis hmac inspect numbers opcode random struct textwrap token typing
"""
_NEEDED_BY_NUMPY = frozenset(_NEEDED_BY_NUMPY_TEXT.split())
"""Standard-library modules that NumPy needs in order to be imported or to generate random numbers."""
_USING_NUMPY = frozenset({"numpy", "pandas", *(name for each in frameworks().values() for name in each.IMPORTS)})

_UNPACKING = frozenset(
    {"chdir", "extractall", "unpack_archive", "urlretrieve", "get_file", "system", "run", "check_call", "check_output"}
    | {"Popen", "snapshot_download", "download", "download_file", "dataset_download_files", "copy", "copytree", "move"}
)
"""Functions that may create arbitrary files."""


def find_missing_files(
    sources: tuple[Source, ...], folder: Path, files: Collection[str], pointers: Collection[str]
) -> Iterator[Finding]:
    """Yield findings about files that the code always reads but that a commit of ``folder`` would not contain.

    ``files``: the paths that a commit would contain; for those in ``pointers``, it would contain only Git LFS pointers.
    """
    yield from _find_uncommitted_modules(sources, folder, files)
    if any(last_name(call.func) in _UNPACKING for source in sources for call in source.calls):
        return
    stems = Counter(_stem(text) for source in sources for text in _texts_in(source))
    formatted = {PurePosixPath(text).suffix for source in sources for text in _formatted_texts_in(source)}
    known = {*files, *(str(parent) for path in files for parent in PurePosixPath(path).parents)}
    for source, step in find_certain(sources):
        for call in step.calls:
            path = text_of(call.args[0]) if call.args and reads_file(source, call) else ""
            # Code elsewhere that mentions a file of this name may write it first.
            mentioned = stems[_stem(path)] > 1 or PurePosixPath(path).suffix in formatted
            if not _is_relative(path):
                continue
            if str(PurePosixPath(path)) in pointers or find_pointer([path], folder):
                message, _, remedy = explain_pointer(path).partition(". ")
                yield Finding("lfs_pointer", source.path, call.lineno, f"{message}.", remedy)
            elif not mentioned and str(PurePosixPath(path)) not in known:
                message, remedy = _explain_missing(path, folder)
                yield Finding("missing_file", source.path, call.lineno, message, remedy)


def find_untracked_files(sources: tuple[Source, ...], untracked: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each file in ``untracked`` that the code imports as a module or always reads."""
    used = [(module.path, *_find_import(sources, PurePosixPath(module.path).stem)) for module in sources[1:]]
    for source, step in find_certain(sources):
        for call in step.calls:
            if not call.args or not reads_file(source, call):
                continue
            if _is_relative(path := _read_path(call.args[0], source.constants, source)):
                used.append((str(PurePosixPath(path)), source.path, call.lineno))
    for path, where, line in used:
        if any(each == path or each.startswith(f"{path}/") for each in untracked):
            message = f"{path} is not tracked by git yet, so git commit --all would leave it out."
            yield Finding("untracked_file", where, line, message, f"Run git add {shlex.quote(path)}.", Severity.NOTE)


def _read_path(node: ast.expr, constants: dict[str, ast.expr], source: Source) -> str:
    """Return the path that an expression such as ``DATA / "a.csv"`` builds from constants; empty if it is unknown."""
    if _OWN_FOLDER.fullmatch(ast.unparse(node)):
        return str(PurePosixPath(source.path).parent)
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in constants:
            others = {other: value for other, value in constants.items() if other != name}
            return _read_path(constants[name], others, source)
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            parts = [left, right]
        case ast.Call(args=[_, *_], keywords=[]) if source.callee(node) in ("pathlib.Path", "os.path.join"):
            parts = node.args
        case _:
            return ""
    paths = [_read_path(part, constants, source) for part in parts]
    return str(PurePosixPath(*paths)) if all(paths) else ""


def _find_uncommitted_modules(sources: tuple[Source, ...], folder: Path, files: Collection[str]) -> Iterator[Finding]:
    """Yield findings about imported modules in ``folder`` that git ignores or that are in a submodule."""
    folders = dict.fromkeys(str(parent) for module in sources[1:] for parent in PurePosixPath(module.path).parents)
    for submodule in folders:
        if submodule in files and not (folder / submodule).is_symlink():  # git lists a submodule as if it were a file
            message, _, remedy = explain_submodule(submodule).partition(". ")
            path, line = _find_import(sources, PurePosixPath(submodule).name)
            yield Finding("missing_file", path, line, f"{message}.", remedy)
    for module in sources[1:]:
        if module.path not in files and (rule := find_ignore_rule(module.path, folder)):
            path, line = _find_import(sources, PurePosixPath(module.path).stem)
            message = f"{module.path} is not in the commit: {rule} excludes it."
            yield Finding("missing_file", path, line, message, f"{explain_adding(module.path)}.")


def _stem(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name.partition(".")[0]


def _texts_in(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _formatted_texts_in(source: Source) -> Iterator[str]:
    """Yield the letter x followed by the text at the end of each f-string: ``x.csv`` for ``f"{name}.csv"``."""
    for node in source.nodes:
        if isinstance(node, ast.JoinedStr) and node.values and (end := text_of(node.values[-1])):
            yield f"x{end}"


def _is_relative(path: str) -> bool:
    outside = path.startswith(("/", "~", "..")) or re.match(r"[A-Za-z]+:|\\\\", path)
    return bool(path) and not outside and not any(character in path for character in "*?{}%$\n")


def _explain_missing(path: str, folder: Path) -> tuple[str, str]:
    """Return why a commit of ``folder`` does not contain ``path``, and what to do about it."""
    if not (folder / path).exists():
        message, _, remedy = explain_missing_file(path, folder).partition(". ")
        return f"{message}.", remedy
    size = _size_of(folder / path)
    if any((folder / f"{each}.dvc").exists() for each in (path, *PurePosixPath(path).parents)):
        return f"{path} is tracked by DVC, so commits do not contain it.", explain_fetching(path, size)
    shown = f"{path} ({size / 1e6:.0f} MB)" if size > LARGE_BYTES else path
    return f"{shown} is ignored by git, so commits do not contain it.", explain_ignored(path, size)


def _size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if ``path`` is not a file."""
    return path.stat().st_size if path.is_file() else 0


def find_large_files(folder: Path, files: Collection[str]) -> Iterator[Finding]:
    """Yield findings about files larger than 50 MB in the next commit, unless the repository uses Git LFS.

    ``files``: the paths of all files that the next commit would add or change.
    """
    attributes = folder / ".gitattributes"
    if attributes.is_file() and b"filter=lfs" in attributes.read_bytes():
        return
    for path in files:
        size = _size_of(folder / path)
        if size > LARGE_BYTES:
            yield Finding(
                "large_file",
                path,
                0,
                f"The next commit would contain {path} ({size / 1e6:.0f} MB). GitHub refuses files larger than 100 MB.",
                f"Add the file to .gitignore, and {USE_DATA_FOLDER}.",
            )


def find_missing_packages(sources: tuple[Source, ...], detection: Detection, folder: Path) -> Iterator[Finding]:
    """Yield findings about imported modules that neither the training environment nor requirements.txt provides."""
    if any((folder / name).exists() for name in _OTHER_LISTS):
        return
    named = _read_requirements(folder)
    pins = _names_in(frameworks()[detection.framework].PINS.read_text(encoding="utf-8"))
    if named is None or not named <= pins | _DEPENDENCIES.keys():
        return
    provided = pins | named | {each for name in named for each in _DEPENDENCIES.get(name, ())}
    reported = set()
    for module in detection.modules:
        top = module.partition(".")[0]
        package = find_package(module) or top.replace("_", "-")
        providers = {top, Requirement(package).name, *_PROVIDERS.get(top, ())}
        similar = find_similar_module(module, _MISSPELLED)
        if similar and not _is_in(module, similar):
            path, line = _find_import(sources, module)
            message = f"{top} has no module {module}."
            yield Finding("missing_package", path, line, message, f"Did you mean {similar}?")
        if top in reported or any(canonicalize_name(each) in provided for each in providers):
            continue
        reported.add(top)
        if service := find_service(module):
            path, line = _find_import(sources, module)
            remedy = "Remove the lines that use it, or run them only there."
            yield Finding("missing_package", path, line, f"{module} exists only on {service}.", remedy)
            continue
        # google is a namespace of many packages. Modules of Python 2 are reported as removed.
        if top == "google" or top in PYTHON_2_MODULES:
            continue
        path, line = _find_import(sources, top)
        misplaced = find_misplaced_import(folder, sources[0].path, path, line, top)
        if misplaced and misplaced[2]:
            message = f"In the repository, {misplaced[0]} is at {misplaced[1]}."
            yield Finding("misplaced_module", path, line, message, f"Write {misplaced[2]}.")
            continue
        message, remedy = _explain_missing_package(module, package, frameworks()[detection.framework].TITLE)
        yield Finding("missing_package", path, line, message, remedy)


def _explain_missing_package(module: str, package: str, framework: str) -> tuple[str, str]:
    top = module.partition(".")[0]
    if needs_gpu(top):
        return explain_gpu_module(top)
    remedy = f"Add {package} to requirements.txt."
    if not find_package(module):
        remedy = (
            f"Add the package that provides {top} to requirements.txt, or, if it is your own module, commit {top}.py "
            f"or the folder {top}."
        )
    return f"{top} is neither in the training environment for {framework} nor in requirements.txt.", remedy


def find_relative_imports(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield findings about the script's relative imports, which fail because Python runs the script directly."""
    for source, step in find_certain(sources):
        node = step.node
        if source is sources[0] and isinstance(node, ast.ImportFrom) and node.level:
            yield Finding(
                "relative_import",
                source.path,
                node.lineno,
                f"Relative imports do not work in {source.path}, because Python runs this file directly.",
                f"Write {make_absolute(node)}.",
            )


def find_refused_requirements(folder: Path, files: Collection[str]) -> Iterator[Finding]:
    """Yield findings about requirements that servers refuse by default or that do not name an installable package.

    ``files``: the paths of all files in the next commit.
    """
    text = _read_text(folder) if "requirements.txt" in files else ""
    for line, problem in find_refused(text or ""):
        yield Finding("refused_requirement", "requirements.txt", line, f"{problem}.", explain_refused([problem]))
    for line, requirement, replacement in find_wrong_names(text or ""):
        message = f"{requirement} does not name an installable package."
        yield Finding("environment_failed", "requirements.txt", line, message, f"Write {replacement} instead.")
    shadowed = "uv.lock" in files or ("pyproject.toml" in files and _lists_packages(folder))
    if text == "" and not shadowed:
        yield from _find_refused_in_conda(folder, files)


def _lists_packages(folder: Path) -> bool:
    """Return whether pyproject.toml lists packages or is invalid; in both cases, a run does not read environment.yml."""
    try:
        return bool(tomllib.loads(_read_text(folder, "pyproject.toml") or "").get("project", {}).get("dependencies"))
    except (tomllib.TOMLDecodeError, AttributeError):
        return True


def _find_refused_in_conda(folder: Path, files: Collection[str]) -> Iterator[Finding]:
    """Yield findings about packages in environment.yml that servers refuse by default.

    A file that cannot be translated is reported elsewhere.
    """
    for name in ("environment.yml", "environment.yaml"):
        text = (_read_text(folder, name) or "") if name in files else ""
        requirements = ""
        with suppress(RunFailed):
            requirements = conda_to_pip(text, name)
        for number, problem in find_refused(requirements):
            line = find_requirement(requirements.splitlines()[number - 1], text)
            yield Finding("refused_requirement", name, line, f"{problem}.", explain_refused([problem]))
        if requirements:
            return


def find_hidden_packages(sources: tuple[Source, ...], files: Collection[str]) -> Iterator[Finding]:
    """Yield findings about the script and modules next to it that hide a package or a standard-library module.

    A file is reported only if it lacks a name that the code uses, or if NumPy needs the hidden module.
    ``files``: the paths of all files in the next commit.
    """
    yield from _find_hidden_submodules(sources, files)
    beside = {PurePosixPath(source.path).stem: source for source in sources if _is_beside(source, sources[0])}
    imported = {name.partition(".")[0] for source in sources for name in source.names.values()}
    uses_numpy = bool(imported & _USING_NUMPY)
    for name, module in beside.items():
        hidden = f"{module.path} hides {describe_module(name)}"
        if name in _NEEDED_BY_NUMPY and uses_numpy:
            yield Finding("hidden_package", module.path, 0, f"{hidden}, which NumPy needs.", f"Rename {module.path}.")
            continue
        defined = _names_defined(module)
        for source in sources:
            lacking = [each for each in sorted(_names_used(source, name) - defined) if can_provide(name, each)]
            if lacking and not defined & {"*", "__getattr__"}:
                path, line = _find_import((source,), name)
                message = f"{hidden} but does not define {lacking[0]}."
                yield Finding("hidden_package", path, line, message, f"Rename {module.path}.")


def _find_hidden_submodules(sources: tuple[Source, ...], files: Collection[str]) -> Iterator[Finding]:
    """Find files beside the script that hide a package, if the code imports only submodules of the package."""
    folder, reported = PurePosixPath(sources[0].path).parent, {source.path for source in sources}
    for source, step in find_certain(sources):
        node = step.node
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else _names_imported(node)
        for top, _, rest in (module.partition(".") for module in modules):
            hiding, submodule = str(folder / f"{top}.py"), rest.partition(".")[0]
            is_package = any(PurePosixPath(path).is_relative_to(folder / top) for path in files)
            if not submodule or hiding not in files or hiding in reported or is_package:
                continue
            if can_provide(top, submodule):
                reported.add(hiding)
                message = f"{hiding} hides {describe_module(top)} but does not define {submodule}."
                yield Finding("hidden_package", source.path, node.lineno, message, f"Rename {hiding}.")


def _is_beside(source: Source, script: Source) -> bool:
    return PurePosixPath(source.path).parent == PurePosixPath(script.path).parent


def _names_used(source: Source, module: str) -> set[str]:
    """Return the names in ``module`` that a file uses: ``Sequential`` for ``keras.Sequential``."""
    nodes = (node for node in source.nodes if isinstance(node, ast.Attribute))
    names = {*source.names.values(), *(full_name(node, source.names) for node in nodes)}
    return {name.split(".")[1] for name in names if name.startswith(f"{module}.")} - {"*"}


def _names_defined(module: Source) -> set[str]:
    """Return all names that a module defines or imports from other modules, even inside functions and classes."""
    itself = PurePosixPath(module.path).stem
    names = {name for name, full in module.names.items() if full.partition(".")[0] != itself}
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _read_text(folder: Path, name: str = "requirements.txt") -> str | None:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _read_requirements(folder: Path) -> set[str] | None:
    """Return the names of the packages in requirements.txt; None if the file or a line in it cannot be read."""
    text = _read_text(folder)
    if text is None:
        return None if (folder / "requirements.txt").exists() else set()
    try:
        return _names_in(text)
    except InvalidRequirement:
        return None


def _names_in(text: str) -> set[str]:
    """Return the normalised names of the packages in a requirements file, ignoring comments and hashes."""
    lines = (re.sub(r"(?:^|\s)#.*|\s--hash.*|\\$", "", line).strip() for line in text.splitlines())
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("--hash")}


def _find_import(sources: tuple[Source, ...], module: str) -> tuple[str, int]:
    """Return the file and line of the first import of a module or of something in it; line 0 if no file imports it."""
    for source in sources:
        lines = [
            node.lineno
            for node in source.nodes
            if isinstance(node, ast.stmt) and any(_is_in(name, module) for name in _names_imported(node))
        ]
        if lines:
            return source.path, min(lines)
    return sources[0].path, 0


def _names_imported(node: ast.AST) -> list[str]:
    """Return the full names that an absolute import statement imports; empty for any other node."""
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def _is_in(name: str, module: str) -> bool:
    return f"{name}.".startswith(f"{module}.")
