"""What is known of labels that come batch by batch."""

import sys

import numpy as np

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # the training's Python finds it there

from epochal_recorder.labels import Labels


def test_labels_that_cannot_be_read_are_not_known() -> None:
    """Neither are all of them together, whatever came before and after."""
    labels = Labels()
    for batch in (np.array([0, 1, 1]), [[1, 2], [3]], np.array([1, 0])):
        labels.add(batch)
    assert labels.kind == "unknown"
