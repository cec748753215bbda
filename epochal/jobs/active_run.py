"""The run that a job works on: where it is, how it is trained, and what its trials have in common."""

from dataclasses import dataclass

from epochal.analysis.code import Code
from epochal.analysis.script import Script
from epochal.app import App
from epochal.folders import RunFolder
from epochal.jobs.search.space import Dimension
from epochal.records import Run, Step
from epochal.results.gate import Rule
from epochal.runtimes.runtime import Runtime
from epochal.settings import RepositorySettings
from epochal.store.runs import load_run
from epochal.store.timeline import mark_step


@dataclass(frozen=True)
class Plan:
    """How a run is trained: the repository's settings, what its code says, what may be searched, where to train, in what.

    ``image``: the name of the image or environment, which may be yet to be made.
    """

    settings: RepositorySettings
    code: Code
    space: tuple[Dimension, ...]
    runtime: Runtime
    image: str


@dataclass(frozen=True)
class ActiveRun:
    """A run that is being trained.

    ``run``: the run as it was when this job began, with the trials and notes of that time; ``load`` returns it as it is
    now. ``settings.threshold`` of its plan is the threshold that holds.
    """

    app: App
    run: Run
    plan: Plan

    @property
    def folder(self) -> RunFolder:
        """Return the run's folder."""
        return self.app.home.run(self.run.id)

    @property
    def script(self) -> Script:
        """Return the script, as it was committed."""
        return self.plan.code.script

    @property
    def threshold(self) -> float:
        """Return the accuracy to reach (0 to 1)."""
        return self.plan.settings.threshold

    @property
    def rule(self) -> Rule:
        """Return what the gate asks for."""
        return Rule(self.threshold, self.plan.settings.confidence)

    def load(self) -> Run:
        """Read the run from the database, with its trials as they are now."""
        return load_run(self.app.database, self.run.id)

    def mark(self, step: Step, trial: int | None = None) -> None:
        """Store that the run, or one of its trials, came to ``step`` now."""
        mark_step(self.app.database, self.run.id, step, trial)
