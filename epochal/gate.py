"""The gate: what an accuracy is worth, and whether it reaches the threshold. Values in, values out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from statistics import NormalDist

from epochal.errors import Reason, RunFailed
from epochal.records import Judgement, Verdict

INTERVAL_CONFIDENCE = 0.95
"""The confidence of every interval that is told."""
_NOTHING_LEFT = 1e-9
"""What is left of the permitted error when all of it is spent, but for what floats lose."""
_TOLERANCE = 0.01
"""In samples: an accuracy in 32-bit floats, or with six decimals, may be that much less than the count that it means."""


@dataclass(frozen=True)
class Rule:
    """What the gate asks for: the accuracy ``threshold`` (0 to 1), by itself or with ``confidence``.

    ``confidence``: over 0.5 and under 1, that no network below the threshold is let through in ``looks`` looks at a
    test set; 0: whatever was measured counts as it is.
    """

    threshold: float
    confidence: float = 0.0
    looks: int = 20


def judge(accuracy: float, threshold: float) -> Verdict:
    """REACHED where ``accuracy`` is at least ``threshold``, else BELOW. Raises ValueError outside of 0 to 1."""
    for value in (accuracy, threshold):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{value} is not between 0 and 1")
    return Verdict.REACHED if accuracy >= threshold else Verdict.BELOW


def decide(accuracy: float, samples: int | None, rule: Rule, earlier: Sequence[Judgement]) -> Judgement:
    """The gate's word on an ``accuracy`` (0 to 1) that was measured on ``samples`` test samples.

    ``earlier``: what was said at the looks before this one at the same test set. With confidence it is REACHED where the
    lower confidence bound is over the threshold. Raises RunFailed (NO_SAMPLES) where that takes a number of samples
    which is not known, ValueError for what is no accuracy.
    """
    plain = judge(accuracy, rule.threshold)
    look = len(earlier) + 1 if samples else None
    if not rule.confidence:
        return Judgement(plain, look)
    if not samples:
        raise RunFailed(
            Reason.NO_SAMPLES,
            f"confidence = {rule.confidence:g} in epochal.toml asks how certain the accuracy is, and nn.py did not tell on "
            "how many test samples it was measured. Measure it by Keras' evaluate() or scikit-learn's score(), or write "
            '{"accuracy": 0.83, "samples": 360} to $EPOCHAL_OUT/accuracy.json.',
        )
    spent = permitted_error(rule, earlier)
    if not spent:
        return Judgement(Verdict.BELOW, look, rule.looks, rule.confidence)
    bound = lower_bound(math.floor(accuracy * samples + _TOLERANCE), samples, spent)
    verdict = Verdict.REACHED if bound > rule.threshold else Verdict.BELOW
    required = required_accuracy(samples, rule.threshold, spent)
    return Judgement(verdict, look, rule.looks, rule.confidence, spent, bound, required)


def permitted_error(rule: Rule, earlier: Sequence[Judgement]) -> float:
    """The probability of a wrong REACHED that the next look may have; 0 where no look is left.

    What is not spent yet of 1 - confidence is split evenly over the looks that are left (Bonferroni's inequality: errors
    add up to 1 - confidence at the most, however alike the networks are). What was spent stays spent if the number of
    looks is raised.
    """
    left = rule.looks - len(earlier)
    return _unspent(rule, earlier) / left if left > 0 else 0.0


def _unspent(rule: Rule, earlier: Sequence[Judgement]) -> float:
    unspent = 1 - rule.confidence - math.fsum(judgement.spent for judgement in earlier)
    return unspent if unspent > _NOTHING_LEFT else 0.0


def lower_bound(correct: int, samples: int, error: float) -> float:
    """The one-sided lower confidence bound (0 to 1) of the accuracy behind ``correct`` of ``samples`` right answers.

    Exact (Clopper and Pearson 1934, Biometrika 26): whatever the accuracy is, the bound is over it with a probability of
    ``error`` at the most. Wilson's bound is a little higher, but is over it up to 1.3 times as often as asked for (100
    samples, accuracies over 0.5).
    """
    from scipy.special import betaincinv  # costs a tenth of a second, which only a gate with confidence has to pay

    return float(betaincinv(correct, samples - correct + 1, error)) if correct else 0.0


def required_accuracy(samples: int, threshold: float, error: float) -> float | None:
    """The smallest accuracy on ``samples`` whose lower bound is over ``threshold``; None if even all of them right is not."""
    low, high = 0, samples + 1
    while low < high:
        middle = (low + high) // 2
        if middle > samples or lower_bound(middle, samples, error) > threshold:
            high = middle
        else:
            low = middle + 1
    return low / samples if low <= samples else None


@dataclass(frozen=True)
class Hopeless:
    """No accuracy at all would be let through at the next look, and why."""

    reason: Reason
    explanation: str


def wanted_accuracy(samples: int | None, rule: Rule, earlier: Sequence[Judgement]) -> float | Hopeless:
    """The smallest accuracy (0 to 1) on ``samples`` that the next look at the test set lets through."""
    if not rule.confidence or not samples:
        return rule.threshold
    error = permitted_error(rule, earlier)
    if not error:
        return Hopeless(Reason.NO_LOOKS, _why_no_look(rule, earlier))
    required = required_accuracy(samples, rule.threshold, error)
    if required is None:
        return Hopeless(Reason.TOO_FEW_SAMPLES, _why_too_few(samples, rule.threshold, error))
    return required


def _why_no_look(rule: Rule, earlier: Sequence[Judgement]) -> str:
    looks = f"This branch has had {len(earlier)} looks at this test set, and looks = {rule.looks} in epochal.toml"
    fresh = "Measure on test data that no training of the branch was measured on"
    if _unspent(rule, earlier):
        return f"{looks}. {fresh}, or raise looks."
    spent = f"what confidence = {rule.confidence:g} permits of error is spent, and raising looks does not bring it back"
    return f"{looks}: {spent}. {fresh}."


def _why_too_few(samples: int, threshold: float, error: float) -> str:
    told = f"{samples} test samples are too few: not even all of them right would make it certain"
    if threshold == 1:
        return f"{told}. No number of samples makes it certain that every answer is right: lower the threshold."
    needed = math.floor(math.log(error) / math.log(threshold)) + 1
    return f"{told}. It takes {needed} at least, and more for a network that errs now and then."


def wilson_interval(accuracy: float, samples: int, confidence: float = INTERVAL_CONFIDENCE) -> tuple[float, float]:
    """The interval (both 0 to 1) in which the accuracy on all data lies with ``confidence``, by the one on ``samples``.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22; recommended by Brown,
    Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    weight = z * z / samples
    centre = (accuracy + weight / 2) / (1 + weight)
    half = math.sqrt(accuracy * (1 - accuracy) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, min(accuracy, centre - half)), min(1.0, max(accuracy, centre + half))


