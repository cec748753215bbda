"""The verdict that each case must get: the state, reason and numbers that ``epochal run --json`` prints.

README.md gives the reasons. The numbers were measured by running nn.py without Epochal. If only a message can be wrong,
the case lists facts that the message must contain (a file, a package, a line), but not its wording.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

View = Mapping[str, Any]
"""A run as ``epochal run --json`` prints it."""
Check = Callable[[View], None]


@dataclass(frozen=True)
class Case:
    """A case, with a check that asserts that its verdict for ``threshold`` is right.

    max_trials: replaces the setting in the case's epochal.toml; None leaves it unchanged.
    metric: the metric to name in its epochal.toml, if not empty.
    server: the text of server.toml.
    folder: the case's folder, if it differs from its name.
    needs: ``docker``, ``torch``, or ``large`` if the case downloads gigabytes.
    """

    threshold: float
    check: Check
    max_trials: int | None = None
    metric: str = ""
    server: str = ""
    runtime: str = "process"
    folder: str = ""
    needs: str = ""


def get_trial(view: View, number: int) -> Mapping[str, Any]:
    """Return a trial of the run by its number, counted from 1."""
    assert len(view["trials"]) >= number, view["explanation"]
    trial: Mapping[str, Any] = view["trials"][number - 1]
    return trial


def count_epochs(trial: Mapping[str, Any]) -> int:
    """Return the number of epochs behind a trial's accuracy; 0 if it is not known."""
    return (trial["epochs_trained"] or 0) + int(trial["epochs_resumed"])


def check_refused(view: View) -> None:
    """Assert that no number was accepted as an accuracy, and that the run ended after its first trial."""
    assert (view["state"], view["reason"]) == ("failed", "no_accuracy")
    assert len(view["trials"]) == 1
    assert view["accuracy"] is None


def check_not_reached(view: View) -> None:
    """Assert that no trial reached the threshold: the trials were used up, or there was no accuracy."""
    assert view["state"] == "exhausted" or (view["state"], view["reason"]) == ("failed", "no_accuracy")
    assert all(trial["judgement"]["verdict"] == "below" for trial in view["trials"] if trial["judgement"])


def check_starts_afresh(view: View) -> None:
    """Assert that noise did not reach the threshold, and that no trial resumed from an earlier one."""
    check_not_reached(view)
    assert len(view["trials"]) > 1
    assert all(trial["epochs_resumed"] == 0 for trial in view["trials"])
    assert all(trial["resumption"] for trial in view["trials"][1:])
    check_at_chance(view)


def check_at_chance(view: View) -> None:
    """Assert that each accuracy is about that of guessing one of two equally frequent classes on 100 or more rows."""
    assert all(0.3 < trial["accuracy"] < 0.7 for trial in view["trials"] if trial["accuracy"] is not None)


def check_stays_at_chance(view: View) -> None:
    """Assert that a sound script was judged on data without a signal, and did not reach the threshold."""
    assert view["state"] == "exhausted"
    assert len(view["trials"]) > 1
    assert all(trial["accuracy"] is not None for trial in view["trials"])
    check_at_chance(view)


def expect_accuracy(accuracy: float, state: str, trials: int = 1, within: float = 0.0025, source: str = "") -> Check:
    """Return a check that trial 1 had this ``accuracy`` and that the run ended in ``state`` after ``trials`` trials."""

    def check(view: View) -> None:
        first = get_trial(view, 1)
        assert first["accuracy"] == pytest.approx(accuracy, abs=within)
        assert (view["state"], len(view["trials"])) == (state, trials)
        assert source in ("", first["accuracy_source"])

    return check


def expect_epochs(epochs: int, name: str = "", *, counted: bool = True) -> Check:
    """Return a check that trial 2 was trained for ``epochs`` epochs, as its hyperparameter ``name`` says.

    ``counted``: whether the number of epochs actually trained is known, as with Keras.
    """

    def check(view: View) -> None:
        second = get_trial(view, 2)
        assert second["state"] == "measured"
        assert epochs in second["hyperparameters"].values()
        assert not name or second["hyperparameters"] == {name: epochs}
        assert count_epochs(second) == (epochs if counted else 0)

    return check


def expect_losses(*losses: float) -> Check:
    """Return a check that the last losses of trial 2 match those of uninterrupted training."""

    def check(view: View) -> None:
        assert get_trial(view, 2)["state"] == "measured"
        log = Path(view["folder"], "trials/2/train.log").read_text(encoding="utf-8")
        printed = [line for line in log.splitlines() if line.startswith("LOSSES ")][-1]
        last = [float(loss) for loss in printed.removeprefix("LOSSES ").strip("[]").split(",")][-len(losses) :]
        assert last == pytest.approx(losses, abs=0.001)

    return check


