"""Paths in ``$EPOCHAL_HOME``, and paths of files that are installed with the package.

This module imports no other module from the package.
"""

import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

SCRIPT = "nn.py"
"""The default training script, at the top level of the repository."""


class TrialFolder:
    """The paths inside a trial's folder, ``runs/<run>/trials/<number>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = path / "code"
        """The trial's writable copy of the code, at /train in a container. Files that the script writes stay here."""
        self.out = path / "out"
        """The output folder, whose path is in $EPOCHAL_OUT during training."""
        self.metrics = self.out / "metrics.jsonl"
        """What the recorder observed during training: one line of JSON per event, such as the end of an epoch."""
        self.accuracy = self.out / "accuracy.json"
        """The file with the accuracy, written by the script or the recorder."""
        self.checkpoints = path / "checkpoints"
        """The checkpoints ($EPOCHAL_CHECKPOINTS), which are moved to the folder of a later trial that may resume from them."""
        self.log = path / "train.log"
        """The script's standard output and standard error, interleaved."""
        self.changed_files = path / "change"
        """The folder with the changed files, each at its path in the code; absent if the trial changed no files."""
        self.diff = path / "change.diff"
        """The trial's changes to the code as a unified diff; absent if the trial changed nothing."""


class RunFolder:
    """The paths inside a run's folder, ``$EPOCHAL_HOME/runs/<run>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = path / "code"
        """The files of the commit, which are never changed."""
        self.workspace = path / "workspace"
        """The folder that the embedded chain passes to its jobs as WORKSPACE."""

    def console(self, job: str) -> Path:
        """Return the file to which the embedded chain writes the output of ``job`` (pull, train or retrain)."""
        return self.path / f"{job}.console.log"

    def trial(self, number: int) -> TrialFolder:
        """Return the folder of trial ``number``, counted from 1."""
        return TrialFolder(self.path / "trials" / str(number))


class Home:
    """The paths inside ``$EPOCHAL_HOME``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.optuna_url = f"sqlite:///{path / 'optuna.db'}"
        """The URL of the SQLite file in which Optuna stores searches, unless the server's database is PostgreSQL."""
        self.database = path / "epochal.db"
        """The default database, an SQLite file."""
        self.dlcode = path / "dlcode"
        """The folder of symbolic links to the most recently pulled code, one per repository, branch and project."""
        self.cache = path / "cache"
        """Fetched repositories, environments and datasets, all of which can be fetched or built again."""

    def database_url(self, configured: str = "") -> str:
        """Return ``configured`` or, if it is empty, the URL of the SQLite database in ``$EPOCHAL_HOME``."""
        return configured or f"sqlite:///{self.database}"

    def challenge_file(self, nonce: str) -> Path:
        """Return the path of a temporary file that shows whether a Jenkins agent shares the gateway's EPOCHAL_HOME.

        The gateway writes random bytes to the file, and the agent has to read them. ``nonce``: hexadecimal digits that
        become part of the file's name.
        """
        return self.path / f".question-{re.sub('[^0-9a-f]', '', nonce)}"

    def run(self, number: int) -> RunFolder:
        """Return the folder of run ``number``."""
        return RunFolder(self.path / "runs" / str(number))


def resource(name: str) -> Path:
    """Return the path of a file or folder that is installed with the package but is not a Python module.

    ``name``: ``scripts``, ``hooks``, ``Dockerfile``, ``requirements``, ``Jenkinsfile``, ``ml_code``, ``jobs`` or
    ``jenkins``. The path is inside the installed package, or at the top level of a checkout (``pip install -e``).
    """
    installed = _PACKAGE / "installed" / name
    return installed if installed.exists() else _PACKAGE.parent / name
