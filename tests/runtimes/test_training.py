"""What holds for a training in whichever runtime."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from epochal.errors import Reason, SettingsError

from .conftest import PATIENCE_SECONDS, Bench

HOLDS_ON = """
    import os, time
    alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
    print("started", file=alive)
    time.sleep(1000)
"""
"""Says that it lives, and goes on until it is killed."""


def nothing_lives(run: int, trial: int) -> bool:
    """For ``reap``: every owner is dead."""
    return False


def test_a_script_that_ends_well(bench: Bench) -> None:
    """The log has both outputs in order, the exit status is 0, what the script saved stays."""
    training = bench.training(
        """
        import os, sys
        from pathlib import Path
        print("to stdout")
        print("to stderr", file=sys.stderr)
        Path("model.keras").write_text("weights")
        Path(os.environ["EPOCHAL_OUT"], "accuracy.json").write_text("{}")
        """
    )
    outcome = bench.runtime().train(training)
    assert (outcome.exit_status, outcome.reason) == (0, None)
    assert 0 < outcome.seconds < PATIENCE_SECONDS
    assert training.folder.log.read_text() == "to stdout\nto stderr\n"
    assert (training.folder.code / "model.keras").read_text() == "weights"
    assert training.folder.accuracy.exists()
    assert sorted(path.name for path in training.folder.path.iterdir()) == ["checkpoints", "code", "out", "train.log"]


def test_a_script_that_fails(bench: Bench) -> None:
    """The exit status is the script's own, and the runtime adds no reason."""
    training = bench.training("import sys; print('so far'); sys.exit(3)")
    outcome = bench.runtime().train(training)
    assert (outcome.exit_status, outcome.reason) == (3, None)
    assert training.folder.log.read_text() == "so far\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_script_that_is_killed(bench: Bench, number: signal.Signals) -> None:
    """A signal from elsewhere is told as such, as a shell counts it."""
    outcome = bench.runtime().train(bench.training(f"import os; os.kill(os.getpid(), {int(number)})"))
    assert (outcome.exit_status, outcome.reason) == (128 + number, Reason.KILLED)


def test_the_time_limit_ends_the_whole_tree(bench: Bench) -> None:
    """Nothing that the script started outlives the limit: not in a session of its own, nor with no environment."""
    alive = bench.signal()
    training = bench.training(
        """
        import os, subprocess, sys, time
        alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
        sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
        subprocess.Popen(sleep, pass_fds=[alive.fileno()], env={})
        subprocess.Popen(sleep, pass_fds=[alive.fileno()], start_new_session=True)
        print("started", file=alive)
        time.sleep(1000)
        """
    )
    outcome = bench.runtime(limits={"minutes": 4 / 60}).train(training)
    assert outcome.reason is Reason.TIMED_OUT
    assert 4 <= outcome.seconds < 20
    assert alive.wait() == b"started\n"
    assert alive.wait() == b""


def test_what_a_script_leaves_running_is_ended_with_it(bench: Bench) -> None:
    """A background process holds up neither the end of the training nor outlives it."""
    alive = bench.signal()
    training = bench.training(
        """
        import os, subprocess, sys
        alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
        sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
        subprocess.Popen(sleep, pass_fds=[alive.fileno()], start_new_session=True)
        print("started", file=alive)
        """
    )
    assert bench.runtime().train(training).exit_status == 0
    assert alive.wait() == b"started\n"
    assert alive.wait() == b""


def test_out_of_memory(bench: Bench) -> None:
    """Memory is limited, and its want is told as the reason."""
    training = bench.training("hoard = []\nwhile True: hoard.append(b'x' * 1_000_000)")
    outcome = bench.runtime(limits={"memory_mb": 128, "tmp_mb": 16}).train(training)
    assert outcome.exit_status != 0
    assert outcome.reason is Reason.OUT_OF_MEMORY


def test_the_log_shows_output_while_the_training_runs(bench: Bench, followed: Callable[[Path], Iterator[str]]) -> None:
    """A line is in train.log as soon as it is printed, ahead of the training's end."""
    training = bench.training(
        """
        import os
        print("epoch 1")
        open(os.environ["EPOCHAL_OUT"] + "/go").read()
        print("epoch 2")
        """
    )
    go = training.folder.out / "go"
    os.mkfifo(go)
    running = bench.start(training, bench.runtime())
    lines = followed(training.folder.log)
    assert next(lines) == "epoch 1\n"
    assert running.thread.is_alive()
    go.write_text("")
    assert next(lines) == "epoch 2\n"
    assert running.outcome().exit_status == 0


def test_too_long_a_log_keeps_its_beginning_and_its_end(bench: Bench) -> None:
    """train.log stays within its limit, and says how much is missing."""
    training = bench.training("for number in range(100_000): print('line', number)")
    assert bench.runtime(limits={"log_mb": 0.02}).train(training).exit_status == 0
    log = training.folder.log.read_text()
    assert len(log) <= 20_200
    assert log.startswith("line 0\nline 1\n")
    assert log.endswith("line 99998\nline 99999\n")
    printed = sum(len(f"line {number}\n") for number in range(100_000))
    left_out = int(log.partition("[epochal: ")[2].partition(" bytes left out")[0])
    kept = sum(len(f"{line}\n") for line in log.splitlines() if line.startswith("line "))
    assert kept + left_out == printed


