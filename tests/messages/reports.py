"""Finished runs and their reports, for the email tests."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from epochal.errors import Reason
from epochal.messages.mail.compose import Report
from epochal.records import Accuracy, AccuracySource, Commit, Origin, Run, State, Trial, TrialState
from tests.trials import measured

SHA = "3f2a1b9c0d5e4f60718293a4b5c6d7e8f9012345"
STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FOLDER = Path("/srv/epochal/runs/7")
DIFF = "--- a/nn.py\n+++ b/nn.py\n@@ -1,3 +1,3 @@\n import keras\n-epochs = 20\n+epochs = 30\n filters = 16\n"


def trial(number: int, accuracy: float | None, **changes: Any) -> Trial:
    """Return a trial with ten more epochs than the one before. Without an ``accuracy``, it ran out of memory."""
    resumed_from = 10 * number if number > 1 else 0
    accuracy_fields = {field.name: changes.pop(field.name) for field in fields(Accuracy) if field.name in changes}
    trained = Trial(
        number,
        TrialState.MEASURED,
        {"epochs": 10 + 10 * number, "filters": 16},
        10 if resumed_from else 20,
        measured(accuracy, AccuracySource.EVALUATE, **accuracy_fields),
        seconds=41.2 * number,
        epochs_resumed=resumed_from,
    )
    if accuracy is None:
        return replace(trained, state=TrialState.FAILED, reason=Reason.OUT_OF_MEMORY)
    return replace(trained, **changes)


def run(state: State, *trials: Trial) -> Run:
    """Return a run of Ada's commit that ended in ``state``, with a threshold of 0.80."""
    commit = Commit(
        "https://github.com/ada/digits.git",
        "main",
        SHA,
        "Fewer filters\n\nThey were many.",
        "Ada Lovelace",
        "ada@example.com",
    )
    ended = STARTED + timedelta(seconds=112)
    return Run(7, commit, Origin.PUSH, state, STARTED, STARTED, ended, framework="keras", threshold=0.80, trials=trials)


def reached() -> Report:
    """Return the report of a run whose second trial reached the threshold with ten more epochs."""
    return Report(
        run=replace(
            run(State.REACHED, trial(1, 0.771), trial(2, 0.8311)),
            framework_why="nn.py line 1 imports keras",
            build_url="https://jenkins.example.org/job/retrain/4/",
            notes=("digits.csv is a git-lfs pointer.",),
        ),
        repository="ada/digits",
        folder=FOLDER,
        model=FOLDER / "trials/2/code/model.keras",
        log=FOLDER / "trials/2/train.log",
        diff=DIFF,
        minutes=1.87,
        changes=("epochs = 20 → 30",),
    )


def exhausted() -> Report:
    """Return the report of a run of three trials, all below the threshold; the second is the best."""
    ended = replace(
        run(State.EXHAUSTED, trial(1, 0.7), trial(2, 0.771), trial(3, 0.75)),
        reason=Reason.MAX_TRIALS,
        explanation="The run had as many trials as max_trials = 3 allows.",
    )
    return replace(reached(), run=ended)


def reused_run() -> Report:
    """Return the report of a run that reuses the verdict of run 5, which was exhausted."""
    return replace(exhausted(), run=replace(exhausted().run, reused_run=5))


def adopted() -> Report:
    """Return the report of a commit that adopts the ten extra epochs that let trial 2 of run 5 reach the threshold."""
    ended = replace(run(State.REACHED, trial(2, 0.8311)), reused_run=5, reused_trial=2)
    return replace(reached(), run=ended, changes=(), diff="")


def failed() -> Report:
    """Return the report of a run whose first trial ran out of memory."""
    ended = replace(
        run(State.FAILED, trial(1, None)),
        reason=Reason.OUT_OF_MEMORY,
        explanation="The training needed more memory than the server allows: a smaller batch needs less.",
        detail="Epoch 1/20\nMemoryError: Unable to allocate 38.1 GiB",
    )
    return Report(ended, "ada/digits", FOLDER, None, FOLDER / "trials/1/train.log", "", 0.3, ())
