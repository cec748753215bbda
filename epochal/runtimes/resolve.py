"""Choose the versions of all packages in a training environment, before any of them is installed.

    python resolve.py UV FRAMEWORK PACKAGES FOLDER

The script runs during an image build or, without Docker, in an ordinary process, with the same Python as the
environment. It uses only the standard library. UV is the path of uv, and PACKAGES is ``wheels`` or ``any``, as in the
server's ``[sandbox]`` settings. FOLDER contains:

FRAMEWORK.txt      the framework's pins
FRAMEWORK.in       the packages to install for the framework; if there is no such file, all pinned packages
requirements.txt   the repository's requirements, if there are any

The repository's versions take precedence, and pins are kept where possible. If the repository needs one of the
framework's packages under another name (see ``_read_wanted``), the package is installed under the framework's name if
the pinned version is acceptable, and otherwise under the repository's name. The script writes to FOLDER:

packages.txt       the packages to install
shared.txt         the packages in packages.txt that would also be installed without a requirements.txt
remarks.json       the changes that the repository caused; see ``epochal.runtimes.remarks``
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_ALSO_AS = re.compile(r"#\s*also as (.*)")


class _UnsolvableError(Exception):
    """No set of versions satisfies the requirements. The message is uv's output."""


class _Resolver:
    """A wrapper around uv that chooses versions.

    ``folder``: where it keeps its files. ``only_wheels``: whether packages without a wheel are ruled out.
    """

    def __init__(self, uv: str, folder: Path, only_wheels: bool) -> None:
        self._command = [uv, "pip", "compile", "--no-config", "--quiet", "--no-header", "--no-annotate"]
        self._command += ["--python", sys.executable]
        self._folder = folder
        self._options = ["--only-binary", ":all:"] if only_wheels else []

    def choose(self, *files: Path, lines: Iterable[str] = (), preferred: str = "", options: Iterable[str] = ()) -> str:
        """Return a line ``name==version`` for each package pulled in by the requirements in ``files`` and ``lines``.

        ``preferred``: lines of the same form, whose versions are chosen if possible. Raises _UnsolvableError if no
        versions satisfy the requirements.
        """
        output = self._folder / "preferred.txt"
        command = [*self._command, *self._options, *options, *map(str, files), "-"]
        if preferred:
            output.write_text(preferred, encoding="utf-8")
            command += ["--output-file", str(output)]
        done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
        if done.returncode:
            raise _UnsolvableError(done.stderr)
        return output.read_text(encoding="utf-8") if preferred else done.stdout


def _versions(packages: str) -> dict[str, str]:
    """Map each package in lines of the form ``name==version`` to its version (empty for a package from a URL)."""
    return dict(map(_split, packages.splitlines()))


def _split(line: str) -> tuple[str, str]:
    name, _, version = line.partition(" ")[0].partition("==")
    return _normalize(name), version


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def _read_wanted(text: str) -> dict[str, tuple[str, ...]]:
    """Return the packages in a FRAMEWORK.in file, each with the names of other packages that contain its modules.

    These names are in a comment: ``tensorflow-cpu==2.21.*  # also as tensorflow, tf-nightly``.
    """
    wanted = {}
    for line in text.splitlines():
        if found := _NAME.match(line):
            also_as = _ALSO_AS.search(line)
            wanted[_normalize(found[0])] = tuple(re.split(r",\s*", also_as[1].strip())) if also_as else ()
    return wanted


def _resolve(resolver: _Resolver, framework: str, folder: Path, only_wheels: bool) -> None:
    pins_file, wanted_file = folder / f"{framework}.txt", folder / f"{framework}.in"
    requirements, excluded_file = folder / "requirements.txt", folder / "excluded.txt"
    excludes = ["--excludes", str(excluded_file)]
    wanted = _read_wanted(wanted_file.read_text(encoding="utf-8")) if wanted_file.exists() else {}
    excluded_file.write_text("\n".join(twin for names in wanted.values() for twin in names), encoding="utf-8")
    pins = packages = resolver.choose(pins_file, options=excludes)
    remarks: dict[str, list[list[str]]] = {}
    if requirements.exists():
        pinned = _versions(pins)
        twins = [f"{twin}=={pinned[name]}" for name, names in wanted.items() for twin in names]
        preferred = "\n".join([pins, *twins])
        needed_lines = resolver.choose(requirements, preferred=preferred)
        needed = _versions(needed_lines)
        # A package needed in its pinned version is installed under the wanted name, otherwise under the name in use.
        same = [twin for twin, version in map(_split, twins) if needed.get(twin, version) == version]
        in_use = needed.keys() - set(same)
        excluded_file.write_text("\n".join(same), encoding="utf-8")
        # Whatever else is wanted, the repository gets the versions that it would get on its own.
        (folder / "needed.txt").write_text(needed_lines, encoding="utf-8")
        options = [*excludes, "--constraints", str(folder / "needed.txt")]
        kept = [name for name, names in wanted.items() if not in_use & set(names)]
        files = [requirements] if wanted else [requirements, pins_file]
        try:
            packages = resolver.choose(*files, lines=kept, preferred=preferred, options=options)
        except _UnsolvableError:
            packages = _choose_what_fits(resolver, requirements, kept, preferred, options)
        versions = _versions(packages)
        remarks["replaced"] = _find_replaced(wanted, pinned, versions)
        if only_wheels:
            remarks["held_back"] = _find_held_back(resolver, requirements, pinned, versions)
    lines = set(packages.splitlines())
    shared = [line for line in pins.splitlines() if line in lines]
    (folder / "packages.txt").write_text(packages, encoding="utf-8")
    (folder / "shared.txt").write_text("\n".join([*shared, ""]), encoding="utf-8")
    (folder / "remarks.json").write_text(json.dumps(remarks), encoding="utf-8")


