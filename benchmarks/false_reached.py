"""How often a network that is not good enough passes for one that reached its threshold, and what it costs to be sure.

Simulated: the runs of a branch compare networks with one test set of 1,000 images, until the gate says reached. Which
images a network gets right is drawn so that its true accuracy is exactly what the table says: the first network's answers
are independent draws; each later one keeps, image by image, the answer of the one before it with the probability
`agreement`, and is drawn anew else. 0 are networks that have nothing in common; continued training is near 1.

Three gates: the loop that trains until the number is there, its networks independent; Epochal's default gate, which is the
same comparison, of networks that agree; its gate with confidence. The last two are epochal/results/gate.py itself, which says what
each look needs.

Then a developer who goes by the test accuracy: varied next is whichever tested best, and no variation is better on all
data. What is learnt of the test set in this way no gate can see.

Usage: benchmarks/false_reached.py [--quick] [--runs N]
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy
from bench import QUICK, show

from epochal.records import Evidence
from epochal.results.gate import Rule, wanted_accuracy

THRESHOLD, UNDER, SAMPLES = 0.80, 0.79, 1000
LOOKS = 10
FEW = (1, 4, LOOKS)
MANY = (10, 20, 100, 1000)
AGREEMENTS = (0.0, 0.5, 0.8, 0.9, 0.95)
OVER = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
CONTINUED = 0.8
"""As networks of `ml_code/` agree with the ones that they were continued from; see docs/benchmarks.md."""

DEFAULT = Rule(THRESHOLD)
CONFIDENT = Rule(THRESHOLD, 0.95)


def networks(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """The test accuracies of one network after the other."""
    right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        right = varied(numbers, right, accuracy, agreement)


def chosen(numbers: numpy.random.Generator, accuracy: float, agreement: float) -> Iterator[float]:
    """The same, but varied is whichever of the last two networks has the higher test accuracy."""
    best = right = numbers.random(SAMPLES) < accuracy
    while True:
        yield right.mean()
        best = max(best, right, key=lambda each: each.sum())
        right = varied(numbers, best, accuracy, agreement)


def varied(numbers: numpy.random.Generator, right: numpy.ndarray, accuracy: float, agreement: float) -> numpy.ndarray:
    """The answers of a network with the same true accuracy that keeps a share of the answers."""
    return numpy.where(numbers.random(SAMPLES) < agreement, right, numbers.random(SAMPLES) < accuracy)


@cache
def needed(rule: Rule, look: int) -> float:
    """The accuracy that the gate asks for at a look."""
    wanted = wanted_accuracy(SAMPLES, rule, look, Evidence())
    assert isinstance(wanted, float)
    return wanted


def first_reached(measured: Iterator[float], rule: Rule, most: int) -> int:
    """The number of the look (from 1) at which the gate says reached; ``most`` + 1 if it does not up to that one."""
    return next((look for look in range(1, most + 1) if next(measured) >= needed(rule, look)), most + 1)


def reached(
    runs: int, make: Callable[[numpy.random.Generator], Iterator[float]], rule: Rule, within: Sequence[int]
) -> list[float]:
    """The share of ``runs`` that were reached within so many looks."""
    # The same numbers for every gate: they are compared on the same networks.
    firsts = [first_reached(make(numpy.random.default_rng([7, run])), rule, max(within)) for run in range(runs)]
    return [sum(first <= looks for first in firsts) / runs for looks in within]


def main() -> None:
    """Print the shares of wrong verdicts, and of right ones that are missed."""
    runs, began = options().runs, time.perf_counter()
    print(f"Python {platform.python_version()}; {runs} runs a line, {SAMPLES} test images, threshold {THRESHOLD}\n")
    by_default(runs)
    with_confidence(runs)
    missed(runs)
    by_choice(runs)
    print(f"{time.perf_counter() - began:.0f} s")


def by_default(runs: int) -> None:
    """Without confidence: runs whose networks are all one point under the threshold."""
    rows = [row("retried until it is there", UNDER, AGREEMENTS[0], DEFAULT, FEW, runs)]
    rows += [row("default gate", UNDER, agreement, DEFAULT, FEW, runs) for agreement in AGREEMENTS[1:]]
    show(("false positives", "true accuracy", "agreement", *_looks(FEW)), *rows)


def with_confidence(runs: int) -> None:
    """With confidence: runs whose networks are exactly at the threshold, which is the hardest case, or one point under it."""
    cases = [(accuracy, agreement) for accuracy in (THRESHOLD, UNDER) for agreement in AGREEMENTS]
    rows = [row("confidence 0.95", *case, CONFIDENT, MANY, runs) for case in cases]
    show(("false positives", "true accuracy", "agreement", *_looks(MANY)), *rows)


def row(name: str, accuracy: float, agreement: float, rule: Rule, within: Sequence[int], runs: int) -> tuple[str, ...]:
    """One gate at one agreement."""
    shares = reached(runs, lambda numbers: networks(numbers, accuracy, agreement), rule, within)
    return name, f"{accuracy:.2f}", f"{agreement:g}", *(f"{share:.1%}" for share in shares)


def _looks(within: Sequence[int]) -> list[str]:
    return [f"{looks:,} look{'s' if looks > 1 else ''}" for looks in within]


def missed(runs: int) -> None:
    """Runs whose networks are at the threshold or over it, and that are not reached within all looks."""
    rows = []
    for over in OVER:
        accuracy = THRESHOLD + over
        shares = [
            reached(runs, lambda numbers, accuracy=accuracy: networks(numbers, accuracy, CONTINUED), rule, (1, LOOKS))
            for rule in (DEFAULT, CONFIDENT)
        ]
        rows.append((f"{accuracy:.2f}", *(f"{1 - each:.1%}" for share in shares for each in share)))
    heading = [f"{gate}: {looks}" for gate in ("default", "confidence 0.95") for looks in _looks((1, LOOKS))]
    show((f"missed; true accuracy, agreement {CONTINUED}", *heading), *rows)


def by_choice(runs: int) -> None:
    """Runs of a developer who goes on from whatever tested best."""
    rows = []
    for agreement in AGREEMENTS:
        shares = [
            reached(runs, lambda numbers, agreement=agreement: chosen(numbers, UNDER, agreement), rule, within)
            for rule, within in ((DEFAULT, (10, 20)), (CONFIDENT, (10, 20, 100)))
        ]
        rows.append((f"{agreement:g}", *(f"{each:.1%}" for share in shares for each in share)))
    heading = [f"default: {each}" for each in _looks((10, 20))]
    heading += [f"confidence 0.95: {each}" for each in _looks((10, 20, 100))]
    show((f"true accuracy {UNDER}, going by the test; agreement", *heading), *rows)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 runs a line")
    parser.add_argument("--runs", type=int, default=100 if QUICK else 1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
