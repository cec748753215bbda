"""Determine why a trial ended, from its exit status, its output and the limits that it hit."""

from epochal.errors import Reason
from epochal.runtimes.log import last_lines
from epochal.runtimes.runtime import Outcome

_OUT_OF_MEMORY_MESSAGES = ("MemoryError", "std::bad_alloc", "ResourceExhaustedError", "Cannot allocate memory")
"""Messages in the last lines of the output when Python, C++, TensorFlow or fork(2) cannot allocate memory."""


def determine_outcome(
    exit_status: int, seconds: float, output: str, *, timed_out: bool, out_of_memory: bool = False
) -> Outcome:
    """Return the outcome of a trial that has ended.

    ``exit_status``: the script's exit status; as in a shell, it is 128 + n if signal n ended the script.
    ``output``: the end of the script's output. ``timed_out``: whether the trial was stopped at its time limit.
    ``out_of_memory``: whether the kernel killed one of the trial's processes for lack of memory. Such a kill counts as
    the reason only if the script failed, because a script can survive the death of a child process.
    """
    reason = None
    if timed_out:
        reason = Reason.TIMED_OUT
    elif exit_status != 0 and (
        out_of_memory or any(message in last_lines(output, 5) for message in _OUT_OF_MEMORY_MESSAGES)
    ):
        reason = Reason.OUT_OF_MEMORY
    elif 128 < exit_status <= 128 + 64:
        reason = Reason.KILLED
    return Outcome(exit_status, seconds, reason)
