"""Parse the exceptions that a script caught or that ended it, as found in the recorder's events or in the log."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

TRACEBACK = "Traceback (most recent call last):"
_IGNORED = "Exception ignored"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_FRAME = re.compile(r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?")
_LIBRARY_PATH = re.compile(
    r"<|.*(?:-packages|/lib/python[\d.]*|/epochal_recorder)/|.*/sitecustomize\.py$|.*_file\w+\.py$|.*\.(?:pyx|pxd|pxi)$"
)
_MAX_MESSAGE_LINES = 200

_CALLING = "Exception encountered when calling "
_INFERRING = "Could not automatically infer the output shape / dtype"
_IN_USER_CODE = "in user code:"
_IN_GRAPH = "Graph execution error"
_IN_WORKER = re.compile(r"Caught (?P<name>\w+) in \w+ (?:worker|replica)[^\n]*\n")
_NAMING = re.compile(
    r"(?:Fields?|Columns?|Features?|Invalid|Missing|Unexpected|Expected|Received|Got)\b[^:]*:|'\w+' sizes: "
)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Frame:
    """A line in a traceback. A ``path`` from the recorder is relative to the code's folder if the file is there."""

    path: str
    line: int
    function: str = ""

    @property
    def is_library(self) -> bool:
        """Whether the line belongs to Python, an installed package or the recorder, not to the pushed code."""
        return bool(_LIBRARY_PATH.match(self.path))

    @property
    def place(self) -> str:
        """The location as shown in messages: ``nn.py line 3``."""
        return f"{self.path.rpartition('/')[2] if self.path.startswith('/') else self.path} line {self.line}"


@dataclass(frozen=True)
class Raised:
    """An exception: its class, its message (one or more lines), its frames (innermost last), and the file it names."""

    name: str
    message: str
    frames: tuple[Frame, ...] = ()
    file: str = ""

    @property
    def text(self) -> str:
        """The exception's name and the first line of its message that contains a word, as in ``KeyError: 'a'``.

        The lines after it are added if they complete it, as in ``Missing columns: a, b``.
        """
        lines = [_ESCAPES.sub("", line).strip() for line in self.message.splitlines()]
        first, *others = [line for line in lines if re.search(r"\w", line)] or [""]
        for line in others:
            continues = line[0].islower() and not first.endswith((".", "!", "?"))
            if not first.endswith(":") and not continues and not _NAMING.match(line):
                break
            first = f"{first} {line}"
        return f"{self.name}: {first}" if first else self.name

    @property
    def own_frames(self) -> list[Frame]:
        """The frames in the pushed code, innermost last."""
        return [frame for frame in self.frames if not frame.is_library]

    @property
    def package(self) -> str:
        """The top-level name of the installed package that raised the exception; empty if no package did."""
        paths = [frame.path for frame in self.frames if not frame.path.startswith("<")]
        inside = re.match(r".*-packages/(?P<package>\w+)", paths[-1]) if paths else None
        return inside["package"] if inside else ""


def parse_raised(values: Any) -> tuple[Raised, ...]:
    """Return the chain of exceptions in a recorder event. Raises one of PARSE_ERRORS if a value is malformed."""
    return tuple(
        Raised(
            str(value["name"]),
            str(value["message"]),
            tuple(Frame(str(path), int(line), str(function)) for path, line, function in value["frames"]),
            str(value["file"]),
        )
        for value in values or ()
    )


def find_last_exceptions(lines: Sequence[str]) -> list[Raised]:
    """Return the last exception in a log's ``lines`` and those that led to it, latest first.

    Exceptions that Python ignored (in a ``__del__``, or at shutdown) are left out.
    """
    first, *blocks = "\n".join(lines).split(TRACEBACK)
    last_lines = [before.rstrip("\n").rpartition("\n")[2] for before in (first, *blocks)]
    blocks = [block for last, block in zip(last_lines, blocks, strict=False) if not last.startswith(_IGNORED)]
    # For a SyntaxError in the script itself, Python prints only the frame, without the line "Traceback".
    blocks = blocks or [first[first.rfind("\n  File ") + 1 :]]
    chain = [blocks[-1]]
    for block in reversed(blocks[:-1]):
        if not any(message in block for message in _CHAINED):
            break
        chain.append(block)
    return [found for block in chain if (found := _parse_traceback(block))]


def _parse_traceback(block: str) -> Raised | None:
    """Parse the traceback in ``block``: its frames are indented, and the first line without indentation names the exception.

    Frames after that line belong to the exception's message.
    """
    lines = block.strip("\n").split("\n")
    end = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), 0)
    frames = [
        Frame(frame["path"], int(frame["line"]), frame["function"] or "")
        for line in lines[:end]
        if (frame := _FRAME.match(line))
    ]
    exception = _EXCEPTION.fullmatch(lines[end])
    if exception is None or not frames:
        return None
    message = "\n".join([exception["message"] or "", *lines[end + 1 : end + _MAX_MESSAGE_LINES]])
    return Raised(exception["name"].rpartition(".")[2], message, tuple(frames))


def unwrap(chain: Sequence[Raised]) -> list[Raised]:
    """Return a chain of exceptions without those that only wrap the real one, which then comes first.

    Exceptions from layers are wrapped by Keras, exceptions from traced functions and graphs by TensorFlow, and
    exceptions from other processes by multiprocessing, joblib or PyTorch's DataLoader.
    """
    chain = list(chain)
    remote = next((each for each in chain if each.name in ("_RemoteTraceback", "RemoteTraceback")), None)
    found = find_last_exceptions(remote.message.replace('"""', "").splitlines()) if remote else []
    if found:
        return [replace(found[0], frames=(*chain[0].frames, *found[0].frames)), *found[1:]]
    wrappers: list[Raised] = []
    while len(chain) > 1 and chain[0].message.startswith((_CALLING, _INFERRING, _IN_USER_CODE)):
        wrappers.append(chain.pop(0))
    real = _unwrap_message(chain[0])
    if wrappers and not real.own_frames:  # the message of a wrapper may name a line that its traceback does not contain
        frames = [frame for each in wrappers for frame in _unwrap_message(each).frames]
        real = replace(real, frames=tuple(frames))
    return [real, *chain[1:]]


def _unwrap_message(raised: Raised) -> Raised:
    """Return the exception without any text that Keras, TensorFlow or PyTorch put around its original message."""
    message = _ESCAPES.sub("", raised.message)
    if message.startswith(_CALLING):
        message = message.partition("\n\n")[2].partition("\n\nArguments received by")[0].strip()
        raised = replace(raised, message=message)
    if message.startswith(_INFERRING) and "Error encountered:" in message:
        message = message.partition("Error encountered:")[2].strip()
        raised = replace(raised, message=message)
    worker = _IN_WORKER.match(message)
    if worker or message.startswith(_IN_USER_CODE):
        frames = [Frame(f["path"], int(f["line"]), f["function"] or "") for f in _FRAME.finditer(message)]
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        named = (
            found for line in reversed(lines) if (found := re.fullmatch(r"(\w+(?:Error|Exception|\w)): (.*)", line))
        )
        if last := next(named, None):
            return Raised(last[1], last[2], (*raised.frames, *frames), raised.file)
    if message.startswith(_IN_GRAPH):
        paragraphs = [each.strip() for each in re.split(r"\n\s*\n", message.partition("\t [[")[0]) if each.strip()]
        sentence = paragraphs[-1].splitlines()[-1].strip() if len(paragraphs) > 1 else message
        return replace(raised, message=sentence)
    return replace(raised, message=message)
