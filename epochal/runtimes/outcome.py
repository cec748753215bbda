"""What a training's end means, as far as a runtime can know it."""

from epochal.errors import Reason
from epochal.runtimes.log import last_lines
from epochal.runtimes.runtime import Outcome

_SIGNS_OF_NO_MEMORY = ("MemoryError", "std::bad_alloc", "ResourceExhaustedError", "Cannot allocate memory")
"""What Python, C++, TensorFlow and fork(2) say, in a failed training's last lines, when memory is refused to them."""


def outcome_of(exit_status: int, seconds: float, output: str, out_of_memory: bool = False) -> Outcome:
    """The outcome of a training that came to an end by itself.

    ``exit_status`` is the shell's: 128 + n where signal n ended it. ``out_of_memory``: the kernel killed something in
    it for want of memory; that is the reason only if the training failed (it may survive a child's death). ``output``:
    its last output.
    """
    return Outcome(exit_status, seconds, _reason(exit_status, output, out_of_memory))


def _reason(exit_status: int, output: str, out_of_memory: bool) -> Reason | None:
    if exit_status == 0:
        return None
    if out_of_memory or any(sign in last_lines(output, 5) for sign in _SIGNS_OF_NO_MEMORY):
        return Reason.OUT_OF_MEMORY
    return Reason.KILLED if 128 < exit_status <= 128 + 64 else None