def expect_failure(*facts: str, reason: str = "") -> Check:
    """Return a check that the run failed by the end of its first trial, with all ``facts`` in its explanation."""

    def check(view: View) -> None:
        assert view["state"] == "failed"
        assert reason in ("", view["reason"])
        assert len(view["trials"]) <= 1
        assert [fact for fact in facts if fact not in view["explanation"]] == []

    return check


def expect_note(check: Check, *facts: str) -> Check:
    """Return ``check`` with the additional assertion that one of the run's notes contains all ``facts``."""

    def check_with_note(view: View) -> None:
        check(view)
        assert any(all(fact in note for fact in facts) for note in view["notes"])

    return check_with_note


def _check_onehot(view: View) -> None:
    check_not_reached(view)
    accuracies = [trial["accuracy"] for trial in view["trials"] if trial["accuracy"] is not None]
    assert all(accuracy < 0.2 for accuracy in accuracies)  # 450 rows of ten classes


def _check_imbalanced(view: View) -> None:
    assert view["state"] == "exhausted"
    assert get_trial(view, 1)["chance"] == pytest.approx(0.944)
    assert all(trial["accuracy"] < 0.95 and trial["judgement"]["verdict"] == "below" for trial in view["trials"])


def _check_seeds(view: View) -> None:
    assert view["state"] == "exhausted"
    assert get_trial(view, 1)["accuracy"] == pytest.approx(0.717, abs=0.06)  # the best of 150 models on 60 rows
    assert get_trial(view, 1)["judgement"]["look"] >= 150


def _check_swapped(view: View) -> None:
    assert view["state"] == "exhausted"
    assert [trial["judgement"]["look"] for trial in view["trials"]] == [1, 2, 3]


def _check_unread_line(view: View) -> None:
    check_not_reached(view)
    if view["accuracy"] is None:
        assert "Accuracy on the noisy test images of the field: 0." in view["explanation"]
    else:
        assert get_trial(view, 1)["accuracy"] == pytest.approx(0.558, abs=0.02)


def _check_cosine(view: View) -> None:
    second = get_trial(view, 2)
    assert second["epochs_resumed"] == 0
    assert second["epochs_trained"] == 16
    assert second["accuracy"] == pytest.approx(0.84, abs=0.025)


def _check_second_trial_measured(view: View) -> None:
    assert get_trial(view, 2)["state"] == "measured"


def _check_reached_by_retraining(view: View) -> None:
    assert view["state"] == "reached"
    assert len(view["trials"]) > 1


def _check_nan_loss(view: View) -> None:
    assert view["state"] in ("failed", "exhausted")
    assert view["reason"] != "no_improvement"
    assert all(trial["epochs_resumed"] == 0 for trial in view["trials"])


def _check_best_model(view: View) -> None:
    _check_second_trial_measured(view)
    assert get_trial(view, 2)["accuracy"] == pytest.approx(0.96, abs=0.01)


def _check_swallowed(view: View) -> None:
    assert view["state"] != "reached"
    assert len(view["trials"]) == 1
    assert "ValueError" in view["explanation"]


def _check_several_outputs(view: View) -> None:
    check_refused(view)
    assert {"aux_accuracy", "main_accuracy"} <= {word.strip("',.\"") for word in view["explanation"].split()}


def _check_one_output(view: View) -> None:
    assert view["state"] == "exhausted"
    assert all(0.51 <= (trial["accuracy"] or 0) for trial in view["trials"])


def _check_chained(view: View) -> None:
    expect_epochs(20, "epochs")(view)
    copy = Path(view["folder"], "trials/2/code/nn.py").read_text(encoding="utf-8")
    names: dict[str, int] = {}
    exec(next(line for line in copy.splitlines() if "batch_size =" in line and "fit" not in line), names)
    assert names["batch_size"] == 10


def _check_own_gate(view: View) -> None:
    assert get_trial(view, 1)["accuracy"] == pytest.approx(0.591, abs=0.0025)
    assert len(view["trials"]) > 1


def _check_measured(view: View) -> None:
    assert view["state"] == "exhausted"
    assert all(trial["state"] == "measured" for trial in view["trials"])


