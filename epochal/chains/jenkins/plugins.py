"""Which Jenkins and which plugins are wanted: ``jenkins/plugins.txt`` is the one list of them."""

import re

from epochal.resources import resource


def oldest_version() -> str:
    """The oldest Jenkins that the jobs were written for: the first long-term line that asks for Java 21 at the most."""
    return "2.504"


def pinned_plugins() -> dict[str, str]:
    """The plugins of ``jenkins/plugins.txt`` and their versions."""
    lines = (resource("jenkins") / "plugins.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name: version for name, _, version in pairs}


def version_key(version: str) -> tuple[int, ...]:
    """A version to compare by: ``2.568.2`` → (2, 568, 2)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))
