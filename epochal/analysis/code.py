"""The pushed code, read in one place and never run: all that Epochal needs to know of it before it is trained."""

from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.detection import Detection, detect_folder, read_source
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.script import Script, read_script
from epochal.folders import SCRIPT


@dataclass(frozen=True)
class Code:
    """What the code says, as plain data.

    ``detection``: its framework, why, and the modules that it imports; ``removed_apis``: what the script uses that
    today's version of that framework lacks.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]


def read_code(folder: Path, framework: str = "") -> Code:
    """Return what the code in ``folder`` says. ``framework``, if not empty, decides instead of its imports.

    Raises RunFailed: NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS.
    """
    detection = detect_folder(folder, framework)
    removed_apis = frameworks()[detection.framework].find_removed_apis(read_source(folder, SCRIPT) or "")
    return Code(read_script(folder), detection, tuple(removed_apis))
