"""The interface of the runtimes, which run training in a Docker container or in a plain process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from epochal.errors import Reason
from epochal.folders import SCRIPT, TrialFolder
from epochal.records import Log
from epochal.runtimes.stop import Stop

IsTraining = Callable[[int, int], bool]
"""A function that takes the numbers of a run and a trial and returns whether a live process is running the trial."""


@dataclass(frozen=True)
class Training:
    """The information that a runtime needs to run one trial.

    ``run`` and ``trial``: the numbers of the run and the trial. ``folder``: the trial's folder, which already contains
    ``code`` (with the script), ``out`` and ``checkpoints``. ``image``: the name that ``prepare`` returned. ``stop_at``:
    the validation accuracy (0 to 1) at which a fit stops; None to run all epochs. ``stop``: lets another thread end
    training at once. ``on_output``: called in another thread with each chunk of output as it arrives; if it raises an
    exception, the log is still written, and ``train`` raises that exception. ``script``: the path of the script to run,
    relative to ``code``.
    """

    run: int
    trial: int
    folder: TrialFolder
    image: str
    stop_at: float | None = None
    stop: Stop = field(default_factory=Stop)
    on_output: Callable[[bytes], None] = lambda _: None
    script: str = SCRIPT


@dataclass(frozen=True)
class Outcome:
    """How a trial's training ended.

    ``exit_status``: as in a shell, so 128 + n if signal n ended the script. ``seconds``: how long the script ran.
    ``reason``: TIMED_OUT, OUT_OF_MEMORY or KILLED; None if the script ended on its own, with or without an error.
    """

    exit_status: int
    seconds: float
    reason: Reason | None = None


class Runtime(Protocol):
    """Where the jobs train models: in Docker containers or in plain processes.

    Any exception, including KeyboardInterrupt and those raised by signal handlers, may interrupt a method while it
    waits. The method then stops any training that it started.
    """

    name: str
    """``docker`` or ``process``."""
    has_network: bool
    """Whether training may use the network."""

    def image_name(self, framework: str, code: Path) -> str:
        """Return the name that ``prepare`` would return, without building anything or contacting a Docker engine.

        Raises RunFailed(REFUSED_REQUIREMENT), as ``prepare`` does.
        """
        ...

    def prepare(self, framework: str, code: Path, log: Log) -> str:
        """Build an image or environment for ``framework`` and the packages that ``code`` requests, unless one exists.

        Returns its name (the tag of an image, or the folder of an environment). Raises RunFailed (REFUSED_REQUIREMENT,
        NO_ENGINE, or ENVIRONMENT_FAILED with the last lines of the installer's output as its detail).
        """
        ...

    def describe_packages(self, framework: str, code: Path) -> list[str]:
        """Return notes for the developer on how the repository affected the choice of packages in ``prepare``.

        Raises RunFailed(NO_ENGINE) if the Docker engine does not answer.
        """
        ...

    def check_imports(self, image: str, modules: Sequence[str]) -> None:
        """Check that ``modules`` can be imported in ``image``, unless an earlier call has already shown that they can.

        Raises ImportFailed if one of them cannot be imported, and RunFailed(NO_ENGINE) if the Docker engine does not
        answer.
        """
        ...

    def train(self, training: Training) -> Outcome:
        """Run the script until it ends, write its output to ``training.folder.log`` as it arrives, and return how it ended.

        If ``training.stop`` ends it, the outcome is the same as for a killed script. If the total size of the files
        that the script wrote exceeds ``limits.output_mb``, the largest ones are removed, and the log says so. Raises
        RunFailed(NO_ENGINE) if the engine does not answer, and SettingsError if the path in the server's ``data``
        setting is not a folder.
        """
        ...

    def fetch_dataset(self, image: str, script: str, log: Log) -> None:
        """Run ``script`` (Python code) with network access and a writable dataset cache, even if training has neither.

        Raises UsageError with the last lines of the output if the script fails, and RunFailed(NO_ENGINE) if the
        Docker engine does not answer.
        """
        ...

    def reap(self, is_training: IsTraining) -> list[int]:
        """Kill the processes or remove the containers of this EPOCHAL_HOME for which ``is_training`` returns False.

        Processes and containers that belong to no run are killed or removed once they exceed their time limit.
        Returns the sorted numbers of the runs whose training was stopped. Raises RunFailed(NO_ENGINE) if the Docker
        engine does not answer.
        """
        ...
