"""A process with all that it starts, found again by a word in its environment, and ended whole.

Process groups alone do not do: what a script starts in a session of its own leaves the group, and after a kill -9 of
the job a group's number may belong to somebody else. The environment is inherited and is shown by proc(5); a program
that empties it on purpose gets away, if it left the group too: this is no sandbox.
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
"""What poll(2) can wait for; 23 days."""
_KILL_WAIT_SECONDS = 10.0


@contextmanager
def process_tree(
    command: Sequence[str], belonging: Belonging, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """``command`` started in ``folder`` with ``environment`` and nothing else, its output on one pipe.

    It and everything that it started are killed on the way out.
    """
    word = "/".join(str(value) for value in [*astuple(belonging), os.urandom(4).hex()])

    def end(process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:  # else its number, and its group's, may be somebody else's by now
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
    """Wait until ``process`` has ended, ``seconds`` at most, without looking again and again (pidfd_open(2))."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return _readable(descriptor, seconds)
    finally:
        os.close(descriptor)


def kill_left_overs(home: str, is_alive: Callable[[int, int], bool]) -> set[int]:
    """Kill all processes of ``home`` whose run and trial ``is_alive`` denies; returns those runs (0: of no run)."""
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
    """Kill the processes whose word ``is_meant``, and what they forked meanwhile, until none is there."""
    while descriptors := list(_find(is_meant)):
        for descriptor in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        ended = [_readable(descriptor, _KILL_WAIT_SECONDS) for descriptor in descriptors]
        for descriptor in descriptors:
            os.close(descriptor)
        if not all(ended):
            return  # it hangs in the kernel (a dead network disk); it dies when that lets go of it


def _find(is_meant: Callable[[str], bool]) -> Iterator[int]:
    """Yield a descriptor, to be closed, of each other process whose word, in its environment, ``is_meant``."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # The descriptor first: it stays this process's, even if its number is given to another one in between.
        try:
            descriptor = os.pidfd_open(int(entry.name))
        except OSError:
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # a process of others, or one that is dead
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
