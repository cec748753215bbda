"""The retrain job's search, with several trials and several processes at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from epochal.app import App
from epochal.errors import Reason
from epochal.records import Run, State, Strategy, TrialState
from epochal.settings import child_environment
from epochal.store.outbox import message_of_run
from tests.jobs.chain import drive, environment_of, epochal, epochal_json, store_push, stored_run
from tests.postgresql import postgresql
from tests.repositories import make_repository

_SCRIPT = """
import json, os, sys

epochs = 9
filters = 1
kernel = "small"

def epoch(number, accuracy):
    with open(os.path.join(os.environ["EPOCHAL_OUT"], "metrics.jsonl"), "a") as file:
        told = {{"event": "epoch", "model": 1, "call": 1, "epoch": number, "epochs": epochs, "seconds": 0.01}}
        print(json.dumps(told | {{"metrics": {{"val_accuracy": accuracy}}}}), file=file)

accuracy = filters / 20 + (0.4 if kernel == "large" else 0)
{training}
open("model.keras", "w").write(str(filters))
print("Test accuracy:", accuracy)
"""

_SETTINGS = """
threshold = {threshold}
[retrain]
max_trials = {trials}
max_epochs = 9
{retrain}
[search]
{space}
"""


def _make_search_repository(
    tmp_path: Path, training: str, space: str, threshold: float = 0.8, trials: int = 30, retrain: str = ""
) -> Path:
    files: dict[str, str | bytes] = {
        "nn.py": _SCRIPT.format(training=training),
        "epochal.toml": _SETTINGS.format(threshold=threshold, trials=trials, space=space, retrain=retrain),
    }
    return make_repository(tmp_path / "digits", files)


def _limit_trials_at_once(home: Path, trials: int) -> None:
    home.mkdir(exist_ok=True)
    (home / "server.toml").write_text(f"[limits]\nminutes = 1\ntrials = {trials}\n")


def test_search_reaches_the_threshold(home: Path, tmp_path: Path) -> None:
    """A search that trains two trials at a time reaches the threshold.

    The diff, ``epochal show`` and the email contain the change that reached it.
    """
    _limit_trials_at_once(home, 2)
    repository = _make_search_repository(
        tmp_path, "", 'filters = { low = 1, high = 9 }\nkernel = { choices = ["small", "large"] }'
    )
    result = drive(home, store_push(home, repository))
    assert result.run.state is State.REACHED, result.printed
    assert "best so far: " in result.printed["retrain"]
    best = result.run.best
    assert best is not None
    assert best.strategy is Strategy.SEARCH
    assert result.run.changes(best) == {"filters": best.hyperparameters["filters"], "kernel": "large"}
    diff = (result.folder / "trials" / str(best.number) / "change.diff").read_text()
    assert '+kernel = "large"' in diff
    shown = epochal(home, "show", str(result.run.id)).stdout
    assert "kernel = large" in shown
    mail = _load_mail(home, result.run.id)
    assert "kernel = small → large" in mail
    assert f"filters = 1 → {best.hyperparameters['filters']}" in mail


def _load_mail(home: Path, run: int) -> str:
    """Return the text of the email about the run."""
    app = App.open(environment_of(home))
    message = message_of_run(app.database, run)
    app.database.close()
    assert message is not None
    body = message_from_bytes(message.content, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("retrain", ["", "stop_at_threshold = false"])
def test_worse_trials_are_pruned_and_failing_ones_counted(retrain: str, home: Path, tmp_path: Path) -> None:
    """A trial that does worse than an earlier one is stopped, and one that fails is recorded as failed.

    Once every combination has been tried, the run ends with the best one.
    """
    training = f"""
if filters == 4:
    raise SystemExit("four do not fit")
passed = {str(tmp_path / "passed")!r}
for number in range(1, 4):
    epoch(number, accuracy)
best = max(map(float, open(passed).read().split())) if os.path.exists(passed) else 0
if accuracy < best:
    open({str(tmp_path / "never")!r}).read()  # blocks until the trial is stopped
