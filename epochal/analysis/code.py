"""Everything that Epochal needs to know about the pushed code before training, found without running the code."""

from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.detection import Detection, detect_folder, read_source
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.script import Script, read_script
from epochal.folders import SCRIPT


@dataclass(frozen=True)
class Code:
    """The results of analysing the pushed code, as plain data.

    ``detection``: the code's framework and the modules that it needs. ``removed_apis``: the script's uses of APIs that
    the current version of the framework has removed.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]


def read_code(folder: Path, framework: str = "") -> Code:
    """Analyse the code in ``folder``: its script, its framework, and the script's uses of removed APIs.

    ``framework``: the name of a framework to use instead of the detected one; empty for none. Raises RunFailed
    (NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS).
    """
    detection = detect_folder(folder, framework)
    removed_apis = frameworks()[detection.framework].find_removed_apis(read_source(folder, SCRIPT) or "")
    return Code(read_script(folder), detection, tuple(removed_apis))
