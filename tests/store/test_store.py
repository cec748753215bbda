"""The store: the runs' own table is the queue."""

import json
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
    Judgement,
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
from epochal.results.test_sets import share_seen
from epochal.store import (
    Busy,
    CommitLost,
    NothingReached,
    Notice,
    NoticeState,
    NotOwner,
    Patience,
    StopRequested,
    Store,
)
from epochal.store.schema import HEAD, VERSION_TABLE, metadata


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a new database."""
    return f"sqlite:///{tmp_path / 'epochal.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store of its own."""
    store = Store(url)
    yield store
    store.close()


def _commit(letter: str, branch: str = "main") -> Commit:
    return Commit("/srv/digits.git", branch, letter * 40)


def _push(store: Store, letter: str, *, branch: str = "main", supersede: str = "queued") -> int:
    return store.accept(
        _commit(letter, branch), Origin.PUSH, delivery=(f"id-{letter}", "push"), supersede=supersede
    ).run


def _claimed(store: Store, letter: str, branch: str = "main") -> int:
    """Push a commit and make this process the owner of its run."""
    run = _push(store, letter, branch=branch)
    store.claim(run, [State.QUEUED])
    return run


def _train(store: Store, run: int, verdict: Verdict) -> Trial:
    """Give the run a trial with this verdict."""
    trial = Trial(store.start_trial(run, {}), TrialState.MEASURED, {}, accuracy=0.8)
    store.end_trial(run, trial)
    store.judge(store.run(run), trial, lambda earlier: Judgement(verdict))
    return trial


def _reached(store: Store, letter: str) -> int:
    """Push a commit whose run this process owns, with a trial that reached its threshold."""
    run = _claimed(store, letter)
    _train(store, run, Verdict.REACHED)
    return run


def _ended(store: Store, run: int, state: State) -> Run:
    return replace(store.run(run), state=state, ended=datetime.now(UTC))


def _notice(run: int) -> Notice:
    return Notice(run, "<1@example.com>", "a@example.com", ("b@example.com",), b"Subject: x\r\n\r\n")


