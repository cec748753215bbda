"""What the recorder costs: seconds an epoch with it and without it, and a script that imports no framework.

Usage: benchmarks/recorder.py [--quick]
"""

import time
from pathlib import Path

from common import QUICK, keras_python, median, new_home, observed, print_table, run_script

_NETWORKS = {0.1: (220, 200), 1.0: (860, 150), 20.0: (4300, 10)} if not QUICK else {0.1: (220, 60), 1.0: (860, 20)}
"""Millions of parameters: the units of its two hidden layers, and the batches of an epoch."""
_EPOCHS = 3 if QUICK else 12
_ROUNDS = 2 if QUICK else 5
_STARTS = 10 if QUICK else 60

_NETWORK = """
import time
import numpy as np
import keras
from keras import layers
units, batches, epochs = {units}, {batches}, {epochs}
random = np.random.default_rng(0)
x, y = random.random((64 * batches, 256), "float32"), random.integers(0, 10, 64 * batches)
model = keras.Sequential([
    keras.Input((256,)), layers.Dense(units, "relu"), layers.Dense(units, "relu"), layers.Dense(10, "softmax")
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
class Ends(keras.callbacks.Callback):
    at = []
    def on_epoch_begin(self, epoch, logs=None):
        self.at.append(time.perf_counter())
began = time.perf_counter()
model.fit(x, y, batch_size=64, epochs=epochs, verbose=0, callbacks=[Ends()])
# From the beginning of the second epoch (the first one compiles) to that of the last: what is between is each epoch's own.
print((Ends.at[-1] - Ends.at[1]) / (epochs - 2), time.perf_counter() - Ends.at[-1], time.perf_counter() - began)
"""
_NO_FRAMEWORK = "import json, math\nprint(sum(math.sqrt(number) for number in range(100_000)))\n"


def main() -> None:
    """Print the medians of alternating runs, and their ratios."""
    with new_home() as home:
        python, folder = keras_python(home), home / "script"
        rows = [("million parameters", "epoch without", "with", "ratio", "last epoch without", "with", "fit", "ratio")]
        for millions, (units, batches) in _NETWORKS.items():
            script = _NETWORK.format(units=units, batches=batches, epochs=_EPOCHS)
            rows.append((f"{millions:g}", *_compared(python, script, folder)))
        print_table(f"seconds an epoch, medians of {_ROUNDS} alternating runs of {_EPOCHS} epochs", rows)
        print(
            "\n  the last epoch ends with the checkpoint that is always written; 'fit' is the whole of it, compiled once"
        )
        _print_start(python, folder)


def _compared(python: str, script: str, folder: Path) -> tuple[str, ...]:
    times: dict[bool, list[list[float]]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for on, measured in times.items():
            printed = run_script(python, script, folder, **(observed(folder) if on else {}))
            measured.append([float(word) for word in printed.split()])
    (off, off_last, off_fit), (on, on_last, on_fit) = (
        [median(column) for column in zip(*times[which], strict=True)] for which in (False, True)
    )
    return (
        f"{off:.3f}", f"{on:.3f}", f"{on / off:.3f}", f"{off_last:.3f}", f"{on_last:.3f}", f"{off_fit:.2f} → {on_fit:.2f}",
        f"{on_fit / off_fit:.3f}",
    )  # fmt: skip


def _print_start(python: str, folder: Path) -> None:
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_STARTS):
        for on, measured in seconds.items():
            variables = observed(folder) if on else {}
            began = time.perf_counter()
            run_script(python, _NO_FRAMEWORK, folder, **variables)
            measured.append(time.perf_counter() - began)
    off, on = (median(seconds[which]) * 1000 for which in (False, True))
    rows = [("", "without", "with", "added"), ("milliseconds", f"{off:.1f}", f"{on:.1f}", f"{on - off:.1f}")]
    print_table(f"a script that imports no framework, from start to end, medians of {_STARTS}", rows)


if __name__ == "__main__":
    main()