print(accuracy, file=open(passed, "a"))
"""
    # Only four trials report epochs: with six, the pruner would also let the second best continue.
    os.mkfifo(tmp_path / "never")
    _limit_trials_at_once(home, 1)
    repository = _make_search_repository(tmp_path, training, "filters = { low = 2, high = 6 }", retrain=retrain)
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason) == (State.EXHAUSTED, Reason.SPACE_USED_UP), result.printed
    searched = [trial for trial in result.run.trials if trial.strategy is Strategy.SEARCH]
    by_filters = {trial.hyperparameters["filters"]: trial for trial in searched}
    assert sorted(map(int, by_filters)) == [2, 3, 4, 5, 6]
    assert (by_filters[4].state, by_filters[4].reason) == (TrialState.FAILED, Reason.SCRIPT_ERROR)
    best = 0.0
    for trial in searched:
        quality = int(trial.hyperparameters["filters"]) / 20
        if trial.hyperparameters["filters"] == 4:
            continue
        assert trial.state is (TrialState.MEASURED if quality > best else TrialState.PRUNED)
        best = max(best, quality)
    assert result.run.best == by_filters[6]
    assert (result.folder / "trials" / str(by_filters[6].number) / "code" / "model.keras").read_text() == "6"


def _record_score(rows: str, chance: str = "0.5", split: str = "") -> str:
    """Return code that records a score on ``rows`` (an expression for their hashes) with this chance level."""
    return f"""
import base64, struct
try:
    from sklearn.model_selection import train_test_split
    {split or None}
except ImportError:
    pass
rows = sorted({rows})
with open(os.path.join(os.environ["EPOCHAL_OUT"], "metrics.jsonl"), "a") as file:
    sketch = base64.b64encode(struct.pack(f"<{{len(rows)}}Q", *rows)).decode()
    print(json.dumps({{"event": "test_set", "id": sketch[:16], "rows": len(rows), "sketch": sketch}}), file=file)
    seen = {{"rows": len(rows), "share": 0.0, "expected": 0.0, "refused": False, "checked": True, "why": ""}}
    score = {{"event": "score", "measures": "accuracy", "metrics": {{"accuracy": 0.1}}, "of": "SVC", "dummy": False}}
    score |= {{"estimator": 1, "samples": len(rows), "test_set": sketch[:16], "weights": "", "trained": True}}
    score |= {{"labels": {{"": {{"kind": "classes", "answers": 4, "answer": "a", "chance": {chance}}}}}}}
    print(json.dumps(score | {{"validated": False, "time": 1.0, "seen": seen}}), file=file)
