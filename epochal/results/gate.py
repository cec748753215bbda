"""The gate: what an accuracy is worth, and whether it reaches the threshold. Values in, values out."""

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from statistics import NormalDist

from epochal.analysis.frameworks import measured_in_words
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT
from epochal.records import Accuracy, Evidence, Judgement, Trial, Verdict
from epochal.results.metrics import one_line

_INTERVAL_CONFIDENCE = 0.95
"""The confidence of every interval that is reported."""
_CHANCE_ERROR = 0.05
"""How likely a network that is no better than chance may pass for one that is, per look."""
_DOUBT = 0.05
"""Without confidence the report says how likely a network passes that is this much below the threshold."""
_TOLERANCE = 0.01
"""In samples: an accuracy in 32-bit floats, or with six decimals, may be that much less than the count that it means."""
_NEGLIGIBLE = 1e-16
_BISECTIONS = 50
_LONGEST_ANSWER = 40
_LONGEST_WHY = 120


@dataclass(frozen=True)
class Rule:
    """What the gate asks for: the accuracy ``threshold`` (0 to 1), by itself or with ``confidence``.

    ``confidence``: over 0.5 and under 1, that no network below the threshold is let through, however many looks there
    are at a test set; 0: whatever was measured counts as it is.
    """

    threshold: float
    confidence: float = 0.0


def compare(accuracy: float, threshold: float) -> Verdict:
    """Return REACHED if ``accuracy`` is at least ``threshold``, else BELOW. Raises ValueError outside of 0 to 1."""
    for value in (accuracy, threshold):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{value} is not between 0 and 1")
    return Verdict.REACHED if accuracy >= threshold else Verdict.BELOW


def judge(accuracy: float, samples: int | None, rule: Rule, look: int | None, evidence: Evidence) -> Judgement:
    """Judge an ``accuracy`` (0 to 1) that was measured on ``samples`` test samples at a ``look``, counted from 1.

    It is REACHED if it is at least the threshold, its lower 95 % bound is above ``evidence.chance`` if that is known,
    and, with confidence, its lower bound at this look's share of the permitted error is above the threshold. Raises
    RunFailed (NO_SAMPLES) if confidence needs a number of samples that is not known, ValueError for what is no accuracy.
    """
    verdict = compare(accuracy, rule.threshold)
    if rule.confidence and (not samples or look is None):
        raise RunFailed(
            Reason.NO_SAMPLES,
            f"confidence = {rule.confidence:g} in epochal.toml needs the number of test samples, which {SCRIPT} did not report. "
            f'Measure with {measured_in_words()}, or write {{"accuracy": 0.83, "samples": 360}} to '
            "$EPOCHAL_OUT/accuracy.json.",
        )
    if not samples or look is None:
        return Judgement(verdict, look, required=rule.threshold)
    least, required = _ask_for(samples, rule, look, evidence)
    correct = _correct(accuracy, samples)
    verdict = verdict if correct >= least else Verdict.BELOW
    if not rule.confidence:
        return Judgement(verdict, look, required=required)
    spent = permitted_error(rule, look)
    return Judgement(verdict, look, rule.confidence, spent, lower_bound(correct, samples, spent), required)


def permitted_error(rule: Rule, look: int) -> float:
    """Return the probability of a false positive that ``look`` (from 1) may have: α/(k(k+1)) at look k, α = 1 - confidence.

    The sum over any number of looks stays below α, so by Bonferroni's inequality all of them together err at most that
    often, however alike the networks are (alpha spending; Lan and DeMets 1983, Biometrika 70).
    """
    return (1 - rule.confidence) / (look * (look + 1))


