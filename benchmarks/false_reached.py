"""Simulate how often networks below the threshold are reported as reached, and how many looks certainty costs.

Simulated: the runs of a branch compare networks with one test set of 1,000 images, until the gate says reached. The images
that a network gets right are drawn so that its true accuracy is exactly the one in the table. The answers of the first
network are independent draws. Each later network keeps the answer of the one before, image by image, with the probability
`agreement`, and is otherwise drawn anew. Networks with agreement 0 have nothing in common; resumed training is near 1.

Three gates: the loop that trains until the number is reached, with independent networks; Epochal's default gate, which makes
the same comparison, with networks that agree; and its gate with confidence. The last two are epochal/results/gate.py itself,
which computes the accuracy that each look requires.

Then a developer who selects by test accuracy: each network varies the one that tested best, and no variation is better on all
data. No gate can detect what is learned from the test set in this way.

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
"""Agreement of networks of `ml_code/` with the ones that they were resumed from; see docs/benchmarks/gate.md."""

DEFAULT = Rule(THRESHOLD)
CONFIDENT = Rule(THRESHOLD, 0.95)


def draw_networks(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """Yield the test accuracies of one network after the other."""
    right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        right = vary(numbers, right, accuracy, agreement)


def draw_selected_networks(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """Like ``draw_networks``, but each network is a variation of the one with the highest test accuracy so far."""
    best = right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        best = max(best, right, key=lambda each: each.sum())
        right = vary(numbers, best, accuracy, agreement)


def vary(numbers: numpy.random.Generator, right: numpy.ndarray, accuracy: float, agreement: float) -> numpy.ndarray:
    """Return the answers of a network with the same true accuracy that keeps a share of the answers."""
    return numpy.where(numbers.random(SAMPLES) < agreement, right, numbers.random(SAMPLES) < accuracy)


@cache
def compute_required(rule: Rule, look: int) -> float:
    """Return the accuracy that the gate requires at a look."""
    required = required_accuracy(SAMPLES, rule, look, Evidence())
    assert isinstance(required, float)
    return required


def find_first_reached(measured: Iterator[float], rule: Rule, most: int) -> int:
    """Return the number of the first look with the verdict reached, from 1; ``most`` + 1 if no look has."""
    return next((look for look in range(1, most + 1) if next(measured) >= compute_required(rule, look)), most + 1)


def simulate(
    runs: int, make: Callable[[numpy.random.Generator], Iterator[float]], rule: Rule, within: Sequence[int]
) -> list[float]:
    """Return the share of ``runs`` that were reached within each number of looks."""
    # Every gate gets the same numbers, so that the gates are compared on the same networks.
    firsts = [find_first_reached(make(numpy.random.default_rng([7, run])), rule, max(within)) for run in range(runs)]
    return [sum(first <= looks for first in firsts) / runs for looks in within]


def main() -> None:
    """Print the shares of false positives, and of good networks that are missed."""
    runs, began = parse_options().runs, time.perf_counter()
    print(f"Python {platform.python_version()}; {runs} runs a line, {SAMPLES} test images, threshold {THRESHOLD}\n")
    print_default_gate(runs)
    print_confident_gate(runs)
    print_missed(runs)
    print_selection(runs)
    print(f"{time.perf_counter() - began:.0f} s")


def print_default_gate(runs: int) -> None:
    """Without confidence: runs whose networks are all one point below the threshold."""
    rows = [make_row("retried until it is there", BELOW, AGREEMENTS[0], DEFAULT, FEW, runs)]
    rows += [make_row("default gate", BELOW, agreement, DEFAULT, FEW, runs) for agreement in AGREEMENTS[1:]]
    print_table(("false positives", "true accuracy", "agreement", *_name_looks(FEW)), *rows)


def print_confident_gate(runs: int) -> None:
    """With confidence: runs whose networks are at the threshold, which is the hardest case, or one point below it."""
    cases = [(accuracy, agreement) for accuracy in (THRESHOLD, BELOW) for agreement in AGREEMENTS]
    rows = [make_row("confidence 0.95", *case, CONFIDENT, MANY, runs) for case in cases]
    print_table(("false positives", "true accuracy", "agreement", *_name_looks(MANY)), *rows)


def make_row(
    name: str, accuracy: float, agreement: float, rule: Rule, within: Sequence[int], runs: int
) -> tuple[str, ...]:
    """Return the row of one gate at one agreement."""
    shares = simulate(runs, lambda numbers: draw_networks(numbers, accuracy, agreement), rule, within)
    return name, f"{accuracy:.2f}", f"{agreement:g}", *(f"{share:.1%}" for share in shares)


def _name_looks(within: Sequence[int]) -> list[str]:
    return [f"{looks:,} look{'s' if looks > 1 else ''}" for looks in within]


def print_missed(runs: int) -> None:
    """Runs whose networks are at the threshold or above it, and that are not reached within all looks."""
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
    """Runs of a developer who continues with whichever network tested best."""
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
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 runs a line")
    parser.add_argument("--runs", type=int, default=100 if QUICK else 1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
