"""Describe accuracies, verdicts and their evidence for job output, ``epochal show``, ``epochal history`` and emails."""

import math
from decimal import Decimal
from itertools import count

from epochal.grammar import capitalize, plural
from epochal.records import Accuracy, Evidence, Trial
from epochal.results.gate import describe_baseline, is_above_chance, pass_probability
from epochal.results.interval import wilson_interval
from epochal.results.metrics import keep_printable

_DOUBT_MARGIN = 0.05
"""The report says how likely a model is to pass if its true accuracy is this far below the threshold.

It does so only if no confidence level is required.
"""
_MAX_REASON_LENGTH = 120


def format_with_threshold(accuracy: float, threshold: float) -> tuple[str, str]:
    """Return an accuracy and a threshold (both 0 to 1) as text.

    The accuracy has three decimals, or more if rounding would change the comparison: with a threshold of 0.80, 0.7996
    stays 0.7996, because 0.800 would seem to reach it. The threshold has two decimals, or more if it needs them.
    """
    exact, exact_threshold = Decimal(repr(accuracy)), Decimal(repr(threshold))
    rounded = (f"{exact:.{digits}f}" for digits in count(3))
    shown = next(text for text in rounded if (Decimal(text) >= exact_threshold) == (exact >= exact_threshold))
    return shown, f"{exact_threshold:.2f}" if exact_threshold == round(exact_threshold, 2) else f"{exact_threshold:f}"


def describe_with_threshold(accuracy: float, threshold: float) -> str:
    """Return an accuracy and its threshold, with enough digits to compare them: ``0.831 (threshold 0.80)``."""
    shown, shown_threshold = format_with_threshold(accuracy, threshold)
    return f"{shown} (threshold {shown_threshold})"


def describe_accuracy(accuracy: float, samples: int | None) -> str:
    """Return the accuracy with its 95% interval: ``0.831 (0.789 to 0.866, 360 test samples)``.

    The interval is left out if the number of samples is not known.
    """
    interval = describe_interval(accuracy, samples)
    return f"{accuracy:.4g} ({interval})" if interval else f"{accuracy:.4g}"


def describe_interval(accuracy: float, samples: int | None) -> str:
    """Return the 95% interval of an accuracy (0 to 1) as text; empty if the number of samples is not known."""
    if not samples:
        return ""
    low, high = wilson_interval(accuracy, samples)
    return f"{low:.3f} to {high:.3f}, {plural(samples, 'test sample')}"


def describe_verdict(trial: Trial, threshold: float) -> str:
    """Return a trial's verdict as one line, such as ``0.750 reaches the threshold of 0.70``.

    If ``describe_certainty`` returns any text, it is appended after a colon.
    """
    accuracy = trial.accuracy
    assert accuracy is not None
    measured, shown_threshold = format_with_threshold(accuracy.value, threshold)
    if trial.reached:
        outcome = f"reaches the threshold of {shown_threshold}"
    elif accuracy.value < threshold:
        outcome = f"is below the threshold of {shown_threshold}"
    elif shortfall := _describe_chance_shortfall(accuracy):
        outcome = f"is not {shortfall} the accuracy of {describe_baseline(accuracy.evidence)} ({accuracy.evidence.chance:.3f})"
    else:
        outcome = f"is not far enough above the threshold of {shown_threshold} to be conclusive"
    certainty = describe_certainty(trial, threshold)
    return f"{measured} {outcome}" + (f": {certainty}" if certainty else "")


def describe_certainty(trial: Trial, threshold: float) -> str:
    """Return what a verdict depends on besides the threshold; empty if it depends on nothing else."""
    judgement = trial.judgement
    if judgement is None or trial.accuracy is None or trial.accuracy.samples is None:
        return ""
    parts = []
    if judgement.bound is not None:
        bound, _ = format_with_threshold(judgement.bound, threshold)
        parts.append(f"lower bound {bound} at {100 * judgement.confidence:.4g}% confidence")
    is_raised = judgement.required is None or judgement.required > threshold
    if judgement.confidence or (is_raised and trial.accuracy.evidence.chance is not None):
        needed = "no accuracy is high enough"
        if judgement.required:
            needed = "is needed" if judgement.confidence else "or more is clearly above chance"
            # Rounded up, so that the accuracy shown is enough.
            needed = f"{math.ceil(judgement.required * 1000) / 1000:.3f} {needed}"
        parts.append(f"{needed} on {plural(trial.accuracy.samples, 'sample')}")
    if judgement.confidence and judgement.look:
        parts.append(f"{plural(judgement.look, 'model')} evaluated on this test set so far")
    return ", ".join(parts)


