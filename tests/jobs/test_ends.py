"""If a job is interrupted at any step, the run's state, message and exit status still agree.

Jobs are cancelled, superseded or killed, or lose their run or their database. If left alone, each job would train a
trial that reaches the threshold: the first trial in the train job, the second in the others. Most jobs run in this
process and are interrupted as soon as they have stored a step.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from epochal.app import App
from epochal.chains import embedded
from epochal.chains.embedded import EmbeddedChain
from epochal.chains.job_scripts import JobScripts, first_job, next_job
from epochal.errors import Reason
from epochal.folders import Home, resource
from epochal.jobs import runner, signals
from epochal.jobs.runner import run_job
from epochal.jobs.search import workers
from epochal.jobs.signals import heartbeat
from epochal.records import Dispatch, Message, Run, State, Step, TrialState
from epochal.settings import child_environment
from epochal.store import database, retry
from epochal.store.database import Database
from epochal.store.dispatches import store_dispatch
from epochal.store.errors import CommitLost, DatabaseUnavailable
from epochal.store.outbox import message_of_run
from epochal.store.runs import load_run, record_heartbeat
from epochal.store.timeline import record_step
from epochal.store.transitions import end_owned_run, end_unowned_run, request_stop
from tests import postgresql
from tests.jobs.chain import environment_of, store_push, stored_run
from tests.repositories import make_repository
from tests.trials import replace_everywhere

_EPOCHS = "epochs = 20\nprint('Test accuracy:', epochs / 40)\n"
_KERNEL = "kernel = 'small'\nprint('Test accuracy:', 0.9 if kernel == 'large' else 0.1)\n"
_SEARCH = 'threshold = 0.8\n[search]\nkernel = { choices = ["small", "large"] }\n'
_CODE = {
    "train": (_EPOCHS, "threshold = 0.5\n"),
    "retrain": (_EPOCHS, "threshold = 0.7\n"),
    "search": (_KERNEL, _SEARCH),
}
_TRIAL = {"train": 1, "retrain": 2, "search": 2}
_JOB = {"train": "train", "retrain": "retrain", "search": "retrain"}
_STEPS = ("start", Step.TRAINING_STARTED, Step.TRAINING_ENDED, Step.VERDICT)
_CASES = [(kind, step) for kind in _CODE for step in _STEPS]


def _prepare_run(home: Path, tmp_path: Path, kind: str, script: str = "") -> Run:
    """Push the code for ``kind``, and run the jobs that come before the one to test."""
    with (home / "server.toml").open("a") as settings:
        settings.write("[limits]\ntrials = 1\n")
    files: dict[str, str | bytes] = {"nn.py": script or _CODE[kind][0], "epochal.toml": _CODE[kind][1]}
    run = store_push(home, make_repository(tmp_path / "digits", files))
    for name in ("pull", "train")[: 1 if kind == "train" else 2]:
        _run_job(home, run, name)
    return stored_run(home, run.id)


def _run_job(home: Path, run: Run, name: str) -> int:
    return run_job(name, environment_of(home, EPOCHAL_RUN=str(run.id)))


def _finish_run(home: Path, run: Run) -> int:
    """Run the jobs that the run still needs, at least one; return the last exit status."""
    name = first_job(stored_run(home, run.id)) or "retrain"  # for a run that has ended, any job returns its status
    status = 0
    while name:
        status = _run_job(home, run, name)
        name = next_job(name, status) or ""
    return status


def _load_message(home: Path, run: Run) -> Message | None:
    app = App.open(environment_of(home))
    message = message_of_run(app.database, run.id)
    app.database.close()
    return message


def _assert_reached(home: Path, run: Run) -> None:
    message = _load_message(home, run)
    assert message is not None
    assert b"Reached" in message.content
    assert stored_run(home, run.id).state is State.REACHED


def _act_at_step(patch: pytest.MonkeyPatch, kind: str, step: str, act: Callable[[int], None]) -> None:
    """Call ``act`` with the run's number once the job of ``kind`` has stored ``step``."""
    awaited = (Step.start_of(_JOB[kind]), None) if step == "start" else (step, _TRIAL[kind])

    def record_and_act(
        database: Database, run: int, recorded: Step, trial: int | None = None, at: datetime | None = None
    ) -> None:
        record_step(database, run, recorded, trial, at)
        if (recorded, trial) == awaited:
            act(run)

    replace_everywhere(patch, record_step, record_and_act)


def _make_stop_request(home: Path, state: State) -> Callable[[int], None]:
    """Return a function that asks for a run to end in ``state``."""

    def request(run: int) -> None:
        app = App.open(environment_of(home))
        assert request_stop(app.database, run, state) is not None
        app.database.close()

    return request


