"""The timeline of a run: when it reached each step from the commit to the email."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypedDict

from epochal.analysis.frameworks import frameworks
from epochal.app import App
from epochal.records import Delivery, Moment, Run, Step
from epochal.results.metrics import parse_events
from epochal.results.outputs import read_metrics
from epochal.store.deliveries import deliveries_of_run
from epochal.store.outbox import message_of_run
from epochal.store.timeline import list_moments

_Event = dict[str, int | float | str]


def timeline(
    run: Run,
    deliveries: Iterable[Delivery],
    stored: Sequence[Moment],
    mailed: datetime | None,
    metrics: Mapping[int, str],
    now: datetime,
) -> list[Moment]:
    """Return all known moments of the run, oldest first.

    ``deliveries``: the webhook requests that reported the run's commit. ``stored``: the moments that the run's jobs
    stored. ``mailed``: when the mail server accepted the email about the run, or None. ``metrics``: the text of each
    trial's metrics.jsonl, by trial number. A moment in this text counts only if it falls within the trial's training
    time, which is assumed to last until ``now`` if its end is not stored.
    """
    moments = [*stored, Moment(Step.STORED, run.created)]
    moments += [Moment(Step.DELIVERED, delivery.received) for delivery in deliveries]
    moments += [Moment(Step.RUN_ENDED, run.ended)] if run.ended else []
    moments += [Moment(Step.MAILED, mailed)] if mailed else []
    for trial, text in metrics.items():
        moments += _recorded_moments(trial, text, stored, now)
    order = list(Step)
    distinct_moments = dict.fromkeys(moments)  # the commit time is stored again if the commit is pulled again
    return sorted(distinct_moments, key=lambda moment: (moment.at, order.index(moment.step)))


def _recorded_moments(trial: int, text: str, stored: Sequence[Moment], now: datetime) -> list[Moment]:
    """Return the moments recorded in a trial's metrics.jsonl, whose content is ``text``.

    The training code can write to that file, too, so moments outside the trial's training time are ignored.
    """
    step_times = {moment.step: moment.at for moment in stored if moment.trial == trial}
    if Step.TRAINING_STARTED not in step_times:
        return []
    began, ended = step_times[Step.TRAINING_STARTED].timestamp(), step_times.get(Step.TRAINING_ENDED, now).timestamp()
    # Only strings and numbers are needed. type() excludes bool, which is a subclass of int.
    recorded_events: list[_Event] = [
        {name: value for name, value in event.items() if type(value) in (int, float, str)}
        for event in parse_events(text)
    ]
    framework_names = frameworks()  # an import event is named after the imported framework
    import_event = next((event for event in recorded_events if event.get("event") in framework_names), {})
    fit = _find_first(recorded_events, event="fit")  # if there are several fits, show the first start and the last end
    epoch = _find_first(recorded_events, event="epoch", model=fit.get("model"), call=fit.get("call"))
    times = {  # seconds since 1970, NaN if missing
        Step.PYTHON_STARTED: _seconds(import_event, "started"),
        Step.FRAMEWORK_IMPORTED: _seconds(import_event, "time"),
        Step.FIT_BEGAN: _seconds(fit, "time"),
        Step.FIRST_EPOCH_ENDED: _seconds(fit, "time") + _seconds(epoch, "seconds"),
        Step.FIT_ENDED: _seconds(_find_first(recorded_events[::-1], event="fitted"), "time"),
    }
    return [
        Moment(step, datetime.fromtimestamp(time, UTC), trial) for step, time in times.items() if began <= time <= ended
    ]


def _find_first(recorded_events: Iterable[_Event], **values: int | float | str | None) -> _Event:
    """Return the first event with the given values, or an empty event."""
    matching = (event for event in recorded_events if all(event.get(name) == value for name, value in values.items()))
    return next(matching, {})


def _seconds(event: _Event, name: str) -> float:
    """Return an event's field ``name``, a time or duration in seconds; NaN if it is missing, negative or not finite."""
    value = event.get(name, math.nan)
    # Compare before the conversion, because an integer may be too large for a float.
    return float(value) if not isinstance(value, str) and 0 <= value <= sys.float_info.max else math.nan


def load_timeline(app: App, run: Run) -> list[Moment]:
    """Return the timeline of a run, oldest moment first. The run need not have ended."""
    folder = app.home.run(run.id)
    metrics = {trial.number: read_metrics(folder.trial(trial.number).metrics) for trial in run.trials}
    message = message_of_run(app.database, run.id)
    deliveries, stored = deliveries_of_run(app.database, run.id), list_moments(app.database, run.id)
    return timeline(run, deliveries, stored, message.sent if message else None, metrics, datetime.now(UTC))


class MomentView(TypedDict):
    """A moment in a run. The docstrings of the keys appear in docs/reference/json.md."""

    moment: str
    """The name of the step that was reached."""
    trial: int | None
    """The number of the trial that reached the step; null for a step of the whole run."""
    at: str
    """When the step was reached, in ISO 8601 format with a time zone."""
    since_first: float
    """Seconds since the first moment."""
    since_before: float
    """Seconds since the previous moment."""


class TimelineView(TypedDict):
    """The timeline of a run."""

    run: int
    """The run's number."""
    timeline: list[MomentView]
    """The moments, oldest first."""


def timeline_view(run: Run, moments: Sequence[Moment]) -> TimelineView:
    """Return a timeline as ``--json`` prints it."""
    return {
        "run": run.id,
        "timeline": [
            {
                "moment": moment.step.label,
                "trial": moment.trial,
                "at": moment.at.isoformat(),
                "since_first": first,
                "since_before": before,
            }
            for moment, first, before in _add_seconds(moments)
        ],
    }


def timeline_lines(moments: Sequence[Moment]) -> list[str]:
    """Return a timeline as the lines of a table, starting with the headings."""
    lines = [f"{'moment':<20}  {'trial':>5}  {'seconds':>10}  {'since previous':>14}"]
    for moment, first, before in _add_seconds(moments):
        lines.append(f"{moment.step.label:<20}  {moment.trial or '':>5}  {first:>10.2f}  {before:>14.2f}")
    return lines


def _add_seconds(moments: Sequence[Moment]) -> Iterator[tuple[Moment, float, float]]:
    """Yield each moment with the seconds since the first one and since the previous one."""
    for before, moment in pairwise([*moments[:1], *moments]):
        yield moment, (moment.at - moments[0].at).total_seconds(), (moment.at - before.at).total_seconds()
