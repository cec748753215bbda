"""What the recorder wrote of a training: its epochs and its fits. Values in, values out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from epochal.records import Epoch, Fit

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What taking JSON apart can raise: whatever trains may write to a file."""
_LONGEST_WHY = 300
_MOST_FAULTS = 3
_MOST = 1_000_000
_MOST_SAMPLES = 2**31 - 1
"""What every database holds."""
_LONGEST_TEST_SET = 64


def parse_epochs(metrics_jsonl: str) -> list[Epoch]:
    """Return the epochs in ``metrics.jsonl``; other events, and lines that are not whole, are passed over."""
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
    """Return a JSON number, or the recorder's word for one that is not finite; raises ValueError for anything else."""
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise ValueError(value)


def parse_validates_on_test(metrics_jsonl: str) -> bool:
    """Return whether what the last ``evaluate()`` measured on was a fit's validation data too."""
    evaluates = [event for event in events(metrics_jsonl) if event.get("event") == "evaluate"]
    return bool(evaluates) and evaluates[-1].get("validated") is True


def samples_of(content: dict[str, Any]) -> int | None:
    """Return the number of samples that was written; None if none was, or one that no test set has."""
    samples = content.get("samples")
    return samples if type(samples) is int and 0 < samples <= _MOST_SAMPLES else None


def test_set_of(content: dict[str, Any]) -> str | None:
    """Return what tells the test set from others; None if that was not written."""
    test_set = content.get("test_set")
    return one_line(test_set)[:_LONGEST_TEST_SET] or None if isinstance(test_set, str) else None


def parse_faults(metrics_jsonl: str) -> list[str]:
    """Return what the recorder says that went wrong with itself, the first few in one line each."""
    faults = [event for event in events(metrics_jsonl) if event.get("event") == "fault"]
    return [one_line(event.get("message")) for event in faults[:_MOST_FAULTS]]


def events(metrics_jsonl: str) -> Iterator[dict[str, Any]]:
    """Yield every line that is a JSON object, whatever is in it."""
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
        # float() reads the recorder's strings "NaN" and "Infinity" too: JSON has no numbers for them.
        metrics = {name: float(value) for name, value in event["metrics"].items() if value is not None}
        total = count_of(event["epochs"]) if event.get("epochs") else None
        model, call, number = (count_of(event[name]) for name in ("model", "call", "epoch"))
        return Epoch(model, call, number, total, metrics, float(event["seconds"]))
    except UNREADABLE:
        return None


def _started(event: dict[str, Any]) -> tuple[Fit, list[Epoch]]:
    """Return a fit, and the epochs that it had behind it when it began; how long they took is not known any more."""
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
    """Return a number of epochs, fits, models or answers; raises ValueError for one that no training has."""
    count = int(value)
    if not 0 <= count <= _MOST:
        raise ValueError(value)
    return count


def fit_of(event: dict[str, Any]) -> tuple[int, int]:
    """Return the model and the fit that an event is about, each by its number."""
    return count_of(event["model"]), count_of(event["call"])


def one_line(text: Any) -> str:
    """Return ``text`` without what is not printable, at most 300 characters of it."""
    return "".join(filter(str.isprintable, str(text)))[:_LONGEST_WHY]
