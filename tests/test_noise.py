"""The benchmark of noise: four scripts of each half, drawn anew each time; pytest's header has the seed."""

import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.jobs.chain import epochal_json
from tests.repositories import commit, make_repository

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))  # its scripts import each other from there
noise = import_module("noise")


@pytest.mark.keras
@pytest.mark.verdicts
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("half", ["noise", "sound"])
def test_noise_is_never_reached_and_learning_is_not_refused(
    half: str, number: int, home: Path, keras_python: Path, tmp_path: Path
) -> None:
    """``benchmarks/noise.py --seed`` with this seed has the same script among its own, by the name that is printed."""
    seed = int(os.environ["TEST_NOISE_SEED"])
    scripts = noise.generate(half, seed)
    name = random.Random(seed).sample(sorted(scripts), 4)[number]
    script = scripts[name]
    repository = make_repository(tmp_path / "repository", {"epochal.toml": script.toml})
    if script.prepare:
        subprocess.run([keras_python, "-c", script.prepare], cwd=repository, check=True)
    views = []
    for text in script.commits:
        commit(repository, {"nn.py": text}, "Train")
        options = ("--threshold", str(script.threshold), "--runtime", "process", "--no-mail", "--force")
        views.append(epochal_json(home, "run", str(repository), *options))

    judged = noise.Judged(name, script, views)
    assert not judged.broken, judged.line
    assert judged.reached is (half == "sound"), judged.line
