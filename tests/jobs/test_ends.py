"""Cancelled, superseded, killed, disowned or without a database, at each step: state, mail and exit status agree.

Each job trains something that reaches its threshold: job train its first trial, the others their second one. The jobs run
in this process; what happens to them does so as soon as they have marked a step.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from epochal.app import App
from epochal.chains import embedded
from epochal.chains.embedded import EmbeddedChain
from epochal.chains.job_scripts import JobScripts, first_job, next_job
from epochal.folders import Home
from epochal.jobs import runner, signals
from epochal.jobs.runner import run_job
from epochal.jobs.signals import heartbeat
from epochal.records import Dispatch, Message, Run, State, Step, TrialState
from epochal.resources import resource
from epochal.settings import child_environment
from epochal.store import database, patience
from epochal.store.database import Database
from epochal.store.dispatches import keep_dispatch
from epochal.store.ends import end_owned_run, end_unowned_run, request_stop
from epochal.store.errors import CommitLost, DatabaseUnavailable
from epochal.store.outbox import message_of_run
from epochal.store.runs import beat_run, load_run
from epochal.store.timeline import mark_step
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
_EVERYWHERE = [(kind, step) for kind in _CODE for step in _STEPS]


def _made_ready(home: Path, tmp_path: Path, kind: str, script: str = "") -> Run:
    """Push code whose next job is the one that ``kind`` is about."""
    with (home / "server.toml").open("a") as settings:
        settings.write("[limits]\ntrials = 1\n")
    files: dict[str, str | bytes] = {"nn.py": script or _CODE[kind][0], "epochal.toml": _CODE[kind][1]}
    run = store_push(home, make_repository(tmp_path / "digits", files))
    for name in ("pull", "train")[: 1 if kind == "train" else 2]:
        _run(home, run, name)
    return stored_run(home, run.id)


def _run(home: Path, run: Run, name: str) -> int:
    return run_job(name, environment_of(home, EPOCHAL_RUN=str(run.id)))


def _drive(home: Path, run: Run) -> int:
    """Run the jobs that the run still needs; returns the last one's exit status."""
    name = first_job(stored_run(home, run.id)) or "retrain"  # one that has ended says so again
    status = 0
    while name:
        status = _run(home, run, name)
        name = next_job(name, status) or ""
    return status


def _notice(home: Path, run: Run) -> Message | None:
    app = App.open(environment_of(home))
    notice = message_of_run(app.database, run.id)
    app.database.close()
    return notice


def _assert_reached(home: Path, run: Run) -> None:
    notice = _notice(home, run)
    assert notice is not None
    assert b"Reached" in notice.content
    assert stored_run(home, run.id).state is State.REACHED


def _at(patch: pytest.MonkeyPatch, kind: str, step: str, act: Callable[[int], None]) -> None:
    """Call ``act`` with the run's number once the job of ``kind`` has marked ``step``."""
    wanted = (Step.start_of(_JOB[kind]), None) if step == "start" else (step, _TRIAL[kind])

    def marked(database: Database, run: int, found: Step, trial: int | None = None, at: datetime | None = None) -> None:
        mark_step(database, run, found, trial, at)
        if (found, trial) == wanted:
            act(run)

    replace_everywhere(patch, mark_step, marked)


def _ask(home: Path, state: State) -> Callable[[int], None]:
    def ask(run: int) -> None:
        app = App.open(environment_of(home))
        assert request_stop(app.database, run, state) is not None
        app.database.close()

    return ask


