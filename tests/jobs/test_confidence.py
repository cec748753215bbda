"""The gate with confidence through the jobs: its looks are counted over the runs of a branch, and told."""

import sqlite3
from pathlib import Path

from epochal.records import State
from tests.jobs.chain import drive, epochal, epochal_json, store_push, stored_run, train_commit
from tests.repositories import commit, make_repository

# 20 epochs are 0.6, 30 are 0.71, 40 are 0.82: on 1,000 samples 0.71 may be chance.
_COUNTED = """
import json, os
epochs = 20
print("stops at", os.environ.get("EPOCHAL_STOP_AT"))
told = {"accuracy": {20: 0.6, 30: 0.71, 40: 0.82}[epochs], "samples": 1000, "test_set": "NAME"}
json.dump(told, open(os.path.join(os.environ["EPOCHAL_OUT"], "accuracy.json"), "w"))
"""
_TOML = "threshold = 0.7\nconfidence = 0.95\n"


def test_looks_are_counted_over_the_runs_of_a_branch(home: Path, tmp_path: Path) -> None:
    """What may be chance is retrained; a run that is taken up again has no second look; the next run's look asks for
    more, and a fresh test set starts at look 1."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _COUNTED, "epochal.toml": _TOML})
    first = drive(home, store_push(home, repository))
    assert (first.run.state, _looks(home, 1)) == (State.REACHED, [(1, "below"), (2, "below"), (3, "reached")])
    assert (
        "verdict: 0.710 is not certain enough to reach the threshold 0.70: lower bound 0.674 at 95 % confidence, "
        "0.735 is needed on 1000 samples, look 2 at this test set" in first.printed["retrain"]
    )
    assert "stops at 0.735\n" in (first.folder / "trials/2/train.log").read_text(encoding="utf-8")
    assert (
        "trial 2: accuracy 0.71 (0.681 to 0.737, 1000 test samples), from the accuracy.json" in first.printed["retrain"]
    )

    _forget_the_last_word(home)
    assert drive(home, stored_run(home, 1)).run.state is State.REACHED
    assert _looks(home, 1) == [(1, "below"), (2, "below"), (3, "reached")]

    # With a constant more: what the mail offered would be confirmed without a look.
    enough = _COUNTED.replace("epochs = 20", "epochs = 40\nseed = 1")
    commit(repository, {"nn.py": enough}, "Enough of them")
    second = drive(home, store_push(home, repository))
    assert second.run.state is State.REACHED
    assert _looks(home, 2) == [(4, "reached")]
    assert "0.741 is needed on 1000 samples, look 4 at this test set" in epochal(home, "show", "2").stdout

    commit(repository, {"nn.py": enough.replace("NAME", "fresh")}, "Fresh data")
    assert drive(home, store_push(home, repository)).run.state is State.REACHED
    assert _looks(home, 3) == [(1, "reached")]


def test_a_script_that_validates_on_its_test_data_is_told_so(home: Path, tmp_path: Path) -> None:
    """What the recorder says of the evaluate that counts is told once, however many trials there were."""
    event = '{"event": "evaluate", "model": 1, "samples": 1000, "validated": true, "metrics": {"accuracy": 0.6}}'
    told = f"open(os.path.join(os.environ['EPOCHAL_OUT'], 'metrics.jsonl'), 'w').write({event + chr(10)!r})\n"
    ended = train_commit(home, tmp_path, {"nn.py": _COUNTED + told, "epochal.toml": "threshold = 0.7\n"})
    assert [trial.validates_on_test for trial in ended.run.trials] == [True, True]
    (note,) = ended.run.notes
    assert note.startswith("nn.py validates on its test data: ")


def _looks(home: Path, run: int) -> list[tuple[int, str]]:
    trials = epochal_json(home, "show", str(run))["trials"]
    return [(trial["judgement"]["look"], trial["judgement"]["verdict"]) for trial in trials]


def _forget_the_last_word(home: Path) -> None:
    """Put run 1 where a job leaves it that is killed behind its third measurement, before the verdict."""
    with sqlite3.connect(home / "epochal.db") as database:
        database.execute("UPDATE run_trials SET judgement = NULL WHERE run = 1 AND number = 3")
        database.execute("UPDATE runs SET state = 'retraining', ended = NULL WHERE id = 1")
        database.execute("DELETE FROM messages")
