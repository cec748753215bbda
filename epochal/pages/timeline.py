"""Where a run's time went: its moments from the commit to the mail, in order."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from epochal.analysis.frameworks import frameworks
from epochal.app import App
from epochal.records import Delivery, Moment, Run, Step
from epochal.results.metrics import events
from epochal.results.outputs import read_left_text
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
    """All that is known of the run's way, oldest first; what is not known is left out.

    ``deliveries`` are the run's, ``marks`` what its jobs marked, ``mailed`` when its mail was accepted. ``metrics`` is the
    text of each trial's metrics.jsonl by the trial's number: of it counts what happened while the trial trained, where no
    end of the training is marked until ``now``.
    """
    known = [*marks, Moment(Step.STORED, run.created)]
    known += [Moment(Step.DELIVERED, delivery.received) for delivery in deliveries]
    known += [Moment(Step.RUN_ENDED, run.ended)] if run.ended else []
    known += [Moment(Step.MAILED, mailed)] if mailed else []
    for trial, text in metrics.items():
        known += _recorded(trial, text, marks, now)
    order = list(Step)
    once = dict.fromkeys(known)  # a commit that was pulled twice is one moment
    return sorted(once, key=lambda moment: (moment.at, order.index(moment.step)))


def _recorded(trial: int, text: str, marks: Sequence[Moment], now: datetime) -> list[Moment]:
    """What the recorder tells of a trial; training code can write there too, so nothing outside of its time is believed."""
    marked = {mark.step: mark.at for mark in marks if mark.trial == trial}
    if Step.TRAINING_STARTED not in marked:
        return []
    began, ended = marked[Step.TRAINING_STARTED].timestamp(), marked.get(Step.TRAINING_ENDED, now).timestamp()
    times = _times([_plain(event) for event in events(text)])
    return [
        Moment(step, datetime.fromtimestamp(time, UTC), trial) for step, time in times.items() if began <= time <= ended
    ]


def _times(told: Sequence[_Event]) -> dict[Step, float]:
    """Seconds since 1970, NaN where they are not told. Of several fits: the first one's begin, the last one's end."""
    known = frameworks()  # the recorder's event of an import is called as the framework
    imported = next((event for event in told if event.get("event") in known), {})
    fit = _first(told, event="fit")
    epoch = _first(told, event="epoch", model=fit.get("model"), call=fit.get("call"))
    return {
        Step.PYTHON_STARTED: _seconds(imported, "started"),
        Step.FRAMEWORK_IMPORTED: _seconds(imported, "time"),
        Step.FIT_BEGAN: _seconds(fit, "time"),
        Step.FIRST_EPOCH_ENDED: _seconds(fit, "time") + _seconds(epoch, "seconds"),
        Step.FIT_ENDED: _seconds(_first(told[::-1], event="fitted"), "time"),
    }


def _first(told: Iterable[_Event], **wanted: int | float | str | None) -> _Event:
    matching = (event for event in told if all(event.get(name) == value for name, value in wanted.items()))
    return next(matching, {})


def _plain(event: Mapping[str, object]) -> _Event:
    """The words and numbers of an event, which are all that is read here; bool is none of them."""
    return {name: value for name, value in event.items() if type(value) in (int, float, str)}  # type: ignore[misc]


def _seconds(event: _Event, name: str) -> float:
    value = event.get(name, math.nan)
    # Compared before it is converted: an integer may be more than a float can hold.
    return float(value) if not isinstance(value, str) and 0 <= value <= sys.float_info.max else math.nan


def moments_of(app: App, run: Run) -> list[Moment]:
    """The moments of a run, running or ended, oldest first."""
    folder = app.home.run(run.id)
    metrics = {trial.number: read_left_text(folder.trial(trial.number).metrics) or "" for trial in run.trials}
    notice = message_of_run(app.database, run.id)
    deliveries, marks = deliveries_of_run(app.database, run.id), marked_moments(app.database, run.id)
    return timeline(run, deliveries, marks, notice.sent if notice else None, metrics, datetime.now(UTC))
