"""Accuracies, verdicts and the evidence for them in words, for job output, ``show``, ``history`` and the mail."""

import math
from decimal import Decimal
from itertools import count

from epochal.folders import SCRIPT
from epochal.records import Accuracy, Evidence, Trial
from epochal.results.gate import baseline_in_words, is_above_chance, pass_probability
from epochal.results.interval import wilson_interval
from epochal.results.metrics import one_line

_DOUBT = 0.05
"""Without confidence, the report says how likely it is that a network this much below the threshold passes."""
_LONGEST_WHY = 120


def in_words(accuracy: float, threshold: float) -> tuple[str, str]:
    """Return both numbers (0 to 1) as text.

    The accuracy has three decimals, or more if rounding would change the comparison: 0.7996 of 0.80 stays 0.7996,
    because
    0.800 would seem to have reached the threshold. The threshold has two decimals, or more if it needs them.
    """
    exact, wanted = Decimal(repr(accuracy)), Decimal(repr(threshold))
    rounded = (f"{exact:.{digits}f}" for digits in count(3))
    shown = next(text for text in rounded if (Decimal(text) >= wanted) == (exact >= wanted))
    return shown, f"{wanted:.2f}" if wanted == round(wanted, 2) else f"{wanted:f}"


def accuracy_in_words(accuracy: float, samples: int | None) -> str:
    """Return the accuracy with its 95 % interval: ``0.831 (0.789 to 0.866, 360 test samples)``.

    The interval is left out if the number of samples is not known.
    """
    interval = interval_in_words(accuracy, samples)
    return f"{accuracy:.4g} ({interval})" if interval else f"{accuracy:.4g}"


def interval_in_words(accuracy: float, samples: int | None) -> str:
    """Return the 95 % interval of an accuracy (0 to 1) in words; empty if the number of samples is not known."""
    if not samples:
        return ""
    low, high = wilson_interval(accuracy, samples)
    return f"{low:.3f} to {high:.3f}, {samples} test samples"


def verdict_in_words(trial: Trial, threshold: float) -> str:
    """Return the verdict on a judged trial in one line: ``0.750 reaches the threshold 0.70``, then what it rests on."""
    accuracy = trial.accuracy
    assert accuracy is not None
    measured, wanted = in_words(accuracy.value, threshold)
    if trial.reached:
        said = f"reaches the threshold {wanted}"
    elif accuracy.value < threshold:
        said = f"is below the threshold {wanted}"
    elif missed := _missed_of_chance(accuracy):
        said = f"is not {missed} what {baseline_in_words(accuracy.evidence)} gives ({accuracy.evidence.chance:.3f})"
    else:
        said = f"is not certain enough to reach the threshold {wanted}"
    certainty = certainty_in_words(trial, threshold)
    return f"{measured} {said}" + (f": {certainty}" if certainty else "")


def certainty_in_words(trial: Trial, threshold: float) -> str:
    """Return what a verdict rests on besides the threshold; empty if it rests on the threshold alone."""
    said = trial.judgement
    if said is None or trial.accuracy is None or trial.accuracy.samples is None:
        return ""
    parts = []
    if said.bound is not None:
        bound, _ = in_words(said.bound, threshold)
        parts.append(f"lower bound {bound} at {100 * said.confidence:.4g} % confidence")
    is_raised = said.required is None or said.required > threshold
    if said.confidence or (is_raised and trial.accuracy.evidence.chance is not None):
        # Rounded up, so that the accuracy shown is enough.
        needed = f"{math.ceil(said.required * 1000) / 1000:.3f} is needed" if said.required else "no accuracy is enough"
        parts.append(f"{needed} on {trial.accuracy.samples} samples")
    if said.confidence:
        parts.append(f"look {said.look} at this test set")
    return ", ".join(parts)


def doubt_in_words(trial: Trial, threshold: float) -> str:
    """Return why an accuracy that is not below the threshold did not pass the gate; empty in all other cases."""
    accuracy = trial.accuracy
    if trial.judgement is None or trial.reached or accuracy is None or accuracy.value < threshold:
        return ""
    if missed := _missed_of_chance(accuracy):
        return f"not {missed} chance ({baseline_in_words(accuracy.evidence)} gives {accuracy.evidence.chance:.3f})"
    bound = trial.judgement.bound
    return "not certain enough" + ("" if bound is None else f" (lower bound {in_words(bound, threshold)[0]})")


def evidence_in_words(trial: Trial, threshold: float) -> list[str]:
    """Return sentences about the data behind a trial's accuracy, and about how much that accuracy is worth."""
    if trial.accuracy is None:
        return []
    evidence, samples, said = trial.accuracy.evidence, trial.accuracy.samples, trial.judgement
    always = baseline_in_words(evidence)
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
    """Return "above" if an accuracy is not above chance, "clearly above" if not significantly so, otherwise nothing."""
    chance = accuracy.evidence.chance
    if chance is None or is_above_chance(accuracy):
        return ""
    return "clearly above" if accuracy.value > chance else "above"


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"