def in_words(accuracy: float, threshold: float) -> tuple[str, str]:
    """Both numbers (0 to 1) as text: the accuracy with three decimals, or more where it takes more to show what is so.

    0.7996 of 0.80 stays 0.7996: as 0.800 it would seem to have reached the threshold.
    """
    exact, wanted = Decimal(repr(accuracy)), Decimal(repr(threshold))
    rounded = (f"{exact:.{digits}f}" for digits in count(3))
    shown = next(text for text in rounded if (Decimal(text) >= wanted) == (exact >= wanted))
    return shown, f"{wanted:.2f}" if wanted == round(wanted, 2) else f"{wanted:f}"


def accuracy_in_words(accuracy: float, samples: int | None) -> str:
    """The accuracy with its interval, where the number of samples is known: ``0.831 (0.789 to 0.866, 360 test samples)``."""
    interval = interval_in_words(accuracy, samples)
    return f"{accuracy:.4g} ({interval})" if interval else f"{accuracy:.4g}"


def interval_in_words(accuracy: float, samples: int | None) -> str:
    """The interval by itself; empty where the number of samples is not known."""
    if not samples:
        return ""
    low, high = wilson_interval(accuracy, samples)
    return f"{low:.3f} to {high:.3f}, {samples} test samples"


def verdict_in_words(accuracy: float, threshold: float, judgement: Judgement) -> str:
    """The verdict in one line: ``0.750 reaches the threshold 0.70``, and with confidence what it rests on."""
    measured, wanted = in_words(accuracy, threshold)
    word = "is below" if accuracy < threshold else "is not certain enough to reach"
    word = "reaches" if judgement.verdict is Verdict.REACHED else word
    certainty = certainty_in_words(judgement, threshold)
    return f"{measured} {word} the threshold {wanted}" + (f": {certainty}" if certainty else "")


def certainty_in_words(judgement: Judgement, threshold: float) -> str:
    """What a verdict with confidence rests on, and the looks that are left; empty for one without."""
    if not judgement.confidence:
        return ""
    if judgement.bound is None:
        return f"look {judgement.look} at this test set, of {judgement.looks}: none was left"
    look = f"look {judgement.look} of {judgement.looks} at this test set"
    required = judgement.required
    # Rounded up: what is told to be enough is enough.
    needed = f"{math.ceil(required * 1000) / 1000:.3f} is needed" if required else "these test samples are too few"
    return f"{_bound_in_words(judgement.bound, threshold)} at {100 * judgement.confidence:.4g} % confidence, {needed}, {look}"


def doubt_in_words(accuracy: float, threshold: float, judgement: Judgement | None) -> str:
    """Why an accuracy that is not below the threshold was not let through; empty where nothing needs saying."""
    if judgement is None or judgement.verdict is Verdict.REACHED or accuracy < threshold:
        return ""
    if judgement.bound is None:
        return "no look at its test set was left"
    return f"not certain enough ({_bound_in_words(judgement.bound, threshold)})"


def _bound_in_words(bound: float, threshold: float) -> str:
    return f"lower bound {in_words(bound, threshold)[0]}"
