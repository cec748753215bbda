"""The three job scripts in a row, with code that needs no framework and computes its accuracy from the epochs."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from epochal.app import App
from epochal.errors import Reason
from epochal.folders import resource
from epochal.records import AccuracySource, Dispatch, State
from epochal.store.dispatches import store_dispatch
from epochal.store.transitions import request_stop
from tests.jobs.chain import drive, environment_of, epochal, store_push, stored_run, train_commit
from tests.repositories import commit, git, make_repository
from tests.trials import accuracies

# The accuracy is epochs / 40: 20 epochs give 0.5, 30 give 0.75, 40 give 1.
_LEARNS = "epochs = 20  # was 50\nprint(f'Test accuracy: {epochs / 40}')\nopen('model.keras', 'w').write('weights')\n"
_TOML = "threshold = 0.7\n"
# Most accurate at epoch 15 of 40. It prints far more than a short log holds, even after the last accuracy.
_OVERFITS = """
epochs = 40
for epoch in range(epochs):
    print("Test accuracy: %.4f" % (0.95 - 0.02 * epoch if epoch > 15 else 0.5 + 0.03 * epoch))
    for _ in range(100):
        print("gradient norms", " ".join(str(number / 7) for number in range(12)))
print("Final result on the test set in the table above")
for _ in range(2000):
    print("prediction", " ".join(str(number / 7) for number in range(12)))
"""


def test_code_that_reaches_its_threshold_is_not_retrained(home: Path, tmp_path: Path) -> None:
    """The exit status is 0, the retrain job does not run, and nn.py is not changed."""
    result = train_commit(home, tmp_path, {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    assert (result.run.state, result.status) == (State.REACHED, 0)
    assert list(result.printed) == ["pull", "train"]
    assert [trial.accuracy and (trial.accuracy.value, trial.accuracy.source) for trial in result.run.trials] == [
        (0.5, AccuracySource.OUTPUT)
    ]
    assert not (result.folder / "trials/1/change.diff").exists()


def test_retrain_reaches_the_threshold_with_more_epochs(home: Path, tmp_path: Path) -> None:
    """Only the second trial's copy of nn.py gets ten more epochs, and the diff is kept."""
    result = train_commit(home, tmp_path, {"nn.py": _LEARNS, "epochal.toml": _TOML})
    assert (result.run.state, result.status) == (State.REACHED, 0)
    assert [trial.hyperparameters["epochs"] for trial in result.run.trials] == [20, 30]
    assert accuracies(result.run) == [0.5, 0.75]
    assert (result.folder / "code/nn.py").read_text() == _LEARNS
    assert (result.folder / "trials/2/code/nn.py").read_text() == _LEARNS.replace("epochs = 20", "epochs = 30")
    diff = (result.folder / "trials/2/change.diff").read_text()
    assert "-epochs = 20  # was 50" in diff
    assert "+epochs = 30  # was 50" in diff
    assert (result.folder / "trials/2/code/model.keras").read_text() == "weights"
    assert "verdict: 0.500 is below the threshold of 0.70" in result.printed["train"]
    assert "verdict: 0.750 reaches the threshold of 0.70" in result.printed["retrain"]
    command = f"git apply {result.folder}/trials/2/change.diff"
    assert result.printed["retrain"].splitlines()[-2:] == [
        "The threshold was reached with epochs = 30. To adopt this change in the repository, run:",
        f"  {command}",
    ]
    assert f"to adopt:      {command}\n" in epochal(home, "show", "1").stdout


def test_run_below_its_threshold_ends_with_reason_and_remedy(home: Path, tmp_path: Path) -> None:
    """The retrain job's last line of output gives both, as for a failed run."""
    result = train_commit(home, tmp_path, {"nn.py": _LEARNS, "epochal.toml": "[retrain]\nmax_trials = 1\n"})
    assert (result.run.state, result.status) == (State.EXHAUSTED, 3)
    assert result.printed["retrain"].splitlines()[-1] == (
        "run 1 ended below its threshold: max_trials: The run used all the trials that max_trials = 1 allows. "
        "Raise [retrain] max_trials, or change the model."
    )
    assert "to adopt:" not in epochal(home, "show", "1").stdout


