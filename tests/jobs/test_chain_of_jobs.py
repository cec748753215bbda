"""The three job scripts, one after the other, on code that needs no framework: its accuracy follows from its epochs."""

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
from epochal.records import AccuracySource, Dispatch, State
from epochal.resources import resource
from epochal.store.dispatches import keep_dispatch
from epochal.store.ends import request_stop
from tests.jobs.chain import drive, environment_of, epochal, store_push, stored_run, train_commit
from tests.repositories import commit, git, make_repository
from tests.trials import accuracies

# Its accuracy is a fortieth of its epochs: 20 epochs are 0.5, 30 are 0.75, 40 are 1.
_LEARNS = "epochs = 20  # was 50\nprint(f'Test accuracy: {epochs / 40}')\nopen('model.keras', 'w').write('weights')\n"
_TOML = "threshold = 0.7\n"
# Best after 15 of its 40 epochs, with far more output than a short log holds, behind the last accuracy too.
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


def test_reached_at_once(home: Path, tmp_path: Path) -> None:
    """Code that reaches its threshold as pushed: status 0, no retrain, no change of nn.py."""
    ended = train_commit(home, tmp_path, {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    assert (ended.run.state, ended.status) == (State.REACHED, 0)
    assert list(ended.printed) == ["pull", "train"]
    assert [trial.accuracy and (trial.accuracy.value, trial.accuracy.source) for trial in ended.run.trials] == [
        (0.5, AccuracySource.OUTPUT)
    ]
    assert not (ended.folder / "trials/1/change.diff").exists()


def test_below_then_reached(home: Path, tmp_path: Path) -> None:
    """Below the threshold the epochs rise by ten in the trial's copy alone, and the diff of it is kept."""
    ended = train_commit(home, tmp_path, {"nn.py": _LEARNS, "epochal.toml": _TOML})
    assert (ended.run.state, ended.status) == (State.REACHED, 0)
    assert [trial.hyperparameters["epochs"] for trial in ended.run.trials] == [20, 30]
    assert accuracies(ended.run) == [0.5, 0.75]
    assert (ended.folder / "code/nn.py").read_text() == _LEARNS
    assert (ended.folder / "trials/2/code/nn.py").read_text() == _LEARNS.replace("epochs = 20", "epochs = 30")
    diff = (ended.folder / "trials/2/change.diff").read_text()
    assert "-epochs = 20  # was 50" in diff
    assert "+epochs = 30  # was 50" in diff
    assert (ended.folder / "trials/2/code/model.keras").read_text() == "weights"
    assert "verdict: 0.500 is below the threshold 0.70" in ended.printed["train"]
    assert "verdict: 0.750 reaches the threshold 0.70" in ended.printed["retrain"]


def test_dlcode_shows_the_last_pulled_code(home: Path, tmp_path: Path) -> None:
    """dlcode is made if missing and points at the newest commit's snapshot."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    drive(home, store_push(home, repository), EPOCHAL_THRESHOLD="0.5")
    commit(repository, {"nn.py": _LEARNS + "# second\n"}, "Second")
    drive(home, store_push(home, repository), EPOCHAL_THRESHOLD="0.5")
    (link,) = (path for path in (home / "dlcode").rglob("main") if path.is_symlink())
    assert (link / "nn.py").read_text().endswith("# second\n")
    assert link.resolve() == (home / "runs/2/code").resolve()


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside"])
def test_a_link_that_leaves_the_repository_fails_the_pull(home: Path, tmp_path: Path, target: str) -> None:
    """Fail such a commit before anything of it is kept, shown in dlcode or trained."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    (repository / "data").symlink_to(target)
    commit(repository, {}, "Link to the data")
    ended = drive(home, store_push(home, repository))
    assert (ended.run.state, ended.run.reason, ended.status) == (State.FAILED, Reason.UNSAFE_SYMLINK, 1)
    assert f"data is a symbolic link to {target}" in ended.run.explanation
    assert list(ended.printed) == ["pull"]
    assert [path for path in (home / "dlcode").rglob("*") if path.is_symlink()] == []
    assert not (ended.folder / "code").exists()
    assert list(ended.folder.glob(".code-*")) == []


def test_the_workspace_of_jenkins_is_used(home: Path, tmp_path: Path) -> None:
    """A checkout in WORKSPACE that has the commit is enough: nothing is fetched, and the run's number is left there."""
    workspace = make_repository(tmp_path / "workspace", {"nn.py": _LEARNS})
    variables = {
        "GIT_URL": str(tmp_path / "not-there"),
        "GIT_COMMIT": git(workspace, "rev-parse", "HEAD"),
        "EPOCHAL_BRANCH": "main",
        "WORKSPACE": str(workspace),
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_PYTHON": sys.executable,
    }
    for _ in range(2):  # the second time finds the same run
        command = [str(resource("scripts") / "pull.sh")]
        status = subprocess.run(command, env=variables | {"PATH": "/usr/bin:/bin"}, check=False).returncode
        assert status == 0
        assert (workspace / "epochal.properties").read_text() == "EPOCHAL_RUN=1\n"
    assert (home / "runs/1/code/nn.py").read_text() == _LEARNS


def _script(text: str, **more: str | bytes) -> dict[str, str | bytes]:
    return {"nn.py": text} | more


@pytest.mark.parametrize(
    ("files", "reason", "told"),
    [
        ({"readme.txt": "no script"}, Reason.NO_SCRIPT, "nn.py"),
        (_script("def x(:\n"), Reason.SYNTAX_ERROR, "line 1"),
        (_script("import nosuchmodule_at_all\n"), Reason.IMPORT_ERROR, "nosuchmodule_at_all"),
        (_script("print('Test accuracy: 0.99')\nraise SystemExit(4)\n"), Reason.SCRIPT_ERROR, "4"),
        (_script("print('Test accuracy: 0.99')\n1/0\n"), Reason.SCRIPT_ERROR, "ZeroDivisionError"),
        (_script("print('trained')\n"), Reason.NO_ACCURACY, "accuracy"),
        (_script("print('=== accuracy of 3 models ===')\n"), Reason.NO_ACCURACY, "accuracy"),
        (_script("print('Test accuracy: nan')\n"), Reason.ACCURACY_NOT_FINITE, "finite"),
        (_script("print('Test accuracy: 83.2')\n"), Reason.ACCURACY_OUT_OF_RANGE, "83.2"),
        (_script("import os\nos.kill(os.getpid(), 9)\n"), Reason.KILLED, "SIGKILL"),
        (_script("raise MemoryError\n"), Reason.OUT_OF_MEMORY, "memory"),
        (_script("# coding: rot13\n"), Reason.SYNTAX_ERROR, "rot13"),
        (_script(_LEARNS, **{"requirements.txt/numpy": "a folder"}), Reason.REFUSED_REQUIREMENT, "directory"),
        (_script(_LEARNS, **{"epochal.toml": "treshold = 1"}), Reason.BAD_SETTINGS, "treshold"),
        (_script(_LEARNS, **{"epochal.toml": "confidence = 0.95"}), Reason.NO_SAMPLES, "with Keras' evaluate()"),
        (
            _script(_LEARNS, **{"epochal.toml": "[search]\nepoch = { low = 1, high = 3 }"}),
            Reason.BAD_SETTINGS,
            "epochal.toml: search.epoch: nn.py assigns no literal to this name",
        ),
        (_script(_LEARNS, **{"requirements.txt": "-e ."}), Reason.REFUSED_REQUIREMENT, "line 1"),
        (
            _script("import urllib.request\nurllib.request.urlopen('http://no.such.host.invalid/')\n"),
            Reason.NO_NETWORK,
            "data",
        ),
    ],
)
def test_what_cannot_be_trained_fails_with_its_reason(
    home: Path, tmp_path: Path, files: dict[str, str | bytes], reason: Reason, told: str
) -> None:
    """Each bad input ends the run as failed, status 1, with a reason of its own in the row and in the last line."""
    ended = train_commit(home, tmp_path, files)
    assert (ended.run.state, ended.run.reason, ended.status) == (State.FAILED, reason, 1)
    last = ended.printed["train"].splitlines()[-2:]
    assert any(f"failed: {reason}: " in line for line in last), last
    assert told in ended.run.explanation + ended.run.detail
    assert "Traceback" not in ended.printed["train"] or "|" in ended.printed["train"]
    if reason in (Reason.IMPORT_ERROR, Reason.BAD_SETTINGS):
        assert ended.run.trials == ()  # proven before any training starts


def test_a_script_that_takes_too_long_is_timed_out(home: Path, tmp_path: Path) -> None:
    """The server's time limit stops the training."""
    (home / "server.toml").write_text("[limits]\nminutes = 0.02\n", encoding="utf-8")
    ended = train_commit(home, tmp_path, {"nn.py": "import time\ntime.sleep(600)\n"})
    assert (ended.run.reason, ended.status) == (Reason.TIMED_OUT, 1)


def test_an_accuracy_that_the_log_leaves_out_is_read(home: Path, tmp_path: Path) -> None:
    """The last line that states a test accuracy counts, also where train.log is cut for its length."""
    (home / "server.toml").write_text("[limits]\nlog_mb = 0.1\n", encoding="utf-8")
    ended = train_commit(home, tmp_path, {"nn.py": _OVERFITS, "epochal.toml": "threshold = 0.1\n"})
    log = (ended.folder / "trials/1/train.log").read_text()
    assert "Test accuracy: 0.5000" in log
    assert "Test accuracy: 0.1700" not in log
    assert [trial.accuracy and (trial.accuracy.value, trial.accuracy.source) for trial in ended.run.trials] == [
        (0.17, AccuracySource.OUTPUT)
    ]


def test_without_epochs_it_is_exhausted_at_once(home: Path, tmp_path: Path) -> None:
    """Code whose epochs cannot be found is trained once and not looped over."""
    ended = train_commit(home, tmp_path, {"nn.py": "print('Test accuracy: 0.5')\n"})
    assert (ended.run.state, ended.run.reason, ended.status) == (State.EXHAUSTED, Reason.NO_EPOCHS, 3)
    assert len(ended.run.trials) == 1


def test_the_budget_ends_it_with_the_best(home: Path, tmp_path: Path) -> None:
    """When the accuracy gets no better the run is exhausted, and the best trial is told."""
    script = "epochs = 20\nprint('Test accuracy:', {20: 0.5, 30: 0.6}.get(epochs, 0.55))\n"
    ended = train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": "[retrain]\npatience = 2\n"})
    assert (ended.run.state, ended.run.reason, ended.status) == (State.EXHAUSTED, Reason.NO_IMPROVEMENT, 3)
    assert accuracies(ended.run) == [0.5, 0.6, 0.55, 0.55]
    assert ended.run.best is not None
    assert ended.run.best.number == 2


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
            "json.dump(event, open(os.path.join(os.environ['EPOCHAL_OUT'], 'metrics.jsonl'), 'w'))\n",
            0.7,
        ),
    ],
)
def test_accuracy_is_read_as_it_is_told(home: Path, tmp_path: Path, script: str, accuracy: float) -> None:
    """Scientific notation, percent, two lines, a banner, the script's own file, and what scikit-learn measured."""
    ended = train_commit(home, tmp_path, {"nn.py": script}, EPOCHAL_THRESHOLD="0.99")
    assert accuracies(ended.run) == [accuracy]


