"""The setting ``confidence`` in the jobs: looks at a test set are counted across the runs of a branch."""

import sqlite3
from pathlib import Path

from epochal.records import State
from tests.jobs.chain import drive, epochal, epochal_json, store_push, stored_run, train_commit
from tests.repositories import commit, make_repository

# 20 epochs give 0.6, 30 give 0.71, 40 give 0.82. On 1,000 samples, 0.71 may exceed the threshold 0.7 by chance.
_SCRIPT = """
import json, os
epochs = 20
print("stops at", os.environ.get("EPOCHAL_STOP_AT"))
told = {"accuracy": {20: 0.6, 30: 0.71, 40: 0.82}[epochs], "samples": 1000, "test_set": "NAME"}
json.dump(told, open(os.path.join(os.environ["EPOCHAL_OUT"], "accuracy.json"), "w"))
"""
_TOML = "threshold = 0.7\nconfidence = 0.95\n"


def test_looks_are_counted_over_the_runs_of_a_branch(home: Path, tmp_path: Path) -> None:
    """Each look needs a higher accuracy than the one before, and a new test set starts at look 1.

    If an accuracy may exceed the threshold only by chance, the run retrains. Resuming a run takes no additional look.
    """
    repository = make_repository(tmp_path / "digits", {"nn.py": _SCRIPT, "epochal.toml": _TOML})
    first = drive(home, store_push(home, repository))
    assert (first.run.state, _read_looks(home, 1)) == (State.REACHED, [(1, "below"), (2, "below"), (3, "reached")])
    assert (
        "verdict: 0.710 is not far enough above the threshold of 0.70 to be conclusive: lower bound 0.674 at 95% confidence, "
        "0.735 is needed on 1000 samples, 2 models evaluated on this test set so far" in first.printed["retrain"]
    )
    assert "stops at 0.735\n" in (first.folder / "trials/2/train.log").read_text(encoding="utf-8")
    assert (
        "trial 2: accuracy 0.71 (0.681 to 0.737, 1000 test samples), from the accuracy.json" in first.printed["retrain"]
    )

    _remove_last_verdict(home)
    assert drive(home, stored_run(home, 1)).run.state is State.REACHED
    assert _read_looks(home, 1) == [(1, "below"), (2, "below"), (3, "reached")]

    # The constant ``seed`` is new: the change offered in the mail alone would reuse the verdict without a look.
    enough = _SCRIPT.replace("epochs = 20", "epochs = 40\nseed = 1")
    commit(repository, {"nn.py": enough}, "Enough of them")
    second = drive(home, store_push(home, repository))
    assert second.run.state is State.REACHED
    assert _read_looks(home, 2) == [(4, "reached")]
    assert (
        "0.741 is needed on 1000 samples, 4 models evaluated on this test set so far"
        in epochal(home, "show", "2").stdout
    )

    commit(repository, {"nn.py": enough.replace("NAME", "fresh")}, "Fresh data")
    assert drive(home, store_push(home, repository)).run.state is State.REACHED
    assert _read_looks(home, 3) == [(1, "reached")]


def test_validating_on_test_data_is_noted_once(home: Path, tmp_path: Path) -> None:
    """The recorder reports validation on test data in every trial, but the run gets a single note."""
    event = '{"event": "evaluate", "model": 1, "samples": 1000, "validated": true, "metrics": {"accuracy": 0.6}}'
    recording = f"open(os.path.join(os.environ['EPOCHAL_OUT'], 'metrics.jsonl'), 'w').write({event + chr(10)!r})\n"
    result = train_commit(home, tmp_path, {"nn.py": _SCRIPT + recording, "epochal.toml": "threshold = 0.7\n"})
    assert [trial.validates_on_test for trial in result.run.trials] == [True, True]
    (note,) = result.run.notes
    assert note.startswith("The script validates on its test data, so ")


def _read_looks(home: Path, run: int) -> list[tuple[int, str]]:
    trials = epochal_json(home, "show", str(run))["trials"]
    return [(trial["judgement"]["look"], trial["judgement"]["verdict"]) for trial in trials]


def _remove_last_verdict(home: Path) -> None:
    """Put run 1 into the state that a job leaves if it is killed just before the third verdict."""
    with sqlite3.connect(home / "epochal.db") as database:
        database.execute("UPDATE run_trials SET judgement = NULL WHERE run = 1 AND number = 3")
        database.execute("UPDATE runs SET state = 'retraining', ended = NULL WHERE id = 1")
        database.execute("DELETE FROM messages")
