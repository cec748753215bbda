"""Which printed lines state an accuracy, which of those cannot be read, and which lines do not matter."""

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.results.printed import PrintedAccuracy, PrintedLines
from tests.printing import printed

# As Keras 3.15 prints on a terminal: colours, backspaces and a carriage return between two states of one line.
_TERMINAL = (
    "\r\x1b[1m1/5\x1b[0m \x1b[32m━━\x1b[0m\x1b[37m━━\x1b[0m \x1b[1m2s\x1b[0m 650ms/step - accuracy: 0.59 - loss: 0.66"
    + "\b" * 45
    + "\r\x1b[1m5/5\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m1s\x1b[0m 59ms/step - accuracy: 0.58 - loss: 0.67\r\n"
)


@pytest.mark.parametrize(
    ("log", "value"),
    [
        ("Test accuracy: 0.83", 0.83),
        ("Test accuracy: 83.2%", 0.832),
        ("Test accuracy: 83.2 %", 0.832),
        ("Test accuracy: 8.5e-05", 8.5e-05),
        ("Test accuracy: 0.83.", 0.83),
        ("Test accuracy: 1", 1.0),
        ("accuracy=0.83", 0.83),
        ("test_accuracy = .83", 0.83),
        ("TEST ACC: 0.83", 0.83),
        ("{'test_accuracy': 0.83}", 0.83),
        ("Test accuracy: tensor(0.8300)", 0.83),
        ("Final test accuracy: 0.83", 0.83),
        ("Test loss: 0.5, test accuracy: 0.83", 0.83),
        ("Test loss: 0.5 - test accuracy: 0.83", 0.83),
        ("2026-01-02 10:11:12,123 - INFO - Test accuracy: 0.83", 0.83),
        ("100%|████| 10/10 [00:01<00:00, 9.5it/s]Test accuracy: 0.83", 0.83),
        ("Train accuracy: 0.99, test accuracy: 0.83", 0.83),
        ("Test accuracy: 0.83 (target test accuracy: 0.9)", 0.83),
        ("2024-01-01 10:00:00 INFO Test accuracy: 0.83", 0.83),
        ("INFO:root:Test accuracy: 0.83", 0.83),
        ("[INFO] Test accuracy: 0.83", 0.83),
        ("{'loss': 0.5, 'test_accuracy': 0.83}", 0.83),
        ("Test accuracy: 0.1, test accuracy: 0.83", 0.83),
        ("Test accuracy: 0.83\nGoal (test accuracy = 0.90) not reached", 0.83),
        ("Test accuracy: 0.83\nTarget: Test accuracy: 0.95", 0.83),
        ('Test accuracy: 0.83\n    print("Test accuracy: 0.99")', 0.83),
        ("Test accuracy: 0.8999999761581421", 0.8999999761581421),
        ("Test accuracy: 83.2", 0.832),
        ("Final test accuracy is about 93.8 percent of 450", 0.938),
        ("Accuracy 93.8% of 450", 0.938),
        ("Test accuracy: 83", 83.0),
        ("Test accuracy: 1e999", float("inf")),
        ("Test accuracy: 0.1\nTest accuracy: 0.83", 0.83),
        ("Test accuracy: 0.83\naccuracy: 0.1", 0.83),
        ("\x1b[32mTest accuracy: \x1b[1m0.83\x1b[0m\r\n", 0.83),
        ("Test accuracy: 0.1\rTest accuracy: 0.83\r", 0.83),
        (f"Test accuracy: 0.83\n{_TERMINAL}45/45 - 0s - 3ms/step - accuracy: 0.91 - loss: 0.3\n", 0.83),
    ],
)
def test_printed_accuracy_is_read(log: str, value: float) -> None:
    """The whole number is read, in any of the usual forms, and the last line counts."""
    test = printed(log).test
    assert test is not None
    assert (test.value, test.samples) == (value, None)