@pytest.mark.parametrize(
    "script",
    [
        b"epochs=20\r\nprint('Test accuracy:', epochs / 40)\r\n",
        b"\xef\xbb\xbfepochs = 20\nprint('Test accuracy:', epochs / 40)\n",
        b"class Model:\n    def fit(self, epochs):\n        print('Test accuracy:', epochs / 40)\nModel().fit(epochs=20)\n",
    ],
)
def test_epochs_are_raised_however_they_are_written(home: Path, tmp_path: Path, script: bytes) -> None:
    """CRLF, a byte order mark, no spaces, a literal in fit(): only the number's characters change."""
    ended = train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": _TOML})
    assert ended.run.state is State.REACHED
    assert (ended.folder / "trials/2/code/nn.py").read_bytes() == script.replace(b"20", b"30")


def test_a_stopped_job_leaves_its_run_to_be_taken_up_again(home: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle of a training ends it, and the same script later trains and ends the run."""
    started, again = tmp_path / "started", tmp_path / "again"
    os.mkfifo(started)
    waits = f"import os, time\nif not os.path.exists({str(again)!r}):\n"
    waits += f"    open({str(started)!r}, 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
    repository = make_repository(tmp_path / "digits", {"nn.py": waits + _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    run = store_push(home, repository)
    environment = os.environ | {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-m", "epochal", "job"]
    assert subprocess.run([*command, "pull"], env=environment, check=False).returncode == 0
    process = subprocess.Popen([*command, "train"], env=environment)
    training = started.read_text()  # blocks until the training runs and has written to the pipe
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert not Path(f"/proc/{training}").exists()
    again.touch()
    ended = drive(home, stored_run(home, run.id))
    assert ended.run.state is State.REACHED
    assert [trial.reason for trial in ended.run.trials] == [Reason.INTERRUPTED, None]


def test_a_cancelled_run_ends_with_status_five(home: Path, tmp_path: Path) -> None:
    """A job that finds its run cancelled does nothing and says so by its exit status."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    run = store_push(home, repository)
    assert epochal(home, "cancel", str(run.id)).returncode == 0
    ended = drive(home, run)
    assert (ended.run.state, ended.status) == (State.CANCELLED, 5)


def test_metrics_lines_are_printed_as_they_come(home: Path, tmp_path: Path) -> None:
    """An epoch that metrics.jsonl tells of is a line of the job's output, without colours or carriage returns."""
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
        "import os\nwith open(os.environ['EPOCHAL_OUT'] + '/metrics.jsonl', 'w') as file:\n"
        f"    file.write({json.dumps(line) + chr(10)!r})\nprint('Test accuracy: 0.9')\n"
    )
    ended = train_commit(home, tmp_path, {"nn.py": script})
    assert "  epoch 1/2  accuracy 0.5  x???[31mverdict 1  0.1 s\n" in ended.printed["train"]
    assert "\r" not in ended.printed["train"]
    assert "\x1b" not in ended.printed["train"]
    assert ended.run.trials[0].epochs_trained == 1


