"""The sample and the examples: each runs with its framework and prints an accuracy that Epochal reads."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from epochal.analysis.code import read_code
from epochal.analysis.frameworks.keras import find_removed_apis
from epochal.analysis.hyperparameters.changes import change_all, find_constants
from epochal.analysis.script import parse_script, read_script
from epochal.demo.stage import Stage
from epochal.jobs.search.space import read_space
from epochal.jobs.search.suggested_space import suggest
from epochal.records import AccuracySource
from epochal.results.accuracy import Findings, choose_accuracy
from epochal.results.measurements import Measurements
from epochal.settings import RepositorySettings, read_repository_settings, template
from tests.printing import printed

TOP = Path(__file__).parents[2]
FRAMEWORKS = {"ml_code": "keras", "examples/cifar10": "keras", "examples/sklearn": "sklearn", "examples/torch": "torch"}

MAKE_CIFAR10 = """
import io, pathlib, pickle, sys, tarfile
import numpy as np
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
def batch(samples):
    labels = np.arange(samples) % 10
    data = np.zeros((samples, 3072), "uint8")
    data[np.arange(samples)[:, None], labels[:, None] * 300 + np.arange(300)] = 255
    return pickle.dumps({b"data": data, b"labels": labels.tolist()}, protocol=4)
with tarfile.open(folder / "cifar-10-batches-py-target_archive", "w:gz", compresslevel=1) as archive:
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]:
        content = batch(100 if name == "test_batch" else 10000)
        member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
"""
"""Makes a stand-in for CIFAR-10 in the layout of Keras's cache: each class has its own stripe in the upper part.

Keras allocates 5 times 10,000 training images, so there have to be as many.
"""

RUN_WITHOUT_HASH = """
import runpy
import keras.src.utils.file_utils as files
files.validate_file = lambda *arguments, **options: True  # the stand-in is not the archive that Keras knows
runpy.run_path("nn.py", run_name="__main__")
"""


def copy_sample(sample: str, folder: Path, **numbers: int | float) -> Path:
    """Copy a sample, with new values for some of its constants."""
    copy = folder / "code"
    shutil.copytree(TOP / sample, copy, ignore=shutil.ignore_patterns("__pycache__"))
    script = copy / "nn.py"
    for name, number in numbers.items():
        source = script.read_bytes()
        constant = next(constant for constant in find_constants(source) if constant.name == name)
        script.write_bytes(change_all(source, {constant: number}))
    return copy


def train(python: Path, folder: Path, script: str = "nn.py", **environment: str) -> float:
    """Run a script, which must succeed, and return the accuracy that it printed."""
    result = subprocess.run(
        [python, script],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    accuracy = choose_accuracy(Findings(None, Measurements(), printed(result.stdout))).accuracy
    assert accuracy.source is AccuracySource.OUTPUT
    return accuracy.value


@pytest.mark.parametrize(("sample", "framework"), FRAMEWORKS.items())
def test_epochal_understands_each_sample(sample: str, framework: str) -> None:
    """Epochal finds the framework and the constant that sets the epochs, but no call that Keras has removed."""
    source = (TOP / sample / "nn.py").read_bytes()
    epochs = parse_script(source).epochs[0]

    assert read_code(TOP / sample).detection.framework == framework
    assert (epochs.name, epochs.number) == ("epochs", 20)
    assert find_removed_apis(source.decode()) == []


def test_settings_of_the_sample_are_those_of_init() -> None:
    """ml_code/epochal.toml is what ``epochal init`` writes, with its search space and with the threshold set."""
    proposed = suggest(read_script(TOP / "ml_code"))
    expected = template(RepositorySettings, "Epochal's settings for this repository", {"search": proposed})

    assert (TOP / "ml_code" / "epochal.toml").read_text() == expected.replace("#threshold", "threshold")


@pytest.mark.keras
def test_sample_reaches_its_threshold_only_with_more_epochs(warm_keras_python: Path, tmp_path: Path) -> None:
    """The demo needs an accuracy clearly below the threshold with the sample's 20 epochs, and clearly above with 30."""
    threshold = read_repository_settings(TOP / "ml_code").threshold
    (tmp_path / "more").mkdir()

    assert train(warm_keras_python, copy_sample("ml_code", tmp_path)) < threshold - 0.03
    more = copy_sample("ml_code", tmp_path / "more", epochs=30)
    assert train(warm_keras_python, more) > threshold + 0.03
    assert (more / "model.keras").stat().st_size > 10_000


def test_demo_of_a_search_changes_only_what_it_searches(tmp_path: Path) -> None:
    """The demo makes the sample's model too small, and its search space fits the script."""
    stage = Stage(tmp_path, search=True)
    stage.set_up("process", 1, 2)
    script = (stage.developer / "nn.py").read_bytes()
    space = read_space(parse_script(script), read_repository_settings(stage.developer).search)
    constants = [dimension.constant for dimension in space]

    assert {constant.name for constant in constants} == {"learning_rate", "conv_blocks", "filters", "dense_units"}
    sample = (TOP / "ml_code" / "nn.py").read_bytes()
    original = {constant.name: constant.value for constant in find_constants(sample)}
    assert change_all(script, {constant: original[constant.name] for constant in constants}) == sample


@pytest.mark.keras
def test_cifar10_example_trains_from_the_cache_of_keras(
    keras_python: Path, warm_keras_python: Path, tmp_path: Path
) -> None:
    """The script runs in the current Keras and learns, and the cache makes the download unnecessary."""
    cache = tmp_path / "home" / ".keras" / "datasets"
    subprocess.run([keras_python, "-c", MAKE_CIFAR10, cache], check=True, timeout=120)
    code = copy_sample("examples/cifar10", tmp_path, epochs=4, learning_rate=0.002)
    script = (code / "nn.py").read_text()
    load_call = "keras.datasets.cifar10.load_data()\n"
    shortened, count = re.subn(
        re.escape(load_call), load_call + "x_train, y_train = x_train[:640], y_train[:640]\n", script
    )
    assert count == 1
    (code / "nn.py").write_text(shortened)

    (code / "run.py").write_text(RUN_WITHOUT_HASH)

    accuracy = train(warm_keras_python, code, "run.py", HOME=str(tmp_path / "home"))

    assert accuracy > 0.2  # one in ten would be chance


@pytest.mark.sklearn
def test_sklearn_example_trains(sklearn_python: Path, tmp_path: Path) -> None:
    """The script is unmodified, and with fewer epochs its accuracy is lower."""
    (tmp_path / "less").mkdir()

    accuracy = train(sklearn_python, copy_sample("examples/sklearn", tmp_path))

    assert 0.8 < accuracy <= 1
    assert train(sklearn_python, copy_sample("examples/sklearn", tmp_path / "less", epochs=2)) < accuracy


@pytest.mark.torch
def test_torch_example_trains(torch_python: Path, tmp_path: Path) -> None:
    """Eight epochs are enough for an accuracy far above chance, which is one in ten."""
    assert 0.5 < train(torch_python, copy_sample("examples/torch", tmp_path, epochs=8)) <= 1
