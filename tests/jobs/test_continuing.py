"""Resuming from checkpoints: from trial to trial, after a kill, and from one run of a branch to the next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from epochal.folders import resource
from epochal.records import Run, State, StoppedBy, TrialState
from epochal.settings import child_environment
from tests.jobs.chain import drive, epochal, store_push, stored_run
from tests.recorder.climbing import CLIMBING, FIT, TEST
from tests.repositories import commit, make_repository
from tests.trials import accuracies

_HOLD = """
import os
class Hold(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4 and os.path.exists("{folder}/began"):
            open("{folder}/began", "w").close()
            open("{folder}/never").read()
hold = [Hold()]
"""


@pytest.mark.keras
def test_retrains_resume_and_stop_at_the_threshold(home: Path, tmp_path: Path) -> None:
    """A validation accuracy that is 0.05 above the test accuracy costs one more trial, not one per epoch.

    The suggested change sets the number of epochs trained. A later commit resumes if only the epochs in nn.py differ.
    """
    script = CLIMBING + FIT + TEST
    files = {"epochal.toml": "threshold = 0.6\n", "README.md": "One"}
    repository = make_repository(tmp_path / "digits", {"nn.py": script, **files})
    first = drive(home, store_push(home, repository))
    assert first.run.state is State.REACHED, first.printed
    assert [(trial.epochs_resumed, trial.epochs_trained) for trial in first.run.trials] == [
        (0, 20),
        (20, 10),
        (30, 3),
    ]
    assert [trial.hyperparameters["epochs"] for trial in first.run.trials] == [20, 30, 33]
    assert [trial.stopped_by for trial in first.run.trials] == [None, None, StoppedBy.THRESHOLD]
    assert [round(accuracy or 0, 2) for accuracy in accuracies(first.run)] == [0.35, 0.55, 0.61]
    assert first.run.trials[2].resumption == "resumed from epoch 30 of trial 2"
    assert "+epochs = 33\n" in (first.folder / "trials" / "3" / "change.diff").read_text()
    assert (
        "trial 3:       epochs = 33, 33 epochs, resumed from epoch 30 of trial 2, " in epochal(home, "show", "1").stdout
    )

    commit(repository, {"nn.py": script.replace("epochs = 20", "epochs = 36"), "README.md": "Two"}, "More epochs")
    (trial,) = drive(home, store_push(home, repository)).run.trials
    assert (trial.epochs_resumed, trial.epochs_trained, trial.resumption) == (
        33,
        3,
        "resumed from epoch 33 of run 1",
    )
    faster = script.replace("rate = 0.02", "rate = 0.03").replace("epochs = 20", "epochs = 40")
    commit(repository, {"nn.py": faster}, "Faster")
    (trial,) = drive(home, store_push(home, repository)).run.trials
    assert (trial.epochs_resumed, trial.epochs_trained, trial.resumption) == (0, 40, "")


@pytest.mark.keras
def test_killed_training_resumes_from_its_last_checkpoint(home: Path, tmp_path: Path) -> None:
    """After SIGKILL in the middle of an epoch, only the remaining epochs are trained."""
    for name in ("began", "never"):
        os.mkfifo(tmp_path / name)
    fit = FIT.replace("verbose=0", "verbose=0, callbacks=hold")
    script = CLIMBING.replace("rate = 0.02", "rate = 0.04") + _HOLD.format(folder=tmp_path) + fit + TEST
    repository = make_repository(tmp_path / "digits", {"nn.py": script, "epochal.toml": "threshold = 0.7\n"})
    run = store_push(home, repository)
    _kill_during_training(home, run, tmp_path / "began")
    result = drive(home, stored_run(home, run.id))
    interrupted, trial = result.run.trials
    assert (result.run.state, interrupted.state) == (State.REACHED, TrialState.FAILED)
    assert trial.epochs_resumed > 0
    assert trial.epochs_resumed + (trial.epochs_trained or 0) == 20
    assert trial.resumption == f"resumed from epoch {trial.epochs_resumed} of trial 1"
    assert trial.accuracy
    assert trial.accuracy.value == pytest.approx(0.75)


@pytest.mark.keras
def test_script_that_stops_itself_gets_no_more_epochs(home: Path, tmp_path: Path) -> None:
    """If a callback in nn.py stops the fit early, the run ends after its first trial, and the reason says why.

    With ``stop_at_threshold = false``, each retrain trains all of its epochs.
    """
    stopping = 'keras.callbacks.EarlyStopping("val_accuracy", mode="min", patience=2)'
    script = CLIMBING + FIT.replace("verbose=0", f"verbose=0, callbacks=[{stopping}]") + TEST
    repository = make_repository(tmp_path / "digits", {"nn.py": script})
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason, len(result.run.trials)) == (State.EXHAUSTED, "stops_itself", 1)
    assert "EarlyStopping on line " in result.run.explanation
    settings = "threshold = 0.7\n[retrain]\nstop_at_threshold = false\n"
    commit(repository, {"nn.py": CLIMBING + FIT + TEST, "epochal.toml": settings}, "Trains all")
    result = drive(home, store_push(home, repository))
    assert [trial.epochs for trial in result.run.trials] == [20, 30, 40]
    assert {trial.stopped_by for trial in result.run.trials} == {None}


def test_checkpoints_of_old_runs_are_removed(home: Path, tmp_path: Path) -> None:
    """Checkpoints are large, so only the three newest runs of a branch keep theirs. Symbolic links are not followed."""
    script = """
import os
folder = os.environ["EPOCHAL_CHECKPOINTS"]
print(sorted(os.listdir(folder)))
open(os.path.join(folder, "model1-fit1-epoch000001.npz"), "w").close()
os.symlink("/etc/passwd", os.path.join(folder, "model1-fit1-epoch000002.npz"))
epochs = 1
with open(os.path.join(os.environ["EPOCHAL_OUT"], "accuracy.json"), "w") as file:
    file.write('{"accuracy": 0.9, "samples": 360, "test_set": "the same"}')
"""
    repository = make_repository(tmp_path / "digits", {"nn.py": script})
    results = [drive(home, store_push(home, repository))]
    for epochs in (2, 3, 4):
        commit(repository, {"nn.py": script.replace("epochs = 1\n", f"epochs = {epochs}\n")}, f"{epochs} epochs")
        results.append(drive(home, store_push(home, repository)))
    logs = [(result.folder / "trials" / "1" / "train.log").read_text() for result in results]
    assert [log.splitlines()[0] for log in logs] == ["[]", *["['model1-fit1-epoch000001.npz']"] * 3]
    folders = [result.folder / "trials" / "1" / "checkpoints" for result in results]
    assert [folder.exists() for folder in folders] == [False, True, True, True]


def _kill_during_training(home: Path, run: Run, began: Path) -> None:
    """Run the pull job, start the train job, and kill it with SIGKILL in the middle of training."""
    variables = {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_RUNTIME": "process",
        "EPOCHAL_RUN": str(run.id),
        "EPOCHAL_PYTHON": sys.executable,
    }
    environment = child_environment(variables)
    scripts = resource("scripts")
    subprocess.run([scripts / "pull.sh"], env=environment, check=True, capture_output=True)
    job = subprocess.Popen([scripts / "train.sh"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    began.read_bytes()
    os.killpg(job.pid, 9)
    job.wait()
    began.unlink()
