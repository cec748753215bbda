"""Choose the earlier trial or run whose checkpoints a trial resumes from."""

import filecmp
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.fingerprint import affects_training, list_files
from epochal.analysis.script import Script, differ_only_in_epochs, read_script
from epochal.app import App
from epochal.errors import RunFailed
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.artifacts import link_or_copy
from epochal.jobs.strategy import Proposal
from epochal.records import Run, Strategy, Trial
from epochal.store.runs import earlier_runs

_TEST_SET_CHANGES = "the script tests on different rows each time it runs (is its split seeded?)"
"""The reason for training from the beginning if an earlier trial resumed and then tested on different rows."""
_RUNS_WITH_CHECKPOINTS = 3
"""How many of a branch's newest runs keep their checkpoints."""


@dataclass(frozen=True)
class ProvidedCheckpoints:
    """The checkpoints provided to a trial, or the reason why none are provided.

    ``source``: the trial or run that saved the checkpoints, such as ``trial 1``; empty if none are provided.
    ``test_set``: a digest of the test set on which the model in the checkpoints was last measured, or the script's name
    for that set; None if the model was never measured. ``why``: why no checkpoints are provided, if the reason is worth
    reporting.
    """

    source: str = ""
    test_set: str | None = None
    why: str = ""


def provide_checkpoints(active: ActiveRun, number: int, proposal: Proposal) -> ProvidedCheckpoints:
    """Provide trial ``number`` with the newest checkpoints that it may resume from.

    A trial of a search gets only the checkpoints of ``proposal.source``. Checkpoints of another trial of this run are
    moved, so that they take up disk space only once. Checkpoints of an earlier run are linked or copied, so that the
    earlier run keeps them; they are used only if the number of epochs is the only difference between the code of the
    two runs.
    """
    if proposal.strategy is Strategy.SEARCH and proposal.source is None:
        return ProvidedCheckpoints()
    app, trials = active.app, active.load().trials
    if proposal.source is not None:
        return _move_checkpoints(active, number, proposal.source, trials)
    previous_runs = earlier_runs(app.database, active.run)
    trained = [run for run in previous_runs if run.state.ended and run.image == active.plan.image]
    runs_with_changing_tests = [run for run in trained if any(trial.caught for trial in run.trials)]
    if any(trial.caught for trial in trials) or any(_is_same_code(active, run) for run in runs_with_changing_tests):
        return ProvidedCheckpoints(why=_TEST_SET_CHANGES)
    for earlier in range(number - 1, 0, -1):
        provided = _move_checkpoints(active, number, earlier, trials)
        if provided.source or provided.why:
            return provided
    for run in trained:
        last, files = _find_last_checkpoints(app, run)
        code = app.home.run(run.id).code
        if last and _is_same_code(active, run) and active.script != _read_same_script(active, code):
            test_set = last.accuracy.test_set if last.accuracy else None
            if test_set is None:
                return ProvidedCheckpoints(why=f"the test set of run {run.id} is not known")
            for path in files:
                # A link is safe, because checkpoints are replaced by renaming and never written to in place.
                link_or_copy(path, active.folder.trial(number).checkpoints / path.name)
            return ProvidedCheckpoints(f"run {run.id}", test_set)
    return ProvidedCheckpoints()


def remove_old_checkpoints(active: ActiveRun) -> None:
    """Remove the checkpoints of the branch's older runs, to save disk space."""
    app = active.app
    trained = [run for run in earlier_runs(app.database, active.run) if run.trained_by == run.id]
    for run in trained[_RUNS_WITH_CHECKPOINTS - 1 :]:
        if run.state.ended:
            for trial in run.trials:
                shutil.rmtree(app.home.run(run.id).trial(trial.number).checkpoints, ignore_errors=True)


def _move_checkpoints(active: ActiveRun, number: int, earlier: int, trials: Sequence[Trial]) -> ProvidedCheckpoints:
    """Give trial ``number`` the checkpoints of trial ``earlier`` of the same run, if it may use them."""
    source, target = (active.folder.trial(trial).checkpoints for trial in (earlier, number))
    if not _find_checkpoints(source):
        return ProvidedCheckpoints()
    trial = next((trial for trial in trials if trial.number == earlier), None)
    if trial and trial.caught:
        return ProvidedCheckpoints(why=_TEST_SET_CHANGES)
    if trial and trial.accuracy and trial.accuracy.test_set is None:
        return ProvidedCheckpoints(why=f"the test set of trial {earlier} is not known")
    target.rmdir()
    source.rename(target)
    # If the trial was interrupted, its checkpoints build on those of the last measured trial before it.
    measured = [each.accuracy for each in trials if each.number <= earlier and each.accuracy is not None]
    return ProvidedCheckpoints(f"trial {earlier}", measured[-1].test_set if measured else None)


def _find_last_checkpoints(app: App, run: Run) -> tuple[Trial | None, list[Path]]:
    """Return the run's last trial with checkpoints, and its checkpoints; ``(None, [])`` if no trial has any.

    Trials of a search are left out.
    """
    # The hyperparameters of search trials differ from those of the pushed code.
    for trial in reversed([each for each in run.trials if each.strategy is not Strategy.SEARCH]):
        if files := _find_checkpoints(app.home.run(run.id).trial(trial.number).checkpoints):
            return trial, files
    return None, []


def _find_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, without following links that the training code may have put there."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.glob("*.npz") if path.is_file() and not path.is_symlink()]


def _read_same_script(active: ActiveRun, other_code: Path) -> Script | None:
    """Return the script at the same path in another run's code, or None if it is missing or cannot be read."""
    try:
        return read_script(other_code, active.script.committed_path)
    except RunFailed:
        return None


def _is_same_code(active: ActiveRun, other: Run) -> bool:
    """Return whether two runs have the same code, apart from the number of epochs."""
    code, other_code = active.folder.code, active.app.home.run(other.id).code
    if not other_code.is_dir():
        return False
    # Compare the sizes first, including those of links. Skip the files that may hold the number of epochs.
    sizes, other_sizes = (
        {
            name: status.st_size
            for name, status in list_files(folder).items()
            if affects_training(name) and name not in {active.script.committed_path, *active.script.files}
        }
        for folder in (code, other_code)
    )
    if sizes != other_sizes:
        return False
    script = _read_same_script(active, other_code)
    if script is None or (active.script.files != script.files and not differ_only_in_epochs(active.script, script)):
        return False
    for name in sizes:
        file, other_file = code / name, other_code / name
        if file.is_symlink() or other_file.is_symlink():
            is_same = file.is_symlink() and other_file.is_symlink() and file.readlink() == other_file.readlink()
        else:
            is_same = filecmp.cmp(file, other_file, shallow=False)
        if not is_same:
            return False
    return True