"""


@pytest.mark.parametrize(
    ("rows", "chance", "split", "reason"),
    [
        ("range(filters, filters + 20)", "filters / 4", "", Reason.TEST_SET_CHANGED),
        ("range(filters, filters + 20)", "0.5", "", Reason.SPACE_USED_UP),
        (
            "range(filters, filters + 20)",
            "0.5",
            "train_test_split(range(9), stratify=[0] * 9)",
            Reason.TEST_SET_CHANGED,
        ),
        ("(filters * 100 + row for row in range(20))", "filters / 4", "", Reason.SPACE_USED_UP),
        ("(filters * 100 + row for row in range(20))", "0.5", "train_test_split(range(9))", Reason.TEST_SET_CHANGED),
    ],
    ids=["other rows", "part of the rows", "stratified without a seed", "other preprocessing", "both without a seed"],
)
def test_search_ends_if_trials_are_tested_on_other_rows(
    home: Path, tmp_path: Path, rows: str, chance: str, split: str, reason: Reason
) -> None:
    """A search over a constant that moves the split would find the easiest rows, as does one with an unseeded split.

    Rows that have nothing in common with the first trial's may be the same rows, preprocessed in another way. So may
    equally labelled rows of which only some are shared. If the split has no seed, they are not.
    """
    _limit_trials_at_once(home, 1)
    repository = _make_search_repository(tmp_path, _record_score(rows, chance, split), "filters = { choices = [1, 2] }")
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason) == (State.EXHAUSTED, reason), result.printed


@pytest.mark.parametrize(
    ("window", "rows", "split", "reason"),
    [
        (2, "range(20 - window)", "", Reason.SPACE_USED_UP),
        (10, "range(20 - window)", "", Reason.TEST_SET_CHANGED),
        (2, "range(window, 20 + window)", "train_test_split(range(9))", Reason.TEST_SET_CHANGED),
    ],
    ids=["left-over rows", "half the rows", "split without a seed"],
)
def test_search_over_a_length_may_leave_over_a_few_rows(
    home: Path, tmp_path: Path, window: int, rows: str, split: str, reason: Reason
) -> None:
    """Windows of another length leave over a few rows, but a filter for the length would leave the easiest rows.

    If the split has no seed, the rows differ in any case.
    """
    _limit_trials_at_once(home, 1)
    training = "window = 1\n" + _record_score(rows, split=split)
    repository = _make_search_repository(tmp_path, training, f"window = {{ choices = [1, {window}] }}")
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason) == (State.EXHAUSTED, reason), result.printed


@pytest.mark.parametrize(
    ("code", "split", "other", "remedy"),
    [
        ("", "", "", "Remove filters from [search]: it decides which rows are test data."),
        ("import random\nrandom.Random(7).shuffle([])", "", "", "Remove filters from [search]: it decides which rows"),
        (
            "",
            "",
            'kernel = { choices = ["large", "tiny"] }',
            "Remove from [search] the constant that decides which rows are test data: filters or kernel.",
        ),
        ("", "train_test_split(range(9))", "", "of nn.py. Write train_test_split(…, random_state=0)."),
        ("import random\nrandom.shuffle([])", "", "", "Seed the split, and remove from [search] any constant that"),
    ],
    ids=["nothing is random", "seeded generator", "two constants", "split without a seed", "shuffled"],
)
def test_advice_names_what_changes_the_test_rows(
    home: Path, tmp_path: Path, code: str, split: str, other: str, remedy: str
) -> None:
    """Replacing the choice would not help, and only a split without a seed needs one."""
    _limit_trials_at_once(home, 1)
    training = f"{code}\n{_record_score('range(filters, filters + 20)', 'filters / 4', split)}"
    repository = _make_search_repository(tmp_path, training, f"filters = {{ choices = [2, 3] }}\n{other}")
    result = drive(home, store_push(home, repository))
    assert result.run.reason is Reason.TEST_SET_CHANGED, result.printed
    assert remedy in result.run.explanation
    assert result.run.explanation.count(" Seed the split") == remedy.count("Seed the split") + bool(split)
    assert "remove or replace" not in result.run.explanation
    assert remedy in result.printed["retrain"]
    assert not any("Seed the split" in note for note in result.run.notes)


def test_search_and_earlier_trials_share_one_budget(home: Path, tmp_path: Path) -> None:
    """The committed trial counts towards ``max_trials``, so the search gets one trial fewer."""
    _limit_trials_at_once(home, 2)
    repository = _make_search_repository(tmp_path, "", "filters = { low = 2, high = 9 }", trials=4)
    result = drive(home, store_push(home, repository))
    assert (result.run.state, result.run.reason, len(result.run.trials)) == (State.EXHAUSTED, Reason.MAX_TRIALS, 4)
    view = epochal_json(home, "show", str(result.run.id))
    assert [trial["strategy"] for trial in view["trials"]] == ["committed", "search", "search", "search"]


def test_choices_that_always_fail_are_named(home: Path, tmp_path: Path) -> None:
    """The explanation and the summary count all trials, including those that failed."""
    _limit_trials_at_once(home, 1)
    training = 'if kernel == "tiny":\n    raise SystemExit("too small")\n'
    space = 'kernel = { choices = ["tiny", "large"] }\nfilters = { low = 2, high = 3 }'
    result = drive(home, store_push(home, _make_search_repository(tmp_path, training, space)))
    assert result.run.reason is Reason.SPACE_USED_UP
    assert (
        "The search ran 4 trials (2 failed, including all with kernel = tiny). Before the search, training for"
        in result.run.explanation
    )
    assert (
        "In [search], remove or replace kernel = tiny, because every trial with such a value failed. Widen the"
        in result.run.explanation
    )
    assert "5 trials (2 failed)" in result.printed["retrain"]


def test_choices_of_the_only_dimension_may_fail_once(home: Path, tmp_path: Path) -> None:
    """Nothing else differed between the trials, so no other trial with these choices can succeed."""
    _limit_trials_at_once(home, 1)
    training = 'if kernel != "small":\n    raise SystemExit("wrong")\n'
    result = drive(
        home, store_push(home, _make_search_repository(tmp_path, training, 'kernel = { choices = ["a", "b"] }'))
    )
    assert (
        "In [search], remove or replace kernel = a and kernel = b, because every trial with" in result.run.explanation
    )


def test_last_trial_of_the_budget_may_reach_the_threshold(home: Path, tmp_path: Path) -> None:
    """When no further trial may start, one that is already training can still reach the threshold."""
    os.mkfifo(tmp_path / "go")
    _limit_trials_at_once(home, 2)
    training = f"""
