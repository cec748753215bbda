"""Who works on a run: a process, named so that others can tell whether it still lives."""

import contextlib
import os
import select
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEAT_SECONDS = 20.0
"""How often an owner says that it lives."""

_SILENCE = timedelta(seconds=90)
"""After so long without a beat an owner on another machine is taken for dead."""


def this_process() -> str:
    """Return the owner's name of the calling process: machine, process namespace, process id, and when that process started."""
    pid = os.getpid()
    return f"{_place()}/{pid}/{_start_of(pid)}"


def living(owner: str | None, heartbeat: datetime | None) -> str | None:
    """Return the owner of a row if that process still runs; None if it is dead, or nobody owns the row.

    The kernel is asked about a process here (proc(5)); one elsewhere is judged by its last beat.
    """
    if not owner:
        return None
    place, pid, start = owner.rsplit("/", 2)
    if place == _place():
        alive = _start_of(int(pid)) == start
    else:
        alive = heartbeat is not None and datetime.now(UTC) - heartbeat < _SILENCE
    return owner if alive else None


def _process_id(owner: str) -> int | None:
    """Return the process id of an owner that runs here, to send it a signal; None for one elsewhere or gone."""
    place, pid, start = owner.rsplit("/", 2)
    return int(pid) if place == _place() and _start_of(int(pid)) == start else None


def _place() -> str:
    namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{socket.gethostname().replace('/', '_')}:{namespace}"


def _start_of(pid: int) -> str:
    """Return the process's start in clock ticks since boot: field 22 of /proc/<pid>/stat, empty if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def signal_owner(owner: str) -> None:
    """Send SIGTERM to an owner that runs here, so that it looks whether it was asked to stop."""
    pid = _process_id(owner)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def wait_until_gone(owner: str) -> None:
    """Return when an owner that runs here has ended (pidfd_open(2): the kernel tells); at once for one elsewhere."""
    pid = _process_id(owner)
    if pid is None:
        return
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, PermissionError):
        return
    try:
        # It might have ended, and its number been given away, before we held on to it.
        if _process_id(owner) is not None:
            select.select([descriptor], [], [])
    finally:
        os.close(descriptor)
