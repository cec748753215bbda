"""Explain why a trial failed, based on its exit status, its runtime, and the end of its log."""

import re
import signal
from dataclasses import dataclass

from epochal.analysis.frameworks import dataset_caches, describe_dataset_frameworks
from epochal.errors import Reason
from epochal.folders import SCRIPT

# ECMA-48 control sequences (colours, cursor movements), sequences that set a terminal's title, and other escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_TRACEBACK = "Traceback (most recent call last):"
_IGNORED = "Exception ignored"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_FRAME = re.compile(r'  File "(?P<path>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?")
_SCRIPT = re.compile(rf"(?:.*/)?{re.escape(SCRIPT)}")
_LIBRARY_PATH = re.compile(r"<|.*(?:-packages|/lib/python[\d.]*|/epochal_recorder)/")
_MODULE = re.compile(r"No module named '(?P<module>[\w.]+)'")
_MAX_QUOTE_LENGTH = 300
_LAST_LINES = 5

_SYNTAX = frozenset({"SyntaxError", "IndentationError", "TabError"})
_IMPORT = frozenset({"ModuleNotFoundError", "ImportError"})
_MEMORY = re.compile(
    r"MemoryError|std::bad_alloc|ResourceExhaustedError|OOM when allocating|OutOfMemoryError|Cannot allocate memory"
    r"|not enough memory"
)
_NETWORK = re.compile(
    r"URLError|gaierror|name resolution|Name or service not known|Network is unreachable|URL fetch failure"
    r"|NewConnectionError|MaxRetryError|NameResolutionError|ConnectTimeout|ConnectError|Connection(?:Refused)?Error"
    r"|HTTPS?ConnectionPool|couldn't connect to"
)
_EXPLANATIONS = {
    Reason.TIMED_OUT: "The training exceeded its time limit. Train fewer epochs or a smaller network, or ask the "
    "server's admin to raise [limits] minutes in server.toml.",
    Reason.OUT_OF_MEMORY: "The training ran out of memory. Use a smaller batch or a smaller network, or ask the "
    "server's admin to raise [limits] memory_mb in server.toml.",
}
_SIGNALS: dict[int, str] = {
    signal.SIGKILL: ", often because the machine ran out of memory. Try a smaller batch.",
    signal.SIGILL: ": the server's processor lacks an instruction that the framework needs.",
    signal.SIGSEGV: ": a library crashed. Try another version of it, pinned in requirements.txt.",
}
_LAST_SIGNAL = 64


@dataclass(frozen=True)
class _Traceback:
    """A traceback in the log: the path and line of each frame, and the exception on the line after the frames."""

    frames: tuple[tuple[str, str], ...]
    name: str
    message: str

    @property
    def exception(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


def diagnose(
    exit_status: int, reason: Reason | None, log_tail: str, *, has_network: bool = False
) -> tuple[Reason, str] | None:
    """Return the reason why a trial failed, and an explanation with a remedy; None if it succeeded.

    ``exit_status``: if a signal ended the training, the negative number of the signal, or 128 plus that number as in a
    shell. ``reason``: TIMED_OUT, OUT_OF_MEMORY or KILLED if the runtime knows it; if None, the exit status and the last
    traceback in ``log_tail`` decide. ``has_network``: whether the training was allowed to use the network.
    """
    if exit_status == 0 and reason is None:
        return None
    number = -exit_status if exit_status < 0 else exit_status - 128
    number = number if 0 < number <= _LAST_SIGNAL else 0
    if reason is Reason.KILLED:
        return reason, _explain_signal(number)
    if reason is not None:
        return reason, _EXPLANATIONS.get(reason, reason.explanation)
    lines = _render_lines(log_tail)
    printed_lines = [line for line in lines if line.strip()]
    tracebacks = _find_last_tracebacks(lines)
    # C++ prints no traceback, only a message ("terminate called after throwing … 'std::bad_alloc'").
    last_messages = [line for line in lines if line][-_LAST_LINES:] + [
        traceback.exception for traceback in tracebacks[:1]
    ]
    if any(_MEMORY.search(message) for message in last_messages):
        return Reason.OUT_OF_MEMORY, _EXPLANATIONS[Reason.OUT_OF_MEMORY]
    if number:
        return Reason.KILLED, _explain_signal(number)
    if tracebacks:
        return _explain_tracebacks(tracebacks, has_network=has_network)
    quote = (
        f' The last line of its output: "{printed_lines[-1].strip()[:_MAX_QUOTE_LENGTH]}"'
        if printed_lines
        else " It printed nothing."
    )
    return Reason.SCRIPT_ERROR, f"{SCRIPT} ended with exit status {exit_status}; only 0 means success.{quote}"


def tail(log: str, lines: int = 20) -> str:
    """Return the last ``lines`` nonblank lines of a log, as a terminal would show them."""
    return "\n".join([line for line in _render_lines(log) if line.strip()][-lines:])


def _render_lines(log: str) -> list[str]:
    """Return the lines of a log as a terminal would show them, with carriage returns and backspaces applied."""
    rendered = []
    for line in _ANSI.sub("", log).split("\n"):
        states = [_CONTROL.sub("", _apply_backspaces(state)).rstrip() for state in line.split("\r")]
        rendered.append(next((state for state in reversed(states) if state), ""))
    return rendered


def _apply_backspaces(state: str) -> str:
    if "\b" not in state:
        return state
    rendered: list[str] = []
    for character in state:
        if character != "\b":
            rendered.append(character)
        elif rendered:
            rendered.pop()
    return "".join(rendered)


def _explain_signal(number: int) -> str:
    names = {known.value: known.name for known in signal.Signals}
    name = names.get(number, f"signal {number}" if number else "a signal")
    return f"The training was killed by {name}{_SIGNALS.get(number, '.')}"


def _find_last_tracebacks(lines: list[str]) -> list[_Traceback]:
    """Return the last traceback of the log, then those of the exceptions that led to it, latest first.

    Exceptions that Python ignored (in a ``__del__``, or at shutdown) are left out.
    """
    first, *blocks = "\n".join(lines).split(_TRACEBACK)
    last_lines = [before.rstrip("\n").rpartition("\n")[2] for before in (first, *blocks)]
    blocks = [block for last, block in zip(last_lines, blocks, strict=False) if not last.startswith(_IGNORED)]
    # For a SyntaxError in nn.py itself, Python prints only the frame, without the line "Traceback".
    blocks = blocks or [first[first.rfind("\n  File ") + 1 :]]
    chain = [blocks[-1]]
    for block in reversed(blocks[:-1]):
        if not any(message in block for message in _CHAINED):
            break
        chain.append(block)
    return [found for block in chain if (found := _parse_traceback(block))]


def _parse_traceback(block: str) -> _Traceback | None:
    """Parse the traceback in ``block``: its frames are indented, and the first unindented line is the exception.

    Frames after that line belong to the exception's message.
    """
    lines = block.strip("\n").split("\n")
    end = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), 0)
    frames = tuple((frame["path"], frame["line"]) for line in lines[:end] if (frame := _FRAME.match(line)))
    exception = _EXCEPTION.fullmatch(lines[end])
    if exception is None or not frames:
        return None
    return _Traceback(frames, exception["name"].rpartition(".")[2], exception["message"] or "")


