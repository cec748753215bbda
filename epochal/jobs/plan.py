"""What train and retrain do before their first trial: settings, framework, runtime, environment, and its proof."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from epochal.analysis.frameworks import SCRIPT, Detection, detect_folder, read_source
from epochal.analysis.keras_idioms import find_keras2_idioms
from epochal.errors import Reason, RunFailed, SettingsError
from epochal.jobs.job import Job, tell
from epochal.jobs.search.space import Dimension, space_of
from epochal.records import Run, State, Step
from epochal.results.gate import Rule
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.runtime import Runtime
from epochal.settings import RepositorySettings, RuntimeName, read_repository_settings

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """All that a trial needs: the repository's settings, what may be searched, where to train, and in what; ``image`` may
    be yet to be made."""

    settings: RepositorySettings
    threshold: float
    space: tuple[Dimension, ...]
    detection: Detection
    runtime: Runtime
    image: str

    @property
    def rule(self) -> Rule:
        """What the gate asks for."""
        return Rule(self.threshold, self.settings.confidence)


def plan_of(job: Job, run: Run) -> Plan:
    """How ``run`` is to be trained: known at once, with nothing begun. Raises RunFailed."""
    code = job.home.run(run.id).code
    settings = _repository_settings(job, run)
    detection = detect_folder(code, settings.framework)
    space = _space(job, run, settings)
    tell(f"framework: {detection.framework} ({detection.why})")
    runtime = _runtime(job)
    threshold = run.threshold or job.environment.threshold or settings.threshold
    return Plan(settings, threshold, space, detection, runtime, runtime.image_name(detection.framework, code))


def prepare(job: Job, run: Run, plan: Plan, state: State) -> None:
    """Make ready for the trials of ``run`` and put it into ``state``. Raises RunFailed."""
    notes = _tell_idioms(job, run, plan.detection)
    make_ready(job, run, plan)
    job.store.mark(run.id, Step.ENVIRONMENT_READY)
    keep_plan(job, run, plan, state=state.value, notes=list(notes))


def make_ready(job: Job, run: Run, plan: Plan) -> None:
    """Make the image, and prove that what nn.py imports is in it. Raises RunFailed."""
    image = _image(job, run, plan.runtime, plan.detection)
    plan.runtime.prove(image, plan.detection.modules)


def keep_plan(job: Job, run: Run, plan: Plan, **columns: Any) -> None:
    """Store how ``run`` is trained, and the other ``columns`` with it."""
    job.store.change(
        run.id,
        framework=plan.detection.framework,
        framework_why=plan.detection.why,
        runtime=plan.runtime.name,
        image=plan.image,
        threshold=plan.threshold,
        build_url=job.build_url or run.build_url,
        **columns,
    )


def _repository_settings(job: Job, run: Run) -> RepositorySettings:
    try:
        return read_repository_settings(job.home.run(run.id).code)
    except SettingsError as error:
        told = str(error).replace(f"{job.home.run(run.id).code}/", "")
        raise RunFailed(Reason.BAD_SETTINGS, told) from None


def _space(job: Job, run: Run, settings: RepositorySettings) -> tuple[Dimension, ...]:
    try:
        return space_of((job.home.run(run.id).code / SCRIPT).read_bytes(), settings.search)
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error)) from None


def _tell_idioms(job: Job, run: Run, detection: Detection) -> tuple[str, ...]:
    if detection.framework != "keras":
        return run.notes
    script = read_source(job.home.run(run.id).code, SCRIPT) or ""
    found = [
        f"nn.py line {idiom.line}: {idiom.what} is gone from today's Keras; write {idiom.instead}"
        for idiom in find_keras2_idioms(script)
    ]
    for note in found:
        tell(f"note: {note}")
    return run.notes + tuple(note for note in found if note not in run.notes)


def reap_left_overs(job: Job) -> None:
    """Stop the trainings of this home whose job died. Where no engine answers there is nothing that could be stopped."""
    try:
        reaped = _runtime(job).reap(job.store.is_training)
    except RunFailed as failure:
        tell(f"left-over trainings could not be looked for: {failure.explanation}")
        return
    for run in reaped:
        tell(f"stopped a training that run {run} had left behind")


def _runtime(job: Job) -> Runtime:
    environment = job.environment
    # A file's "auto" is meant for what a person runs; pushed code must not lose its sandbox to an engine's restart.
    served: RuntimeName = (
        "docker" if job.settings.runtime == "auto" and not environment.runtime else job.settings.runtime
    )
    return choose_runtime(served, environment.home, job.settings, environment.docker_host, tell)


def _image(job: Job, run: Run, runtime: Runtime, detection: Detection) -> str:
    """The image to train in, after what an earlier job left behind was taken away.

    Where no Docker engine answers the run waits for it, and says so once.
    """
    code = job.home.run(run.id).code
    deadline = time.monotonic() + job.settings.limits.engine_minutes * 60
    pause, told = _FIRST_PAUSE_SECONDS, False
    while True:
        try:
            runtime.reap(job.store.is_training)
            return runtime.prepare(detection.framework, code, tell)
        except RunFailed as failure:
            if failure.reason is not Reason.NO_ENGINE or time.monotonic() + pause > deadline:
                raise
            if not told:
                tell(f"waiting: {failure.explanation} The run goes on when it answers.")
                told = True
        threading.Event().wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
