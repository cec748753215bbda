"""Start a process, and kill it and all its descendants, which are found by a marker in their environment.

Process groups alone are not enough: a child that starts its own session leaves the group, and after the job
has been killed with kill -9, the ID of the group may be reused. Children inherit the environment, and /proc shows it.
A program that leaves the group and also empties its environment escapes: this is not a sandbox.
"""

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from epochal.runtimes.cleanup import managed_resource
from epochal.runtimes.label import Label

_VARIABLE = "EPOCHAL_TRAINING"
_MAX_SECONDS = 2_000_000.0
"""The longest timeout to pass to poll(2), about 23 days; poll(2) takes milliseconds as a C int."""
_KILL_WAIT_SECONDS = 10.0


@contextmanager
def process_tree(
    command: Sequence[str], label: Label, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that runs ``command`` in ``folder``; on exit, kill it and everything that it started.

    The process's environment consists of ``environment`` and the marker; it inherits nothing else. Its standard output
    and standard error go to the same pipe.
    """
    marker = "/".join(str(value) for value in [*astuple(label), os.urandom(4).hex()])

    def kill(process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:  # otherwise its process ID and group ID may have been reused
            os.killpg(process.pid, signal.SIGKILL)
        _kill(lambda found: found == marker)
        process.wait()

    variables = environment | {_VARIABLE: marker}
    with managed_resource(
        lambda: subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ),
        kill,
    ) as process:
        yield process


def wait_for_exit(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait up to ``seconds`` for ``process`` to end, without polling (pidfd_open(2)); return whether it has ended."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return _wait_readable(descriptor, seconds)
    finally:
        os.close(descriptor)


def kill_orphans(home: str, is_training: Callable[[int, int], bool]) -> set[int]:
    """Kill the orphaned processes of an EPOCHAL_HOME, and return the numbers of their runs (0 for no run).

    ``home`` is the ID of the EPOCHAL_HOME (see ``home_id``). ``is_training`` takes the numbers of a run and a trial,
    and returns whether a live process is running that trial.
    """
    runs = set()

    def is_orphaned(marker: str) -> bool:
        parts = marker.split("/")
        if len(parts) != 5 or parts[0] != home or not all(part.isdigit() for part in parts[1:4]):
            return False
        label = Label(home, int(parts[1]), int(parts[2]), int(parts[3]))
        if not label.is_orphaned(is_training):
            return False
        runs.add(label.run)
        return True

    _kill(is_orphaned)
    return runs


def _kill(matches: Callable[[str], bool]) -> None:
    """Kill the processes whose marker satisfies ``matches``, and any that they fork. Give up if one hangs."""
    while descriptors := list(_find_processes(matches)):
        for descriptor in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        ended = [_wait_readable(descriptor, _KILL_WAIT_SECONDS) for descriptor in descriptors]
        for descriptor in descriptors:
            os.close(descriptor)
        if not all(ended):
            return  # a process hangs in the kernel (on a dead network disk) and will die when its system call returns


def _find_processes(matches: Callable[[str], bool]) -> Iterator[int]:
    """Yield a pidfd for every other process whose marker satisfies ``matches``. The caller must close the pidfd."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # Open the pidfd before reading: it keeps referring to this process even if the process ID is reused.
        try:
            descriptor = os.pidfd_open(int(entry.name))
        except OSError:
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # another user's process, or one that has ended
            variables = []
        start = f"{_VARIABLE}=".encode()
        markers = [line.removeprefix(start).decode("ascii", "replace") for line in variables if line.startswith(start)]
        if markers and matches(markers[0]):
            yield descriptor
        else:
            os.close(descriptor)


def _wait_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(min(seconds, _MAX_SECONDS) * 1000))
