"""What every runtime does when it runs a training script."""

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

from .conftest import TIMEOUT_SECONDS, Bench

RUNS_UNTIL_KILLED = """
    import os, time
    alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
    print("started", file=alive)
    time.sleep(1000)
"""
"""Writes a line when it starts, and runs until it is killed."""


def no_owner_lives(run: int, trial: int) -> bool:
    """Tell ``reap`` that every owner is dead."""
    return False


def test_successful_script(bench: Bench) -> None:
    """The log has stdout and stderr in order, and the files that the script saved are kept."""
    training = bench.make_training(
        """
        import os, sys
        from pathlib import Path
        print("to stdout")
        print("to stderr", file=sys.stderr)
        Path("model.keras").write_text("weights")
        Path(os.environ["EPOCHAL_OUT"], "accuracy.json").write_text("{}")
        """
    )
    outcome = bench.make_runtime().train(training)
    assert (outcome.exit_status, outcome.reason) == (0, None)
    assert 0 < outcome.seconds < TIMEOUT_SECONDS
    assert training.folder.log.read_text() == "to stdout\nto stderr\n"
    assert (training.folder.code / "model.keras").read_text() == "weights"
    assert training.folder.accuracy.exists()
    assert sorted(path.name for path in training.folder.path.iterdir()) == ["checkpoints", "code", "out", "train.log"]


def test_libraries_open_no_window_and_reach_no_server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admin's environment variable overrides a setting for all trials, but an API key does not reach them."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("COMET_API_KEY", "admin-key")
    names = ["MPLBACKEND", "NEPTUNE_MODE", "WANDB_MODE", "COMET_API_KEY", "COMET_START_ONLINE"]
    training = bench.make_training(f"import os; print(*(os.environ.get(name) for name in {names}))")
    bench.make_runtime().train(training)
    assert training.folder.log.read_text() == "Agg offline disabled offline false\n"


def test_failing_script_keeps_its_exit_status(bench: Bench) -> None:
    """The runtime adds no reason of its own."""
    training = bench.make_training("import sys; print('so far'); sys.exit(3)")
    outcome = bench.make_runtime().train(training)
    assert (outcome.exit_status, outcome.reason) == (3, None)
    assert training.folder.log.read_text() == "so far\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_script_has_a_reason(bench: Bench, number: signal.Signals) -> None:
    """The exit status is 128 plus the signal, as in a shell."""
    outcome = bench.make_runtime().train(bench.make_training(f"import os; os.kill(os.getpid(), {int(number)})"))
    assert (outcome.exit_status, outcome.reason) == (128 + number, Reason.KILLED)


