"""Collect everything that Epochal needs to know about the pushed code before training, without running the code."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from epochal.analysis.detection import Detection, decode_source, detect_folder
from epochal.analysis.files import list_code_files
from epochal.analysis.findings import Finding, find_leaks, read_sources
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.percentages import Percentages, read_percentages
from epochal.analysis.script import Script, read_script


@dataclass(frozen=True)
class Code:
    """The results of analysing the pushed code, as plain data.

    ``detection``: the framework and the modules that the code needs. ``removed_apis``: the script's uses of APIs that
    the current version of the framework has removed. ``percentages``: how the code computes percentages. ``files``: the
    paths of all committed files.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]
    percentages: Percentages
    files: tuple[str, ...] = ()

    @cached_property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings about test rows that may influence training."""
        return find_leaks(read_sources(self.script), self.files)


def read_code(folder: Path, script: str = "", framework: str = "") -> Code:
    """Analyse the code in ``folder``: its script, its framework, and the script's uses of removed APIs.

    ``script``, ``framework``: the settings with these names in epochal.toml, empty if they are not set. Raises
    RunFailed (NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS).
    """
    found = read_script(folder, script)
    detection = detect_folder(folder, found.path, found.content, framework)
    removed_apis = frameworks()[detection.framework].find_removed_apis(decode_source(found.content, found.path))
    percentages = read_percentages(folder, found.path, found.content)
    return Code(found, detection, tuple(removed_apis), percentages, tuple(list_code_files(folder)))
