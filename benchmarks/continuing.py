"""20 epochs and 10 resumed from their checkpoint, compared with 30 uninterrupted: to the last bit, and in distribution.

ml_code/nn.py trains with arrays. With a seed, Keras shuffles them into the same order in every epoch, so the resumed epochs
equal the uninterrupted ones to the last bit. A tf.data pipeline with shuffle(…, reshuffle_each_iteration=True) keeps the
state of its shuffling inside TensorFlow, where no checkpoint of Keras reaches it. Its epochs are equal in distribution,
which is measured over several seeds.

Usage: benchmarks/continuing.py [--quick] [--seeds N]
"""

import argparse
import itertools
import re
import shutil
from pathlib import Path
from statistics import mean, stdev

from bench import (
    QUICK,
    RECORDER,
    Trainer,
    alternate,
    describe_machine,
    log_progress,
    print_table,
    temporary_folder,
    write_code,
)

from epochal.folders import resource

FIRST_EPOCHS, ALL_EPOCHS = 20, 30

# Appended to the script: prints a digest of all bits of the weights.
DIGEST = """
import hashlib
print("weights", hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest())
"""

SHUFFLED = """\
from pathlib import Path

import keras
import pandas
import tensorflow as tf

epochs = 20
keras.utils.set_random_seed(SEED)
digits = pandas.read_csv(Path(__file__).parent / "digits.csv.gz", header=None).sample(frac=1, random_state=0)
x, y = digits.iloc[:, :64].to_numpy("float32") / 16, digits.iloc[:, 64].to_numpy()
train = tf.data.Dataset.from_tensor_slices((x[:-360], y[:-360]))
train = train.shuffle(1000, reshuffle_each_iteration=True).batch(16)
model = keras.Sequential(
    [keras.Input((64,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, activation="softmax")]
)
model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=epochs, verbose=0)
print(f"Test accuracy: {model.evaluate(x[-360:], y[-360:], verbose=0)[1]:.6f}")
"""


class Workspace:
    """A folder for scripts, with a copy of the recorder as a trial has it."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self._trainer = trainer
        self._folder = folder
        self._recorder = folder / "recorder"
        shutil.copytree(RECORDER, self._recorder, ignore=shutil.ignore_patterns("__pycache__"))

    def train_uninterrupted(self, script: str) -> str:
        """Return what the script prints after 30 epochs without interruption and without the recorder."""
        return self._trainer.run(self._write_code(script, ALL_EPOCHS)).output

    def train_resumed(self, script: str) -> str:
        """Return what the script prints after 10 epochs that resume from the checkpoint of its first 20, in a new process."""
        out, checkpoints = (self._folder / name for name in ("out", "checkpoints"))
        for folder in (out, checkpoints):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        variables = {
            "PYTHONPATH": str(self._recorder),
            "EPOCHAL_OUT": str(out),
            "EPOCHAL_CHECKPOINTS": str(checkpoints),
        }
        self._trainer.run(self._write_code(script, FIRST_EPOCHS), variables)
        output = self._trainer.run(self._write_code(script, ALL_EPOCHS), variables).output
        metrics = (out / "metrics.jsonl").read_text(encoding="utf-8")
        if f'"continued": {FIRST_EPOCHS}' not in metrics:
            raise RuntimeError(f"the training did not go on from its checkpoint:\n{metrics}")
        return output

    def _write_code(self, script: str, epochs: int) -> Path:
        raised = re.sub(r"^epochs = \d+$", f"epochs = {epochs}", script + DIGEST, flags=re.MULTILINE)
        return write_code(self._folder / "code", raised)


def main() -> None:
    """Print whether arrays give the same bits, and how the accuracies of the shuffled pipeline compare."""
    options = _options()
    with temporary_folder() as folder:
        workspace = Workspace(Trainer.make(folder / "home"), folder)
        log_progress("arrays: ml_code/nn.py")
        ordinary = (resource("ml_code") / "nn.py").read_text(encoding="utf-8")
        equal = _read_weights(workspace.train_uninterrupted(ordinary)) == _read_weights(
            workspace.train_resumed(ordinary)
        )
        measures = {
            "uninterrupted": lambda seed: workspace.train_uninterrupted(SHUFFLED.replace("SEED", str(seed))),
            "continued": lambda seed: workspace.train_resumed(SHUFFLED.replace("SEED", str(seed))),
        }
        printed = alternate(options.seeds, measures)
    print(f"{describe_machine()}; {options.seeds} seeds\n")
    print(f"arrays, ml_code/nn.py: the weights are {'equal to the last bit' if equal else 'NOT equal'}\n")
    _print_results(printed["uninterrupted"], printed["continued"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three seeds")
    parser.add_argument("--seeds", type=int, default=3 if QUICK else 12)
    return parser.parse_args()


def _print_results(whole: list[str], resumed: list[str]) -> None:
    one, other = (list(map(_read_accuracy, outputs)) for outputs in (whole, resumed))
    differences = [second - first for first, second in zip(one, other, strict=True)]
    same_bits = sum(_read_weights(first) == _read_weights(second) for first, second in zip(whole, resumed, strict=True))
    print_table(
        ("tf.data, shuffled anew each epoch", "test accuracy: mean", "standard deviation"),
        (f"{ALL_EPOCHS} epochs uninterrupted", f"{mean(one):.4f}", f"{stdev(one):.4f}"),
        (f"{FIRST_EPOCHS} + {ALL_EPOCHS - FIRST_EPOCHS} epochs continued", f"{mean(other):.4f}", f"{stdev(other):.4f}"),
        ("difference, seed by seed", f"{mean(differences):+.4f}", f"{stdev(differences):.4f}"),
    )
    print(f"equal to the last bit: {same_bits} of {len(differences)} seeds")
    print(f"two-sided permutation test of the paired differences: p = {compute_permutation_p(differences):.3f}")


def compute_permutation_p(differences: list[float]) -> float:
    """Return the share of all combinations of signs for which the mean of the differences is at least as far from 0."""
    observed = abs(sum(differences)) - 1e-12  # sums in another order differ in the last bits
    signs = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(sign * value for sign, value in zip(each, differences, strict=True))) for each in signs]
    return sum(total >= observed for total in sums) / len(sums)


def _read_accuracy(output: str) -> float:
    return float(re.findall(r"^Test accuracy: ([\d.]+)$", output, re.MULTILINE)[-1])


def _read_weights(output: str) -> str:
    return str(re.findall(r"^weights (\w+)$", output, re.MULTILINE)[-1])


if __name__ == "__main__":
    main()
