"""Parse what the recorder wrote about a training: its epochs and fits. No I/O."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from epochal.records import Epoch, Fit

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What parsing the recorder's files can raise. Training code can write to them, too, so they may contain anything."""
_LONGEST_WHY = 300
_MOST_FAULTS = 3
_MOST = 1_000_000
_MOST_SAMPLES = 2**31 - 1
"""The largest integer that a column can store in every supported database."""
_LONGEST_TEST_SET = 64


def parse_epochs(metrics_jsonl: str) -> list[Epoch]:
    """Return the epochs in ``metrics.jsonl``. Other events and incomplete lines are skipped."""
    return [epoch for event in events(metrics_jsonl) if (epoch := _epoch(event))]


def parse_fits(metrics_jsonl: str) -> list[Fit]:
    """Return the fits in ``metrics.jsonl``, in the order in which they began."""
    fits: dict[tuple[int, int], Fit] = {}
    epochs: dict[tuple[int, int], list[Epoch]] = {}
    for event in events(metrics_jsonl):
        try:
            key = fit_of(event)
            if event["event"] == "fit":
                fits[key], epochs[key] = _started(event)
            elif event["event"] == "stopped":
                fits[key] = replace(fits[key], stopped=True)
            elif event["event"] == "fitted":
                fits[key] = replace(fits[key], ended=True)
            elif epoch := _epoch(event):
                fits.setdefault(key, Fit(*key, wanted=epoch.epochs or epoch.number))
                epochs.setdefault(key, []).append(epoch)
        except UNREADABLE:
            continue
    return [replace(fit, epochs=tuple(epochs.get(key, ()))) for key, fit in fits.items()]


def number(value: Any) -> float:
    """Return a JSON number, or one of the recorder's strings "NaN", "Infinity" and "-Infinity", as a float.

    Raises ValueError for any other value.
    """
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise ValueError(value)


def parse_validates_on_test(metrics_jsonl: str) -> bool:
    """Return whether the last ``evaluate()`` measured on rows that were also validation data of a fit."""
    evaluates = [event for event in events(metrics_jsonl) if event.get("event") == "evaluate"]
    return bool(evaluates) and evaluates[-1].get("validated") is True


def samples_of(content: dict[str, Any]) -> int | None:
    """Return the number of samples in an event or accuracy.json; None if it is missing or out of range."""
    samples = content.get("samples")
    return samples if type(samples) is int and 0 < samples <= _MOST_SAMPLES else None


def test_set_of(content: dict[str, Any]) -> str | None:
    """Return the identifier of the test set in an event or accuracy.json; None if it is missing."""
    test_set = content.get("test_set")
    return one_line(test_set)[:_LONGEST_TEST_SET] or None if isinstance(test_set, str) else None


def parse_faults(metrics_jsonl: str) -> list[str]:
    """Return the messages of the first three errors inside the recorder, one line each."""
    faults = [event for event in events(metrics_jsonl) if event.get("event") == "fault"]
    return [one_line(event.get("message")) for event in faults[:_MOST_FAULTS]]


def events(metrics_jsonl: str) -> Iterator[dict[str, Any]]:
    """Yield every line that is a JSON object, whatever it contains."""
    for line in metrics_jsonl.split("\n"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _epoch(event: dict[str, Any]) -> Epoch | None:
    try:
        if event["event"] != "epoch":
            return None
        # float() also reads the recorder's strings "NaN" and "Infinity", for which JSON has no numbers.
        metrics = {name: float(value) for name, value in event["metrics"].items() if value is not None}
        total = count_of(event["epochs"]) if event.get("epochs") else None
        model, call, number = (count_of(event[name]) for name in ("model", "call", "epoch"))
        return Epoch(model, call, number, total, metrics, float(event["seconds"]))
    except UNREADABLE:
        return None


def _started(event: dict[str, Any]) -> tuple[Fit, list[Epoch]]:
    """Return a fit, and the epochs before its checkpoint, whose duration is not recorded and given as 0 seconds."""
    model, call, wanted, continued = (count_of(event[name]) for name in ("model", "call", "epochs", "continued"))
    history = {name: [float(value) for value in values] for name, values in event["history"].items()}
    first = continued - max(map(len, history.values()), default=0) + 1
    epochs = []
    for number in range(first, continued + 1):
        at = number - first
        metrics = {name: values[at] for name, values in history.items() if at < len(values)}
        epochs.append(Epoch(model, call, number, wanted, metrics, 0.0))
    return Fit(model, call, wanted, continued, one_line(event["why"])), epochs


def count_of(value: Any) -> int:
    """Return ``value`` as a count of epochs, fits, models or answers. Raises ValueError outside of 0 to 1,000,000."""
    count = int(value)
    if not 0 <= count <= _MOST:
        raise ValueError(value)
    return count


def fit_of(event: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of the model and of the fit that an event belongs to."""
    return count_of(event["model"]), count_of(event["call"])


def one_line(text: Any) -> str:
    """Return the printable characters of ``text``, at most 300 of them."""
    return "".join(filter(str.isprintable, str(text)))[:_LONGEST_WHY]
