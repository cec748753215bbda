"""Which files count as results written by a training run."""

import json
import os
import shutil
from pathlib import Path

import pytest

from epochal.results.written import WrittenFile, find_written_files

_RESULT = '{"accuracy": 0.83}'


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a trial's copy of the code, and the snapshot it was copied from, which already has result files."""
    snapshot, code = tmp_path / "snapshot", tmp_path / "code"
    (snapshot / "results").mkdir(parents=True)
    for name in ("metrics.json", "results/accuracy.txt"):
        (snapshot / name).write_text(_RESULT)
        os.utime(snapshot / name, (1e9, 1e9))
    shutil.copytree(snapshot, code)
    return code, snapshot


def test_committed_file_never_counts(folders: tuple[Path, Path]) -> None:
    """A committed result file was not written by the run."""
    assert find_written_files(*folders) == []


def test_file_that_the_run_wrote_counts(folders: tuple[Path, Path]) -> None:
    """The file may be new, or have the same content as the committed one."""
    code, _ = folders
    for name in ("metrics.json", "out/eval_results.json", "results/test_metrics.txt"):
        (code / name).parent.mkdir(exist_ok=True)
        (code / name).write_text(_RESULT)
    found = find_written_files(*folders)
    assert {each.name for each in found} == {"metrics.json", "out/eval_results.json", "results/test_metrics.txt"}
    assert found[0] == WrittenFile("metrics.json", _RESULT)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("train_metrics.json", '{"accuracy": 0.97}', None),
        ("training_accuracy.txt", "0.97", None),
        ("metrics-train.json", '{"accuracy": 0.97}', None),
        ("out/train/metrics.json", '{"accuracy": 0.97}', None),
        ("train/training_report.json", '{"accuracy": 0.97, "test": {"accuracy": 0.83}}', 0.83),
        ("train/test_metrics.json", _RESULT, 0.83),
        ("train_eval_results.json", _RESULT, 0.83),
        ("metrics_after_training.json", _RESULT, 0.83),
        ("pretrained_model_metrics.json", _RESULT, 0.83),
        ("train_run_3/metrics.json", _RESULT, 0.83),
        ("training/metrics.json", _RESULT, 0.83),
    ],
)
def test_training_accuracy_does_not_count(
    folders: tuple[Path, Path], name: str, text: str, value: float | None
) -> None:
    """The name of the file or of a new folder says what the number was measured on, unless the number's key does."""
    code, snapshot = folders
    (snapshot / "training").mkdir()
    (code / name).parent.mkdir(parents=True, exist_ok=True)
    (code / name).write_text(text)
    (found,) = find_written_files(code, snapshot)
    assert (found.accuracy and found.accuracy.value) == value


@pytest.mark.parametrize("name", ["acc_pct", "accuracy_percent", "test accuracy percentage"])
def test_percentage_in_json_is_read_as_one(name: str) -> None:
    """The key says that the number is a percentage."""
    stated = WrittenFile("results/metrics.json", json.dumps({"model": 3, name: 72.2})).accuracy
    assert stated and stated.value == pytest.approx(0.722)


def test_other_files_are_left_out(folders: tuple[Path, Path]) -> None:
    """Files are left out if they have other names, are too large, too deep, hidden or linked, or are not regular files."""
    code, _ = folders
    outside = code.parent / "results.json"
    outside.write_text(_RESULT)
    (code / "results.json").symlink_to(outside)
    os.mkfifo(code / "scores.json")
    (code / "config.json").write_text(_RESULT)
    (code / "report.txt").write_text(" " * 200_000)
    for folder in ("a/b/c/d", ".cache", "linked"):
        if folder == "linked":
            (code / folder).symlink_to(code.parent)
        else:
            (code / folder).mkdir(parents=True)
            (code / folder / "metrics.json").write_text(_RESULT)
    assert find_written_files(*folders) == []
