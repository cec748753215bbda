"""The database: its table of runs is the queue."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
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
from epochal.results.sketches import estimate_shared_rows
from epochal.store.database import Database
from epochal.store.deliveries import accept_commit, deliveries_of_run, ignore_delivery, list_deliveries
from epochal.store.errors import Busy, CommitLost, NothingReached, NotOwner, StopRequested
from epochal.store.looks import looks_before, store_judgement
from epochal.store.outbox import message_of_run, release_message, retry_messages, take_message
from epochal.store.retry import RetryPolicy
from epochal.store.runs import claim_run, list_runs, load_run, next_run, owner_of_run, release_run
from epochal.store.schema import HEAD, VERSION_TABLE, metadata
from epochal.store.timeline import list_moments, record_step
from epochal.store.transitions import change_run, end_owned_run, end_unowned_run, load_stop_request, request_stop
from epochal.store.trials import (
    add_search_trial,
    add_trial,
    end_trial,
    is_training,
    mark_interrupted,
    other_trainers,
)
from tests.postgresql import postgresql
from tests.trials import measured


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'epochal.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Yield a new database."""
    database = Database(url)
    yield database
    database.close()


def _make_commit(letter: str, branch: str = "main") -> Commit:
    return Commit("/srv/digits.git", branch, letter * 40)


def _push(database: Database, letter: str, *, branch: str = "main", supersede: str = "queued") -> int:
    return accept_commit(
        database, _make_commit(letter, branch), Origin.PUSH, delivery=(f"id-{letter}", "push"), supersede=supersede
    ).run


def _push_and_claim(database: Database, letter: str, branch: str = "main") -> int:
    """Push a commit, and make this process the owner of its run."""
    run = _push(database, letter, branch=branch)
    claim_run(database, run, [State.QUEUED])
    return run


def _add_judged_trial(database: Database, run: int, verdict: Verdict) -> Trial:
    """Add a trial with this verdict to the run."""
    trial = Trial(add_trial(database, run, {}), TrialState.MEASURED, {}, accuracy=measured(0.8))
    end_trial(database, run, trial)
    store_judgement(database, load_run(database, run), trial, lambda earlier: Judgement(verdict))
    return trial


def _push_and_reach(database: Database, letter: str) -> int:
    """Push a commit whose run this process owns, with a trial that reached its threshold."""
    run = _push_and_claim(database, letter)
    _add_judged_trial(database, run, Verdict.REACHED)
    return run


def _load_as_ended(database: Database, run: int, state: State) -> Run:
    """Return the run as if it had just ended in ``state``."""
    return replace(load_run(database, run), state=state, ended=datetime.now(UTC))


def _make_message(run: int) -> Message:
    return Message(run, "<1@example.com>", "a@example.com", ("b@example.com",), b"Subject: x\r\n\r\n")


def _claim_in_other_process(url: str, run: int) -> "subprocess.Popen[str]":
    """Start a process that owns the run and has a trial in training until its standard input is closed."""
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


def test_migrations_create_the_schema(database: Database, url: str) -> None:
    """A new database has the tables, columns and indexes of the schema, and HEAD is the newest migration."""
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


def test_newer_database_is_refused(url: str) -> None:
    """A database that a newer Epochal wrote has a schema that this one does not know."""
    Database(url).close()
    with create_engine(url).begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(EpochalError, match="written by a newer version of Epochal"):
        Database(url)


def test_unusable_url_is_a_settings_error() -> None:
    """The URL names a kind of database that SQLAlchemy does not know."""
    with pytest.raises(SettingsError, match=r"^database: "):
        Database("no-such-database://x")


def test_database_that_cannot_be_opened_is_a_settings_error(tmp_path: Path) -> None:
    """The path is a folder. The message gives the URL and SQLite's reason."""
    with pytest.raises(SettingsError, match=r"^database: sqlite:///.* cannot be opened: .*unable to open"):
        Database(f"sqlite:///{tmp_path}")