def test_output_is_handed_on_while_the_training_runs(bench: Bench) -> None:
    """A listener gets each line as soon as it is printed, and all of them, also those that the log leaves out."""
    training = bench.training(
        """
        import os
        print("epoch 1")
        open(os.environ["EPOCHAL_OUT"] + "/go").read()
        for number in range(20_000): print("line", number)
        """
    )
    os.mkfifo(training.folder.out / "go")
    pieces: Queue[bytes] = Queue()
    running = bench.start(replace(training, on_output=pieces.put), bench.runtime(limits={"log_mb": 0.02}))
    first = b""
    while not first.endswith(b"\n"):
        first += pieces.get(timeout=PATIENCE_SECONDS)
    assert first == b"epoch 1\n"
    assert running.thread.is_alive()
    (training.folder.out / "go").write_text("")
    assert running.outcome().exit_status == 0
    rest = b"".join(pieces.get() for _ in range(pieces.qsize()))
    assert rest.decode() == "".join(f"line {number}\n" for number in range(20_000))
    assert len(training.folder.log.read_bytes()) < 20_200


def test_a_listener_that_fails_does_not_stop_the_log(bench: Bench) -> None:
    """The training ends by itself, the log has all of it, and the failure is raised then."""

    def fail(output: bytes) -> None:
        raise RuntimeError("cannot listen")

    training = bench.training("for number in range(20_000): print('line', number)")
    with pytest.raises(RuntimeError, match="cannot listen"):
        bench.runtime().train(replace(training, on_output=fail))
    assert training.folder.log.read_text() == "".join(f"line {number}\n" for number in range(20_000))


def test_a_file_that_is_too_big_cannot_be_written(bench: Bench) -> None:
    """The limit holds for each file while the script runs."""
    training = bench.training("open('model.keras', 'wb').write(b'x' * 3_000_000)")
    outcome = bench.runtime(limits={"output_mb": 1}).train(training)
    assert outcome.exit_status != 0
    assert (training.folder.code / "model.keras").stat().st_size <= 1_000_000


def test_checkpoints_have_a_folder_of_their_own(bench: Bench) -> None:
    """What an earlier trial left there can be read, a new one takes its place, and where to stop is told exactly."""
    training = bench.training(
        """
        import os
        folder = os.environ["EPOCHAL_CHECKPOINTS"]
        print(open(folder + "/one").read(), os.environ["EPOCHAL_STOP_AT"])
        open(folder + "/new", "w").write("two")
        os.replace(folder + "/new", folder + "/one")
        """
    )
    (training.folder.checkpoints / "one").write_text("one")
    assert bench.runtime().train(replace(training, stop_at=0.8)).exit_status == 0
    assert training.folder.log.read_text() == "one 0.8\n"
    assert (training.folder.checkpoints / "one").read_text() == "two"
    unlimited = bench.training("import os; print(os.environ.get('EPOCHAL_STOP_AT'))", trial=2)
    bench.runtime().train(unlimited)
    assert unlimited.folder.log.read_text() == "None\n"


def test_too_much_output_is_not_kept(bench: Bench) -> None:
    """The biggest of the files that the script made go; what was there before does not count and stays."""
    training = bench.training(
        """
        for name, size in {"big": 800_000, "small": 100_000, "middle": 500_000}.items():
            open(name, "wb").write(b"x" * size)
        """
    )
    (training.folder.code / "data.csv").write_bytes(b"x" * 900_000)
    assert bench.runtime(limits={"output_mb": 1}).train(training).exit_status == 0
    assert sorted(path.name for path in training.folder.code.iterdir()) == ["data.csv", "middle", "nn.py", "small"]
    assert "code/big (0.8 MB) was not kept" in training.folder.log.read_text()


class Interrupted(Exception):
    """Raised by a signal handler, as the command line's does."""


