"""Copy the output of a trial to its log, which keeps only the beginning and the end of long output."""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

MEGABYTE = 1_000_000


class LogFile(AbstractContextManager["LogFile"]):
    """A log file that is written as output arrives, and shortened whenever it exceeds ``limit`` bytes.

    A shortened log contains the beginning of the output (up to half of ``limit``), a line that says how many bytes
    were left out, and the newest output (about a quarter of ``limit`` or more).
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._file = path.open("w+b", buffering=0)
        self._limit = limit
        self._beginning = 0
        self._omitted = 0
        self._note = b""

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, output: bytes) -> None:
        """Append ``output``, and shorten the file if that makes it too long."""
        self._file.write(output)
        if self._file.tell() > self._limit + len(self._note):
            self._shorten()

    def tail(self, size: int = 4000) -> str:
        """Return the last ``size`` bytes of the log as text, which may start in the middle of a line."""
        end = self._file.seek(0, 2)
        self._file.seek(max(0, end - size))
        return self._file.read().decode("utf-8", errors="replace")

    def _shorten(self) -> None:
        size = self._file.tell()
        self._file.seek(size - self._limit // 4)
        kept = self._file.read()
        kept = kept.partition(b"\n")[2] or kept
        if not self._note:
            self._file.seek(0)
            first = self._file.read(self._limit // 2)
            self._beginning = first.rfind(b"\n") + 1 or len(first)
        self._omitted += size - self._beginning - len(self._note) - len(kept)
        self._note = b"\n[epochal: %d bytes left out here; see log_mb in server.toml]\n" % self._omitted
        self._file.seek(self._beginning)
        self._file.truncate()
        self._file.write(self._note + kept)


class OutputCopier:
    """A thread that passes each of ``chunks``, the output of a trial, to all ``sinks`` until the output ends.

    A sink that raises an exception (for example because the disk is full) gets no more chunks. The thread keeps
    reading, because the script would hang on a full pipe.
    """

    def __init__(self, chunks: Iterable[bytes], *sinks: Callable[[bytes], None]) -> None:
        self._chunks = chunks
        self._sinks = list(sinks)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def finish(self, seconds: float = 10.0) -> None:
        """Wait up to ``seconds`` for the output to end. Raises the first exception that a sink raised, if any."""
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error

    def _copy(self) -> None:
        for chunk in self._chunks:
            for sink in tuple(self._sinks):
                try:
                    sink(chunk)
                except Exception as error:
                    self._sinks.remove(sink)
                    self._error = self._error or error


def last_lines(text: str, count: int = 20) -> str:
    """Return the last ``count`` non-blank lines of ``text``."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-count:])
