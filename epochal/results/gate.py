"""The gate: decide whether an accuracy reaches the threshold, and find the lowest accuracy that would pass. No I/O."""

import math
from dataclasses import dataclass
from decimal import Decimal

from epochal.analysis.frameworks import describe_measured_methods
from epochal.errors import Reason, RunFailed
from epochal.grammar import plural
from epochal.records import Accuracy, Evidence, Judgement, Verdict
from epochal.results.metrics import keep_printable

_CHANCE_ERROR = 0.05
"""The permitted probability, at each look at a test set, of judging a model to be better than chance when it is not."""
_TOLERANCE = 0.01
"""How far accuracy * samples may fall below the number of correct answers because the accuracy was rounded."""
_NEARLY_ALL = 0.9
"""If at least this share of test rows has the same label, the data may have been sorted by label before the split."""
_NEGLIGIBLE = 1e-16
_BISECTIONS = 50
_MAX_ANSWER_LENGTH = 40


@dataclass(frozen=True)
class Rule:
    """The gate's requirement: an accuracy of at least ``threshold`` (0 to 1), optionally with a ``confidence``.

    ``confidence``: the minimum probability (above 0.5 and below 1) that no model below the threshold passes, however
    often models are evaluated on the same test set (each measurement is a "look" at it). If it is 0, the measured
    accuracy itself is compared with the threshold.
    """

    threshold: float
    confidence: float = 0.0


def compare(accuracy: float, threshold: float) -> Verdict:
    """Return REACHED if ``accuracy`` is at least ``threshold``, else BELOW.

    Raises ValueError if either is not between 0 and 1.
    """
    for value in (accuracy, threshold):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{value} is not between 0 and 1")
    return Verdict.REACHED if accuracy >= threshold else Verdict.BELOW


def judge(accuracy: float, samples: int | None, rule: Rule, look: int | None, evidence: Evidence) -> Judgement:
    """Judge an ``accuracy`` (0 to 1) that was measured on ``samples`` test samples.

    ``look``: the number of this look at the test set, counted from 1. The verdict is REACHED if the accuracy is at
    least the threshold and, if ``evidence.chance`` is known, the accuracy's 95% lower bound is above that chance level.
    If ``rule.confidence`` is not 0, the lower bound with the error permitted at this look (see ``permitted_error``)
    must also be above the threshold. If ``samples`` or ``look`` is unknown and ``rule.confidence`` is 0, the accuracy
    is compared only with the threshold. If one of them is unknown and ``rule.confidence`` is not 0, raises
    RunFailed(NO_SAMPLES). Raises ValueError if the accuracy or the threshold is not between 0 and 1.
    """
    verdict = compare(accuracy, rule.threshold)
    if rule.confidence and (not samples or look is None):
        raise RunFailed(
            Reason.NO_SAMPLES,
            f"confidence = {rule.confidence:g} in epochal.toml needs the number of test samples, which the script did "
            f"not report. Print it with the accuracy, as in 'Test accuracy: 0.8306 (299/360)', measure the "
            f'accuracy with {describe_measured_methods()}, or write {{"accuracy": 0.83, "samples": 360}} to '
            "$EPOCHAL_OUT/accuracy.json.",
        )
    if not samples or look is None:
        return Judgement(verdict, look, required=rule.threshold)
    least, required = _find_requirements(samples, rule, look, evidence)
    correct = _count_correct(accuracy, samples)
    verdict = verdict if correct >= least else Verdict.BELOW
    if not rule.confidence:
        return Judgement(verdict, look, required=required)
    spent = permitted_error(rule, look)
    return Judgement(verdict, look, rule.confidence, spent, lower_bound(correct, samples, spent), required)


def permitted_error(rule: Rule, look: int) -> float:
    """Return the permitted probability of a false positive at look number ``look``, counted from 1.

    It is α/(k(k+1)) at look k, with α = 1 - confidence. The sum over any number of looks stays below α. So, by
    Bonferroni's inequality, the probability of any false positive is below α, however correlated the models are
    (alpha spending; Lan and DeMets 1983, Biometrika 70).
    """
    return (1 - rule.confidence) / (look * (look + 1))


def binomial_tail(correct: int, samples: int, accuracy: float) -> float:
    """Return the probability that a model gets at least ``correct`` of ``samples`` answers right.

    ``accuracy``: the true accuracy (0 to 1) of the model.
    """
    if correct <= 0:
        return 1.0
    if not 0 < accuracy < 1:
        return float(accuracy >= 1)
    if correct <= samples * accuracy:  # the other tail has fewer terms that matter
        return 1 - binomial_tail(samples - correct + 1, samples, 1 - accuracy)
    ways = math.lgamma(samples + 1) - math.lgamma(correct + 1) - math.lgamma(samples - correct + 1)
    term = math.exp(ways + correct * math.log(accuracy) + (samples - correct) * math.log1p(-accuracy))
    total = 0.0
    for right in range(correct, samples + 1):
        total += term
        term *= (samples - right) / (right + 1) * accuracy / (1 - accuracy)
        if term <= total * _NEGLIGIBLE:
            break
    return total