if kernel == "large":
    open({str(tmp_path / "go")!r}).read()
"""
    space = 'kernel = { choices = ["small", "medium", "large"] }'
    run = store_push(home, _make_search_repository(tmp_path, training, space, threshold=0.4, trials=3))
    for job in ("pull", "train"):
        _start_epochal(home, run, "job", job).wait()
    retraining = _start_epochal(home, run, "job", "retrain")
    assert retraining.stdout
    assert any(b"best so far" in line for line in retraining.stdout)
    (tmp_path / "go").write_bytes(b"")
    retraining.stdout.read()
    assert retraining.wait() == 0


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of a PostgreSQL database, or an empty string for SQLite in the home."""
    with postgresql() if request.param == "PostgreSQL" else nullcontext("") as url:
        yield url


@pytest.mark.parametrize(
    ("database", "killed"),
    [("SQLite", "conductor"), ("SQLite", "joined"), ("PostgreSQL", "conductor")],
    indirect=["database"],
)
def test_processes_join_one_search(home: Path, tmp_path: Path, database: str, killed: str) -> None:
    """Two processes share one search, and one of them is killed during a trial.

    The other trains that combination again and ends the run.
    """
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "held").touch()
    _limit_trials_at_once(home, 1)
    if database:
        (home / "server.toml").write_text(f'database = "{database}"\n[limits]\ntrials = 1\n')
    repository = _make_search_repository(
        tmp_path, _WAITING.format(folder=str(tmp_path)), "filters = { low = 2, high = 4 }"
    )
    run = store_push(home, repository)
    for job in ("pull", "train"):
        _start_epochal(home, run, "job", job).wait()
    processes = {}
    for name, arguments in (("conductor", ["job", "retrain"]), ("joined", ["retrain", str(run.id), "--join"])):
        processes[name] = _start_epochal(home, run, *arguments)
        (tmp_path / "begun").read_bytes()
    victim = processes.pop(killed)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    (tmp_path / "held").unlink()
    (tmp_path / "go").write_bytes(b"")
    (survivor,) = processes.values()
    assert survivor.wait() == 3
    ended = stored_run(home, run.id)
    assert (ended.state, ended.reason) == (State.EXHAUSTED, Reason.SPACE_USED_UP)
    assert "filters = 1 → 4" in _load_mail(home, run.id)
    interrupted = [trial for trial in ended.trials if trial.reason is Reason.INTERRUPTED]
    measured = [trial for trial in ended.trials if trial.state is TrialState.MEASURED]
    assert len(interrupted) == 1
    assert sorted(int(trial.hyperparameters["filters"]) for trial in measured) == [1, 2, 3, 4]


def test_stopped_search_leaves_nothing_training(home: Path, tmp_path: Path) -> None:
    """SIGTERM stops all training runs of the search.

    When the job runs again, it tries the interrupted combinations again.
    """
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "held").touch()
    _limit_trials_at_once(home, 2)
    training = _WAITING.format(folder=str(tmp_path))
    run = store_push(home, _make_search_repository(tmp_path, training, "filters = { low = 2, high = 4 }"))
    for job in ("pull", "train"):
        _start_epochal(home, run, "job", job).wait()
    retraining = _start_epochal(home, run, "job", "retrain")
    pipe = os.open(tmp_path / "begun", os.O_RDWR)  # opened once, so that neither of the two bytes is lost
    assert [os.read(pipe, 1), os.read(pipe, 1)] == [b"!", b"!"]
    os.close(pipe)
    retraining.terminate()
    assert retraining.wait() == 128 + signal.SIGTERM
    with pytest.raises(OSError, match="No such device"):  # no process has the pipe open for reading (fifo(7))
        os.open(tmp_path / "go", os.O_WRONLY | os.O_NONBLOCK)
    stopped = stored_run(home, run.id)
    assert stopped.state is State.RETRAINING
    assert [trial.reason for trial in stopped.trials[1:]] == [Reason.INTERRUPTED] * 2
    (tmp_path / "held").unlink()
    result = drive(home, stopped)
    measured = [trial for trial in result.run.trials if trial.state is TrialState.MEASURED]
    assert sorted(int(trial.hyperparameters["filters"]) for trial in measured) == [1, 2, 3, 4]


