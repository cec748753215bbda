"""The names inside of ``$EPOCHAL_HOME``, of a run's folder, and of a trial's. Imports nothing of ours."""

import re
from pathlib import Path

SCRIPT = "nn.py"
"""The file at the top of a repository that is trained."""


class TrialFolder:
    """The names inside ``runs/<run>/trials/<number>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = path / "code"
        """The trial's own, writable copy of the code: /train in a container. What the script saves stays here."""
        self.out = path / "out"
        """The output folder: $EPOCHAL_OUT in a container."""
        self.metrics = self.out / "metrics.jsonl"
        """A line of JSON for each epoch."""
        self.accuracy = self.out / "accuracy.json"
        """The accuracy, as the script or the recorder wrote it."""
        self.checkpoints = path / "checkpoints"
        """What a later trial goes on from: $EPOCHAL_CHECKPOINTS. They move on with the newest trial of the run."""
        self.log = path / "train.log"
        """Standard output and error of the training, in order."""
        self.change = path / "change"
        """The files of the code that the trial offers to change, by their paths in it; absent if none."""
        self.diff = path / "change.diff"
        """What the trial changed in the code, as a unified diff; absent if nothing."""


class RunFolder:
    """The names inside ``$EPOCHAL_HOME/runs/<run>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = path / "code"
        """The immutable snapshot of the commit."""
        self.workspace = path / "workspace"
        """The WORKSPACE that the embedded chain gives to its jobs."""

    def console(self, job: str) -> Path:
        """Return the file with what a job printed, if the embedded chain ran it."""
        return self.path / f"{job}.console.log"

    def trial(self, number: int) -> TrialFolder:
        """Return the folder of trial ``number`` (from 1)."""
        return TrialFolder(self.path / "trials" / str(number))


class Home:
    """The names inside ``$EPOCHAL_HOME``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.searches = f"sqlite:///{path / 'optuna.db'}"
        """The URL of Optuna's storage, unless the server's settings name a database that holds it too."""
        self.dlcode = path / "dlcode"
        """The last pulled code of each repository and branch."""
        self.cache = path / "cache"
        """What can be made again: fetched repositories, environments, datasets."""

    def database_url(self, configured: str = "") -> str:
        """Return the URL of the database: the one in the server's settings, or a SQLite file here if that is empty."""
        return configured or f"sqlite:///{self.path / 'epochal.db'}"

    def question(self, nonce: str) -> Path:
        """Return a file that the gateway writes for a moment, for an agent to show that it sees this very folder."""
        return self.path / f".question-{re.sub('[^0-9a-f]', '', nonce)}"

    def run(self, number: int) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(self.path / "runs" / str(number))
