"""Start a process and kill it with all its descendants, which are found by a marker in their environment.

Process groups alone are not enough: a child that starts its own session leaves the group, and after a kill -9 of the
job the number of the group may be reused. Children inherit the environment, and proc(5) shows it. A program that leaves
the group and also empties its environment escapes: this is no sandbox.
"""

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from epochal.runtimes.cleanup import made
from epochal.runtimes.owner import Belonging

_VARIABLE = "EPOCHAL_TRAINING"
_LONGEST_SECONDS = 2_000_000.0
"""The longest timeout that is passed to poll(2), which takes milliseconds in a C int: 23 days."""
_KILL_WAIT_SECONDS = 10.0


@contextmanager
def process_tree(
    command: Sequence[str], belonging: Belonging, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that runs ``command`` in ``folder``; on exit, kill it and everything that it started.

    Its environment is ``environment`` and the marker; it inherits nothing else. Its standard output and standard error
    are one pipe.
    """
    word = "/".join(str(value) for value in [*astuple(belonging), os.urandom(4).hex()])

    def end(process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:  # otherwise its process id and group id may have been reused
            os.killpg(process.pid, signal.SIGKILL)
        _kill(lambda found: found == word)
        process.wait()

    variables = environment | {_VARIABLE: word}
    with made(
        lambda: subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ),
        end,
    ) as process:
        yield process


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait up to ``seconds`` until ``process`` has ended, without polling (pidfd_open(2)); return whether it has."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return _readable(descriptor, seconds)
    finally:
        os.close(descriptor)


def kill_left_overs(home: str, is_alive: Callable[[int, int], bool]) -> set[int]:
    """Kill the processes of ``home`` that no living process waits for; return their runs (0 for work of no run).

    ``home`` is an id (see ``id_of``). ``is_alive`` returns whether a living process trains a run's trial.
    """
    runs = set()

    def is_left_over(word: str) -> bool:
        parts = word.split("/")
        if len(parts) != 5 or parts[0] != home or not all(part.isdigit() for part in parts[1:4]):
            return False
        belonging = Belonging(home, int(parts[1]), int(parts[2]), int(parts[3]))
        if not belonging.is_left_over(is_alive):
            return False
        runs.add(belonging.run)
        return True

    _kill(is_left_over)
    return runs


def _kill(is_meant: Callable[[str], bool]) -> None:
    """Kill the processes whose marker ``is_meant`` accepts, and those that they fork meanwhile, until none is left."""
    while descriptors := list(_find(is_meant)):
        for descriptor in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        ended = [_readable(descriptor, _KILL_WAIT_SECONDS) for descriptor in descriptors]
        for descriptor in descriptors:
            os.close(descriptor)
        if not all(ended):
            return  # one hangs in the kernel (a dead network disk) and will die when its system call returns


def _find(is_meant: Callable[[str], bool]) -> Iterator[int]:
    """Yield a pidfd, which the caller must close, of each other process whose marker ``is_meant`` accepts."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # Open the pidfd before reading: it keeps referring to this process even if the process id is reused.
        try:
            descriptor = os.pidfd_open(int(entry.name))
        except OSError:
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # another user's process, or one that has ended
            variables = []
        start = f"{_VARIABLE}=".encode()
        words = [line.removeprefix(start).decode("ascii", "replace") for line in variables if line.startswith(start)]
        if words and is_meant(words[0]):
            yield descriptor
        else:
            os.close(descriptor)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(min(seconds, _LONGEST_SECONDS) * 1000))