@pytest.mark.parametrize("leave", ["os.mkfifo(name)", "os.symlink('/dev/zero', name)", "os.mkdir(name)"])
def test_what_is_no_ordinary_file_is_passed_over(home: Path, tmp_path: Path, leave: str) -> None:
    """A pipe, a link or a folder in the place of the recorder's files neither hangs the job nor is read."""
    script = (
        "import os\nfor file in ('metrics.jsonl', 'accuracy.json'):\n"
        f"    name = os.path.join(os.environ['EPOCHAL_OUT'], file)\n    {leave}\nprint('Test accuracy: 0.9')\n"
    )
    ended = train_commit(home, tmp_path, {"nn.py": script})
    assert ended.run.state is State.REACHED
    assert (accuracies(ended.run), ended.run.trials[0].epochs_trained) == ([0.9], None)


@pytest.mark.parametrize(
    "files",
    [
        _script("print('Test accuracy: 0.9')\nprint('one more line of output\\n' * 20_000)\n"),
        _script("big = 0x" + "f" * 5000 + "\nhuge = 1e999\nprint('Test accuracy: 0.9')\n"),
        _script(
            "import sys\nsys.path.insert(0, 'src')\nfrom model import f\nprint('Test accuracy:', f())\n",
            **{"src/model.py": "def f():\n    return 0.9\n"},
        ),
        _script(
            "from contextlib import suppress\nwith suppress(ImportError):\n    import no_such\nprint('Test accuracy: 0.9')\n"
        ),
        _script(
            "for name in (b'one\\xe9', b'two\\xe9', b'three\\xe9'):\n    open(name, 'wb').write(bytes(500_000))\n"
            "print('Test accuracy: 0.9')\n"
        ),
    ],
    ids=["much output", "big constants", "sys.path", "suppress", "file name"],
)
def test_what_is_odd_and_yet_right_is_trained(home: Path, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """Code that Python runs well is not refused, nor is its accuracy missed."""
    (home / "server.toml").write_text("[limits]\noutput_mb = 1.0\n", encoding="utf-8")
    ended = train_commit(home, tmp_path, files)
    assert (ended.run.state, accuracies(ended.run)) == (State.REACHED, [0.9])
    json.dumps(ended.run.trials[0].hyperparameters, allow_nan=False)


def test_a_superseded_build_waits_to_be_stopped(home: Path, tmp_path: Path) -> None:
    """In Jenkins the gateway stops the build of a superseded run, which then ends ABORTED: the script does not end it red."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    run = store_push(home, repository)
    app = App.open(environment_of(home))
    keep_dispatch(app.database, Dispatch(run.id, "pull", 1, 0, datetime.now(UTC)))
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
    assert any("the gateway stops this build" in line for line in iter(process.stdout.readline, ""))
    process.terminate()
    assert process.wait(timeout=10) == 128 + signal.SIGTERM
