"""The run that a job is working on, and the plan for its training."""

from collections.abc import Mapping
from dataclasses import dataclass

from epochal.analysis.code import Code
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.script import Script
from epochal.app import App
from epochal.folders import RunFolder
from epochal.jobs.search.space import Dimension
from epochal.records import Run, Step, Value
from epochal.results.gate import Rule
from epochal.runtimes.runtime import Runtime
from epochal.settings import RepositorySettings
from epochal.store.runs import load_run
from epochal.store.timeline import record_step


@dataclass(frozen=True)
class Plan:
    """A run's training plan.

    ``settings``: the repository's settings, with the threshold that applies to this run. ``code``: the results of
    analysing the pushed code. ``space``: the search space; empty if there is no search. ``runtime``: where training
    runs. ``image``: the name of the image or environment to train in, which may not have been built yet.
    """

    settings: RepositorySettings
    code: Code
    space: tuple[Dimension, ...]
    runtime: Runtime
    image: str


@dataclass(frozen=True)
class ActiveRun:
    """A run that a job is working on.

    ``run``: the run as it was when this job started, including its trials and notes; ``load`` reads its current state.
    """

    app: App
    run: Run
    plan: Plan

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return self.app.home.run(self.run.id)

    @property
    def script(self) -> Script:
        """The script as it was pushed."""
        return self.plan.code.script

    @property
    def threshold(self) -> float:
        """The accuracy to reach (0 to 1)."""
        return self.plan.settings.threshold

    @property
    def rule(self) -> Rule:
        """The rule that the gate applies: the threshold and the confidence."""
        return Rule(self.threshold, self.plan.settings.confidence)

    def hyperparameters(self, changes: Mapping[Constant, Value]) -> dict[str, Value]:
        """Return a trial's hyperparameters; searched constants that are not in ``changes`` keep their values."""
        searched = {dimension.constant: dimension.constant.value for dimension in self.plan.space}
        return self.script.hyperparameters({**searched, **changes})

    def load(self) -> Run:
        """Return the current state of the run and its trials from the database."""
        return load_run(self.app.database, self.run.id)

    def mark(self, step: Step, trial: int | None = None) -> None:
        """Record that the run, or its trial number ``trial``, has just reached ``step``."""
        record_step(self.app.database, self.run.id, step, trial)
