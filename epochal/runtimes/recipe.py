"""What an image or an environment is made of: a framework's pins and the repository's own requirements.txt."""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from epochal.analysis.frameworks import frameworks
from epochal.analysis.requirements import check_requirements, without_comments
from epochal.errors import Reason, RunFailed
from epochal.settings import SandboxSettings

REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Recipe:
    """What is installed: the contents of the framework's pins and of requirements.txt (empty: there is none).

    Comments and blank lines of requirements.txt are left out: they change nothing.
    ``packages``: what may be installed, as in the sandbox's settings.
    """

    framework: str
    pins: str
    requirements: str
    packages: str

    def digest(self, *more: str) -> str:
        """Return 16 hexadecimal digits that change with the recipe and with ``more``."""
        return digest(*astuple(self), *more)


def read_recipe(framework: str, code: Path, sandbox: SandboxSettings) -> Recipe:
    """Return the recipe for ``code``; raises RunFailed(REFUSED_REQUIREMENT) for what its requirements.txt may not ask for."""
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
    return Recipe(framework, pins, without_comments(requirements), sandbox.packages)


def digest(*parts: str) -> str:
    """Return 16 hexadecimal digits that stand for ``parts``, their borders included."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
