"""Read files that the training code wrote. They may be anything, such as an endless pipe or a link to another file."""

import os
import stat
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
"""The maximum number of bytes read from a file at a time: enough for a trial's metrics without straining the server."""


def read_untrusted(path: Path, start: int = 0) -> bytes | None:
    """Return at most MAX_BYTES of ``path`` from byte ``start``; None if it is not a regular file or cannot be opened.

    Does not follow a symbolic link at ``path``, and does not block on a pipe (open(2): O_NOFOLLOW, O_NONBLOCK).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.pread(descriptor, MAX_BYTES, start)
    finally:
        os.close(descriptor)


def read_untrusted_text(path: Path) -> str | None:
    """Return the first MAX_BYTES of a file as text (see ``read_untrusted``). Invalid UTF-8 bytes are replaced."""
    content = read_untrusted(path)
    return None if content is None else content.decode("utf-8", "replace")


def read_metrics(path: Path) -> str:
    """Return the text of a trial's ``metrics.jsonl``; empty if the file cannot be read."""
    return read_untrusted_text(path) or ""