def lower_bound(correct: int, samples: int, error: float) -> float:
    """Return the one-sided lower confidence bound for the accuracy if ``correct`` of ``samples`` answers are right.

    The bound, from 0 to 1, is exact (Clopper and Pearson 1934, Biometrika 26): it is above the true accuracy with a
    probability of at most ``error`` (under 0.5), whatever that accuracy is. Wilson's bound is slightly higher, but is
    above the true accuracy more often than an ``error`` of 0.05 permits: up to 1.4 times as often (for 100 samples and
    true accuracies over 0.5).
    """
    low, high = 0.0, correct / samples
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if binomial_tail(correct, samples, middle) < error:
            low = middle
        else:
            high = middle
    return low


def least_correct(samples: int, bar: float, error: float) -> int:
    """Return the smallest number of correct answers for which ``lower_bound`` is above the accuracy ``bar`` (0 to 1).

    ``error``: see ``lower_bound``. Returns ``samples`` + 1 if even ``samples`` correct answers are not enough.
    """
    low, high = 0, samples + 1
    while low < high:
        middle = (low + high) // 2
        if middle > samples or binomial_tail(middle, samples, bar) < error:
            high = middle
        else:
            low = middle + 1
    return low


def _find_requirements(samples: int, rule: Rule, look: int, evidence: Evidence) -> tuple[int, float | None]:
    """Return how many right answers are needed to clear all ``_bars``, and the lowest accuracy that passes.

    That accuracy is at least the threshold; it is None if no accuracy passes.
    """
    least = max((least_correct(samples, bar, error) for bar, error in _bars(rule, look, evidence)), default=0)
    return least, max(rule.threshold, least / samples) if least <= samples else None


def _bars(rule: Rule, look: int, evidence: Evidence) -> list[tuple[float, float]]:
    """Return (accuracy, error) pairs; the lower bound at each error probability must be above the paired accuracy."""
    bars = [(rule.threshold, permitted_error(rule, look))] if rule.confidence else []
    return bars if evidence.chance is None else [*bars, (evidence.chance, _CHANCE_ERROR)]


def is_above_chance(accuracy: Accuracy) -> bool:
    """Return whether an accuracy is significantly above chance; True if the chance level or sample count is unknown."""
    chance, samples = accuracy.evidence.chance, accuracy.samples
    if chance is None or not samples:
        return True
    return binomial_tail(_count_correct(accuracy.value, samples), samples, chance) < _CHANCE_ERROR


def _count_correct(accuracy: float, samples: int) -> int:
    return math.floor(accuracy * samples + _TOLERANCE)


@dataclass(frozen=True)
class Unreachable:
    """The reason why even an accuracy of 1 would fail, and what to do about it. Returned by ``required_accuracy``."""

    reason: Reason
    cause: str
    remedy: str


def required_accuracy(samples: int | None, rule: Rule, look: int | None, evidence: Evidence) -> float | Unreachable:
    """Return the lowest accuracy (0 to 1) that passes the gate, or ``Unreachable`` if none does.

    ``samples``: the number of test samples. ``look``: the number of this look at the test set. If either is not known,
    the threshold is returned.
    """
    if not samples or look is None:
        return rule.threshold
    _, required = _find_requirements(samples, rule, look, evidence)
    if required is not None:
        return required
    return Unreachable(Reason.TOO_FEW_SAMPLES, *_explain_too_few(samples, rule, look, evidence))


def _explain_too_few(samples: int, rule: Rule, look: int, evidence: Evidence) -> tuple[str, str]:
    """Return why ``samples`` test samples are too few, and what to do about it."""
    bars = _bars(rule, look, evidence)
    if evidence.chance == 1:
        return (
            "All test labels are the same, so any accuracy may be due to chance.",
            "Test on data with other labels as well.",
        )
    if any(bar == 1 for bar, _ in bars):
        return "No number of test samples can make it certain that a threshold of 1 is reached.", "Lower the threshold."
    bar, _ = next(each for each in bars if least_correct(samples, *each) > samples)
    wrong = f"clear that the script does better than {describe_baseline(evidence)} ({bar:.3f})"
    if rule.confidence and bar == rule.threshold:
        wrong = f"certain that the threshold is reached ({plural(look, 'model')} evaluated on this test set so far)"
    needed, decisive = max((math.floor(math.log(error) / math.log(bar)) + 1, bar) for bar, error in bars)
    share = (
        ", or on more if the most frequent label makes up a larger share of them than of the current test set"
        if decisive == evidence.chance
        else ""
    )
    sorted_rows = ""
    if evidence.chance is not None and evidence.chance >= _NEARLY_ALL:
        sorted_rows = "Shuffle the rows before the split if they are sorted by label. Otherwise, test"
    return (
        f"A test set of size {samples} is too small: even if every answer were right, it would not be {wrong}.",
        f"{sorted_rows or 'Test'} on at least {needed} samples{share}; a model that makes mistakes needs more.",
    )


def pass_probability(accuracy: float, samples: int, required: float) -> float:
    """Return the probability that a model's measured accuracy on ``samples`` test samples is at least ``required``.

    ``accuracy``: the true accuracy of the model; like ``required``, between 0 and 1.
    """
    return binomial_tail(math.ceil(Decimal(repr(required)) * samples), samples, accuracy)


def describe_baseline(evidence: Evidence) -> str:
    """Describe the strategy whose accuracy is the chance level, as in ``always answering '3'``."""
    answer = keep_printable(evidence.answer)[:_MAX_ANSWER_LENGTH]
    return f"always answering '{answer}'" if answer else "always giving the most frequent answer"
