"""What every job has at hand, and how it speaks."""

from dataclasses import dataclass

from epochal.errors import UsageError
from epochal.folders import Home
from epochal.records import Run, State, TrialState
from epochal.results.gate import doubt_in_words, in_words
from epochal.settings import Environment, ServerSettings, read_server_settings
from epochal.store import Patience, Store

EXIT_STATUS = {
    State.REACHED: 0,
    State.PULLED: 0,
    State.FAILED: 1,
    State.BELOW: 3,
    State.EXHAUSTED: 3,
    State.SUPERSEDED: 4,
    State.CANCELLED: 5,
}
"""The exit status of a job script whose run is in this state when it ends: the contract with Jenkins and with people."""


@dataclass(frozen=True)
class Job:
    """The environment that the job was started in, its home's settings, and the database."""

    environment: Environment
    settings: ServerSettings
    store: Store

    @classmethod
    def open(cls, environment: Environment, patience: Patience | None = None) -> "Job":
        """Read the settings and open the database, waiting for it with ``patience``; raises SettingsError."""
        settings = read_server_settings(environment)
        return cls(environment, settings, Store(settings.database or Home(environment.home).database, patience))

    @property
    def home(self) -> Home:
        """The folder that everything is kept in."""
        return Home(self.environment.home)

    @property
    def run(self) -> int:
        """The run that the job was started for; raises UsageError if it was not told."""
        if self.environment.run is None:
            raise UsageError("EPOCHAL_RUN is not set: it is the number of the run to work on, as pull.sh prints it.")
        return self.environment.run

    @property
    def build_url(self) -> str | None:
        """The page of the build that runs the job; None where there is none to look at (the embedded chain's folder)."""
        url = self.environment.build_url
        return url if url.startswith(("http://", "https://")) else None

    def credentials(self, repository: str) -> str:
        """The file with the credentials for a watched repository; empty if none was set."""
        return next((watched.credentials for watched in self.settings.repository if watched.url == repository), "")


def tell(line: str) -> None:
    """Print one line of a job's output at once: no colours, no carriage returns, for this is what Jenkins shows."""
    print(line, flush=True)  # noqa: T201 (the one place where jobs print)


def summary(run: Run) -> str:
    """The run in one line, as job output and Jenkins' display name have it: ``0.831 of 0.80 · epoch 40 · 3 trials``."""
    trained = [trial for trial in run.trials if trial.state in (TrialState.MEASURED, TrialState.PRUNED)]
    parts = [run.state.value]
    if run.best and run.best.accuracy is not None and run.threshold is not None:
        parts = [" of ".join(in_words(run.best.accuracy, run.threshold))]
        if doubt := doubt_in_words(run.best, run.threshold):
            parts.append(doubt)
        if run.best.epochs:
            parts.append(f"epoch {run.best.epochs}")
        parts.append(f"{len(trained)} trial{'s' if len(trained) != 1 else ''}")
    if run.taken_over:
        parts.append(f"taken over from run {run.taken_over}")
    return " · ".join(parts)
