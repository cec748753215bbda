"""The pushed code, read in one place and never run: all that Epochal needs to know of it before it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.detection import Detection, detect_folder, read_source
from epochal.analysis.fingerprint import read_parts
from epochal.analysis.frameworks import RemovedApi, frameworks
from epochal.analysis.script import Script, parse_script
from epochal.folders import SCRIPT


@dataclass(frozen=True)
class Code:
    """What the code says, as plain data.

    ``detection``: its framework, why, and the modules that it imports; ``removed_apis``: what the script uses that
    today's version of that framework lacks; ``parts``: what its files are to the fingerprint.
    """

    script: Script
    detection: Detection
    removed_apis: tuple[RemovedApi, ...]
    parts: tuple[str, ...]


def read_code(folder: Path, framework: str = "", change: Mapping[str, bytes] | None = None) -> Code:
    """Return what the code in ``folder`` says. ``framework``, if not empty, decides instead of its imports.

    ``change``: files, by their paths in ``folder``, that have another content. Raises RunFailed: NO_SCRIPT, SYNTAX_ERROR,
    SEVERAL_FRAMEWORKS.
    """
    change = change or {}
    detection = detect_folder(folder, framework, change)
    removed_apis = frameworks()[detection.framework].find_removed_apis(read_source(folder, SCRIPT, change) or "")
    content = change[SCRIPT] if SCRIPT in change else (folder / SCRIPT).read_bytes()
    return Code(parse_script(content), detection, tuple(removed_apis), read_parts(folder, change))
