"""List the files in a folder of code."""

import os
from pathlib import Path

_SKIPPED = frozenset({"__pycache__", "node_modules"})


def list_code_files(folder: Path) -> list[str]:
    """Return the paths of the files in ``folder``, relative to it and sorted.

    Hidden folders, caches, virtual environments and ``node_modules`` are skipped, because they contain none of the
    developer's own code.
    """
    found: list[str] = []
    for current, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name not in _SKIPPED and name[0] != "." and not os.path.exists(os.path.join(current, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118 (three times as fast)
        ]
        prefix = os.path.relpath(current, folder).replace(os.sep, "/") + "/"
        found += [(prefix + name).removeprefix("./") for name in names]
    return sorted(found)
