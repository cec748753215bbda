"""What tests of several rooms need of trials: an accuracy, and what was measured of each."""

import importlib
import sys
from collections.abc import Callable
from typing import Any, overload

import pytest

from epochal.records import Accuracy, AccuracySource, Run


@overload
def measured(value: float, source: AccuracySource = ..., **others: Any) -> Accuracy: ...
@overload
def measured(value: None, source: AccuracySource = ..., **others: Any) -> None: ...
def measured(value: float | None, source: AccuracySource = AccuracySource.OUTPUT, **others: Any) -> Accuracy | None:
    """Return an accuracy of this value; None for None."""
    return None if value is None else Accuracy(value, source, **others)


def accuracies(run: Run) -> list[float | None]:
    """Return the accuracy of each trial of a run."""
    return [trial.accuracy.value if trial.accuracy else None for trial in run.trials]


def replace_everywhere(patch: pytest.MonkeyPatch, function: Callable[..., Any], other: Callable[..., Any]) -> None:
    """Put ``other`` into the place of a function of the package, in every module that has imported it."""
    for lazy in ("train", "retrain", "search.conduct"):  # what is imported while it is replaced would keep ``other``
        importlib.import_module(f"epochal.jobs.{lazy}")
    for name, module in list(sys.modules.items()):
        if name.startswith("epochal.") and getattr(module, function.__name__, None) is function:
            patch.setattr(module, function.__name__, other)
