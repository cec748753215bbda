"""Convert between database rows and the dataclasses in ``epochal.records``; columns and fields share names."""

from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Row

from epochal.records import Accuracy, Trial

_T = TypeVar("_T")
_ACCURACY = "accuracy_"
"""The prefix of the columns that hold a trial's accuracy."""


def read_row(record: type[_T], row: Row[Any], prefix: str = "", **others: Any) -> _T:
    """Return an instance of the dataclass ``record``, built from a row and, for the remaining fields, from ``others``.

    The name of a field's column is ``prefix`` followed by the field's name. A field with neither a column nor a value
    in ``others`` gets its default.
    """
    columns = row._mapping
    known = {
        field.name: columns[prefix + field.name]
        for field in fields(record)  # type: ignore[arg-type]  # no type can require a dataclass
        if prefix + field.name in columns
    }
    return record(**known, **others)


def read_trial(row: Row[Any]) -> Trial:
    """Convert a row of the ``run_trials`` table to a Trial."""
    measured = row._mapping[f"{_ACCURACY}value"] is not None
    return read_row(Trial, row, accuracy=read_row(Accuracy, row, _ACCURACY) if measured else None)


def trial_columns(trial: Trial) -> dict[str, Any]:
    """Return the columns to store for a trial, without its forecast and judgement, which are stored separately."""
    columns = {field.name: getattr(trial, field.name) for field in fields(trial)}
    for name in ("accuracy", "forecast", "judgement"):
        del columns[name]
    if trial.accuracy is not None:
        columns |= {f"{_ACCURACY}{field.name}": getattr(trial.accuracy, field.name) for field in fields(Accuracy)}
    return columns