@pytest.mark.parametrize(
    ("log", "samples"),
    [
        ("Accuracy: 0.83 on 360 images", 360),
        ("Test accuracy: 0.8306 (299/360)", 360),
        ("Test accuracy: 83.1% (on 360 test samples)", 360),
        ("Test accuracy: 0.83 (25/360)", None),  # 25 of 360 is not 0.83, so this counts something else
        ("Test accuracy: 0.83 (0/0)", None),
        ("Test accuracy: 0.83 on 2 GPUs", None),
    ],
)
def test_printed_number_of_samples_is_read(log: str, samples: int | None) -> None:
    """A count after the accuracy is read if it can only be the number of samples."""
    test = printed(log).test
    assert test is not None
    assert test.samples == samples


@pytest.mark.parametrize(
    "log",
    [
        "",
        _TERMINAL,
        "45/45 ━━━━━━━━━━ 0s 2ms/step - accuracy: 0.91 - loss: 0.3",
        "45/45 - 0s - 3ms/step - accuracy: 0.91 - loss: 0.3",
        "45/45 [==============================] - 0s 2ms/step - loss: 0.3 - accuracy: 0.91",
        "1/Unknown 0s 2ms/step - accuracy: 0.91 - loss: 0.3",
        "45/45 - 0s - 3ms/step - loss: 0.3 - test_accuracy: 0.91",  # a metric of that name
        "accuracy: 0.91 - loss: 0.3",  # the log's first line, cut in the middle
        "Train accuracy: 0.99",
        "target test accuracy: 0.9",
        "pre-test accuracy: 0.9",
        "threshold accuracy: 0.9",
        "==== accuracy experiment 3 ====",
        "Test accuracy: 1.2.3",
        "Test accuracy: info",
        "Test accuracy: 8.5e-05x",
        "Test accuracy of 3 models",
    ],
)
def test_other_output_is_no_test_accuracy(log: str) -> None:
    """This includes Keras' progress output, other accuracies, banners and malformed numbers."""
    assert printed(log).test is None


@pytest.mark.parametrize(
    "line",
    [
        "Test accuracy: 83,123",  # a count or a percentage
        "Test accuracy: 0.83/0.91",
        "Test accuracy: [0.5, 0.83]",
        "fold accuracy 0.53",
        "Best accuracy: 0.97 at epoch 12",
        "loss 0.31 acc 0.91",
        "2024-01-01 10:00:00 INFO Accuracy of class 3: 0.54",
    ],
)
def test_unreadable_accuracy_line_is_kept(line: str) -> None:
    """The line is kept as printed, and no number is guessed."""
    lines = printed(f"Loading\n{line}\nSaved\n")
    assert lines.test is None
    assert lines.unparsed == line.strip()


