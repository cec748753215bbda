"""Nothing is done twice: the verdict of an earlier run that meant the same is taken over."""

import os
from pathlib import Path

import epochal
from epochal.errors import RunFailed
from epochal.frameworks import detect_folder
from epochal.jobs.ending import end_run
from epochal.jobs.job import Job, tell
from epochal.jobs.training import repository_settings, runtime_of, threshold_of
from epochal.meaning import meaning_of
from epochal.records import Run, State
from epochal.runtimes.workplace import data_folder


def take_over(job: Job, run: Run) -> State | None:
    """End ``run``, which is not trained yet, like the run that meant the same; None where there is none, or it is forced.

    What cannot be known without training (a framework that is not clear, requirements that are refused) is left to it.
    """
    if run.trials:
        return None
    try:
        meaning = _meaning(job, run)
    except RunFailed:
        return None
    job.store.change(run.id, meaning=meaning)
    if job.environment.force:
        return None
    earlier = next((other for other in job.store.same_runs(run, meaning) if _is_whole(job, other)), None)
    if earlier is None:
        return None
    tell(f"taken over from run {earlier.id}: it meant the same. To train it all the same: epochal run --force")
    columns = ("framework", "framework_why", "runtime", "image", "threshold")
    job.store.change(run.id, taken_over=earlier.id, **{name: getattr(earlier, name) for name in columns})
    end_run(job, run.id, earlier.state, earlier.reason, earlier.explanation, earlier.detail)
    return earlier.state


def _meaning(job: Job, run: Run) -> str:
    code = job.home.run(run.id).code
    settings = repository_settings(job, run)
    detection = detect_folder(code, settings.framework)
    circumstances = {
        "epochal": epochal.__version__,
        "framework": detection.framework,
        "image": runtime_of(job).name_of(detection.framework, code),
        "threshold": threshold_of(job, run, settings),
        "settings": settings.model_dump(mode="json", exclude={"threshold", "framework"}, warnings=False),
        "limits": job.settings.limits.model_dump(mode="json", exclude={"trials", "engine_minutes", "log_mb"}),
        "network": job.settings.sandbox.network,
        "data": _data(job),
    }
    return meaning_of(code, circumstances)


def _data(job: Job) -> list[tuple[str, int, int]]:
    """The files of the server's data folder, each with its size and the time of its last change: too big to be read."""
    folder = data_folder(job.settings)
    if folder is None:
        return []
    paths = sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return [(str(path), *_status(path)) for path in paths]


def _status(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def _is_whole(job: Job, run: Run) -> bool:
    """Whether all that the mail would point to is still there."""
    return run.best is not None and job.home.run(run.id).trial(run.best.number).code.is_dir()