def describe_doubt(trial: Trial, threshold: float) -> str:
    """Return why an accuracy at or above the threshold did not pass the gate; empty in all other cases."""
    accuracy = trial.accuracy
    if trial.judgement is None or trial.reached or accuracy is None or accuracy.value < threshold:
        return ""
    if shortfall := _describe_chance_shortfall(accuracy):
        return f"not {shortfall} chance ({describe_baseline(accuracy.evidence)} gives {accuracy.evidence.chance:.3f})"
    bound = trial.judgement.bound
    return "not certain enough" + (
        "" if bound is None else f" (lower bound {format_with_threshold(bound, threshold)[0]})"
    )


def describe_evidence(trial: Trial, threshold: float) -> list[str]:
    """Return sentences about the data behind a trial's accuracy, and about how reliable that accuracy is."""
    if trial.accuracy is None:
        return []
    evidence, samples, judgement = trial.accuracy.evidence, trial.accuracy.samples, trial.judgement
    baseline = describe_baseline(evidence)
    chance = "The chance level is unknown."
    if evidence.chance is not None:
        chance = f"{capitalize(baseline)} gives {evidence.chance:.3f}."
    sentences = [_describe_rows(evidence), chance]
    if evidence.new_labels:
        sentences.append(describe_new_labels(evidence))
    lower_accuracy = threshold - _DOUBT_MARGIN
    if trial.reached and judgement and not judgement.confidence and samples and lower_accuracy > 0:
        odds = pass_probability(lower_accuracy, samples, judgement.required or threshold)
        models = trial.accuracy.looks
        sentences.append(
            f"The script evaluated {models} models (or epochs of a model) on all or some of these test rows. If it chose "
            "the best model or epoch, this accuracy is probably too high."
            if models > 1
            else f"If evaluated once on {plural(samples, 'test sample')}, a model with a true accuracy of "
            f"{lower_accuracy:.4g} would pass by luck with a probability of {_percent(odds)}."
        )
        if judgement.look and judgement.look > 1:
            sentences.append(
                f"This test set has been used to evaluate {judgement.look} models from this branch, including this one."
            )
    return sentences


def describe_new_labels(evidence: Evidence) -> str:
    """Return how many test rows have a label that no training row has, and what to do about it."""
    return (
        f"{_percent(evidence.new_labels)} of the test rows have a label that no training row has; split the data so "
        "that both parts contain every class."
    )


def _describe_rows(evidence: Evidence) -> str:
    seen, expected = _percent(evidence.seen), _percent(evidence.expected)
    if not evidence.checked:
        reason = keep_printable(evidence.unchecked)[:_MAX_REASON_LENGTH] or "the script did not report them"
        return f"The test rows were not checked: {reason}."
    if evidence.accepted:
        return (
            f"The test rows were checked: {seen} of them were seen in training, "
            "which repeated_rows = true in epochal.toml allows."
        )
    if evidence.seen > evidence.expected:
        clean = (
            f"; even a clean split would yield {expected}, because rows repeat in this data"
            if evidence.expected
            else ""
        )
        return f"The test rows were checked: {seen} of them were also in the training data{clean}."
    if evidence.seen:
        return f"The test rows were checked: {seen} of them are identical to training rows, no more than expected."
    return "The test rows were checked: none of them is identical to a training row."


def _describe_chance_shortfall(accuracy: Accuracy) -> str:
    """Return the wording that fits in "not … chance": "above" or "clearly above".

    Empty if the accuracy is clearly above chance, or if the chance level is not known.
    """
    chance = accuracy.evidence.chance
    if chance is None or is_above_chance(accuracy):
        return ""
    return "clearly above" if accuracy.value > chance else "above"


def _percent(share: float) -> str:
    return "less than 0.1%" if 0 < share < 0.001 else f"{100 * share:.3g}%"