def binomial_tail(correct: int, samples: int, accuracy: float) -> float:
    """Return how likely a network of that true ``accuracy`` (0 to 1) gets at least ``correct`` of ``samples`` right."""
    if correct <= 0:
        return 1.0
    if not 0 < accuracy < 1:
        return float(accuracy >= 1)
    if correct <= samples * accuracy:  # the other side has fewer terms that matter
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
    """Return the one-sided lower confidence bound (0 to 1) of the accuracy behind ``correct`` of ``samples`` right answers.

    Exact (Clopper and Pearson 1934, Biometrika 26): whatever the accuracy is, the bound is above it with a probability of
    at most ``error``, which is under 0.5. Wilson's bound is a little higher, but is above it up to 1.3 times as often as
    asked for (100 samples, accuracies over 0.5).
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
    """Return the fewest right answers whose lower bound is above ``bar``; ``samples`` + 1 if not even all of them are enough."""
    low, high = 0, samples + 1
    while low < high:
        middle = (low + high) // 2
        if middle > samples or binomial_tail(middle, samples, bar) < error:
            high = middle
        else:
            low = middle + 1
    return low


def _ask_for(samples: int, rule: Rule, look: int, evidence: Evidence) -> tuple[int, float | None]:
    """Return the fewest right answers that confidence and chance ask for, and the smallest accuracy that is let through.

    The threshold by itself counts as an accuracy. None: no accuracy is let through.
    """
    least = max((least_correct(samples, bar, error) for bar, error in _bars(rule, look, evidence)), default=0)
    return least, max(rule.threshold, least / samples) if least <= samples else None


def _bars(rule: Rule, look: int, evidence: Evidence) -> list[tuple[float, float]]:
    """Return the accuracies that the lower bound has to be above, each with the error that the bound is taken at."""
    bars = [(rule.threshold, permitted_error(rule, look))] if rule.confidence else []
    return bars if evidence.chance is None else [*bars, (evidence.chance, _CHANCE_ERROR)]


def _correct(accuracy: float, samples: int) -> int:
    return math.floor(accuracy * samples + _TOLERANCE)


@dataclass(frozen=True)
class Hopeless:
    """No accuracy at all would be let through at the next look, and why."""

    reason: Reason
    explanation: str


def wanted_accuracy(samples: int | None, rule: Rule, look: int | None, evidence: Evidence) -> float | Hopeless:
    """Return the smallest accuracy (0 to 1) on ``samples`` that is let through at ``look``, or why none would be."""
    if not samples or look is None:
        return rule.threshold
    _, required = _ask_for(samples, rule, look, evidence)
    if required is not None:
        return required
    return Hopeless(Reason.TOO_FEW_SAMPLES, _explain_too_few(samples, rule, look, evidence))


def _explain_too_few(samples: int, rule: Rule, look: int, evidence: Evidence) -> str:
    bars = _bars(rule, look, evidence)
    if evidence.chance == 1:
        return (
            "All test labels are the same, so any accuracy may be chance: measure on test data with other labels, too."
        )
    if any(bar == 1 for bar, _ in bars):
        return "No number of test samples makes it certain that every answer is right: lower the threshold."
    bar, _ = next(each for each in bars if least_correct(samples, *each) > samples)
    wrong = f"clear that {SCRIPT} does better than {_always(evidence)} ({bar:.3f})"
    if rule.confidence and bar == rule.threshold:
        wrong = f"certain at look {look} that the threshold is reached"
    needed = max(math.floor(math.log(error) / math.log(bar)) + 1 for bar, error in bars)
    return (
        f"{samples} test samples are too few: not even {samples} right answers would make it {wrong}. "
        f"Measure on at least {needed}; a network that makes mistakes needs more."
    )


def pass_probability(accuracy: float, samples: int, wanted: float) -> float:
    """Return how likely a network of that true ``accuracy`` (0 to 1) is measured at ``wanted`` or more on ``samples``."""
    return binomial_tail(math.ceil(Decimal(repr(wanted)) * samples), samples, accuracy)


def wilson_interval(accuracy: float, samples: int) -> tuple[float, float]:
    """Return the 95 % interval (both 0 to 1) of the accuracy on all data, by the one on ``samples``.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22; recommended by Brown,
    Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16.
    """
    z = NormalDist().inv_cdf((1 + _INTERVAL_CONFIDENCE) / 2)
    weight = z * z / samples
    centre = (accuracy + weight / 2) / (1 + weight)
    half = math.sqrt(accuracy * (1 - accuracy) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, min(accuracy, centre - half)), min(1.0, max(accuracy, centre + half))


def in_words(accuracy: float, threshold: float) -> tuple[str, str]:
    """Return both numbers (0 to 1) as text: the accuracy with three decimals, or more if rounding would change the comparison.

    0.7996 of 0.80 stays 0.7996: as 0.800 it would seem to have reached the threshold.
    """
    exact, wanted = Decimal(repr(accuracy)), Decimal(repr(threshold))
    rounded = (f"{exact:.{digits}f}" for digits in count(3))
    shown = next(text for text in rounded if (Decimal(text) >= wanted) == (exact >= wanted))
    return shown, f"{wanted:.2f}" if wanted == round(wanted, 2) else f"{wanted:f}"


def accuracy_in_words(accuracy: float, samples: int | None) -> str:
    """Return the accuracy, and its interval if the number of samples is known: ``0.831 (0.789 to 0.866, 360 test samples)``."""
    interval = interval_in_words(accuracy, samples)
    return f"{accuracy:.4g} ({interval})" if interval else f"{accuracy:.4g}"


def interval_in_words(accuracy: float, samples: int | None) -> str:
    """Return the interval by itself; empty if the number of samples is not known."""
    if not samples:
        return ""
    low, high = wilson_interval(accuracy, samples)
    return f"{low:.3f} to {high:.3f}, {samples} test samples"


def verdict_in_words(trial: Trial, threshold: float) -> str:
    """Put the verdict on a judged trial into one line: ``0.750 reaches the threshold 0.70``, and what it rests on."""
    accuracy = trial.accuracy
    assert accuracy is not None
    measured, wanted = in_words(accuracy.value, threshold)
    if trial.reached:
        said = f"reaches the threshold {wanted}"
    elif accuracy.value < threshold:
        said = f"is below the threshold {wanted}"
    elif missed := _missed_of_chance(accuracy):
        said = f"is not {missed} what {_always(accuracy.evidence)} gives ({accuracy.evidence.chance:.3f})"
    else:
        said = f"is not certain enough to reach the threshold {wanted}"
    certainty = certainty_in_words(trial, threshold)
    return f"{measured} {said}" + (f": {certainty}" if certainty else "")


def certainty_in_words(trial: Trial, threshold: float) -> str:
    """Say what a verdict rests on besides the threshold; empty if that is all it rests on."""
    said = trial.judgement
    if said is None or trial.accuracy is None or trial.accuracy.samples is None:
        return ""
    parts = []
    if said.bound is not None:
        bound, _ = in_words(said.bound, threshold)
        parts.append(f"lower bound {bound} at {100 * said.confidence:.4g} % confidence")
    is_raised = said.required is None or said.required > threshold
    if said.confidence or (is_raised and trial.accuracy.evidence.chance is not None):
        # Rounded up: the accuracy that is named must be enough.
        needed = f"{math.ceil(said.required * 1000) / 1000:.3f} is needed" if said.required else "no accuracy is enough"
        parts.append(f"{needed} on {trial.accuracy.samples} samples")
    if said.confidence:
        parts.append(f"look {said.look} at this test set")
    return ", ".join(parts)


def doubt_in_words(trial: Trial, threshold: float) -> str:
    """Say why an accuracy that is not below the threshold was not let through; empty if nothing needs saying."""
    accuracy = trial.accuracy
    if trial.judgement is None or trial.reached or accuracy is None or accuracy.value < threshold:
        return ""
    if missed := _missed_of_chance(accuracy):
        return f"not {missed} chance ({_always(accuracy.evidence)} gives {accuracy.evidence.chance:.3f})"
    bound = trial.judgement.bound
    return "not certain enough" + ("" if bound is None else f" (lower bound {in_words(bound, threshold)[0]})")


def evidence_in_words(trial: Trial, threshold: float) -> list[str]:
    """Say, a sentence each, what is known of the data behind a trial's accuracy, and what that accuracy is worth."""
    if trial.accuracy is None:
        return []
    evidence, samples, said = trial.accuracy.evidence, trial.accuracy.samples, trial.judgement
    always = _always(evidence)
    chance = "Chance is not known: the test labels were not seen."
    if evidence.chance is not None:
        chance = f"{always[0].upper()}{always[1:]} gives {evidence.chance:.3f}."
    sentences = [_rows_in_words(evidence), chance]
    under = threshold - _DOUBT
    if said and not said.confidence and samples and under > 0:
        odds = pass_probability(under, samples, said.required or threshold)
        look = f" This was look {said.look} at this test set." if said.look and said.look > 1 else ""
        sentences.append(
            f"A network of true accuracy {under:.4g} would pass one look at {samples} test samples "
            f"with a probability of {_percent(odds)}.{look}"
        )
    return sentences


