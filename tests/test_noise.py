"""The benchmark of noise, with four scripts of each half that are drawn anew each time; the seed is printed."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "noise.py"


@pytest.mark.keras
@pytest.mark.parametrize("half", ["noise", "sound"])
def test_noise_is_never_reached_and_learning_is_not_refused(half: str, shared_cache: Path) -> None:
    """Its exit status is 1 if a verdict is wrong; what it prints has each verdict, and the command to repeat it."""
    seed = os.environ.get("TEST_NOISE_SEED") or str(random.SystemRandom().randrange(10_000))
    command = [sys.executable, str(BENCHMARK), "--half", half, "--draw", "4", "--seed", seed, "--workers", "1"]
    environment = os.environ | {"BENCH_CACHE_FOLDER": str(shared_cache)}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"TEST_NOISE_SEED={seed}\n{done.stderr}\n{done.stdout}"
