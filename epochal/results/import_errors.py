"""Explain a failed import: what is missing, where it comes from, and how to add it."""

import re
import sys
from dataclasses import replace
from pathlib import Path

from epochal.analysis.imports import (
    find_close_name,
    find_hiding_module,
    find_imported,
    find_local_module,
    find_misplaced_import,
    find_removed,
    rewrite_relative_import,
)
from epochal.analysis.missing_files import explain_adding, explain_submodule, find_ignore_rule, find_submodule
from epochal.analysis.packages import (
    PYTHON_2_MODULES,
    SystemLibrary,
    describe_module,
    explain_gpu_module,
    explain_replaced,
    find_package,
    find_service,
    find_similar_module,
    find_similar_names,
    find_system_library,
    needs_gpu,
    needs_numpy_1,
)
from epochal.errors import Reason
from epochal.grammar import join_words
from epochal.results.exceptions import Frame, Raised

_MODULE = re.compile(r"No module named '(?P<module>[\w.]+)'(?P<shadowed>; '[\w.]+' is not a package)?")
_NAME = re.compile(
    r"cannot import name '(?P<name>\w+)' from (?P<partial>partially initialized module )?'(?P<module>[\w.]+)'"
)
_BUILT_FOR_NUMPY_1 = re.compile(
    r"numpy\.dtype size changed.*Expected 96 from C header|compiled using NumPy 1|_ARRAY_API not found"
    r"|numpy\.core\.multiarray failed to import"
)
_OPTIONAL = re.compile(
    r"Missing optional dependency '(?P<missing>[\w.-]+)'|`Import (?P<module>\w+)` failed"
    r"|requires (?P<required>[\w-]+)\. You can install (?P=required) with `pip install"
    r"|'\.\w+' accessor requires (?P<accessor>[\w-]+)"
)
"""Matches the error that a function raises if an optional dependency of its package is missing."""
_OLDER = re.compile(r"requires version '(?P<version>[\w.]+)' or newer of '(?P<package>[\w.-]+)'")
_EXPERIMENTAL = re.compile(r"^\s*(?P<statement>from [\w.]+ import enable_\w+)", re.MULTILINE)
_LAZY = re.compile(r"-packages/.*lazy")
"""Matches the path of a module that imports others when they are first used, such as etils/epy/lazy_imports_utils.py."""
_REQUIREMENTS = "requirements.txt"
ON_THE_SERVER = "in the server's base image (or on the server, if it trains without Docker)"
"""Where an admin installs a system library or a program."""


def explain_import_error(raised: Raised, place: Frame | None, code: Path, script: str) -> tuple[Reason, str]:
    """Return the reason for an ImportError (or for another error during an import), and what to do about it, if known.

    ``place``: the import statement in the pushed code that led to the error; None if it is not known. ``code``: the
    folder with the pushed code. ``script``: the path of its script.
    """
    message = raised.message
    importer = _find_importer(raised)
    if needs_gpu(message):
        return Reason.NO_GPU, (
            f"{importer or script} needs GPU libraries, but training runs without a GPU. "
            f"In {_REQUIREMENTS}, require the CPU build of the package that needs them."
        )
    if library := find_system_library(message):
        return Reason.SYSTEM_LIBRARY, _explain_system_library(library, importer, code, script)
    if place and not place.is_library and "attempted relative import" in message:
        return Reason.IMPORT_ERROR, _explain_relative_import(place, code, script)
    if place and (removed := explain_removed(raised, place, code) or _explain_replaced(raised, place, code)):
        return Reason.IMPORT_ERROR, removed
    named, missing = _NAME.search(message), _MODULE.search(message)
    wanted = f"{named['module']}.{named['name']}" if named else missing["module"] if missing else ""
    if wanted and place and not importer and (misplaced := _explain_misplaced(wanted, place, code, script)):
        return Reason.IMPORT_ERROR, misplaced
    if named:
        return Reason.IMPORT_ERROR, _explain_name(
            named["module"], named["name"], bool(named["partial"]), importer, code, script
        )
    if missing:
        if needs_gpu(missing["module"]):
            return Reason.NO_GPU, " ".join(explain_gpu_module(missing["module"]))
        # For ``import google.colab`` Python may say that there is no module google.
        imported = find_imported(code, place.path, place.line) if place and not importer else []
        module = next((name for name in imported if find_service(name)), missing["module"])
        shadowed = missing["module"].partition(".")[0] if missing["shadowed"] else ""
        return Reason.IMPORT_ERROR, _explain_module(module, shadowed, importer, code, script)
    return Reason.IMPORT_ERROR, _explain_other(message, importer, place, code)


def _find_importer(raised: Raised) -> str:
    """Return the installed package that made the failed import, itself or via a lazy importer; empty if none did."""
    frames = list(raised.frames)
    lazy = False
    while frames and frames[-1].is_library and (_LAZY.search(frames[-1].path) or "-packages/" not in frames[-1].path):
        lazy |= bool(_LAZY.search(frames.pop().path))
    return (replace(raised, frames=tuple(frames)).package if lazy else "") or raised.package