def _explain_tracebacks(tracebacks: list[_Traceback], *, has_network: bool) -> tuple[Reason, str]:
    """Return the reason for an exception, and an explanation with the line of the pushed code that raised it."""
    last = tracebacks[0]
    quote = last.exception[:_MAX_QUOTE_LENGTH].rstrip(".: ") + "."
    frames = [frame for traceback in reversed(tracebacks) for frame in traceback.frames]
    if any(_NETWORK.search(traceback.exception) for traceback in tracebacks):
        return Reason.NO_NETWORK, f"{_explain_network_remedy(frames, has_network=has_network)} The error: {quote}"
    if last.name in _SYNTAX:
        path, line = last.frames[-1]
        return Reason.SYNTAX_ERROR, f"{path.rpartition('/')[2]} line {line}: {quote}"
    own_frames = [frame for frame in frames if not _LIBRARY_PATH.match(frame[0])]  # a library may also have an nn.py
    found = [frame for frame in own_frames if _SCRIPT.fullmatch(frame[0])] or own_frames
    where = f"{found[-1][0].rpartition('/')[2]} line {found[-1][1]}: " if found else ""
    if last.name not in _IMPORT:
        return Reason.SCRIPT_ERROR, f"{where}{quote}"
    module = _MODULE.search(last.message)
    remedy = "In requirements.txt, pin a version of the package that provides this name."
    if module and "." not in module["module"]:  # with a dot, the package is installed but lacks the submodule
        remedy = f"Add the package that provides {module['module']} to requirements.txt."
    return Reason.IMPORT_ERROR, f"{where}{quote} {remedy}"


def _explain_network_remedy(frames: list[tuple[str, str]], *, has_network: bool) -> str:
    patterns = [cache.module for cache in dataset_caches() if cache.module]
    searches = (re.search(pattern, path) for path, _ in frames for pattern in patterns)
    dataset = next((found["name"] for found in searches if found), "")
    problem = f"{SCRIPT} tried to use the network, which training cannot access. To provide the data,"
    if has_network:
        problem = f"{SCRIPT} could not reach an address on the network. Check the address or, to avoid the download,"
    if dataset:
        return f"{problem} run epochal data fetch {dataset} on the server to fill the dataset cache."
    return (
        f"{problem} put the files into the server's data folder, which is /data in training, or, for one of "
        f"{describe_dataset_frameworks()} datasets, run epochal data fetch NAME on the server."
    )
