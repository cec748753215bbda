"""The oldest supported version of Jenkins, and the plugins pinned in ``jenkins/plugins.txt``."""

import re

from epochal.folders import resource

MIN_VERSION = "2.504"
"""The oldest LTS line of Jenkins that the jobs work with. It runs on Java 17 or 21."""


def pinned_plugins() -> dict[str, str]:
    """Return the version of each plugin in ``jenkins/plugins.txt``, by plugin name."""
    lines = (resource("jenkins") / "plugins.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name: version for name, _, version in pairs}


def version_key(version: str) -> tuple[int, ...]:
    """Return a version as a tuple that can be compared: ``2.568.2-rc1`` becomes ``(2, 568, 2)``."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))
