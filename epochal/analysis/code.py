"""Collect everything that Epochal needs to know about the pushed code before training, without running the code."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from epochal.analysis.detection import Detection, decode_source, detect_folder
from epochal.analysis.files import list_code_files
from epochal.analysis.findings import Finding, Source, find_leaks, read_sources
from epochal.analysis.findings.metrics import find_unseen_accuracy
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.percentages import Percentages, read_percentages
from epochal.analysis.script import Script, read_script
from epochal.errors import RunFailed


@dataclass(frozen=True)
class Code:
    """The results of analysing the pushed code, as plain data.

    ``detection``: the framework and the modules that the code needs. ``removed_apis``: the script's uses of APIs that
    Python or a framework has removed, with each API's ``owner``. ``percentages``: how the code computes percentages.
    ``files``: the paths of all committed files.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]
    percentages: Percentages
    files: tuple[str, ...] = ()

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The Python files that training may run, the script first."""
        return read_sources(self.script)

    @cached_property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings about test rows that may influence training."""
        return find_leaks(self.sources, self.files)

    def explain_hidden_accuracy(self, output: str) -> str:
        """Return a sentence about the line that logs an accuracy that is not in ``output``; empty if there is none."""
        hidden = find_unseen_accuracy(self.sources, output)
        return "{} line {} {}.".format(*hidden) if hidden else ""


def read_code(folder: Path, script: str = "", framework: str = "", *, is_commit: bool = True) -> Code:
    """Analyse the code in ``folder``: its script, its framework, and the script's uses of removed APIs.

    ``script``, ``framework``: the settings with these names in epochal.toml, empty if they are not set.
    ``is_commit``: as in ``locate_script``. Raises RunFailed (NO_SCRIPT, SYNTAX_ERROR, NOTEBOOK_CODE,
    SEVERAL_FRAMEWORKS).
    """
    found = read_script(folder, script, is_commit=is_commit)
    try:
        detection = detect_folder(folder, found.path, found.content, framework)
    except RunFailed as failure:
        raise RunFailed(failure.reason, found.name_cells(failure.explanation), failure.detail) from None
    detection = replace(detection, why=found.name_cells(detection.why))
    files = tuple(list_code_files(folder))
    percentages = read_percentages(folder, found.path, found.content)
    return Code(found, detection, _find_removed_apis(found, files), percentages, files)


def _find_removed_apis(script: Script, files: tuple[str, ...]) -> tuple[RemovedApi, ...]:
    """Return the script's uses of removed APIs, each with an ``owner``, in line order.

    Python 2 modules with the same name as a local module are left out: the script means the local one.
    """
    text = decode_source(script.content, script.path)
    local = {PurePosixPath(path).stem for path in files if path.endswith(".py")}
    found = [
        replace(api, owner=api.owner or framework.TITLE)
        for framework in frameworks().values()
        for api in framework.find_removed_apis(text)
        if api.what not in local
    ]
    return tuple(sorted(found, key=lambda api: (api.line, api.what)))