@pytest.mark.parametrize(
    "line",
    [
        # of training or validation data
        "val_accuracy: 0.9",
        "Train accuracy: 0.99",
        "Training acc: 99.1%",
        "train_acc=0.99",
        "trainAcc 0.99",
        "validation accuracy 0.91",
        "Best val_accuracy So Far: 0.9124000072479248",
        "Accuracy on the training set: 0.99",
        "Accuracy: 0.99 on the training data",
        "Accuracy: 0.99 (train)",
        "accuracy: 0.99, val_accuracy: 0.9",
        "10-fold cross-validation accuracy: 0.95 (+/- 0.02)",
        "loss: 0.1, acc: 99%, val_loss: 0.2, val_acc: 91%",
        "{'accuracy': 0.91, 'loss': 0.3, 'val_accuracy': 0.9, 'val_loss': 0.31}",
        # Keras
        "Epoch 3: val_accuracy improved from 0.50000 to 0.60000, saving model to best.keras",
        "Epoch 00003: accuracy did not improve from 0.91000",
        "Epoch 3: accuracy improved from 0.50 to 0.60, saving model to model-acc0.60.keras",
        "/usr/lib/python3.11/site-packages/keras/src/callbacks/early_stopping.py:153: UserWarning: Early stopping "
        "conditioned on metric `accuracy` which is not available. Available metrics are: loss, acc",
        "45/45 ━━━━━━━━━━ 0s 2ms/step - accuracy: 0.91 - loss: 0.3",
        "45/45 - 0s - 3ms/step - bin_acc: 0.91 - loss: 0.3",
        " - 5s - loss: 0.3012 - acc: 0.9101",
        "accuracy: 0.91 - loss: 0.3",
        "60000/60000 [==============================] - 5s 80us/sample - loss: 0.2 - acc: 0.94",
        "│ acc_head (Dense)                │ (None, 10)             │         1,290 │",
        "{'accuracy': [0.5, 0.6], 'loss': [0.9, 0.8]}",
        # other libraries
        "[CV] END ............................. accuracy: (test=0.967) total time=   1.6s",
        "[CV 1/5] END C=1;, accuracy: (train=0.990, test=0.967) total time=   0.0s",
        "Epoch 5, loss 0.3, acc 0.91",
        "[  10/ 100] loss 0.31 acc 0.91",
        "Epoch 3:  40%|████      | 40/100 [00:01<00:02, 30.1it/s, loss=0.3, acc=0.91]",
        " 40%|████      | 40/100 [00:01<00:02, 30.1it/s, acc=0.91]",
        "/opt/venv/lib/python3.11/site-packages/acc/0.5/x.py:12: FutureWarning: `accuracy` is deprecated since 0.22",
        # no number that could be an accuracy
        "Test accuracy of 3 models",
        "==== accuracy experiment 3 ====",
        "Accuracy was computed in 0.53 s",
        "Test accuracy:",
        # other words, targets, file names, code
        "access 0.5, according to 0.3, package 0.22, accelerator: 0.1, accumulate 4.5",
        "target test accuracy: 0.9",
        "threshold accuracy: 0.9",
        "accuracy_threshold=0.9",
        "Goal (test accuracy = 0.90) not reached",
        "Chance accuracy: 0.1",
        "Saved runs/2024/acc_0.83/model.h5",
        "Saved weights_acc-0.83.h5",
        "metrics=['accuracy'], learning_rate=0.001",
        '    print("Test accuracy: 0.99")',
        '    warnings.warn("accuracy is 0.5")',
    ],
)
def test_lines_without_a_test_accuracy_are_ignored(line: str) -> None:
    """Frameworks' own output and accuracies on other data are not kept as unreadable lines, either."""
    lines = printed(f"{line}\n")
    assert (lines.test, lines.unparsed) == (None, None)


@pytest.mark.parametrize(
    ("output", "unparsed"),
    [
        ("Test accuracy: 1.2.3\nTest accuracy: 0.83\n", None),
        ("Test accuracy: 1.2.3\naccuracy: 0.83\n", None),
        ("Test accuracy: 0.83\nTest accuracy: 1.2.3\nTest accuracy: 1.2.4\n", "Test accuracy: 1.2.4"),
    ],
)
def test_unreadable_line_is_kept_only_after_the_readable_ones(output: str, unparsed: str | None) -> None:
    """An accuracy that is printed again in a readable form is not missing."""
    assert printed(output).unparsed == unparsed


def test_text_of_a_line_is_printable_and_short() -> None:
    """A shortened line still contains the number."""
    bar = "|" * 300
    lines = printed(
        f"\x1b[1mTest accuracy:\t0.5\x00\n  {bar} Test accuracy: 0.8 {bar}\n{bar} accuracy on test: 5.4.3\n"
    )
    plain, long = (each.text for each in lines.all_tests)
    assert plain == "Test accuracy: 0.5"
    assert len(long) == 200
    assert long.endswith("| Test accuracy: 0.8")
    assert lines.unparsed is not None
    assert len(lines.unparsed) == 200
    assert lines.unparsed.endswith("| accuracy on test: 5.4.3")


def test_time_of_a_line_is_that_of_its_last_piece() -> None:
    """A line break that arrives later, with the next line, does not change the time."""
    lines = PrintedLines()
    for at, chunk in enumerate([b"Test accu", b"racy: 0.8", b"", b"\nTest accuracy: 0.9"]):
        lines.feed(chunk, float(at))
    lines.close()
    assert lines.all_tests == [
        PrintedAccuracy(0.8, None, 1.0, "Test accuracy: 0.8", 0.8, logged="Test accuracy: 0.8"),
        PrintedAccuracy(0.9, None, 3.0, "Test accuracy: 0.9", 0.9, logged="Test accuracy: 0.9"),
    ]


