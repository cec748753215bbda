"""Find the accuracy in result files that the script wrote, such as metrics.json."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from epochal.results.outputs import read_untrusted_text
from epochal.results.printed import PrintedAccuracy, PrintedLines

_NAMES = re.compile(
    r"(?:.*[_.-])?(?:metrics?|results?|scores?|acc(?:uracy)?|eval(?:uation)?|performance|summary|report)(?:[_.-].*)?"
    r"\.(?:json|txt)",
    re.IGNORECASE,
)
_ACCURACY_FILE = re.compile(r"(?:.*[_-])?acc(?:uracy)?\.txt", re.IGNORECASE)
_TRAINING = re.compile(r"(?<!after[_.-])(?<!post[_.-])(?<![a-z])train(?:ing|set)?(?![a-z])", re.IGNORECASE)
_TEST = re.compile(
    r"(?<![a-z])(?:test(?:ing|set)?|eval(?:uation)?|holdout|val(?:id(?:ation)?)?)(?![a-z])", re.IGNORECASE
)
_PERCENT = re.compile(r"[ _-](?:in_)?(?:pct|percent|percentage)$", re.IGNORECASE)
_MAX_DEPTH = 3
_MAX_FOLDERS = 1000
_MAX_FILES = 20
_MAX_LENGTH = 100_000


@dataclass(frozen=True)
class WrittenFile:
    """A result file that the script wrote in a trial.

    ``name``: its path relative to the root of the code. ``is_training``: whether the name of the file, or of a folder
    that the trial made, shows that the numbers come from training, as in train_metrics.json.
    """

    name: str
    text: str
    is_training: bool = False

    @cached_property
    def accuracy(self) -> PrintedAccuracy | None:
        """The test accuracy that the file reports; None if it reports none, or several different ones."""
        lines = PrintedLines()
        lines.feed("".join(f"{line}\n" for line in self._lines()).encode("utf-8", "replace"), 0.0)
        stated = lines.named_tests if self.is_training else lines.all_tests
        return stated[-1] if len({line.value for line in stated}) == 1 else None

    def _lines(self) -> list[str]:
        """Return the content as lines like those that a script prints, such as ``test accuracy: 0.83``."""
        if self.name.lower().endswith(".json"):
            try:
                return list(_flatten(json.loads(self.text)))
            except (ValueError, RecursionError):
                return []
        is_number = _ACCURACY_FILE.fullmatch(Path(self.name).name) and re.fullmatch(r"[\d.,%\s]+", self.text)
        return [f"accuracy: {self.text.strip()}"] if is_number else self.text.splitlines()


def _flatten(content: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each number or string in parsed JSON, with the keys that lead to it; lists are left out."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _flatten(value, f"{path} {name}".strip())
    elif type(content) in (int, float, str) and path:
        name, sign = _PERCENT.subn("", path)
        yield f"{name}: {content}{'%' if sign and not isinstance(content, str) else ''}"


def find_written_files(code: Path, snapshot: Path) -> list[WrittenFile]:
    """Return the result files that a trial wrote in ``code``, the trial's own copy of the folder ``snapshot``.

    A file with a suitable name, such as metrics.json or results/accuracy.txt, counts if it is not in the snapshot or
    has a different modification time there. (The copy preserves modification times.)
    """
    found: list[WrittenFile] = []
    for visited, (folder, folders, names) in enumerate(os.walk(code)):
        path = Path(folder)
        if visited >= _MAX_FOLDERS or len(found) >= _MAX_FILES:
            break
        is_deep = len(path.relative_to(code).parts) >= _MAX_DEPTH
        folders[:] = [] if is_deep else sorted(each for each in folders if not each.startswith((".", "__")))
        for name in sorted(each for each in names if _NAMES.fullmatch(each)):
            file = (path / name).relative_to(code)
            if _is_same_file(code / file, snapshot / file):
                continue
            text = read_untrusted_text(code / file)
            if text is not None and len(text) <= _MAX_LENGTH:
                found.append(WrittenFile(str(file), text, _names_training(file, snapshot)))
    return found[:_MAX_FILES]


def _names_training(file: Path, snapshot: Path) -> bool:
    """Return whether a result file's path says that it is about training and not about a test.

    The names of folders that are also in the snapshot are ignored, because a project may keep its code in a folder
    called training.
    """
    made = [folder.name for folder in file.parents if folder.name and not (snapshot / folder).exists()]
    return not _TEST.search(file.name) and (
        bool(_TRAINING.search(file.name)) or any(_TRAINING.fullmatch(name) for name in made)
    )


def _is_same_file(one: Path, other: Path) -> bool:
    """Return whether both files exist and were modified at the same time."""
    try:
        return one.lstat().st_mtime_ns == other.lstat().st_mtime_ns
    except OSError:
        return False