def test_sqlite_has_a_write_ahead_log(database: Database, url: str) -> None:
    """The log lets others read while a process writes, and stays enabled for the file (sqlite.org/wal.html)."""
    with create_engine(url).connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_repeated_delivery_starts_one_run(database: Database) -> None:
    """A repeated delivery or a poll of the same commit finds the existing run; a person's request starts a new one."""
    first = accept_commit(database, _make_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    again = accept_commit(database, _make_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    polled = accept_commit(database, _make_commit("a"), Origin.PUSH, supersede="queued")
    assert (first.new, again.new, polled.new) == (True, False, False)
    assert first.run == again.run == polled.run
    assert accept_commit(database, _make_commit("a"), Origin.PERSON, supersede="queued").new


def test_every_step_is_kept(database: Database) -> None:
    """A step that a run reaches twice is stored twice, in order. A given time is kept. Each run has its own steps."""
    run, other = _push(database, "a"), _push(database, "b", branch="develop")
    commit_time, before = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime.now(UTC)
    record_step(database, run, Step.TRAIN_STARTED)
    record_step(database, other, Step.TRAIN_STARTED)
    record_step(database, run, Step.TRAINING_STARTED, 2)
    record_step(database, run, Step.TRAIN_STARTED)
    record_step(database, run, Step.COMMITTED, at=commit_time)
    *recorded, committed = list_moments(database, run)
    assert committed == Moment(Step.COMMITTED, commit_time)
    assert [(moment.step, moment.trial) for moment in recorded] == [
        (Step.TRAIN_STARTED, None),
        (Step.TRAINING_STARTED, 2),
        (Step.TRAIN_STARTED, None),
    ]
    assert before <= recorded[0].at <= recorded[1].at <= recorded[2].at <= datetime.now(UTC)


def test_delivery_is_received_before_its_run_is_created(database: Database) -> None:
    """A run's first delivery comes before the run exists. All deliveries of its commit are listed, oldest first."""
    run, _other = _push(database, "a"), _push(database, "b", branch="develop")
    accept_commit(database, _make_commit("a"), Origin.PUSH, delivery=("again", "push"), supersede="queued")
    deliveries = deliveries_of_run(database, run)
    assert [delivery.id for delivery in deliveries] == ["id-a", "again"]
    assert deliveries[0].received <= load_run(database, run).created


def test_simultaneous_deliveries_start_one_run(url: str) -> None:
    """Threads that store the same push at the same time get the same run."""
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


def test_ignored_delivery_may_start_a_run_later(database: Database) -> None:
    """An ignored delivery is listed with the reason, and starts a run if it is delivered again."""
    ignore_delivery(database, "1", "push", "other branch")
    assert [(delivery.id, delivery.result) for delivery in list_deliveries(database)] == [("1", "other branch")]
    assert accept_commit(database, _make_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued").new


def test_newer_commit_supersedes_only_queued_runs(database: Database, url: str) -> None:
    """Of three pushes, the first trains, and the third supersedes the second. Other branches are not affected."""
    first, elsewhere = _push(database, "a"), _push(database, "d", branch="develop")
    process = _claim_in_other_process(url, first)
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


def test_newer_commit_may_stop_a_running_run(database: Database, url: str) -> None:
    """With ``supersede = running``, the owner of the older run is asked to stop."""
    first = _push(database, "a")
    process = _claim_in_other_process(url, first)
    accepted = accept_commit(database, _make_commit("b"), Origin.PUSH, supersede="running")
    assert accepted.superseded_owners == (owner_of_run(database, first),)
    assert load_stop_request(database, first) is State.SUPERSEDED
    process.communicate()


def test_runs_of_a_branch_start_in_order(database: Database, url: str) -> None:
    """Until a branch's first run has ended, only runs of other branches may start."""
    first = _push(database, "a")
    process = _claim_in_other_process(url, first)
    second = _push(database, "b")
    other = _push(database, "c", branch="develop")
    found = next_run(database, [])
    assert found is not None
    assert found.id == other
    process.communicate()  # the first run has no living owner now, so it is free again
    found = next_run(database, [])
    assert found is not None
    assert found.id == first
    claim_run(database, first, [State.QUEUED])
    end_owned_run(database, replace(load_run(database, first), state=State.FAILED, ended=datetime.now(UTC)), None)
    found = next_run(database, [other])
    assert found is not None
    assert found.id == second


def test_run_has_one_owner(database: Database, url: str) -> None:
    """Nobody else can claim a run while its owner is alive. If the owner dies, its unfinished trial is interrupted."""
    run = _push(database, "a")
    process = _claim_in_other_process(url, run)
    with pytest.raises(Busy):
        claim_run(database, run, [State.QUEUED])
    process.kill()
    process.communicate()
    assert claim_run(database, run, [State.QUEUED]).trials[0].reason is Reason.INTERRUPTED
    release_run(database, run)
    with pytest.raises(Busy, match="nothing to do"):
        claim_run(database, run, [State.BELOW])


def test_only_trials_of_dead_processes_are_interrupted(database: Database, url: str) -> None:
    """Trials that another process is training are left alone until that process dies.

    Interrupted trials do not count towards the budget.
    """
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
    # Trial 2 belongs to this process, which has just claimed the run, so it was interrupted.
    assert states == [TrialState.TRAINING, TrialState.FAILED]
    assert not mark_interrupted(database, run)
    assert [
        len(other_trainers(database, run)),
        is_training(database, run, 1),
        is_training(database, run, 2),
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


def test_trial_is_read_as_it_was_stored(database: Database) -> None:
    """The best trial of the run is the most accurate one."""
    run, evidence = _push_and_claim(database, "a"), Evidence("accuracy", 0.94, "no", True, "", 0.03, 0.01, True)
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
            resumption="resumed from epoch 20 of trial 1",
            validation_accuracy=0.8,
            stopped_by=StoppedBy.THRESHOLD,
            validates_on_test=True,
        )
        end_trial(database, run, stored)
    found = load_run(database, run)
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    accuracy = measured(0.83, AccuracySource.EVALUATE, samples=360, test_set="1f0c", looks=2, evidence=evidence)
    assert found.best == replace(stored, number=2, accuracy=accuracy)


def _take_look(
    database: Database, run: int, samples: int | None = None, test_set: str | None = None, **more: Any
) -> int | None:
    """Add a trial with a judgement to the run, and return the number of its look."""
    number = add_trial(database, run, {})
    trial = Trial(number, TrialState.MEASURED, {}, accuracy=measured(0.8, samples=samples, test_set=test_set, **more))
    end_trial(database, run, trial)

    def decide(look: int | None) -> Judgement:
        return Judgement(Verdict.BELOW, look, 0.95, 0.0025, 0.77, 0.84)

    judgement = store_judgement(database, load_run(database, run), trial, decide)
    assert (
        store_judgement(database, load_run(database, run), trial, decide)
        == judgement
        == load_run(database, run).trials[-1].judgement
    )
    return judgement.look


def _make_sketch(rows: Iterable[int]) -> bytes:
    """Return the 1,024 smallest of the rows' hashes, in the recorder's format."""
    return b"".join(row.to_bytes(8, "little") for row in sorted(rows)[:1024])


def test_looks_are_counted_over_the_runs_of_a_branch(database: Database) -> None:
    """Test sets of one size count as the same unless their digests differ. Other branches are counted separately."""
    first, second = _push_and_claim(database, "a"), _push_and_claim(database, "b")
    elsewhere = _push_and_claim(database, "c", "develop")
    looks = [(first, 360, "one"), (first, 360, "one"), (second, 360, "one"), (second, 360, "two"), (second, 361, "one")]
    assert [_take_look(database, *each) for each in looks] == [1, 2, 3, 1, 1]
    assert _take_look(database, second, 360, None) == 5  # without a digest, it counts as either of them
    assert _take_look(database, second, 360, "two") == 3
    assert _take_look(database, elsewhere, 360, "one") == 1
    assert [_take_look(database, second) for _ in range(2)] == [None, None]
    assert looks_before(database, load_run(database, first), load_run(database, first).trials[0]) == 3


def test_test_sets_are_compared_by_their_rows(database: Database) -> None:
    """If the rows of test sets are known, they decide instead of the digest and size.

    If less than 5% of the rows were in earlier sets, the set is new. Otherwise, the looks at
    all earlier sets that share a row with it are added up.
    """
    first, second = _push_and_claim(database, "a"), _push_and_claim(database, "b")
    numbers = random.Random(11)
    old, other = ([numbers.getrandbits(64) for _ in range(500)] for _ in range(2))
    fresh = [numbers.getrandbits(64) for _ in range(1000)]
    assert _take_look(database, first, 500, "one", test_rows=_make_sketch(old)) == 1
    assert _take_look(database, second, 500, "two", test_rows=_make_sketch(reversed(old))) == 2
    assert _take_look(database, second, 500, "one", test_rows=_make_sketch(other)) == 1
    # 4% and 6% of the rows are old.
    assert _take_look(database, second, 500, "one", test_rows=_make_sketch(old[:20] + fresh[:480])) == 1
    assert _take_look(database, second, 500, "one", test_rows=_make_sketch(old[:30] + fresh[500:970])) == 4
    # The two sets that share its rows have had three looks.
    half = _make_sketch(old[250:] + other[250:])
    assert _take_look(database, second, 500, "one", test_rows=half) == 4
    assert _take_look(database, second, 500, "one", test_rows=half) == 5


def test_rows_known_of_only_one_test_set_do_not_decide(database: Database) -> None:
    """In that case, size and digest decide. If the rows of both sets are known, their sizes need not be."""
    run = _push_and_claim(database, "a")
    rows = _make_sketch(range(360))
    assert _take_look(database, run, 360, "one") == 1
    assert _take_look(database, run, 360, "one", test_rows=rows) == 2
    assert _take_look(database, run, 360, "two", test_rows=rows) == 2
    assert _take_look(database, run, 360, "two") == 2
    assert _take_look(database, run, test_rows=_make_sketch(range(360))) == 3
    assert _take_look(database, run, test_rows=_make_sketch(range(1000, 1360))) == 1


def test_each_comparison_within_a_training_is_a_look(database: Database) -> None:
    """A trial that compared 150 models with its test set took 150 looks."""
    run = _push_and_claim(database, "a")
    assert [_take_look(database, run, 360, "one", looks=looks) for looks in (1, 150, 1)] == [1, 151, 152]


@pytest.mark.parametrize("size", [200, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 1.0])
def test_share_of_seen_rows_is_estimated(size: int, share: float) -> None:
    """For sets of equal size, the estimate is right within four standard errors; for up to 1,000 rows, it is exact."""
    numbers = random.Random(size)
    old = [numbers.getrandbits(64) for _ in range(size)]
    common = round(share * size)
    rows = old[:common] + [numbers.getrandbits(64) for _ in range(size - common)]
    allowed = 0.0 if size <= 1_000 else 4 * (share * (1 - share) / 1024) ** 0.5
    assert estimate_shared_rows(_make_sketch(rows), [_make_sketch(old)]) == pytest.approx(share, abs=allowed + 1e-12)


@pytest.mark.parametrize(("size", "earlier"), [(200, 5_000), (5_000, 200), (5_000, 100_000), (100_000, 5_000)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 1.0])
def test_share_is_estimated_between_sets_of_different_sizes(size: int, earlier: int, share: float) -> None:
    """The share is that of the later set's rows. The tolerance depends on how many hashes can be compared."""
    numbers = random.Random(size + earlier)
    old = [numbers.getrandbits(64) for _ in range(earlier)]
    common = min(round(share * size), earlier)
    rows = old[:common] + [numbers.getrandbits(64) for _ in range(size - common)]
    expected = common / size
    compared = min(size, 1024) if earlier <= 1024 else min(1024, 1024 * size // earlier)
    allowed = 4 * (expected * (1 - expected) / compared) ** 0.5
    assert estimate_shared_rows(_make_sketch(rows), [_make_sketch(old)]) == pytest.approx(expected, abs=allowed + 1e-12)


def test_share_is_of_all_earlier_sets_together() -> None:
    """3% from each of three sets make 9%, even beside a huge set of which only the smallest hashes are known."""
    numbers = random.Random(3)
    old = [[numbers.getrandbits(64) for _ in range(1_000)] for _ in range(3)]
    rows = [row for rows in old for row in rows[:30]] + [numbers.getrandbits(64) for _ in range(910)]
    sketches = [_make_sketch(rows) for rows in old]
    assert estimate_shared_rows(_make_sketch(rows), sketches) == pytest.approx(0.09)
    huge = _make_sketch(numbers.getrandbits(64) for _ in range(500_000))
    assert estimate_shared_rows(_make_sketch(rows), [huge, *sketches]) == pytest.approx(0.09)
    assert estimate_shared_rows(_make_sketch(rows), []) == 0


def test_failed_judgement_is_not_stored(database: Database) -> None:
    """The gate raises an exception if it cannot decide."""
    run = _push_and_claim(database, "a")
    trial = Trial(add_trial(database, run, {}), TrialState.MEASURED, {}, accuracy=measured(0.8))

    def refuse(look: int | None) -> Judgement:
        raise RunFailed(Reason.NO_SAMPLES)

    with pytest.raises(RunFailed):
        store_judgement(database, load_run(database, run), trial, refuse)
    assert load_run(database, run).trials[0].judgement is None


def _create_old_database(url: str, version: str) -> Engine:
    """Create a database of an earlier version by running the migrations up to that version."""
    engine = create_engine(url)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(epochal.store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, version)
    return engine


_VERSIONS = [f"{number:04}" for number in range(1, int(HEAD))]


_RENAMED = {
    "meaning": "fingerprint",
    "taken_trial": "reused_trial",
    "accuracy": "accuracy_value",
    "samples": "accuracy_samples",
    "test_set": "accuracy_test_set",
    "looks": "accuracy_looks",
    "evidence": "accuracy_evidence",
    "epochs_continued": "epochs_resumed",
    "continuation": "resumption",
    "message": "content",
    "told": "outcome",
}
"""The columns of the rows below that version 0010 renamed."""


@pytest.mark.parametrize("version", _VERSIONS)
def test_rows_of_every_earlier_version_are_read(url: str, version: str) -> None:
    """A stored run, its trial, delivery and message keep their meaning through all later migrations."""
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
    stored_message: dict[str, Any] = {
        "run": 1,
        "message_id": "<1@example.com>",
        "sender": "a@example.com",
        "recipients": '["b@example.com"]',
    }
    stored_message |= {
        "message": b"Subject: x",
        "state": "given_up",
        "told": "refused",
        "created": "2026-03-01 12:00:00",
    }
    messages = "messages" if version >= "0010" else "notices"
    rows = {"runs": run, "run_trials": trial, "deliveries": delivery, messages: stored_message}
    with _create_old_database(url, version).begin() as connection:
        for table, row in rows.items():
            row = {_RENAMED.get(name, name) if version >= "0010" else name: value for name, value in row.items()}
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    database = Database(url)
    found = load_run(database, 1)
    assert (found.state, found.reason, found.notes) == (State.EXHAUSTED, Reason.MAX_TRIALS, ("A note.",))
    assert found.fingerprint == ("f" * 64 if version >= "0008" else None)
    assert (found.script, found.commit.project) == ("nn.py", "")
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


def test_old_reason_no_looks_is_read_as_too_few_samples(url: str) -> None:
    """The reason no_looks no longer exists. The run keeps its explanation."""
    run = "'/srv/digits.git', 'main', 'a', 'push', 'exhausted', '2026-03-01 12:00:00', 'no_looks', 'None was left.'"
    with _create_old_database(url, "0008").begin() as connection:
        names = "repository, branch, sha, origin, state, created, reason, explanation"
        connection.execute(text(f"INSERT INTO runs ({names}) VALUES ({run})"))
    database = Database(url)
    found = load_run(database, 1)
    assert (found.reason, found.explanation) == (Reason.TOO_FEW_SAMPLES, "None was left.")
    database.close()


def test_message_of_an_ended_run_is_sent_once(database: Database) -> None:
    """Only one sender at a time can take a message, until it is sent. Attempts and the time of sending are stored."""
    run = _push_and_reach(database, "a")
    message = _make_message(run)
    end_owned_run(database, _load_as_ended(database, run, State.REACHED), message)
    taken = take_message(database)
    assert taken is not None
    assert (taken.content, taken.recipients, taken.message_id) == (
        message.content,
        message.recipients,
        message.message_id,
    )
    assert take_message(database) is None
    release_message(database, taken.id, MessageState.PENDING, "connection refused")
    assert take_message(database, after=taken.id) is None
    again = take_message(database)
    assert again is not None
    assert (again.id, again.attempts) == (taken.id, 2)
    before = datetime.now(UTC)
    release_message(database, taken.id, MessageState.SENT, "sent")
    assert take_message(database) is None
    settled = message_of_run(database, run)
    assert settled is not None
    assert settled.sent is not None
    assert before <= settled.sent <= datetime.now(UTC)


def test_senders_at_once_take_different_messages() -> None:
    """If one PostgreSQL connection is taking a message, another skips that message without waiting."""
    with postgresql() as url, ThreadPoolExecutor() as executor:
        database, other = Database(url), Database(url)
        runs = [_push_and_reach(database, letter) for letter in "ab"]
        for run in runs:
            message = replace(_make_message(run), message_id=f"<{run}@example.com>")
            end_owned_run(database, _load_as_ended(database, run, State.REACHED), message)
        with database.engine.begin() as connection:
            first = take_message(connection)
            at_once = executor.submit(lambda: [take_message(other), take_message(other)])
            wait([at_once], timeout=5)
        second, third = at_once.result()
        assert first is not None
        assert second is not None
        assert ([first.run, second.run], third) == (runs, None)
        database.close()
        other.close()


def test_run_does_not_end_without_its_message(database: Database) -> None:
    """If the message cannot be stored, the run stays as it was."""
    run = _push_and_reach(database, "a")
    broken = Message(run, "<1@example.com>", "a@example.com", (), None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        end_owned_run(database, _load_as_ended(database, run, State.REACHED), broken)
    assert load_run(database, run).state is State.QUEUED


@pytest.mark.parametrize("verdict", [None, Verdict.BELOW])
def test_reached_needs_a_trial_with_that_verdict(database: Database, verdict: Verdict | None) -> None:
    """Without such a trial, a run cannot end as reached, and no message is stored. It may still end as exhausted."""
    run = _push_and_claim(database, "a")
    if verdict:
        _add_judged_trial(database, run, verdict)
    with pytest.raises(NothingReached):
        end_owned_run(database, _load_as_ended(database, run, State.REACHED), _make_message(run))
    assert (load_run(database, run).state, message_of_run(database, run)) == (State.QUEUED, None)
    end_owned_run(database, _load_as_ended(database, run, State.EXHAUSTED), _make_message(run))
    assert load_run(database, run).state is State.EXHAUSTED


def test_reused_trials_must_have_reached_the_threshold(database: Database) -> None:
    """A run may end as reached if it reuses a trial that reached the threshold, or the whole run with that trial."""
    first = _push_and_claim(database, "a")
    for verdict in (Verdict.BELOW, Verdict.REACHED):
        _add_judged_trial(database, first, verdict)
    for letter, trial, reached in (("b", 1, False), ("c", 2, True), ("d", None, True)):
        run = _push_and_claim(database, letter)
        ended = replace(_load_as_ended(database, run, State.REACHED), reused_run=first, reused_trial=trial)
        with nullcontext() if reached else pytest.raises(NothingReached):
            end_owned_run(database, ended, None)
        assert load_run(database, run).state.ended is reached


def test_only_the_owner_ends_a_run_and_only_once(database: Database, url: str) -> None:
    """A run that another process owns, or that has ended, does not change, and no message is stored for it."""
    run = _push(database, "a")
    process = _claim_in_other_process(url, run)
    with pytest.raises(NotOwner):
        end_owned_run(database, _load_as_ended(database, run, State.FAILED), _make_message(run))
    with pytest.raises(NotOwner):
        change_run(database, run, state=State.BELOW)
    with pytest.raises(NotOwner):
        add_trial(database, run, {})
    with pytest.raises(NotOwner):
        end_trial(database, run, Trial(1, TrialState.MEASURED, {}, accuracy=measured(0.9)))
    assert not end_unowned_run(database, _load_as_ended(database, run, State.FAILED), _make_message(run))
    assert (load_run(database, run).state, load_run(database, run).trials[0].state) == (
        State.QUEUED,
        TrialState.TRAINING,
    )
    process.communicate()
    assert end_unowned_run(database, _load_as_ended(database, run, State.FAILED), _make_message(run))
    again = replace(_make_message(run), message_id="<2@example.com>")
    assert not end_unowned_run(database, _load_as_ended(database, run, State.EXHAUSTED), again)
    message = message_of_run(database, run)
    assert message is not None
    assert (load_run(database, run).state, message.message_id) == (State.FAILED, "<1@example.com>")
    (trial,) = load_run(database, run).trials
    assert (trial.state, trial.reason) == (TrialState.FAILED, Reason.INTERRUPTED)


def test_transaction_is_repeated_unless_its_commit_was_lost(url: str) -> None:
    """Before the commit, nothing is stored. A failed commit may have stored the data, so it is not repeated."""
    patient = Database(url, RetryPolicy(60))
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


def test_interrupted_trial_accepts_no_result(database: Database) -> None:
    """A process that was presumed dead does not overwrite the mark on its trial."""
    run = _push_and_claim(database, "a")
    number = add_trial(database, run, {})
    claim_run(database, run, [State.QUEUED])
    with pytest.raises(NotOwner):
        end_trial(database, run, Trial(number, TrialState.MEASURED, {}, accuracy=measured(0.9)))
    assert load_run(database, run).trials[0].reason is Reason.INTERRUPTED


@pytest.mark.parametrize("requested", [State.CANCELLED, State.SUPERSEDED])
def test_requested_end_excludes_any_other(database: Database, requested: State) -> None:
    """After the request the run accepts no other state, new trial or message, even if a trial reached the threshold."""
    run = _push_and_reach(database, "a")
    assert request_stop(database, run, requested) is not None
    request_stop(database, run, State.CANCELLED)  # too late: the first request counts
    for refused in (
        lambda: end_owned_run(database, _load_as_ended(database, run, State.REACHED), _make_message(run)),
        lambda: change_run(database, run, state=State.BELOW),
        lambda: add_trial(database, run, {}),
    ):
        with pytest.raises(StopRequested) as caught:
            refused()
        assert caught.value.state is requested
    assert add_search_trial(database, run, {"filters": 1}, 9) is None
    end_owned_run(database, _load_as_ended(database, run, requested), None)
    assert (load_run(database, run).state, message_of_run(database, run)) == (requested, None)


def test_run_without_an_owner_is_cancelled_at_once(database: Database) -> None:
    """Cancelling a run that has already ended, or does not exist, is refused."""
    run = _push(database, "a")
    assert request_stop(database, run, State.CANCELLED) is None
    assert load_run(database, run).state is State.CANCELLED
    with pytest.raises(UsageError, match="has already ended"):
        request_stop(database, run, State.CANCELLED)
    with pytest.raises(UsageError, match="There is no run 99"):
        load_run(database, 99)


def test_author_who_becomes_known_later_is_kept(database: Database) -> None:
    """A poll knows only the commit's hash.

    The first delivery adds the message and the author, which later ones do not change.
    """
    bare = Commit("https://github.com/ada/digits.git", "main", "a" * 40)
    run = accept_commit(database, bare, Origin.PUSH, supersede="queued").run
    described = replace(bare, message="First", author_name="Ada", author_email="ada@example.com")
    assert accept_commit(database, described, Origin.PUSH, delivery=("d", "push"), supersede="queued").run == run
    assert load_run(database, run).commit == described
    accept_commit(database, replace(described, author_email="eve@example.com"), Origin.PUSH, supersede="queued")
    assert load_run(database, run).commit == described


def test_force_push_back_to_a_superseded_commit_is_trained(database: Database) -> None:
    """A new delivery of the commit queues its run again. The same delivery again does not."""
    old, new = (Commit("https://github.com/ada/digits.git", "main", letter * 40) for letter in "ab")
    first = accept_commit(database, old, Origin.PUSH, delivery=("1", "push"), supersede="queued").run
    accept_commit(database, new, Origin.PUSH, delivery=("2", "push"), supersede="queued")
    assert load_run(database, first).state is State.SUPERSEDED
    assert not accept_commit(database, old, Origin.PUSH, delivery=("1", "push"), supersede="queued").new
    assert load_run(database, first).state is State.SUPERSEDED
    back = accept_commit(database, old, Origin.PUSH, delivery=("3", "push"), supersede="queued")
    assert (back.run, back.new, load_run(database, first).state) == (first, True, State.QUEUED)
