"""Where training runs: in a container of a Docker engine, or in a plain process. One interface for both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from epochal.errors import Reason
from epochal.folders import TrialFolder
from epochal.records import Log
from epochal.runtimes.stop import Stop

IsAlive = Callable[[int, int], bool]
"""Tells of a run and the number of one of its trials whether somebody waits for that training."""


@dataclass(frozen=True)
class Training:
    """One trial as a runtime needs it.

    ``folder.code`` (nn.py in it), ``folder.out`` and ``folder.checkpoints`` exist; ``image`` comes from ``prepare``.
    ``stop_at``: the validation accuracy (0 to 1) with whose epoch a fit ends; None: it trains all its epochs. ``stop``:
    where another thread asks that the training ends at once. ``on_output`` is called with each piece of the training's
    output as it arrives, in another thread; if it fails, the log is still written, and ``train`` raises the failure.
    """

    run: int
    trial: int
    folder: TrialFolder
    image: str
    stop_at: float | None = None
    stop: Stop = field(default_factory=Stop)
    on_output: Callable[[bytes], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """How a training ended: the script's own ``exit_status``, unless ``reason`` says that the runtime knows better.

    ``reason`` is TIMED_OUT, OUT_OF_MEMORY, KILLED, or None where the script came to its own end, good or bad.
    """

    exit_status: int
    seconds: float
    reason: Reason | None = None


class Runtime(Protocol):
    """What a job needs of a place to train in.

    Every method that waits may be left by any exception, KeyboardInterrupt or one raised by a signal handler included,
    and leaves no training behind then.
    """

    name: str
    """``docker`` or ``process``."""
    has_network: bool
    """Whether training may use the network."""

    def image_name(self, framework: str, code: Path) -> str:
        """The name of what ``prepare`` makes: known without making it, and without an engine.

        Raises RunFailed(REFUSED_REQUIREMENT).
        """
        ...

    def prepare(self, framework: str, code: Path, log: Log) -> str:
        """Make the image or environment for ``framework`` and ``code``/requirements.txt, unless it is there already.

        Returns its name (an image's tag, an environment's folder). Raises RunFailed (REFUSED_REQUIREMENT, NO_ENGINE,
        ENVIRONMENT_FAILED with the installer's last lines as detail).
        """
        ...

    def prove(self, image: str, modules: Sequence[str]) -> None:
        """Import ``modules`` in ``image`` once; what was proven is remembered. Raises RunFailed(IMPORT_ERROR)."""
        ...

    def train(self, training: Training) -> Outcome:
        """Run nn.py to its end, its output going to ``folder.log`` while it comes; blocks.

        One that ``training.stop`` asks to end is killed, and returns an outcome of a killed script.
        Of the files that it makes, the biggest are removed if all are more than ``limits.output_mb``; the log says so.
        Raises RunFailed(NO_ENGINE) where the engine is gone, SettingsError where the server's ``data`` is no folder.
        """
        ...

    def fetch_dataset(self, image: str, script: str, log: Log) -> None:
        """Run ``script`` (Python) with the network on and the dataset cache writable, outside of training's sandbox.

        Raises UsageError with the last lines where it fails.
        """
        ...

    def reap(self, is_alive: IsAlive) -> list[int]:
        """Stop and remove every training of this home that ``is_alive`` denies; returns their runs, sorted.

        Raises RunFailed(NO_ENGINE).
        """
        ...