def explain_hidden(module: str, local: str) -> str:
    """Explain that the repository's file ``local`` hides ``module``, which is installed or in the standard library."""
    needed = ", which other code needs" if module in sys.stdlib_module_names else ""
    return f"{local} in the repository hides {describe_module(module)}{needed}. Rename the file."


def _explain_shadowed(module: str, shadowed: str, local: str, code: Path) -> str:
    """Explain that ``module`` is missing because the file ``local`` is imported in place of the package ``shadowed``."""
    if (code / local).with_suffix("").is_dir():
        return f"{local} hides the folder {local.removesuffix('.py')}. Rename the file or the folder."
    if find_package(shadowed) or shadowed in sys.stdlib_module_names:
        return explain_hidden(shadowed, local)
    return (
        f"{local} is a file, not a folder, so it has no module {module.removeprefix(f'{shadowed}.')}. Correct the import or, "
        f"if you mean an installed package called {shadowed}, rename the file."
    )


def explain_removed(raised: Raised, place: Frame, code: Path) -> str:
    """Return what to use instead of the removed framework API that caused ``raised``; empty for any other cause.

    ``place``, ``code``: see ``explain_import_error``.
    """
    removed = find_removed(code, place.path, place.line, raised.message)
    if removed is None:
        return ""
    title, api = removed
    remedy = f"Use {api.instead}." if api.line == place.line else f"On line {api.line}, use {api.instead}."
    return f"{api.what} was removed from {title}. {remedy}"


def _explain_replaced(raised: Raised, place: Frame, code: Path) -> str:
    """Return what pushed code can import instead of a name removed from NumPy or SciPy; empty for other errors."""
    if raised.package:
        return ""
    named, missing = _NAME.search(raised.message), _MODULE.search(raised.message)
    names = [f"{named['module']}.{named['name']}"] if named else []
    if missing and "." in missing["module"]:
        names = find_imported(code, place.path, place.line)
    return next((remedy for name in names if (remedy := explain_replaced(name))), "")


def _explain_other(message: str, importer: str, place: Frame | None, code: Path) -> str:
    """Return what to do about an import error whose message is not Python's own; empty if unknown."""
    if optional := explain_optional(message):
        return optional
    if older := _OLDER.search(message):
        return f"In {_REQUIREMENTS}, require {older['package']}>={older['version']}."
    if experimental := _EXPERIMENTAL.search(message):
        return f"Write `{experimental['statement']}` above the import."
    imported = find_imported(code, place.path, place.line) if place else []
    if _BUILT_FOR_NUMPY_1.search(message):
        package = importer or (imported[0].partition(".")[0] if imported else "A package")
        return f"{package} was built for NumPy 1. Add numpy<2 to {_REQUIREMENTS}."
    if importer and imported:
        package = find_package(importer) or importer
        return f"In {_REQUIREMENTS}, pin compatible versions of {package} and its dependencies."
    return ""


def explain_optional(message: str) -> str:
    """Return what to do about an error due to a missing optional dependency of a package; empty for other errors."""
    found = _OPTIONAL.search(message)
    name = next(filter(None, found.groups())) if found else ""
    return f"Add {find_package(name) or name} to {_REQUIREMENTS}." if name else ""


def _explain_system_library(library: SystemLibrary, importer: str, code: Path, script: str) -> str:
    if library.debian == "libgl1" and importer in ("", "cv2"):
        written = next((name for name in _required(code) if name.startswith("opencv")), "opencv-python")
        instead = "opencv-contrib-python-headless" if "contrib" in written else "opencv-python-headless"
        return (
            f"{written} needs the system library {library.name} to display windows. "
            f"Replace {written} with {instead} in {_REQUIREMENTS}."
        )
    package = f"the Debian package {library.debian}" if library.debian else "it"
    return (
        f"{importer or script} needs the {library.kind} {library.name}, which cannot be installed through "
        f"{_REQUIREMENTS}. Ask the admin to install {package} {ON_THE_SERVER}, or remove the line that needs it."
    )


def _explain_relative_import(place: Frame, code: Path, script: str) -> str:
    rewritten = rewrite_relative_import(code, place.path, place.line)
    return f"Write `{rewritten}` instead: {script} runs as a script, not as part of a package."