def _rows_in_words(evidence: Evidence) -> str:
    seen, expected = _percent(evidence.seen), _percent(evidence.expected)
    if not evidence.checked:
        why = one_line(evidence.unchecked)[:_LONGEST_WHY] or f"{SCRIPT} did not report them"
        return f"Test rows not checked: {why}."
    if evidence.accepted:
        return (
            f"Test rows checked: {seen} of them were seen in training, "
            "and repeated_rows = true in epochal.toml accepts that."
        )
    if evidence.seen > evidence.expected:
        return f"Test rows checked: {seen} of them were also in the training data; {expected} expected."
    if evidence.seen:
        return f"Test rows checked: {seen} of them equal training rows, no more than expected."
    return "Test rows checked: not used in training."


def _missed_of_chance(accuracy: Accuracy) -> str:
    """Return what an accuracy is not to chance: "above" or "clearly above"; empty if nothing is known against it."""
    chance, samples = accuracy.evidence.chance, accuracy.samples
    if chance is None or not samples:
        return ""
    if binomial_tail(_correct(accuracy.value, samples), samples, chance) < _CHANCE_ERROR:
        return ""
    return "clearly above" if accuracy.value > chance else "above"


def _always(evidence: Evidence) -> str:
    answer = one_line(evidence.answer)[:_LONGEST_ANSWER]
    return f"always answering '{answer}'" if answer else "always giving the most frequent answer"


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"
