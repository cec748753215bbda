"""Estimate the share of a test set that was in earlier test sets by comparing the smallest hashes of their rows.

This module does no I/O.
"""

import struct
from collections.abc import Iterable

from epochal.records import Accuracy

MIN_SHARED = 0.05
"""A test set counts as new if less than this share of its rows was in earlier test sets."""
_SKETCH_SIZE = 1024
"""The maximum number of hashes in a sketch. A smaller sketch contains the hashes of all rows of its test set."""
_MAX_HASH = 2**64 - 1


def estimate_shared_rows(rows: bytes, earlier: Iterable[bytes]) -> float:
    """Estimate the share (0 to 1) of a test set's rows that are in at least one of the ``earlier`` test sets.

    ``rows`` and ``earlier`` are sketches, in the format of ``Accuracy.test_rows``. A sketch contains the smallest row
    hashes of its test set, and the rows with these hashes are a random sample of all rows (bottom-k sketches; Cohen
    and Kaplan 2007, "Summarizing data using bottom-k sketches").

    The larger a test set, the smaller the largest hash in its sketch, so sketches can be compared only up to a limit
    (see ``_upper_limit``). For each sketch in ``earlier``, the hashes in ``rows`` that do not exceed its limit are
    looked up in all earlier sketches with at least that limit. The highest share of hashes found is returned.
    """
    own = read_hashes(rows)
    share, union = 0.0, set[int]()
    for sketch in sorted(map(read_hashes, earlier), key=_upper_limit, reverse=True):
        union.update(sketch)
        limit = min(_upper_limit(own), _upper_limit(sketch))
        compared = [each for each in own if each <= limit]
        if compared:
            share = max(share, sum(each in union for each in compared) / len(compared))
    return share


def is_other_test_set(
    first: Accuracy, second: Accuracy, *, same_preprocessing: bool = True, is_unseeded: bool = False
) -> bool:
    """Return whether two test sets are certain to differ, because of their sizes or because they share only some rows.

    ``same_preprocessing``: whether the rows of both were preprocessed in the same way. If not, test sets of the same
    size and with the same chance level may contain the same rows. Test sets of the same size that seem to share no rows
    are not certain to differ either, unless ``is_unseeded`` says that a split without a seed chooses the test rows.
    """
    if None not in (first.samples, second.samples) and first.samples != second.samples:
        return True
    if first.test_rows is None or second.test_rows is None:
        return False
    shared = estimate_shared_rows(first.test_rows, [second.test_rows])
    if is_unseeded:
        return shared < 1
    if not same_preprocessing and first.evidence.chance == second.evidence.chance:
        return False
    return 0 < shared < 1


def _upper_limit(hashes: tuple[int, ...]) -> int:
    """Return the limit up to which a sketch contains every hash of its test set."""
    return hashes[-1] if len(hashes) >= _SKETCH_SIZE else _MAX_HASH


def read_hashes(rows: bytes) -> tuple[int, ...]:
    """Return the hashes in a sketch, in ascending order."""
    return struct.unpack(f"<{len(rows) // 8}Q", rows)
