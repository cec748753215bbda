"""How many epochs a script really trained, according to what the recorder observed or the script printed."""

import json
from collections.abc import Mapping

import pytest

from epochal.results.epochs import TrainedEpochs, count_epochs


def _record(*events: Mapping[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def _record_fit(call: int, epochs: int, continued: int = 0) -> list[dict[str, object]]:
    fit = {"model": 1, "call": call, "epochs": epochs}
    history = {"loss": [1.0] * continued}
    trained = [
        {"event": "epoch", **fit, "epoch": number, "seconds": 0.1, "metrics": {"loss": 1.0}}
        for number in range(continued + 1, epochs + 1)
    ]
    return [{"event": "fit", **fit, "continued": continued, "why": "", "history": history}, *trained]


def test_epochs_of_all_fits_count() -> None:
    """Epochs before a checkpoint count, too. A script may train all epochs in one fit, or one in each of many fits."""
    recorded = _record(*_record_fit(1, 3), *_record_fit(2, 10, continued=4))
    assert count_epochs(recorded, "Epoch 1/90") == TrainedEpochs(13, frozenset({3, 10, 13}), is_asked=True)


def test_iterations_of_scikit_learn_count() -> None:
    """An estimator has converged if it stopped before its limit of iterations."""
    short, full = ({"event": "iterations", "trained": number, "limit": 50} for number in (20, 50))
    assert count_epochs(_record(short, full), "") == TrainedEpochs(70, frozenset({50}), are_iterations=True)
    assert count_epochs(_record(short), "") == TrainedEpochs(20, frozenset({50}), are_iterations=True, converged=True)
    assert count_epochs(_record({"event": "iterations", "trained": "many"}), "") is None


@pytest.mark.parametrize(
    ("lines", "total"),
    [
        (["Epoch 1/3", "loss 0.5", "Epoch 2/3", "Epoch 3/3"], 3),
        (["Epoch [1/3], Loss: 0.5", "Epoch [2/3], Loss: 0.4", "Epoch [3/3], Loss: 0.3"], 3),
        (["Epoch: 0 loss 0.5", "Epoch: 1 loss 0.5", "Epoch: 2 loss 0.5"], 3),
        (["epoch=001 loss=0.5", "epoch=002 loss=0.4"], 2),
        (["Train Epoch: 1 [0/60000 (0%)]", "Train Epoch: 1 [640/60000 (1%)]", "Train Epoch: 2 [0/60000 (0%)]"], 2),
        (["[Epoch 1] loss 0.5", "[Epoch 2] loss 0.5"], 2),
        (["2026-11-27 11:02:55 INFO train: epoch 1 of 2", "2026-11-27 11:02:56 INFO train: epoch 2 of 2"], 2),
        (["Epoch 0:  50%|#####     | 5/10\rEpoch 0: 100%|##########|", "Epoch 1: 100%|##########|"], 2),
        (["Epoch 3/3"], 3),  # only the last part of the log is left
        (["Epoch 0 loss 0.5", "Epoch 10 loss 0.4"], None),  # not every epoch is printed
        (["Epoch 0 loss 0.5"], None),
        (["best epoch: 1", "best epoch: 2"], None),
        (["The epoch 1.5 is no number", "in epochs 1 to 2"], None),
        ([], None),
    ],
)
def test_printed_epochs_count_where_none_are_observed(lines: list[str], total: int | None) -> None:
    """Printed epochs count if the script prints each of them, or their total."""
    counted = count_epochs("", "\n".join(lines))
    assert (counted.total if counted else None) == total
