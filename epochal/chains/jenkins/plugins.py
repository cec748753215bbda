"""Which Jenkins and which plugins are wanted: ``jenkins/plugins.txt`` is the one list of them."""

import re

from epochal.resources import resource

OLDEST_VERSION = "2.504"
"""The oldest Jenkins that the jobs were written for: the first long-term line that asks for Java 21 at the most."""


def pinned_plugins() -> dict[str, str]:
    """Return the plugins of ``jenkins/plugins.txt`` with their versions."""
    lines = (resource("jenkins") / "plugins.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name: version for name, _, version in pairs}


def version_key(version: str) -> tuple[int, ...]:
    """Return a version in comparable form: ``2.568.2`` → (2, 568, 2)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))
