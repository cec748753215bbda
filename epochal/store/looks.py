"""The gate's looks at a branch's test sets, as they are stored with the trials that were looked at."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, or_, select, update

from epochal.records import Judgement, Run, Trial
from epochal.store.rows import to_judgement
from epochal.store.schema import runs, trials


def of_test_set(connection: Connection, run: Run, trial: Trial) -> list[Judgement]:
    """What was said in any run of the branch at earlier looks at the test set of ``trial``, a trial of ``run``.

    Test sets of the same size are the same, unless both are known and differ.
    """
    if trial.samples is None:
        return []
    query = select(trials.c.judgement).join(runs, trials.c.run == runs.c.id)
    query = query.where(
        runs.c.repository == run.commit.repository,
        runs.c.branch == run.commit.branch,
        trials.c.judgement.is_not(None),
        trials.c.samples == trial.samples,
    )
    if trial.test_set is not None:
        query = query.where(or_(trials.c.test_set == trial.test_set, trials.c.test_set.is_(None)))
    return [to_judgement(stored) for stored in connection.execute(query).scalars()]


def judge(
    connection: Connection, run: Run, trial: Trial, decide: Callable[[Sequence[Judgement]], Judgement]
) -> Judgement:
    """What was said of ``trial`` before, else what ``decide`` makes of the earlier looks, which is kept."""
    branch = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
    # Who looks at the same time waits: each look has a number of its own.
    connection.execute(select(runs.c.id).where(*branch).order_by(runs.c.id).with_for_update()).all()
    same = trials.c.run == run.id, trials.c.number == trial.number
    if said := connection.execute(select(trials.c.judgement).where(*same)).scalar():
        return to_judgement(said)
    judgement = decide(of_test_set(connection, run, trial))
    connection.execute(update(trials).where(*same).values(judgement=asdict(judgement)))
    return judgement
