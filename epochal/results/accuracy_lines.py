"""Read the accuracy stated in a printed line, in the usual forms and in several languages. No I/O."""

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from epochal.analysis.frameworks import frameworks
from epochal.results.languages import PRECISION_MARK, translate


class Split(StrEnum):
    """The data that an accuracy was measured on, according to the line that states it."""

    TEST = "test"
    UNNAMED = "unnamed"
    VALIDATION = "validation"
    TRAINING = "training"


@dataclass(frozen=True)
class Statement:
    """An accuracy stated in a printed line.

    ``value``: the accuracy, normally from 0 to 1; it may be out of range, infinite or NaN. ``samples``: the number of
    test samples; None if the line does not state it. ``number``: the number as printed, if it may be either a
    percentage or a fraction (because it has no percent sign, or has one but is at most 1); None if it is clear which.
    ``is_precision``: whether the word for accuracy may also mean precision, like Spanish "precisión". ``end``: the
    position in the line at which the statement ends.
    """

    split: Split
    value: float
    samples: int | None
    number: float | None
    is_precision: bool
    end: int


@dataclass(frozen=True)
class Unread:
    """An accuracy that a line seems to state, but that does not count.

    ``split``: the data that it was measured on (TEST or UNNAMED). ``why``: why it does not count, worded to follow
    "which".
    """

    split: Split
    why: str


@dataclass(frozen=True)
class Reading:
    """What a line says about accuracy.

    ``statement``: the statement that counts, or None. ``unread``: an accuracy that the line seems to state, but that
    does not count; None if there is none. ``has_percents``: whether the line states a percentage without a percent
    sign, such as 83.2. ``heading``: if the line is a heading for a later line, such as "Checking
    accuracy on training data", the data that it names; otherwise None.
    """

    statement: Statement | None = None
    unread: Unread | None = None
    has_percents: bool = False
    heading: Split | None = None


_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_TENSOR = re.compile(r"<tf\.Tensor: [^<>]*numpy=([^,<>]*)>")
_PROGRESS = [
    re.compile(framework.LOG_LINES.progress, re.IGNORECASE)
    for framework in frameworks().values()
    if framework.LOG_LINES.progress
]
_PROGRESS_BAR = re.compile(r"\d+%\|[^|]*\|[^\[]*(?:\[[^\]]*\]?)?")
# The prefix that logging, loguru, absl, rich or a tracker adds: time, level, file and line, name of the logger.
_TIME = r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]?)?\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?Z?(?:[+-]\d\d:?\d\d)?"
_LEVEL = r"\[?\b(?:DEBUG|INFO|WARNING|ERROR)\b(?::[\w.]+:|[\]\s:|-]*)"
_WHERE = r"(?:\(?[\w./<>-]+:(?:[\w.<>]+:)*\d+\)?[\s\]:|-]+)?"
_LOG_PREFIX = re.compile(
    rf"^[\s\[]*(?:[IWEF]\d{{4}} [\d:.]+\s+\d+ [\w./-]+:\d+\]|{_TIME}[\]\s|:-]+(?:\[[\w.-]+\][\s-]*)*"
    rf"(?:(?:[\w.]+ - )?{_LEVEL}{_WHERE})?|{_LEVEL}{_WHERE}|wandb:\s)[\s:|-]*"
)

