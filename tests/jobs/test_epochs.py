"""Which number in a script is raised to train more epochs, and what happens if raising it has no effect."""

import re
from pathlib import Path

import pytest

from epochal.analysis.frameworks import frameworks
from epochal.analysis.script import parse_script
from epochal.errors import Reason
from epochal.jobs.epochs import Training, choose
from epochal.jobs.strategy import GiveUp, Proposal, next_trial
from epochal.records import State, StoppedBy, Strategy, Trial, TrialState
from epochal.results.epochs import TrainedEpochs
from epochal.settings import RetrainSettings
from tests.jobs.chain import train_commit
from tests.trials import measured

_SCRIPT = parse_script(b"epochs = 20\nn_epochs = 5\nmax_epochs = 7\ntrain()\n")
"""Three numbers that may be the number of epochs, none of which is used in the script itself."""


def _make_trial(number: int, accuracy: float = 0.5, stopped_by: StoppedBy | None = None, **changed: int) -> Trial:
    strategy = Strategy.MORE_EPOCHS if changed else Strategy.COMMITTED
    found = {"epochs": 20} | changed
    return Trial(
        number,
        TrialState.MEASURED,
        dict(found),
        accuracy=measured(accuracy),
        stopped_by=stopped_by,
        strategy=strategy,
    )


def _count(*totals: int | str | None) -> dict[int, Training]:
    """Return what each trial trained: a known number of epochs, or an unknown number with this output."""
    return {
        number: Training(TrainedEpochs(total, frozenset({total})))
        if isinstance(total, int)
        else Training(None, total or "")
        for number, total in enumerate(totals, start=1)
    }


def _raise(trials: list[Trial], counts: dict[int, Training]) -> dict[str, object] | Reason:
    """Return what the next trial changes, or the reason for giving up."""
    choice = choose(_SCRIPT, trials, counts)
    proposal = next_trial(_SCRIPT, "keras", tuple(trials), RetrainSettings(), 0.8, choice)
    if isinstance(proposal, GiveUp):
        return proposal.reason
    assert isinstance(proposal, Proposal)
    return {constant.name: value for constant, value in proposal.changes.items()}


_FIRST, _RAISED = _make_trial(1), _make_trial(2, 0.6, epochs=30)
_SAME = _make_trial(2, epochs=30)
"""A trial with the same accuracy as the first one."""


@pytest.mark.parametrize(
    ("trials", "counts", "expected"),
    [
        ([_FIRST], _count(20), {"epochs": 30}),
        ([_FIRST], _count(None), {"epochs": 30}),
        ([_FIRST], _count(5), {"n_epochs": 15}),  # the first trial trained 5 epochs
        ([_FIRST], _count(99), {"epochs": 30}),
        ([_FIRST, _RAISED], _count(20, 30), {"epochs": 40}),
        ([_FIRST, _RAISED], _count(20, 20), {"n_epochs": 15}),
        ([_FIRST, _RAISED], _count(20, None), {"epochs": 40}),
        ([_FIRST, _RAISED], _count("loss 0.5", "loss 0.4"), {"epochs": 40}),
        ([_FIRST, _RAISED], _count("loss 0.5", "loss 0.5"), {"epochs": 40}),
        ([_FIRST, _SAME], _count("loss 0.5", "loss 0.4"), {"epochs": 40}),
        ([_FIRST, _SAME], _count("loss 0.5", "loss 0.5"), {"n_epochs": 15}),
        ([_FIRST, _SAME], _count("{'epochs': 20}\nloss 0.5", "{'epochs': 30}\nloss 0.5"), {"n_epochs": 15}),
        ([_FIRST, _SAME], _count("loss 20.5", "loss 30.5"), {"epochs": 40}),
        ([_FIRST, _make_trial(2, 0.6, StoppedBy.THRESHOLD, epochs=30)], _count(20, 20), {"epochs": 40}),
        ([_FIRST, _RAISED, _make_trial(3, n_epochs=15)], _count(20, 20, 30), {"n_epochs": 25}),
        ([_FIRST, _RAISED, _make_trial(3, n_epochs=15)], _count(20, 20, 20), Reason.EPOCHS_UNCHANGED),
    ],
)
def test_raise_that_trains_no_more_epochs_leads_to_the_next_number(
    trials: list[Trial], counts: dict[int, Training], expected: dict[str, int] | Reason
) -> None:
    """A number equal to the epochs of the first trial comes first. After two raises without effect, the run ends."""
    assert _raise(trials, counts) == expected


