"""The database: the runs' own table is the queue."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError

import epochal.store
from epochal.errors import EpochalError, Reason, RunFailed, SettingsError, UsageError
from epochal.records import (
    AccuracySource,
    Commit,
    Evidence,
    Forecast,
    Judgement,
    Message,
    MessageState,
    Moment,
    Origin,
    Run,
    State,
    Step,
    StoppedBy,
    Trial,
    TrialState,
    Verdict,
)
from epochal.results.known_rows import share_seen
from epochal.store.database import Database
from epochal.store.deliveries import accept_commit, deliveries_of_run, ignore_delivery, list_deliveries
from epochal.store.ends import change_run, end_owned_run, end_unowned_run, request_stop, requested_stop
from epochal.store.errors import Busy, CommitLost, NothingReached, NotOwner, StopRequested
from epochal.store.looks import looks_before, store_judgement
from epochal.store.outbox import message_of_run, retry_messages, settle_message, take_message
from epochal.store.patience import Patience
from epochal.store.runs import claim_run, list_runs, load_run, next_run, owner_of_run, release_run
from epochal.store.schema import HEAD, VERSION_TABLE, metadata
from epochal.store.timeline import mark_step, marked_moments
from epochal.store.trials import (
    add_search_trial,
    add_trial,
    end_trial,
    has_live_trainer,
    mark_interrupted,
    other_trainers,
)
from tests.trials import measured


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a new database."""
    return f"sqlite:///{tmp_path / 'epochal.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database of its own."""
    database = Database(url)
    yield database
    database.close()


def _commit(letter: str, branch: str = "main") -> Commit:
    return Commit("/srv/digits.git", branch, letter * 40)


def _push(database: Database, letter: str, *, branch: str = "main", supersede: str = "queued") -> int:
    return accept_commit(
        database, _commit(letter, branch), Origin.PUSH, delivery=(f"id-{letter}", "push"), supersede=supersede
    ).run


def _claimed(database: Database, letter: str, branch: str = "main") -> int:
    """Push a commit and make this process the owner of its run."""
    run = _push(database, letter, branch=branch)
    claim_run(database, run, [State.QUEUED])
    return run


def _train(database: Database, run: int, verdict: Verdict) -> Trial:
    """Give the run a trial with this verdict."""
    trial = Trial(add_trial(database, run, {}), TrialState.MEASURED, {}, accuracy=measured(0.8))
    end_trial(database, run, trial)
    store_judgement(database, load_run(database, run), trial, lambda earlier: Judgement(verdict))
    return trial


def _reached(database: Database, letter: str) -> int:
    """Push a commit whose run this process owns, with a trial that reached its threshold."""
    run = _claimed(database, letter)
    _train(database, run, Verdict.REACHED)
    return run


def _ended(database: Database, run: int, state: State) -> Run:
    return replace(load_run(database, run), state=state, ended=datetime.now(UTC))


def _notice(run: int) -> Message:
    return Message(run, "<1@example.com>", "a@example.com", ("b@example.com",), b"Subject: x\r\n\r\n")


def _claimed_elsewhere(url: str, run: int) -> "subprocess.Popen[str]":
    """Start a process that owns the run and trains a trial of it until its standard input is closed."""
    script = (
        "import sys; from epochal.store.database import Database; from epochal.store.runs import claim_run; "
        "from epochal.store.trials import add_trial; from epochal.records import State\n"
        f"database = Database({url!r}); claim_run(database, {run}, [State.QUEUED]); add_trial(database, {run}, {{}})\n"
        "print('claimed', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "claimed\n"
    return process


def test_migrations_lead_to_the_schema(database: Database, url: str) -> None:
    """What Alembic makes of an empty database has the tables, columns and indexes that the schema says."""
    engine = create_engine(url)
    found = inspect(engine)
    for table in metadata.tables.values():
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
        assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes}
    configuration = Config()
    folder = Path(epochal.store.__file__).parent / "migrations"
    configuration.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(configuration).get_heads() == [HEAD]
    assert VERSION_TABLE in found.get_table_names()