# "acc" or "accuracy" and the identifier that contains it: test_acc, testAcc, acc@1, eval/accuracy. Other words may be
# next to it: "Test set accuracy", "accuracy of the network".
_CORE = re.compile(r"acc(?:urac(?:y|ies))?|top-?1(?=\W)", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_IDENTIFIER = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@/")
_MAX_IDENTIFIER = 60
_MAX_MENTIONS = 20
"""The maximum number of accuracies that are read from a line; if there are more, the first ones are ignored."""
_ACCURACY_WORDS = frozenset(
    {"acc", "accuracy", "accuracies"}
    | {f"{data}{acc}" for data in ("test", "train", "val", "valid", "eval", "dev") for acc in ("acc", "accuracy")}
)
_SUFFIXES = frozenset(
    {"score", "rate", "metric", "value", "final", "overall", "mean", "avg", "epoch", "step", "dataloader", "idx"}
    | {"test", "train", "val", "valid", "validation", "training", "eval"}
    | {"best", "max", "target", "threshold", "top", "k", "0", "1", "2", "3", "5", "10"}
)
"""The only words that may follow the word for accuracy in an identifier: "acc_head" does not name an accuracy."""
_OTHER_WORDS = frozenset(
    {
        "target",
        "threshold",
        "goal",
        "stop",
        "desired",
        "required",
        "expected",
        "baseline",
        "chance",
        "random",
        "prev",
        "old",
    }
    | {"min", "max", "best", "delta", "diff", "std", "var", "loss"}
)
"""Words that show that a name, such as target_acc, does not denote the measured accuracy."""
_OTHER_ACCURACIES = re.compile(
    r"balanced|top[-_ ]?(?:k|[2-9]|\d\d)|@\s?(?:k|[2-9]|\d\d)|per[-_ ]?(?:class|label)"
    r"|acc(?:uracy)?_?(?:[2-9]|\d\d)(?![\d.])",
    re.IGNORECASE,
)
"""Matches the names of other measures, such as balanced accuracy and top-5 accuracy."""

_TOP_1 = re.compile(r"top[-_ ]?1(?!\d)|@\s?1(?!\d)|acc(?:uracy)?_?1(?![\d.])", re.IGNORECASE)
"""Matches names such as top-1, which distinguish the plain accuracy from top-k accuracies."""

# Words for the data that an accuracy was measured on. "After training: 54 %" and "training complete" name no data.
_DATA = re.compile(
    r"(?<![A-Za-z])(?i:(?P<test>test(?:ing|s|set|data)?|unseen|hold-?out|held-?out)"
    r"|(?P<training>(?<!after )(?<!end of )train(?:ing|set)?(?!\s+(?:complete|finish|done|end|took|time)))"
    r"|(?P<validation>val(?:id(?:ation)?)?(?:set)?|dev|cv|cross-?val(?:idat\w*)?)|(?P<unnamed>eval(?:uation)?))(?![a-z])"
)
# Words that mark an accuracy as a target, or as that of a baseline.
_TARGET = (
    r"(?<![a-z])(?:target|goal|threshold|require(?:d|s|ment)?|min(?:imum)?|wanted|desired|baseline|chance|guess\w*"
    r"|majority|dummy|naive|trivial|human|expected|previous|prev|reference|published|paper|sota|state[- ]of[- ]the[- ]art)"
)
_TARGET_BEFORE = re.compile(
    _TARGET + r"\W*(?:\w+\W*)?$|\b(?:if|until|when|once|unless)\W+(?:\w+\W+){0,3}$", re.IGNORECASE
)
_TARGET_AFTER = re.compile(
    _TARGET
    + r"(?![a-z])|\bso far\b|\b(?:need\w*|at least|at most|should|must|will|exceed\w*|above|below|reach(?:es|ing)?"
    r"|greater|less|more|better|worse)\b|(?<![-=])[<>]=?",
    re.IGNORECASE,
)
# Differences and spreads of accuracies, and reports of a changed accuracy.
_CHANGE = (
    r"(?:diff(?:erence)?|gap|drop(?:ped)?|gain(?:ed)?|delta|improve\w*|increas\w*|decreas\w*|chang\w+|std|stddev"
    r"|deviation|variance)"
)
_CHANGE_BEFORE = re.compile(rf"(?<![a-z]){_CHANGE}\W+(?:(?:in|of)\W+)?(?:\w+\W+){{0,2}}$", re.IGNORECASE)
_CHANGE_AFTER = re.compile(rf"(?<![a-z]){_CHANGE}(?![a-z])|\bnot\b|\bfrom\s+[\d.]+\s+to\b", re.IGNORECASE)
_NOT_PLAIN = (_TARGET_AFTER, _CHANGE_AFTER, _OTHER_ACCURACIES)
"""Match the text between an accuracy's name and its number if the number is a target, a change or another measure."""
# Accuracies on a part of the test set, or of one of several models or epochs.
_PART = re.compile(
    r"(?<![a-z])(?:best|highest|max(?:imum)?|peak|fold|split|class|categor\w+|digit|label|group|client|worst|lowest"
    r"|adversarial|attack\w*|robust)(?![a-z])",
    re.IGNORECASE,
)
_OF = re.compile(r"^\W*(?:on\s+)?(?:of|for)\s+(?!\d+\s*%)(?P<subject>[^:=]*)", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?<![a-z])(?:net(?:work)?|model|classifier|predictor|regression|bayes|forest|tree|svm|svc|knn|machine|boost\w*"
    r"|ensemble|perceptron|transformer|[crm]?nn|mlp|lstm|bert|algorithm|system|(?:data)?set|data|images?|samples?|examples?"
    r"|this|test|dataloader|predictions?)(?![a-z])|net\b|\d+\s*(?:epochs?|steps?)|^\W*$",
    re.IGNORECASE,
)
# If the line names no data, the number is a training accuracy if the line gives the number of an epoch or step, also
# has a val_accuracy, lists a value per epoch, or is Keras' progress output ("- loss: 0.3 - acc: 0.9").
_TRAINING_LINE = re.compile(
    r"\b(?:epoch|step|batch|iter(?:ation)?)\b[\s:=#(\[]*\d(?=.*acc)|'epoch':|^\s*\[\s*\d+\s*[,/]\s*\d+\s*\]"
    r"|(?<![a-z])val(?:id(?:ation)?)?(?![a-z])|acc(?:uracy)?['\"]\s*:\s*\[|\s-\s\w+:\s*[\d.]",
    re.IGNORECASE,
)
# Other measures that may precede an accuracy that names no data. After a loss, it may be a training batch's accuracy.
_MEASURE_BEFORE = re.compile(
    r"\btop-?1(?=\s)|\b(?:got|(?:in)?correct|wrong|errors?|total|samples|images)\b[:=\s]*\d+(?:\s*/\s*\d+)?(?![.\d])"
    r"|\b(?:precision|recall|f1(?:[- ]score)?|(?:roc[- ])?auc|kappa|mcc|sensitivity|specificity)\b[^\d\n]{0,12}\d*\.?\d+",
    re.IGNORECASE,
)
_LONE_NUMBER_BEFORE = re.compile(r"(?<![A-Za-z_])\d")
_RISKY_BEFORE = re.compile(r"(?<![a-z])(?:loss|cost|error|lr|time|iters?|steps?|epochs?|batch)(?![a-z])", re.IGNORECASE)
_MAX_BEFORE = 80

_SAMPLES = r"(?:test(?:ing)?\s+|unseen\s+|held-?out\s+)?(?:samples|images|examples|instances|rows|sentences|digits)\b"
_SAMPLES_BETWEEN = re.compile(rf"(?<![\w.,])(?P<on>\d{{1,9}})\s+{_SAMPLES}", re.IGNORECASE)
# The number of samples after an accuracy: "(299/360)", or "on 360 test samples".
_SAMPLES_AFTER = re.compile(
    r"\s*(?:[(\[]\s*(?P<right>\d{1,9})\s*/\s*(?P<all>\d{1,9})\s*[)\]]"
    rf"|\(?\s*(?:on|of)\s+(?:the\s+)?(?P<on>\d{{1,9}})\s+{_SAMPLES})",
    re.IGNORECASE,
)
_SHARE_AFTER = re.compile(r"\s*[(\[,=]?\s*(?P<share>\d+(?:\.\d+)?)\s*(?P<percent>%)")
_SIGN_BETWEEN = re.compile(r"[(\[]\s*(?:in\s+)?(?:%|percent)|\bin percent")
_MAX_COUNT_DIFFERENCE = 0.00501
"""A count like 299/360 that differs by more than this from the accuracy beside it is taken to count something else."""

# A number is read whole or not at all: "8.5e-05" must not be read as 8.5, and "1.2.3" not as 1.2.
_WRAP = r"(?P<wrap>[\s\"'(<]*+(?:[A-Za-z_.]{0,30}(?:[Tt]ensor|float(?:16|32|64)?|[Aa]rray)\()?[\s\[]*+~?)"
_NUMBER = (
    rf"{_WRAP}(?:(?P<right>\d{{1,9}})(?:\s*/\s*|(?P<of>\s++(?:out\s+)?of\s+(?:the\s+)?))(?P<all>\d{{1,9}})(?![\w/]|[.,]\d)"
    r"|(?P<number>[-+]?(?:(?:\d++(?:[.,]\d*+)?|\.\d++)(?:e[-+]?\d++)?+|nan|inf(?:inity)?+)))"
    r"(?![\w/]|[.,]\d)(?P<percent>\s*+(?:%|per\s?cent\b|pct\b))?"
)
_UNIT_AFTER = r"(?!\s*(?:[mnuµ]?s|sec\w*|min\w*|h|hours?|[KMG]i?B|epochs?|steps?|it)\b)"
_STATED = re.compile(rf"(?:[:=|→~]|->|\b(?:is|was|of|equals|at|reached|to be))\s*{_NUMBER}{_UNIT_AFTER}", re.IGNORECASE)
_PERCENTAGE_BEFORE = re.compile(r"\d\s*(?:%|per\s?cent|pct)\s*$", re.IGNORECASE)
"""Matches a percentage at the end of a text, such as the "93.8 percent" that precedes "of 450"."""
_TOTAL = re.compile(r"\d\b[^:=]{0,40}\bof\W{0,9}\d+$", re.IGNORECASE)
"""Matches a whole number after "of" that is the total for an earlier count, as in "431 correct of 450"."""
_OF_TOTAL = re.compile(r"\s+(?:out\s+)?of\s+(?:the\s+)?(?!100\b)\d", re.IGNORECASE)
"""Matches a total after a number, as in "of 450", but not "of 100": a number out of 100 is a percentage in any case."""
# "431 of 450" may instead number something ("Test accuracy, epoch: 5 of 5"), and the count may be one of errors.
_NUMBERED_BEFORE = re.compile(r"(?<![a-z])(?<!\d )(?:epochs?|steps?|iter\w*|batch\w*)\W*$", re.IGNORECASE)
_COUNT_AFTER = re.compile(
    rf"(?:\s++{_SAMPLES})?(?:\s++(?:(?:are|were)\s+)?(?:(?:classified|predicted|labell?ed)\s+correctly|right"
    r"|correct(?:ly\s+(?:classified|predicted|labell?ed))?)\b)?"
    r"(?:[\s(]++(?:(?:on|in|from)\s+)?(?:the\s+)?(?:test(?:ing)?|training|train|validation|val)(?:\s+(?:set|data))?\b\)?)?"
    r"(?:\s*+(?:[,=(\[:→~]|-+>?)?\s*+(?P<share>\d+(?:[.,]\d+)?)(?![\w/]|[.,]\d)\s*(?P<percent>%|per\s?cent\b|pct\b)?)?"
    r"[\s)\]'\"!✓✅┃]*+(?:$|(?<=\t)|[,;|](?!\s*\d)|\.(?!\d)|-+\s|and\b)",
    re.IGNORECASE,
)
"""Matches the text after "431 of 450" if the 431 are correct predictions."""
_ADJACENT = re.compile(rf"(?<![\w.,@#/-]){_NUMBER}{_UNIT_AFTER}", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"[-+]?\d+")
# The next number of a row such as "0.82, 0.75", "'0.82' '0.75'", "{1: 0.82, 2: 0.75}" or "[0.82], [0.75]". In brackets,
# it is a spread or an interval; before another word, it is another measure; and "0.83 / 1.0" names the maximum.
_NEXT_IN_ROW = re.compile(
    r"(?:\]\s*,?(?=\s*\[)"
    r"|[\"')\]]*(?:\s*[,;|](?:\s*and\b)?|\s*/(?!\s*1(?:00)?(?:\.0*)?(?![\d.]))|\s+and\b|\s)(?!\s*[(\[<]))"
    rf"(?:\s*\d++\s*:)?{_NUMBER}(?!\s*(?!(?:and|on|over|for|in|across)\b)[A-Za-z@])",
    re.IGNORECASE,
)
_OTHER_NAMES = re.compile(r"\s*(?:[,;&/+|]|and\b)\s*[A-Za-z]", re.IGNORECASE)
"""Matches the start of another name after the name of an accuracy, as in "accuracy, loss: 0.8, 0.3"."""
_MAX_SPREAD = 0.25
"""A second number that is at most this share of the first may be its standard deviation."""
_NOUN_AFTER = re.compile(r"\s*[A-Za-z@]")
_BEFORE_WORD = re.compile(
    rf"(?P<lead>.*?)(?<![\w.,@#/-]){_NUMBER}\s*(?:(?:mean|average|overall|final|test(?:ing)?|classification|top-1)\s+)*$",
    re.IGNORECASE,
)
_OTHER_NUMBER_BEFORE = re.compile(
    r"[:=,]\s*$|(?<![a-z])(?:reach\w*|until|than|if|loss|dropout|lr|rate)\W*$", re.IGNORECASE
)
"""Matches the text before a number that is not an accuracy, although the word for accuracy follows it."""
# How close to its target a prediction counts as right: "within 25 %", "(within 3 points of the true value)", "±10%".
_TOLERANCE = re.compile(
    r"\(\s*(?:within\b|±|\+/?-)[^()]*\)|(?:\bwithin\s*[±$€£]?|±(?=[^:=]*[:=]))\s*\d++(?:[.,]\d++)?+"
    r"(?!\s*(?:epochs?|steps?|iter\w*|batch\w*|[mnuµ]?s|sec\w*|min\w*|h|hours?|days?)\b)"
    r"(?:\s*(?:%|(?:per\s?cent|pct|points?|units?|years?|dollars?|euros?|degrees?|[cmk]m|k?g|standard deviations?)\b))?"
    r"(?:\s+of\s+(?:(?:the|its|their)\s+)?(?:true|actual|real|observed|measured)\b(?:\s+\w+)?)?",
    re.IGNORECASE,
)
_SPREAD = re.compile(
    r"\W*(?:with\s+(?:a\s+)?)?(?:standard deviation|std)|\s*(?:\(|±|\+/?-|on\b|over\b|after\b|$)", re.IGNORECASE
)
_SEGMENT_END = re.compile(r"[,;](?=\s)|\s-+\s|\s\|\s|\t")
# "Loss & Acc = 0.25 & 87.00": if names are listed before their numbers, the first number is not the accuracy.
_LISTED_AFTER_ANOTHER = re.compile(
    r"(?<![a-z])(?:loss|cost|mse|mae|rmse|err(?:or)?|perplexity|ppl|precision|recall|f1(?:[-_ ]?score)?|auc|time)"
    r"\s*(?:[&/+,;|]|and\b)\s*(?:[a-z_]+\s+)?$",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\b(?P<data>train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?)(?:\s+set)?\s*[:=]?\s*", re.IGNORECASE)
_QUALIFIERS = re.compile(
    r"(?:[\W_]|\b(?:score|rate|is|was|of|for|on|the|our|this|final|trained|neural|net(?:work)?|model|classifier|system"
    r"|about|around|roughly|approximately|achieved|reached|obtained|after|at|in|end|training|test|percent|mean|average|overall|full|whole|entire|all|global|general|geral|total"
    r"|(?:data)?set|data|images?|samples?|examples?|rows|epochs?|\d+)\b)*",
    re.IGNORECASE,
)
"""Matches the text that may stand between the word for accuracy and its number if the line does not name the data."""
_REPORT_ROW = re.compile(r"\s*accuracy\s{2,}(?P<number>[01]\.\d+)\s{2,}(?P<samples>\d{1,9})\s*$")
"""Matches the accuracy row of scikit-learn's classification_report."""

# The following patterns detect lines that seem to state an accuracy in an unknown form.
# Possible accuracies: 0.54, 0,54, 54 %, 54/100, or a whole number after a colon. Not "10000 images" or "0.5s".
_LOOSE_NUMBER = (
    r"(?:\d*+[.,]\d++(?!\s*(?:[mnuµ]?s|sec\w*|min\w*|h|hours?|[KMG]i?B)\b)|\d++\s*(?:%|per\s?cent\b|/\s*\d)"
    r"|(?:[:=]|\bis\b)[\s\"'(\[]*(?:\d++|nan\b|inf\b))"
)
_LOOSE_AFTER = re.compile(_LOOSE_NUMBER, re.IGNORECASE)
_LOOSE_BEFORE = re.compile(_LOOSE_NUMBER + r"\s*(?:%|per\s?cent)?\s*(?:test(?:ing)?\s+)?$", re.IGNORECASE)
# Lines that do not state an accuracy: warnings, source code, and a framework's own reports.
_IGNORED_LINES = [
    re.compile(r"[a-z]Warning:|\bdeprecated\b|\b(?:print|warn)\(|^\s*(?:File \"|>>> )"),
    *(re.compile(framework.LOG_LINES.reports) for framework in frameworks().values() if framework.LOG_LINES.reports),
]
_METRIC_LIST_END = re.compile(r"['\"`]\s*[\]),}]")
"""Matches the text after the last name in a list of metrics, as in metrics=['accuracy']."""
_SEVERAL = "lists several numbers without saying which of them is the accuracy"
_FILE_PATH = re.compile(r"(?:\.{0,2}/|~|.*/.*/|.*\\|.*\.[a-z]\w*$)", re.IGNORECASE)


@dataclass(frozen=True)
class _Mention:
    """The name of an accuracy in a line, with the text ``before`` it and the text ``after`` it up to the next such name."""

    name: str
    before: str
    after: str
    rest: str
    end: int


def clean(line: str) -> str:
    """Return a line without terminal control sequences."""
    return _ANSI.sub("", line)


def cut_log_prefix(line: str) -> str:
    """Return a line without the prefix, such as the time and level, that a logger put before the script's own text."""
    prefix = _LOG_PREFIX.match(line)
    return line[prefix.end() :] if prefix else line


def read_line(line: str) -> Reading | None:
    """Return what a line says about accuracy; None for progress bars, warnings and the like.

    The line must not contain control sequences. If there are several statements, the last one about test data counts;
    failing that, the last one that does not say which data it is about; failing that, the last one about validation
    data.
    """
    if any(pattern.match(line) for pattern in _PROGRESS) or any(pattern.search(line) for pattern in _IGNORED_LINES):
        return None
    translated = translate(_TENSOR.sub(r"\1", unicodedata.normalize("NFKC", line)))
    text = cut_log_prefix(_PROGRESS_BAR.sub(" ", translated))
    text = _TOLERANCE.sub(lambda tolerance: f" {'_' * (len(tolerance[0]) - 2)} ", text)
    if row := _REPORT_ROW.match(text):
        return Reading(Statement(Split.UNNAMED, float(row["number"]), int(row["samples"]), None, False, len(line)))
    mentions = _find_mentions(text)
    read = [(mention, _read_mention(text, mention)) for mention in mentions]
    statements = [statement for _, statement in read if statement]
    guessed = [found for mention, statement in read if statement is None and (found := _guess(text, mention))]
    unread = max(guessed, key=lambda each: each.split is Split.TEST, default=None)
    has_percents = any(each.number is not None and 1 < each.number <= 100 for each in statements)
    for split in (Split.TEST, Split.UNNAMED, Split.VALIDATION):
        last = next((each for each in reversed(statements) if each.split is split), None)
        if last and not (unread and split is Split.VALIDATION):
            end = last.end + len(line) - len(text) if translated == line else len(line)
            return Reading(replace(last, end=end), has_percents=has_percents)
    heading = None
    if mentions and not statements and not re.search(r"\d", text):
        split = _find_split(text, mentions[-1], mentions[-1].after, "")
        heading = split if split is not Split.UNNAMED else None
    return Reading(None, unread, has_percents, heading)


def explain_other(line: str) -> str:
    """Return why a line in which ``read_line`` finds no accuracy does not count.

    If there are several reasons, the first of these is returned: several numbers follow the name of the plain accuracy;
    the line names another measure; the line does not say "test".
    """
    text = translate(unicodedata.normalize("NFKC", line))
    splits = [(each, _find_split(text, each, "", each.after)) for each in _find_mentions(text)]
    mentions = [(each, split) for each, split in splits if split in (Split.TEST, Split.UNNAMED)]
    plain = [each for each, _ in mentions if _may_be_plain(each)]
    if any((number := _ADJACENT.search(each.rest)) and _starts_row(number, each.rest) for each in plain):
        return _SEVERAL
    if len(plain) < len(mentions) or any(split is Split.TEST for _, split in mentions):
        return "does not state the plain accuracy"
    return "is not labelled as a test accuracy"


def _may_be_plain(mention: _Mention) -> bool:
    """Return whether a name may denote the plain accuracy, possibly next to another measure, as in "top-1/top-5"."""
    number = _ADJACENT.search(mention.rest)
    between = mention.rest[: number.start()] if number else ""
    if _TOP_1.search(" ".join(mention.before.split()[-2:]) + f" {mention.name}{between}"):
        return True
    return not (_is_excluded(mention) or any(pattern.search(between) for pattern in _NOT_PLAIN))


def _find_mentions(text: str) -> list[_Mention]:
    """Return the last ``_MAX_MENTIONS`` names of accuracies in a line."""
    spans: list[tuple[int, int]] = []
    for core in _CORE.finditer(text):
        start, end = core.span()
        while start > 0 and core.start() - start < _MAX_IDENTIFIER and text[start - 1] in _IDENTIFIER:
            start -= 1
        while end < len(text) and end - core.end() < _MAX_IDENTIFIER and text[end] in _IDENTIFIER:
            end += 1
        name = text[start:end].rstrip("/")
        words = [word.lower() for word in _WORDS.findall(name)]
        at = next((at for at, word in enumerate(words) if word in _ACCURACY_WORDS), None)
        is_name = core[0][0] in "tT" if at is None else _SUFFIXES.issuperset(words[at + 1 :])
        if is_name and not (spans and start < spans[-1][1]):
            spans.append((start, start + len(name)))
    spans = spans[-_MAX_MENTIONS:]
    ends = [*(start for start, _ in spans[1:]), len(text)]
    return [
        _Mention(text[start:end], text[:start], text[end:following], text[end:], end)
        for (start, end), following in zip(spans, ends, strict=False)
    ]


def _read_mention(text: str, mention: _Mention) -> Statement | None:
    """Return the accuracy that the line ``text`` states for ``mention``, or None."""
    if _is_excluded(mention):
        return None
    if _LISTED_AFTER_ANOTHER.search(mention.before):
        return None
    after = mention.after.removeprefix(PRECISION_MARK)
    is_precision = mention.after != after
    shift = mention.end + is_precision
    found = _find_number_before(mention.before, after)
    if found:
        between, number_end, lead = "", shift, found["lead"]
    else:
        start = re.search(r"\w", after)
        cut = _SEGMENT_END.search(after, start.start() if start else 0)
        segment = after[: cut.start()] if cut else after
        if pair := _find_pair(segment if segment.count(":") > 1 or not cut else after):
            split, found = pair
            return _build(split, found, "", is_precision, shift + found.end(), after[found.end() :])
        found = _find_number(segment, after)
        if found is None or _starts_row(found, after):
            return None
        between, number_end, lead = segment[: found.start("wrap")], shift + found.end(), mention.before
    if any(pattern.search(between) for pattern in _NOT_PLAIN):
        return None
    split = _find_split(text, mention, between, text[number_end:])
    if split in (Split.TEST, Split.UNNAMED) and _is_of_part(mention, between, lead):
        return None
    if split is Split.UNNAMED and not _is_plain_statement(text, mention.name, between, lead):
        return None
    return _build(split, found, between, is_precision, number_end, text[number_end:])


def _is_excluded(mention: _Mention) -> bool:
    """Return whether a name denotes a target, a difference or another measure rather than an accuracy."""
    words = [word.lower() for word in _WORDS.findall(mention.name)]
    before = mention.before[-_MAX_BEFORE:]
    around = before.split(" ")[-1] + mention.name + mention.rest.split(" ")[0]
    return bool(
        not _OTHER_WORDS.isdisjoint(words)
        or _OTHER_ACCURACIES.search(" ".join(before.split()[-2:]) + " " + mention.name + mention.after[:6])
        or _TARGET_BEFORE.search(before)
        or _CHANGE_BEFORE.search(before)
        or re.search(r"[A-Za-z]-$|[A-Za-z]-(?:test|train)\s*$", re.sub(r"\btop-$|\bcross-$", "", before), re.IGNORECASE)
        or _FILE_PATH.match(around.strip("\"'`()[]{},;:="))
        or _METRIC_LIST_END.match(mention.after)
    )


def _find_number_before(before: str, after: str) -> re.Match[str] | None:
    """Return the number just before an accuracy's name, as in "0.95 accuracy" or "54.0% test accuracy"; else None."""
    if not _SPREAD.match(after.lstrip(" .!,")) and _LOOSE_AFTER.search(after):
        return None
    found = _BEFORE_WORD.search(before[-_MAX_BEFORE:])
    if found is None or found["of"] or (found["number"] or "").lower() in ("nan", "inf", "infinity"):
        return None
    if found["number"] and _WHOLE_NUMBER.fullmatch(found["number"]) and not found["percent"]:
        return None
    return None if _OTHER_NUMBER_BEFORE.search(found["lead"]) else found


def _find_number(segment: str, after: str) -> re.Match[str] | None:
    """Return the match in ``segment`` (a prefix of ``after``) for the number following an accuracy's name, or None."""
    for found in _STATED.finditer(segment):
        if _is_value(found, after) and not _PERCENTAGE_BEFORE.search(segment[: found.start()]):
            return found
    for found in _ADJACENT.finditer(segment):
        is_count = _is_count(found) or found["of"]
        if _is_value(found, after) and not (is_count and re.search(r"\w", segment[: found.start()])):
            return found
    return None


def _starts_row(found: re.Match[str], after: str) -> bool:
    """Return whether ``found``, a match in ``after``, starts a row of possible accuracies, such as one per fold.

    The result is False for two numbers if the second may be a standard deviation.
    """
    if found["right"]:
        following = _NEXT_IN_ROW.match(after, found.end())
        return bool(following and following["right"])
    if _OTHER_NAMES.match(after[: found.start("wrap")]):
        return False
    row, end = [_to_number(found)], found.end()
    while len(row) < 3 and (following := _NEXT_IN_ROW.match(after, end)):
        number = following["number"]
        if not number or number[0] in "+-" or _form_of(following) != _form_of(found):
            break
        row.append(_to_number(following))
        end = following.end()
    first, *others = [each for each in row if each <= (100 if row[0] > 1 or found["percent"] else 1)] or row
    return len(others) > 1 or any(each > _MAX_SPREAD * first for each in others)


def _to_number(found: re.Match[str]) -> float:
    return float(found["number"].rstrip(",").replace(",", "."))


def _form_of(found: re.Match[str]) -> tuple[bool, bool]:
    """Return whether a number has a percent sign, and whether it is whole."""
    return bool(found["percent"]), bool(_WHOLE_NUMBER.fullmatch(found["number"].rstrip(",")))


def _is_count(found: re.Match[str]) -> bool:
    """Return whether a number is whole and has no percent sign."""
    return bool(found["number"] and _WHOLE_NUMBER.fullmatch(found["number"]) and not found["percent"])


def _is_value(found: re.Match[str], after: str) -> bool:
    """Return whether a number may be an accuracy, rather than a list item, a label or a count.

    In "of 3: 0.9", the 3 is a label; in "10000 images", the number is a count.
    """
    start, following = found.end("wrap"), after[found.end() :]
    opened = after.rfind("[", 0, start)
    if opened >= 0 and "]" not in after[opened:start]:
        closed = after.find("]", start)
        if re.search(r"[,\s]\s*[\d.]", after[opened + 1 : closed if closed >= 0 else None].strip()):
            return False
    if re.match(r"\s*:\s*[\d.]", following) or (
        _is_count(found) and _TOTAL.search(after[: found.end()][-_MAX_BEFORE:])
    ):
        return False
    if found["of"]:
        before = _OF.sub("", re.sub(r"[(\[][^)\]]*[)\]]", "", after[: found.start()][: _MAX_BEFORE + 1]))
        is_count = len(before) <= _MAX_BEFORE and _QUALIFIERS.fullmatch(before) and not _NUMBERED_BEFORE.search(before)
        return bool(is_count and (_COUNT_AFTER.match(following) or not _NOUN_AFTER.match(following)))
    return not (_is_count(found) and _NOUN_AFTER.match(following))


def _find_pair(after: str) -> tuple[Split, re.Match[str]] | None:
    """Return the test accuracy if pairs such as "train 0.99, test 0.83" follow an accuracy's name, else None."""
    pairs = []
    for data in _PAIR.finditer(after):
        found = re.compile(_NUMBER, re.IGNORECASE).match(after, data.end())
        if found:
            pairs.append((data["data"].lower(), found))
    tests = [found for data, found in pairs if data.startswith("test")]
    return (Split.TEST, tests[-1]) if len(pairs) > 1 and tests else None


def _find_split(text: str, mention: _Mention, between: str, following: str) -> Split:
    """Return the split that an accuracy is for: the last one named before the number, or else the first after it."""
    words = " ".join(_WORDS.findall(mention.name))
    joined = re.match(r"(test|train|val|valid|eval|dev)acc", words, re.IGNORECASE)
    name = f"{joined[1]} " if joined else words
    named = [*_DATA.finditer(mention.before), *_DATA.finditer(name), *_DATA.finditer(between)][-1:]
    named = named or list(_DATA.finditer(re.split(r"[:=]", following[:_MAX_BEFORE])[0]))[:1]
    if named:
        return Split(named[0].lastgroup or Split.UNNAMED)
    return Split.TRAINING if _TRAINING_LINE.search(text) else Split.UNNAMED


def _is_of_part(mention: _Mention, between: str, lead: str) -> bool:
    """Return whether an accuracy is for one class, one fold or the best epoch, not for the model on all test data."""
    nearby = " ".join([*lead.split()[-4:], mention.name, between])
    if _PART.search(re.sub(r"(?i)majority class|\bclassif\w+", "", nearby)):
        return True
    of = _OF.match(between)
    return bool(of and not _SUBJECT.search(of["subject"]))


def _is_plain_statement(text: str, name: str, between: str, lead: str) -> bool:
    """Return whether an accuracy in a line that does not name the data is certainly not a training accuracy."""
    if "eval" in name.lower():
        return True
    if re.match(r"\s*\W*accuracy\W[^-]*-\s\w+:", text, re.IGNORECASE):  # the end of a line of Keras' progress output
        return False
    lead = _MEASURE_BEFORE.sub("", lead)
    if len(lead) > _MAX_BEFORE or _RISKY_BEFORE.search(lead) or _LONE_NUMBER_BEFORE.search(lead):
        return False
    return bool(_QUALIFIERS.fullmatch(_OF.sub("", re.sub(r"[(\[][^)\]]*[)\]]", "", between))))


def _build(
    split: Split, found: re.Match[str], between: str, is_precision: bool, end: int, following: str
) -> Statement | None:
    """Return the statement for a number that was found; None if it is inconsistent (such as 360/299) or ambiguous."""
    if found["right"]:
        right, samples = int(found["right"]), int(found["all"])
        share = (_COUNT_AFTER if found["of"] else _SHARE_AFTER).match(following)
        if not 0 < samples >= right or (found["of"] and not share):
            return None
        if share and share["share"] and _differs(_to_share(share), right / samples):
            return None
        return Statement(split, right / samples, samples, None, is_precision, end)
    has_sign = bool(found["percent"] or _SIGN_BETWEEN.search(between))
    whole, comma, decimals = found["number"].partition(",")
    if comma and len(decimals) == 3 and whole.lstrip("+-0") and not has_sign:
        return None  # 83,123 may be a count
    if not has_sign and _OF_TOTAL.match(following) and re.fullmatch(r"(?![01]\.)\d+\.0+", found["number"]):
        return None  # in "95.0 of 450", 95.0 may be a count or a percentage
    text = f"{whole}.{decimals}" if comma else whole
    number = float(text)
    is_percentage = has_sign or (1 < number <= 100 and not _WHOLE_NUMBER.fullmatch(text))
    # The division is decimal, so that 83.2% gives exactly the float 0.832 and reaches a threshold of 0.832.
    value = float(Decimal(str(number)) / 100) if is_percentage else number
    statement = Statement(split, value, None, None if has_sign and number > 1 else number, is_precision, end)
    count = _SAMPLES_AFTER.match(following)
    named = _SAMPLES_BETWEEN.search(between) or count
    if named and named["on"]:
        return replace(statement, samples=int(named["on"]) or None)
    if count and int(count["all"]) and not _differs(int(count["right"]) / int(count["all"]), value):
        return replace(statement, value=int(count["right"]) / int(count["all"]), samples=int(count["all"]), number=None)
    return statement


def _to_share(found: re.Match[str]) -> float:
    """Return the share that a line gives next to a count, such as "95.8%" or "0.958", as a fraction."""
    share = float(found["share"].replace(",", "."))
    return share / 100 if found["percent"] or share > 1 else share


def _differs(share: float, other: float) -> bool:
    """Return whether two fractions differ by more than rounding to two decimal places can explain."""
    return abs(share - other) > _MAX_COUNT_DIFFERENCE


def _guess(text: str, mention: _Mention) -> Unread | None:
    """Return an ``Unread`` if a number near ``mention`` may be an accuracy on test or unnamed data; otherwise None."""
    if _is_excluded(mention) and not re.search(r"(?<![a-z])(?:best|max)(?![a-z])", mention.name, re.IGNORECASE):
        return None
    after = _METRIC_LIST_END.split(mention.after)[0]
    number = _LOOSE_AFTER.search(after)
    if not number and not _LOOSE_BEFORE.search(mention.before[-_MAX_BEFORE:]):
        return None
    between = after[: number.start()] if number else ""
    if any(pattern.search(between) for pattern in _NOT_PLAIN):
        return None
    split = _find_split(text, mention, between, after)
    if split not in (Split.TEST, Split.UNNAMED):
        return None
    return Unread(split, _explain_unread(mention, between, split))


def _explain_unread(mention: _Mention, between: str, split: Split) -> str:
    if _is_excluded(mention) or _is_of_part(mention, between, mention.before):
        return "may state the accuracy of the best epoch or of only part of the test data"
    measure = _RISKY_BEFORE.search(_MEASURE_BEFORE.sub("", mention.before))
    if measure and split is Split.UNNAMED:
        return f"mentions {measure[0]!r} first and does not say 'test', so it may state a training accuracy"
    number = _ADJACENT.search(mention.after)
    if number and _starts_row(number, mention.after):
        return _SEVERAL
    return "is in a format that Epochal does not recognise"
