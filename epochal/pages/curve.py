"""The learning curves of a run, drawn as text."""

import math
from collections.abc import Sequence

from epochal.folders import RunFolder
from epochal.records import Run
from epochal.results.metrics import parse_epochs
from epochal.results.outputs import read_metrics

Curve = Sequence[tuple[int, float]]
"""The validation accuracy (0 to 1) of one trial after each epoch, with epochs counted from 1."""

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character, in four rows of two. A character is U+2800 plus the bits of its dots."""
_BLANK = 0x2800
_STEP = 0.1
"""The accuracy axis starts and ends at a multiple of this number."""
_LABEL_WIDTH = len("0.80 ┤")


def load_curves(folder: RunFolder, run: Run) -> list[Curve]:
    """Return the curves of ``run``: the validation accuracies of each trial, from the run's ``folder``."""
    curves = []
    for trial in run.trials:
        epochs = parse_epochs(read_metrics(folder.trial(trial.number).metrics))
        curves.append([(e.number, e.validation_accuracy) for e in epochs if e.validation_accuracy is not None])
    return [curve for curve in curves if curve]


def draw_curves(curves: Sequence[Curve], threshold: float, width: int = 72, height: int = 12) -> list[str]:
    """Return ``curves`` drawn as text, with a dashed line at ``threshold``.

    ``width``: the number of characters per line, axis included, at least 20. ``height``: the number of lines above the
    epoch axis, at least 2. Accuracies that are not finite are left out. Returns no lines if no accuracies remain.
    """
    curves = [[(epoch, value) for epoch, value in curve if math.isfinite(value)] for curve in curves]
    points = [point for curve in curves for point in curve]
    if not points:
        return []
    first, last = min(epoch for epoch, _ in points), max(epoch for epoch, _ in points)
    accuracies = [threshold, *(value for _, value in points)]
    low = math.floor(min(accuracies) / _STEP + 1e-9) * _STEP
    high = max(math.ceil(max(accuracies) / _STEP - 1e-9) * _STEP, low + _STEP)
    columns = width - _LABEL_WIDTH
    dots_across, dots_down = 2 * columns - 1, 4 * height - 1

    def place(epoch: float, accuracy: float) -> tuple[int, int]:
        across = (epoch - first) / (last - first) if last > first else 0.5
        return round(across * dots_across), round((high - accuracy) / (high - low) * dots_down)

    cells = [[_BLANK] * columns for _ in range(height)]
    for curve in curves:
        dots = [place(*point) for point in curve]
        for (x, y), (next_x, next_y) in zip(dots, dots[1:] or dots, strict=False):
            steps = max(abs(next_x - x), abs(next_y - y), 1)
            for step in range(steps + 1):
                across, down = round(x + (next_x - x) * step / steps), round(y + (next_y - y) * step / steps)
                cells[down // 4][across // 2] |= _DOTS[down % 4][across % 2]

    threshold_line = place(first, threshold)[1] // 4
    lines = []
    labels = {0: high, height - 1: low, threshold_line: threshold}
    for number, row in enumerate(cells):
        blank = "╌" if number == threshold_line else " "
        label = labels.get(number)
        axis = "     │" if label is None else f"{label:.2f} ┤"
        lines.append((axis + "".join(blank if cell == _BLANK else chr(cell) for cell in row)).rstrip())
    ends = f"{first}", f"{last}"
    gap = columns - len(ends[0]) - len(ends[1])
    middle = "epoch".center(gap) if gap >= len("epoch") + 2 else " " * gap
    return [*lines, "     └" + "─" * columns, " " * _LABEL_WIDTH + ends[0] + middle + ends[1]]
