"""Compare 20 epochs plus 10 resumed from a checkpoint with 30 uninterrupted epochs, to the last bit of the weights.

ml_code/nn.py trains on arrays. The other script reshuffles a tf.data pipeline in each epoch: TensorFlow keeps the state
of the shuffling to itself, so the resumed fit has to read the data of the past epochs again. The uninterrupted training
runs do not use the recorder.

Usage: benchmarks/continuing.py [--quick] [--seeds N]
"""

import argparse
import re
import shutil
from pathlib import Path

from bench import (
    QUICK,
    RECORDER,
    Trainer,
    describe_machine,
    log_progress,
    print_table,
    temporary_folder,
    write_code,
)

from epochal.folders import resource

FIRST_EPOCHS, ALL_EPOCHS = 20, 30

# Appended to each script: prints a hash of the model's weights.
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
    """A folder for the scripts, with a copy of the recorder, as in a trial."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self._trainer = trainer
        self._folder = folder
        self._recorder = folder / "recorder"
        shutil.copytree(RECORDER, self._recorder, ignore=shutil.ignore_patterns("__pycache__"))

    def train_uninterrupted(self, script: str) -> str:
        """Return what the script prints after 30 uninterrupted epochs without the recorder."""
        return self._trainer.run(self._write_code(script, ALL_EPOCHS)).output

    def train_resumed(self, script: str) -> str:
        """Train for 20 epochs, resume in a new process, and return what the script prints after epoch 30."""
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
        shutil.rmtree(out)  # each trial has a folder of its own
        out.mkdir()
        output = self._trainer.run(self._write_code(script, ALL_EPOCHS), variables).output
        metrics = (out / "metrics.jsonl").read_text(encoding="utf-8")
        if f'"continued": {FIRST_EPOCHS}' not in metrics:
            raise RuntimeError(f"the training did not go on from its checkpoint:\n{metrics}")
        return output

    def _write_code(self, script: str, epochs: int) -> Path:
        raised = re.sub(r"^epochs = \d+$", f"epochs = {epochs}", script + DIGEST, flags=re.MULTILINE)
        return write_code(self._folder / "code", raised)


def main() -> None:
    """Print whether the weights are the same, for the arrays and for each seed of the shuffled pipeline."""
    options = _options()
    scripts = {"arrays, ml_code/nn.py": (resource("ml_code") / "nn.py").read_text(encoding="utf-8")}
    for seed in range(1, options.seeds + 1):
        scripts[f"tf.data, shuffled anew in each epoch, seed {seed}"] = SHUFFLED.replace("SEED", str(seed))
    rows = []
    with temporary_folder() as folder:
        workspace = Workspace(Trainer.make(folder / "home"), folder)
        for name, script in scripts.items():
            log_progress(name)
            whole, resumed = workspace.train_uninterrupted(script), workspace.train_resumed(script)
            is_equal = _read_weights(whole) == _read_weights(resumed)
            rows.append((name, "equal to the last bit" if is_equal else "NOT equal"))
    print(f"{describe_machine()}\n")
    print_table(("data", f"weights, {FIRST_EPOCHS} + {ALL_EPOCHS - FIRST_EPOCHS} epochs against {ALL_EPOCHS}"), *rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--seeds", type=int, default=1 if QUICK else 4)
    return parser.parse_args()


def _read_weights(output: str) -> str:
    return str(re.findall(r"^weights (\w+)$", output, re.MULTILINE)[-1])


if __name__ == "__main__":
    main()