def test_a_newer_database_is_left_alone(url: str) -> None:
    """A database that a newer Epochal wrote is refused, not changed."""
    Database(url).close()
    with create_engine(url).begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(EpochalError, match="written by a newer one"):
        Database(url)


def test_a_url_that_is_none_is_named() -> None:
    """A database URL that SQLAlchemy cannot open is a settings error."""
    with pytest.raises(SettingsError, match="database"):
        Database("no-such-database://x")


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder in its place is a settings error."""
    with pytest.raises(SettingsError, match=r"^database: sqlite:///.* cannot be opened: .*unable to open"):
        Database(f"sqlite:///{tmp_path}")


def test_sqlite_lets_readers_work_beside_a_writer(database: Database, url: str) -> None:
    """Its write-ahead log does, which stays with the file (sqlite.org/wal.html)."""
    with create_engine(url).connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_delivery_starts_one_run_however_often_it_comes(database: Database) -> None:
    """The same delivery, and another trigger for the same commit, lead to the run that is there."""
    first = accept_commit(database, _commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    again = accept_commit(database, _commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    polled = accept_commit(database, _commit("a"), Origin.PUSH, supersede="queued")
    assert (first.new, again.new, polled.new) == (True, False, False)
    assert first.run == again.run == polled.run
    assert accept_commit(database, _commit("a"), Origin.PERSON, supersede="queued").new


def test_every_mark_is_kept(database: Database) -> None:
    """What a run came to twice is there twice, in order; a moment that is told is kept as it is, and runs are told apart."""
    run, other = _push(database, "a"), _push(database, "b", branch="develop")
    made, before = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime.now(UTC)
    mark_step(database, run, Step.TRAIN_STARTED)
    mark_step(database, other, Step.TRAIN_STARTED)
    mark_step(database, run, Step.TRAINING_STARTED, 2)
    mark_step(database, run, Step.TRAIN_STARTED)
    mark_step(database, run, Step.COMMITTED, at=made)
    *now, committed = marked_moments(database, run)
    assert committed == Moment(Step.COMMITTED, made)
    assert [(mark.step, mark.trial) for mark in now] == [
        (Step.TRAIN_STARTED, None),
        (Step.TRAINING_STARTED, 2),
        (Step.TRAIN_STARTED, None),
    ]
    assert before <= now[0].at <= now[1].at <= now[2].at <= datetime.now(UTC)


def test_a_delivery_comes_before_its_run(database: Database) -> None:
    """A run knows the deliveries of its commit, and the one that started it was received before it was stored."""
    run, _other = _push(database, "a"), _push(database, "b", branch="develop")
    accept_commit(database, _commit("a"), Origin.PUSH, delivery=("again", "push"), supersede="queued")
    deliveries = deliveries_of_run(database, run)
    assert [delivery.id for delivery in deliveries] == ["id-a", "again"]
    assert deliveries[0].received <= load_run(database, run).created


def test_two_deliveries_at_once_are_one_run(url: str) -> None:
    """Threads that store the same push at the same moment get the same run."""
    stores = [Database(url) for _ in range(4)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda database=database: found.append(_push(database, "a"))) for database in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    for database in stores:
        database.close()


def test_an_ignored_delivery_may_come_again(database: Database) -> None:
    """A delivery that started no run is remembered, and can still start one."""
    ignore_delivery(database, "1", "push", "other branch")
    assert [(delivery.id, delivery.result) for delivery in list_deliveries(database)] == [("1", "other branch")]
    assert accept_commit(database, _commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued").new


def test_a_newer_commit_supersedes_queued_ones_only(database: Database, url: str) -> None:
    """Of three pushes the first trains, the second is superseded by the third; another branch is not touched."""
    first, elsewhere = _push(database, "a"), _push(database, "d", branch="develop")
    process = _claimed_elsewhere(url, first)
    second, third = _push(database, "b"), _push(database, "c")
    states = {run.id: run.state for run in list_runs(database)}
    assert states == {
        first: State.QUEUED,
        elsewhere: State.QUEUED,
        second: State.SUPERSEDED,
        third: State.QUEUED,
    }
    assert load_run(database, second).successor == third
    process.communicate()


def test_a_newer_commit_may_stop_a_running_one(database: Database, url: str) -> None:
    """With supersede = running the owner of the older run is told to stop."""
    first = _push(database, "a")
    process = _claimed_elsewhere(url, first)
    accepted = accept_commit(database, _commit("b"), Origin.PUSH, supersede="running")
    assert accepted.stop == (owner_of_run(database, first),)
    assert requested_stop(database, first) is State.SUPERSEDED
    process.communicate()


def test_runs_of_a_branch_come_in_order(database: Database, url: str) -> None:
    """While a run of a branch is not ended, no newer one of it is given out; another branch's is."""
    first = _push(database, "a")
    process = _claimed_elsewhere(url, first)
    second = _push(database, "b")
    other = _push(database, "c", branch="develop")
    given = next_run(database, [])
    assert given is not None
    assert given.id == other
    process.communicate()  # the first run's owner is gone: the run is free again, before the second
    given = next_run(database, [])
    assert given is not None
    assert given.id == first
    claim_run(database, first, [State.QUEUED])
    end_owned_run(database, replace(load_run(database, first), state=State.FAILED, ended=datetime.now(UTC)), None)
    given = next_run(database, [other])
    assert given is not None
    assert given.id == second


