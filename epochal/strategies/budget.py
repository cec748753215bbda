"""The budget of a run, one for all that retrains it. Values in, values out."""

from collections.abc import Sequence

from epochal.errors import Reason
from epochal.records import Trial
from epochal.settings import RetrainSettings
from epochal.strategies.answer import GiveUp


def used_up(trials: Sequence[Trial], settings: RetrainSettings) -> GiveUp | None:
    """Why no further trial may start after ``trials``, whatever came of them; None if one may.

    An interrupted trial counts for nothing: what it would have trained is trained again.
    """
    counted = [trial for trial in trials if trial.reason is not Reason.INTERRUPTED]
    minutes = sum(trial.seconds or 0.0 for trial in counted) / 60
    if len(counted) >= settings.max_trials:
        return GiveUp(Reason.MAX_TRIALS, f"{len(counted)} trials were trained, and max_trials allows no more.")
    if minutes >= settings.max_minutes:
        return GiveUp(
            Reason.MAX_MINUTES, f"{minutes:.0f} minutes were trained, and max_minutes is {settings.max_minutes:g}."
        )
    return None
