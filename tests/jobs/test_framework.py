"""A framework that the package does not know, added by one external module without any other change."""

import zipfile
from pathlib import Path

from epochal.errors import Reason
from epochal.records import State
from tests.jobs.chain import ChainResult, train_commit

_MODULE = """
from pathlib import Path

from epochal.analysis.frameworks import LogLines, Recorder, RemovedApi

TITLE = "Brain"
IMPORTS = ("brain",)
RANK = 0
PINS = Path(__file__).with_name("brain.txt")
DATASETS = None
MODEL_SUFFIXES = (".brain",)
LOG_LINES = LogLines(progress="fitted")
RECORDER = Recorder()
SET_EPOCHS = "Pass epochs to brain.train()."


def find_removed_apis(source):
    return [RemovedApi(1, "brain.ops", "brain.numpy")] if "brain.ops" in source else []
"""
_NN = """import brain  # not brain.ops

epochs = 20
print(f"Test accuracy: {brain.learn(epochs)}")
print("fitted, test accuracy: 0.1")
open("model.brain", "w").write("weights")
"""


def test_script_is_trained_with_an_added_framework(tmp_path: Path) -> None:
    """The training environment has the framework's pins, its log lines are skipped, and uses of removed names are noted."""
    result = _train(tmp_path, {"nn.py": _NN, "epochal.toml": "threshold = 0.7\n"})
    assert (result.run.state, result.status) == (State.REACHED, 0)
    assert (result.run.framework, result.run.framework_why) == ("brain", "nn.py line 1 imports brain")
    assert [trial.accuracy and trial.accuracy.value for trial in result.run.trials] == [0.5, 0.75]
    assert result.run.notes == ("nn.py line 1: brain.ops was removed from Brain; use brain.numpy",)
    assert "/environments/brain-" in (result.run.image or "")


def test_setting_accepts_an_added_framework(tmp_path: Path) -> None:
    """nn.py imports nothing, so only epochal.toml can choose the framework."""
    result = _train(tmp_path, {"nn.py": "print('Test accuracy: 0.9')\n", "epochal.toml": 'framework = "brain"\n'})
    assert (result.run.state, result.status) == (State.REACHED, 0)
    assert (result.run.framework, result.run.framework_why) == ("brain", "set in epochal.toml")


def test_setting_refuses_an_unknown_framework(tmp_path: Path) -> None:
    """The message lists the known frameworks."""
    result = _train(tmp_path, {"nn.py": _NN, "epochal.toml": 'framework = "fortran"\n'})
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.BAD_SETTINGS)
    names = "'', 'brain', 'jax', 'keras', 'lightgbm', 'python', 'sklearn', 'torch' or 'xgboost'"
    assert result.run.explanation == f"epochal.toml: framework: Input should be {names} (it is 'fortran')."


def _train(tmp_path: Path, files: dict[str, str | bytes]) -> ChainResult:
    """Train a commit in processes that know the added module, in a home with an empty cache."""
    frameworks, start = tmp_path / "frameworks", tmp_path / "start"
    frameworks.mkdir()
    start.mkdir()
    (frameworks / "brain.py").write_text(_MODULE)
    (frameworks / "brain.txt").write_text(f"brain @ {_build_wheel(tmp_path).as_uri()}\n")
    (start / "sitecustomize.py").write_text(
        f"import epochal.analysis.frameworks\nepochal.analysis.frameworks.__path__.append({str(frameworks)!r})\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    return train_commit(home, tmp_path, files, PYTHONPATH=str(start))


def _build_wheel(folder: Path) -> Path:
    """Build a wheel that stands in for a real framework and can be installed without a package index."""
    path = folder / "brain-1.0-py3-none-any.whl"
    info = "brain-1.0.dist-info"
    files = {
        "brain.py": "def learn(epochs):\n    return epochs / 40\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: brain\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return path
