"""What a pushed requirements.txt may ask for: packages by name from the index, nothing else."""

import re

from packaging.requirements import InvalidRequirement, Requirement

from epochal.errors import Reason, RunFailed

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_HASH = re.compile(r"\s--hash=\S+")


def check_requirements(text: str) -> None:
    """Raise RunFailed(REFUSED_REQUIREMENT), naming the line and why, for anything but names with versions, extras, markers.

    Refused: options (another index would take the place of ours), URLs, paths and git (their code runs while it is
    installed), and variables of the environment. See PEP 508 and pip's "Requirements File Format".
    """
    for number, line in _logical_lines(text):
        requirement = _HASH.sub("", _COMMENT.sub("", line)).strip()
        why = _fault(requirement) if requirement else None
        if why:
            raise RunFailed(
                Reason.REFUSED_REQUIREMENT,
                f"requirements.txt line {number}, {requirement[:80]!r}: {why}. The server's admin may allow more "
                '([sandbox] packages = "any").',
            )


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Number (from 1) and text of each line, those that end with a backslash joined with the next."""
    found: list[tuple[int, str]] = []
    pending = ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1]
            continue
        found.append((number, pending + line))
        pending = ""
    return [*found, (len(found) + 1, pending)] if pending else found


def _fault(requirement: str) -> str | None:
    if requirement.startswith("-"):
        return "options are not allowed here"
    if "${" in requirement:
        return "variables are not allowed here"
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return "this is not the name of a package with a version"
    return "packages come from the index, not from an address" if parsed.url else None
