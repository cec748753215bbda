"""Write notes for the developer about the packages in an environment.

``resolve.py`` saves the facts for these notes in remarks.json when it chooses the package versions.
"""

import json
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


def _describe_replaced(name: str, pinned: str, instead: str, version: str) -> str:
    if not version:
        return f"{name} is left out"
    return f"{instead} {version} instead of {pinned if instead == name else f'{name} {pinned}'}"


def _describe_older(source: str, name: str, version: str, release: str, missing: str) -> str:
    if missing == name:
        why = f"{name} {release} has" if release else f"newer releases of {name} have"
    else:
        why = (
            f"{name} {release} needs {missing}, which has"
            if release
            else f"newer releases of {name} need {missing}, which has"
        )
    newer = f"not {release}, " if release else "not a newer release, "
    return (
        f"{source}: {name} {version} is installed, {newer}because {why} no wheel, and building packages is not allowed; "
        'an admin can allow it with packages = "any" under [sandbox] in server.toml'
    )
