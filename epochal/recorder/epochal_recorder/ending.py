"""Record how the script ends: its exit status, the line that set it, the exceptions behind it, and any running threads.

The event ``ended`` is written when the main thread of the process has ended, before Python waits for other threads. If
these stay idle for a while, the process ends without waiting for them, as if they were daemon threads.

A spawned process imports the script first. If the import fails, it fails in all such processes, but a ``Pool`` keeps
replacing them. So after several of them have failed, the script is terminated.
"""

import atexit
import builtins
import os
import signal
import sys
import threading
import time

from .raised import CODE, describe, describe_stack, describe_traceback, relative

_IDLE_WINDOW = 10.0
"""The process ends without waiting for the remaining threads once they have been idle for this many seconds."""
_IDLE_SHARE = 0.05
"""Threads count as idle if they use less than this share of one processor; even idle threads may wake up now and then."""
_MAIN_PROCESS = "EPOCHAL_MAIN_PROCESS"
"""The environment variable that distinguishes the script's own process from the processes that it starts."""


_MAX_FAILED_PROCESSES = 4
"""The script is terminated once this many spawned processes have failed to import it."""


class _ThreadsAreIdle(BaseException):
    """Raised in the main thread to end its wait for idle threads."""


class Ending:
    """An observer of how this process ends. ``out``: the folder for events."""

    def __init__(self, out):
        self._out = out
        self._process = os.getpid()
        self.is_main = os.environ.setdefault(_MAIN_PROCESS, str(self._process)) == str(self._process)
        if self.is_main:
            os.environ[CODE] = os.getcwd()
        self._exit = None
        self._is_written = False

    def note_exit(self, code, frame):
        """Record that ``frame`` calls sys.exit or a similar function with ``code``."""
        status = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
        self._exit = {"status": status, "frames": describe_stack(frame), "handled": describe(sys.exc_info()[1])}

    def write(self):
        """Write the ``ended`` event, at most once per process."""
        if self._is_written or not self.is_own_process():
            return
        self._is_written = True
        self._write_event(
            event="ended",
            main=self.is_main,
            exit=self._exit,
            raised=describe(getattr(sys, "last_value", None)),
            time=time.time(),
        )

    def end_script(self):
        """End the script if this process and several others failed to import it."""
        trace = getattr(getattr(sys, "last_value", None), "__traceback__", None)
        if not any(each[2] == "_fixup_main_from_path" for each in describe_traceback(trace)):
            return
        self._write_event(event="not_spawned")
        with open(os.path.join(self._out, "metrics.jsonl"), encoding="utf-8") as file:
            failed = sum('"event": "not_spawned"' in line for line in file)
        if failed >= _MAX_FAILED_PROCESSES:
            os.kill(int(os.environ[_MAIN_PROCESS]), signal.SIGTERM)

    def write_threads(self):
        """Record which non-daemon threads keep the process from ending."""
        main = threading.main_thread()
        threads = [each for each in threading.enumerate() if each is not main and not each.daemon]
        self._write_event(event="threads", running=[self._describe_thread(each) for each in threads])

    def _write_event(self, **values):
        from .output import Output  # imported late, so that Python processes start quickly

        Output(self._out).write_event(**values)

    def _describe_thread(self, thread):
        function = getattr(thread, "_target", None) or thread.run
        code = getattr(function, "__code__", None)
        path = relative(code.co_filename) if code else ""
        return [getattr(function, "__name__", thread.name), path, code.co_firstlineno if code else 0]

    def is_own_process(self):
        """Return whether this is the process that created this observer, rather than a fork of it."""
        return os.getpid() == self._process


def observe(out):
    """Observe how this process ends. ``out``: the folder for events."""
    ending = Ending(out)
    _wrap_exits(ending)
    atexit.register(_quietly(ending.write))
    wait_for_threads = threading._shutdown

    def shutdown():
        _quietly(ending.write)()
        if not (ending.is_main and ending.is_own_process()):
            _quietly(ending.end_script)()
            wait_for_threads()
            return
        try:
            _interrupt_when_idle()
            wait_for_threads()
        except _ThreadsAreIdle:
            _quietly(ending.write_threads)()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    threading._shutdown = shutdown


def _quietly(function):
    """Return ``function`` wrapped so that it never raises: a failing recorder must not stop training."""

    def wrapper(*args):
        try:
            function(*args)
        except OSError:
            pass  # the folder for events is not writable, which the rest of the recorder reports
        except Exception as fault:
            sys.stderr.write(f"epochal: cannot record how the script ended: {fault!r}\n")

    return wrapper


def _wrap_exits(ending):
    note = _quietly(ending.note_exit)

    def wrap(function):
        def exit(code=None, /):
            note(code, sys._getframe(1))
            return function(code)

        exit.__doc__ = function.__doc__
        return exit

    sys.exit = wrap(sys.exit)
    quitter = type(getattr(builtins, "exit", None))
    if quitter.__module__ == "_sitebuiltins":  # not with python -S
        call = quitter.__call__

        def quit_and_note(self, code=None):
            note(code, sys._getframe(1))
            return call(self, code)

        quitter.__call__ = quit_and_note

    leave = os._exit

    def leave_at_once(status):
        if ending.is_own_process():
            note(status, sys._getframe(1))
            _quietly(ending.write)()
        leave(status)

    os._exit = leave_at_once


def _interrupt_when_idle():
    """Start a timer that raises _ThreadsAreIdle once this process and its descendants have been idle for a while."""
    window = [time.monotonic(), _processor_seconds()]

    def check(*_):
        now, used = time.monotonic(), _processor_seconds()
        if now - window[0] < _IDLE_WINDOW:
            return
        if used - window[1] < _IDLE_SHARE * (now - window[0]):
            raise _ThreadsAreIdle
        window[:] = now, used

    signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)


def _processor_seconds():
    """Return the CPU time, in seconds, that this process and its live descendants have used; see proc(5)."""
    ticks, parents = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:  # the process has ended
                continue
            parents[int(name)] = int(fields[1])
            ticks[int(name)] = int(fields[11]) + int(fields[12])
    family = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks.get(member, 0) for member in family) / os.sysconf("SC_CLK_TCK")
