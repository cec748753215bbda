"""What the searches of others tell the benchmark, and what they are told: in the folder of the code that they search."""

import os
import time
import tomllib
from pathlib import Path

SETTINGS = tomllib.loads(Path("epochal.toml").read_text(encoding="utf-8"))
SPACE = SETTINGS["search"]
THRESHOLD = SETTINGS["threshold"]
EPOCHS, SEED = int(os.environ["EPOCHS"]), int(os.environ["SEED"])


def is_reached(model, test):
    """Whether a model that was trained reaches the threshold on the test data, as nn.py's is judged."""
    accuracy = round(model.evaluate(*test, verbose=0)[1], 4)
    print("@ trained", time.time(), flush=True)
    if accuracy >= THRESHOLD:
        print("@ reached", time.time(), flush=True)
    return accuracy >= THRESHOLD
