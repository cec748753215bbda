"""How often the check for test rows that were used in training is wrong, on simulated splits.

A clean split must not be refused, even if the data itself contains equal rows. Such data has few discrete columns, and
labels with or without noise; each split is also tried with an oversampled training part. A split must be refused if 6%
or more of its test rows were used in training, as long as that share exceeds four standard errors.

Usage: benchmarks/seen_rows.py [--quick] [--splits N] [--seed N]
"""

import argparse
import sys
from typing import Any

import numpy as np
from bench import QUICK, RECORDER, describe_machine, print_table

sys.path.insert(0, str(RECORDER))  # where Python finds it during training

from epochal_recorder.fitted_rows import FittedRows, compare
from epochal_recorder.rows import hash_labels, hash_rows, with_labels

SPLITS = 40 if QUICK else 400
LEAKS = (0.06, 0.1, 0.3, 1.0)
TEST_ROWS = (100, 400, 1_000, 4_000)

Rows = tuple[Any, Any]


def is_refused(train: Rows, test: Rows) -> bool:
    """Return whether a test on ``test`` is refused for a model that was fitted on ``train``."""
    fitted = FittedRows("")
    fitted.add(hash_rows(train[0]), train[1], train[0])
    fitted.end_pass()
    labels = hash_labels(test[1])
    return bool(compare(with_labels(hash_rows(test[0]), labels), labels, [fitted])["refused"])


def draw_discrete_rows(random: np.random.Generator) -> Rows:
    """Draw rows of 2 to 8 columns with 2 to 7 values each, and labels that depend on them with more or less noise."""
    count, columns, levels = (
        random.choice([300, 600, 1_000, 2_000, 5_000, 20_000]),
        random.integers(2, 9),
        random.integers(2, 8),
    )
    shares = random.dirichlet(np.full(levels, random.choice([0.5, 1, 5])), columns)
    x = np.stack([random.choice(levels, count, p=share) for share in shares], axis=1)
    score = x @ random.normal(size=columns)
    score = score + random.choice([0, 0.3, 1, 10]) * score.std() * random.normal(size=count)
    return x, (score > np.quantile(score, random.choice([0.5, 0.8]))).astype(int)


def split(random: np.random.Generator, rows: Rows) -> tuple[Rows, Rows]:
    """Split rows at random."""
    order = random.permutation(len(rows[0]))
    first, last = np.split(order, [int(len(order) * random.choice([0.5, 0.7, 0.75, 0.8, 0.9]))])
    return (rows[0][first], rows[1][first]), (rows[0][last], rows[1][last])


def oversample(random: np.random.Generator, rows: Rows) -> Rows:
    """Return the rows, with enough copies of the rarer class to balance the classes."""
    rare = np.flatnonzero(rows[1] == np.bincount(rows[1], minlength=2).argmin())
    if not len(rare):
        return rows
    copies = random.choice(rare, max(0, len(rows[1]) - 2 * len(rare)))
    return np.concatenate([rows[0], rows[0][copies]]), np.concatenate([rows[1], rows[1][copies]])


def draw_leaking_split(random: np.random.Generator, count: int, share: float) -> tuple[Rows, Rows]:
    """Draw a split of random data in which ``share`` of the test rows are training rows; other rows may repeat, too."""
    x, y = random.normal(size=(4 * count, 10)), random.integers(0, 2, 4 * count)
    repeated, source = random.random(4 * count) < random.choice([0, 0.05]), random.integers(0, 4 * count, 4 * count)
    x[repeated], y[repeated] = x[source[repeated]], y[source[repeated]]
    test = np.where(random.random(count) < share, random.integers(count, 4 * count, count), np.arange(count))
    return (x[count:], y[count:]), (x[test], y[test])


def main() -> None:
    """Simulate the splits and print the tables."""
    parser = argparse.ArgumentParser(description="how often the rule for test rows that were trained on is wrong")
    parser.add_argument("--quick", action="store_true", help="a tenth of the splits")
    parser.add_argument("--splits", type=int, default=SPLITS, help="how many splits of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    print(f"{describe_machine()}; seed {options.seed}\n", flush=True)
    clean = [split(random, draw_discrete_rows(random)) for _ in range(options.splits)]
    alarms = sum(is_refused(train, test) for train, test in clean)
    alarms_after_oversampling = sum(is_refused(oversample(random, train), test) for train, test in clean)
    print_table(
        ("clean splits of data that repeat", "splits", "refused"),
        ("as they are", str(options.splits), str(alarms)),
        ("the training part oversampled", str(options.splits), str(alarms_after_oversampling)),
    )
    rows = []
    for share in LEAKS:
        found = []
        for count in TEST_ROWS:
            refused = sum(is_refused(*draw_leaking_split(random, count, share)) for _ in range(options.splits // 4))
            found.append(f"{refused} of {options.splits // 4}")
        rows.append((f"{share:.0%}", *found))
    print_table(("test rows that were trained on: refused", *(f"{count} test rows" for count in TEST_ROWS)), *rows)


if __name__ == "__main__":
    main()