def _choose_what_fits(
    resolver: _Resolver, requirements: Path, wanted: list[str], preferred: str, options: list[str]
) -> str:
    """Return the packages pulled in by ``requirements``, and the ``wanted`` packages that are compatible with them."""
    fitting: list[str] = []
    packages = resolver.choose(requirements, preferred=preferred, options=options)
    for name in wanted:
        try:
            packages = resolver.choose(requirements, lines=[*fitting, name], preferred=preferred, options=options)
        except _UnsolvableError:
            continue
        fitting.append(name)
    return packages


def _find_replaced(
    wanted: dict[str, tuple[str, ...]], pinned: dict[str, str], versions: dict[str, str]
) -> list[list[str]]:
    """Return the wanted packages that will not be installed as pinned.

    Each item consists of the package's name and pinned version, and the name and version of what will be installed
    instead; the latter version is empty if nothing will be installed.
    """
    found = []
    for name, names in wanted.items():
        instead = next((each for each in (*names, name) if each in versions), name)
        if (instead, versions.get(instead)) != (name, pinned[name]):
            found.append([name, pinned[name], instead, versions.get(instead, "")])
    return found


def _find_held_back(
    resolver: _Resolver, requirements: Path, pinned: dict[str, str], versions: dict[str, str]
) -> list[list[str]]:
    """Return the packages whose newest allowed release is not chosen because a wheel is missing.

    Each item consists of the package's name, the chosen version, the version of the newest release, and the name of the
    package without a wheel: the package itself, or a package that the release needs. Packages for which an exact
    version is required are skipped.
    """
    asked = {}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        found = _NAME.match(line)
        if found and not re.search(r"==| @ |\\", line) and (name := _normalize(found[0])) in versions:
            asked[name] = line.partition(" --")[0]

    def check(name: str) -> list[str] | None:
        with_wheel = _versions(resolver.choose(lines=[asked[name]], options=["--no-deps"]))[name]
        missing, text = _find_missing_wheel(resolver, [asked[name], f"{name}>{with_wheel}"], ["--no-deps"])
        if missing:
            release = re.search(rf"\b{re.escape(name)}(?:==|>=)(\S+) has no ", text)
            return [name, versions[name], release[1] if release else "", missing]
        if versions[name] not in (with_wheel, pinned.get(name)):
            missing, _ = _find_missing_wheel(resolver, [f"{name}=={with_wheel}"], [])
            if missing:
                return [name, versions[name], with_wheel, missing]
        return None

    with ThreadPoolExecutor(4) as threads:
        return [found for found in threads.map(check, asked) if found]


def _find_missing_wheel(resolver: _Resolver, lines: list[str], options: list[str]) -> tuple[str, str]:
    """Return the package whose missing wheel makes ``lines`` uninstallable, and uv's explanation; or two empty strings.

    If ``lines`` can be installed with the next Python version, there is no missing wheel to report: a package has
    merely dropped support for this Python version.
    """
    next_python = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
    text = ""
    missing = []
    for python in ([], ["--python-version", next_python]):
        try:
            resolver.choose(lines=lines, options=["--prerelease", "disallow", *options, *python])
            return "", ""
        except _UnsolvableError as error:
            text = text or str(error)
            found = re.search(r"Wheels are required for `([^`]+)`", str(error))
            missing.append(found[1] if found else "")
    return (missing[0], text) if missing[0] == missing[1] else ("", "")


def _find_pins_without_wheel(resolver: _Resolver, requirements: Path) -> dict[str, str]:
    """Map the exact requirements without a wheel for this machine to the newest releases that have one.

    Both have the form ``name==1.0``; the release is empty if no release of the package has a wheel.
    """
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.exists() else []
    pins = [line.strip() for line in lines if re.fullmatch(r"\s*[\w.-]+==[\w.+-]+\s*", line)]

    def find_newest(pin: str) -> str | None:
        try:
            resolver.choose(lines=[pin], options=["--no-deps"])
            return None
        except _UnsolvableError as error:
            if not re.search(r"has no (?:usable )?wheels", str(error)):
                return None
        try:
            return resolver.choose(lines=[pin.partition("==")[0]], options=["--no-deps"]).strip()
        except _UnsolvableError:
            return ""

    with ThreadPoolExecutor(4) as threads:
        found = zip(pins, threads.map(find_newest, pins), strict=True)
        return {pin: newest for pin, newest in found if newest is not None}


def _main(uv: str, framework: str, packages: str, folder: str) -> None:
    only_wheels = packages == "wheels"
    resolver = _Resolver(uv, Path(folder), only_wheels)
    try:
        _resolve(resolver, framework, Path(folder), only_wheels)
    except _UnsolvableError as error:
        pins = _find_pins_without_wheel(resolver, Path(folder, "requirements.txt")) if only_wheels else {}
        # uv names only the first pin, so correcting it would only reveal the next.
        newest = ", ".join(filter(None, pins.values()))
        instead = f"other versions ({newest})" if newest else "other versions"
        sys.exit(f"{error}Pins without a wheel: {', '.join(pins)}; instead: {instead}" if len(pins) > 1 else str(error))


if __name__ == "__main__":
    _main(*sys.argv[1:])