def _claimed_elsewhere(url: str, run: int) -> "subprocess.Popen[str]":
    """Start a process that owns the run and trains a trial of it until its standard input is closed."""
    script = (
        "import sys; from epochal.store import Store; from epochal.records import State\n"
        f"store = Store({url!r}); store.claim({run}, [State.QUEUED]); store.start_trial({run}, {{}})\n"
        "print('claimed', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "claimed\n"
    return process


def test_migrations_lead_to_the_schema(store: Store, url: str) -> None:
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
    Store(url).close()
    with create_engine(url).begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(EpochalError, match="written by a newer one"):
        Store(url)


def test_a_url_that_is_none_is_named() -> None:
    """A database URL that SQLAlchemy cannot open is a settings error."""
    with pytest.raises(SettingsError, match="database"):
        Store("no-such-database://x")


def test_a_delivery_starts_one_run_however_often_it_comes(store: Store) -> None:
    """The same delivery, and another trigger for the same commit, lead to the run that is there."""
    first = store.accept(_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    again = store.accept(_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued")
    polled = store.accept(_commit("a"), Origin.PUSH, supersede="queued")
    assert (first.new, again.new, polled.new) == (True, False, False)
    assert first.run == again.run == polled.run
    assert store.accept(_commit("a"), Origin.PERSON, supersede="queued").new


def test_every_mark_is_kept(store: Store) -> None:
    """What a run came to twice is there twice, in order; a moment that is told is kept as it is, and runs are told apart."""
    run, other = _push(store, "a"), _push(store, "b", branch="develop")
    made, before = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime.now(UTC)
    store.mark(run, Step.TRAIN_STARTED)
    store.mark(other, Step.TRAIN_STARTED)
    store.mark(run, Step.TRAINING_STARTED, 2)
    store.mark(run, Step.TRAIN_STARTED)
    store.mark(run, Step.COMMITTED, at=made)
    *now, committed = store.marks(run)
    assert committed == Moment(Step.COMMITTED, made)
    assert [(mark.step, mark.trial) for mark in now] == [
        (Step.TRAIN_STARTED, None),
        (Step.TRAINING_STARTED, 2),
        (Step.TRAIN_STARTED, None),
    ]
    assert before <= now[0].at <= now[1].at <= now[2].at <= datetime.now(UTC)


def test_a_delivery_comes_before_its_run(store: Store) -> None:
    """A run knows the deliveries of its commit, and the one that started it was received before it was stored."""
    run, _other = _push(store, "a"), _push(store, "b", branch="develop")
    store.accept(_commit("a"), Origin.PUSH, delivery=("again", "push"), supersede="queued")
    deliveries = store.deliveries_of(run)
    assert [delivery.id for delivery in deliveries] == ["id-a", "again"]
    assert deliveries[0].received <= store.run(run).created


def test_two_deliveries_at_once_are_one_run(url: str) -> None:
    """Threads that store the same push at the same moment get the same run."""
    stores = [Store(url) for _ in range(4)]
    found: list[int] = []
    threads = [threading.Thread(target=lambda store=store: found.append(_push(store, "a"))) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    for store in stores:
        store.close()


def test_an_ignored_delivery_may_come_again(store: Store) -> None:
    """A delivery that started no run is remembered, and can still start one."""
    store.ignore("1", "push", "other branch")
    assert [(delivery.id, delivery.result) for delivery in store.deliveries()] == [("1", "other branch")]
    assert store.accept(_commit("a"), Origin.PUSH, delivery=("1", "push"), supersede="queued").new


def test_a_newer_commit_supersedes_queued_ones_only(store: Store, url: str) -> None:
    """Of three pushes the first trains, the second is superseded by the third; another branch is not touched."""
    first, elsewhere = _push(store, "a"), _push(store, "d", branch="develop")
    process = _claimed_elsewhere(url, first)
    second, third = _push(store, "b"), _push(store, "c")
    states = {run.id: run.state for run in store.history()}
    assert states == {
        first: State.QUEUED,
        elsewhere: State.QUEUED,
        second: State.SUPERSEDED,
        third: State.QUEUED,
    }
    assert store.run(second).successor == third
    process.communicate()


def test_a_newer_commit_may_stop_a_running_one(store: Store, url: str) -> None:
    """With supersede = running the owner of the older run is told to stop."""
    first = _push(store, "a")
    process = _claimed_elsewhere(url, first)
    accepted = store.accept(_commit("b"), Origin.PUSH, supersede="running")
    assert accepted.stop == (store.owner(first),)
    assert store.stop_requested(first) is State.SUPERSEDED
    process.communicate()


def test_runs_of_a_branch_come_in_order(store: Store, url: str) -> None:
    """While a run of a branch is not ended, no newer one of it is given out; another branch's is."""
    first = _push(store, "a")
    process = _claimed_elsewhere(url, first)
    second = _push(store, "b")
    other = _push(store, "c", branch="develop")
    given = store.next_run([])
    assert given is not None
    assert given.id == other
    process.communicate()  # the first run's owner is gone: the run is free again, before the second
    given = store.next_run([])
    assert given is not None
    assert given.id == first
    store.claim(first, [State.QUEUED])
    store.end_run(replace(store.run(first), state=State.FAILED, ended=datetime.now(UTC)), None)
    given = store.next_run([other])
    assert given is not None
    assert given.id == second


def test_a_run_has_one_owner(store: Store, url: str) -> None:
    """A run that a living process works on cannot be claimed; after that process is killed it can, its trial interrupted."""
    run = _push(store, "a")
    process = _claimed_elsewhere(url, run)
    with pytest.raises(Busy):
        store.claim(run, [State.QUEUED])
    process.kill()
    process.communicate()
    assert store.claim(run, [State.QUEUED]).trials[0].reason is Reason.INTERRUPTED
    store.release(run)
    with pytest.raises(Busy, match="nothing to do"):
        store.claim(run, [State.BELOW])


def test_only_the_trials_of_the_dead_are_interrupted(store: Store, url: str) -> None:
    """Whoever claims a run leaves the trial alone that another living process trains for it; when that one dies, its
    trial may be buried. Of the budget an interrupted trial takes nothing."""
    run = _push(store, "a")
    script = (
        "import sys; from epochal.store import Store\n"
        f"print(Store({url!r}).start_searching_trial({run}, {{'filters': 1}}, 2), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "1\n"
    assert store.start_searching_trial(run, {"filters": 1}, 2) is None
    assert store.start_searching_trial(run, {"filters": 2}, 2) == 2
    states = [trial.state for trial in store.claim(run, [State.QUEUED]).trials]
    assert states == [TrialState.TRAINING, TrialState.FAILED]  # the second one is of this process, from before
    assert not store.bury_trials(run)
    assert [len(store.others_training(run)), store.is_training(run, 1), store.is_training(run, 2)] == [1, True, False]
    assert [store.start_searching_trial(run, {"filters": number}, 2) for number in (2, 3)] == [3, None]
    process.kill()
    process.communicate()
    assert store.bury_trials(run)
    assert store.run(run).trials[0].reason is Reason.INTERRUPTED
    assert store.others_training(run) == []


def test_a_trial_keeps_what_came_of_it(store: Store) -> None:
    """What is stored of a trial is what is read of it, and the best one is the most accurate."""
    run = _claimed(store, "a")
    for accuracy in (0.71, 0.83, 0.79):
        number = store.start_trial(run, {"epochs": 30, "learning_rate": 1e-3})
        measured = Trial(
            number,
            TrialState.MEASURED,
            {"epochs": 24, "learning_rate": 1e-3},
            4,
            accuracy,
            AccuracySource.EVALUATE,
            3.5,
            epochs_continued=20,
            continuation="continued from epoch 20 of trial 1",
            validation_accuracy=0.8,
            stopped_by=StoppedBy.THRESHOLD,
            samples=360,
            test_set="1f0c",
            validates_on_test=True,
        )
        store.end_trial(run, measured)
    found = store.run(run)
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    assert found.best == replace(measured, number=2, accuracy=0.83)


def _judged(store: Store, run: int, samples: int | None = None, test_set: str | None = None, **more: Any) -> int | None:
    """The number of the look of a new trial of the run."""
    number = store.start_trial(run, {})
    trial = Trial(number, TrialState.MEASURED, {}, accuracy=0.8, samples=samples, test_set=test_set, **more)
    store.end_trial(run, trial)

    def decide(look: int | None) -> Judgement:
        return Judgement(Verdict.BELOW, look, 0.95, 0.0025, 0.77, 0.84)

    said = store.judge(store.run(run), trial, decide)
    assert store.judge(store.run(run), trial, decide) == said == store.run(run).trials[-1].judgement
    return said.look


def _sketch(rows: Iterable[int]) -> bytes:
    """The 1,024 smallest of the rows' hashes, as the recorder writes them."""
    return b"".join(row.to_bytes(8, "little") for row in sorted(rows)[:1024])


def test_looks_at_a_test_set_are_counted_over_the_runs_of_a_branch(store: Store) -> None:
    """Test sets of one size are the same unless they are known to differ; another branch counts for itself."""
    first, second, elsewhere = _claimed(store, "a"), _claimed(store, "b"), _claimed(store, "c", "develop")
    given = [(first, 360, "one"), (first, 360, "one"), (second, 360, "one"), (second, 360, "two"), (second, 361, "one")]
    assert [_judged(store, *each) for each in given] == [1, 2, 3, 1, 1]
    assert _judged(store, second, 360, None) == 5  # it may be either of them
    assert _judged(store, second, 360, "two") == 3
    assert _judged(store, elsewhere, 360, "one") == 1
    assert [_judged(store, second) for _ in range(2)] == [None, None]
    assert store.looks_before(store.run(first), store.run(first).trials[0]) == 3


def test_a_test_set_is_known_by_its_rows(store: Store) -> None:
    """Rows decide, not digest or size: fewer than 5 % from an earlier set is a new one; else every set that shares a row
    counts."""
    first, second = _claimed(store, "a"), _claimed(store, "b")
    numbers = random.Random(11)
    old, other = ([numbers.getrandbits(64) for _ in range(500)] for _ in range(2))
    fresh = [numbers.getrandbits(64) for _ in range(1000)]
    assert _judged(store, first, 500, "one", test_rows=_sketch(old)) == 1
    assert _judged(store, second, 500, "two", test_rows=_sketch(reversed(old))) == 2
    assert _judged(store, second, 500, "one", test_rows=_sketch(other)) == 1
    assert _judged(store, second, 500, "one", test_rows=_sketch(old[:20] + fresh[:480])) == 1  # 4 % are old
    assert _judged(store, second, 500, "one", test_rows=_sketch(old[:30] + fresh[500:970])) == 4  # 6 % are
    half = _sketch(old[250:] + other[250:])
    assert _judged(store, second, 500, "one", test_rows=half) == 4  # of two sets, one of them twice
    assert _judged(store, second, 500, "one", test_rows=half) == 5


def test_rows_that_are_not_known_of_both_do_not_decide(store: Store) -> None:
    """Then the test sets of one size are the same, unless digests differ; rows alone are enough to count."""
    run = _claimed(store, "a")
    rows = _sketch(range(360))
    assert _judged(store, run, 360, "one") == 1
    assert _judged(store, run, 360, "one", test_rows=rows) == 2
    assert _judged(store, run, 360, "two", test_rows=rows) == 2
    assert _judged(store, run, 360, "two") == 2
    assert _judged(store, run, test_rows=_sketch(range(360))) == 3
    assert _judged(store, run, test_rows=_sketch(range(1000, 1360))) == 1


def test_each_comparison_within_a_training_is_a_look(store: Store) -> None:
    """A training that compared 150 networks with its test set had 150 looks."""
    run = _claimed(store, "a")
    assert [_judged(store, run, 360, "one", looks=looks) for looks in (1, 150, 1)] == [1, 151, 152]


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


def test_a_look_that_fails_is_none(store: Store) -> None:
    """Where the gate cannot decide, nothing is stored."""
    run = _claimed(store, "a")
    trial = Trial(store.start_trial(run, {}), TrialState.MEASURED, {}, accuracy=0.8)

    def refuse(look: int | None) -> Judgement:
        raise RunFailed(Reason.NO_SAMPLES)

    with pytest.raises(RunFailed):
        store.judge(store.run(run), trial, refuse)
    assert store.run(run).trials[0].judgement is None


def test_a_database_of_the_first_versions_is_read(url: str) -> None:
    """Judgements that planned their looks, and runs that had none left, are read as they are meant today."""
    store = Store(url)
    run = _claimed(store, "a")
    store.end_trial(run, Trial(store.start_trial(run, {}), TrialState.MEASURED, {}, accuracy=0.8, samples=360))
    store.close()
    with create_engine(url).begin() as connection:
        for column in ("test_rows", "looks", "evidence", "caught"):
            connection.execute(text(f"ALTER TABLE run_trials DROP COLUMN {column}"))
        said = {"verdict": "below", "look": 21, "looks": 20, "confidence": 0.95, "spent": 0.0}
        said |= {"bound": None, "required": None}
        connection.execute(text("UPDATE run_trials SET judgement = :said"), {"said": json.dumps(said)})
        connection.execute(text("UPDATE runs SET reason = 'no_looks', explanation = 'None was left.'"))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0008'"))
    store = Store(url)
    found = store.run(run)
    assert (found.reason, found.explanation) == (Reason.TOO_FEW_SAMPLES, "None was left.")
    assert found.trials[0].judgement == Judgement(Verdict.BELOW, 21, 0.95)
    assert (found.trials[0].looks, found.trials[0].evidence) == (1, Evidence())
    assert _judged(store, _claimed(store, "b"), 360) == 2
    store.close()


def test_the_end_and_its_notice_are_stored_together(store: Store) -> None:
    """A notice is taken by one sender at a time, and not again once it was sent."""
    run = _reached(store, "a")
    notice = _notice(run)
    store.end_run(_ended(store, run, State.REACHED), notice)
    taken = store.take_notice()
    assert taken is not None
    assert (taken.message, taken.recipients, taken.message_id) == (notice.message, notice.recipients, notice.message_id)
    assert store.take_notice() is None
    store.settle_notice(taken.id, NoticeState.PENDING, "connection refused")
    assert store.take_notice(after=taken.id) is None
    again = store.take_notice()
    assert again is not None
    assert (again.id, again.attempts) == (taken.id, 2)
    before = datetime.now(UTC)
    store.settle_notice(taken.id, NoticeState.SENT, "sent")
    assert store.take_notice() is None
    settled = store.notice(run)
    assert settled is not None
    assert settled.sent is not None
    assert before <= settled.sent <= datetime.now(UTC)


def test_an_end_whose_notice_cannot_be_stored_is_no_end(store: Store) -> None:
    """If the notice fails the run stays as it was: no end is ever without its notice."""
    run = _reached(store, "a")
    broken = Notice(run, "<1@example.com>", "a@example.com", (), None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        store.end_run(_ended(store, run, State.REACHED), broken)
    assert store.run(run).state is State.QUEUED


@pytest.mark.parametrize("verdict", [None, Verdict.BELOW])
def test_reached_needs_a_trial_that_was_judged_so(store: Store, verdict: Verdict | None) -> None:
    """Whoever asks: a run none of whose trials reached the threshold is neither stored as reached nor announced."""
    run = _claimed(store, "a")
    if verdict:
        _train(store, run, verdict)
    with pytest.raises(NothingReached):
        store.end_run(_ended(store, run, State.REACHED), _notice(run))
    assert (store.run(run).state, store.notice(run)) == (State.QUEUED, None)
    store.end_run(_ended(store, run, State.EXHAUSTED), _notice(run))
    assert store.run(run).state is State.EXHAUSTED


def test_a_reused_run_must_have_reached_it(store: Store) -> None:
    """A run that reuses another one is reached if that one's trials are; with one trial, if that trial is."""
    first = _claimed(store, "a")
    for verdict in (Verdict.BELOW, Verdict.REACHED):
        _train(store, first, verdict)
    for letter, trial, reached in (("b", 1, False), ("c", 2, True), ("d", None, True)):
        run = _claimed(store, letter)
        ended = replace(_ended(store, run, State.REACHED), taken_over=first, taken_trial=trial)
        with nullcontext() if reached else pytest.raises(NothingReached):
            store.end_run(ended, None)
        assert store.run(run).state.ended is reached


def test_only_its_owner_ends_a_run_and_only_once(store: Store, url: str) -> None:
    """While another process owns a run, or once it has ended, its row stays as it is and no notice is stored."""
    run = _push(store, "a")
    process = _claimed_elsewhere(url, run)
    with pytest.raises(NotOwner):
        store.end_run(_ended(store, run, State.FAILED), _notice(run))
    with pytest.raises(NotOwner):
        store.change(run, state=State.BELOW.value)
    with pytest.raises(NotOwner):
        store.start_trial(run, {})
    with pytest.raises(NotOwner):
        store.end_trial(run, Trial(1, TrialState.MEASURED, {}, accuracy=0.9))
    assert not store.end_unowned_run(_ended(store, run, State.FAILED), _notice(run))
    assert (store.run(run).state, store.run(run).trials[0].state) == (State.QUEUED, TrialState.TRAINING)
    process.communicate()
    assert store.end_unowned_run(_ended(store, run, State.FAILED), _notice(run))
    again = replace(_notice(run), message_id="<2@example.com>")
    assert not store.end_unowned_run(_ended(store, run, State.EXHAUSTED), again)
    notice = store.notice(run)
    assert notice is not None
    assert (store.run(run).state, notice.message_id) == (State.FAILED, "<1@example.com>")


def test_a_transaction_is_repeated_unless_its_commit_was_lost(url: str) -> None:
    """Before the commit nothing was stored; after it nobody knows, and to repeat it might store the same twice."""
    patient = Store(url, Patience(60))
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
                patient.ignore("1", when, "")
        finally:
            event.remove(Engine, when, fail)
        assert failing == []
    assert [delivery.event for delivery in patient.deliveries()] == ["begin"]
    patient.close()


def test_a_trial_that_was_given_up_keeps_no_result(store: Store) -> None:
    """A process that was taken for dead, and whose trial was marked as interrupted, does not write its result over that."""
    run = _claimed(store, "a")
    number = store.start_trial(run, {})
    store.claim(run, [State.QUEUED])
    with pytest.raises(NotOwner):
        store.end_trial(run, Trial(number, TrialState.MEASURED, {}, accuracy=0.9))
    assert store.run(run).trials[0].reason is Reason.INTERRUPTED


@pytest.mark.parametrize("asked", [State.CANCELLED, State.SUPERSEDED])
def test_what_was_asked_to_end_ends_as_asked(store: Store, asked: State) -> None:
    """From the request on the run accepts no other state, new trial or notice, even with a trial that reached it."""
    run = _reached(store, "a")
    assert store.request_stop(run, asked) is not None
    store.request_stop(run, State.CANCELLED)  # too late: the first request counts
    for refused in (
        lambda: store.end_run(_ended(store, run, State.REACHED), _notice(run)),
        lambda: store.change(run, state=State.BELOW.value),
        lambda: store.start_trial(run, {}),
    ):
        with pytest.raises(StopRequested) as caught:
            refused()
        assert caught.value.state is asked
    assert store.start_searching_trial(run, {"filters": 1}, 9) is None
    store.end_run(_ended(store, run, asked), None)
    assert (store.run(run).state, store.notice(run)) == (asked, None)


def test_a_run_that_nobody_works_on_is_cancelled_at_once(store: Store) -> None:
    """Cancelling ends a queued run; one that has ended, or that there is not, is refused by name."""
    run = _push(store, "a")
    assert store.request_stop(run, State.CANCELLED) is None
    assert store.run(run).state is State.CANCELLED
    with pytest.raises(UsageError, match="has ended already"):
        store.request_stop(run, State.CANCELLED)
    with pytest.raises(UsageError, match="There is no run 99"):
        store.run(99)


def test_an_author_who_becomes_known_later_is_kept(store: Store) -> None:
    """A poll knows a commit's name only; the delivery of the same commit tells whose it is, and the first word stays."""
    bare = Commit("https://github.com/ada/digits.git", "main", "a" * 40)
    run = store.accept(bare, Origin.PUSH, supersede="queued").run
    told = replace(bare, message="First", author_name="Ada", author_email="ada@example.com")
    assert store.accept(told, Origin.PUSH, delivery=("d", "push"), supersede="queued").run == run
    assert store.run(run).commit == told
    store.accept(replace(told, author_email="eve@example.com"), Origin.PUSH, supersede="queued")
    assert store.run(run).commit == told


def test_a_forced_push_back_to_a_superseded_commit_is_trained(store: Store) -> None:
    """A new delivery of a commit that was superseded queues its run again; the same delivery once more does not."""
    old, new = (Commit("https://github.com/ada/digits.git", "main", letter * 40) for letter in "ab")
    first = store.accept(old, Origin.PUSH, delivery=("1", "push"), supersede="queued").run
    store.accept(new, Origin.PUSH, delivery=("2", "push"), supersede="queued")
    assert store.run(first).state is State.SUPERSEDED
    assert not store.accept(old, Origin.PUSH, delivery=("1", "push"), supersede="queued").new
    assert store.run(first).state is State.SUPERSEDED
    back = store.accept(old, Origin.PUSH, delivery=("3", "push"), supersede="queued")
    assert (back.run, back.new, store.run(first).state) == (first, True, State.QUEUED)
