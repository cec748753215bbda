"""The choice of the next trial: the same code with more epochs, or no further trial."""

from dataclasses import replace

import pytest

from epochal.analysis.script import parse_script
from epochal.errors import Reason
from epochal.jobs.epochs import Training, choose
from epochal.jobs.strategy import GiveUp, Proposal, advise_at_chance, next_trial
from epochal.records import Evidence, Forecast, Trial, TrialState
from epochal.settings import RetrainSettings
from tests.trials import measured

_SCRIPT = b"epochs = 20\nmodel.fit(x, y, epochs=epochs)\n"


def _make_trials(*accuracies: float | None, seconds: float = 60.0) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            number,
            TrialState.MEASURED if accuracy is not None else TrialState.FAILED,
            {},
            20,
            measured(accuracy),
            seconds=seconds,
        )
        for number, accuracy in enumerate(accuracies, start=1)
    )


def _propose(content: bytes, trials: tuple[Trial, ...], settings: RetrainSettings) -> Proposal | GiveUp:
    script = parse_script(content)
    measured_trials = [trial for trial in trials if trial.accuracy]
    return next_trial(
        script,
        "keras",
        trials,
        settings,
        0.8,
        choose(script, measured_trials, {trial.number: Training(None) for trial in trials}),
    )


@pytest.mark.parametrize(
    ("trials", "epochs"),
    [
        (_make_trials(0.5), 30),
        (_make_trials(0.5, 0.6), 40),
        (_make_trials(0.5, None), 30),  # the second trial has no accuracy, so the same number of epochs is tried again
    ],
)
def test_each_trial_adds_a_step_of_epochs(trials: tuple[Trial, ...], epochs: int) -> None:
    """The number of epochs rises by ``epochs_step`` after each measured trial."""
    proposal = _propose(_SCRIPT, trials, RetrainSettings())
    assert isinstance(proposal, Proposal)
    assert {constant.name: value for constant, value in proposal.changes.items()} == {"epochs": epochs}


@pytest.mark.parametrize(
    ("script", "trials", "settings", "reason", "remedy"),
    [
        (
            b"model.fit(x, y, epochs=count())\n",
            _make_trials(0.5),
            RetrainSettings(),
            Reason.NO_EPOCHS,
            "fit(epochs=20)",
        ),
        (
            _SCRIPT,
            _make_trials(0.5, 0.6, 0.7),
            RetrainSettings(max_trials=3),
            Reason.MAX_TRIALS,
            "Raise [retrain] max_trials",
        ),
        (
            _SCRIPT,
            _make_trials(0.5, 0.6),
            RetrainSettings(max_minutes=2),
            Reason.MAX_MINUTES,
            "Raise [retrain] max_minutes",
        ),
        (
            _SCRIPT,
            _make_trials(0.5, seconds=3.6),
            RetrainSettings(max_minutes=0.05),
            Reason.MAX_MINUTES,
            "Training took 0.06 min, and max_minutes = 0.05 allows no more.",
        ),
        (
            _SCRIPT,
            _make_trials(0.5, 0.6),
            RetrainSettings(max_epochs=39),
            Reason.MAX_EPOCHS,
            "Raise [retrain] max_epochs",
        ),
        (
            _SCRIPT,
            _make_trials(0.6, 0.5, 0.6),
            RetrainSettings(patience=2),
            Reason.NO_IMPROVEMENT,
            "raise [retrain] patience",
        ),
    ],
)
def test_used_up_budget_ends_the_trials_with_a_reason(
    script: bytes, trials: tuple[Trial, ...], settings: RetrainSettings, reason: Reason, remedy: str
) -> None:
    """Each limit ends the run, and so does a script without epochs to raise. The explanation says what to do."""
    proposal = _propose(script, trials, settings)
    assert isinstance(proposal, GiveUp)
    assert proposal.reason is reason
    assert remedy in proposal.explanation


