"""The names inside of ``$EPOCHAL_HOME``, of a run's folder, and of a trial's. Imports nothing of ours."""

import re
from dataclasses import dataclass
from pathlib import Path

SCRIPT = "nn.py"
"""The file at the top of a repository that is trained."""


@dataclass(frozen=True)
class RunFolder:
    """The names inside ``$EPOCHAL_HOME/runs/<run>``."""

    path: Path

    @property
    def code(self) -> Path:
        """The immutable snapshot of the commit."""
        return self.path / "code"

    @property
    def workspace(self) -> Path:
        """The WORKSPACE that the embedded chain gives to its jobs."""
        return self.path / "workspace"

    def console(self, job: str) -> Path:
        """What a job printed, when the embedded chain ran it."""
        return self.path / f"{job}.console.log"

    def trial(self, number: int) -> "TrialFolder":
        """The folder of trial ``number`` (from 1)."""
        return TrialFolder(self.path / "trials" / str(number))


@dataclass(frozen=True)
class TrialFolder:
    """The names inside ``runs/<run>/trials/<number>``."""

    path: Path

    @property
    def code(self) -> Path:
        """The trial's own, writable copy of the code: /train in a container. What the script saves stays here."""
        return self.path / "code"

    @property
    def out(self) -> Path:
        """The output folder: $EPOCHAL_OUT in a container."""
        return self.path / "out"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each epoch."""
        return self.out / "metrics.jsonl"

    @property
    def accuracy(self) -> Path:
        """The accuracy, as the script or the recorder wrote it."""
        return self.out / "accuracy.json"

    @property
    def checkpoints(self) -> Path:
        """What a later trial goes on from: $EPOCHAL_CHECKPOINTS. They move on with the newest trial of the run."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """Standard output and error of the training, in order."""
        return self.path / "train.log"

    @property
    def change(self) -> Path:
        """The files of the code that the trial offers to change, by their paths in it; absent if none."""
        return self.path / "change"

    @property
    def diff(self) -> Path:
        """What the trial changed in the code, as a unified diff; absent if nothing."""
        return self.path / "change.diff"


@dataclass(frozen=True)
class Home:
    """The names inside ``$EPOCHAL_HOME``."""

    path: Path

    @property
    def database(self) -> str:
        """The URL of the database, unless the server's settings name another one."""
        return f"sqlite:///{self.path / 'epochal.db'}"

    @property
    def searches(self) -> str:
        """The URL of Optuna's storage, unless the server's settings name a database that holds it too."""
        return f"sqlite:///{self.path / 'optuna.db'}"

    @property
    def dlcode(self) -> Path:
        """Where the last pulled code of each repository and branch is to be seen."""
        return self.path / "dlcode"

    @property
    def cache(self) -> Path:
        """What can be made again: fetched repositories, environments, datasets."""
        return self.path / "cache"

    def question(self, nonce: str) -> Path:
        """A file that the gateway writes for a moment, for an agent to show that it sees this very folder."""
        return self.path / f".question-{re.sub('[^0-9a-f]', '', nonce)}"

    def run(self, number: int) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / "runs" / str(number))
