"""Check that a repository requires packages only by name, and only from the package index."""

import re
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement

from epochal.analysis.packages import find_intended_package
from epochal.errors import Reason, RunFailed

_COMMENT = re.compile(r"(?:^|\s)#.*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_HASH = re.compile(r"\s--hash[=\s]\s*\w+:[0-9a-fA-F]+(?=\s|$)")
_OPTION = re.compile(r"(?:^|\s)-")
# pip honours a coding comment in the first two lines of the file. If it decodes the file as UTF-7, a comment could turn
# out to contain a requirement.
_COOKIE = re.compile(r"coding[:=]\s*(?!utf-?8\b|us-ascii\b|ascii\b)[-\w.]+", re.IGNORECASE)
# Control characters: NUL, and those that end a line for only one of pip and uv.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")
# Suffixes that make pip treat a valid package name as a local file (pip's ARCHIVE_EXTENSIONS).
_ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma")
_FROM_A_FILE = "packages must come from the package index, not from a file or folder"
_FROM_AN_ADDRESS = "packages must come from the package index, not from a URL"
_ON_ONE_COMPUTER = "this path exists only on the computer where the list was made"
_REFUSED_REMEDY = (
    'Write package names with versions, such as numpy>=2,<3, or ask the server\'s admin to set [sandbox] packages = "any" '
    "in server.toml."
)
_PATH_REMEDY = "Write package names with versions instead, as the command pip list --format=freeze prints them."
_OPTION_REMEDIES = (
    (re.compile(r'"((?:-r|--requirement)\b[^"]+)"'), "Replace `{}` with the lines of that file."),
    (re.compile(r'"((?:-c|--constraint)\b[^"]+)"'), "Instead of using `{}`, write versions after the package names."),
    (
        re.compile(r'"((?:-e|--editable)[ =]*\.[^"]*)"'),
        "Remove `{}`, because the repository's own modules do not need to be installed.",
    ),
    (
        re.compile(r'"(-[^"]*)"'),
        'Remove `{}`, or ask the server\'s admin to set [sandbox] packages = "any" in server.toml.',
    ),
)
"""Patterns for lines with pip options, each with a remedy. The last is the most general."""
_PASSWORD = re.compile(r"://[^/\s]*@")


def check_requirements(text: str, source: str = "requirements.txt") -> None:
    """Raise RunFailed(REFUSED_REQUIREMENT) unless ``text`` contains only package names, versions, extras and markers.

    The error names the file ``source`` and quotes each refused line with the reason. The check refuses options (which
    could replace the index), URLs, git repositories, paths and files (whose code runs during installation), environment
    variables, and anything that pip and uv interpret differently. ``--hash`` is allowed. See PEP 508 and pip's
    "Requirements File Format".
    """
    refused = find_refused(text)
    if refused:
        # Other files have been translated, so the line numbers do not apply to them.
        places = [f"line {number}, " if source == "requirements.txt" else "" for number, _ in refused]
        problems = "; ".join(f"{place}{problem}" for place, (_, problem) in zip(places, refused, strict=True))
        where = source if places[0] else f"{source}:"
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT, f"{where} {problems}. {explain_refused([problem for _, problem in refused])}"
        )


def find_refused(text: str) -> list[tuple[int, str]]:
    """Return the number of each line that ``check_requirements`` refuses, and the quoted line with the reason."""
    found = []
    for number, line in _logical_lines(text):
        if why := _check_line(line, number):
            shown = _PASSWORD.sub("://", _CONTROL.sub("?", line.strip()))[:80]
            found.append((number, f'"{shown}": {why}'))
    return found


def explain_refused(problems: Iterable[str]) -> str:
    """Return what to do about the ``problems`` that ``find_refused`` found."""
    remedies = dict.fromkeys(_find_remedy(problem) for problem in problems)
    return _REFUSED_REMEDY if _REFUSED_REMEDY in remedies else " ".join(remedies)


def _find_remedy(problem: str) -> str:
    if problem.endswith(_ON_ONE_COMPUTER):
        return _PATH_REMEDY
    found = ((pattern.match(problem), remedy) for pattern, remedy in _OPTION_REMEDIES)
    return next((remedy.format(match[1]) for match, remedy in found if match), _REFUSED_REMEDY)


def find_wrong_names(text: str) -> list[tuple[int, str, str]]:
    """Return the requirements with wrong package names: line number, line, and replacement line.

    The replacement omits any version in the line, because it is not a version of the intended package.
    """
    found = []
    for number, line in _logical_lines(text):
        requirement = _HASH.sub("", _COMMENT.sub("", line)).strip()
        name = re.match(r"[\w.-]+", requirement)
        if name and (package := find_intended_package(name[0])):
            _, semicolon, marker = requirement.partition(";")
            found.append((number, requirement, f"{package} ; {marker.strip()}" if semicolon else package))
    return found


def strip_comments(text: str) -> str:
    """Return the requirements in ``text`` without comments and blank lines.

    The text is returned unchanged if a backslash or a control character makes it unclear where a line ends.
    """
    if "\\" in text or _CONTROL.search(text.replace("\r", "")):
        return text
    lines = [stripped for line in _LINE_END.split(text) if (stripped := _COMMENT.sub("", line).strip())]
    return "".join(f"{line}\n" for line in lines)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Join lines that end with a backslash, and return each result with the number of its first line, counted from 1.

    A comment ends with its line even if that line ends with a backslash: pip would continue the comment on the next
    line, but uv would not, so the next line is checked, too.
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


def _check_line(line: str, number: int) -> str | None:
    if _CONTROL.search(line):
        return "control characters are not allowed"
    if number <= 2 and "#" in line and _COOKIE.search(line):
        return "the file must be in UTF-8"
    requirement = _HASH.sub("", _COMMENT.sub("", line)).strip()
    if not requirement:
        return None
    if _OPTION.search(requirement):
        return "options are not allowed"
    if "${" in requirement:
        return "environment variables are not allowed"
    if re.search(r"@\s*file://", requirement):
        return _ON_ONE_COMPUTER
    if "://" in requirement or requirement.startswith("git+"):
        return _FROM_AN_ADDRESS
    if requirement.startswith((".", "/", "~")):
        return _FROM_A_FILE
    return _check_name(requirement)


def _check_name(requirement: str) -> str | None:
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return "this is not a valid requirement"
    if parsed.name.lower().endswith(_ARCHIVES):
        return _FROM_A_FILE
    return _FROM_AN_ADDRESS if parsed.url else None
