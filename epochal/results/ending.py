"""Parse what the recorder wrote about how the script ended, and about fits that raised an exception. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from epochal.results.exceptions import Frame, Raised, parse_raised
from epochal.results.metrics import PARSE_ERRORS, parse_events, read_count, read_fit_key


@dataclass(frozen=True)
class Ending:
    """How the main thread of the script ended.

    ``at``: the time in seconds since 1970. ``exit_status``: the status set by the last call to sys.exit() or a similar
    function; None if there was no such call. ``exit_frames``: the stack of that call, innermost frame last.
    ``handled``: the exceptions that were being handled during that call, latest first. ``raised``: the exceptions that
    ended the main thread, latest first. ``threads``: the functions that other threads were still running, and where
    they are defined.
    """

    at: float = 0.0
    exit_status: int | None = None
    exit_frames: tuple[Frame, ...] = ()
    handled: tuple[Raised, ...] = ()
    raised: tuple[Raised, ...] = ()
    threads: tuple[Frame, ...] = ()

    @property
    def status(self) -> int:
        """The script's own exit status, as far as is known."""
        return 1 if self.raised else self.exit_status or 0


@dataclass(frozen=True)
class FailedFit:
    """A call to fit that raised an exception.

    ``key``: the numbers of the model and the call, as in ``records.Fit``; None for scikit-learn. ``raised``: the
    exception and those that led to it, latest first.
    """

    key: tuple[int, int] | None
    raised: tuple[Raised, ...]


@dataclass(frozen=True)
class Endings:
    """How the script and its child processes ended, and which fits failed.

    ``script``: how the script ended; None if unknown (if it was killed, for example). ``children``: the exceptions that
    ended child processes. ``failed_fits``: the calls to fit that raised an exception, in order.
    """

    script: Ending | None = None
    children: tuple[tuple[Raised, ...], ...] = ()
    failed_fits: Sequence[FailedFit] = field(default=())


def parse_endings(metrics_jsonl: str) -> Endings:
    """Return how the script ended, according to ``metrics.jsonl``. Malformed events are skipped."""
    script: Mapping[str, Any] | None = None
    threads: tuple[Frame, ...] = ()
    children: list[tuple[Raised, ...]] = []
    failed: list[FailedFit] = []
    for event in parse_events(metrics_jsonl):
        try:
            kind = event["event"]
            if kind == "ended" and event["main"] is True:
                script = event
            elif kind == "ended" and event["raised"]:
                children.append(parse_raised(event["raised"]))
            elif kind == "threads":
                threads = tuple(Frame(str(path), int(line), str(name)) for name, path, line in event["running"])
            elif kind == "failed":
                key = read_fit_key(event) if "model" in event else None
                failed.append(FailedFit(key, parse_raised(event["raised"])))
        except PARSE_ERRORS:
            continue
    return Endings(_parse_ending(script, threads), tuple(children), tuple(failed))


def _parse_ending(event: Mapping[str, Any] | None, threads: tuple[Frame, ...]) -> Ending | None:
    if event is None:
        return None
    try:
        exit_call = event["exit"] or {}
        return Ending(
            float(event["time"]),
            read_count(exit_call["status"]) if exit_call else None,
            tuple(Frame(str(path), int(line), str(name)) for path, line, name in exit_call.get("frames", ())),
            parse_raised(exit_call.get("handled")),
            parse_raised(event["raised"]),
            threads,
        )
    except PARSE_ERRORS:
        return None
