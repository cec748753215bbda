"""The benchmark of noise, with four scripts of each half that are drawn anew each time; pytest's header has the seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "noise.py"


@pytest.mark.keras
@pytest.mark.parametrize("half", ["noise", "sound"])
def test_noise_is_never_reached_and_learning_is_not_refused(half: str, shared_cache: Path) -> None:
    """Its exit status is 1 if a verdict is wrong; what it prints has each verdict, and the command to repeat it."""
    seed = os.environ["TEST_NOISE_SEED"]
    command = [sys.executable, str(BENCHMARK), "--half", half, "--draw", "4", "--seed", seed, "--workers", "1"]
    environment = os.environ | {"BENCH_CACHE_FOLDER": str(shared_cache)}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr + done.stdout
