"""The timeline of a run: when it reached each step from the commit to the mail."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from epochal.analysis.frameworks import frameworks
from epochal.app import App
from epochal.records import Delivery, Moment, Run, Step
from epochal.results.metrics import events
from epochal.results.outputs import read_metrics
from epochal.store.deliveries import deliveries_of_run
from epochal.store.outbox import message_of_run
from epochal.store.timeline import marked_moments

_Event = dict[str, int | float | str]


def timeline(
    run: Run,
    deliveries: Iterable[Delivery],
    marks: Sequence[Moment],
    mailed: datetime | None,
    metrics: Mapping[int, str],
    now: datetime,
) -> list[Moment]:
    """Return all known moments of the run, oldest first.

    ``deliveries``: those that belong to the run. ``marks``: the moments that its jobs stored. ``mailed``: when the mail
    server accepted its mail, or None. ``metrics``: the text of each trial's metrics.jsonl by trial number; its moments
    count only if they are within the training, which lasts until ``now`` if no end is marked.
    """
    known = [*marks, Moment(Step.STORED, run.created)]
    known += [Moment(Step.DELIVERED, delivery.received) for delivery in deliveries]
    known += [Moment(Step.RUN_ENDED, run.ended)] if run.ended else []
    known += [Moment(Step.MAILED, mailed)] if mailed else []
    for trial, text in metrics.items():
        known += _read_recorded(trial, text, marks, now)
    order = list(Step)
    once = dict.fromkeys(known)  # the commit time is marked again if the commit is pulled again
    return sorted(once, key=lambda moment: (moment.at, order.index(moment.step)))


def _read_recorded(trial: int, text: str, marks: Sequence[Moment], now: datetime) -> list[Moment]:
    """Return the moments that the recorder wrote during a trial.

    The training code can write to the same file, so times outside of the training are ignored.
    """
    marked = {mark.step: mark.at for mark in marks if mark.trial == trial}
    if Step.TRAINING_STARTED not in marked:
        return []
    began, ended = marked[Step.TRAINING_STARTED].timestamp(), marked.get(Step.TRAINING_ENDED, now).timestamp()
    # Only strings and numbers are needed. type() excludes bool, which is a subclass of int.
    written: list[_Event] = [
        {name: value for name, value in event.items() if type(value) in (int, float, str)} for event in events(text)
    ]
    known = frameworks()  # the event of an import is named after the framework
    imported = next((event for event in written if event.get("event") in known), {})
    fit = _first(written, event="fit")  # of several fits, the first start and the last end are shown
    epoch = _first(written, event="epoch", model=fit.get("model"), call=fit.get("call"))
    times = {  # seconds since 1970, NaN if missing
        Step.PYTHON_STARTED: _seconds(imported, "started"),
        Step.FRAMEWORK_IMPORTED: _seconds(imported, "time"),
        Step.FIT_BEGAN: _seconds(fit, "time"),
        Step.FIRST_EPOCH_ENDED: _seconds(fit, "time") + _seconds(epoch, "seconds"),
        Step.FIT_ENDED: _seconds(_first(written[::-1], event="fitted"), "time"),
    }
    return [
        Moment(step, datetime.fromtimestamp(time, UTC), trial) for step, time in times.items() if began <= time <= ended
    ]


def _first(written: Iterable[_Event], **wanted: int | float | str | None) -> _Event:
    """Return the first event with the given values, or an empty one."""
    matching = (event for event in written if all(event.get(name) == value for name, value in wanted.items()))
    return next(matching, {})


def _seconds(event: _Event, name: str) -> float:
    """Return the seconds that an event has under ``name``; NaN if they are missing, negative or not finite."""
    value = event.get(name, math.nan)
    # Compared before the conversion, because an integer may be too large for a float.
    return float(value) if not isinstance(value, str) and 0 <= value <= sys.float_info.max else math.nan


def moments_of(app: App, run: Run) -> list[Moment]:
    """Return the timeline of a run, which may still be running, oldest moment first."""
    folder = app.home.run(run.id)
    metrics = {trial.number: read_metrics(folder.trial(trial.number).metrics) for trial in run.trials}
    notice = message_of_run(app.database, run.id)
    deliveries, marks = deliveries_of_run(app.database, run.id), marked_moments(app.database, run.id)
    return timeline(run, deliveries, marks, notice.sent if notice else None, metrics, datetime.now(UTC))


def timeline_view(run: Run, moments: Sequence[Moment]) -> dict[str, Any]:
    """Return a timeline as ``--json`` prints it.

    ``at`` is in ISO 8601. ``since_first`` and ``since_before`` are seconds since the first and since the previous
    moment.
    """
    return {
        "run": run.id,
        "timeline": [
            {
                "moment": moment.step,
                "trial": moment.trial,
                "at": moment.at.isoformat(),
                "since_first": first,
                "since_before": before,
            }
            for moment, first, before in _add_seconds(moments)
        ],
    }


def timeline_lines(moments: Sequence[Moment]) -> list[str]:
    """Return a timeline as the lines of a table, the headings first."""
    lines = [f"{'moment':<20}  {'trial':>5}  {'seconds':>10}  {'since before':>12}"]
    for moment, first, before in _add_seconds(moments):
        lines.append(f"{moment.step:<20}  {moment.trial or '':>5}  {first:>10.2f}  {before:>12.2f}")
    return lines


def _add_seconds(moments: Sequence[Moment]) -> Iterator[tuple[Moment, float, float]]:
    """Yield each moment with the seconds since the first one and since the previous one."""
    for before, moment in pairwise([*moments[:1], *moments]):
        yield moment, (moment.at - moments[0].at).total_seconds(), (moment.at - before.at).total_seconds()
