"""A trial may resume only if its test set is the same as the checkpoint's.

The scripts write the recorder's output themselves.
"""

from pathlib import Path

from epochal.errors import Reason
from epochal.records import State
from tests.jobs.chain import ChainResult, drive, epochal, epochal_json, store_push, train_commit
from tests.repositories import commit, make_repository

# Each training run evaluates TEST_SET anew. The accuracy is 0.02 times the epochs, resumed ones included.
_SCRIPT = """
import json, os, sys
epochs = 20
checkpoints, out = os.environ["EPOCHAL_CHECKPOINTS"], os.environ["EPOCHAL_OUT"]
before = sorted(os.listdir(checkpoints))
done = int(before[-1][-10:-4]) if before else 0
test_set = TEST_SET
with open(os.path.join(out, "metrics.jsonl"), "w") as file:
    def tell(event, **more):
        print(json.dumps({"event": event, "model": 1} | more), file=file)
    tell("fit", call=1, epochs=epochs, continued=done, why="", history={})
    for epoch in range(done + 1, epochs + 1):
        tell("epoch", call=1, epochs=epochs, epoch=epoch, seconds=0.1, metrics={}, weights=str(epoch))
    tell("fitted", call=1, epoch=epochs)
    seen = {"share": 0.0, "expected": 0.0, "refused": REFUSED, "checked": True, "why": ""}
    tell("evaluate", samples=1000, test_set=test_set, weights=str(epochs), trained=True, seen=seen,
         metrics={"accuracy": epochs * 0.02}, labels={"": {"kind": "classes", "answers": 10, "answer": "3", "chance": 0.1}})
open(os.path.join(checkpoints, f"model1-fit1-epoch{epochs:06d}.npz"), "w").close()
"""
_TOML = "threshold = 0.75\n[retrain]\nmax_trials = 3\n"


def _make_script(test_set: str, refused: str = "False") -> str:
    return _SCRIPT.replace("TEST_SET", test_set).replace("REFUSED", refused)


def _train(home: Path, tmp_path: Path, script: str) -> ChainResult:
    return train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": _TOML})


def _list_epochs_resumed(result: ChainResult) -> list[int]:
    return [trial.epochs_resumed for trial in result.run.trials]


def test_trial_with_the_same_test_set_resumes(home: Path, tmp_path: Path) -> None:
    """Each trial starts where the previous one ended."""
    result = _train(home, tmp_path, _make_script('"one"'))
    assert (result.run.state, _list_epochs_resumed(result)) == (State.REACHED, [0, 20, 30])
    assert not any(trial.caught for trial in result.run.trials)


def test_trial_with_another_test_set_is_trained_from_the_beginning(home: Path, tmp_path: Path) -> None:
    """The resumed result is discarded.

    Later trials do not resume either, nor do later commits until the split is seeded.
    """
    script = _make_script('"first" if epochs == 20 else f"other {done}"')
    repository = make_repository(tmp_path / "digits", {"nn.py": script, "epochal.toml": _TOML})
    first = drive(home, store_push(home, repository))
    assert _list_epochs_resumed(first) == [0, 0, 0]
    assert [trial.epochs_trained for trial in first.run.trials] == [20, 30, 40]
    assert [trial.caught for trial in first.run.trials] == [False, True, False]
    one, caught, later = epochal_json(home, "show", "1")["trials"]
    assert (one["test_set"], caught["test_set"], later["test_set"]) == ("first", "other 0", "other 0")
    reason = "after resuming from trial 1, nn.py tested on different rows (is its split seeded?)"
    assert caught["resumption"] == f"trained from the beginning: {reason}"
    assert "trial 2: after resuming, nn.py did not test on the same rows as trial 1" in first.printed["retrain"]
    assert "tests on different rows each time it runs" in epochal(home, "show", "1").stdout

    commit(repository, {"nn.py": script.replace("epochs = 20", "epochs = 50")}, "More epochs")
    (trial,) = drive(home, store_push(home, repository)).run.trials
    assert (trial.epochs_resumed, trial.epochs_trained) == (0, 50)
    assert "tests on different rows each time it runs" in trial.resumption

    commit(repository, {"nn.py": _make_script('"one"').replace("epochs = 20", "epochs = 35")}, "Seeded")
    trials = drive(home, store_push(home, repository)).run.trials
    assert [trial.epochs_resumed for trial in trials] == [0, 35]


