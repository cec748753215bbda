"""What the message says about a model whose weights became NaN, depending on the training rows."""

import json
from typing import Any

import pytest

from epochal.results.divergence import parse_divergence

_EVENT: dict[str, Any] = {
    "event": "diverged",
    "model": 1,
    "call": 1,
    "epoch": 1,
    "epochs": 10,
    "nonfinite": {"x": 1347, "y": 0},
    "rows": 1347,
    "columns": [0, 32, 39],
    "nan": True,
    "optimizer": "Adam",
    "learning_rate": 0.001,
    "default_rate": 0.001,
    "clipped": False,
    "own_code": False,
    "largest_input": 1.0,
    "scales": False,
}
_FINITE: dict[str, Any] = {"nonfinite": {"x": 0, "y": 0}, "columns": [], "nan": False}


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            {},
            "The inputs of all training rows contain NaN in columns 0, 32 and 39 (counted from 0): correct the code that computes "
            "them (perhaps a constant column is divided by its standard deviation, which is 0).",
        ),
        (
            {"columns": list(range(20)), "nan": False},
            "The inputs of all training rows contain infinity: correct the code that computes them (perhaps the logarithm of 0 "
            "is taken).",
        ),
        (
            {"nonfinite": {"x": 2, "y": 0}, "columns": [7]},
            "The inputs of 2 of 1347 training rows contain NaN in column 7 (counted from 0): correct or remove these "
            "rows.",
        ),
        (
            {"nonfinite": {"x": 0, "y": 3}},
            "The labels of 3 of 1347 training rows contain NaN or infinity: correct or remove these rows.",
        ),
        (
            {"nonfinite": {"x": 0, "y": 1347}},
            "The labels of all training rows contain NaN or infinity: correct these rows.",
        ),
        (
            _FINITE | {"learning_rate": 0.0010000000474974513},
            "Clip the gradients with Adam(…, clipnorm=1.0).",
        ),
        (
            _FINITE | {"largest_input": 1600.0},
            "Scale the inputs, which are as large as 1600, to the range from -1 to 1.",
        ),
        (_FINITE | {"largest_input": 1600.0, "scales": True}, "Clip the gradients with Adam(…, clipnorm=1.0)."),
        (
            _FINITE | {"learning_rate": 0.0010000000474974513, "own_code": True},
            "To find the operation that produces NaN or infinity, such as the logarithm of 0 or a division by 0, call "
            "tf.debugging.enable_check_numerics() before training.",
        ),
        (
            _FINITE | {"learning_rate": 0.0020000000949949026},
            "Lower the learning rate of Adam (currently 0.002); Keras' default is 0.001.",
        ),
    ],
)
def test_remedy_fits_the_cause(changes: dict[str, Any], remedy: str) -> None:
    """The remedy is never to remove all rows, and the message does not mention the loss, which may be finite.

    Keras' learning rates are 32-bit floats, and so may be slightly above the default that they equal.
    """
    divergence = parse_divergence(json.dumps(_EVENT | changes))
    assert divergence
    assert divergence.explanation == (
        f"The weights have been NaN or infinite since epoch 1 of 10, so more epochs would not help. {remedy}"
    )
