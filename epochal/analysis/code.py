"""Everything that Epochal needs to know about the pushed code before training, read without running it."""

from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.detection import Detection, detect_folder, read_source
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.script import Script, read_script
from epochal.folders import SCRIPT


@dataclass(frozen=True)
class Code:
    """What analysing the pushed code has found, as plain data.

    ``detection``: its framework and the modules that it imports. ``removed_apis``: the APIs that the script uses
    although today's version of that framework has removed them.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]


def read_code(folder: Path, framework: str = "") -> Code:
    """Analyse the code in ``folder``: its script, its framework, and the removed APIs that the script uses.

    ``framework``: the name of the framework to use instead of the one that the imports identify; empty for none. Raises
    RunFailed: NO_SCRIPT, SYNTAX_ERROR, SEVERAL_FRAMEWORKS.
    """
    detection = detect_folder(folder, framework)
    removed_apis = frameworks()[detection.framework].find_removed_apis(read_source(folder, SCRIPT) or "")
    return Code(read_script(folder), detection, tuple(removed_apis))
