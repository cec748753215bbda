"""Rows of the tables as the records that the rest of the package knows."""

from typing import Any

from sqlalchemy import Row

from epochal.errors import Reason
from epochal.records import (
    AccuracySource,
    Commit,
    Delivery,
    Evidence,
    Forecast,
    Judgement,
    Origin,
    Run,
    State,
    StoppedBy,
    Strategy,
    Trial,
    TrialState,
    Verdict,
)


def to_run(row: Row[Any], trials: tuple[Trial, ...]) -> Run:
    """A row of ``runs``, with its trials in order."""
    return Run(
        id=row.id,
        commit=Commit(row.repository, row.branch, row.sha, row.message, row.author_name, row.author_email),
        origin=Origin(row.origin),
        state=State(row.state),
        created=row.created,
        started=row.started,
        ended=row.ended,
        reason=Reason(row.reason) if row.reason else None,
        explanation=row.explanation,
        detail=row.detail,
        framework=row.framework,
        framework_why=row.framework_why,
        runtime=row.runtime,
        image=row.image,
        threshold=row.threshold,
        build_url=row.build_url,
        successor=row.successor,
        notes=tuple(row.notes),
        meaning=row.meaning,
        offered=row.offered,
        taken_over=row.taken_over,
        taken_trial=row.taken_trial,
        trials=trials,
    )


def to_trial(row: Row[Any]) -> Trial:
    """A row of ``run_trials``."""
    return Trial(
        number=row.number,
        state=TrialState(row.state),
        hyperparameters=row.hyperparameters,
        epochs_trained=row.epochs_trained,
        accuracy=row.accuracy,
        accuracy_source=AccuracySource(row.accuracy_source) if row.accuracy_source else None,
        seconds=row.seconds,
        reason=Reason(row.reason) if row.reason else None,
        explanation=row.explanation,
        epochs_continued=row.epochs_continued,
        continuation=row.continuation,
        validation_accuracy=row.validation_accuracy,
        stopped_by=StoppedBy(row.stopped_by) if row.stopped_by else None,
        strategy=Strategy(row.strategy),
        forecast=Forecast(**row.forecast) if row.forecast else None,
        samples=row.samples,
        test_set=row.test_set,
        test_rows=row.test_rows,
        looks=row.looks,
        evidence=Evidence(**row.evidence) if row.evidence else Evidence(),
        caught=row.caught,
        validates_on_test=row.validates_on_test,
        judgement=to_judgement(row.judgement) if row.judgement else None,
    )


def to_judgement(stored: dict[str, Any]) -> Judgement:
    """Read the column ``judgement`` of ``run_trials``."""
    known = {name: value for name, value in stored.items() if name != "looks"}  # which the first versions wrote
    return Judgement(**known | {"verdict": Verdict(stored["verdict"])})


def to_delivery(row: Row[Any]) -> Delivery:
    """A row of ``deliveries``."""
    return Delivery(row.id, row.event, row.received, row.result, row.run)
