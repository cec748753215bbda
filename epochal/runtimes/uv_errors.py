"""Explain why uv could not resolve or download packages, and what to do about it."""

import re

from epochal.analysis.requirements import find_wrong_names
from epochal.grammar import join_words

_UNREACHABLE = re.compile(r"Failed to (?:fetch|download).*?(?P<address>https?://(?P<host>[^/\s`)]+)[^\s`)]*)")
_TORCH_HOST = "download.pytorch.org"
_UNSOLVABLE = tuple(
    (re.compile(pattern), explanation)
    for pattern, explanation in (
        (
            r"Because (?P<package>\S+) was not found in the package registry",
            "{source} requires {package}, but there is no such package. Correct its name, or remove it.",
        ),
        (
            r"Because (?:all versions of )?(?P<package>\S+) depends? on (?P<name>[^\s{<>=!~]+)(?:\{[^}]*\})?"
            r"(?P<range>[<>=!~]\S*)\s.*?(?:and|because) you require (?P<required>(?P=name)[<>=!~][^\s,]*)",
            "{source}: {package} needs {name}{range}, but {required} is also required. "
            "Change the version of one of them.",
        ),
        (
            r"Pins without a wheel: (?P<packages>[^;]+); instead: (?P<instead>.+)",
            "{source}: building packages is not allowed, and these versions have no wheel for the server's Python and "
            "operating system: {packages}. Require {instead}, remove packages for other systems, or ask the admin to "
            'set packages = "any" under [sandbox] in $EPOCHAL_HOME/server.toml.',
        ),
        (
            r"Wheels are available for `(?P<package>[^`]+)` \(v(?P<version>[^)]+)\) on the following platforms?: (?P<platforms>.+)",
            "{source}: {package} {version} is available only for {platforms}, not for the server's operating system. "
            "Remove it, or require another version.",
        ),
        (
            r"(?P<package>[^\s=]+)==(?P<version>\S+) has no wheels with a matching Python",
            "{source}: {package} {version} is not available for the server's version of Python. "
            "Require a newer {package}.",
        ),
        (
            r"Because all versions of (?P<package>[^\s<>=!~]+) have no usable wheels and",
            "{source}: no version of {package} has a wheel for the server's Python and operating system, and building "
            "packages is not allowed. Remove {package}, or the package that needs it, from {source} and the code, or "
            'ask the admin to set packages = "any" under [sandbox] in $EPOCHAL_HOME/server.toml.',
        ),
        (
            r"Because (?:all versions of )?(?P<package>\S+) ha(?:s|ve) no usable wheels and",
            "{source}: {package} has no usable wheel, and building packages is not allowed. "
            'Require a different version, or ask the admin to set packages = "any" under [sandbox] in '
            "$EPOCHAL_HOME/server.toml.",
        ),
        (
            r"Wheels are required for `(?P<package>[^`]+)`",
            "{source} requires, directly or through another package, a version of {package} that has no wheel, "
            "and building packages is not allowed. Require a different version, or ask the admin to set "
            'packages = "any" under [sandbox] in $EPOCHAL_HOME/server.toml.',
        ),
        (
            r"there (?:is|are) no versions? of (?P<package>\S+) and you require",
            "{source}: {package} does not exist. Require a different version.",
        ),
        (
            r"Because only (?P<available>\S+) (?:is|are) available and you require (?P<required>[^\s,]+)",
            "{source} requires {required}, but only {available} is available. Require {available} instead.",
        ),
        (
            r".*you require (?P<required>.+?), we can conclude that your requirements are unsatisfiable",
            "{source}: no combination of versions satisfies {required}. Change one of the requirements.",
        ),
    )
)
"""Patterns for uv's errors about unsatisfiable requirements, each with an explanation. The last is the most general."""


def explain_uv_error(output: str, requirements: str, source: str) -> str:
    """Return why uv failed, and a remedy; empty if the cause is unknown. ``output``: the end of what uv printed.

    ``requirements``: the repository's requirements. ``source``: the name of the file that lists them.
    """
    output = re.sub(r"\s*\n\s+", " ", output)
    if unreachable := _UNREACHABLE.search(output):
        host = unreachable["host"]
        other = ', or set torch_index = "pypi" there to use PyPI instead' if host == _TORCH_HOST else ""
        return (
            f"The training environment could not be built: {unreachable['address']} could not be reached. Check the server's "
            f"network and, if it is behind a corporate proxy, ca_bundle under [images] in $EPOCHAL_HOME/server.toml{other}."
        )
    if names := find_wrong_names(requirements):
        instead = join_words([f"{replacement} instead of {requirement}" for _, requirement, replacement in names])
        return f"{source} lists packages under the wrong names. Write {instead}."
    for pattern, explanation in _UNSOLVABLE:
        if found := pattern.search(output):
            return explanation.format(source=source, **found.groupdict())
    return ""
