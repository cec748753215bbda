"""The packages to install in an image or environment: the framework's pins and the repository's requirements.txt."""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from epochal.analysis.frameworks import frameworks
from epochal.analysis.requirements import check_requirements, strip_comments
from epochal.errors import Reason, RunFailed
from epochal.settings import SandboxSettings

REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Recipe:
    """The packages to install in an image or environment.

    ``framework``: the framework's name. ``pins``: the text of the framework's requirements file. ``requirements``: the
    text of the repository's requirements.txt without comments and blank lines, which have no effect; empty if there is
    no such file. ``packages``: the kind of packages allowed, ``wheels`` or ``any``, as in the server's ``[sandbox]``
    settings.
    """

    framework: str
    pins: str
    requirements: str
    packages: str

    def digest(self, *more: str) -> str:
        """Return a digest of the recipe and of the strings ``more``, as 16 hexadecimal digits."""
        return digest(*astuple(self), *more)


def read_recipe(framework: str, code: Path, sandbox: SandboxSettings) -> Recipe:
    """Return the recipe for ``framework`` and the repository's files in the folder ``code``.

    Raises RunFailed(REFUSED_REQUIREMENT) if requirements.txt cannot be read, is not UTF-8 text, or asks for something
    that ``sandbox`` does not allow.
    """
    pins = frameworks()[framework].PINS.read_text(encoding="utf-8")
    try:
        requirements = (code / REQUIREMENTS).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        requirements = ""
    except OSError as error:
        raise RunFailed(Reason.REFUSED_REQUIREMENT, f"{REQUIREMENTS} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT,
            f"{REQUIREMENTS} is not UTF-8 text (PowerShell's > writes UTF-16). Save it as UTF-8.",
        ) from None
    if sandbox.packages == "wheels":
        check_requirements(requirements)
    return Recipe(framework, pins, strip_comments(requirements), sandbox.packages)


def digest(*parts: str) -> str:
    """Return a digest of ``parts`` and their lengths, as 16 hexadecimal digits."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
