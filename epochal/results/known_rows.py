"""How much of a test set was in earlier ones, each known by the smallest hashes of its rows. Values in, values out."""

import struct
from collections.abc import Iterable

SAME = 0.05
"""A test set of which a smaller share was in an earlier one is a new one."""
_FULL = 1024
"""A sketch of so many hashes is of the smallest ones alone; with fewer it has all of the test set's."""
_LARGEST = 2**64 - 1


def share_seen(rows: bytes, earlier: Iterable[bytes]) -> float:
    """Estimate the share (0 to 1) of a test set's rows that are in at least one of ``earlier`` test sets.

    Each is known by its smallest hashes, as ``Trial.test_rows`` has them. Up to the largest hash of a full sketch it is
    known of every hash whether it is in that test set, so the rows with smaller hashes are a random sample of all rows
    (bottom-k sketches; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches"). A large set's sketch does not
    reach far: of the unions of the sketches that reach at least so far, the one with the highest share counts.
    """
    own = hashes_in(rows)
    share, union = 0.0, set[int]()
    for sketch in sorted(map(hashes_in, earlier), key=_reach, reverse=True):
        union.update(sketch)
        limit = min(_reach(own), _reach(sketch))
        compared = [each for each in own if each <= limit]
        if compared:
            share = max(share, sum(each in union for each in compared) / len(compared))
    return share


def _reach(hashes: tuple[int, ...]) -> int:
    return hashes[-1] if len(hashes) >= _FULL else _LARGEST


def hashes_in(rows: bytes) -> tuple[int, ...]:
    """Return the hashes of a sketch, sorted."""
    return struct.unpack(f"<{len(rows) // 8}Q", rows)
