"""A framework that the package does not know, brought by one module from outside of it: nothing else is touched."""

import zipfile
from pathlib import Path

from epochal.errors import Reason
from epochal.records import State
from tests.jobs.chain import Ended, train_commit

_MODULE = """
from pathlib import Path

from epochal.analysis.frameworks import LogLines, Recorder, RemovedApi

TITLE = "JAX"
IMPORTS = ("jax",)
IS_TOOL = False
PINS = Path(__file__).with_name("jax.txt")
DATASETS = None
MODEL_SUFFIXES = (".jax",)
LOG_LINES = LogLines(progress="fitted")
RECORDER = Recorder()


def find_removed_apis(source):
    return [RemovedApi(1, "jax.ops", "jax.numpy")] if "jax.ops" in source else []
"""
_NN = """import jax  # not jax.ops

epochs = 20
print(f"Test accuracy: {jax.learn(epochs)}")
print("fitted, test accuracy: 0.1")
open("model.jax", "w").write("weights")
"""


def test_a_framework_of_ones_own(tmp_path: Path) -> None:
    """Train a commit that imports it, in an environment made of its pins, to the threshold."""
    ended = _train(tmp_path, {"nn.py": _NN, "epochal.toml": "threshold = 0.7\n"})
    assert (ended.run.state, ended.status) == (State.REACHED, 0)
    assert (ended.run.framework, ended.run.framework_why) == ("jax", "nn.py line 1 imports jax")
    assert [trial.accuracy and trial.accuracy.value for trial in ended.run.trials] == [0.5, 0.75]
    assert ended.run.notes == ("nn.py line 1: jax.ops is gone from today's JAX; write jax.numpy",)
    assert "/environments/jax-" in (ended.run.image or "")


def test_the_setting_takes_it(tmp_path: Path) -> None:
    """Train with it, although nn.py imports nothing, because epochal.toml says so."""
    ended = _train(tmp_path, {"nn.py": "print('Test accuracy: 0.9')\n", "epochal.toml": 'framework = "jax"\n'})
    assert (ended.run.state, ended.status) == (State.REACHED, 0)
    assert (ended.run.framework, ended.run.framework_why) == ("jax", "epochal.toml says so")


def test_the_setting_takes_no_other(tmp_path: Path) -> None:
    """Refuse a name that is no module's, and list those that are."""
    ended = _train(tmp_path, {"nn.py": _NN, "epochal.toml": 'framework = "fortran"\n'})
    assert (ended.run.state, ended.run.reason) == (State.FAILED, Reason.BAD_SETTINGS)
    names = "'', 'jax', 'keras', 'python', 'sklearn' or 'torch'"
    assert ended.run.explanation == f"epochal.toml: framework: Input should be {names} (it is 'fortran')."


def _train(tmp_path: Path, files: dict[str, str | bytes]) -> Ended:
    """Train a commit in processes to which the module is known, in a home with a cache of its own."""
    frameworks, start = tmp_path / "frameworks", tmp_path / "start"
    frameworks.mkdir()
    start.mkdir()
    (frameworks / "jax.py").write_text(_MODULE)
    (frameworks / "jax.txt").write_text(f"jax @ {_wheel(tmp_path).as_uri()}\n")
    (start / "sitecustomize.py").write_text(
        f"import epochal.analysis.frameworks\nepochal.analysis.frameworks.__path__.append({str(frameworks)!r})\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    return train_commit(home, tmp_path, files, PYTHONPATH=str(start))


def _wheel(folder: Path) -> Path:
    """Return a package that is installed without an index, as a stand-in for the real JAX."""
    path = folder / "jax-1.0-py3-none-any.whl"
    info = "jax-1.0.dist-info"
    files = {
        "jax.py": "def learn(epochs):\n    return epochs / 40\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: jax\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return path