def test_number_from_which_the_epochs_are_computed_is_not_raised() -> None:
    """The script asks for 23 epochs, computed from a number of samples. Early stopping alone proves nothing."""
    script = parse_script(b"samples = 30_000\nepochs = samples // 1347\nmodel.fit(x, y, epochs=samples)\n")
    asked = {1: Training(TrainedEpochs(9, frozenset({9, 23}), is_asked=True))}
    assert choose(script, [_FIRST], asked).epochs is None
    assert choose(script, [_FIRST], {1: Training(TrainedEpochs(9, frozenset({9})))}).epochs


def test_only_literal_is_raised_twice_before_it_is_given_up() -> None:
    """A script may print only an accuracy, and two trials may print the same one by chance."""
    script = parse_script(b"epochs = 20\ntrain()\n")
    trials = [_FIRST, _SAME, _make_trial(3, epochs=40)]
    assert choose(script, trials[:2], _count("0.5", "0.5")).epochs
    assert choose(script, trials, _count("0.5", "0.5", "0.6")).epochs
    assert choose(script, trials, _count("0.5", "0.5", "0.5")).epochs is None


def test_message_names_what_was_raised_in_vain() -> None:
    """The message also says what to write instead."""
    trials = [_FIRST, _RAISED, _make_trial(3, n_epochs=15)]
    give_up = next_trial(
        _SCRIPT, "keras", tuple(trials), RetrainSettings(), 0.8, choose(_SCRIPT, trials, _count(20, 20, 20))
    )
    assert isinstance(give_up, GiveUp)
    assert "epochs = 20 on line 1 of nn.py and n_epochs = 5 on line 2 of nn.py" in give_up.explanation
    assert "fit(epochs=20)" in give_up.explanation


@pytest.mark.parametrize(
    ("source", "reason", "explanation"),
    [
        (
            b"epochs = 20\nfor epoch in range(epochs):\n    step()\n",
            Reason.LEVELS_OFF,
            "The accuracy stayed at 0.500 with 20, 30 and 40 epochs, so more epochs do not help. Change the model or the "
            "data.",
        ),
        (
            b"epochs = 20\nLogisticRegression().fit(x, y)\n",
            Reason.EPOCHS_UNCHANGED,
            "No training call or loop seems to use epochs = 20 on line 1 of nn.py, and a higher value did not change the "
            "accuracy. Use a model that trains in epochs",
        ),
        (
            b"epochs = 20\nx, y = load_digits(return_X_y=True)\ntrain(x, y)\n",
            Reason.EPOCHS_UNCHANGED,
            "Write epochs = 20 at the top of the script, and train in a loop: for epoch in range(epochs).",
        ),
        (
            b"params = {'epochs': 20}\nSGDClassifier(random_state=0).fit(x, y)\n",
            Reason.EPOCHS_UNCHANGED,
            "did not change the accuracy. Pass the number of epochs to SGDClassifier() as max_iter.",
        ),
    ],
)
def test_same_accuracy_with_more_epochs_is_explained(source: bytes, reason: Reason, explanation: str) -> None:
    """A loop that uses the constant may have converged. A constant that nothing uses should be passed to the model."""
    script, trials = parse_script(source), [_FIRST, _SAME, _make_trial(3, epochs=40)]
    choice = choose(script, trials, _count("0.5", "0.5", "0.5"))
    give_up = next_trial(script, "sklearn", tuple(trials), RetrainSettings(), 0.8, choice)
    assert isinstance(give_up, GiveUp)
    assert give_up.reason is reason
    assert explanation in give_up.explanation


def test_iterations_of_other_estimators_prove_nothing() -> None:
    """A script may also fit a logistic regression, apart from the model whose epochs are raised."""
    counts: dict[int, Training] = {
        number: Training(TrainedEpochs(90, frozenset({100}), are_iterations=True, converged=True)) for number in (1, 2)
    }
    assert _raise([_FIRST, _RAISED], counts) == {"epochs": 40}


def test_more_iterations_do_not_help_an_estimator_that_converged() -> None:
    """The estimator stops before it reaches its limit of iterations, so raising the limit changes nothing."""
    script = parse_script(b"MLPClassifier(max_iter=200).fit(x, y)\n")
    trial = Trial(1, TrialState.MEASURED, {"max_iter": 200}, accuracy=measured(0.5))
    counted = TrainedEpochs(90, frozenset({200}), are_iterations=True, converged=True)
    give_up = next_trial(
        script, "keras", (trial,), RetrainSettings(), 0.8, choose(script, [trial], {1: Training(counted)})
    )
    assert isinstance(give_up, GiveUp)
    assert give_up.reason is Reason.STOPS_ITSELF


