"""Parse the recorder's events about a trial: its epochs and fits. No I/O."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from epochal.records import Epoch, Fit

PARSE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""Exceptions that parsing the recorder's files may raise. Training code can write anything to these files."""
_MAX_TEXT_LENGTH = 300
_MAX_FAULTS = 3
_MAX_COUNT = 1_000_000
_MAX_SAMPLES = 2**31 - 1
"""The largest integer that an integer column can store in every supported database."""
_MAX_TEST_SET_LENGTH = 64


def parse_epochs(metrics_jsonl: str) -> list[Epoch]:
    """Return the epochs in ``metrics.jsonl``. Other events and incomplete lines are skipped."""
    return [epoch for event in parse_events(metrics_jsonl) if (epoch := _parse_epoch(event))]


def parse_fits(metrics_jsonl: str) -> list[Fit]:
    """Return the fits in ``metrics.jsonl``, in the order in which they began."""
    fits: dict[tuple[int, int], Fit] = {}
    epochs: dict[tuple[int, int], list[Epoch]] = {}
    for event in parse_events(metrics_jsonl):
        try:
            key = read_fit_key(event)
            if event["event"] == "fit":
                fits[key], epochs[key] = _parse_fit(event)
            elif event["event"] == "stopped":
                fits[key] = replace(fits[key], stopped=True)
            elif event["event"] == "fitted":
                fits[key] = replace(fits[key], ended=True)
            elif epoch := _parse_epoch(event):
                fits.setdefault(key, Fit(*key, target_epoch=epoch.epochs or epoch.number))
                epochs.setdefault(key, []).append(epoch)
        except PARSE_ERRORS:
            continue
    return [replace(fit, epochs=tuple(epochs.get(key, ()))) for key, fit in fits.items()]


def read_number(value: Any) -> float:
    """Return a JSON number, or one of the recorder's strings "NaN", "Infinity" and "-Infinity", as a float.

    Raises ValueError for any other value.
    """
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise ValueError(value)


def parse_validates_on_test(metrics_jsonl: str) -> bool:
    """Return whether the rows that the last ``evaluate()`` used were also the validation data of a fit."""
    evaluates = [event for event in parse_events(metrics_jsonl) if event.get("event") == "evaluate"]
    return bool(evaluates) and evaluates[-1].get("validated") is True


def read_samples(content: dict[str, Any]) -> int | None:
    """Return the number of samples that an event or accuracy.json states; None if it is missing or out of range."""
    samples = content.get("samples")
    return samples if type(samples) is int and 0 < samples <= _MAX_SAMPLES else None


def read_test_set(content: dict[str, Any]) -> str | None:
    """Return the identifier of the test set in an event or accuracy.json; None if it is missing."""
    test_set = content.get("test_set")
    return keep_printable(test_set)[:_MAX_TEST_SET_LENGTH] or None if isinstance(test_set, str) else None


def parse_start_over(metrics_jsonl: str) -> str:
    """Return why the trial has to start over, as recorded by a fit; empty if no fit requires it."""
    reasons = [event.get("why") for event in parse_events(metrics_jsonl) if event.get("event") == "start_over"]
    return keep_printable(reasons[0] or "the fit could not resume") if reasons else ""


def parse_faults(metrics_jsonl: str) -> list[str]:
    """Return the messages of the recorder's first three faults, one line each."""
    faults = [event for event in parse_events(metrics_jsonl) if event.get("event") == "fault"]
    return [keep_printable(event.get("message")) for event in faults[:_MAX_FAULTS]]


def parse_events(metrics_jsonl: str) -> Iterator[dict[str, Any]]:
    """Yield each JSON object in ``metrics.jsonl``, whatever it contains. Lines that are not JSON objects are skipped."""
    for line in metrics_jsonl.split("\n"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _parse_epoch(event: dict[str, Any]) -> Epoch | None:
    try:
        if event["event"] != "epoch":
            return None
        # float() also reads the recorder's strings "NaN" and "Infinity", for which JSON has no numbers.
        metrics = {name: float(value) for name, value in event["metrics"].items() if value is not None}
        total = read_count(event["epochs"]) if event.get("epochs") else None
        model, call, number = (read_count(event[name]) for name in ("model", "call", "epoch"))
        return Epoch(model, call, number, total, metrics, float(event["seconds"]))
    except PARSE_ERRORS:
        return None


def _parse_fit(event: dict[str, Any]) -> tuple[Fit, list[Epoch]]:
    """Parse a fit. If it resumed from a checkpoint, the durations of the earlier epochs are unknown and set to 0."""
    model, call, target_epoch, continued = (
        read_count(event[name]) for name in ("model", "call", "epochs", "continued")
    )
    history = {name: [float(value) for value in values] for name, values in event["history"].items()}
    first = continued - max(map(len, history.values()), default=0) + 1
    epochs = []
    for number in range(first, continued + 1):
        at = number - first
        metrics = {name: values[at] for name, values in history.items() if at < len(values)}
        epochs.append(Epoch(model, call, number, target_epoch, metrics, 0.0))
    return Fit(model, call, target_epoch, continued, keep_printable(event["why"])), epochs


def read_count(value: Any) -> int:
    """Return ``value``, such as a number of epochs, as an integer. Raises ValueError unless 0 <= value <= 1,000,000."""
    count = int(value)
    if not 0 <= count <= _MAX_COUNT:
        raise ValueError(value)
    return count


def read_fit_key(event: dict[str, Any]) -> tuple[int, int]:
    """Return the model number and the fit number of an event."""
    return read_count(event["model"]), read_count(event["call"])


def keep_printable(text: Any) -> str:
    """Return the printable characters of ``text``, at most 300 of them."""
    return "".join(filter(str.isprintable, str(text)))[:_MAX_TEXT_LENGTH]
