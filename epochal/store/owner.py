"""Name the processes that own runs and trials, so that other processes can find out whether an owner is still alive."""

import contextlib
import os
import select
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

HEARTBEAT_SECONDS = 20.0
"""The interval between an owner's heartbeats."""

_HEARTBEAT_TIMEOUT = timedelta(seconds=90)
"""After this long without a heartbeat, an owner on another machine counts as dead."""


def this_process() -> str:
    """Return the name that identifies the calling process as an owner: its machine, PID namespace, process ID and start time."""
    pid = os.getpid()
    return f"{_machine()}/{pid}/{_start_time(pid)}"


def live_owner(owner: str | None, heartbeat: datetime | None) -> str | None:
    """Return ``owner`` if that process is still running; None if it is dead or ``owner`` is None.

    For a process on this machine, proc(5) shows whether it is running. A process on another machine counts as alive if
    its last ``heartbeat`` was less than 90 seconds ago.
    """
    if not owner:
        return None
    machine, pid, start = owner.rsplit("/", 2)
    if machine == _machine():
        alive = _start_time(int(pid)) == start
    else:
        alive = heartbeat is not None and datetime.now(UTC) - heartbeat < _HEARTBEAT_TIMEOUT
    return owner if alive else None


def _process_id(owner: str) -> int | None:
    """Return an owner's process ID, or None if the owner runs on another machine or has ended."""
    machine, pid, start = owner.rsplit("/", 2)
    return int(pid) if machine == _machine() and _start_time(int(pid)) == start else None


def _machine() -> str:
    namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{socket.gethostname().replace('/', '_')}:{namespace}"


def _start_time(pid: int) -> str:
    """Return when a process started, in clock ticks since boot (field 22 of /proc/<pid>/stat).

    Returns an empty string if the process has ended or is a zombie.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def signal_owner(owner: str) -> None:
    """Send SIGTERM to an owner on this machine, so that it checks whether it was asked to stop."""
    pid = _process_id(owner)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def wait_until_gone(owner: str) -> None:
    """Use pidfd_open(2) to wait until an owner has ended; return at once if it runs on another machine."""
    pid = _process_id(owner)
    if pid is None:
        return
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, PermissionError):
        return
    try:
        # Check again: the process may have ended and its ID may have been reused before the pidfd was opened.
        if _process_id(owner) is not None:
            select.select([descriptor], [], [])
    finally:
        os.close(descriptor)
