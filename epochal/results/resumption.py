"""Describe how a trial's fits resumed from checkpoints, and what ended the trial early. No I/O."""

from collections.abc import Sequence

from epochal.analysis.frameworks import describe_resumed_methods
from epochal.records import Fit, StoppedBy

_FROM_THE_BEGINNING = "trained from the beginning"


def describe_resumption(fits: Sequence[Fit], source: str, why: str = "", *, retrain: bool) -> str:
    """Return what a trial resumed from, or why it did not resume; empty if there is nothing to report.

    ``source``: the trial or run whose checkpoints this trial received, such as ``trial 1``; empty if it received none.
    ``why``: why it received none, if that should be reported. ``retrain``: whether the trial was expected to resume; if
    not, a lack of checkpoints is reported only if ``why`` is given.
    """
    if why:
        return f"{_FROM_THE_BEGINNING}: {why}"
    if not fits:
        return f"{_FROM_THE_BEGINNING}: only {describe_resumed_methods()} can be resumed" if retrain or source else ""
    if not source:
        return f"{_FROM_THE_BEGINNING}: there was no checkpoint" if retrain else ""
    parts = []
    for fit in fits:
        description = f"{_FROM_THE_BEGINNING}: {fit.why or 'there was no checkpoint for this fit'}"
        if fit.continued:
            description = f"resumed from epoch {fit.continued} of {source}" + (f" ({fit.why})" if fit.why else "")
        parts.append(description if len(fits) == 1 else f"fit {fit.call} of model {fit.model} {description}")
    return "; ".join(parts)


def find_stop_cause(fits: Sequence[Fit]) -> StoppedBy | None:
    """Return THRESHOLD if the threshold stopped a fit early, SCRIPT if the script stopped all fits early, else None."""
    ends = [fit.stopped_by for fit in fits]
    if StoppedBy.THRESHOLD in ends:
        return StoppedBy.THRESHOLD
    return StoppedBy.SCRIPT if ends and all(end is StoppedBy.SCRIPT for end in ends) else None


def effective_epochs(fits: Sequence[Fit], target_epochs: int) -> int:
    """Return the number of epochs to set in the script to reproduce a trial meant to run for ``target_epochs``.

    The number is smaller than ``target_epochs`` if the only fit with that target was stopped at the threshold.
    """
    matching = [fit for fit in fits if fit.target_epoch == target_epochs]
    if len(matching) == 1 and matching[0].stopped_by is StoppedBy.THRESHOLD:
        return matching[0].last_epoch
    return target_epochs
