"""The packages to install in an image or environment: the framework's pins and the repository's requirements."""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from epochal.analysis.frameworks import frameworks
from epochal.analysis.requirements import check_requirements, strip_comments
from epochal.runtimes.requested import REQUIREMENTS, read_requested
from epochal.settings import ServerSettings

RESOLVE = Path(__file__).with_name("resolve.py")
"""The script that chooses the versions of a recipe's packages."""


@dataclass(frozen=True)
class Recipe:
    """The packages to install in an image or environment.

    ``framework``: the framework's name. ``pins``: the text of the framework's requirements file. ``wanted``: the text
    of the file that the pins were generated from; empty if there is no such file. ``requirements``: the repository's
    requirements, without comments or blank lines, which have no effect. ``source``: the name of the file that lists
    these requirements, such as requirements.txt. ``packages``: what may be installed, ``wheels`` or ``any``, as in the
    server's ``[sandbox]`` settings. ``torch_index``: as in the server's ``[images]`` settings.
    """

    framework: str
    pins: str
    wanted: str
    requirements: str
    source: str
    packages: str
    torch_index: str

    def files(self) -> dict[str, str]:
        """Return the contents of the files that ``resolve.py`` reads, by file name."""
        files = {
            f"{self.framework}.txt": self.pins,
            f"{self.framework}.in": self.wanted,
            REQUIREMENTS: self.requirements,
        }
        return {name: text for name, text in files.items() if text}

    def variables(self) -> dict[str, str]:
        """Return the environment variables to set when uv chooses and installs the packages."""
        return {} if self.torch_index == "pypi" else {"UV_TORCH_BACKEND": self.torch_index}

    def digest(self, *more: str) -> str:
        """Return a digest of the recipe, resolve.py and the strings ``more``, as 16 hexadecimal digits."""
        return digest(*astuple(self), RESOLVE.read_text(encoding="utf-8"), *more)


def read_recipe(framework: str, code: Path, settings: ServerSettings) -> Recipe:
    """Return the recipe for ``framework`` and the repository's files in the folder ``code``.

    Raises RunFailed(REFUSED_REQUIREMENT) if the file that lists the packages cannot be read, or requires something
    that ``settings`` do not allow.
    """
    pins = frameworks()[framework].PINS
    wanted = pins.with_suffix(".in")
    source, requirements = read_requested(code)
    if settings.sandbox.packages == "wheels":
        check_requirements(requirements, source)
    return Recipe(
        framework,
        pins.read_text(encoding="utf-8"),
        wanted.read_text(encoding="utf-8") if wanted.exists() else "",
        strip_comments(requirements),
        source if requirements else REQUIREMENTS,
        settings.sandbox.packages,
        settings.images.torch_index,
    )


def digest(*parts: str) -> str:
    """Return a digest of ``parts`` and their lengths, as 16 hexadecimal digits."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