def test_time_limit_ends_all_processes(bench: Bench) -> None:
    """The time limit also ends processes in another session, and those started with an empty environment."""
    alive = bench.make_signal()
    training = bench.make_training(
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
    outcome = bench.make_runtime(limits={"minutes": 4 / 60}).train(training)
    assert outcome.reason is Reason.TIMED_OUT
    assert 4 <= outcome.seconds < 20
    assert alive.wait() == b"started\n"
    assert alive.wait() == b""


def test_time_limit_of_many_weeks(bench: Bench) -> None:
    """A very long limit does not end the script at once, although poll(2) takes milliseconds as a C int."""
    minutes = (2**32 + 1) / 1000 / 60
    outcome = bench.make_runtime(limits={"minutes": minutes}).train(bench.make_training(""))
    assert (outcome.exit_status, outcome.reason) == (0, None)


def test_background_processes_end_with_the_script(bench: Bench) -> None:
    """Background processes neither delay the end of the training run nor outlive it."""
    alive = bench.make_signal()
    training = bench.make_training(
        """
        import os, subprocess, sys
        alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
        sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
        subprocess.Popen(sleep, pass_fds=[alive.fileno()], start_new_session=True)
        print("started", file=alive)
        """
    )
    assert bench.make_runtime().train(training).exit_status == 0
    assert alive.wait() == b"started\n"
    assert alive.wait() == b""


def test_out_of_memory(bench: Bench) -> None:
    """Memory is limited, and exceeding the limit has a reason of its own."""
    training = bench.make_training("hoard = []\nwhile True: hoard.append(b'x' * 1_000_000)")
    outcome = bench.make_runtime(limits={"memory_mb": 128, "tmp_mb": 16}).train(training)
    assert outcome.exit_status != 0
    assert outcome.reason is Reason.OUT_OF_MEMORY


def test_log_shows_output_while_the_training_runs(bench: Bench, follow_file: Callable[[Path], Iterator[str]]) -> None:
    """A line appears in train.log as soon as it is printed."""
    training = bench.make_training(
        """
        import os
        print("epoch 1")
        open(os.environ["EPOCHAL_OUT"] + "/go").read()
        print("epoch 2")
        """
    )
    go = training.folder.out / "go"
    os.mkfifo(go)
    running = bench.start(training, bench.make_runtime())
    lines = follow_file(training.folder.log)
    assert next(lines) == "epoch 1\n"
    assert running.thread.is_alive()
    go.write_text("")
    assert next(lines) == "epoch 2\n"
    assert running.wait().exit_status == 0


def test_long_log_keeps_its_beginning_and_end(bench: Bench) -> None:
    """train.log stays within its limit and says how many bytes are missing."""
    training = bench.make_training("for number in range(100_000): print('line', number)")
    assert bench.make_runtime(limits={"log_mb": 0.02}).train(training).exit_status == 0
    log = training.folder.log.read_text()
    assert len(log) <= 20_200
    assert log.startswith("line 0\nline 1\n")
    assert log.endswith("line 99998\nline 99999\n")
    printed = sum(len(f"line {number}\n") for number in range(100_000))
    left_out = int(log.partition("[epochal: ")[2].partition(" bytes left out")[0])
    kept = sum(len(f"{line}\n") for line in log.splitlines() if line.startswith("line "))
    assert kept + left_out == printed


def test_output_is_passed_on_while_the_training_runs(bench: Bench) -> None:
    """The callback gets each line as soon as it is printed, even the lines that the log leaves out."""
    training = bench.make_training(
        """
        import os
        print("epoch 1")
        open(os.environ["EPOCHAL_OUT"] + "/go").read()
        for number in range(20_000): print("line", number)
        """
    )
    os.mkfifo(training.folder.out / "go")
    pieces: Queue[bytes] = Queue()
    running = bench.start(replace(training, on_output=pieces.put), bench.make_runtime(limits={"log_mb": 0.02}))
    first = b""
    while not first.endswith(b"\n"):
        first += pieces.get(timeout=TIMEOUT_SECONDS)
    assert first == b"epoch 1\n"
    assert running.thread.is_alive()
    (training.folder.out / "go").write_text("")
    assert running.wait().exit_status == 0
    rest = b"".join(pieces.get() for _ in range(pieces.qsize()))
    assert rest.decode() == "".join(f"line {number}\n" for number in range(20_000))
    assert len(training.folder.log.read_bytes()) < 20_200


def test_failing_callback_does_not_stop_the_log(bench: Bench) -> None:
    """The script ends normally with a complete log, and then the callback's exception is raised."""

    def fail(output: bytes) -> None:
        raise RuntimeError("cannot listen")

    training = bench.make_training("for number in range(20_000): print('line', number)")
    with pytest.raises(RuntimeError, match="cannot listen"):
        bench.make_runtime().train(replace(training, on_output=fail))
    assert training.folder.log.read_text() == "".join(f"line {number}\n" for number in range(20_000))


def test_size_of_each_file_is_limited(bench: Bench) -> None:
    """If a file grows beyond the limit, writing to it fails while the script is running."""
    training = bench.make_training("open('model.keras', 'wb').write(b'x' * 3_000_000)")
    outcome = bench.make_runtime(limits={"output_mb": 1}).train(training)
    assert outcome.exit_status != 0
    assert "File too large" in training.folder.log.read_text()


def test_script_gets_its_checkpoints_and_the_accuracy_to_stop_at(bench: Bench) -> None:
    """The script can read and replace an earlier trial's checkpoint. The accuracy, if any, is passed exactly."""
    training = bench.make_training(
        """
        import os
        folder = os.environ["EPOCHAL_CHECKPOINTS"]
        print(open(folder + "/one").read(), os.environ["EPOCHAL_STOP_AT"])
        open(folder + "/new", "w").write("two")
        os.replace(folder + "/new", folder + "/one")
        """
    )
    (training.folder.checkpoints / "one").write_text("one")
    assert bench.make_runtime().train(replace(training, stop_at=0.8)).exit_status == 0
    assert training.folder.log.read_text() == "one 0.8\n"
    assert (training.folder.checkpoints / "one").read_text() == "two"
    unlimited = bench.make_training("import os; print(os.environ.get('EPOCHAL_STOP_AT'))", trial=2)
    bench.make_runtime().train(unlimited)
    assert unlimited.folder.log.read_text() == "None\n"


def test_output_over_the_limit_is_not_kept(bench: Bench) -> None:
    """The biggest files that the script wrote are deleted. Files of the commit, and those behind the verdict, stay."""
    training = bench.make_training(
        """
        import os
        open(os.environ["EPOCHAL_OUT"] + "/accuracy.json", "w").write('{"accuracy": 0.5}' + " " * 800_000)
        for name, size in {"big": 800_000, "small": 100_000, "middle": 500_000}.items():
            open(name, "wb").write(b"x" * size)
        """
    )
    (training.folder.code / "data.csv").write_bytes(b"x" * 900_000)
    assert bench.make_runtime(limits={"output_mb": 1}).train(training).exit_status == 0
    assert sorted(path.name for path in training.folder.code.iterdir()) == ["data.csv", "nn.py", "small"]
    assert training.folder.accuracy.exists()
    assert "code/big (0.8 MB) was not kept" in training.folder.log.read_text()


class Interrupted(Exception):
    """The exception that the signal handler raises, as on the command line."""


def test_exception_ends_the_training(bench: Bench) -> None:
    """If a signal handler raises an exception, no process or folder is left behind."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def interrupt_when_started() -> None:
        assert alive.wait() == b"started\n"
        os.kill(os.getpid(), signal.SIGUSR1)

    alive = bench.make_signal()
    training = bench.make_training(RUNS_UNTIL_KILLED)
    runtime = bench.make_runtime()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Thread(target=interrupt_when_started, daemon=True).start()
        with pytest.raises(Interrupted):
            runtime.train(training)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert alive.wait() == b""
    assert runtime.reap(no_owner_lives) == []
    assert not (training.folder.path / "scratch").exists()


def test_training_of_a_killed_job_is_reaped(bench: Bench) -> None:
    """After a job is killed with kill -9, reaping ends its script, unless the run has an owner that is still alive."""
    alive = bench.make_signal(run=7)
    training = bench.make_training(RUNS_UNTIL_KILLED, run=7)
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
    runtime = bench.make_runtime()
    assert runtime.reap(lambda run, trial: (run, trial) == (7, 1)) == []
    assert alive.is_held()
    assert runtime.reap(no_owner_lives) == [7]
    assert alive.wait() == b""
    assert runtime.reap(no_owner_lives) == []


def test_stopping_a_training_leaves_the_other_one(bench: Bench) -> None:
    """The stopped script ends at once. A trial that was stopped before it started ends as soon as it starts."""
    runtime = bench.make_runtime()
    stopped, other = (bench.make_training(RUNS_UNTIL_KILLED, run=run) for run in (1, 2))
    signals = [bench.make_signal(run=run) for run in (1, 2)]
    running = [bench.start(training, runtime) for training in (stopped, other)]
    for alive in signals:
        assert alive.wait() == b"started\n"
    stopped.stop.request(Reason.PRUNED)
    assert running[0].wait().exit_status == 137
    assert signals[0].wait() == b""
    assert signals[1].is_held()
    other.stop.request(Reason.PRUNED)
    assert running[1].wait().exit_status == 137
    early = bench.make_training(RUNS_UNTIL_KILLED, run=3)
    early.stop.request(Reason.OVERTAKEN)
    assert runtime.train(early).exit_status == 137


def test_two_trainings_run_at_once(bench: Bench) -> None:
    """Each training run has its own log."""
    runtime = bench.make_runtime()
    script = """
        import os
        alive = open(os.environ["EPOCHAL_OUT"] + "/alive", "w", buffering=1)
        print("started", file=alive)
        print(open(os.environ["EPOCHAL_OUT"] + "/go").read())
    """
    trainings = [bench.make_training(script, run=run) for run in (1, 2)]
    for training in trainings:
        os.mkfifo(training.folder.out / "go")
    signals = [bench.make_signal(run=training.run) for training in trainings]
    running = [bench.start(training, runtime) for training in trainings]
    for alive in signals:
        assert alive.wait() == b"started\n"
    for training in trainings:
        (training.folder.out / "go").write_text(f"run {training.run}")
    assert [training.wait().exit_status for training in running] == [0, 0]
    assert [training.folder.log.read_text() for training in trainings] == ["run 1\n", "run 2\n"]


def test_variables_of_the_job_are_hidden(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The job's variables may hold tokens. The script gets only the variables that it needs."""
    monkeypatch.setenv("EPOCHAL_GITHUB_TOKEN", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:hidden@proxy.invalid")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits.csv").write_text("1,2,3")
    training = bench.make_training(
        """
        import json, os
        print(json.dumps(dict(os.environ)))
        print(open(os.environ["EPOCHAL_DATA"] + "/digits.csv").read())
        """
    )
    bench.make_runtime(data=str(tmp_path / "data")).train(training)
    environment, data = training.folder.log.read_text().splitlines()
    assert "hidden" not in environment
    assert {"EPOCHAL_OUT", "EPOCHAL_DATA", "HOME", "LANG", "PATH", "PYTHONPATH"} <= json.loads(environment).keys()
    assert data == "1,2,3"


def test_missing_data_folder_is_reported(bench: Bench, tmp_path: Path) -> None:
    """The admin may have mistyped the path, so the error names it."""
    with pytest.raises(SettingsError, match="nowhere is not a folder"):
        bench.make_runtime(data=str(tmp_path / "nowhere")).train(bench.make_training(""))


def test_fetched_dataset_is_found_by_a_training(bench: Bench) -> None:
    """The dataset is where Keras and scikit-learn look for it."""
    runtime = bench.make_runtime()
    runtime.fetch_dataset(
        bench.image,
        "import os, pathlib\n"
        "for variable, name in [('KERAS_HOME', 'datasets/mnist.npz'), ('SCIKIT_LEARN_DATA', 'cal_housing.pkz')]:\n"
        "    path = pathlib.Path(os.environ[variable], name)\n"
        "    path.parent.mkdir(parents=True, exist_ok=True)\n"
        "    path.write_text(variable)\n",
        print,
    )
    training = bench.make_training(
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
