"""Helpers for tests about trials: make an accuracy, list accuracies, replace a function."""

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
    """Return an accuracy with this value, by default from the script's output; None for None."""
    return None if value is None else Accuracy(value, source, **others)


def accuracies(run: Run) -> list[float | None]:
    """Return the accuracy of each trial of a run; None for a trial without one."""
    return [trial.accuracy.value if trial.accuracy else None for trial in run.trials]


def replace_everywhere(patch: pytest.MonkeyPatch, function: Callable[..., Any], other: Callable[..., Any]) -> None:
    """Replace Epochal's ``function`` with ``other`` in every module that has imported it."""
    # A module imported during the replacement would keep ``other`` afterwards, so import these modules first.
    for room in ("train", "retrain", "search.run"):
        importlib.import_module(f"epochal.jobs.{room}")
    for name, module in list(sys.modules.items()):
        if name.startswith("epochal.") and getattr(module, function.__name__, None) is function:
            patch.setattr(module, function.__name__, other)
