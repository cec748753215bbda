"""Write notes for the developer about the packages of an environment.

``resolve.py`` writes the facts for these notes to remarks.json when it chooses the versions.
"""

import json
import re
from collections.abc import Sequence

REMARKS = "remarks.json"


def describe_remarks(text: str, source: str) -> list[str]:
    """Return the notes for ``text``, the content of remarks.json.

    ``source``: the name of the repository's file that lists the packages, such as requirements.txt.
    """
    facts: dict[str, list[Sequence[str]]] = json.loads(text)
    replaced = [_describe_replaced(*fact) for fact in facts.get("replaced", ())]
    notes = [f"{source} changes the packages that come with the framework: {', '.join(replaced)}"] if replaced else []
    return notes + [_describe_older(source, *fact) for fact in facts.get("held_back", ())]


def explain_failure(output: str, source: str) -> str:
    """Return why uv, which printed ``output``, failed for the packages in ``source``, and what to do; empty if unknown."""
    if missing := re.search(r"Wheels are required for `([^`]+)`", output):
        return (
            f"{source} asks for a version of {missing[1]}, or of a package that needs it, for which {missing[1]} has no wheel, "
            "and building packages is not allowed. Name another version, or ask the server's admin to set "
            '[sandbox] packages = "any" in server.toml.'
        )
    if address := re.search(r"Failed to fetch: `?(https?://[^\s`]+)", output):
        index = ""
        if "download.pytorch.org" in address[1]:
            index = ', or set torch_index = "pypi" there to use the ordinary index'
        return (
            f"{address[1]} cannot be reached from the server. Check its network and, behind a company's proxy, ca_bundle under "
            f"[images] in server.toml{index}."
        )
    return ""


def _describe_replaced(name: str, pinned: str, instead: str, version: str) -> str:
    if not version:
        return f"{name} is left out"
    return f"{instead} {version} instead of {pinned if instead == name else f'{name} {pinned}'}"


def _describe_older(source: str, name: str, version: str, release: str, missing: str) -> str:
    if missing == name:
        why = f"{name} {release} has" if release else f"newer releases of {name} have"
    else:
        why = f"{name} {release} needs {missing}, which has"
    newer = f"not {release}, " if release else "an older release, "
    return (
        f"{source}: {name} {version} is installed, {newer}because {why} no wheel, and building packages is not allowed; "
        'an admin can allow it with packages = "any" under [sandbox] in server.toml'
    )
