"""The noise benchmark with four random scripts from each half; pytest prints the seed in its header."""

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
def test_only_sound_scripts_reach_the_threshold(
    half: str, number: int, home: Path, keras_python: Path, tmp_path: Path
) -> None:
    """``benchmarks/noise.py --draw 4 --seed SEED`` runs the same scripts, if SEED is the one in pytest's header."""

    def run(repository: Path, threshold: float) -> Any:
        options = ("--threshold", str(threshold), "--runtime", "process", "--no-mail", "--force")
        return epochal_json(home, "run", str(repository), *options)

    seed = int(os.environ["TEST_NOISE_SEED"])
    scripts = list(noise.sample(noise.generate(half, seed), seed, 4).items())
    outcome = noise.judge(scripts[number], tmp_path, keras_python, run)
    assert not outcome.broken, outcome.line
    assert outcome.reached is (half == "sound"), outcome.line
