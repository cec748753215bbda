"""Explain why a model's weights became NaN or infinite, and how to fix it. No I/O."""

from dataclasses import dataclass
from typing import Any

from epochal.grammar import join_words
from epochal.results.metrics import PARSE_ERRORS, keep_printable, parse_events, read_count, read_number

_ROUNDING = 1 + 1e-6
"""A learning rate that exceeds the default by at most this factor counts as the default.

Keras stores the rate as a 32-bit float.
"""
_LARGE_INPUT = 100
"""Inputs at least this large are considered the cause of divergence if no other cause is found.

Clipping the gradients would not help much in that case.
"""
_MAX_COLUMNS = 10
"""The maximum number of columns that a message lists."""


@dataclass(frozen=True)
class Divergence:
    """A trial's last fit, which ended with weights that are not finite.

    ``epoch``: the first epoch (of ``epochs``) after which the weights were not finite. ``bad_inputs`` and
    ``bad_labels``: how many of the ``rows`` training rows contain NaN or infinity in their inputs or labels.
    ``bad_columns``: the columns of an input matrix that contain NaN or infinity. ``has_nan``: whether any input or
    label is NaN. ``default_rate``: the optimizer's default learning rate; None if unknown. ``clipped``: whether the
    optimizer clips the gradients. ``own_code``: whether the script defines its own layers, loss or training steps.
    ``largest_input``: the largest absolute value of the inputs; 0 if a layer scales them.
    """

    epoch: int
    epochs: int
    bad_inputs: int
    bad_labels: int
    rows: int
    bad_columns: tuple[int, ...]
    has_nan: bool
    optimizer: str
    learning_rate: float
    default_rate: float | None
    clipped: bool
    own_code: bool
    largest_input: float

    @property
    def explanation(self) -> str:
        """What happened, and how to remedy the most likely cause."""
        return f"{self.cause} {self.remedy}"

    @property
    def cause(self) -> str:
        """A sentence that says what happened."""
        return (
            f"The weights have been NaN or infinite since epoch {self.epoch} of {self.epochs}, "
            "so more epochs would not help."
        )

    @property
    def remedy(self) -> str:
        """A sentence that says how to remedy the most likely cause."""
        if self.bad_inputs:
            return self._explain_inputs()
        if self.bad_labels:
            every = self.bad_labels >= self.rows
            which, remedy = ("all", "correct") if every else (f"{self.bad_labels} of {self.rows}", "correct or remove")
            return f"The labels of {which} training rows contain NaN or infinity: {remedy} these rows."
        rate = f"the learning rate of {self.optimizer} (currently {self.learning_rate:g})"
        if self.default_rate is not None and self.learning_rate > self.default_rate * _ROUNDING:
            return f"Lower {rate}; Keras' default is {self.default_rate:g}."
        if self.own_code:
            return (
                "To find the operation that produces NaN or infinity, such as the logarithm of 0 or a division by 0, "
                "call tf.debugging.enable_check_numerics() before training."
            )
        if self.largest_input >= _LARGE_INPUT:
            return f"Scale the inputs, which are as large as {self.largest_input:g}, to the range from -1 to 1."
        if not self.clipped:
            return f"Clip the gradients with {self.optimizer}(…, clipnorm=1.0)."
        return (
            f"Lower the learning rate of {self.optimizer} (currently {self.learning_rate:g}), "
            "or scale the inputs to the range from -1 to 1."
        )

    def _explain_inputs(self) -> str:
        kind = "NaN" if self.has_nan else "infinity"
        columns = join_words([*map(str, self.bad_columns)]) if 0 < len(self.bad_columns) <= _MAX_COLUMNS else ""
        where = f" in column{'s' if len(self.bad_columns) > 1 else ''} {columns} (counted from 0)" if columns else ""
        if self.bad_inputs < self.rows:
            return (
                f"The inputs of {self.bad_inputs} of {self.rows} training rows contain {kind}{where}: "
                "correct or remove these rows."
            )
        cause = (
            "a constant column is divided by its standard deviation, which is 0"
            if self.has_nan
            else "the logarithm of 0 is taken"
        )
        return (
            f"The inputs of all training rows contain {kind}{where}: "
            f"correct the code that computes them (perhaps {cause})."
        )


def parse_divergence(metrics_jsonl: str) -> Divergence | None:
    """Return how the last fit in ``metrics.jsonl`` diverged; None if it did not diverge."""
    found = None
    for event in parse_events(metrics_jsonl):
        if event.get("event") == "fit":
            found = None
        elif event.get("event") == "diverged":
            try:
                found = _parse(event)
            except PARSE_ERRORS:
                continue
    return found


def _parse(event: dict[str, Any]) -> Divergence:
    nonfinite, default = event["nonfinite"], event["default_rate"]
    if not isinstance(nonfinite, dict):
        raise TypeError(nonfinite)
    return Divergence(
        read_count(event["epoch"]),
        read_count(event["epochs"]),
        int(nonfinite["x"]),
        int(nonfinite["y"]),
        int(event["rows"]),
        _read_columns(event["columns"]),
        event["nan"] is True,
        keep_printable(event["optimizer"]),
        read_number(event["learning_rate"]),
        None if default is None else read_number(default),
        event["clipped"] is True,
        event["own_code"] is True,
        0.0 if event["scales"] is True else read_number(event["largest_input"]),
    )


def _read_columns(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(read_count(each) for each in value)
