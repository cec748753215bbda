"""How often the networks of a branch were compared with a test set, counted by the trials that are stored."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from epochal.records import Judgement, Run, Trial
from epochal.results.test_sets import SAME, hashes_in, share_seen
from epochal.store.rows import to_judgement
from epochal.store.schema import runs, trials


def looks_before(connection: Connection, run: Run, trial: Trial) -> int | None:
    """Return how many looks the other judged trials of the branch had at the test set of ``trial``, a trial of ``run``.

    None if nothing is known of that test set, neither its rows nor their number.
    """
    if trial.samples is None and trial.test_rows is None:
        return None
    return _count(trial, _other_test_sets(connection, run, trial))


def judge(connection: Connection, run: Run, trial: Trial, decide: Callable[[int | None], Judgement]) -> Judgement:
    """Return the stored judgement of ``trial``, or store what ``decide`` makes of the number of its look."""
    branch = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
    # Who looks at the same time waits: each look has its number.
    connection.execute(select(runs.c.id).where(*branch).order_by(runs.c.id).with_for_update()).all()
    same = trials.c.run == run.id, trials.c.number == trial.number
    if said := connection.execute(select(trials.c.judgement).where(*same)).scalar():
        return to_judgement(said)
    before = looks_before(connection, run, trial)
    judgement = decide(None if before is None else before + trial.looks)
    connection.execute(update(trials).where(*same).values(judgement=asdict(judgement)))
    return judgement


def _count(trial: Trial, earlier: Sequence[Row[Any]]) -> int:
    """Add up the looks at those of the ``earlier`` test sets that count for the one of ``trial``."""
    known = [row for row in earlier if trial.test_rows is not None and row.test_rows is not None]
    others = [row for row in earlier if trial.test_rows is None or row.test_rows is None]
    looks: int = sum(row.looks for row in others if _may_be_the_same(trial, row))
    if trial.test_rows is None or share_seen(trial.test_rows, [row.test_rows for row in known]) < SAME:
        return looks
    rows = set(hashes_in(trial.test_rows))
    looks += sum(row.looks for row in known if not rows.isdisjoint(hashes_in(row.test_rows)))
    return looks


def _may_be_the_same(trial: Trial, row: Row[Any]) -> bool:
    """Whether two test sets, the rows of one of which are not known, are of one size, and not known to differ."""
    if trial.samples is None or trial.samples != row.samples:
        return False
    return trial.test_set is None or row.test_set is None or trial.test_set == row.test_set


def _other_test_sets(connection: Connection, run: Run, trial: Trial) -> list[Row[Any]]:
    """The test sets of the branch's judged trials, but for ``trial``, each once, with the sum of its looks."""
    known = trials.c.samples, trials.c.test_set, trials.c.test_rows
    query = select(*known, func.sum(trials.c.looks).label("looks")).join(runs, trials.c.run == runs.c.id)
    query = query.where(
        runs.c.repository == run.commit.repository,
        runs.c.branch == run.commit.branch,
        trials.c.judgement.is_not(None),
        or_(trials.c.run != run.id, trials.c.number != trial.number),
    )
    return list(connection.execute(query.group_by(*known)))