def test_dlcode_points_at_the_newest_code(home: Path, tmp_path: Path) -> None:
    """The folder is created if it is missing. Its link for the branch points to the newest run's snapshot."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    drive(home, store_push(home, repository), EPOCHAL_THRESHOLD="0.5")
    commit(repository, {"nn.py": _LEARNS + "# second\n"}, "Second")
    drive(home, store_push(home, repository), EPOCHAL_THRESHOLD="0.5")
    (link,) = (path for path in (home / "dlcode").rglob("main") if path.is_symlink())
    assert (link / "nn.py").read_text().endswith("# second\n")
    assert link.resolve() == (home / "runs/2/code").resolve()


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside"])
def test_link_that_leaves_the_repository_fails_the_pull(home: Path, tmp_path: Path, target: str) -> None:
    """The run fails before any file of the commit is kept, linked in dlcode or trained."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    (repository / "data").symlink_to(target)
    commit(repository, {}, "Link to the data")
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason, result.status) == (State.FAILED, Reason.UNSAFE_SYMLINK, 1)
    assert f"data is a symbolic link to {target}" in result.run.explanation
    assert list(result.printed) == ["pull"]
    assert [path for path in (home / "dlcode").rglob("*") if path.is_symlink()] == []
    assert not (result.folder / "code").exists()
    assert list(result.folder.glob(".code-*")) == []


def test_checkout_in_the_workspace_is_used(home: Path, tmp_path: Path) -> None:
    """If WORKSPACE contains the commit, nothing is fetched. The run's number is written there for the next job."""
    workspace = make_repository(tmp_path / "workspace", {"nn.py": _LEARNS})
    variables = {
        "GIT_URL": str(tmp_path / "not-there"),
        "GIT_COMMIT": git(workspace, "rev-parse", "HEAD"),
        "EPOCHAL_BRANCH": "main",
        "WORKSPACE": str(workspace),
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_PYTHON": sys.executable,
    }
    for _ in range(2):  # the second time, the run already exists
        command = [str(resource("scripts") / "pull.sh")]
        status = subprocess.run(command, env=variables | {"PATH": "/usr/bin:/bin"}, check=False).returncode
        assert status == 0
        assert (workspace / "epochal.properties").read_text() == "EPOCHAL_RUN=1\n"
    assert (home / "runs/1/code/nn.py").read_text() == _LEARNS


def _make_files(text: str, **more: str | bytes) -> dict[str, str | bytes]:
    return {"nn.py": text} | more


_CELL = '{"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": "x = 1\\nimport nosuchmodule"}'
_IMPORTING_NOTEBOOK = f'{{"cells": [{_CELL}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}'


@pytest.mark.parametrize(
    ("files", "reason", "message"),
    [
        ({"readme.txt": "no script"}, Reason.NO_SCRIPT, "nn.py"),
        (_make_files("def x(:\n"), Reason.SYNTAX_ERROR, "line 1"),
        (_make_files("import nosuchmodule_at_all\n"), Reason.IMPORT_ERROR, "nosuchmodule_at_all"),
        ({"a.ipynb": _IMPORTING_NOTEBOOK}, Reason.IMPORT_ERROR, "a.ipynb cell 1 line 2: ModuleNotFoundError: "),
        (
            _make_files("raise SystemExit(4)\n"),
            Reason.SCRIPT_ERROR,
            "exit status 4",
        ),
        (_make_files("print('Test accuracy: 0.99')\n1/0\n"), Reason.SCRIPT_ERROR, "ZeroDivisionError"),
        (_make_files("print('trained')\n"), Reason.NO_ACCURACY, "Test accuracy: 0.83"),
        (_make_files("print('=== accuracy of 3 models ===')\n"), Reason.NO_ACCURACY, "Test accuracy: 0.83"),
        (_make_files("print('Test accuracy: nan')\n"), Reason.ACCURACY_NOT_FINITE, "finite"),
        (_make_files("print('Test accuracy: 832')\n"), Reason.ACCURACY_OUT_OF_RANGE, "832"),
        (_make_files("import os\nos.kill(os.getpid(), 9)\n"), Reason.KILLED, "SIGKILL"),
        (_make_files("raise MemoryError\n"), Reason.OUT_OF_MEMORY, "memory"),
        (_make_files("# coding: rot13\n"), Reason.SYNTAX_ERROR, "rot13"),
        (_make_files(_LEARNS, **{"requirements.txt/numpy": "a folder"}), Reason.REFUSED_REQUIREMENT, "directory"),
        (_make_files(_LEARNS, **{"epochal.toml": "treshold = 1"}), Reason.BAD_SETTINGS, "treshold"),
        (_make_files(_LEARNS, **{"epochal.toml": "confidence = 0.95"}), Reason.NO_SAMPLES, "with Keras' evaluate()"),
        (
            _make_files(_LEARNS, **{"epochal.toml": "[search]\nepoch = { low = 1, high = 3 }"}),
            Reason.BAD_SETTINGS,
            "epochal.toml: search.epoch: Neither nn.py nor the files that it reads set this name to a number",
        ),
        (_make_files(_LEARNS, **{"requirements.txt": "-e ."}), Reason.REFUSED_REQUIREMENT, "line 1"),
        (
            _make_files("import urllib.request\nurllib.request.urlopen('http://no.such.host.invalid/')\n"),
            Reason.NO_NETWORK,
            "data",
        ),
    ],
)
def test_untrainable_commit_fails_with_a_reason(
    home: Path, tmp_path: Path, files: dict[str, str | bytes], reason: Reason, message: str
) -> None:
    """The exit status is 1, and the reason is stored with the run and in the last lines of the output."""
    result = train_commit(home, tmp_path, files)
    assert (result.run.state, result.run.reason, result.status) == (State.FAILED, reason, 1)
    last = result.printed["train"].splitlines()[-2:]
    assert any(f"failed: {reason}: " in line for line in last), last
    assert message in result.run.explanation + result.run.detail
    tracebacks = [line for line in result.printed["train"].splitlines() if "Traceback" in line]
    assert [line for line in tracebacks if not line.startswith("  | ")] == []  # only nn.py's own, which is quoted
    if reason in (Reason.IMPORT_ERROR, Reason.BAD_SETTINGS):
        assert result.run.trials == ()  # found before any training starts