def test_suggested_model_can_be_raised_below_the_default_limit() -> None:
    """A script that follows the advice for scikit-learn gets a second trial."""
    found = re.search(r"MLPClassifier\(max_iter=\d+\)", frameworks()["sklearn"].SET_EPOCHS)
    assert found
    script, trial = parse_script(f"{found[0]}.fit(x, y)\n".encode()), _make_trial(1)
    proposal = next_trial(script, "sklearn", (trial,), RetrainSettings(), 0.8, choose(script, [trial], _count(None)))
    assert isinstance(proposal, Proposal)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        (b"epochs = 10\nmodel.fit(x, epochs=epochs * 2)\n", {"epochs": 15}),  # 30 epochs
        (b"a = 5\nb = 15\ntotal = a + b\nmodel.fit(x, epochs=total)\n", {"b": 25}),
        (b"n = 41\nmodel.fit(x, epochs=n // 2)\n", {"n": 60}),
        (b"for epoch in range(1, 21):\n    step()\n", {"epochs": 31}),
        (b"for i in range(4):\n    model.fit(x)\n", {"epochs": 14}),
    ],
)
def test_raised_literal_gives_the_wanted_number(source: bytes, changes: dict[str, int]) -> None:
    """The new literal makes the code train ``epochs_step`` more epochs, whatever the code computes from it."""
    script, trial = parse_script(source), _make_trial(1)
    proposal = next_trial(script, "keras", (trial,), RetrainSettings(), 0.8, choose(script, [trial], _count(None)))
    assert isinstance(proposal, Proposal)
    assert {constant.name: value for constant, value in proposal.changes.items()} == changes


_TRAINS_FIVE = """
import json, os
epochs = 20
max_iter = 7
with open(os.environ["EPOCHAL_OUT"] + "/metrics.jsonl", "w") as file:
    for number in range(1, 6):
        told = {"event": "epoch", "model": 1, "call": 1, "epoch": number, "seconds": 0.1, "metrics": {}}
        print(json.dumps(told), file=file)
print("Test accuracy:", 0.5)
"""


def test_run_ends_after_two_raises_of_nothing(home: Path, tmp_path: Path) -> None:
    """The script always trains five epochs. Each raise without effect is reported, and the explanation names both."""
    result = train_commit(home, tmp_path, {"nn.py": _TRAINS_FIVE, "epochal.toml": "threshold = 0.8\n"})
    assert (result.run.state, result.run.reason) == (State.EXHAUSTED, Reason.EPOCHS_UNCHANGED)
    assert [trial.hyperparameters for trial in result.run.trials] == [{"epochs": 20}, {"epochs": 30}, {"max_iter": 17}]
    assert "trial 2: raising epochs = 20 on line 3 of nn.py did not make training longer" in result.printed["retrain"]
    assert (
        "Raising epochs = 20 on line 3 of nn.py and max_iter = 7 on line 4 of nn.py did not" in result.run.explanation
    )


_READS_A_FILE = """
import json
settings = json.load(open("conf/params.json"))
for epoch in range(settings["train"]["epochs"]):
    print(f"Epoch {epoch + 1}/{settings['train']['epochs']}")
print("Test accuracy:", (epoch + 1) / 40)
"""


def test_epochs_in_a_configuration_file_are_raised(home: Path, tmp_path: Path) -> None:
    """The trial runs with a changed copy of the file, and the diff to adopt applies to that file."""
    before = '{"train": {"epochs":5,\t"rate": 0.1}}\n'
    files: dict[str, str | bytes] = {
        "nn.py": _READS_A_FILE,
        "conf/params.json": before,
        "epochal.toml": "threshold = 0.3\n",
    }
    result = train_commit(home, tmp_path, files)
    assert (result.run.state, len(result.run.trials)) == (State.REACHED, 2)
    trial = result.folder / "trials" / "2"
    for changed in (trial / "code" / "conf" / "params.json", trial / "change" / "conf" / "params.json"):
        assert changed.read_text() == before.replace("5", "15", 1)
    assert (trial / "change.diff").read_text().startswith("--- a/conf/params.json\n+++ b/conf/params.json\n")
    assert result.run.trials[1].hyperparameters == {"epochs": 15}