def _check_hydra(view: View) -> None:
    """Assert that a note says which hydra-core was installed and why. It lacks what nn.py uses, so the run fails."""
    assert view["state"] == "failed"
    (note,) = [note for note in view["notes"] if "hydra-core" in note]
    assert "0.11.3" in note
    assert "antlr4-python3-runtime" in note
    assert "packages" in note


SECTION_A: dict[str, Case] = {
    "tfdata_unseeded_split": Case(0.80, check_starts_afresh, max_trials=3),
    "pydataset_unseeded_split": Case(0.80, check_starts_afresh, max_trials=2),
    "imagedatagenerator_unseeded_split": Case(0.80, check_starts_afresh, max_trials=2),
    "control_arrays_unseeded": Case(0.80, check_starts_afresh, max_trials=2),
    "evaluate_on_training_data": Case(0.80, check_refused, max_trials=2),
    "test_then_train": Case(0.97, expect_accuracy(0.93, "exhausted"), max_trials=1),
    "shuffle_take_skip": Case(0.8, check_refused, max_trials=2),
    "sample_twice": Case(0.8, check_refused, max_trials=2),
    "oversample_before_split": Case(0.8, check_refused, max_trials=2),
    "validates_on_training": Case(0.8, check_refused, max_trials=2),
    "imbalanced_noise": Case(0.8, _check_imbalanced, max_trials=2),
    "onehot_binary_accuracy": Case(0.8, _check_onehot, max_trials=2),
    "r2_as_accuracy": Case(0.4, check_refused, max_trials=2),
    "regression_accuracy": Case(0.8, check_refused, max_trials=2),
    "champion": Case(0.9, expect_accuracy(0.371, "exhausted", source="evaluate"), max_trials=1),
    "features_then_svm": Case(0.9, expect_accuracy(0.9111, "reached")),
    "seeds_on_test": Case(0.5, _check_seeds, max_trials=1),
    "swapped_confidence": Case(0.75, _check_swapped, max_trials=3),
    "log_cut": Case(0.8, expect_accuracy(0.17, "exhausted", source="output"), max_trials=1),
    "unread_line_val_taken": Case(0.8, _check_unread_line, max_trials=1),
    "kfold_fresh": Case(0.8, check_stays_at_chance, max_trials=2),
    "refit_on_all": Case(0.8, check_stays_at_chance, max_trials=2),
}
"""``unseeded_split_across_runs`` has three commits, and so its own test."""

SECTION_B: dict[str, Case] = {
    "cosine_schedule_callback": Case(0.999, _check_cosine),
    "plot_over_range_epochs": Case(0.80, _check_reached_by_retraining),
    "checkpoint_in_tmp": Case(0.999, _check_second_trial_measured, runtime="docker", max_trials=2, needs="docker"),
    "nan_loss": Case(0.999, _check_nan_loss),
    "resume_ema": Case(0.999, expect_losses(0.105457, 0.085831, 0.071761, 0.061116)),
    "resume_cosine_class": Case(0.9999, expect_losses(0.1173, 0.1064, 0.1002, 0.0932)),
    "best_model_beside_images": Case(0.9999, _check_best_model),
    "swallowed_error": Case(0.5, _check_swallowed, max_trials=2),
}
"""``external_data`` has two commits, and so its own test."""

_TORCH = '[images]\ntorch_index = "pypi"\n'
"""The settings of the environment that the fixture ``torch_python`` makes."""