def test_training_is_stopped_at_the_time_limit(home: Path, tmp_path: Path) -> None:
    """The limit is ``limits.minutes`` in server.toml.

    The explanation gives it, says how far the training got, and names the exception of a process that had failed.
    """
    (home / "server.toml").write_text("[limits]\nminutes = 0.08\n", encoding="utf-8")
    script = "import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', '{}[1]'])\n"
    script += "for epoch in (1, 2):\n    print(f'epoch {epoch}/400', flush=True)\ntime.sleep(600)\n"
    result = train_commit(home, tmp_path, {"nn.py": script})
    assert (result.run.reason, result.status) == (Reason.TIMED_OUT, 1)
    assert "its time limit (0.08 min) after epoch 2 of 400. Train for fewer epochs" in result.run.explanation
    assert "A Python process that nn.py started has failed. KeyError: 1." in result.run.explanation


def test_accuracy_cut_from_the_log_is_read(home: Path, tmp_path: Path) -> None:
    """The last printed test accuracy counts, even if ``limits.log_mb`` cut it from train.log."""
    (home / "server.toml").write_text("[limits]\nlog_mb = 0.1\n", encoding="utf-8")
    result = train_commit(home, tmp_path, {"nn.py": _OVERFITS, "epochal.toml": "threshold = 0.1\n"})
    log = (result.folder / "trials/1/train.log").read_text()
    assert "Test accuracy: 0.5000" in log
    assert "Test accuracy: 0.1700" not in log
    assert [trial.accuracy and (trial.accuracy.value, trial.accuracy.source) for trial in result.run.trials] == [
        (0.17, AccuracySource.OUTPUT)
    ]


def test_script_without_epochs_is_trained_once(home: Path, tmp_path: Path) -> None:
    """The run is exhausted after its first trial, because it has no number of epochs to raise."""
    result = train_commit(home, tmp_path, {"nn.py": "print('Test accuracy: 0.5')\n"})
    assert (result.run.state, result.run.reason, result.status) == (State.EXHAUSTED, Reason.NO_EPOCHS, 3)
    assert len(result.run.trials) == 1


def test_run_without_improvement_is_exhausted(home: Path, tmp_path: Path) -> None:
    """After ``patience`` trials without a better accuracy, no more are started. The best trial is not the last one."""
    script = "epochs = 20\nprint('Test accuracy:', {20: 0.5, 30: 0.6}.get(epochs, 0.55))\n"
    result = train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": "[retrain]\npatience = 2\n"})
    assert (result.run.state, result.run.reason, result.status) == (State.EXHAUSTED, Reason.NO_IMPROVEMENT, 3)
    assert accuracies(result.run) == [0.5, 0.6, 0.55, 0.55]
    assert result.run.best is not None
    assert result.run.best.number == 2


