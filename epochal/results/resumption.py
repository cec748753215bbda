"""What the fits of a trial say about it: which epochs it resumed from, and what ended it early. No I/O."""

from collections.abc import Sequence

from epochal.analysis.frameworks import resumed_in_words
from epochal.records import Fit, StoppedBy

_FROM_THE_BEGINNING = "trained from the beginning"


def resumption_in_words(fits: Sequence[Fit], source: str, why: str = "", *, retrain: bool) -> str:
    """Return what a trial resumed from, or why it did not; empty for a first trial that had nothing to resume from.

    ``source``: the trial or run whose checkpoints it was given (``trial 1``); empty if it was given none. ``why``: why
    it was given none, if that is to be reported. ``retrain``: whether the trial was expected to resume.
    """
    if why:
        return f"{_FROM_THE_BEGINNING}: {why}"
    if not fits:
        return f"{_FROM_THE_BEGINNING}: only {resumed_in_words()} can be continued" if retrain or source else ""
    if not source:
        return f"{_FROM_THE_BEGINNING}: there was no checkpoint" if retrain else ""
    parts = []
    for fit in fits:
        said = f"{_FROM_THE_BEGINNING}: {fit.why or 'there was no checkpoint of it'}"
        if fit.continued:
            said = f"continued from epoch {fit.continued} of {source}" + (f" ({fit.why})" if fit.why else "")
        parts.append(said if len(fits) == 1 else f"fit {fit.call} of model {fit.model} {said}")
    return "; ".join(parts)


def stopped_by(fits: Sequence[Fit]) -> StoppedBy | None:
    """Return what ended a trial early: THRESHOLD if that ended any fit, SCRIPT if the script ended all, or None."""
    ends = [fit.stopped_by for fit in fits]
    if StoppedBy.THRESHOLD in ends:
        return StoppedBy.THRESHOLD
    return StoppedBy.SCRIPT if ends and all(end is StoppedBy.SCRIPT for end in ends) else None


def settled_epochs(fits: Sequence[Fit], wanted: int) -> int:
    """Return the number of epochs that reproduces a trial with ``wanted`` epochs.

    It is smaller if the only fit with that many epochs was stopped at the threshold.
    """
    meant = [fit for fit in fits if fit.wanted == wanted]
    if len(meant) == 1 and meant[0].stopped_by is StoppedBy.THRESHOLD:
        return meant[0].last_epoch
    return wanted
