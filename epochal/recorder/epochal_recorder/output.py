"""The files that the recorder writes to the output folder.

Each process imports this module, so it does without pathlib, whose import takes 5 ms.
"""

import json
import math
import os
import sys
from contextlib import contextmanager, suppress


class Output:
    """Writes metrics.jsonl and accuracy.json to ``folder``, and records the recorder's own faults."""

    def __init__(self, folder):
        self._metrics = os.path.join(folder, "metrics.jsonl")
        self._accuracy = os.path.join(folder, "accuracy.json")
        self._recorded = set()

    def write_event(self, **values):
        """Append one event to metrics.jsonl, as one line of JSON."""
        line = json.dumps(values, allow_nan=False) + "\n"
        # The script may have put a pipe there; opening one that nobody reads would otherwise block.
        file = os.open(self._metrics, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def write_accuracy(self, **values):
        """Write accuracy.json atomically, unless the script itself has written that file."""
        if os.path.lexists(self._accuracy):
            if not os.path.isfile(self._accuracy):
                return
            try:
                with open(self._accuracy, encoding="utf-8") as file:
                    before = json.load(file)
            except (OSError, ValueError):
                return
            if not isinstance(before, dict) or before.get("source") != "evaluate":
                return
        temporary = os.path.join(os.path.dirname(self._accuracy), "accuracy.tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(values, allow_nan=False))
        os.replace(temporary, self._accuracy)

    @contextmanager
    def recording_faults(self):
        """Catch any exception that the recorder raises, and record it as a fault, so that training continues."""
        try:
            yield
        except Exception as fault:
            self.record_fault(f"{type(fault).__name__}: {fault}")

    def record_fault(self, message):
        """Record a fault in the recorder, unless one with the same message has been recorded before."""
        if message in self._recorded:
            return
        self._recorded.add(message)
        try:
            self.write_event(event="fault", message=message)
        except OSError:
            with suppress(Exception):
                sys.stderr.write(f"epochal: training cannot be recorded: {message}\n")


def as_json(logs):
    """Return Keras' logs as JSON values, leaving out any metric with several values (such as one for each class)."""
    metrics = {}
    for name, value in (logs or {}).items():
        with suppress(TypeError, ValueError):
            metrics[name] = number_as_json(float(value))
    return metrics


def number_as_json(value):
    """Return a float as a JSON value: a string if it is not finite."""
    return value if math.isfinite(value) else json.dumps(value)