@pytest.mark.parametrize(
    ("script", "accuracy"),
    [
        ("print('Test accuracy: 8.5e-05')\n", 8.5e-05),
        ("print('Test accuracy: 83.2%')\n", 0.832),
        ("print('Test accuracy: 0.3')\nprint('Test accuracy: 0.4')\n", 0.4),
        ("print('*** accuracy ***')\nprint('accuracy=0.41')\n", 0.41),
        (
            "import json, os\nprint('Test accuracy: 0.3')\n"
            "json.dump({'accuracy': 0.6}, open(os.path.join(os.environ['EPOCHAL_OUT'], 'accuracy.json'), 'w'))\n",
            0.6,
        ),
        (
            "import json, os\nevent = {'event': 'score', 'of': 'SVC', 'samples': 10, 'metrics': {'accuracy': 0.7}}\n"
            "open(os.path.join(os.environ['EPOCHAL_OUT'], 'metrics.jsonl'), 'a').write(json.dumps(event) + '\\n')\n",
            0.7,
        ),
    ],
)
def test_accuracy_is_read_however_it_is_reported(home: Path, tmp_path: Path, script: str, accuracy: float) -> None:
    """It may be printed in scientific notation, as a percentage, in the last of two lines, or below a banner.

    It may also be in an accuracy.json that the script writes, or in a score that the recorder took from scikit-learn.
    """
    result = train_commit(home, tmp_path, {"nn.py": script}, EPOCHAL_THRESHOLD="0.99")
    assert accuracies(result.run) == [accuracy]


@pytest.mark.parametrize(
    "script",
    [
        b"epochs=20\r\nprint('Test accuracy:', epochs / 40)\r\n",
        b"\xef\xbb\xbfepochs = 20\nprint('Test accuracy:', epochs / 40)\n",
        b"class Model:\n    def fit(self, epochs):\n        print('Test accuracy:', epochs / 40)\nModel().fit(epochs=20)\n",
    ],
)
def test_epochs_are_raised_however_they_are_written(home: Path, tmp_path: Path, script: bytes) -> None:
    """With CRLF, a byte order mark, no spaces, or a literal in fit(), only the digits change."""
    result = train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": _TOML})
    assert result.run.state is State.REACHED
    assert (result.folder / "trials/2/code/nn.py").read_bytes() == script.replace(b"20", b"30")


