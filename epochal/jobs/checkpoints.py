"""What a trial goes on from: the checkpoints of the trial before it, or of an earlier run of the same code."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from epochal.hyperparameters import differ_in_epochs
from epochal.jobs.job import Job
from epochal.meaning import files_of, matters
from epochal.records import Run, Strategy

_KEPT_RUNS = 3
"""Of how many runs of a branch the checkpoints are kept."""


def hand_over(job: Job, run: Run, number: int) -> str:
    """Give trial ``number`` the newest checkpoints that there are; returns where they come from, empty if nowhere.

    Those of the run's own trials move on, so that they are on the disk once; those of an earlier run stay there too.
    """
    target = job.home.run(run.id).trial(number).checkpoints
    for earlier in range(number - 1, 0, -1):
        if source := hand_over_from(job, run, number, earlier):
            return source
    for other, files in _left_by_same_code(job, run):
        for path in files:
            _place(path, target / path.name)
        return f"run {other.id}"
    return ""


def hand_over_from(job: Job, run: Run, number: int, earlier: int) -> str:
    """Give trial ``number`` the checkpoints of the ``earlier`` one; returns where they come from, empty if it has none."""
    source, target = (job.home.run(run.id).trial(trial).checkpoints for trial in (earlier, number))
    if not _files(source):
        return ""
    target.rmdir()
    source.rename(target)
    return f"trial {earlier}"


def clear_old(job: Job, run: Run) -> None:
    """Remove the checkpoints of the branch's older runs: they are big, and it is the newest code that goes on."""
    trained = [other for other in job.store.earlier_runs(run) if other.trained_by == other.id]
    for other in trained[_KEPT_RUNS - 1 :]:
        if other.state.ended:
            for trial in other.trials:
                shutil.rmtree(job.home.run(other.id).trial(trial.number).checkpoints, ignore_errors=True)


def _left_by_same_code(job: Job, run: Run) -> Iterator[tuple[Run, list[Path]]]:
    """The branch's earlier runs of code that differs in nothing but the epochs, trained in the same image, and what
    checkpoints the last of their trials left."""
    image = job.store.run(run.id).image
    for other in job.store.earlier_runs(run):
        # A search's trials have other hyperparameters than the code that was committed.
        own = [trial for trial in reversed(other.trials) if trial.strategy is not Strategy.SEARCH]
        folders = [job.home.run(other.id).trial(trial.number).checkpoints for trial in own]
        files = next(filter(None, map(_files, folders)), [])
        if files and other.state.ended and other.image == image and _differ_in_epochs(job, run, other):
            yield other, files


def _differ_in_epochs(job: Job, run: Run, other: Run) -> bool:
    code, before = job.home.run(run.id).code, job.home.run(other.id).code
    if not before.is_dir():
        return False
    names = _code_files(code)
    if names != _code_files(before):
        return False
    scripts = [(folder / "nn.py").read_bytes() for folder in (code, before)]
    return differ_in_epochs(*scripts) and all(_same(code / name, before / name) for name in names)


def _code_files(folder: Path) -> dict[str, int]:
    """The size of each file that training may depend on, links included, by its name in ``folder``."""
    found = {name: status.st_size for name, status in files_of(folder).items() if matters(name)}
    found.pop("nn.py", None)  # its epochs may have more digits
    return found


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return filecmp.cmp(one, other, shallow=False)


def _files(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``; what trains may have made anything of it."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.glob("*.npz") if path.is_file() and not path.is_symlink()]


def _place(source: Path, target: Path) -> None:
    # A checkpoint is never written to again: a new one takes its name.
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copyfile(source, target, follow_symlinks=False)