def _explain_name(module: str, name: str, is_partial: bool, importer: str, code: Path, script: str) -> str:
    local = find_local_module(code, module)
    close = find_close_name(code, local, name) if local else ""
    is_python = module in sys.stdlib_module_names
    hiding = find_hiding_module(code, script, module, name)
    if hiding and (is_partial or is_python or not close):
        return explain_hidden(module, hiding)
    if is_python and not is_partial and close == name:
        return f"Python imports its own module {module} instead of {local}. Rename the file."
    if is_partial:
        return (
            f"{local or module} is imported again while it is still being imported (a circular import). Move one of "
            "the two imports into the function that needs it."
        )
    if local:
        return f"{local} does not define {name}." + (
            f" It defines {close}." if close else f" Define it, or remove {name} from the import."
        )
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return _explain_python(f"{module}.{name}", importer)
    if importer and importer != top:
        return _explain_dependency(f"{module}.{name}", importer)
    if similar := find_similar_names(module, name):
        return f"{module} has no {name}. Did you mean {join_words(similar, 'or')}?"
    if not find_package(top) and _is_local_package(top, code, script):
        return f"The repository has no module {module}.{name}. Commit it, or correct the name in the import."
    package = find_package(module) or top.replace("_", "-")
    return _explain_version(top, name, package)


def _explain_version(top: str, name: str, package: str) -> str:
    return (
        f"The installed version of {top} has no {name}. Correct the name or, in {_REQUIREMENTS}, pin a version of "
        f"{package} that has it."
    )


def _explain_dependency(name: str, importer: str) -> str:
    """Return what to do if the installed version of another package does not have ``name``, which ``importer`` needs."""
    if needs_numpy_1(name):
        return f"{importer} was built for NumPy 1. Add numpy<2 to {_REQUIREMENTS}."
    packages = [find_package(each) or each.replace("_", "-") for each in (importer, name.partition(".")[0])]
    return f"In {_REQUIREMENTS}, pin compatible versions of {join_words(packages)}."


def _explain_python(name: str, importer: str) -> str:
    """Return what to do about a standard-library module, or a name in one, that this Python version does not have."""
    if importer:
        package = find_package(importer) or importer
        return f"{importer} was written for another version of Python. In {_REQUIREMENTS}, require a newer version of {package}."
    return f"Python has no {name}. Correct the name or, if Python has moved or removed it, use its replacement."


def _explain_module(module: str, shadowed: str, importer: str, code: Path, script: str) -> str:
    top = module.partition(".")[0]
    if shadowed and (local := find_local_module(code, shadowed)):
        return _explain_shadowed(module, shadowed, local, code)
    if service := find_service(module):
        return f"{module} exists only on {service}. Remove the lines that use it, or run them only there."
    package = find_package(module)
    if top in sys.stdlib_module_names or (importer and module in PYTHON_2_MODULES):
        return _explain_python(module, importer)
    if importer and importer != top:
        wanted = package or top.replace("_", "-")
        return f"{importer} needs {module}: add {wanted} to {_REQUIREMENTS}."
    if similar := find_similar_module(module):
        return f"{top} has no module {module}. Did you mean {similar}?"
    path = f"{module.replace('.', '/')}.py"
    if rule := find_ignore_rule(path, code):
        return f"{path} is not in the commit: {rule} excludes it. {explain_adding(path)}."
    if module != top and _is_local_package(top, code, script):
        return f"The repository has no module {module}. Commit it, or correct the name in the import."
    if module != top:
        return _explain_version(top, module, package or top)
    if package:
        return f"Add {package} to {_REQUIREMENTS}."
    commit = _explain_commit(module, code)
    return f"Add the package that provides {module} to {_REQUIREMENTS}, or, if it is your own module, {commit}."


def _explain_commit(module: str, code: Path) -> str:
    """Return an instruction to commit a top-level module that may be a file or a folder."""
    rule = find_ignore_rule(f"{module}/__init__.py", code)
    forced = f"commit it despite {rule}: git add --force {module}/*.py && git commit"
    return forced if rule else f"commit {module}.py or the folder {module}"


def _explain_misplaced(wanted: str, place: Frame, code: Path, script: str) -> str:
    """Return what to do if a missing module is in a Git submodule or elsewhere in the repository; empty if neither."""
    if submodule := find_submodule(str(Path(script).parent / f"{wanted.replace('.', '/')}.py"), code):
        return explain_submodule(submodule)
    found = find_misplaced_import(code, script, place.path, place.line, wanted)
    if found is None:
        return ""
    name, local, statement = found
    if statement:
        return f"In the repository, {name} is at {local}. Write `{statement}`."
    parts = local.removesuffix(".py").removesuffix("/__init__").split("/")
    folder = "/".join(parts[: -len(name.split("."))]) or "."
    return (
        f"In the repository, {name} is at {local}, where {script} cannot find it. Write "
        f'`import sys; sys.path.append("{folder}")` above the import.'
    )


def _is_local_package(top: str, code: Path, script: str) -> bool:
    return (code / script).parent.joinpath(top).is_dir() or bool(find_local_module(code, top))


def _required(code: Path) -> list[str]:
    try:
        text = (code / _REQUIREMENTS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [found[0] for line in text.splitlines() if (found := re.match(r"[\w.-]+", line.strip()))]
