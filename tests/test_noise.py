"""The benchmark of noise: four scripts of each half, drawn anew each time; pytest's header has the seed."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.chain import epochal_json

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))  # its scripts import each other from there
noise = import_module("noise")


@pytest.mark.keras
@pytest.mark.verdicts
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("half", ["noise", "sound"])
def test_noise_is_never_reached_and_learning_is_not_refused(
    half: str, number: int, home: Path, keras_python: Path, tmp_path: Path
) -> None:
    """``benchmarks/noise.py --draw 4 --seed`` with this seed runs the same scripts."""

    def run(repository: Path, threshold: float) -> Any:
        options = ("--threshold", str(threshold), "--runtime", "process", "--no-mail", "--force")
        return epochal_json(home, "run", str(repository), *options)

    seed = int(os.environ["TEST_NOISE_SEED"])
    drawn = list(noise.sample(noise.generate(half, seed), seed, 4).items())
    judged = noise.judge(drawn[number], tmp_path, keras_python, run)
    assert not judged.broken, judged.line
    assert judged.reached is (half == "sound"), judged.line
