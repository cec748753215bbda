"""Read the accuracies that a training prints, while its output arrives. Values in, values out.

A line counts if it states a test accuracy: ``Test accuracy: 0.83``, or a bare ``accuracy: 0.83`` if no line names a test.
Lines that look like one but cannot be read are kept apart (``PrintedLines.unread``), so that nothing else is judged in
their place without a word.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from epochal.analysis.frameworks import frameworks

_LONGEST_LINE = 4096
"""Bytes kept of one line: the first and the last half of a longer one."""
_LONGEST_TEXT = 200
_MOST_LINES = 10
"""Distinct lines kept of one kind: the first and the last half of more."""
_FOLDED = bytes.maketrans(b"\r\b" + bytes(range(65, 91)), b"\n\n" + bytes(range(97, 123)))
"""To lower case, and every end of a line as a line feed: a progress bar moves back by carriage returns and backspaces."""

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PROGRESS = [
    re.compile(framework.LOG_LINES.progress, re.IGNORECASE)
    for framework in frameworks().values()
    if framework.LOG_LINES.progress
]

# Taken whole or not at all: "8.5e-05" must not pass as 8.5, nor "0,83" as 0, nor "83/100" as 83.
_VALUE = (
    r"\s*[\"']?\s*[:=]\s*(?:tensor\()?"
    r"(?P<number>[-+]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[-+]?\d++)?+|nan|inf(?:inity)?+))"
    r"(?![\w/]|[.,]\d)(?:\s*+(?P<percent>%))?"
)
# "Test accuracy: 0.83" where a line begins, behind what logging puts there, or behind a separator ("loss: 0.5, test
# accuracy: 0.83"). Never behind a word, a bracket or a quotation mark: "Goal (test accuracy = 0.80)" measures nothing.
_LOGGED = r"(?:[\d.,:/TZ+\s-]*\[?\b(?:DEBUG|INFO|WARNING|ERROR)\b\]?[\s:-]+(?:[\w.]+:\s*)?)?"
_OPENING = rf"(?:^[^\w(]*{_LOGGED}|[^\w\s()\[:=#\"'`-]\s*[\"']?|\s-+\s+)"
_TEST = re.compile(_OPENING + r"(?:final\s+)?test[ _-]?acc(?:uracy)?" + _VALUE, re.IGNORECASE)
# "accuracy=0.83" where a line begins. What goes on as "accuracy: 0.91 - loss: …" is a piece of Keras' progress; beside
# a val_accuracy, or with "(train)" or "on the validation data" behind it, it is not of a test.
_BARE = re.compile(
    rf"^\s*(?:(?:final|overall|model)\s+)?accuracy(?:\s+score)?{_VALUE}"
    r"(?!.*(?:\s-\s\w+:|\bval_)|\s*\(?\s*(?:(?:on|of|for)\s+)?(?:the\s+)?(?:train|valid))",
    re.IGNORECASE,
)
# Behind the accuracy: "(299/360)", or "on 360 test samples".
_COUNTED = re.compile(
    r"\s*(?:\(\s*(?P<right>\d{1,9})\s*/\s*(?P<all>\d{1,9})\s*\)"
    r"|\(?\s*on\s+(?P<on>\d{1,9})\s+(?:test\s+)?(?:samples|images|examples)\b)",
    re.IGNORECASE,
)
_SAME_SHARE = 0.005
"""A count further away than this from the accuracy before it counts something else."""

# The rest is about lines that cannot be read. "acc" and "accuracy" as words, or in a metric's name: test_acc, testAcc, acc@1.
_ACCURACY = re.compile(
    r"(?:(?<![A-Za-z])(?i:(?:test)?acc(?:urac(?:y|ies))?)|(?<=[a-z])Acc(?:uracy)?)"
    r"(?:_(?:score|test|train|val|mean|avg))?(?!_?[A-Za-z])"
)
# What may be an accuracy: 0.54, 0,54, 54 %, 54/100, and a whole number behind a colon. Not "10000 images", nor "0.5s".
_NUMBER = (
    r"(?:\d*+[.,]\d++(?!\s*(?:[mnuµ]?s|sec\w*|min\w*|h|hours?|[KMG]i?B)\b)|\d++\s*(?:%|per\s?cent\b|/\s*\d)"
    r"|(?:[:=：]|\bis\b)[\s\"'(\[]*(?:\d++|nan\b|inf\b))"
)
_NUMBER_BEHIND = re.compile(_NUMBER, re.IGNORECASE)
_NUMBER_BEFORE = re.compile(_NUMBER + r"\s*(?:%|per\s?cent)?\s*(?:test(?:ing)?\s+)?$", re.IGNORECASE)
# Which data an accuracy is of. "After training: 54 %" and "training complete" say nothing about it.
_DATA = re.compile(
    r"(?<![A-Za-z])(?i:(?P<test>test(?:ing|s)?|unseen|hold-?out|held-?out)"
    r"|(?<!after )(?<!end of )train(?:ing)?(?!\s+(?:complete|finish|done|end|took|time))|val(?:id(?:ation)?)?|dev|cv)(?![a-z])"
)
# An accuracy that is only wanted, or somebody else's.
_AIM = (
    r"(?<![a-z])(?:target|goal|threshold|require(?:d|s|ment)?|min(?:imum)?|wanted|desired|baseline|chance|guess\w*"
    r"|majority|dummy)"
)
_AIM_BEFORE = re.compile(_AIM + r"\W*(?:\w+\W*)?$", re.IGNORECASE)
_AIM_BEHIND = re.compile(_AIM + r"(?![a-z])|\bso far\b", re.IGNORECASE)
# An accuracy of no named data is one of training in a line that begins with an epoch, beside a val_accuracy, in a list
# per epoch, and in a piece of Keras' progress ("- loss: 0.3 - acc: 0.9").
_OF_TRAINING = re.compile(
    r"\b(?:epoch|step|batch|iter(?:ation)?)\b[\s:=#(\[]*\d(?=.*acc)|'epoch':|^\s*\[\s*\d+\s*[,/]\s*\d+\s*\]"
    r"|(?<![a-z])val(?:id(?:ation)?)?(?![a-z])|acc(?:uracy)?['\"]\s*:\s*\[|\s-\s\w+:\s*[\d.]",
    re.IGNORECASE,
)
_PROGRESS_BAR = re.compile(r"\d+%\|[^|]*\|[^\[]*(?:\[[^\]]*\]?)?")
# A warning, code, a framework's own report: none of these states an accuracy.
_NO_STATEMENT = [re.compile(r"[a-z]Warning:|\bdeprecated\b|\b(?:print|warn)\(|^\s*(?:File \"|>>> )")] + [
    re.compile(framework.LOG_LINES.reports) for framework in frameworks().values() if framework.LOG_LINES.reports
]
_NAMES = re.compile(r"['\"`]\s*[\]),}]")
"""What follows the name of a metric in a list of names: metrics=['accuracy']."""
_FILE = re.compile(r"(?:\.{0,2}/|~|.*/.*/|.*\\|.*\.[a-z]\w*$)", re.IGNORECASE)


@dataclass(frozen=True)
class PrintedAccuracy:
    """An accuracy as a line stated it: 0 to 1 if the line is right, but not checked, and perhaps no finite number.

    ``samples``: the number of test samples if the line says so. ``at``: when the line arrived, on the clock of ``feed``.
    ``text``: the line, printable, at most 200 characters of it.
    """

    value: float
    samples: int | None
    at: float
    text: str


class PrintedLines:
    """The lines about accuracy in a training's output. Memory stays bounded, whatever is printed."""

    def __init__(self) -> None:
        self._line = b""
        self._at = 0.0
        self._tests: dict[str, PrintedAccuracy] = {}
        self._bare: dict[str, PrintedAccuracy] = {}
        self.unread: str | None = None
        """The last line that seems to state a test accuracy in a form that is not understood.

        ``None`` if a line that is understood came after it.
        """

    @property
    def test(self) -> PrintedAccuracy | None:
        """The last stated test accuracy."""
        return self.all_tests[-1] if self.all_tests else None

    @property
    def all_tests(self) -> list[PrintedAccuracy]:
        """The distinct lines of the kind of ``test``, by their last appearance: the first and the last five."""
        return list((self._tests or self._bare).values())

    def feed(self, chunk: bytes, at: float) -> None:
        """Read the next piece of output, which arrived at the time ``at``; it may begin and end anywhere."""
        folded = chunk.translate(_FOLDED)
        first, last = folded.find(b"\n"), folded.rfind(b"\n")
        if first < 0:
            self._keep(chunk, at)
            return
        self._keep(chunk[:first], at)
        self.close()
        found = folded.find(b"acc", first, last)
        while found >= 0:
            start, end = folded.rfind(b"\n", first, found) + 1, folded.find(b"\n", found)
            self._read(_shortened(chunk[start:end]), at)
            found = folded.find(b"acc", end, last)
        self._keep(chunk[last + 1 :], at)

    def close(self) -> None:
        """Read a last line that has no end."""
        line, self._line = self._line, b""
        if b"acc" in line.lower():
            self._read(line, self._at)

    def _keep(self, piece: bytes, at: float) -> None:
        if piece:
            self._line = _shortened(self._line + piece)
            self._at = at

    def _read(self, raw: bytes, at: float) -> None:
        line = _ANSI.sub("", raw.decode("utf-8", "replace"))
        if any(pattern.match(line) for pattern in _PROGRESS):
            return
        for pattern, kept in ((_TEST, self._tests), (_BARE, self._bare)):
            if found := list(pattern.finditer(line)):
                accuracy = _accuracy(found[-1], at)
                kept.pop(accuracy.text, None)  # its last appearance counts
                kept[accuracy.text] = accuracy
                if len(kept) > _MOST_LINES:
                    del kept[list(kept)[_MOST_LINES // 2]]
                self.unread = None
                return
        if _seems_a_test_accuracy(line):
            self.unread = _text(line, len(line))


def _shortened(line: bytes) -> bytes:
    """Cut the middle out of a long line. The joint is a letter for the patterns: no number reads across it."""
    if len(line) <= _LONGEST_LINE:
        return line
    return line[: _LONGEST_LINE // 2] + b"_" + line[-_LONGEST_LINE // 2 :]


def _accuracy(found: re.Match[str], at: float) -> PrintedAccuracy:
    value = float(found["number"])
    # In decimal: 83.2% is the very number 0.832, which a threshold of 0.832 is compared with.
    value = float(Decimal(str(value)) / 100) if found["percent"] else value
    line, end = found.string, found.end()
    return PrintedAccuracy(value, _samples(line[end:], value), at, _text(line, end))


def _samples(text: str, accuracy: float) -> int | None:
    """Return the number of test samples that ``text`` begins with; None if there is none, or it belongs to something else."""
    found = _COUNTED.match(text)
    if found is None:
        return None
    samples = int(found["on"] or found["all"])
    if samples and found["right"] and abs(int(found["right"]) / samples - accuracy) > _SAME_SHARE:
        return None
    return samples or None


def _text(line: str, end: int) -> str:
    """Return at most 200 characters of ``line``, with those just before ``end`` among them."""
    printable = "".join(character if character.isprintable() else " " for character in line)
    return printable[max(0, end - _LONGEST_TEXT) :].strip()[:_LONGEST_TEXT].strip()


def _seems_a_test_accuracy(line: str) -> bool:
    if any(pattern.search(line) for pattern in _NO_STATEMENT):
        return False
    line = _PROGRESS_BAR.sub(" ", line)
    words = list(_ACCURACY.finditer(line))
    starts = [*(word.start() for word in words), len(line)]
    return any(_is_of_a_test(line, word, end) for word, end in zip(words, starts[1:], strict=True))


def _is_of_a_test(line: str, word: re.Match[str], end: int) -> bool:
    """Return whether ``word``, which is followed by no other accuracy before ``end``, has a number and is not of other data."""
    before, behind = line[: word.start()], _NAMES.split(line[word.end() : end])[0]
    number = _NUMBER_BEHIND.search(behind)
    around = before.split(" ")[-1] + word[0] + line[word.end() :].split(" ")[0]  # up to the next blanks
    if not (number or _NUMBER_BEFORE.search(before)) or _FILE.match(around.strip("\"'`()[]{},;:")):
        return False
    between = behind[: number.start()] if number else ""
    if _AIM_BEFORE.search(before) or _AIM_BEHIND.search(between):
        return False
    named = [*_DATA.finditer(before), *_DATA.finditer(word[0]), *_DATA.finditer(between)][-1:]
    named = named or list(_DATA.finditer(behind))
    return bool(named[0]["test"]) if named else not _OF_TRAINING.search(line)
