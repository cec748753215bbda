"""What of a run's folder is shown by Jenkins: copied into the workspace, for a build can archive nothing from elsewhere."""

import os
import shutil
from pathlib import Path

from epochal.app import App
from epochal.jobs.finish import saved_model
from epochal.jobs.log import log
from epochal.records import Run
from epochal.store.errors import DatabaseUnavailable
from epochal.store.runs import load_run

FOLDER = "epochal-run"
"""The folder in the workspace; the jobs archive all that is in it."""


def publish(app: App, number: int) -> None:
    """Put each trial's log, metrics, accuracy and diff, and the best trial's model, into the workspace.

    What an earlier build left there is taken away. That it cannot be done is told, and changes nothing about the run.
    """
    if not app.environment.workspace:
        return
    folder = Path(app.environment.workspace) / FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for source, name in _files(app, load_run(app.database, number)):
            _place(source, folder / name)
    except (OSError, DatabaseUnavailable) as error:
        log(f"note: the run's files could not be put into the workspace: {error}")


def _files(app: App, run: Run) -> list[tuple[Path, str]]:
    found = []
    for trial in run.trials:
        folder = app.home.run(run.trained_by).trial(trial.number)
        files = (folder.log, folder.metrics, folder.accuracy, folder.diff)
        found += [(path, f"trial-{trial.number}/{path.name}") for path in files]
    model = saved_model(app, run, run.best)
    if model and run.best:
        found.append((model, f"trial-{run.best.number}/{model.name}"))
    return found


def _place(source: Path, target: Path) -> None:
    # A script may leave a link anywhere: what it points to is not the run's.
    if source.is_symlink() or not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copyfile(source, target, follow_symlinks=False)