def test_an_exception_leaves_nothing_behind(bench: Bench) -> None:
    """A signal handler's exception in the middle of a training ends the training at once."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def interrupt_when_started() -> None:
        assert alive.wait() == b"started\n"
        os.kill(os.getpid(), signal.SIGUSR1)

    alive = bench.signal()
    training = bench.training(HOLDS_ON)
    runtime = bench.runtime()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Thread(target=interrupt_when_started, daemon=True).start()
        with pytest.raises(Interrupted):
            runtime.train(training)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert alive.wait() == b""
    assert runtime.reap(nothing_lives) == []
    assert not (training.folder.path / "scratch").exists()


def test_what_a_killed_job_leaves_is_reaped(bench: Bench) -> None:
    """After a kill -9 of the job its training is ended by the next reap, if its run has no live owner."""
    alive = bench.signal(run=7)
    training = bench.training(HOLDS_ON, run=7)
    job = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from epochal.folders import TrialFolder\n"
            "from epochal.runtimes.runtime import Training; from epochal.runtimes.choice import choose_runtime\n"
            "from epochal.settings import ServerSettings\n"
            "name, home, host, folder, image = sys.argv[1:]\n"
            "runtime = choose_runtime(name, Path(home), ServerSettings(), host, print)\n"
            "runtime.train(Training(7, 1, TrialFolder(Path(folder)), image))\n",
            bench.name,
            str(bench.home),
            bench.docker_host,
            str(training.folder.path),
            training.image,
        ]
    )
    assert alive.wait() == b"started\n"
    job.kill()
    job.wait()
    runtime = bench.runtime()
    assert runtime.reap(lambda run, trial: (run, trial) == (7, 1)) == []
    assert alive.is_held()
    assert runtime.reap(nothing_lives) == [7]
    assert alive.wait() == b""
    assert runtime.reap(nothing_lives) == []


def test_one_of_two_trainings_is_stopped(bench: Bench) -> None:
    """What is asked to stop is ended at once with all that it started, the other one is left alone; what was asked
    before it began ends as soon as it begins."""
    runtime = bench.runtime()
    stopped, other = (bench.training(HOLDS_ON, run=run) for run in (1, 2))
    signals = [bench.signal(run=run) for run in (1, 2)]
    running = [bench.start(training, runtime) for training in (stopped, other)]
    for told in signals:
        assert told.wait() == b"started\n"
    stopped.stop.request(Reason.PRUNED)
    assert running[0].outcome().exit_status == 137
    assert signals[0].wait() == b""
    assert signals[1].is_held()
    other.stop.request(Reason.PRUNED)
    assert running[1].outcome().exit_status == 137
    early = bench.training(HOLDS_ON, run=3)
    early.stop.request(Reason.OVERTAKEN)
    assert runtime.train(early).exit_status == 137


def test_two_trainings_at_once(bench: Bench) -> None:
    """Two trainings run side by side, each with its own output."""
    runtime = bench.runtime()
    script = """
        import os
        alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
        print("started", file=alive)
        print(open(os.environ["EPOCHAL_OUT"] + "/go").read())
    """
    trainings = [bench.training(script, run=run) for run in (1, 2)]
    for training in trainings:
        os.mkfifo(training.folder.out / "go")
    signals = [bench.signal(run=training.run) for training in trainings]
    running = [bench.start(training, runtime) for training in trainings]
    for told in signals:
        assert told.wait() == b"started\n"
    for training in trainings:
        (training.folder.out / "go").write_text(f"run {training.run}")
    assert [training.outcome().exit_status for training in running] == [0, 0]
    assert [training.folder.log.read_text() for training in trainings] == ["run 1\n", "run 2\n"]


def test_the_environment_has_nothing_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The script sees what it needs, and no variable of the job's: a token among them would be the script's."""
    monkeypatch.setenv("EPOCHAL_GITHUB_TOKEN", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:hidden@proxy.invalid")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits.csv").write_text("1,2,3")
    training = bench.training(
        """
        import json, os
        print(json.dumps(dict(os.environ)))
        print(open(os.environ["EPOCHAL_DATA"] + "/digits.csv").read())
        """
    )
    bench.runtime(data=str(tmp_path / "data")).train(training)
    environment, data = training.folder.log.read_text().splitlines()
    assert "hidden" not in environment
    assert {"EPOCHAL_OUT", "EPOCHAL_DATA", "HOME", "LANG", "PATH", "PYTHONPATH"} <= json.loads(environment).keys()
    assert data == "1,2,3"


def test_a_data_folder_that_is_missing_is_told(bench: Bench, tmp_path: Path) -> None:
    """A misspelt data folder is the admin's mistake, told by its path."""
    with pytest.raises(SettingsError, match="nowhere is not a folder"):
        bench.runtime(data=str(tmp_path / "nowhere")).train(bench.training(""))


def test_a_fetched_dataset_is_there_when_training(bench: Bench) -> None:
    """What is fetched into the cache is found where Keras and scikit-learn look, by a later training."""
    runtime = bench.runtime()
    runtime.fetch_dataset(
        bench.image,
        "import os, pathlib\n"
        "for variable, name in [('KERAS_HOME', 'datasets/mnist.npz'), ('SCIKIT_LEARN_DATA', 'cal_housing.pkz')]:\n"
        "    path = pathlib.Path(os.environ[variable], name)\n"
        "    path.parent.mkdir(parents=True, exist_ok=True)\n"
        "    path.write_text(variable)\n",
        print,
    )
    training = bench.training(
        """
        import os
        from pathlib import Path
        print(Path("~/.keras/datasets/mnist.npz").expanduser().read_text())
        print(Path(os.environ["SCIKIT_LEARN_DATA"], "cal_housing.pkz").read_text())
        Path("~/.keras/datasets/unpacked").expanduser().mkdir()
        """
    )
    assert runtime.train(training).exit_status == 0
    assert training.folder.log.read_text() == "KERAS_HOME\nSCIKIT_LEARN_DATA\n"
