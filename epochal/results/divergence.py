"""Explain why the weights of a network became NaN, and how to fix it. No I/O."""

from dataclasses import dataclass

from epochal.results.metrics import PARSE_ERRORS, keep_printable, parse_events, read_count, read_number


@dataclass(frozen=True)
class Divergence:
    """The last fit of a trial, if it ended with weights that are not finite numbers.

    ``epoch``: the first of ``epochs`` after which the weights were not finite. ``bad_inputs`` and ``bad_labels``: the number
    of training rows with NaN or infinity. ``default_rate``: the optimizer's default learning rate; None if unknown.
    ``clipped``: whether the optimizer limits the gradients. ``own_code``: whether the script defines its own layers, loss
    or training steps.
    """

    epoch: int
    epochs: int
    bad_inputs: int
    bad_labels: int
    optimizer: str
    learning_rate: float
    default_rate: float | None
    clipped: bool
    own_code: bool

    @property
    def explanation(self) -> str:
        """What happened, and how to remedy the most likely cause."""
        return f"{self.cause} {self.remedy}"

    @property
    def cause(self) -> str:
        """A sentence that says what happened."""
        return (
            f"The loss and the weights have been NaN or infinite since epoch {self.epoch} of {self.epochs}, so more epochs "
            "would change nothing."
        )

    @property
    def remedy(self) -> str:
        """A sentence that says how to remedy the most likely cause."""
        for count, name in ((self.bad_inputs, "inputs"), (self.bad_labels, "labels")):
            if count:
                return f"The {name} of {count} training rows contain NaN or infinity: correct or leave out these rows."
        rate = f"the learning rate of {self.optimizer} from {self.learning_rate:g}"
        if self.default_rate is not None and self.learning_rate > self.default_rate:
            return f"Lower {rate}; Keras' default is {self.default_rate:g}."
        if self.own_code:
            return (
                "Call tf.debugging.enable_check_numerics() before the training to find the operation that causes this, "
                "such as the logarithm of 0 or a division by 0."
            )
        if not self.clipped:
            return f"Limit the gradients with {self.optimizer}(…, clipnorm=1.0)."
        return (
            f"Lower the learning rate of {self.optimizer} from {self.learning_rate:g}, or scale the inputs to about 1."
        )


def parse_divergence(metrics_jsonl: str) -> Divergence | None:
    """Return how the last fit in ``metrics.jsonl`` diverged; None if it did not."""
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


def _parse(event: dict[str, object]) -> Divergence:
    nonfinite, default = event["nonfinite"], event["default_rate"]
    if not isinstance(nonfinite, dict):
        raise TypeError(nonfinite)
    return Divergence(
        read_count(event["epoch"]),
        read_count(event["epochs"]),
        int(nonfinite["x"]),
        int(nonfinite["y"]),
        keep_printable(event["optimizer"]),
        read_number(event["learning_rate"]),
        None if default is None else read_number(default),
        event["clipped"] is True,
        event["own_code"] is True,
    )
