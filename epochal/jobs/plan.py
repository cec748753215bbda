"""What train and retrain do before their first trial: settings, framework, runtime, environment, and its proof."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from epochal.analysis.frameworks import SCRIPT, Detection, detect_folder, read_source
from epochal.analysis.keras_idioms import find_keras2_idioms
from epochal.app import App
from epochal.errors import Reason, RunFailed, SettingsError
from epochal.jobs.log import log
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


def plan_of(app: App, run: Run) -> Plan:
    """How ``run`` is to be trained: known at once, with nothing begun. Raises RunFailed."""
    code = app.home.run(run.id).code
    settings = _repository_settings(app, run)
    detection = detect_folder(code, settings.framework)
    space = _space(app, run, settings)
    log(f"framework: {detection.framework} ({detection.why})")
    runtime = _runtime(app)
    threshold = run.threshold or app.environment.threshold or settings.threshold
    return Plan(settings, threshold, space, detection, runtime, runtime.image_name(detection.framework, code))


def prepare(app: App, run: Run, plan: Plan, state: State) -> None:
    """Make ready for the trials of ``run`` and put it into ``state``. Raises RunFailed."""
    notes = _tell_idioms(app, run, plan.detection)
    make_ready(app, run, plan)
    app.store.mark(run.id, Step.ENVIRONMENT_READY)
    keep_plan(app, run, plan, state=state.value, notes=list(notes))


def make_ready(app: App, run: Run, plan: Plan) -> None:
    """Make the image, and prove that what nn.py imports is in it. Raises RunFailed."""
    image = _image(app, run, plan.runtime, plan.detection)
    plan.runtime.prove(image, plan.detection.modules)


def keep_plan(app: App, run: Run, plan: Plan, **columns: Any) -> None:
    """Store how ``run`` is trained, and the other ``columns`` with it."""
    app.store.change(
        run.id,
        framework=plan.detection.framework,
        framework_why=plan.detection.why,
        runtime=plan.runtime.name,
        image=plan.image,
        threshold=plan.threshold,
        build_url=app.build_url or run.build_url,
        **columns,
    )


def _repository_settings(app: App, run: Run) -> RepositorySettings:
    try:
        return read_repository_settings(app.home.run(run.id).code)
    except SettingsError as error:
        told = str(error).replace(f"{app.home.run(run.id).code}/", "")
        raise RunFailed(Reason.BAD_SETTINGS, told) from None


def _space(app: App, run: Run, settings: RepositorySettings) -> tuple[Dimension, ...]:
    try:
        return space_of((app.home.run(run.id).code / SCRIPT).read_bytes(), settings.search)
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error)) from None


def _tell_idioms(app: App, run: Run, detection: Detection) -> tuple[str, ...]:
    if detection.framework != "keras":
        return run.notes
    script = read_source(app.home.run(run.id).code, SCRIPT) or ""
    found = [
        f"nn.py line {idiom.line}: {idiom.what} is gone from today's Keras; write {idiom.instead}"
        for idiom in find_keras2_idioms(script)
    ]
    for note in found:
        log(f"note: {note}")
    return run.notes + tuple(note for note in found if note not in run.notes)


def reap_left_overs(app: App) -> None:
    """Stop the trainings of this home whose job died. Where no engine answers there is nothing that could be stopped."""
    try:
        reaped = _runtime(app).reap(app.store.is_training)
    except RunFailed as failure:
        log(f"left-over trainings could not be looked for: {failure.explanation}")
        return
    for run in reaped:
        log(f"stopped a training that run {run} had left behind")


def _runtime(app: App) -> Runtime:
    environment = app.environment
    # A file's "auto" is meant for what a person runs; pushed code must not lose its sandbox to an engine's restart.
    served: RuntimeName = (
        "docker" if app.settings.runtime == "auto" and not environment.runtime else app.settings.runtime
    )
    return choose_runtime(served, environment.home, app.settings, environment.docker_host, log)


def _image(app: App, run: Run, runtime: Runtime, detection: Detection) -> str:
    """The image to train in, after what an earlier job left behind was taken away.

    Where no Docker engine answers the run waits for it, and says so once.
    """
    code = app.home.run(run.id).code
    deadline = time.monotonic() + app.settings.limits.engine_minutes * 60
    pause, told = _FIRST_PAUSE_SECONDS, False
    while True:
        try:
            runtime.reap(app.store.is_training)
            return runtime.prepare(detection.framework, code, log)
        except RunFailed as failure:
            if failure.reason is not Reason.NO_ENGINE or time.monotonic() + pause > deadline:
                raise
            if not told:
                log(f"waiting: {failure.explanation} The run goes on when it answers.")
                told = True
        threading.Event().wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
