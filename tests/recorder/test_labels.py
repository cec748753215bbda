"""What the recorder knows about labels that arrive in batches."""

import sys

import numpy as np

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # where Python finds the recorder in a training run

from epochal_recorder.labels import Labels


def test_one_unreadable_batch_makes_all_labels_unknown() -> None:
    """The batches before and after the unreadable one do not contain all the labels."""
    labels = Labels()
    for batch in (np.array([0, 1, 1]), [[1, 2], [3]], np.array([1, 0])):
        labels.add(batch)
    assert labels.kind == "unknown"
