"""Training scripts for the snapshot: plain Python that finishes in milliseconds, with the outcome known in advance."""

REACHES = "print('Test accuracy: 0.9')\n"
"""Reaches the default threshold of 0.80 in the first trial."""

FAILS = "raise ValueError('digits.csv has no rows')\n"
"""Ends with a traceback."""

CURVE = """\
import json, math, os

epochs = 18
filters = 1

level = 0.95 if filters == 2 else 0.4
out = os.environ["EPOCHAL_OUT"]
with open(f"{out}/metrics.jsonl", "w") as file:
    for epoch in range(1, epochs + 1):
        accuracy = level * (1 - math.exp(-epoch / 15))
        line = {"event": "epoch", "model": 1, "call": 1, "epoch": epoch, "epochs": epochs, "seconds": 0.01}
        print(json.dumps(line | {"metrics": {"val_accuracy": accuracy}}), file=file)
with open(f"{out}/accuracy.json", "w") as file:
    json.dump({"accuracy": accuracy, "samples": 1000, "test_set": "digits"}, file)
open("model.keras", "w").close()
"""
"""Levels off far below 0.80."""

RISING_CURVE = CURVE.replace("filters = 1", "filters = 2")
"""Reaches 0.80 once it trains for 28 epochs."""

SEARCH = "[retrain]\nmax_epochs = 60\n[search]\nfilters = { choices = [1, 2] }\n"
"""Settings that make a search turn ``CURVE`` into ``RISING_CURVE``. The committed choice counts as tried, so only one is
left to draw and the random search always takes the same course."""

UNCERTAIN = """\
import os

epochs = 20
open(os.environ["EPOCHAL_OUT"] + "/accuracy.json", "w").write('{"accuracy": 0.82, "samples": 1000}')
"""
"""Measures more than 0.80, but on too few samples for ``CONFIDENCE``, however often it is trained."""

CONFIDENCE = "confidence = 0.95\n[retrain]\nmax_trials = 2\n"
"""Settings that ask for certainty and allow one retrain."""

WAITS = """\
import time

open({started!r}, "w").write("started")
time.sleep(60)
"""
"""Writes to the pipe ``started``, then trains until it is stopped."""
