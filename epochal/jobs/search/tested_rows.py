"""Advise on a search whose trials are tested on different rows."""

from collections.abc import Sequence

from epochal.analysis.findings import Source, draws_unseeded, find_unseeded_splits
from epochal.errors import Reason
from epochal.grammar import join_words
from epochal.jobs.search.space import Dimension
from epochal.records import Trial


def advise_same_rows(
    sources: tuple[Source, ...], space: Sequence[Dimension], trials: Sequence[Trial], other: Trial
) -> str:
    """Return advice on testing all trials on the same rows.

    ``other``: a trial whose test rows differ from the first trial's. The advice names the split that has no seed, if
    any. Otherwise, if all of the code's random draws are seeded, it names the constants in ``space`` that differ between
    the two trials.
    """
    if split := next((each for each in find_unseeded_splits(sources) if each.kind == "unseeded_split"), None):
        return f"Seed the split on line {split.line} of {split.path}. {split.remedy}"
    first = next((each for each in trials if each.accuracy and each.number != other.number), other)
    names = [dimension.constant.name for dimension in space]
    changed = [name for name in names if first.hyperparameters.get(name) != other.hyperparameters.get(name)]
    if not changed or draws_unseeded(sources):
        return Reason.TEST_SET_CHANGED.remedy
    if len(changed) == 1:
        return f"Remove {changed[0]} from [search]: it decides which rows are test data."
    return f"Remove from [search] the constant that decides which rows are test data: {join_words(changed, 'or')}."