def test_a_run_has_one_owner(database: Database, url: str) -> None:
    """A run that a living process works on cannot be claimed; after that process is killed it can, its trial interrupted."""
    run = _push(database, "a")
    process = _claimed_elsewhere(url, run)
    with pytest.raises(Busy):
        claim_run(database, run, [State.QUEUED])
    process.kill()
    process.communicate()
    assert claim_run(database, run, [State.QUEUED]).trials[0].reason is Reason.INTERRUPTED
    release_run(database, run)
    with pytest.raises(Busy, match="nothing to do"):
        claim_run(database, run, [State.BELOW])


def test_only_the_trials_of_the_dead_are_interrupted(database: Database, url: str) -> None:
    """Whoever claims a run leaves the trial alone that another living process trains for it; when that one dies, its
    trial may be buried. Of the budget an interrupted trial takes nothing."""
    run = _push(database, "a")
    script = (
        "import sys; from epochal.store.database import Database; from epochal.store.trials import add_search_trial\n"
        f"print(add_search_trial(Database({url!r}), {run}, {{'filters': 1}}, 2), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "1\n"
    assert add_search_trial(database, run, {"filters": 1}, 2) is None
    assert add_search_trial(database, run, {"filters": 2}, 2) == 2
    states = [trial.state for trial in claim_run(database, run, [State.QUEUED]).trials]
    assert states == [TrialState.TRAINING, TrialState.FAILED]  # the second one is of this process, from before
    assert not mark_interrupted(database, run)
    assert [
        len(other_trainers(database, run)),
        has_live_trainer(database, run, 1),
        has_live_trainer(database, run, 2),
    ] == [
        1,
        True,
        False,
    ]
    assert [add_search_trial(database, run, {"filters": number}, 2) for number in (2, 3)] == [3, None]
    process.kill()
    process.communicate()
    assert mark_interrupted(database, run)
    assert load_run(database, run).trials[0].reason is Reason.INTERRUPTED
    assert other_trainers(database, run) == []


def test_a_trial_keeps_what_came_of_it(database: Database) -> None:
    """What is stored of a trial is what is read of it, and the best one is the most accurate."""
    run, evidence = _claimed(database, "a"), Evidence("accuracy", 0.94, "no", True, "", 0.03, 0.01, True)
    for value in (0.71, 0.83, 0.79):
        number = add_trial(database, run, {"epochs": 30, "learning_rate": 1e-3})
        stored = Trial(
            number,
            TrialState.MEASURED,
            {"epochs": 24, "learning_rate": 1e-3},
            4,
            measured(value, AccuracySource.EVALUATE, samples=360, test_set="1f0c", looks=2, evidence=evidence),
            3.5,
            epochs_resumed=20,
            resumption="continued from epoch 20 of trial 1",
            validation_accuracy=0.8,
            stopped_by=StoppedBy.THRESHOLD,
            validates_on_test=True,
        )
        end_trial(database, run, stored)
    found = load_run(database, run)
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    accuracy = measured(0.83, AccuracySource.EVALUATE, samples=360, test_set="1f0c", looks=2, evidence=evidence)
    assert found.best == replace(stored, number=2, accuracy=accuracy)


def _judged(
    database: Database, run: int, samples: int | None = None, test_set: str | None = None, **more: Any
) -> int | None:
    """The number of the look of a new trial of the run."""
    number = add_trial(database, run, {})
    trial = Trial(number, TrialState.MEASURED, {}, accuracy=measured(0.8, samples=samples, test_set=test_set, **more))
    end_trial(database, run, trial)

    def decide(look: int | None) -> Judgement:
        return Judgement(Verdict.BELOW, look, 0.95, 0.0025, 0.77, 0.84)

    said = store_judgement(database, load_run(database, run), trial, decide)
    assert (
        store_judgement(database, load_run(database, run), trial, decide)
        == said
        == load_run(database, run).trials[-1].judgement
    )
    return said.look


def _sketch(rows: Iterable[int]) -> bytes:
    """The 1,024 smallest of the rows' hashes, as the recorder writes them."""
    return b"".join(row.to_bytes(8, "little") for row in sorted(rows)[:1024])


def test_looks_at_a_test_set_are_counted_over_the_runs_of_a_branch(database: Database) -> None:
    """Test sets of one size are the same unless they are known to differ; another branch counts for itself."""
    first, second, elsewhere = _claimed(database, "a"), _claimed(database, "b"), _claimed(database, "c", "develop")
    given = [(first, 360, "one"), (first, 360, "one"), (second, 360, "one"), (second, 360, "two"), (second, 361, "one")]
    assert [_judged(database, *each) for each in given] == [1, 2, 3, 1, 1]
    assert _judged(database, second, 360, None) == 5  # it may be either of them
    assert _judged(database, second, 360, "two") == 3
    assert _judged(database, elsewhere, 360, "one") == 1
    assert [_judged(database, second) for _ in range(2)] == [None, None]
    assert looks_before(database, load_run(database, first), load_run(database, first).trials[0]) == 3


def test_a_test_set_is_known_by_its_rows(database: Database) -> None:
    """Rows decide, not digest or size: fewer than 5 % from an earlier set is a new one; else every set that shares a row
    counts."""
    first, second = _claimed(database, "a"), _claimed(database, "b")
    numbers = random.Random(11)
    old, other = ([numbers.getrandbits(64) for _ in range(500)] for _ in range(2))
    fresh = [numbers.getrandbits(64) for _ in range(1000)]
    assert _judged(database, first, 500, "one", test_rows=_sketch(old)) == 1
    assert _judged(database, second, 500, "two", test_rows=_sketch(reversed(old))) == 2
    assert _judged(database, second, 500, "one", test_rows=_sketch(other)) == 1
    assert _judged(database, second, 500, "one", test_rows=_sketch(old[:20] + fresh[:480])) == 1  # 4 % are old
    assert _judged(database, second, 500, "one", test_rows=_sketch(old[:30] + fresh[500:970])) == 4  # 6 % are
    half = _sketch(old[250:] + other[250:])
    assert _judged(database, second, 500, "one", test_rows=half) == 4  # of two sets, one of them twice
    assert _judged(database, second, 500, "one", test_rows=half) == 5


def test_rows_that_are_not_known_of_both_do_not_decide(database: Database) -> None:
    """Then the test sets of one size are the same, unless digests differ; rows alone are enough to count."""
    run = _claimed(database, "a")
    rows = _sketch(range(360))
    assert _judged(database, run, 360, "one") == 1
    assert _judged(database, run, 360, "one", test_rows=rows) == 2
    assert _judged(database, run, 360, "two", test_rows=rows) == 2
    assert _judged(database, run, 360, "two") == 2
    assert _judged(database, run, test_rows=_sketch(range(360))) == 3
    assert _judged(database, run, test_rows=_sketch(range(1000, 1360))) == 1


def test_each_comparison_within_a_training_is_a_look(database: Database) -> None:
    """A training that compared 150 networks with its test set had 150 looks."""
    run = _claimed(database, "a")
    assert [_judged(database, run, 360, "one", looks=looks) for looks in (1, 150, 1)] == [1, 151, 152]


@pytest.mark.parametrize("size", [200, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 1.0])
def test_the_share_of_rows_is_estimated(size: int, share: float) -> None:
    """Between sets of one size the share is right up to four standard errors; among hundreds of rows it is exact."""
    numbers = random.Random(size)
    old = [numbers.getrandbits(64) for _ in range(size)]
    common = round(share * size)
    rows = old[:common] + [numbers.getrandbits(64) for _ in range(size - common)]
    allowed = 0.0 if size <= 1_000 else 4 * (share * (1 - share) / 1024) ** 0.5
    assert share_seen(_sketch(rows), [_sketch(old)]) == pytest.approx(share, abs=allowed + 1e-12)


@pytest.mark.parametrize(("size", "earlier"), [(200, 5_000), (5_000, 200), (5_000, 100_000), (100_000, 5_000)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 1.0])
def test_sets_of_different_sizes_are_compared(size: int, earlier: int, share: float) -> None:
    """The share is of the later set's rows, however large the earlier one is; as many hashes as both know are compared."""
    numbers = random.Random(size + earlier)
    old = [numbers.getrandbits(64) for _ in range(earlier)]
    common = min(round(share * size), earlier)
    rows = old[:common] + [numbers.getrandbits(64) for _ in range(size - common)]
    true = common / size
    compared = min(size, 1024) if earlier <= 1024 else min(1024, 1024 * size // earlier)
    allowed = 4 * (true * (1 - true) / compared) ** 0.5
    assert share_seen(_sketch(rows), [_sketch(old)]) == pytest.approx(true, abs=allowed + 1e-12)


def test_the_share_is_of_all_earlier_sets_together() -> None:
    """Three percent in each of three sets are nine; a huge set, of which little is known, does not hide that."""
    numbers = random.Random(3)
    old = [[numbers.getrandbits(64) for _ in range(1_000)] for _ in range(3)]
    rows = [row for rows in old for row in rows[:30]] + [numbers.getrandbits(64) for _ in range(910)]
    sketches = [_sketch(rows) for rows in old]
    assert share_seen(_sketch(rows), sketches) == pytest.approx(0.09)
    huge = _sketch(numbers.getrandbits(64) for _ in range(500_000))
    assert share_seen(_sketch(rows), [huge, *sketches]) == pytest.approx(0.09)
    assert share_seen(_sketch(rows), []) == 0


def test_a_look_that_fails_is_none(database: Database) -> None:
    """Where the gate cannot decide, nothing is stored."""
    run = _claimed(database, "a")
    trial = Trial(add_trial(database, run, {}), TrialState.MEASURED, {}, accuracy=measured(0.8))

    def refuse(look: int | None) -> Judgement:
        raise RunFailed(Reason.NO_SAMPLES)

    with pytest.raises(RunFailed):
        store_judgement(database, load_run(database, run), trial, refuse)
    assert load_run(database, run).trials[0].judgement is None


def _upgraded(url: str, version: str) -> Engine:
    """Make a database of an earlier version, as that one's migrations made it."""
    engine = create_engine(url)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(epochal.store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, version)
    return engine


_VERSIONS = [f"{number:04}" for number in range(1, int(HEAD))]


@pytest.mark.parametrize("version", _VERSIONS)
def test_the_rows_of_every_earlier_version_are_read(url: str, version: str) -> None:
    """A run with its trial, delivery and message means today what it meant when it was stored."""
    run: dict[str, Any] = {
        "repository": "/srv/digits.git",
        "branch": "main",
        "sha": "a" * 40,
        "origin": "push",
        "state": "exhausted",
    }
    run |= {"state": "exhausted", "created": "2026-03-01 12:00:00", "reason": "max_trials", "notes": '["A note."]'}
    trial: dict[str, Any] = {
        "run": 1,
        "number": 1,
        "state": "measured",
        "hyperparameters": '{"epochs": 20}',
        "epochs_trained": 20,
    }
    trial |= {"accuracy": 0.8, "accuracy_source": "evaluate", "seconds": 3.5}
    later: dict[str, dict[str, Any]] = {
        "0003": {"epochs_continued": 10, "continuation": "continued from epoch 10 of run 7"},
        "0006": {"forecast": '{"threshold": 0.9, "last_epoch": 200, "level": 0.85}'},
        "0007": {
            "samples": 360,
            "test_set": "1f0c",
            "judgement": '{"verdict": "below", "look": 21, "looks": 20, "confidence": 0.95, "spent": 0.0}',
        },
        "0009": {"looks": 3, "evidence": '{"metric": "accuracy", "chance": 0.1, "answer": "3", "checked": true}'},
    }
    for since, columns in later.items():
        trial |= columns if since <= version else {}
    run |= {"meaning": "f" * 64, "taken_trial": None} if version >= "0008" else {}
    delivery: dict[str, Any] = {
        "id": "1",
        "event": "push",
        "received": "2026-03-01 12:00:00",
        "result": "queued",
        "run": 1,
    }
    notice: dict[str, Any] = {
        "run": 1,
        "message_id": "<1@example.com>",
        "sender": "a@example.com",
        "recipients": '["b@example.com"]',
    }
    notice |= {"message": b"Subject: x", "state": "given_up", "told": "refused", "created": "2026-03-01 12:00:00"}
    rows = {"runs": run, "run_trials": trial, "deliveries": delivery, "notices": notice}
    with _upgraded(url, version).begin() as connection:
        for table, row in rows.items():
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    database = Database(url)
    found = load_run(database, 1)
    assert (found.state, found.reason, found.notes) == (State.EXHAUSTED, Reason.MAX_TRIALS, ("A note.",))
    assert found.fingerprint == ("f" * 64 if version >= "0008" else None)
    (stored,) = found.trials
    known = {"samples": 360, "test_set": "1f0c"} if version >= "0007" else {}
    evidence = Evidence("accuracy", 0.1, "3", checked=True)
    known |= {"looks": 3, "evidence": evidence} if version >= "0009" else {}
    assert stored.accuracy == measured(0.8, AccuracySource.EVALUATE, **known)
    assert (stored.epochs_trained, stored.epochs_resumed) == (20, 10 if version >= "0003" else 0)
    assert stored.forecast == (Forecast(0.9, 200, 0.85) if version >= "0006" else None)
    assert stored.judgement == (Judgement(Verdict.BELOW, 21, 0.95) if version >= "0007" else None)
    assert [each.id for each in list_deliveries(database)] == ["1"]
    assert retry_messages(database) == 1
    message = message_of_run(database, 1)
    assert message
    assert (message.content, message.recipients, message.outcome) == (b"Subject: x", ("b@example.com",), "refused")
    database.close()


def test_a_run_that_had_no_look_left_is_read_as_what_that_means_today(url: str) -> None:
    """The reason no_looks is gone; such a run keeps its explanation."""
    run = "'/srv/digits.git', 'main', 'a', 'push', 'exhausted', '2026-03-01 12:00:00', 'no_looks', 'None was left.'"
    with _upgraded(url, "0008").begin() as connection:
        names = "repository, branch, sha, origin, state, created, reason, explanation"
        connection.execute(text(f"INSERT INTO runs ({names}) VALUES ({run})"))
    database = Database(url)
    found = load_run(database, 1)
    assert (found.reason, found.explanation) == (Reason.TOO_FEW_SAMPLES, "None was left.")
    database.close()


def test_the_end_and_its_notice_are_stored_together(database: Database) -> None:
    """A notice is taken by one sender at a time, and not again once it was sent."""
    run = _reached(database, "a")
    notice = _notice(run)
    end_owned_run(database, _ended(database, run, State.REACHED), notice)
    taken = take_message(database)
    assert taken is not None
    assert (taken.content, taken.recipients, taken.message_id) == (notice.content, notice.recipients, notice.message_id)
    assert take_message(database) is None
    settle_message(database, taken.id, MessageState.PENDING, "connection refused")
    assert take_message(database, after=taken.id) is None
    again = take_message(database)
    assert again is not None
    assert (again.id, again.attempts) == (taken.id, 2)
    before = datetime.now(UTC)
    settle_message(database, taken.id, MessageState.SENT, "sent")
    assert take_message(database) is None
    settled = message_of_run(database, run)
    assert settled is not None
    assert settled.sent is not None
    assert before <= settled.sent <= datetime.now(UTC)


def test_an_end_whose_notice_cannot_be_stored_is_no_end(database: Database) -> None:
    """If the notice fails the run stays as it was: no end is ever without its notice."""
    run = _reached(database, "a")
    broken = Message(run, "<1@example.com>", "a@example.com", (), None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        end_owned_run(database, _ended(database, run, State.REACHED), broken)
    assert load_run(database, run).state is State.QUEUED


@pytest.mark.parametrize("verdict", [None, Verdict.BELOW])
def test_reached_needs_a_trial_that_was_judged_so(database: Database, verdict: Verdict | None) -> None:
    """Whoever asks: a run none of whose trials reached the threshold is neither stored as reached nor announced."""
    run = _claimed(database, "a")
    if verdict:
        _train(database, run, verdict)
    with pytest.raises(NothingReached):
        end_owned_run(database, _ended(database, run, State.REACHED), _notice(run))
    assert (load_run(database, run).state, message_of_run(database, run)) == (State.QUEUED, None)
    end_owned_run(database, _ended(database, run, State.EXHAUSTED), _notice(run))
    assert load_run(database, run).state is State.EXHAUSTED


def test_a_reused_run_must_have_reached_it(database: Database) -> None:
    """A run that reuses another one is reached if that one's trials are; with one trial, if that trial is."""
    first = _claimed(database, "a")
    for verdict in (Verdict.BELOW, Verdict.REACHED):
        _train(database, first, verdict)
    for letter, trial, reached in (("b", 1, False), ("c", 2, True), ("d", None, True)):
        run = _claimed(database, letter)
        ended = replace(_ended(database, run, State.REACHED), reused_run=first, reused_trial=trial)
        with nullcontext() if reached else pytest.raises(NothingReached):
            end_owned_run(database, ended, None)
        assert load_run(database, run).state.ended is reached


def test_only_its_owner_ends_a_run_and_only_once(database: Database, url: str) -> None:
    """While another process owns a run, or once it has ended, its row stays as it is and no notice is stored."""
    run = _push(database, "a")
    process = _claimed_elsewhere(url, run)
    with pytest.raises(NotOwner):
        end_owned_run(database, _ended(database, run, State.FAILED), _notice(run))
    with pytest.raises(NotOwner):
        change_run(database, run, state=State.BELOW)
    with pytest.raises(NotOwner):
        add_trial(database, run, {})
    with pytest.raises(NotOwner):
        end_trial(database, run, Trial(1, TrialState.MEASURED, {}, accuracy=measured(0.9)))
    assert not end_unowned_run(database, _ended(database, run, State.FAILED), _notice(run))
    assert (load_run(database, run).state, load_run(database, run).trials[0].state) == (
        State.QUEUED,
        TrialState.TRAINING,
    )
    process.communicate()
    assert end_unowned_run(database, _ended(database, run, State.FAILED), _notice(run))
    again = replace(_notice(run), message_id="<2@example.com>")
    assert not end_unowned_run(database, _ended(database, run, State.EXHAUSTED), again)
    notice = message_of_run(database, run)
    assert notice is not None
    assert (load_run(database, run).state, notice.message_id) == (State.FAILED, "<1@example.com>")
    (trial,) = load_run(database, run).trials
    assert (trial.state, trial.reason) == (TrialState.FAILED, Reason.INTERRUPTED)


def test_a_transaction_is_repeated_unless_its_commit_was_lost(url: str) -> None:
    """Before the commit nothing was stored; after it nobody knows, and to repeat it might store the same twice."""
    patient = Database(url, Patience(60))
    failing: list[int] = []

    def fail(connection: Connection) -> None:
        if failing:
            failing.pop()
            raise OperationalError("", {}, Exception("gone"))

    for when, lost in (("begin", nullcontext()), ("commit", pytest.raises(CommitLost, match="gone"))):
        failing[:] = [1]
        event.listen(Engine, when, fail)
        try:
            with lost:
                ignore_delivery(patient, "1", when, "")
        finally:
            event.remove(Engine, when, fail)
        assert failing == []
    assert [delivery.event for delivery in list_deliveries(patient)] == ["begin"]
    patient.close()


def test_a_trial_that_was_given_up_keeps_no_result(database: Database) -> None:
    """A process that was taken for dead, and whose trial was marked as interrupted, does not write its result over that."""
    run = _claimed(database, "a")
    number = add_trial(database, run, {})
    claim_run(database, run, [State.QUEUED])
    with pytest.raises(NotOwner):
        end_trial(database, run, Trial(number, TrialState.MEASURED, {}, accuracy=measured(0.9)))
    assert load_run(database, run).trials[0].reason is Reason.INTERRUPTED


@pytest.mark.parametrize("asked", [State.CANCELLED, State.SUPERSEDED])
def test_what_was_asked_to_end_ends_as_asked(database: Database, asked: State) -> None:
    """From the request on the run accepts no other state, new trial or notice, even with a trial that reached it."""
    run = _reached(database, "a")
    assert request_stop(database, run, asked) is not None
    request_stop(database, run, State.CANCELLED)  # too late: the first request counts
    for refused in (
        lambda: end_owned_run(database, _ended(database, run, State.REACHED), _notice(run)),
        lambda: change_run(database, run, state=State.BELOW),
        lambda: add_trial(database, run, {}),
    ):
        with pytest.raises(StopRequested) as caught:
            refused()
        assert caught.value.state is asked
    assert add_search_trial(database, run, {"filters": 1}, 9) is None
    end_owned_run(database, _ended(database, run, asked), None)
    assert (load_run(database, run).state, message_of_run(database, run)) == (asked, None)


def test_a_run_that_nobody_works_on_is_cancelled_at_once(database: Database) -> None:
    """Cancelling ends a queued run; one that has ended, or that there is not, is refused by name."""
    run = _push(database, "a")
    assert request_stop(database, run, State.CANCELLED) is None
    assert load_run(database, run).state is State.CANCELLED
    with pytest.raises(UsageError, match="has ended already"):
        request_stop(database, run, State.CANCELLED)
    with pytest.raises(UsageError, match="There is no run 99"):
        load_run(database, 99)


def test_an_author_who_becomes_known_later_is_kept(database: Database) -> None:
    """A poll knows a commit's name only; the delivery of the same commit tells whose it is, and the first word stays."""
    bare = Commit("https://github.com/ada/digits.git", "main", "a" * 40)
    run = accept_commit(database, bare, Origin.PUSH, supersede="queued").run
    told = replace(bare, message="First", author_name="Ada", author_email="ada@example.com")
    assert accept_commit(database, told, Origin.PUSH, delivery=("d", "push"), supersede="queued").run == run
    assert load_run(database, run).commit == told
    accept_commit(database, replace(told, author_email="eve@example.com"), Origin.PUSH, supersede="queued")
    assert load_run(database, run).commit == told


def test_a_forced_push_back_to_a_superseded_commit_is_trained(database: Database) -> None:
    """A new delivery of a commit that was superseded queues its run again; the same delivery once more does not."""
    old, new = (Commit("https://github.com/ada/digits.git", "main", letter * 40) for letter in "ab")
    first = accept_commit(database, old, Origin.PUSH, delivery=("1", "push"), supersede="queued").run
    accept_commit(database, new, Origin.PUSH, delivery=("2", "push"), supersede="queued")
    assert load_run(database, first).state is State.SUPERSEDED
    assert not accept_commit(database, old, Origin.PUSH, delivery=("1", "push"), supersede="queued").new
    assert load_run(database, first).state is State.SUPERSEDED
    back = accept_commit(database, old, Origin.PUSH, delivery=("3", "push"), supersede="queued")
    assert (back.run, back.new, load_run(database, first).state) == (first, True, State.QUEUED)
