"""Prepare a run for training: read its settings and code, choose the runtime, build the environment and check it."""

import threading
import time
from functools import partial
from importlib.util import find_spec
from typing import Any

from epochal.analysis.code import read_code
from epochal.analysis.findings import drop_repeated
from epochal.analysis.frameworks import check_framework
from epochal.app import App
from epochal.errors import Reason, RunFailed, SettingsError
from epochal.jobs.active_run import ActiveRun, Plan
from epochal.jobs.log import log
from epochal.jobs.search.space import read_space
from epochal.records import Run, State, Step
from epochal.results.diagnosis import explain_failed_imports
from epochal.results.remedies import Origin
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.imports import ImportFailed
from epochal.runtimes.runtime import Runtime
from epochal.settings import RuntimeName, read_repository_settings
from epochal.store.runs import add_notes
from epochal.store.transitions import change_run
from epochal.store.trials import is_training

_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0


def plan_run(app: App, run: Run) -> ActiveRun:
    """Plan the training for ``run``, without building anything yet. Raises RunFailed."""
    folder = app.home.run(run.id).code
    try:
        settings = read_repository_settings(folder)
        if settings.project:
            raise SettingsError(
                f"The epochal.toml of project {run.commit.project} must not list projects. Remove [[project]] from it."
            )
        check_framework(settings.framework)
        code = read_code(folder, settings.script, settings.framework)
        space = read_space(code.script, settings.search)
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error).replace(f"{folder}/", "")) from None
    if space and find_spec("optuna") is None:
        raise RunFailed(
            Reason.BAD_SETTINGS,
            "epochal.toml has a [search] table, but Optuna, which the search needs, is not installed on the server. "
            "Ask the admin to run uv tool install 'epochal[search]', or remove [search] from epochal.toml.",
        )
    if not run.trials:  # otherwise an earlier job of the run printed this
        log(f"script: {code.script.committed_path}")
        log(f"framework: {code.detection.framework} ({code.script.name_cells(code.detection.why)})")
    threshold = run.threshold or app.environment.threshold or settings.threshold
    settings = settings.model_copy(update={"threshold": threshold})
    runtime = _choose_runtime(app)
    plan = Plan(settings, code, space, runtime, runtime.image_name(code.detection.framework, folder))
    return ActiveRun(app, run, plan)


def prepare_run(active: ActiveRun, state: State) -> None:
    """Build the environment for the run's trials and change the run's state to ``state``. Raises RunFailed.

    Also log and store notes on packages, on removed APIs that the script uses, and on test rows that may influence
    training.
    """
    plan, framework = active.plan, active.plan.code.detection.framework
    notes = [
        f"{active.script.path} line {api.line}: {api.what} was removed from {api.owner}; use {api.instead}"
        for api in plan.code.removed_apis
    ]
    notes += [f"{leak.path} line {leak.line}: {leak.message} {leak.remedy}" for leak in drop_repeated(plan.code.leaks)]
    notes = [active.script.name_cells(note) for note in notes]
    image = prepare_environment(active)
    notes += plan.runtime.describe_packages(framework, active.folder.code)
    notes = [active.script.name_cells(note) for note in notes]
    for note in notes:
        log(f"note: {note}")
    # Stored before the imports are checked, because a note on an old release may explain why an import fails.
    add_notes(active.app.database, active.run.id, notes)
    check_imports(active, image)
    active.mark(Step.ENVIRONMENT_READY)
    store_plan(active, state=state)


def prepare_environment(active: ActiveRun) -> str:
    """Stop the training processes of jobs that have died, build the image or environment, and return its name.

    If the Docker engine does not answer, log that once and wait up to ``limits.engine_minutes``. Raises RunFailed.
    """
    app, plan = active.app, active.plan
    deadline = time.monotonic() + app.settings.limits.engine_minutes * 60
    pause, logged = _FIRST_PAUSE_SECONDS, False
    while True:
        try:
            plan.runtime.reap(partial(is_training, app.database))
            return plan.runtime.prepare(plan.code.detection.framework, active.folder.code, log)
        except RunFailed as failure:
            if failure.reason is not Reason.NO_ENGINE or time.monotonic() + pause > deadline:
                raise
            if not logged:
                log(
                    f"waiting up to {app.settings.limits.engine_minutes:g} min for the Docker engine: {failure.explanation}"
                )
                logged = True
        threading.Event().wait(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def check_imports(active: ActiveRun, image: str) -> None:
    """Check that ``image`` has the modules that the script imports. Raises RunFailed if one cannot be imported."""
    plan = active.plan
    try:
        plan.runtime.check_imports(image, plan.code.detection.modules)
    except ImportFailed as failure:
        origin = Origin(active.folder.code, active.script.path, plan.runtime.has_network)
        reason, explanation = explain_failed_imports(failure.errors, failure.output, origin)
        raise RunFailed(reason, active.script.name_cells(explanation), failure.detail) from None


def store_plan(active: ActiveRun, **columns: Any) -> None:
    """Store a run's plan in its database row, and set other ``columns`` of that row."""
    plan, app = active.plan, active.app
    if app.build_url:  # otherwise keep the stored URL
        columns["build_url"] = app.build_url
    change_run(
        app.database,
        active.run.id,
        framework=plan.code.detection.framework,
        framework_why=plan.code.detection.why,
        script=plan.code.script.committed_path,
        runtime=plan.runtime.name,
        image=plan.image,
        threshold=active.threshold,
        **columns,
    )


def stop_orphaned_trainings(app: App) -> None:
    """Stop any training processes of this EPOCHAL_HOME whose jobs have died.

    If the Docker engine does not answer, log that and do nothing else.
    """
    try:
        stopped_runs = _choose_runtime(app).reap(partial(is_training, app.database))
    except RunFailed as failure:
        log(f"could not check for training processes whose jobs have died: {failure.explanation}")
        return
    for run in stopped_runs:
        log(f"run {run}: stopped a training process whose job had died")


def _choose_runtime(app: App) -> Runtime:
    environment = app.environment
    # runtime = "auto" in server.toml applies only to runs that a person starts: pushed code must not lose its sandbox
    # because the Docker engine happens to restart.
    runtime_name: RuntimeName = (
        "docker" if app.settings.runtime == "auto" and not environment.runtime else app.settings.runtime
    )
    return choose_runtime(runtime_name, environment.home, app.settings, environment.docker_host, log)
