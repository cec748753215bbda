"""What a training's end means, as far as a runtime can know it."""

from epochal.errors import Reason
from epochal.runtimes.log import last_lines
from epochal.runtimes.runtime import Outcome

_SIGNS_OF_NO_MEMORY = ("MemoryError", "std::bad_alloc", "ResourceExhaustedError", "Cannot allocate memory")
"""What Python, C++, TensorFlow and fork(2) say, in a failed training's last lines, when memory is refused to them."""


def outcome_of(
    exit_status: int, seconds: float, output: str, *, timed_out: bool, out_of_memory: bool = False
) -> Outcome:
    """Return the outcome of a training that has ended.

    ``exit_status`` is the shell's: 128 + n if signal n ended it. ``timed_out``: it was ended because its time was over.
    ``out_of_memory``: the kernel killed something in it for want of memory; that is the reason only if the training failed
    (it may survive a child's death). ``output``: its last output.
    """
    reason = None
    if timed_out:
        reason = Reason.TIMED_OUT
    elif exit_status != 0 and (out_of_memory or any(sign in last_lines(output, 5) for sign in _SIGNS_OF_NO_MEMORY)):
        reason = Reason.OUT_OF_MEMORY
    elif 128 < exit_status <= 128 + 64:
        reason = Reason.KILLED
    return Outcome(exit_status, seconds, reason)
