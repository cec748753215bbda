"""The settings of the benchmark's searches with other tools, and the lines by which they report to it.

Each search runs in the folder that contains its training code.
"""

import os
import time
import tomllib
from pathlib import Path

SETTINGS = tomllib.loads(Path("epochal.toml").read_text(encoding="utf-8"))
SPACE = SETTINGS["search"]
THRESHOLD = SETTINGS["threshold"]
EPOCHS, SEED = int(os.environ["EPOCHS"]), int(os.environ["SEED"])


def is_reached(model, test):
    """Return whether a trained model reaches the threshold on the test data, measured in the same way as in nn.py."""
    accuracy = round(model.evaluate(*test, verbose=0)[1], 4)
    print("@ trained", time.time(), flush=True)
    if accuracy >= THRESHOLD:
        print("@ reached", time.time(), flush=True)
    return accuracy >= THRESHOLD