def test_trial_tested_on_earlier_training_rows_is_trained_from_the_beginning(home: Path, tmp_path: Path) -> None:
    """The test set is the same, but the resumed weights have seen its rows. The run does not fail because of this."""
    result = _train(home, tmp_path, _make_script('"one"', "done > 0"))
    assert result.run.state is State.REACHED
    assert [(trial.epochs_resumed, trial.caught) for trial in result.run.trials] == [(0, False), (0, True), (0, False)]


def test_trial_with_other_data_is_trained_from_the_beginning(home: Path, tmp_path: Path) -> None:
    """The recorder ends a resumed script if the data of earlier epochs has changed. That attempt is discarded."""
    ends = """
if done:
    with open(os.path.join(out, "metrics.jsonl"), "w") as file:
        print(json.dumps({"event": "start_over", "model": 1, "call": 1, "why": "the data of epoch 3 differ"}), file=file)
    sys.exit()
"""
    result = _train(home, tmp_path, _make_script('"one"').replace("test_set =", f"{ends}test_set ="))
    assert result.run.state is State.REACHED
    assert [(trial.epochs_resumed, trial.epochs_trained) for trial in result.run.trials] == [(0, 20), (0, 30), (0, 40)]
    assert result.run.trials[1].resumption == "trained from the beginning: the data of epoch 3 differ"
    assert "trial 2: the data of epoch 3 differ; training from the beginning" in result.printed["retrain"]


def test_trial_with_an_unknown_test_set_does_not_resume(home: Path, tmp_path: Path) -> None:
    """Without test sets to compare, each trial trains from the beginning and says why."""
    result = _train(home, tmp_path, _make_script("None"))
    assert _list_epochs_resumed(result) == [0, 0, 0]
    assert "the test set of trial 1 is not known" in result.run.trials[1].resumption
    assert not any(trial.caught for trial in result.run.trials)


# If Epochal may stop the fit early, it ends after epoch 26, and the script fails because its history is too short.
_PLOTS = _SCRIPT.replace("epochs * 0.02", "last * 0.03").replace(
    "range(done + 1, epochs + 1)", "range(done + 1, last + 1)"
)
_PLOTS = _PLOTS.replace("epoch{epochs:06d}", "epoch{last:06d}").replace("TEST_SET", '"one"').replace("REFUSED", "False")
_PLOTS = _PLOTS.replace(
    "test_set =", 'last = min(epochs, 26) if "EPOCHAL_STOP_AT" in os.environ else epochs\ntest_set ='
)
_PLOTS = _PLOTS.replace(
    """    tell("fitted", call=1, epoch=epochs)
""",
    """    if last < epochs:
        tell("stopped", call=1, epoch=last, metric="val_accuracy", value=0.8, stop_at=0.75)
    tell("fitted", call=1, epoch=last)
    if last < epochs:
        file.flush()
        open(os.path.join(checkpoints, f"model1-fit1-epoch{last:06d}.npz"), "w").close()
        raise ValueError(f"x and y must have same first dimension, but have shapes ({epochs},) and ({last},)")
""",
)


def test_script_that_fails_after_an_early_stop_trains_exactly_these_epochs(home: Path, tmp_path: Path) -> None:
    """The second attempt resumes from the first one's checkpoint without more epochs; change.diff has the number trained."""
    result = _train(home, tmp_path, _PLOTS)
    assert result.run.state is State.REACHED
    assert [trial.hyperparameters["epochs"] for trial in result.run.trials] == [20, 26]
    assert [(trial.epochs_resumed, trial.epochs_trained) for trial in result.run.trials] == [(0, 20), (20, 6)]
    assert result.run.trials[1].resumption == "resumed from epoch 20 of trial 1"
    assert "+epochs = 26" in (result.folder / "trials/2/change.diff").read_text(encoding="utf-8")
    assert "failed after its fit was stopped at the threshold" in result.printed["retrain"]


def test_script_that_fails_for_another_reason_is_not_trained_again(home: Path, tmp_path: Path) -> None:
    """The second attempt fails with the script's own error, and so does the run."""
    result = _train(
        home, tmp_path, _PLOTS.replace("if last < epochs:\n        file.flush", "if epochs > 20:\n        file.flush")
    )
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.SCRIPT_ERROR)
    assert len(result.run.trials) == 2