_KILLED_BEFORE_TRAINING = """
import os, signal, sys
from epochal.jobs.runner import run_job
from epochal.jobs.search import study, workers
from epochal.settings import Environment

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "asked":
    workers.add_search_trial = die
else:
    study.Study.record_started = die
run_job("retrain", Environment.read())
"""
"""Runs the retrain job, which kills itself after asking the study for a combination, or after adding its trial."""


@pytest.mark.parametrize("moment", ["asked", "added"])
def test_combination_of_a_process_that_died_before_training_is_tried(home: Path, tmp_path: Path, moment: str) -> None:
    """The process dies after taking a combination, before it is recorded which trial trains that combination."""
    _limit_trials_at_once(home, 1)
    run = store_push(home, _make_search_repository(tmp_path, "", "filters = { low = 2, high = 4 }"))
    for job in ("pull", "train"):
        _start_epochal(home, run, "job", job).wait()
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUNTIME": "process", "EPOCHAL_RUN": str(run.id)}
    command = [sys.executable, "-c", _KILLED_BEFORE_TRAINING, moment]
    assert subprocess.run(command, env=child_environment(variables), check=False).returncode == -signal.SIGKILL
    result = drive(home, stored_run(home, run.id))
    measured = [trial for trial in result.run.trials if trial.state is TrialState.MEASURED]
    assert sorted(int(trial.hyperparameters["filters"]) for trial in measured) == [1, 2, 3, 4], result.printed


_WAITING = """
folder = {folder!r}
if filters > 1 and os.path.exists(folder + "/held"):
    with open(folder + "/begun", "w") as begun:
        begun.write("!")
    open(folder + "/go").read()
"""
"""Makes each trial of the search report its start and then wait, as long as the file ``held`` exists."""


def _start_epochal(home: Path, run: Run, *arguments: str) -> "subprocess.Popen[bytes]":
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUNTIME": "process", "EPOCHAL_RUN": str(run.id)}
    return subprocess.Popen(
        [sys.executable, "-m", "epochal", *arguments],
        env=child_environment(variables),
        stdout=subprocess.PIPE if arguments == ("job", "retrain") else subprocess.DEVNULL,
        start_new_session=True,
    )


def test_joining_is_refused_without_a_search(home: Path, tmp_path: Path) -> None:
    """``retrain --join`` exits with status 2 if the run has no search."""
    run = store_push(home, make_repository(tmp_path / "digits", {"nn.py": "print('Test accuracy: 0.9')"}))
    completed = epochal(home, "retrain", str(run.id), "--join")
    assert (completed.returncode, "there is no search to join" in completed.stderr) == (2, True)


def test_promising_trial_is_resumed(home: Path, tmp_path: Path) -> None:
    """A trial expected to reach the threshold is followed by one with the same values and more epochs.

    The second trial resumes from the first one's checkpoint.
    """
    script = """
import json, math, os
epochs = 18
filters = 1
checkpoints = os.environ["EPOCHAL_CHECKPOINTS"]
print(os.listdir(checkpoints))
open(os.path.join(checkpoints, "model1-fit1-epoch000018.npz"), "w").close()
level = 0.95 if filters == 2 else 0.4
for number in range(1, epochs + 1):
    accuracy = level * (1 - math.exp(-number / 15))
    with open(os.path.join(os.environ["EPOCHAL_OUT"], "metrics.jsonl"), "a") as file:
        told = {"event": "epoch", "model": 1, "call": 1, "epoch": number, "epochs": epochs, "seconds": 0.01}
        print(json.dumps(told | {"metrics": {"val_accuracy": accuracy}}), file=file)
with open(os.path.join(os.environ["EPOCHAL_OUT"], "accuracy.json"), "w") as file:
    json.dump({"accuracy": accuracy, "samples": 1000, "test_set": "the same"}, file)
"""
    settings = "[retrain]\nmax_epochs = 60\n[search]\nfilters = { choices = [1, 2] }\n"
    repository = make_repository(tmp_path / "digits", {"nn.py": script, "epochal.toml": settings})
    result = drive(home, store_push(home, repository))
    assert result.run.state is State.REACHED, result.printed
    first, second = [trial for trial in result.run.trials if trial.strategy is Strategy.SEARCH]
    assert first.forecast
    assert second.hyperparameters == {"filters": 2, "epochs": first.forecast.expected}
    assert (result.folder / "trials" / str(second.number) / "train.log").read_text().startswith("['model1-fit1")
