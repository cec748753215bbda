"""What train and retrain do before their first trial: settings, framework, runtime, environment, and its proof."""

import threading
import time
from functools import partial
from typing import Any

from epochal.analysis.detection import detect_folder, read_source
from epochal.analysis.frameworks import check_setting, frameworks
from epochal.analysis.script import Script, read_script
from epochal.app import App
from epochal.errors import Reason, RunFailed, SettingsError
from epochal.folders import SCRIPT
from epochal.jobs.active_run import ActiveRun, Plan
from epochal.jobs.log import log
from epochal.jobs.search.space import Dimension, space_of
from epochal.records import Run, State, Step
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.runtime import Runtime
from epochal.settings import RepositorySettings, RuntimeName, read_repository_settings
from epochal.store.ends import change_run
from epochal.store.runs import add_notes
from epochal.store.trials import is_training

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


def plan_run(app: App, run: Run) -> ActiveRun:
    """Return ``run`` with how it is to be trained: known at once, with nothing begun. Raises RunFailed."""
    code = app.home.run(run.id).code
    settings = _repository_settings(app, run)
    detection = detect_folder(code, settings.framework)
    script = read_script(code)
    space = _space(script, settings)
    log(f"framework: {detection.framework} ({detection.why})")
    runtime = _runtime(app)
    plan = Plan(settings, space, detection, runtime, runtime.image_name(detection.framework, code))
    return ActiveRun(app, run.id, script, run.notes, plan)


def prepare(active: ActiveRun, state: State) -> None:
    """Make ready for the trials of a run and put it into ``state``. Raises RunFailed."""
    notes = _idiom_notes(active)
    make_ready(active)
    active.mark(Step.ENVIRONMENT_READY)
    keep_plan(active, state=state)
    add_notes(active.app.database, active.id, notes)


def make_ready(active: ActiveRun) -> None:
    """Make the image, and prove that what the script imports is in it. Raises RunFailed."""
    active.plan.runtime.prove(_image(active), active.plan.detection.modules)


def keep_plan(active: ActiveRun, **columns: Any) -> None:
    """Store how a run is trained, and the other ``columns`` with it."""
    plan, app = active.plan, active.app
    change_run(
        app.database,
        active.id,
        framework=plan.detection.framework,
        framework_why=plan.detection.why,
        runtime=plan.runtime.name,
        image=plan.image,
        threshold=active.threshold,
        build_url=app.build_url or active.stored.build_url,
        **columns,
    )


def _repository_settings(app: App, run: Run) -> RepositorySettings:
    """Return the repository's settings, with the one threshold that holds."""
    code = app.home.run(run.id).code
    try:
        settings = read_repository_settings(code)
        check_setting(settings.framework)
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error).replace(f"{code}/", "")) from None
    threshold = run.threshold or app.environment.threshold or settings.threshold
    return settings.model_copy(update={"threshold": threshold})


def _space(script: Script, settings: RepositorySettings) -> tuple[Dimension, ...]:
    try:
        return space_of(script, settings.search)
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error)) from None


def _idiom_notes(active: ActiveRun) -> list[str]:
    """Print which idioms of older versions of its framework the script has; returns what was printed."""
    notes = []
    framework = frameworks()[active.plan.detection.framework]
    for idiom in framework.find_idioms(read_source(active.folder.code, SCRIPT) or ""):
        note = f"{SCRIPT} line {idiom.line}: {idiom.what} is gone from today's {framework.TITLE}; write {idiom.instead}"
        log(f"note: {note}")
        notes.append(note)
    return notes


def reap_left_overs(app: App) -> None:
    """Stop the trainings of this home whose job died. Where no engine answers there is nothing that could be stopped."""
    try:
        reaped = _runtime(app).reap(partial(is_training, app.database))
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


def _image(active: ActiveRun) -> str:
    """Return the image to train in, after what an earlier job left behind was taken away.

    Where no Docker engine answers the run waits for it, and says so once.
    """
    app, plan = active.app, active.plan
    deadline = time.monotonic() + app.settings.limits.engine_minutes * 60
    pause, logged = _FIRST_PAUSE_SECONDS, False
    while True:
        try:
            plan.runtime.reap(partial(is_training, app.database))
            return plan.runtime.prepare(plan.detection.framework, active.folder.code, log)
        except RunFailed as failure:
            if failure.reason is not Reason.NO_ENGINE or time.monotonic() + pause > deadline:
                raise
            if not logged:
                log(f"waiting: {failure.explanation} The run goes on when it answers.")
                logged = True
        threading.Event().wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
