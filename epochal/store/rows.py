"""Rows of the tables as the records that the rest of the package knows: columns are called as the records' fields are."""

from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Row

from epochal.records import Accuracy, Trial

_T = TypeVar("_T")
_ACCURACY = "accuracy_"
"""What the columns of a trial's accuracy begin with."""


def read_row(record: type[_T], row: Row[Any], prefix: str = "", **others: Any) -> _T:
    """Return a row as ``record``, a dataclass whose fields are the columns that begin with ``prefix``, or ``others``."""
    columns = row._mapping
    known = {
        field.name: columns[prefix + field.name]
        for field in fields(record)  # type: ignore[arg-type]  # a dataclass, which no type says
        if prefix + field.name in columns
    }
    return record(**known, **others)


def read_trial(row: Row[Any]) -> Trial:
    """Return a row of ``run_trials``."""
    measured = row._mapping[f"{_ACCURACY}value"] is not None
    return read_row(Trial, row, accuracy=read_row(Accuracy, row, _ACCURACY) if measured else None)


def trial_columns(trial: Trial) -> dict[str, Any]:
    """Return what a trial's row holds of it, but for its forecast and its judgement, which are stored by themselves."""
    columns = {field.name: getattr(trial, field.name) for field in fields(trial)}
    for name in ("accuracy", "forecast", "judgement"):
        del columns[name]
    if trial.accuracy is not None:
        columns |= {f"{_ACCURACY}{field.name}": getattr(trial.accuracy, field.name) for field in fields(Accuracy)}
    return columns
