"""What a trial resumes from: the checkpoints of the trial before it, or of an earlier run of the same code."""

import filecmp
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.fingerprint import files_of, matters
from epochal.analysis.hyperparameters import differ_in_epochs
from epochal.app import App
from epochal.folders import SCRIPT
from epochal.jobs.active_run import ActiveRun
from epochal.records import Run, Strategy, Trial
from epochal.store.runs import earlier_runs

TESTS_ON_OTHER_ROWS = f"{SCRIPT} tests on other rows in each training (is its split seeded?)"
"""Why a script is not resumed whose test set changed when it was."""
_KEPT_RUNS = 3
"""Of how many runs of a branch the checkpoints are kept."""


@dataclass(frozen=True)
class Handover:
    """The checkpoints that a trial was given.

    ``source``: whose they are (``trial 1``), empty if it was given none, perhaps for a reason, ``why``. ``test_set``: what
    the accuracy behind them was measured on; None if that trial was interrupted before it was measured.
    """

    source: str = ""
    test_set: str | None = None
    why: str = ""


def hand_over(active: ActiveRun, number: int) -> Handover:
    """Give trial ``number`` the newest checkpoints that there are, if it may resume from them.

    Those of the run's own trials move on, so that they are on the disk once; those of an earlier run stay there too.
    """
    app, run = active.app, active.stored
    before = earlier_runs(app.database, run)
    trained = [other for other in before if other.state.ended and other.image == run.image]
    if _was_caught(run) or any(_was_caught(other) and _is_same_code(active, other) for other in trained):
        return Handover(why=TESTS_ON_OTHER_ROWS)
    for earlier in range(number - 1, 0, -1):
        handover = hand_over_from(active, number, earlier)
        if handover.source or handover.why:
            return handover
    target = active.trial_folder(number).checkpoints
    for other in trained:
        trial, files = _last_left(app, other)
        if trial and files and _is_same_code(active, other) and active.script.content != _script(app, other):
            test_set = trial.accuracy.test_set if trial.accuracy else None
            if test_set is None:
                return Handover(why=f"the test set of run {other.id} is not known")
            for path in files:
                _place(path, target / path.name)
            return Handover(f"run {other.id}", test_set)
    return Handover()


def hand_over_from(active: ActiveRun, number: int, earlier: int) -> Handover:
    """Give trial ``number`` the checkpoints of the ``earlier`` one, if it has any that it may resume from."""
    source, target = (active.trial_folder(trial).checkpoints for trial in (earlier, number))
    if not _files(source):
        return Handover()
    trials = {trial.number: trial for trial in active.trials}
    trial = trials.get(earlier)
    if trial and trial.caught:
        return Handover(why=TESTS_ON_OTHER_ROWS)
    if trial and trial.accuracy and trial.accuracy.test_set is None:
        return Handover(why=f"the test set of trial {earlier} is not known")
    target.rmdir()
    source.rename(target)
    # An interrupted trial had the checkpoints of the measured one before it.
    measured = [each.accuracy for each in trials.values() if each.number <= earlier and each.accuracy is not None]
    return Handover(f"trial {earlier}", measured[-1].test_set if measured else None)


def clear_old(active: ActiveRun) -> None:
    """Remove the checkpoints of the branch's older runs: they are big, and it is the newest code that goes on."""
    app = active.app
    trained = [other for other in earlier_runs(app.database, active.stored) if other.trained_by == other.id]
    for other in trained[_KEPT_RUNS - 1 :]:
        if other.state.ended:
            for trial in other.trials:
                shutil.rmtree(app.home.run(other.id).trial(trial.number).checkpoints, ignore_errors=True)


def _was_caught(run: Run) -> bool:
    return any(trial.caught for trial in run.trials)


def _last_left(app: App, run: Run) -> tuple[Trial | None, list[Path]]:
    """Return the last trial of a run that left checkpoints, and these."""
    # A search's trials have other hyperparameters than the code that was committed.
    for trial in reversed([each for each in run.trials if each.strategy is not Strategy.SEARCH]):
        if files := _files(app.home.run(run.id).trial(trial.number).checkpoints):
            return trial, files
    return None, []


def _is_same_code(active: ActiveRun, other: Run) -> bool:
    """Whether the code of two runs differs in nothing but the number of epochs."""
    code, before = active.folder.code, active.app.home.run(other.id).code
    if not before.is_dir():
        return False
    names = _code_files(code)
    if names != _code_files(before):
        return False
    scripts = active.script.content, _script(active.app, other)
    is_same = scripts[0] == scripts[1] or differ_in_epochs(*scripts)
    return is_same and all(_same(code / name, before / name) for name in names)


def _script(app: App, run: Run) -> bytes:
    return (app.home.run(run.id).code / SCRIPT).read_bytes()


def _code_files(folder: Path) -> dict[str, int]:
    """The size of each file that training may depend on, links included, by its name in ``folder``."""
    found = {name: status.st_size for name, status in files_of(folder).items() if matters(name)}
    found.pop(SCRIPT, None)  # its epochs may have more digits
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
