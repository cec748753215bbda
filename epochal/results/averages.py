"""Combine the accuracies of several folds or models into their mean, with the evidence for all of them. No I/O."""

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import replace

from epochal.records import Accuracy, Evidence
from epochal.results.sketches import MIN_SHARED, merge_sketches, read_hashes


def compute_means(values: Sequence[float], samples: Sequence[int | None]) -> tuple[float, float]:
    """Return the mean of several accuracies, and their mean weighted by the numbers of samples."""
    sizes = [each or 1 for each in samples]
    return sum(values) / len(values), sum(map(operator.mul, values, sizes)) / sum(sizes)


def average(parts: Sequence[Accuracy], value: float) -> Accuracy:
    """Return the mean accuracy ``value`` of ``parts``, with the evidence for all their test rows.

    If the test sets share rows, each row counts as one sample, and each part counts as a look.
    """
    last, known = parts[-1], [each.samples for each in parts if each.samples]
    samples = sum(known)
    if not are_distinct(parts):
        samples = max(max(known, default=0), round(samples * _share_of_different_rows(parts)))
    return replace(
        last,
        value=value,
        samples=samples if len(known) == len(parts) else None,
        test_set=_merge_names([each.test_set for each in parts]),
        test_rows=merge_sketches([each.test_rows for each in parts]),
        looks=last.looks if are_distinct(parts) else max(last.looks, len(parts)),
        evidence=_combine([each.evidence for each in parts], [each.samples or 1 for each in parts]),
    )


def are_distinct(parts: Sequence[Accuracy]) -> bool:
    """Return whether the parts were measured on different rows, as the folds of a cross-validation are.

    Rows that repeat in the data do not count as shared. If any rows are unknown, the result is false.
    """
    repeats = max(each.evidence.seen + each.evidence.expected for each in parts)
    return 1 - _share_of_different_rows(parts) <= MIN_SHARED + repeats


def _share_of_different_rows(parts: Sequence[Accuracy]) -> float:
    """Return the number of different rows in all test sets, divided by their total number; 0 if any rows are unknown."""
    hashes = [read_hashes(each.test_rows or b"") for each in parts]
    return len(set().union(*hashes)) / sum(map(len, hashes)) if all(hashes) else 0.0


def _merge_names(test_sets: Sequence[str | None]) -> str | None:
    """Return one name for several test sets, whatever their order; None if one is unknown."""
    names = sorted({each for each in test_sets if each})
    if None in test_sets or len(names) < 2:
        return None if None in test_sets else names[0]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _combine(parts: Sequence[Evidence], sizes: Sequence[int]) -> Evidence:
    """Return the evidence for several test sets together. ``sizes``: their numbers of samples.

    The chance level is the accuracy of always giving the most frequent answer of each test set.
    """

    def weigh(shares: Sequence[float]) -> float:
        return compute_means(shares, sizes)[1]

    chances = [each.chance for each in parts if each.chance is not None]
    return replace(
        parts[-1],
        chance=weigh(chances) if len(chances) == len(parts) else None,
        answer=parts[-1].answer if len({each.answer for each in parts}) == 1 else "",
        checked=all(each.checked for each in parts),
        unchecked=next((each.unchecked for each in parts if not each.checked), ""),
        seen=weigh([each.seen for each in parts]),
        expected=weigh([each.expected for each in parts]),
        accepted=any(each.accepted for each in parts),
        new_labels=weigh([each.new_labels for each in parts]),
    )
