"""The whole ``make demo``: the commit, the webhook, Keras in each runtime, the mail."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.chain import epochal_json
from tests.repositories import git


def _start_demo(folder: Path, runtime: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "epochal.demo", str(folder)],
        env=os.environ | {"EPOCHAL_RUNTIME": runtime, "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _make_folder(tmp_path: Path, shared_cache: Path) -> Path:
    """Create the demo's folder inside a checkout, as ``make demo`` does."""
    git(tmp_path, "init", "--quiet")
    folder = tmp_path / ".demo"
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "cache").symlink_to(shared_cache)
    return folder


@pytest.mark.keras
@pytest.mark.parametrize("runtime", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_training_misses_the_threshold_and_retrain_reaches_it(
    tmp_path: Path, shared_cache: Path, runtime: str, request: pytest.FixtureRequest
) -> None:
    """Both accuracies are well away from the threshold, so that the demo always ends the same way."""
    if runtime == "docker":
        request.getfixturevalue("docker_host")
    folder = _make_folder(tmp_path, shared_cache)
    process = _start_demo(folder, runtime)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert "Subject: Threshold Accuracy Reached!!! " in output
    assert "\r" not in output
    assert "\x1b" not in output
    assert len(re.findall(r"^\[train\]   epoch \d+/20 ", output, re.MULTILINE)) == 20
    assert len(re.findall(r"^\[retrain\]   epoch \d+/30 ", output, re.MULTILINE)) == 10
    shown = epochal_json(folder / "home", "show", "1")
    assert (shown["state"], shown["framework"], shown["runtime"]) == ("reached", "keras", runtime)
    assert [trial["epochs_trained"] for trial in shown["trials"]] == [20, 10]
    assert [trial["accuracy_source"] for trial in shown["trials"]] == ["evaluate", "evaluate"]
    below, reached = (trial["accuracy"] for trial in shown["trials"])
    assert below + 0.03 < shown["threshold"] < reached - 0.03
    assert (Path(shown["folder"]) / "trials/2/code/model.keras").stat().st_size > 10_000
    assert "Warning" not in output
    assert "0.80 ┤" in output
    assert "\n+epochs = 30\n" in output
    adopt, show = (line for line in output.splitlines() if line.startswith(("    git ", "    env ")))
    assert output.endswith(f"{show}\n")
    assert "run ended" in subprocess.run(show, shell=True, check=True, capture_output=True, text=True).stdout
    subprocess.run(adopt, shell=True, check=True)
    assert "\nepochs = 30\n" in (folder / "ml_code/nn.py").read_text()


@pytest.mark.keras
def test_ctrl_c_leaves_nothing_running(tmp_path: Path, shared_cache: Path) -> None:
    """SIGINT during training ends the demo, its server and the training script."""
    folder = _make_folder(tmp_path, shared_cache)
    process = _start_demo(folder, "process")
    assert process.stdout
    for line in process.stdout:
        if "epoch 1/20" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    remaining = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions(path, str(folder))]
    assert remaining == []


def _mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes() or text in str((path.parent / "cwd").readlink())
    except OSError:
        return False
