"""Find the accuracies that a script prints, as its output arrives. No I/O.

A line counts if it states a test accuracy: ``Test accuracy: 0.83``, or a bare ``accuracy: 0.83`` if no line names a
test. ``PrintedLines.unparsed`` keeps a line that seems to state a test accuracy but cannot be parsed, so that the line
can be quoted and no other number silently counts instead.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from epochal.analysis.frameworks import frameworks

_MAX_LINE_BYTES = 4096
"""Maximum number of bytes kept of a line. A longer line is cut in the middle."""
_MAX_TEXT_LENGTH = 200
_MAX_LINES = 10
"""Maximum number of different lines of each kind. If there are more, the first five and the last five are kept."""
_FOLD_TABLE = bytes.maketrans(b"\r\b" + bytes(range(65, 91)), b"\n\n" + bytes(range(97, 123)))
"""Translates letters to lower case, and the carriage returns and backspaces of progress bars to line feeds."""

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PROGRESS = [
    re.compile(framework.LOG_LINES.progress, re.IGNORECASE)
    for framework in frameworks().values()
    if framework.LOG_LINES.progress
]

# Matches a complete number or nothing: "8.5e-05" must not be read as 8.5, "0,83" not as 0, and "83/100" not as 83.
_VALUE = (
    r"\s*[\"']?\s*[:=]\s*(?:tensor\()?"
    r"(?P<number>[-+]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[-+]?\d++)?+|nan|inf(?:inity)?+))"
    r"(?![\w/]|[.,]\d)(?:\s*+(?P<percent>%))?"
)
# "Test accuracy: 0.83" at the start of a line, after the prefix of a logger, or after a separator ("loss: 0.5, test
# accuracy: 0.83"). Not after a word, a bracket or a quotation mark: "Goal (test accuracy = 0.80)" is not a measurement.
_LOGGER_PREFIX = r"(?:[\d.,:/TZ+\s-]*\[?\b(?:DEBUG|INFO|WARNING|ERROR)\b\]?[\s:-]+(?:[\w.]+:\s*)?)?"
_STATEMENT_START = rf"(?:^[^\w(]*{_LOGGER_PREFIX}|[^\w\s()\[:=#\"'`-]\s*[\"']?|\s-+\s+)"
_TEST_ACCURACY = re.compile(_STATEMENT_START + r"(?:final\s+)?test[ _-]?acc(?:uracy)?" + _VALUE, re.IGNORECASE)
# "accuracy=0.83" at the start of a line. A line that continues like "accuracy: 0.91 - loss: …" is a part of Keras'
# progress. With a val_accuracy beside it, or "(train)" or "on the validation data" after it, it is not a test accuracy.
_BARE_ACCURACY = re.compile(
    rf"^\s*(?:(?:final|overall|model)\s+)?accuracy(?:\s+score)?{_VALUE}"
    r"(?!.*(?:\s-\s\w+:|\bval_)|\s*\(?\s*(?:(?:on|of|for)\s+)?(?:the\s+)?(?:train|valid))",
    re.IGNORECASE,
)
# The number of samples after an accuracy: "(299/360)", or "on 360 test samples".
_SAMPLE_COUNT = re.compile(
    r"\s*(?:\(\s*(?P<right>\d{1,9})\s*/\s*(?P<all>\d{1,9})\s*\)"
    r"|\(?\s*on\s+(?P<on>\d{1,9})\s+(?:test\s+)?(?:samples|images|examples)\b)",
    re.IGNORECASE,
)
_MAX_COUNT_DIFFERENCE = 0.005
"""If a count such as 299/360 differs by more than this from the accuracy before it, it counts something else."""

# The following patterns detect lines that seem to state an accuracy but cannot be parsed.
# "acc" and "accuracy" as words, or in the name of a metric: test_acc, testAcc, acc@1.
_ACCURACY = re.compile(
    r"(?:(?<![A-Za-z])(?i:(?:test)?acc(?:urac(?:y|ies))?)|(?<=[a-z])Acc(?:uracy)?)"
    r"(?:_(?:score|test|train|val|mean|avg))?(?!_?[A-Za-z])"
)
# Possible accuracies: 0.54, 0,54, 54 %, 54/100, or a whole number after a colon. Not "10000 images" or "0.5s".
_NUMBER = (
    r"(?:\d*+[.,]\d++(?!\s*(?:[mnuµ]?s|sec\w*|min\w*|h|hours?|[KMG]i?B)\b)|\d++\s*(?:%|per\s?cent\b|/\s*\d)"
    r"|(?:[:=：]|\bis\b)[\s\"'(\[]*(?:\d++|nan\b|inf\b))"
)
_NUMBER_AFTER = re.compile(_NUMBER, re.IGNORECASE)
_NUMBER_BEFORE = re.compile(_NUMBER + r"\s*(?:%|per\s?cent)?\s*(?:test(?:ing)?\s+)?$", re.IGNORECASE)
# Words for the data that an accuracy was measured on. "After training: 54 %" and "training complete" do not name any.
_DATA = re.compile(
    r"(?<![A-Za-z])(?i:(?P<test>test(?:ing|s)?|unseen|hold-?out|held-?out)"
    r"|(?<!after )(?<!end of )train(?:ing)?(?!\s+(?:complete|finish|done|end|took|time))|val(?:id(?:ation)?)?|dev|cv)(?![a-z])"
)
# Words for the accuracy of a target or a baseline.
_TARGET = (
    r"(?<![a-z])(?:target|goal|threshold|require(?:d|s|ment)?|min(?:imum)?|wanted|desired|baseline|chance|guess\w*"
    r"|majority|dummy)"
)
_TARGET_BEFORE = re.compile(_TARGET + r"\W*(?:\w+\W*)?$", re.IGNORECASE)
_TARGET_AFTER = re.compile(_TARGET + r"(?![a-z])|\bso far\b", re.IGNORECASE)
# If the line names no data, the number is a training accuracy if the line gives the number of an epoch or step, also
# has a val_accuracy, lists a value per epoch, or is Keras' progress ("- loss: 0.3 - acc: 0.9").
_TRAINING_LINE = re.compile(
    r"\b(?:epoch|step|batch|iter(?:ation)?)\b[\s:=#(\[]*\d(?=.*acc)|'epoch':|^\s*\[\s*\d+\s*[,/]\s*\d+\s*\]"
    r"|(?<![a-z])val(?:id(?:ation)?)?(?![a-z])|acc(?:uracy)?['\"]\s*:\s*\[|\s-\s\w+:\s*[\d.]",
    re.IGNORECASE,
)
_PROGRESS_BAR = re.compile(r"\d+%\|[^|]*\|[^\[]*(?:\[[^\]]*\]?)?")
# Lines that do not state an accuracy: warnings, source code, and a framework's own reports.
_IGNORED_LINES = [re.compile(r"[a-z]Warning:|\bdeprecated\b|\b(?:print|warn)\(|^\s*(?:File \"|>>> )")] + [
    re.compile(framework.LOG_LINES.reports) for framework in frameworks().values() if framework.LOG_LINES.reports
]
_METRIC_LIST_END = re.compile(r"['\"`]\s*[\]),}]")
"""Matches the end of a list of metrics, as in metrics=['accuracy']."""
_FILE_PATH = re.compile(r"(?:\.{0,2}/|~|.*/.*/|.*\\|.*\.[a-z]\w*$)", re.IGNORECASE)


@dataclass(frozen=True)
class PrintedAccuracy:
    """An accuracy that a line states.

    ``value``: the number as stated, which may be out of range, infinite or NaN. ``samples``: the number of test
    samples; None if the line does not state it. ``at``: when the line arrived, in the unit of ``PrintedLines.feed``.
    ``text``: at most 200 printable characters of the line.
    """

    value: float
    samples: int | None
    at: float
    text: str


class PrintedLines:
    """The lines about accuracy in the output of a script. Uses a bounded amount of memory, whatever is printed."""

    def __init__(self) -> None:
        self._line = b""
        self._at = 0.0
        self._tests: dict[str, PrintedAccuracy] = {}
        self._bare: dict[str, PrintedAccuracy] = {}
        self.unparsed: str | None = None
        """The last line that seems to state a test accuracy but cannot be parsed.

        ``None`` if there is no such line, or if a later line could be parsed.
        """

    @property
    def test(self) -> PrintedAccuracy | None:
        """The last test accuracy that was stated, or None."""
        return self.all_tests[-1] if self.all_tests else None

    @property
    def all_tests(self) -> list[PrintedAccuracy]:
        """All test accuracies that were stated, or all bare accuracies if no line names a test.

        Identical lines are listed once, ordered by their last appearance. Of more than ten lines, the first five and
        the last five are kept.
        """
        return list((self._tests or self._bare).values())

    def feed(self, chunk: bytes, at: float) -> None:
        """Read the next chunk of output, which may start and end in the middle of a line.

        ``at``: when it arrived, in seconds since 1970.
        """
        folded = chunk.translate(_FOLD_TABLE)
        first, last = folded.find(b"\n"), folded.rfind(b"\n")
        if first < 0:
            self._buffer(chunk, at)
            return
        self._buffer(chunk[:first], at)
        self.close()
        found = folded.find(b"acc", first, last)
        while found >= 0:
            start, end = folded.rfind(b"\n", first, found) + 1, folded.find(b"\n", found)
            self._read(_shorten(chunk[start:end]), at)
            found = folded.find(b"acc", end, last)
        self._buffer(chunk[last + 1 :], at)

    def close(self) -> None:
        """Read the last line if it does not end with a line feed. Call this method at the end of the output."""
        line, self._line = self._line, b""
        if b"acc" in line.lower():
            self._read(line, self._at)

    def _buffer(self, piece: bytes, at: float) -> None:
        if piece:
            self._line = _shorten(self._line + piece)
            self._at = at

    def _read(self, raw: bytes, at: float) -> None:
        line = _ANSI.sub("", raw.decode("utf-8", "replace"))
        if any(pattern.match(line) for pattern in _PROGRESS):
            return
        for pattern, lines in ((_TEST_ACCURACY, self._tests), (_BARE_ACCURACY, self._bare)):
            if found := list(pattern.finditer(line)):
                accuracy = _parse_accuracy(found[-1], at)
                lines.pop(accuracy.text, None)  # lines are ordered by their last appearance
                lines[accuracy.text] = accuracy
                if len(lines) > _MAX_LINES:
                    del lines[list(lines)[_MAX_LINES // 2]]
                self.unparsed = None
                return
        if _seems_test_accuracy(line):
            self.unparsed = _extract_text(line, len(line))


def _shorten(line: bytes) -> bytes:
    """Cut the middle out of a long line. An underscore joins the halves, so that no number is read across the cut."""
    if len(line) <= _MAX_LINE_BYTES:
        return line
    return line[: _MAX_LINE_BYTES // 2] + b"_" + line[-_MAX_LINE_BYTES // 2 :]


def _parse_accuracy(found: re.Match[str], at: float) -> PrintedAccuracy:
    value = float(found["number"])
    # The division is decimal, so that 83.2% gives exactly the float 0.832 and reaches a threshold of 0.832.
    value = float(Decimal(str(value)) / 100) if found["percent"] else value
    line, end = found.string, found.end()
    return PrintedAccuracy(value, _parse_samples(line[end:], value), at, _extract_text(line, end))


def _parse_samples(text: str, accuracy: float) -> int | None:
    """Return the number of test samples at the start of ``text``; None if it is missing or counts something else."""
    found = _SAMPLE_COUNT.match(text)
    if found is None:
        return None
    samples = int(found["on"] or found["all"])
    if samples and found["right"] and abs(int(found["right"]) / samples - accuracy) > _MAX_COUNT_DIFFERENCE:
        return None
    return samples or None


def _extract_text(line: str, end: int) -> str:
    """Return at most 200 printable characters of ``line``, including those just before ``end``."""
    printable = "".join(character if character.isprintable() else " " for character in line)
    return printable[max(0, end - _MAX_TEXT_LENGTH) :].strip()[:_MAX_TEXT_LENGTH].strip()


def _seems_test_accuracy(line: str) -> bool:
    if any(pattern.search(line) for pattern in _IGNORED_LINES):
        return False
    line = _PROGRESS_BAR.sub(" ", line)
    words = list(_ACCURACY.finditer(line))
    starts = [*(word.start() for word in words), len(line)]
    return any(_may_be_test_accuracy(line, word, end) for word, end in zip(words, starts[1:], strict=True))


def _may_be_test_accuracy(line: str, word: re.Match[str], end: int) -> bool:
    """Return whether a number beside ``word`` (and before ``end``) may be a test accuracy."""
    before, after = line[: word.start()], _METRIC_LIST_END.split(line[word.end() : end])[0]
    number = _NUMBER_AFTER.search(after)
    surrounding = before.split(" ")[-1] + word[0] + line[word.end() :].split(" ")[0]  # extended to the next spaces
    if not (number or _NUMBER_BEFORE.search(before)) or _FILE_PATH.match(surrounding.strip("\"'`()[]{},;:")):
        return False
    between = after[: number.start()] if number else ""
    if _TARGET_BEFORE.search(before) or _TARGET_AFTER.search(between):
        return False
    data_words = [*_DATA.finditer(before), *_DATA.finditer(word[0]), *_DATA.finditer(between)][-1:]
    data_words = data_words or list(_DATA.finditer(after))
    return bool(data_words[0]["test"]) if data_words else not _TRAINING_LINE.search(line)
