"""How often the networks of a branch were compared with a test set, counted by the trials that are stored."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from epochal.records import Accuracy, Judgement, Run, Trial
from epochal.results.known_rows import SAME, hashes_in, share_seen
from epochal.store.database import reads, writes
from epochal.store.schema import runs, trials


@reads
def looks_before(connection: Connection, run: Run, trial: Trial) -> int | None:
    """Return how many looks the other judged trials of the branch had at the test set of ``trial``, a trial of ``run``.

    None if nothing is known of that test set, neither its rows nor their number.
    """
    accuracy = trial.accuracy
    if accuracy is None or (accuracy.samples is None and accuracy.test_rows is None):
        return None
    known = [trials.c[f"accuracy_{name}"] for name in ("samples", "test_set", "test_rows")]
    named = [column.label(column.name.removeprefix("accuracy_")) for column in known]
    query = select(*named, func.sum(trials.c.accuracy_looks).label("looks")).join(runs, trials.c.run == runs.c.id)
    query = query.where(
        runs.c.repository == run.commit.repository,
        runs.c.branch == run.commit.branch,
        trials.c.judgement.is_not(None),
        or_(trials.c.run != run.id, trials.c.number != trial.number),
    )
    # Each test set once, with the sum of its looks.
    return _count(accuracy, list(connection.execute(query.group_by(*known))))


@writes
def store_judgement(
    connection: Connection, run: Run, trial: Trial, decide: Callable[[int | None], Judgement]
) -> Judgement:
    """Judge a measured trial, once and for all.

    ``decide`` is given the number of the trial's look at its test set, counted over all runs of the branch; None if the
    test set is not known. What it returns is stored, and returned from then on. What it raises stores nothing.
    """
    branch = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
    # Who looks at the same time waits: each look has its number.
    connection.execute(select(runs.c.id).where(*branch).order_by(runs.c.id).with_for_update()).all()
    same = trials.c.run == run.id, trials.c.number == trial.number
    stored: Judgement | None = connection.execute(select(trials.c.judgement).where(*same)).scalar()
    if stored:
        return stored
    before = looks_before(connection, run, trial)
    judgement = decide(None if before is None or trial.accuracy is None else before + trial.accuracy.looks)
    connection.execute(update(trials).where(*same).values(judgement=judgement))
    return judgement


def _count(accuracy: Accuracy, earlier: Sequence[Row[Any]]) -> int:
    """Add up the looks at those of the ``earlier`` test sets that count for the one of ``accuracy``.

    Of two test sets the rows of one of which are not known, those count that are of one size and not known to differ.
    """
    looks: int = 0
    known = []
    for row in earlier:
        if accuracy.test_rows is not None and row.test_rows is not None:
            known.append(row)
        elif accuracy.samples is not None and accuracy.samples == row.samples:
            may_be_the_same = accuracy.test_set is None or row.test_set in (None, accuracy.test_set)
            looks += row.looks if may_be_the_same else 0
    if accuracy.test_rows is None or share_seen(accuracy.test_rows, [row.test_rows for row in known]) < SAME:
        return looks
    rows = set(hashes_in(accuracy.test_rows))
    looks += sum(row.looks for row in known if not rows.isdisjoint(hashes_in(row.test_rows)))
    return looks