def test_trials_that_only_answer_the_most_frequent_label_are_explained() -> None:
    """More patience would not help, so the explanation names the label and says what to check."""
    accuracy = measured(0.96, samples=500, evidence=Evidence(chance=0.96, answer="0"))
    trials = tuple(replace(trial, accuracy=accuracy) for trial in _make_trials(0.96, 0.96, 0.96))
    proposal = _propose(_SCRIPT, trials, RetrainSettings(patience=2))
    assert isinstance(proposal, GiveUp)
    assert proposal.reason is Reason.NO_IMPROVEMENT
    explanation = advise_at_chance(proposal, trials).explanation
    assert (
        "Always answering '0' would be at least as accurate. Check that each row still has its own label" in explanation
    )
    sorted_rows = replace(accuracy, evidence=Evidence(chance=0.96, answer="0", new_labels=0.906))
    assert advise_at_chance(proposal, [replace(trial, accuracy=sorted_rows) for trial in trials]).remedy == (
        "90.6% of the test rows have a label that no training row has; split the data so that both parts contain every class."
    )
    better = tuple(replace(trial, accuracy=replace(accuracy, value=0.98)) for trial in trials)
    assert advise_at_chance(proposal, better) == proposal
    alike = tuple(replace(trial, accuracy=replace(accuracy, value=0.97)) for trial in trials)
    explanation = advise_at_chance(proposal, alike).explanation
    assert (
        "The best accuracy is not clearly better than that of always answering '0' (0.960). Check that each row"
        in explanation
    )
    stopped = GiveUp(Reason.STOPS_ITSELF, "A callback stopped training.", "Raise its patience.", " To search, add x.")
    explanation = advise_at_chance(stopped, trials).explanation
    assert "at least as accurate. Raise its patience. Also check that each row" in explanation
    assert explanation.endswith("the inputs are scaled. To search, add x.")
    too_few = GiveUp(Reason.TOO_FEW_SAMPLES, "The test set is too small.", "Test on more samples.")
    assert advise_at_chance(too_few, trials) == too_few


def test_search_is_offered_if_there_are_no_epochs_to_raise() -> None:
    """The suggested [search] section fits the script and can be copied as it is."""
    script = b"import sklearn\nKNeighborsClassifier(n_neighbors=8).fit(x, y)\n"
    proposal = _propose(script, _make_trials(0.5), RetrainSettings())
    assert isinstance(proposal, GiveUp)
    assert proposal.explanation.endswith(
        "add this to epochal.toml:\n[search]\nn_neighbors = { low = 2, high = 32, log = true }"
    )


def test_constants_are_advised_if_nothing_can_be_searched() -> None:
    """Advice to write constants would be misleading beside a suggested search."""
    proposal = _propose(b"import sklearn\nmodel.fit(x, y)\n", _make_trials(0.5), RetrainSettings())
    assert isinstance(proposal, GiveUp)
    assert (
        proposal.search
        == " To make a search possible, write each hyperparameter as a constant, as in learning_rate = 0.01."
    )


@pytest.mark.parametrize(
    ("framework", "remedy"),
    [
        ("keras", "fit(epochs=20)"),
        ("sklearn", "MLPClassifier(max_iter=50)"),
        ("torch", "for epoch in range(epochs)"),
        ("xgboost", "n_estimators=epochs"),
    ],
)
def test_remedy_without_epochs_depends_on_the_framework(framework: str, remedy: str) -> None:
    """fit(epochs=20) would be an error in scikit-learn."""
    script = parse_script(b"model.fit(x, y)\n")
    proposal = next_trial(script, framework, _make_trials(0.5), RetrainSettings(), 0.8, choose(script, [], {}))
    assert isinstance(proposal, GiveUp)
    assert remedy in proposal.remedy


@pytest.mark.parametrize(
    ("trials", "settings"),
    [
        (_make_trials(0.5, 0.6), RetrainSettings(max_trials=3)),
        (_make_trials(0.5, seconds=119.0), RetrainSettings(max_minutes=2)),
        (_make_trials(0.5, 0.6), RetrainSettings(max_epochs=40)),
        (_make_trials(0.5, 0.6, 0.6), RetrainSettings(patience=2)),
    ],
)
def test_trials_continue_up_to_the_limits_of_the_budget(trials: tuple[Trial, ...], settings: RetrainSettings) -> None:
    """The run goes on as long as the next trial stays within every limit."""
    assert isinstance(_propose(_SCRIPT, trials, settings), Proposal)


def test_hopeless_forecast_ends_the_trials() -> None:
    """Only the forecast of the last measured trial counts."""
    first, second = _make_trials(0.5, 0.6)
    hopeless = Forecast(0.8, 200, level=0.61, margin=0.02, hopeless=True)
    proposal = _propose(_SCRIPT, (first, replace(second, forecast=hopeless)), RetrainSettings())
    assert proposal == GiveUp(
        Reason.LEVELS_OFF, "The accuracy levels off at 0.61 ± 0.02 and will not reach 0.80, even with more epochs."
    )
    for trials in ((replace(first, forecast=hopeless), second), (first, replace(second, forecast=Forecast(0.8, 200)))):
        assert isinstance(_propose(_SCRIPT, trials, RetrainSettings()), Proposal)