def test_first_and_last_distinct_lines_are_kept() -> None:
    """Only the last of several equal lines counts, and lines that mention a test displace those that do not."""
    assert [each.value for each in printed("accuracy: 0.1\naccuracy: 0.2\naccuracy: 0.1\n").all_tests] == [0.2, 0.1]
    output = "accuracy: 0.1\n" + "".join(f"Test accuracy: 0.{number}\n" for number in range(10, 99)) + "Accuracy: 0.2\n"
    lines = printed(output)
    assert [each.value for each in lines.all_tests] == [0.1, 0.11, 0.12, 0.13, 0.14, 0.94, 0.95, 0.96, 0.97, 0.98]
    assert lines.test == lines.all_tests[-1]


_OUTPUT = (
    st.lists(
        st.sampled_from(
            ["Test accuracy", "accuracy", "Train acc", " on 360 test images", ": ", "=", "0.8", "83", "%", "e-", "."]
        )
        | st.sampled_from(["\r", "\b", "\n", " - ", "\x1b[1m", "（é）", "x" * 3000])
        | st.text(max_size=3)
    )
    .map("".join)
    .map(str.encode)
    | st.binary()
)


@given(_OUTPUT, st.data())
def test_output_may_arrive_in_any_pieces(output: bytes, data: st.DataObject) -> None:
    """It may be split within a character, an escape sequence or an overlong line."""
    cuts = data.draw(st.lists(st.integers(0, len(output))).map(sorted))
    whole, pieces = PrintedLines(), PrintedLines()
    whole.feed(output, 1.0)
    for start, end in pairwise([0, *cuts, len(output)]):
        pieces.feed(output[start:end], 1.0)
    for lines in (whole, pieces):
        lines.close()
    assert (pieces.all_tests, pieces.unparsed) == (whole.all_tests, whole.unparsed)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (f"Test accuracy: 0.5 {'x' * 9999}", 0.5),
        (f"{'.' * 9999}, test accuracy: 0.5", 0.5),
        (f"Test accuracy: 0.{'5' * 9999}", None),
        (f"pre-{'x' * 9999}Test accuracy: 0.5", None),
    ],
)
def test_both_ends_of_a_long_line_are_read(line: str, value: float | None) -> None:
    """The two ends are not joined into one number or word."""
    test = printed(line).test
    assert (test and test.value) == value


def test_endless_line_takes_little_memory() -> None:
    """Of 12 MB without a line break, only a small part is kept."""
    lines = PrintedLines()
    chunk = b"accuracy " * 7000
    tracemalloc.start()
    for at in range(200):
        lines.feed(chunk, float(at))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(chunk)


_LENGTHS = [2**power for power in range(2, 11)]
"""Lengths of lines, far below the length at which the middle is cut out."""


@pytest.mark.parametrize(
    "piece", ["1", " ", "-", ".", "\b", "a_", "target ", "Test accuracy: 1", "accuracy = 1 - ", "acc '] "]
)
def test_cost_of_a_long_line_is_limited(piece: str) -> None:
    """Twice the length takes about four times as long at most; once the middle is cut out, the time is linear.

    A pattern that backtracks more would keep the job busy for hours.
    """
    for form in ("Test accuracy: {0}x", "{0}accuracy: x", "{0} 5 accuracy {0}"):
        outputs = {length: form.format(piece * (length // len(piece))) for length in (*_LENGTHS, 200_000)}
        for length, double in pairwise(_LENGTHS):
            assert _costs_at_most(6, outputs[length], outputs[double]), (form, double)
        assert _costs_at_most(250, outputs[_LENGTHS[-1]], f"\n{outputs[200_000]}\n"), form


def _costs_at_most(factor: float, short: str, long: str) -> bool:
    """Return whether reading ``long`` takes at most ``factor`` times the processor time of ``short``, or a millisecond more.

    A comparison that fails is repeated, because other processes share the processor's caches.
    """
    return any(
        min(_measure(long) for _ in range(3)) <= factor * min(_measure(short) for _ in range(3)) + 0.001
        for _ in range(3)
    )


def _measure(output: str) -> float:
    """Return the seconds of processor time that this thread needs to read ``output``."""
    started = time.thread_time()
    printed(output)
    return time.thread_time() - started
