"""Put a run's files into the Jenkins workspace, because a build can archive only files in its workspace."""

import os
import shutil
from pathlib import Path

from epochal.app import App
from epochal.jobs.log import log
from epochal.store.errors import DatabaseUnavailable
from epochal.store.runs import load_run

FOLDER = "epochal-run"
"""The workspace folder whose contents are archived by the Jenkins jobs."""


def publish(app: App, number: int) -> None:
    """Put each trial's log, metrics, accuracy and diff, and the best trial's model, into the workspace.

    Do nothing if WORKSPACE is not set. Files from an earlier build are removed first. A failure is logged and does not
    affect the run.
    """
    if not app.environment.workspace:
        return
    # Imported here, because ``finish`` imports the code that composes emails, which is not needed without a workspace.
    from epochal.jobs.finish import find_saved_model

    workspace = Path(app.environment.workspace) / FOLDER
    try:
        shutil.rmtree(workspace, ignore_errors=True)
        run = load_run(app.database, number)
        model = find_saved_model(app, run, run.best)
        for trial in run.trials:
            folder = app.home.run(run.trained_by).trial(trial.number)
            files = [folder.log, folder.metrics, folder.accuracy, folder.diff]
            if model and trial is run.best:
                files.append(model)
            for source in files:
                # A link that the script left may point to a file that does not belong to the run.
                if source.is_file() and not source.is_symlink():
                    target = workspace / f"trial-{trial.number}" / source.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    link_or_copy(source, target)
    except (OSError, DatabaseUnavailable) as error:
        log(f"note: could not copy the run's files to {workspace}: {error}")


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to ``source``, or a copy if linking fails, for example across file systems."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
