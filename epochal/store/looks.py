"""Count how often a branch's models were evaluated on the same test set, and store judgements."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from epochal.records import Accuracy, Judgement, Run, Trial
from epochal.results.sketches import MIN_SHARED, estimate_shared_rows, read_hashes
from epochal.store.database import reads, writes
from epochal.store.schema import runs, trials


@reads
def looks_before(connection: Connection, run: Run, trial: Trial) -> int | None:
    """Count the looks at the test set of ``trial``: how often other trials of the branch evaluated a model on it.

    ``trial`` is a trial of ``run``. Only judged trials count. Returns None if neither the rows of the test set nor their
    number is known.
    """
    accuracy = trial.accuracy
    if accuracy is None or (accuracy.samples is None and accuracy.test_rows is None):
        return None
    known = [trials.c[f"accuracy_{name}"] for name in ("samples", "test_set", "test_rows")]
    labelled = [column.label(column.name.removeprefix("accuracy_")) for column in known]
    query = select(*labelled, func.sum(trials.c.accuracy_looks).label("looks")).join(runs, trials.c.run == runs.c.id)
    query = query.where(
        runs.c.repository == run.commit.repository,
        runs.c.branch == run.commit.branch,
        trials.c.judgement.is_not(None),
        or_(trials.c.run != run.id, trials.c.number != trial.number),
    )
    # The query returns one row for each test set, with the sum of the looks at it.
    return _count_looks(accuracy, list(connection.execute(query.group_by(*known))))


@writes
def store_judgement(
    connection: Connection, run: Run, trial: Trial, decide: Callable[[int | None], Judgement]
) -> Judgement:
    """Judge a measured trial with ``decide``, store the judgement and return it.

    If a judgement is already stored, it is returned unchanged. ``decide`` is called with the number of this look at the
    test set, counted from 1 across all runs of the branch, or with None if the test set is unknown. If ``decide``
    raises an exception, nothing is stored.
    """
    branch = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
    # Lock the branch, so that trials that are judged at the same time get different numbers.
    connection.execute(select(runs.c.id).where(*branch).order_by(runs.c.id).with_for_update()).all()
    same = trials.c.run == run.id, trials.c.number == trial.number
    stored: Judgement | None = connection.execute(select(trials.c.judgement).where(*same)).scalar()
    if stored:
        return stored
    before = looks_before(connection, run, trial)
    judgement = decide(None if before is None or trial.accuracy is None else before + trial.accuracy.looks)
    connection.execute(update(trials).where(*same).values(judgement=judgement))
    return judgement


def _count_looks(accuracy: Accuracy, earlier: Sequence[Row[Any]]) -> int:
    """Return the number of earlier looks at the test set of ``accuracy``.

    The looks at a test set in ``earlier`` are counted if it seems to be the same set. If the rows of both are known,
    they must have a row in common, and all earlier sets with known rows must together contain at least a fraction
    ``MIN_SHARED`` of the current rows. Otherwise, the sizes must be known and equal, and the digests must be equal
    unless either is unknown.
    """
    looks: int = 0
    known = []
    for row in earlier:
        if accuracy.test_rows is not None and row.test_rows is not None:
            known.append(row)
        elif accuracy.samples is not None and accuracy.samples == row.samples:
            may_be_the_same = accuracy.test_set is None or row.test_set in (None, accuracy.test_set)
            looks += row.looks if may_be_the_same else 0
    if (
        accuracy.test_rows is None
        or estimate_shared_rows(accuracy.test_rows, [row.test_rows for row in known]) < MIN_SHARED
    ):
        return looks
    rows = set(read_hashes(accuracy.test_rows))
    looks += sum(row.looks for row in known if not rows.isdisjoint(read_hashes(row.test_rows)))
    return looks
