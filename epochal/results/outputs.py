"""Reading what training code left behind: it may leave anything there, a pipe that never ends or a link to elsewhere."""

import os
import stat
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
"""How much of one file is read at a time: more than any training's metrics, less than what a server would miss."""


def read_left(path: Path, start: int = 0) -> bytes | None:
    """The content of ``path`` from byte ``start``, MOST_BYTES at most; None if it is no ordinary file.

    Neither a symbolic link is followed nor a pipe waited for (open(2): O_NOFOLLOW, O_NONBLOCK).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.pread(descriptor, MOST_BYTES, start)
    finally:
        os.close(descriptor)


def read_left_text(path: Path) -> str | None:
    """``read_left`` as text; what is not UTF-8 is replaced."""
    content = read_left(path)
    return None if content is None else content.decode("utf-8", "replace")


def read_metrics(path: Path) -> str:
    """Return the text of a trial's ``metrics.jsonl``; empty if the trial left none."""
    return read_left_text(path) or ""