SECTION_C: dict[str, Case] = {
    "percent_without_sign": Case(0.80, check_refused),
    "several_outputs": Case(0.999, _check_several_outputs),
    "several_outputs_chosen": Case(0.999, _check_one_output, folder="several_outputs", metric="main_accuracy"),
    "kfold": Case(0.999, expect_note(expect_accuracy(0.592, "exhausted", 2, within=0.02), "accuracy.json")),
    "loop_of_fits": Case(0.999, expect_epochs(14, "epochs")),
    "tensorboard_callback": Case(0.999, _check_measured),
    "constant_that_never_reaches_fit": Case(0.999, expect_epochs(13)),
    "debug_switch": Case(0.999, expect_epochs(12), max_trials=2),
    "argparse_default": Case(0.999, expect_epochs(13)),
    "local_in_main": Case(0.999, expect_epochs(13, "epochs")),
    "chained_assignment": Case(0.999, _check_chained),
    "metric_named_bin_acc": Case(0.999, _check_measured),
    "input_prompt": Case(0.999, expect_failure("input()")),
    "shape_error": Case(0.90, expect_failure("line 6", "(None, 3)")),
    "error_in_layer_call": Case(0.90, expect_failure("nosuchfunction", "line 6")),
    "pytorch_accuracy_line": Case(0.99, _check_measured, max_trials=1, server=_TORCH, needs="torch"),
    "jax_accuracy_line": Case(0.999, expect_accuracy(0.99, "exhausted", 2, within=0.01)),
    "classification_report": Case(0.95, expect_accuracy(0.82, "exhausted", 2, within=0.015)),
    "cross_val_score": Case(0.95, expect_accuracy(0.96, "reached", within=0.005)),
    "mlp_max_iter": Case(0.99, expect_epochs(15, "max_iter", counted=False)),
    "env_epochs": Case(0.99, expect_epochs(12)),
    "decimal_comma": Case(0.5, expect_accuracy(0.836, "reached")),
    "fullwidth_colon": Case(0.5, expect_accuracy(0.8356, "reached")),
    "metrics_file": Case(0.5, expect_accuracy(0.5911, "reached")),
    "validation_freq": Case(0.5, expect_accuracy(0.904, "reached")),
    "zero_test": Case(0.5, expect_failure("line 15", "no samples", reason="no_accuracy")),
    "own_gate": Case(0.9, expect_note(_check_own_gate, "line 17"), max_trials=2),
    "thread_stays": Case(0.5, expect_accuracy(0.591, "reached"), server="[limits]\nminutes = 0.7\n"),
    "pinned_tf215": Case(
        0.95, expect_note(expect_accuracy(0.59, "exhausted", 2, within=0.1, source="evaluate")), needs="large"
    ),
    "hydra_old_wheel": Case(0.99, _check_hydra, max_trials=2),
    "hydra_built": Case(
        0.99,
        expect_epochs(12),
        max_trials=2,
        server='[sandbox]\npackages = "any"\n',
        folder="hydra_old_wheel",
    ),
    "requirements_pkg_resources": Case(0.5, expect_failure("pkg_resources", "setuptools<82")),
    "system_library": Case(0.5, expect_failure("PortAudio", "system")),
    "plot_model": Case(0.5, expect_failure("pydot", "graphviz")),
    "relative_import": Case(0.5, expect_failure("from model import build")),
    "tkagg": Case(0.5, expect_failure('matplotlib.use("TkAgg")')),
    "wandb_nokey": Case(0.5, expect_accuracy(0.591, "reached")),
    "comet_nokey": Case(0.5, expect_accuracy(0.7756, "reached")),
    "xgboost_train": Case(0.9999, expect_epochs(18, "num_boost_round", counted=False), max_trials=2),
    "lightgbm_classifier": Case(
        0.9999, expect_epochs(22, "n_estimators", counted=False), max_trials=2, runtime="docker", needs="docker"
    ),
    "jax_flax": Case(0.9999, expect_epochs(13, "epochs", counted=False), max_trials=2, runtime="docker", needs="docker"),
    "nltk_missing": Case(0.5, expect_failure("punkt_tab")),
    "memory_growth": Case(0.5, expect_failure("GPU")),
    "data_ignored": Case(0.5, expect_failure("data/train.csv.dvc", "data/.gitignore")),
}

RIGHT = frozenset(
    {
        "argparse_default",
        "best_model_beside_images",
        "chained_assignment",
        "classification_report",
        "checkpoint_in_tmp",
        "comet_nokey",
        "constant_that_never_reaches_fit",
        "cosine_schedule_callback",
        "cross_val_score",
        "data_ignored",
        "debug_switch",
        "decimal_comma",
        "env_epochs",
        "error_in_layer_call",
        "fullwidth_colon",
        "hydra_built",
        "hydra_old_wheel",
        "input_prompt",
        "jax_accuracy_line",
        "jax_flax",
        "kfold",
        "lightgbm_classifier",
        "local_in_main",
        "loop_of_fits",
        "memory_growth",
        "metric_named_bin_acc",
        "metrics_file",
        "mlp_max_iter",
        "nan_loss",
        "nltk_missing",
        "own_gate",
        "percent_without_sign",
        "pinned_tf215",
        "plot_model",
        "plot_over_range_epochs",
        "pytorch_accuracy_line",
        "relative_import",
        "requirements_pkg_resources",
        "resume_cosine_class",
        "resume_ema",
        "several_outputs",
        "several_outputs_chosen",
        "shape_error",
        "swallowed_error",
        "system_library",
        "tensorboard_callback",
        "thread_stays",
        "tkagg",
        "validation_freq",
        "wandb_nokey",
        "xgboost_train",
        "zero_test",
    }
)
"""The cases of sections B and C with the right verdict. The others must fail until they are added here."""