@pytest.mark.parametrize(("kind", "step"), _CASES)
def test_cancelled_run_ends_cancelled(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    """The request and signal of ``epochal cancel`` prevail, even if a trial has reached the threshold."""
    run = _prepare_run(home, tmp_path, kind)
    request = _make_stop_request(home, State.CANCELLED)

    def cancel(number: int) -> None:
        request(number)
        os.kill(os.getpid(), signal.SIGTERM)

    _act_at_step(monkeypatch, kind, step, cancel)
    assert _run_job(home, run, _JOB[kind]) == 5
    assert (stored_run(home, run.id).state, _load_message(home, run)) == (State.CANCELLED, None)


@pytest.mark.parametrize(("kind", "step"), _CASES)
def test_superseded_run_ends_superseded(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    """A Jenkins build gets no signal until the gateway aborts it.

    In this test, the gateway never does, so the job ends by itself.
    """
    monkeypatch.setattr(runner, "_STOP_SECONDS", 0.0)
    run = _prepare_run(home, tmp_path, kind)
    app = App.open(environment_of(home))
    store_dispatch(app.database, Dispatch(run.id, _JOB[kind], 1, 0, datetime.now(UTC)))
    app.database.close()
    _act_at_step(monkeypatch, kind, step, _make_stop_request(home, State.SUPERSEDED))
    assert _run_job(home, run, _JOB[kind]) == 4
    assert (stored_run(home, run.id).state, _load_message(home, run)) == (State.SUPERSEDED, None)


@pytest.mark.parametrize(("requested", "status"), [(State.CANCELLED, 5), (State.SUPERSEDED, 4)])
def test_request_prevails_over_a_failure(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requested: State, status: int
) -> None:
    """The request is stored after training has failed, just before the job ends the run as failed."""
    run = _prepare_run(home, tmp_path, "train", "raise SystemExit(1)\n")

    def request_and_end(database: Database, ended: Run, message: Message | None) -> None:
        if ended.state is State.FAILED:
            _make_stop_request(home, requested)(ended.id)
        end_owned_run(database, ended, message)

    replace_everywhere(monkeypatch, end_owned_run, request_and_end)
    assert _run_job(home, run, "train") == status
    assert (stored_run(home, run.id).state, _load_message(home, run)) == (requested, None)


def test_run_is_superseded_during_the_pull(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request comes after the pull job has started."""
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": _EPOCHS}))

    def record_and_supersede(
        database: Database, number: int, step: Step, trial: int | None = None, at: datetime | None = None
    ) -> None:
        record_step(database, number, step, trial, at)
        if step is Step.PULL_STARTED:
            _make_stop_request(home, State.SUPERSEDED)(number)

    replace_everywhere(monkeypatch, record_step, record_and_supersede)
    assert _run_job(home, run, "pull") == 4
    assert stored_run(home, run.id).state is State.SUPERSEDED


def test_cancelled_search_stops_its_trial(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search notices the request at the next epoch, without a signal, and stops a script that waits forever."""
    monkeypatch.setattr(runner, "_STOP_SECONDS", 0.0)
    os.mkfifo(tmp_path / "never")
    line = '{"event": "epoch", "model": 1, "call": 1, "epoch": 1, "epochs": 9, "metrics": {}, "seconds": 0.1}'
    script = (
        "import os\nkernel = 'small'\nif kernel == 'large':\n"
        f"    print({line!r}, file=open(os.environ['EPOCHAL_OUT'] + '/metrics.jsonl', 'w'), flush=True)\n"
        f"    open({str(tmp_path / 'never')!r}).read()\nprint('Test accuracy: 0.1')\n"
    )
    run = _prepare_run(home, tmp_path, "search", script)
    app = App.open(environment_of(home))
    store_dispatch(app.database, Dispatch(run.id, "retrain", 1, 0, datetime.now(UTC)))
    app.database.close()
    _act_at_step(monkeypatch, "search", Step.TRAINING_STARTED, _make_stop_request(home, State.CANCELLED))
    assert _run_job(home, run, "retrain") == 5
    ended = stored_run(home, run.id)
    assert (ended.state, _load_message(home, run)) == (State.CANCELLED, None)
    assert [trial.state for trial in ended.trials] == [TrialState.MEASURED, TrialState.FAILED]


def test_signal_stops_a_search_that_is_just_starting(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal arrives after the training threads have started, but before the search waits for them."""
    os.mkfifo(tmp_path / "never")
    script = f"kernel = 'small'\nif kernel == 'large':\n    open({str(tmp_path / 'never')!r}).read()\n"
    run = _prepare_run(home, tmp_path, "search", f"{script}print('Test accuracy: 0.1')\n")
    settings = (home / "server.toml").read_text()
    (home / "server.toml").write_text(f"{settings}minutes = 0.2\n")  # ends the training if the signal does not

    class InterruptedExecutor(ThreadPoolExecutor):
        def submit(self, *work: Any, **named: Any) -> Any:
            future = super().submit(*work, **named)
            os.kill(os.getpid(), signal.SIGTERM)
            return future

    monkeypatch.setattr(workers, "ThreadPoolExecutor", InterruptedExecutor)
    assert _run_job(home, run, "retrain") == 128 + signal.SIGTERM
    stopped = stored_run(home, run.id)
    assert stopped.state is State.RETRAINING
    assert Reason.TIMED_OUT not in [trial.reason for trial in stopped.trials]


_SELF_KILLING_JOB = """
import os, signal, sys
from epochal.jobs.runner import run_job
from epochal.settings import Environment
from epochal.jobs import active_run, finish, retrain, runner, train
from epochal.store.transitions import end_owned_run
from epochal.store.timeline import record_step

job, fatal_step, fatal_trial = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def record_and_die(database, run, step, trial=None, at=None):
    record_step(database, run, step, trial, at)
    if (step, str(trial)) == (fatal_step, fatal_trial):
        die()

def end_and_die(database, run, message):
    end_owned_run(database, run, message)
    die()

active_run.record_step = runner.record_step = record_and_die
finish.end_owned_run = end_and_die
run_job(job, Environment.read())
"""
"""Runs a job that kills itself once it has stored the given step, or the end of the run."""


@pytest.mark.parametrize(("kind", "step"), [*_CASES, *((kind, "end") for kind in _CODE)])
def test_run_of_a_killed_job_is_resumed(home: Path, tmp_path: Path, kind: str, step: str) -> None:
    """After SIGKILL, the same job is started again and ends the run as reached, with a message."""
    run = _prepare_run(home, tmp_path, kind)
    fatal_step = (Step.start_of(_JOB[kind]).value, "None") if step == "start" else (step, str(_TRIAL[kind]))
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-c", _SELF_KILLING_JOB, _JOB[kind], *fatal_step]
    killed = subprocess.run(command, env=child_environment(variables), stdout=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert stored_run(home, run.id).state.ended is (step == "end")
    assert _finish_run(home, run) == 0
    _assert_reached(home, run)


@pytest.mark.parametrize("state", [None, State.EXHAUSTED, State.CANCELLED])
@pytest.mark.parametrize("kind", _CODE)
def test_job_that_lost_its_run_changes_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: State | None
) -> None:
    """Another process has claimed or ended the run. The job stores nothing and exits with the run's status."""
    run = _prepare_run(home, tmp_path, kind)

    def lose(number: int) -> None:
        with _connect(home) as connection:
            connection.execute("UPDATE runs SET owner = 'elsewhere/1/1'")
            if state:
                connection.execute("UPDATE runs SET state = ?", [state.value])

    _act_at_step(monkeypatch, kind, Step.VERDICT, lose)
    assert _run_job(home, run, _JOB[kind]) == {None: 0, State.EXHAUSTED: 3, State.CANCELLED: 5}[state]
    before = State.TRAINING if kind == "train" else State.RETRAINING
    assert (stored_run(home, run.id).state, _load_message(home, run)) == (state or before, None)


def _connect(home: Path) -> sqlite3.Connection:
    path = make_url(Home(home).database_url()).database
    assert path
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SQLite and the jobs try again after a few milliseconds."""
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 5)
    monkeypatch.setattr(retry, "FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def lock(home: Path) -> Iterator[Callable[..., None]]:
    """Yield a function that locks the database file until ``lock(None)`` or the end of the test."""
    connections: list[sqlite3.Connection] = []

    def lock(run: int | None) -> None:
        while connections:
            connections.pop().close()
        if run is not None:
            connections.append(_connect(home))
            connections[0].execute("BEGIN EXCLUSIVE")

    yield lock
    lock(None)


def _act_during_wait(patch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[str]:
    """Call ``act`` whenever a job logs that it is waiting for its database; return the list of these lines."""
    waits: list[str] = []

    def handle_log_line(line: str) -> None:
        if line.startswith("waiting up to 120 s because the database does not answer"):
            waits.append(line)
            act()

    patch.setattr(runner, "log", handle_log_line)
    return waits


@pytest.mark.usefixtures("_short_pauses")
@pytest.mark.parametrize("step", [Step.TRAINING_STARTED, Step.VERDICT])
@pytest.mark.parametrize("kind", _CODE)
def test_job_waits_for_a_locked_database(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None], kind: str, step: str
) -> None:
    """Nothing is lost, and the run ends once the database answers again."""
    run = _prepare_run(home, tmp_path, kind)
    _act_at_step(monkeypatch, kind, step, lock)
    waits = _act_during_wait(monkeypatch, lambda: lock(None))
    assert _run_job(home, run, _JOB[kind]) == 0
    assert waits
    _assert_reached(home, run)


@pytest.mark.usefixtures("_short_pauses")
@pytest.mark.parametrize("kind", _CODE)
def test_job_does_not_wait_for_the_database_forever(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None], kind: str
) -> None:
    """The job exits with status 70, as for an internal error, and the run can be resumed."""
    run = _prepare_run(home, tmp_path, kind)
    monkeypatch.setattr(runner, "DATABASE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        _act_at_step(patch, kind, Step.VERDICT, lock)
        with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
            _run_job(home, run, _JOB[kind])
    assert caught.value.exit_status == 70
    lock(None)
    assert (stored_run(home, run.id).state.ended, _load_message(home, run)) == (False, None)
    assert _finish_run(home, run) == 0
    _assert_reached(home, run)


@pytest.mark.parametrize("kind", _CODE)
def test_end_stored_by_a_lost_commit_counts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """If the connection is lost during the commit, the job looks up the stored state and exits with its status."""
    run = _prepare_run(home, tmp_path, kind)

    def end_and_lose_commit(database: Database, ended: Run, message: Message | None) -> None:
        end_owned_run(database, ended, message)
        raise CommitLost

    replace_everywhere(monkeypatch, end_owned_run, end_and_lose_commit)
    assert _run_job(home, run, _JOB[kind]) == 0
    _assert_reached(home, run)


@pytest.mark.usefixtures("_short_pauses")
def test_signal_ends_the_wait_for_the_database(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None]
) -> None:
    """A job that receives a signal does not wait out the two minutes before it ends."""
    run = _prepare_run(home, tmp_path, "search")
    _act_at_step(monkeypatch, "search", Step.TRAINING_STARTED, lock)
    _act_during_wait(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert _run_job(home, run, "retrain") == 128 + signal.SIGTERM
    lock(None)
    assert stored_run(home, run.id).state is State.RETRAINING


@pytest.mark.usefixtures("_short_pauses")
def test_job_waits_for_a_stopped_database_server(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While PostgreSQL is stopped, connections break and new ones are refused."""
    with postgresql.postgresql() as url:
        (home / "server.toml").write_text(f'database = "{url}"\n')
        run = _prepare_run(home, tmp_path, "search")
        _act_at_step(monkeypatch, "search", Step.TRAINING_STARTED, lambda number: postgresql.stop(url))
        waits = _act_during_wait(monkeypatch, lambda: postgresql.start(url))
        assert _run_job(home, run, "retrain") == 0
        assert waits
        _assert_reached(home, run)


@pytest.mark.usefixtures("_short_pauses")
def test_heartbeat_survives_an_outage(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None]
) -> None:
    """A failed heartbeat is followed by others, so that no other process considers the owner dead."""
    run = _prepare_run(home, tmp_path, "train")
    monkeypatch.setattr(signals, "HEARTBEAT_SECONDS", 0.005)
    app = App.open(environment_of(home))
    failed, recovered = threading.Event(), threading.Event()

    def record_and_signal(database: Database, number: int) -> None:
        try:
            record_heartbeat(database, number)
        except DatabaseUnavailable:
            failed.set()
            raise
        if failed.is_set():
            recovered.set()

    replace_everywhere(monkeypatch, record_heartbeat, record_and_signal)
    lock(run.id)
    with heartbeat(app.database, run.id):
        assert failed.wait(30)
        lock(None)
        assert recovered.wait(30)
    app.database.close()


def test_search_without_optuna_fails_the_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails before anything is trained, and the explanation says what the admin has to install."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    run = _prepare_run(home, tmp_path, "search")
    assert (run.state, run.reason, run.trials) == (State.FAILED, Reason.BAD_SETTINGS, ())
    assert "epochal[search]" in run.explanation
    assert _load_message(home, run) is not None


class _FailingScripts(JobScripts):
    """Job scripts that exit with the status of an internal error."""

    def run(self, job: str, run: Run, output: Any = None) -> int:
        return 70


def test_run_whose_jobs_keep_failing_is_reported(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain gives up on the run, which ends as failed, and the message says so."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": _EPOCHS}))
    environment = environment_of(home)
    app = App.open(environment)
    given_up = threading.Event()

    def end_and_signal(database: Database, failed: Run, message: Message | None) -> bool:
        try:
            return end_unowned_run(database, failed, message)
        finally:
            given_up.set()

    replace_everywhere(monkeypatch, end_unowned_run, end_and_signal)
    chain = EmbeddedChain(app, _FailingScripts(environment, resource("scripts")), 1)
    chain.start()
    assert given_up.wait(60)
    chain.stop()
    message = message_of_run(app.database, run.id)
    assert message is not None
    assert b"failed" in message.content
    assert load_run(app.database, run.id).state is State.FAILED
    app.database.close()
