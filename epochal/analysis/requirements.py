"""What a pushed requirements.txt may ask for: packages by name from the index, nothing else."""

import re

from packaging.requirements import InvalidRequirement, Requirement

from epochal.errors import Reason, RunFailed

_COMMENT = re.compile(r"(?:^|\s)#.*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_HASH = re.compile(r"\s--hash[=\s]\s*\w+:[0-9a-fA-F]+(?=\s|$)")
_OPTION = re.compile(r"(?:^|\s)-")
# pip reads the file in the encoding that a comment of its first two lines names: in UTF-7 a comment can hide a line.
_COOKIE = re.compile(r"coding[:=]\s*(?!utf-?8\b|us-ascii\b|ascii\b)[-\w.]+", re.IGNORECASE)
# Where pip and uv do not agree on what ends a line, and NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")
# What pip takes for a file beside requirements.txt, though it is a good name (pip's ARCHIVE_EXTENSIONS).
_ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma")
_FROM_A_FILE = "packages come from the index, not from a file or folder"
_FROM_AN_ADDRESS = "packages come from the index, not from an address"
_PASSWORD = re.compile(r"://[^/\s]*@")


def check_requirements(text: str) -> None:
    """Raise RunFailed(REFUSED_REQUIREMENT), naming the line and why, for anything but names with versions, extras, markers.

    Refused: options (another index would take the place of ours), addresses, git, paths and files (their code runs while
    it is installed), variables of the environment, and what pip and uv would not read alike. ``--hash`` is allowed.
    See PEP 508 and pip's "Requirements File Format".
    """
    for number, line in _logical_lines(text):
        why = _fault(line, number)
        if why:
            shown = _PASSWORD.sub("://", _CONTROL.sub("?", line.strip()))[:80]
            raise RunFailed(
                Reason.REFUSED_REQUIREMENT,
                f'requirements.txt line {number}, "{shown}": {why}. Write names with versions, as in numpy>=2,<3; '
                'the server\'s admin may allow more ([sandbox] packages = "any" in server.toml).',
            )


def without_comments(text: str) -> str:
    """Return the same requirements without comments and blank lines.

    Unchanged where a backslash or a control character makes it doubtful where a line ends.
    """
    if "\\" in text or _CONTROL.search(text.replace("\r", "")):
        return text
    kept = [stripped for line in _LINE_END.split(text) if (stripped := _COMMENT.sub("", line).strip())]
    return "".join(f"{line}\n" for line in kept)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return number (from 1) of its first line and text of each requirement, those that end with a backslash joined.

    A comment ends with its line even where a backslash ends it: pip would go on with the comment, uv would not, so what
    follows is looked at as well.
    """
    found: list[tuple[int, str]] = []
    pending, first = "", 0
    for number, line in enumerate(_LINE_END.split(text.removeprefix("\ufeff")), start=1):
        first = first or number
        pending += line.removesuffix("\\")
        if not line.endswith("\\") or _COMMENT.search(line):
            found.append((first, pending))
            pending, first = "", 0
    return [*found, (first, pending)] if first else found


def _fault(line: str, number: int) -> str | None:
    if _CONTROL.search(line):
        return "it holds a control character"
    if number <= 2 and "#" in line and _COOKIE.search(line):
        return "the file has to be in UTF-8"
    requirement = _HASH.sub("", _COMMENT.sub("", line)).strip()
    if not requirement:
        return None
    if _OPTION.search(requirement):
        return "options are not allowed here"
    if "${" in requirement:
        return "variables of the environment are not allowed here"
    if "://" in requirement or requirement.startswith("git+"):
        return _FROM_AN_ADDRESS
    if requirement.startswith((".", "/", "~")):
        return _FROM_A_FILE
    return _fault_of_name(requirement)


def _fault_of_name(requirement: str) -> str | None:
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return "this is not the name of a package with versions"
    if parsed.name.lower().endswith(_ARCHIVES):
        return _FROM_A_FILE
    return _FROM_AN_ADDRESS if parsed.url else None