def test_run_of_a_stopped_job_is_resumed(home: Path, tmp_path: Path) -> None:
    """SIGTERM ends the job and its training process. When the job scripts run again, they complete the run."""
    started, again = tmp_path / "started", tmp_path / "again"
    os.mkfifo(started)
    waiting = f"import os, time\nif not os.path.exists({str(again)!r}):\n"
    waiting += f"    open({str(started)!r}, 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
    repository = make_repository(tmp_path / "digits", {"nn.py": waiting + _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    run = store_push(home, repository)
    environment = os.environ | {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-m", "epochal", "job"]
    assert subprocess.run([*command, "pull"], env=environment, check=False).returncode == 0
    process = subprocess.Popen([*command, "train"], env=environment)
    training = started.read_text()  # blocks until the training has written to the pipe
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert not Path(f"/proc/{training}").exists()
    again.touch()
    result = drive(home, stored_run(home, run.id))
    assert result.run.state is State.REACHED
    assert [trial.reason for trial in result.run.trials] == [Reason.INTERRUPTED, None]


def test_job_of_a_cancelled_run_exits_with_status_5(home: Path, tmp_path: Path) -> None:
    """If ``epochal cancel`` has ended the run before its first job starts, no job does anything."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    run = store_push(home, repository)
    assert epochal(home, "cancel", str(run.id)).returncode == 0
    cancelled = stored_run(home, run.id)
    result = drive(home, run)
    assert (result.run.state, result.status) == (State.CANCELLED, 5)
    for job in ("train", "retrain"):
        assert epochal(home, "job", job, EPOCHAL_RUN=str(run.id), EPOCHAL_RUNTIME="process").returncode == 5
    assert stored_run(home, run.id) == cancelled
    assert not (result.folder / "code").exists()


def test_epochs_in_metrics_are_printed(home: Path, tmp_path: Path) -> None:
    """Each epoch in metrics.jsonl is printed by the job, without control characters from the training code.

    The line is printed during training: the script in this test waits until it has been read.
    """
    printed = tmp_path / "printed"
    os.mkfifo(printed)
    line = {
        "event": "epoch",
        "model": 1,
        "call": 1,
        "epoch": 1,
        "epochs": 2,
        "metrics": {"accuracy": 0.5, "x\n\r\x1b[31mverdict": 1.0},
        "seconds": 0.1,
    }
    script = (
        f"import os\npipe = os.open({str(printed)!r}, os.O_RDWR)\n"
        "with open(os.environ['EPOCHAL_OUT'] + '/metrics.jsonl', 'w') as file:\n"
        f"    file.write({json.dumps(line) + chr(10)!r})\nos.read(pipe, 1)\nprint('Test accuracy: 0.9')\n"
    )
    (home / "server.toml").write_text("[limits]\nminutes = 1\n", encoding="utf-8")  # so that the wait ends
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": script}))
    environment = os.environ | {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-m", "epochal", "job"]
    subprocess.run([*command, "pull"], env=environment, check=True)
    process = subprocess.Popen([*command, "train"], env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    assert b"  epoch 1/2  accuracy 0.5  x???[31mverdict 1  0.1 s\n" in iter(process.stdout.readline, b"")
    pipe = os.open(printed, os.O_WRONLY | os.O_NONBLOCK)  # fails if the script is no longer waiting
    os.write(pipe, b"x")
    os.close(pipe)
    rest = process.stdout.read()
    assert process.wait() == 0
    assert b"\r" not in rest
    assert b"\x1b" not in rest
    assert stored_run(home, run.id).trials[0].epochs_trained == 1


@pytest.mark.parametrize("create", ["os.mkfifo(name)", "os.symlink('/dev/zero', name)", "os.mkdir(name)"])
def test_special_files_are_ignored(home: Path, tmp_path: Path, create: str) -> None:
    """A pipe, link or folder in place of one of the recorder's files neither blocks the job nor is read."""
    script = (
        "import os\nfor file in ('metrics.jsonl', 'accuracy.json'):\n"
        f"    name = os.path.join(os.environ['EPOCHAL_OUT'], file)\n    {create}\nprint('Test accuracy: 0.9')\n"
    )
    result = train_commit(home, tmp_path, {"nn.py": script})
    assert result.run.state is State.REACHED
    assert (accuracies(result.run), result.run.trials[0].epochs_trained) == ([0.9], None)


@pytest.mark.parametrize(
    "files",
    [
        _make_files("print('Test accuracy: 0.9')\nprint('one more line of output\\n' * 20_000)\n"),
        _make_files("big = 0x" + "f" * 5000 + "\nhuge = 1e999\nprint('Test accuracy: 0.9')\n"),
        _make_files(
            "import sys\nsys.path.insert(0, 'src')\nfrom model import f\nprint('Test accuracy:', f())\n",
            **{"src/model.py": "def f():\n    return 0.9\n"},
        ),
        _make_files(
            "from contextlib import suppress\nwith suppress(ImportError):\n    import no_such\nprint('Test accuracy: 0.9')\n"
        ),
        _make_files(
            "for name in (b'one\\xe9', b'two\\xe9', b'three\\xe9'):\n    open(name, 'wb').write(bytes(500_000))\n"
            "print('Test accuracy: 0.9')\n"
        ),
    ],
    ids=["much output", "big constants", "sys.path", "suppress", "file name"],
)
def test_unusual_but_valid_code_is_trained(home: Path, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """Code that Python can run is not refused, and its accuracy is found."""
    (home / "server.toml").write_text("[limits]\noutput_mb = 1.0\n", encoding="utf-8")
    result = train_commit(home, tmp_path, files)
    assert (result.run.state, accuracies(result.run)) == (State.REACHED, [0.9])
    json.dumps(result.run.trials[0].hyperparameters, allow_nan=False)


def test_superseded_build_waits_to_be_stopped(home: Path, tmp_path: Path) -> None:
    """The gateway aborts the Jenkins build of a superseded run. If the job ended first, the build would be red."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    run = store_push(home, repository)
    app = App.open(environment_of(home))
    store_dispatch(app.database, Dispatch(run.id, "pull", 1, 0, datetime.now(UTC)))
    request_stop(app.database, run.id, State.SUPERSEDED)
    app.database.close()
    variables = {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_RUN": str(run.id),
        "BUILD_URL": "http://jenkins.example/job/pull/1/",
    }
    command = [sys.executable, "-m", "epochal", "job", "pull"]
    process = subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("waiting for the gateway to stop this build" in line for line in iter(process.stdout.readline, ""))
    process.terminate()
    assert process.wait(timeout=10) == 128 + signal.SIGTERM
