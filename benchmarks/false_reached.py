"""Simulate how often models below the threshold pass the gate, and how often good models are missed.

Each simulated run tests one model after another on the same 1,000 images, until one passes the gate. Whether a model gets an
image right is drawn at random, with the true accuracy in the table as the probability. Each model after the first keeps the
previous model's result for an image with the probability `agreement`; otherwise the result is drawn anew. Models with
agreement 0 have nothing in common; with resumed training, the agreement is much higher.

Three gates are compared: a loop that retrains independent models until one reaches the threshold; Epochal's default gate,
which makes the same comparison, with models that partly agree; and Epochal's gate with confidence. The accuracy required at
each look is computed by epochal/results/gate.py.

The last table is for a developer who selects by test accuracy: each model is a variation of the one that tested best so far,
and none has a higher true accuracy. No gate can detect this kind of overfitting to the test set.

Usage: benchmarks/false_reached.py [--quick] [--runs N]
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy
from bench import QUICK, print_table

from epochal.records import Evidence
from epochal.results.gate import Rule, required_accuracy

THRESHOLD, BELOW, SAMPLES = 0.80, 0.79, 1000
LOOKS = 10
FEW = (1, 4, LOOKS)
MANY = (10, 20, 100, 1000)
AGREEMENTS = (0.0, 0.5, 0.8, 0.9, 0.95)
MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
RESUMED_AGREEMENT = 0.8
"""Agreement of models trained by `ml_code/` with the models they were resumed from; see docs/benchmarks/gate.md."""

DEFAULT = Rule(THRESHOLD)
CONFIDENT = Rule(THRESHOLD, 0.95)


def draw_networks(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """Yield the test accuracy of one model after another."""
    right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        right = vary(numbers, right, accuracy, agreement)


def draw_selected_networks(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """Yield test accuracies like ``draw_networks``, but vary the model with the highest test accuracy so far."""
    best = right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        best = max(best, right, key=lambda each: each.sum())
        right = vary(numbers, best, accuracy, agreement)


def vary(numbers: numpy.random.Generator, right: numpy.ndarray, accuracy: float, agreement: float) -> numpy.ndarray:
    """Return which images a new model gets right: it keeps each result with the probability ``agreement``."""
    return numpy.where(numbers.random(SAMPLES) < agreement, right, numbers.random(SAMPLES) < accuracy)


@cache
def compute_required(rule: Rule, look: int) -> float:
    """Return the accuracy that the gate requires at the given look."""
    required = required_accuracy(SAMPLES, rule, look, Evidence())
    assert isinstance(required, float)
    return required


def find_first_reached(measured: Iterator[float], rule: Rule, most: int) -> int:
    """Return the number of the first look that passes the gate, counting from 1; ``most`` + 1 if none does."""
    return next((look for look in range(1, most + 1) if next(measured) >= compute_required(rule, look)), most + 1)


def simulate(
    runs: int, make: Callable[[numpy.random.Generator], Iterator[float]], rule: Rule, within: Sequence[int]
) -> list[float]:
    """Return, for each number of looks in ``within``, the share of runs that pass the gate by then."""
    # Every gate gets the same random numbers, so that all gates are compared on the same models.
    firsts = [find_first_reached(make(numpy.random.default_rng([7, run])), rule, max(within)) for run in range(runs)]
    return [sum(first <= looks for first in firsts) / runs for looks in within]


def main() -> None:
    """Print the share of false positives and the share of good models that are missed."""
    runs, began = parse_options().runs, time.perf_counter()
    print(f"Python {platform.python_version()}; {runs} runs a line, {SAMPLES} test images, threshold {THRESHOLD}\n")
    print_default_gate(runs)
    print_confident_gate(runs)
    print_missed(runs)
    print_selection(runs)
    print(f"{time.perf_counter() - began:.0f} s")


def print_default_gate(runs: int) -> None:
    """Print the false positives of the gate without confidence, for models one point below the threshold."""
    rows = [make_row("retried until it is there", BELOW, AGREEMENTS[0], DEFAULT, FEW, runs)]
    rows += [make_row("default gate", BELOW, agreement, DEFAULT, FEW, runs) for agreement in AGREEMENTS[1:]]
    print_table(("false positives", "true accuracy", "agreement", *_name_looks(FEW)), *rows)


def print_confident_gate(runs: int) -> None:
    """Print the false positives of the gate with confidence, at the threshold (the hardest case) and one point below."""
    cases = [(accuracy, agreement) for accuracy in (THRESHOLD, BELOW) for agreement in AGREEMENTS]
    rows = [make_row("confidence 0.95", *case, CONFIDENT, MANY, runs) for case in cases]
    print_table(("false positives", "true accuracy", "agreement", *_name_looks(MANY)), *rows)


def make_row(
    name: str, accuracy: float, agreement: float, rule: Rule, within: Sequence[int], runs: int
) -> tuple[str, ...]:
    """Return the table row for one gate and one value of ``agreement``."""
    shares = simulate(runs, lambda numbers: draw_networks(numbers, accuracy, agreement), rule, within)
    return name, f"{accuracy:.2f}", f"{agreement:g}", *(f"{share:.1%}" for share in shares)


def _name_looks(within: Sequence[int]) -> list[str]:
    return [f"{looks:,} look{'s' if looks > 1 else ''}" for looks in within]


def print_missed(runs: int) -> None:
    """Print how often models at or above the threshold are missed, after one look and after all looks."""
    rows = []
    for margin in MARGINS:
        accuracy = THRESHOLD + margin
        shares = [
            simulate(
                runs,
                lambda numbers, accuracy=accuracy: draw_networks(numbers, accuracy, RESUMED_AGREEMENT),
                rule,
                (1, LOOKS),
            )
            for rule in (DEFAULT, CONFIDENT)
        ]
        rows.append((f"{accuracy:.2f}", *(f"{1 - each:.1%}" for share in shares for each in share)))
    heading = [f"{gate}: {looks}" for gate in ("default", "confidence 0.95") for looks in _name_looks((1, LOOKS))]
    print_table((f"missed; true accuracy, agreement {RESUMED_AGREEMENT}", *heading), *rows)


def print_selection(runs: int) -> None:
    """Print the false positives of a developer who continues with whichever model tested best."""
    rows = []
    for agreement in AGREEMENTS:
        shares = [
            simulate(
                runs,
                lambda numbers, agreement=agreement: draw_selected_networks(numbers, BELOW, agreement),
                rule,
                within,
            )
            for rule, within in ((DEFAULT, (10, 20)), (CONFIDENT, (10, 20, 100)))
        ]
        rows.append((f"{agreement:g}", *(f"{each:.1%}" for share in shares for each in share)))
    heading = [f"default: {each}" for each in _name_looks((10, 20))]
    heading += [f"confidence 0.95: {each}" for each in _name_looks((10, 20, 100))]
    print_table((f"true accuracy {BELOW}, going by the test; agreement", *heading), *rows)


def parse_options() -> argparse.Namespace:
    """Return the command-line options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 runs a line")
    parser.add_argument("--runs", type=int, default=100 if QUICK else 1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
