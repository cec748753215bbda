"""Estimate how much of a test set was in earlier test sets, using the smallest hashes of their rows. No I/O."""

import struct
from collections.abc import Iterable

MIN_SHARED = 0.05
"""A test set counts as new if less than this share of its rows was in earlier test sets."""
_SKETCH_SIZE = 1024
"""Maximum number of hashes in a sketch. A smaller sketch contains the hashes of all rows of its test set."""
_MAX_HASH = 2**64 - 1


def estimate_shared_rows(rows: bytes, earlier: Iterable[bytes]) -> float:
    """Estimate the share (0 to 1) of a test set's rows that are in at least one of the ``earlier`` test sets.

    ``rows`` and ``earlier`` are sketches, in the format of ``Accuracy.test_rows``. Up to its largest hash, a full
    sketch contains every hash of the test set, so the rows with smaller hashes are a random sample of all rows
    (bottom-k sketches; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches").

    The larger a test set, the smaller the largest hash in its sketch. Therefore a share is computed for each earlier
    sketch: among the hashes up to the largest one in that sketch, and against the union of all sketches that reach at
    least as far. The highest share is returned.
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


def _upper_limit(hashes: tuple[int, ...]) -> int:
    """Return the limit up to which a sketch contains every hash of its test set."""
    return hashes[-1] if len(hashes) >= _SKETCH_SIZE else _MAX_HASH


def read_hashes(rows: bytes) -> tuple[int, ...]:
    """Return the hashes in a sketch, in ascending order."""
    return struct.unpack(f"<{len(rows) // 8}Q", rows)