@pytest.mark.parametrize(("kind", "step"), _EVERYWHERE)
def test_a_cancelled_run_ends_cancelled(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    """By ``epochal cancel``, whose signal makes the job look; that its trial has reached the threshold changes nothing."""
    run = _made_ready(home, tmp_path, kind)
    ask = _ask(home, State.CANCELLED)

    def cancel(number: int) -> None:
        ask(number)
        os.kill(os.getpid(), signal.SIGTERM)

    _at(monkeypatch, kind, step, cancel)
    assert _run(home, run, _JOB[kind]) == 5
    assert (stored_run(home, run.id).state, _notice(home, run)) == (State.CANCELLED, None)


@pytest.mark.parametrize(("kind", "step"), _EVERYWHERE)
def test_a_superseded_build_ends_superseded(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    """In Jenkins there is no signal before the gateway's stop; a build that is not stopped ends with the state's status."""
    monkeypatch.setattr(runner, "_STOP_SECONDS", 0.0)
    run = _made_ready(home, tmp_path, kind)
    app = App.open(environment_of(home))
    keep_dispatch(app.database, Dispatch(run.id, _JOB[kind], 1, 0, datetime.now(UTC)))
    app.database.close()
    _at(monkeypatch, kind, step, _ask(home, State.SUPERSEDED))
    assert _run(home, run, _JOB[kind]) == 4
    assert (stored_run(home, run.id).state, _notice(home, run)) == (State.SUPERSEDED, None)


def test_a_pull_may_be_superseded(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it fetches."""
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": _EPOCHS}))

    def marked(
        database: Database, number: int, step: Step, trial: int | None = None, at: datetime | None = None
    ) -> None:
        mark_step(database, number, step, trial, at)
        if step is Step.PULL_STARTED:
            _ask(home, State.SUPERSEDED)(number)

    replace_everywhere(monkeypatch, mark_step, marked)
    assert _run(home, run, "pull") == 4
    assert stored_run(home, run.id).state is State.SUPERSEDED


def test_a_cancelled_search_stops_its_trial(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It notices at the next epoch, without a signal, and ends a training that would never end by itself."""
    monkeypatch.setattr(runner, "_STOP_SECONDS", 0.0)
    os.mkfifo(tmp_path / "never")
    line = '{"event": "epoch", "model": 1, "call": 1, "epoch": 1, "epochs": 9, "metrics": {}, "seconds": 0.1}'
    script = (
        "import os\nkernel = 'small'\nif kernel == 'large':\n"
        f"    print({line!r}, file=open(os.environ['EPOCHAL_OUT'] + '/metrics.jsonl', 'w'), flush=True)\n"
        f"    open({str(tmp_path / 'never')!r}).read()\nprint('Test accuracy: 0.1')\n"
    )
    run = _made_ready(home, tmp_path, "search", script)
    app = App.open(environment_of(home))
    keep_dispatch(app.database, Dispatch(run.id, "retrain", 1, 0, datetime.now(UTC)))
    app.database.close()
    _at(monkeypatch, "search", Step.TRAINING_STARTED, _ask(home, State.CANCELLED))
    assert _run(home, run, "retrain") == 5
    ended = stored_run(home, run.id)
    assert (ended.state, _notice(home, run)) == (State.CANCELLED, None)
    assert [trial.state for trial in ended.trials] == [TrialState.MEASURED, TrialState.FAILED]


_KILLED = """
import os, signal, sys
from epochal.jobs.runner import run_job
from epochal.settings import Environment
from epochal.jobs import active_run, finish, retrain, runner, train
from epochal.store.ends import end_owned_run
from epochal.store.timeline import mark_step

job, wanted, trial = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def marked(database, run, step, number=None, at=None):
    mark_step(database, run, step, number, at)
    if (step, str(number)) == (wanted, trial):
        die()

def ended(database, run, message):
    end_owned_run(database, run, message)
    die()

active_run.mark_step = runner.mark_step = marked
finish.end_owned_run = ended
run_job(job, Environment.read())
"""
"""A job that dies once it has marked a step, or stored the run's end."""


@pytest.mark.parametrize(("kind", "step"), [*_EVERYWHERE, *((kind, "end") for kind in _CODE)])
def test_a_killed_job_is_taken_up_again(home: Path, tmp_path: Path, kind: str, step: str) -> None:
    """After SIGKILL the same job, started again, ends the run as reached, with one mail."""
    run = _made_ready(home, tmp_path, kind)
    marked = (Step.start_of(_JOB[kind]).value, "None") if step == "start" else (step, str(_TRIAL[kind]))
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-c", _KILLED, _JOB[kind], *marked]
    killed = subprocess.run(command, env=child_environment(variables), stdout=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert stored_run(home, run.id).state.ended is (step == "end")
    assert _drive(home, run) == 0
    _assert_reached(home, run)


@pytest.mark.parametrize("state", [None, State.EXHAUSTED, State.CANCELLED])
@pytest.mark.parametrize("kind", _CODE)
def test_a_run_that_is_lost_is_left_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: State | None
) -> None:
    """Another process has claimed the run, or ended it: the job writes nothing, and its exit status is that of the state."""
    run = _made_ready(home, tmp_path, kind)

    def lose(number: int) -> None:
        with _connection(home) as connection:
            connection.execute("UPDATE runs SET owner = 'elsewhere/1/1'")
            if state:
                connection.execute("UPDATE runs SET state = ?", [state.value])

    _at(monkeypatch, kind, Step.VERDICT, lose)
    assert _run(home, run, _JOB[kind]) == {None: 0, State.EXHAUSTED: 3, State.CANCELLED: 5}[state]
    before = State.TRAINING if kind == "train" else State.RETRAINING
    assert (stored_run(home, run.id).state, _notice(home, run)) == (state or before, None)


def _connection(home: Path) -> sqlite3.Connection:
    path = make_url(Home(home).database_url()).database
    assert path
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite and jobs ask again after some milliseconds."""
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 5)
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def lock(home: Path) -> Iterator[Callable[..., None]]:
    """Lock the database's file for good, or until ``lock(None)``."""
    held: list[sqlite3.Connection] = []

    def lock(run: int | None) -> None:
        while held:
            held.pop().close()
        if run is not None:
            held.append(_connection(home))
            held[0].execute("BEGIN EXCLUSIVE")

    yield lock
    lock(None)


def _when_it_waits(patch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[str]:
    """Call ``act`` as soon as a job says that it waits for its database; returns the list of what jobs have said so."""
    said: list[str] = []

    def hear(line: str) -> None:
        if line.startswith("waiting up to 120 s: the database does not answer"):
            said.append(line)
            act()

    patch.setattr(runner, "log", hear)
    return said


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("step", [Step.TRAINING_STARTED, Step.VERDICT])
@pytest.mark.parametrize("kind", _CODE)
def test_a_job_waits_for_its_database(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None], kind: str, step: str
) -> None:
    """While it is locked nothing is lost; the run ends once it answers again."""
    run = _made_ready(home, tmp_path, kind)
    _at(monkeypatch, kind, step, lock)
    said = _when_it_waits(monkeypatch, lambda: lock(None))
    assert _run(home, run, _JOB[kind]) == 0
    assert said
    _assert_reached(home, run)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("kind", _CODE)
def test_a_job_does_not_wait_for_ever(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None], kind: str
) -> None:
    """It ends as our own fault (70), and the run waits to be taken up again."""
    run = _made_ready(home, tmp_path, kind)
    monkeypatch.setattr(runner, "DATABASE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        _at(patch, kind, Step.VERDICT, lock)
        with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
            _run(home, run, _JOB[kind])
    assert caught.value.exit_status == 70
    lock(None)
    assert (stored_run(home, run.id).state.ended, _notice(home, run)) == (False, None)
    assert _drive(home, run) == 0
    _assert_reached(home, run)


@pytest.mark.parametrize("kind", _CODE)
def test_an_end_may_be_stored_without_an_answer(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """If the database goes away during the commit, the job asks what was stored, and says the same."""
    run = _made_ready(home, tmp_path, kind)

    def lose(database: Database, ended: Run, notice: Message | None) -> None:
        end_owned_run(database, ended, notice)
        raise CommitLost

    replace_everywhere(monkeypatch, end_owned_run, lose)
    assert _run(home, run, _JOB[kind]) == 0
    _assert_reached(home, run)


@pytest.mark.usefixtures("_impatient")
def test_a_signal_ends_the_waiting(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None]
) -> None:
    """Whoever stops a job that waits for its database does not wait for two minutes."""
    run = _made_ready(home, tmp_path, "search")
    _at(monkeypatch, "search", Step.TRAINING_STARTED, lock)
    _when_it_waits(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert _run(home, run, "retrain") == 128 + signal.SIGTERM
    lock(None)
    assert stored_run(home, run.id).state is State.RETRAINING


@pytest.mark.usefixtures("_impatient")
def test_a_job_waits_for_its_server(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is stopped in the middle of a search: connections break, and new ones are refused until it is back."""
    with postgresql.postgresql() as url:
        (home / "server.toml").write_text(f'database = "{url}"\n')
        run = _made_ready(home, tmp_path, "search")
        _at(monkeypatch, "search", Step.TRAINING_STARTED, lambda number: postgresql.stop(url))
        said = _when_it_waits(monkeypatch, lambda: postgresql.start(url))
        assert _run(home, run, "retrain") == 0
        assert said
        _assert_reached(home, run)


@pytest.mark.usefixtures("_impatient")
def test_the_heartbeat_survives_an_outage(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[..., None]
) -> None:
    """A beat that fails is followed by others, so that nobody takes the owner for dead."""
    run = _made_ready(home, tmp_path, "train")
    monkeypatch.setattr(signals, "BEAT_SECONDS", 0.005)
    app = App.open(environment_of(home))
    failed, worked = threading.Event(), threading.Event()

    def heard(database: Database, number: int) -> None:
        try:
            beat_run(database, number)
        except DatabaseUnavailable:
            failed.set()
            raise
        if failed.is_set():
            worked.set()

    replace_everywhere(monkeypatch, beat_run, heard)
    lock(run.id)
    with heartbeat(app.database, run.id):
        assert failed.wait(30)
        lock(None)
        assert worked.wait(30)
    app.database.close()


class _NoResult(JobScripts):
    """Scripts that end with a fault of ours."""

    def run(self, app: str, run: Run, output: Any = None) -> int:
        return 70


def test_who_is_given_up_is_mailed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose jobs end three times without a result has failed, and a mail says so."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": _EPOCHS}))
    environment = environment_of(home)
    app = App.open(environment)
    given_up = threading.Event()

    def ended(database: Database, failed: Run, notice: Message | None) -> bool:
        try:
            return end_unowned_run(database, failed, notice)
        finally:
            given_up.set()

    replace_everywhere(monkeypatch, end_unowned_run, ended)
    chain = EmbeddedChain(app, _NoResult(environment, resource("scripts")), 1)
    chain.start()
    assert given_up.wait(60)
    chain.stop()
    notice = message_of_run(app.database, run.id)
    assert notice is not None
    assert b"failed" in notice.content
    assert load_run(app.database, run.id).state is State.FAILED
    app.database.close()
