"""Find the accuracies that a script prints, as its output arrives. No I/O.

A line counts if it states a test accuracy: ``Test accuracy: 0.83``, or ``accuracy: 0.83`` if no line mentions a test
(see ``accuracy_lines`` for the possible forms). ``PrintedLines.unparsed`` keeps a line that seems to state a test
accuracy but cannot be parsed, so that the line can be quoted and no other number silently counts instead.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from epochal.results.accuracy_lines import Split, Unread, clean, cut_log_prefix, read_line
from epochal.results.languages import MENTION, RECALL

_MAX_LINE_BYTES = 4096
"""The maximum number of bytes kept from a line. The middle of a longer line is cut out."""
_MAX_TEXT_LENGTH = 200
_MAX_LINES = 10
"""The maximum number of different lines per ``Split``, and of unparsed lines.

If there are more, the first five and the last five are kept.
"""
_MAX_FORMS = 100
_FOLD_TABLE = bytes.maketrans(b"\r\b" + bytes(range(65, 91)), b"\n\n" + bytes(range(97, 123)))
"""Translates letters to lower case, and the carriage returns and backspaces of progress bars to line feeds."""
_NUMBERS = re.compile(r"\s*[\d.,]+")
_SHARE = re.compile(r"(?<![\d.])[01]?\.\d|\d\s*%")
_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class PrintedAccuracy:
    """An accuracy stated in a line of output.

    ``value``: the accuracy, normally from 0 to 1; it may be out of range, infinite or NaN. ``samples``: the number of
    test samples; None if the line does not state it. ``at``: when the line arrived (see ``PrintedLines.feed``).
    ``text``: at most 200 printable characters of the line, without a logger's prefix. ``number``: the number as
    printed, but only if its unit is uncertain (see ``accuracy_lines.Statement``). ``is_precision``: whether the line's
    word for accuracy may also mean precision. ``logged``: like ``text``, but with a logger's prefix.
    """

    value: float
    samples: int | None
    at: float
    text: str
    number: float | None = None
    is_precision: bool = False
    logged: str = ""


class PrintedLines:
    """The lines about accuracy in the output of a script. Memory use is bounded, whatever the script prints."""

    def __init__(self) -> None:
        self._line = b""
        self._at = 0.0
        self._by_split: dict[Split, dict[str, PrintedAccuracy]] = {split: {} for split in Split}
        self._percent_forms: set[str] = set()
        self._names_recall = False
        self._heading: Split | None = None
        self._unparsed: dict[str, Unread] = {}
        self._last = b""

    @property
    def unparsed(self) -> str | None:
        """The last line that seems to state a test accuracy but does not count.

        ``None`` if there is no such line, or if a later line counts.
        """
        return next(reversed(self._unparsed), None)

    def pass_over(self, is_known: Callable[[str], bool]) -> None:
        """Forget each line that could not be parsed and for which ``is_known`` returns True."""
        self._unparsed = {text: unread for text, unread in self._unparsed.items() if not is_known(text)}

    @property
    def test(self) -> PrintedAccuracy | None:
        """The test accuracy that the script printed last, or None."""
        return self.all_tests[-1] if self.all_tests else None

    @property
    def all_tests(self) -> list[PrintedAccuracy]:
        """All printed test accuracies or, if no line mentions a test, all accuracies in lines that mention no dataset.

        Identical lines are listed once, ordered by their last appearance. If there are more than ten lines, only the
        first five and the last five are kept.
        """
        return self.named_tests or self._lines_of(Split.UNNAMED)

    @property
    def named_tests(self) -> list[PrintedAccuracy]:
        """All printed accuracies in lines that mention a test, in the same order as ``all_tests``."""
        return self._lines_of(Split.TEST)

    @property
    def unparsed_counts(self) -> bool:
        """Whether ``unparsed`` takes precedence over parsed lines, because it mentions a test and they do not."""
        last = self.unparsed
        return last is not None and self._unparsed[last].split is Split.TEST and not self._lines_of(Split.TEST)

    @property
    def why_unparsed(self) -> str:
        """Why the line ``unparsed`` does not count, worded to follow "which"; empty if there is no such line."""
        return self._unparsed[self.unparsed].why if self.unparsed is not None else ""

    @property
    def last_share(self) -> str:
        """The last line of the output if it contains a number that may be an accuracy, such as 0.9 or 90%; otherwise empty."""
        line = clean(self._last.decode("utf-8", "replace"))
        return _extract_text(line, len(line)) if _SHARE.search(line) else ""

    @property
    def all_validations(self) -> list[PrintedAccuracy]:
        """All printed validation accuracies, in the same order as ``all_tests``."""
        return self._lines_of(Split.VALIDATION)

    def _lines_of(self, split: Split) -> list[PrintedAccuracy]:
        lines = self._by_split[split].values()
        return [line for line in lines if not line.is_precision or not self._names_recall]

    def shows_percents(self, line: PrintedAccuracy) -> bool:
        """Return whether a line of the same form as ``line`` had a number over 1; if so, such lines state percentages."""
        return _form_of(line.text) in self._percent_forms

    def feed(self, chunk: bytes, at: float) -> None:
        """Read the next chunk of output, which may start and end in the middle of a line.

        ``at``: when the chunk arrived, in seconds since 1970.
        """
        folded = chunk.translate(_FOLD_TABLE)
        first, last = folded.find(b"\n"), folded.rfind(b"\n")
        if first < 0:
            self._buffer(chunk, at)
            return
        self._buffer(chunk[:first], at)
        self.close()
        end = len(chunk[:last].rstrip())
        self._last = _shorten(chunk[max(first, folded.rfind(b"\n", 0, end)) + 1 : end]) or self._last
        self._names_recall = self._names_recall or bool(RECALL.search(folded, first, last))
        found = MENTION.search(folded, first, last)
        while found:
            start, end = folded.rfind(b"\n", first, found.start()) + 1, folded.find(b"\n", found.start())
            self._read(_shorten(chunk[start:end]), at)
            found = MENTION.search(folded, end, last)
        self._buffer(chunk[last + 1 :], at)

    def close(self) -> None:
        """Read the last line if it does not end with a line feed. Call this method at the end of the output."""
        line, self._line = self._line, b""
        self._last = line.strip() or self._last
        folded = line.translate(_FOLD_TABLE)
        self._names_recall = self._names_recall or bool(RECALL.search(folded))
        if MENTION.search(folded):
            self._read(line, self._at)

    def _buffer(self, piece: bytes, at: float) -> None:
        if piece:
            self._line = _shorten(self._line + piece)
            self._at = at

    def _read(self, raw: bytes, at: float) -> None:
        line = clean(raw.decode("utf-8", "replace"))
        reading = read_line(line)
        if reading is None:
            return
        found, own = reading.statement, cut_log_prefix(line)
        text = _extract_text(own, (found.end if found else len(line)) - len(line) + len(own))
        if reading.has_percents and len(self._percent_forms) < _MAX_FORMS:
            self._percent_forms.add(_form_of(text))
        if reading.unread:
            _keep(self._unparsed, _extract_text(line, len(line)), reading.unread)
        self._heading, heading = reading.heading or (None if found else self._heading), self._heading
        if found is None:
            return
        split = heading if heading and found.split is Split.UNNAMED else found.split
        logged = _extract_text(line, found.end)
        accuracy = PrintedAccuracy(found.value, found.samples, at, text, found.number, found.is_precision, logged)
        _keep(self._by_split[split], accuracy.text, accuracy)
        if split is not Split.VALIDATION:
            self._unparsed.clear()


def _keep(lines: dict[str, _Kept], text: str, kept: _Kept) -> None:
    """Add a line to ``lines``, which keeps at most ``_MAX_LINES`` lines in the order of their last appearance."""
    lines.pop(text, None)
    lines[text] = kept
    if len(lines) > _MAX_LINES:
        del lines[list(lines)[_MAX_LINES // 2]]


def _form_of(text: str) -> str:
    """Return the text of a line with each number replaced by 0."""
    return _NUMBERS.sub("0", text)


def _shorten(line: bytes) -> bytes:
    """Cut the middle out of a long line. An underscore joins the halves, so that no number is read across the cut."""
    if len(line) <= _MAX_LINE_BYTES:
        return line
    return line[: _MAX_LINE_BYTES // 2] + b"_" + line[-_MAX_LINE_BYTES // 2 :]


def _extract_text(line: str, end: int) -> str:
    """Return at most 200 printable characters of ``line``, including those just before ``end``."""
    printable = "".join(character if character.isprintable() else " " for character in line)
    end = min(end, len(printable))
    return printable[max(0, end - _MAX_TEXT_LENGTH) :].strip()[:_MAX_TEXT_LENGTH].strip()
