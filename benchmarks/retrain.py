"""Three retrain rounds that go on, against the classic chain: a fresh process for each, from zero, with ten epochs more.

Usage: benchmarks/retrain.py [--quick]

The chain is ``epochal run`` with the process runtime: all that it does counts. Of the classic chain only the trainings
do, in the same environment and without the recorder.
"""

import json
import subprocess
import sys
import time
from itertools import accumulate, pairwise
from pathlib import Path

from common import QUICK, keras_python, new_home, print_table, run_script

from epochal.settings import child_environment

_BATCHES = 40 if QUICK else 400

_SCRIPT = """
import numpy as np
import keras
from keras import layers
epochs = 20
random = np.random.default_rng(0)
x, y = random.random((64 * {batches}, 256), "float32"), random.integers(0, 10, 64 * {batches})
model = keras.Sequential([
    keras.Input((256,)), layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10, "softmax")
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
model.evaluate(*(part[:1000] for part in (random.random(x.shape, "float32"), y)), verbose=0)
"""
"""Labels by chance: no number of epochs reaches the threshold."""

_SETTINGS = "threshold = 0.99\n[retrain]\nmax_trials = 4\npatience = 9\nstop_at_threshold = false\n"


def main() -> None:
    """Print the seconds of each round, and what one, two and three rounds cost in both."""
    with new_home() as home:
        python = keras_python(home)
        run_script(python, "import keras", home / "warm")  # both find the files of the framework in memory
        here = _chain(home)
        classic = [_classic(python, home / "script", epochs) for epochs in (30, 40, 50)]
        rows = [("retrain rounds", "classic", "here", "ratio")]
        for rounds, (slow, fast) in enumerate(zip(accumulate(classic), accumulate(here), strict=True), start=1):
            rows.append((str(rounds), f"{slow:.1f} s", f"{fast:.1f} s", f"{slow / fast:.2f}"))
        print_table(
            "after so many rounds, beyond the first training of 20 epochs (wanted: 3 or more after three)", rows
        )


def _chain(home: Path) -> list[float]:
    """Wall seconds of the three retrains: from the end of a training to the end of the next one."""
    repository = home / "digits"
    repository.mkdir()
    (repository / "nn.py").write_text(_SCRIPT.format(batches=_BATCHES))
    (repository / "epochal.toml").write_text(_SETTINGS)
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=Chance"]):
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *person, *arguments], cwd=repository, check=True, env=child_environment({}))
    command = [sys.executable, "-m", "epochal", "run", str(repository), "--runtime", "process", "--no-mail"]
    environment = child_environment({"EPOCHAL_HOME": str(home), "PYTHONUNBUFFERED": "1"})
    ends = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("verdict:"):
                ends.append(time.perf_counter())
    shown = [sys.executable, "-m", "epochal", "show", "1", "--json"]
    trials = json.loads(subprocess.run(shown, env=environment, check=True, capture_output=True).stdout)["trials"]
    assert [trial["epochs_trained"] for trial in trials] == [20, 10, 10, 10], trials
    return [later - earlier for earlier, later in pairwise(ends)]


def _classic(python: str, folder: Path, epochs: int) -> float:
    began = time.perf_counter()
    run_script(python, _SCRIPT.format(batches=_BATCHES).replace("epochs = 20", f"epochs = {epochs}"), folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
