"""The gate: which accuracies reach the threshold, and how verdicts are worded."""

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epochal.errors import Reason, RunFailed
from epochal.records import Evidence, Judgement, Trial, TrialState, Verdict
from epochal.results.gate import (
    Rule,
    Unreachable,
    binomial_tail,
    compare,
    judge,
    least_correct,
    lower_bound,
    pass_probability,
    permitted_error,
    required_accuracy,
)
from epochal.results.interval import wilson_interval
from epochal.results.wording import (
    describe_certainty,
    describe_doubt,
    describe_evidence,
    describe_verdict,
    format_with_threshold,
)
from tests.trials import measured


@pytest.mark.parametrize(
    ("accuracy", "threshold", "verdict"),
    [
        (0.8, 0.8, Verdict.REACHED),
        (math.nextafter(0.8, 0), 0.8, Verdict.BELOW),
        (1.0, 1.0, Verdict.REACHED),
        (0.0, 0.0, Verdict.REACHED),
    ],
)
def test_accuracy_equal_to_the_threshold_reaches_it(accuracy: float, threshold: float, verdict: Verdict) -> None:
    """The next smaller floating-point number does not reach it."""
    assert compare(accuracy, threshold) is verdict


@given(st.floats(), st.floats())
def test_numbers_outside_of_0_to_1_are_rejected(accuracy: float, threshold: float) -> None:
    """There is no verdict on a number that is not an accuracy."""
    if 0 <= accuracy <= 1 and 0 <= threshold <= 1:
        assert (compare(accuracy, threshold) is Verdict.REACHED) == (accuracy >= threshold)
    else:
        with pytest.raises(ValueError, match="not between 0 and 1"):
            compare(accuracy, threshold)


@given(st.floats(0, 1), st.floats(0, 1))
@example(0.7999999999999999, 0.8)
@example(0.1 + 0.2, 0.3)
@example(5e-324, 1e-05)
def test_printed_numbers_compare_like_exact_ones(accuracy: float, threshold: float) -> None:
    """A reader who compares the two printed numbers comes to the same verdict as the gate."""
    shown, shown_threshold = format_with_threshold(accuracy, threshold)
    assert (Decimal(shown) >= Decimal(shown_threshold)) == (accuracy >= threshold)
    assert "E" not in f"{shown}{shown_threshold}".upper()


@pytest.mark.parametrize(
    ("correct", "samples", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_match_the_literature(correct: int, samples: int, low: float, high: float) -> None:
    """The intervals agree with those in Newcombe's article to four decimals."""
    assert wilson_interval(correct / samples, samples) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), st.floats(1e-6, 0.4))
def test_bounds_are_ordered(counts: tuple[int, int], error: float) -> None:
    """An interval contains its accuracy and stays within 0 to 1. More right answers or more error raise the bound."""
    correct, samples = counts
    low, high = wilson_interval(correct / samples, samples)
    assert 0 <= low <= correct / samples <= high <= 1
    bound = lower_bound(correct, samples, error)
    assert 0 <= bound <= correct / samples
    assert bound < lower_bound(correct + 1, samples, error) <= 1
    assert bound <= lower_bound(correct, samples, min(2 * error, 0.49))


@given(st.integers(1, 300), st.floats(0.3, 0.99), st.floats(1e-4, 0.3))
def test_error_is_never_more_than_permitted(samples: int, bar: float, error: float) -> None:
    """A model exactly at the bar passes with at most the permitted probability.

    If one right answer fewer were enough, the probability would be higher than permitted. Both probabilities are sums
    over the binomial distribution.
    """
    least = least_correct(samples, bar, error)
    chance = [math.comb(samples, right) * bar**right * (1 - bar) ** (samples - right) for right in range(samples + 1)]
    assert math.fsum(chance[least:]) <= error * (1 + 1e-9)
    assert math.fsum(chance[least - 1 :]) >= error * (1 - 1e-9)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0, 1))
@example((3, 3), 1.0)
@example((0, 3), 0.0)
def test_binomial_tail_matches_scipy(counts: tuple[int, int], accuracy: float) -> None:
    """The two agree to seven digits for up to a million samples."""
    from scipy.stats import binom

    expected = float(binom.sf(counts[0] - 1, counts[1], accuracy))
    assert binomial_tail(*counts, accuracy) == pytest.approx(expected, rel=1e-7, abs=1e-200)


@given(st.integers(1, 10**4).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.floats(1e-6, 0.4))
def test_lower_bound_matches_scipy(counts: tuple[int, int], error: float) -> None:
    """The Clopper-Pearson bound is a quantile of the beta distribution."""
    from scipy.stats import beta

    correct, samples = counts
    assert lower_bound(correct, samples, error) == pytest.approx(float(beta.ppf(error, correct, samples - correct + 1)))


_RULE = Rule(0.8, 0.95)
_UNKNOWN = Evidence()
_UNBALANCED = Evidence(chance=0.94, answer="no")


def test_with_confidence_the_lower_bound_counts() -> None:
    """An accuracy that may be over the threshold by chance does not reach it, unless no confidence is required."""
    near, far = (judge(accuracy, 1000, _RULE, 1, _UNKNOWN) for accuracy in (0.82, 0.84))
    assert (near.verdict, far.verdict) == (Verdict.BELOW, Verdict.REACHED)
    assert near.required == far.required == 0.825
    assert judge(0.825, 1000, _RULE, 1, _UNKNOWN).verdict is Verdict.REACHED
    assert judge(0.824, 1000, _RULE, 1, _UNKNOWN).verdict is Verdict.BELOW
    as_32_bits = 0.82499998807907104
    assert judge(as_32_bits, 1000, _RULE, 1, _UNKNOWN).verdict is Verdict.REACHED
    assert judge(0.82, 1000, Rule(0.8), 1, _UNKNOWN) == Judgement(Verdict.REACHED, 1, required=0.8)
    assert judge(0.82, None, Rule(0.8), None, _UNKNOWN) == Judgement(Verdict.REACHED, required=0.8)


@pytest.mark.parametrize(("look", "correct"), [(1, 825), (2, 831), (4, 836), (5, 837), (20, 846), (1000, 865)])
def test_later_look_requires_more(look: int, correct: int) -> None:
    """At look k, the permitted error is 0.05/(k(k+1)); SciPy says how many of 1,000 answers have to be right."""
    from scipy.stats import binom

    error = 0.05 / (look * (look + 1))
    assert binom.sf(correct - 1, 1000, 0.8) < error <= binom.sf(correct - 2, 1000, 0.8)
    assert judge(correct / 1000, 1000, _RULE, look, _UNKNOWN).verdict is Verdict.REACHED
    below = judge((correct - 1) / 1000, 1000, _RULE, look, _UNKNOWN)
    assert (below.verdict, below.look, below.required) == (Verdict.BELOW, look, correct / 1000)
    assert below.spent == pytest.approx(error)


def test_all_looks_together_stay_within_the_error() -> None:
    """However many looks there are, their errors add up to no more than 1 - confidence."""
    spent = math.fsum(permitted_error(_RULE, look) for look in range(1, 100_000))
    assert 0.0499 < spent < 0.05


@pytest.mark.parametrize("rule", [Rule(0.8), Rule(0.8, 0.95)])
def test_accuracy_has_to_be_above_chance(rule: Rule) -> None:
    """If 94% of 500 rows have the same label, 479 must be right: with 478, the lower 95% bound is under 0.94."""
    from scipy.stats import beta

    assert beta.ppf(0.05, 478, 23) < 0.94 < beta.ppf(0.05, 479, 22)
    below, reached = (judge(correct / 500, 500, rule, 1, _UNBALANCED) for correct in (478, 479))
    assert (below.verdict, below.required) == (Verdict.BELOW, 0.958)
    assert (reached.verdict, reached.required) == (Verdict.REACHED, 0.958)
    assert required_accuracy(500, rule, 1, _UNBALANCED) == 0.958
    assert judge(478 / 500, 500, rule, 1, _UNKNOWN).verdict is Verdict.REACHED


def test_highest_requirement_counts() -> None:
    """Threshold, confidence and chance each require an accuracy, and the highest of them decides."""
    even = Evidence(chance=0.5)
    assert judge(0.8, 500, Rule(0.8), 1, even) == Judgement(Verdict.REACHED, 1, required=0.8)
    assert judge(0.95, 500, Rule(0.97), 1, _UNBALANCED).required == 0.97
    assert judge(0.84, 1000, _RULE, 1, even).required == 0.825


def test_required_accuracy_is_the_smallest_that_passes() -> None:
    """The retrain job stops at this accuracy. Without confidence, it is the threshold."""
    required = required_accuracy(1000, _RULE, 4, _UNKNOWN)
    assert isinstance(required, float)
    assert judge(required, 1000, _RULE, 4, _UNKNOWN).verdict is Verdict.REACHED
    assert judge(required - 0.001, 1000, _RULE, 4, _UNKNOWN).verdict is Verdict.BELOW
    assert required_accuracy(1000, Rule(0.8), 4, _UNKNOWN) == 0.8
    assert required_accuracy(None, Rule(0.8), None, _UNKNOWN) == 0.8


@pytest.mark.parametrize(
    ("samples", "rule", "look", "evidence", "advice"),
    [
        (
            10,
            Rule(0.8, 0.95),
            1,
            _UNKNOWN,
            "certain that the threshold is reached (1 model evaluated on this test set so far). Test on at least 17 samples;",
        ),
        (
            20,
            Rule(0.8, 0.95),
            4,
            _UNKNOWN,
            "certain that the threshold is reached (4 models evaluated on this test set so far). Test on at least 27 samples;",
        ),
        (900, Rule(1.0, 0.95), 1, _UNKNOWN, "Lower the threshold."),
        (48, Rule(0.8), 1, _UNBALANCED, "better than always answering 'no' (0.940). Shuffle the rows before"),
        (
            6,
            Rule(0.8),
            1,
            Evidence(chance=0.7, answer="no"),
            "Test on at least 9 samples, or on more if the most frequent label makes up a larger share of them than of the "
            "current test set; a model that makes mistakes needs more.",
        ),
        (900, Rule(0.8), 1, Evidence(chance=1.0), "Test on data with other labels as well."),
    ],
)
def test_too_few_samples_are_explained(samples: int, rule: Rule, look: int, evidence: Evidence, advice: str) -> None:
    """If even a perfect score would not pass, the explanation says what to change."""
    unreachable = required_accuracy(samples, rule, look, evidence)
    assert isinstance(unreachable, Unreachable)
    assert unreachable.reason is Reason.TOO_FEW_SAMPLES
    assert advice in f"{unreachable.cause} {unreachable.remedy}"
    assert judge(1.0, samples, rule, look, evidence).verdict is Verdict.BELOW


@pytest.mark.parametrize(
    ("samples", "rule", "look", "evidence"),
    [(17, _RULE, 1, _UNKNOWN), (27, _RULE, 4, _UNKNOWN), (49, Rule(0.8), 1, _UNBALANCED)],
)
def test_suggested_number_of_samples_is_enough(samples: int, rule: Rule, look: int, evidence: Evidence) -> None:
    """With that many samples, a model that gets every answer right passes."""
    assert judge(1.0, samples, rule, look, evidence).verdict is Verdict.REACHED


def test_confidence_needs_the_number_of_samples() -> None:
    """If the number is unknown, the run fails, and the explanation says how the script can report it."""
    with pytest.raises(RunFailed, match=r"accuracy\.json") as failure:
        judge(0.9, None, _RULE, None, _UNKNOWN)
    assert failure.value.reason is Reason.NO_SAMPLES


@pytest.mark.parametrize(
    ("accuracy", "samples", "threshold", "odds"),
    [
        # Of four samples, four have to be right for 0.8, and three for 0.75. The other probabilities are SciPy's
        # binom.sf(287, 360, 0.75) and binom.sf(6, 100, 0.02): 7 of 100 reach 0.07, although 0.07 * 100 > 7 in floats.
        (0.75, 4, 0.8, 0.75**4),
        (0.75, 4, 0.75, 0.75**4 + 4 * 0.75**3 * 0.25),
        (0.75, 360, 0.8, 0.01498864597),
        (0.02, 100, 0.07, 0.00406205408),
    ],
)
def test_pass_probability_of_a_worse_network(accuracy: float, samples: int, threshold: float, odds: float) -> None:
    """It is the binomial probability of at least as many right answers as the threshold requires."""
    assert pass_probability(accuracy, samples, threshold) == pytest.approx(odds)


def _make_trial(accuracy: float, samples: int | None, judgement: Judgement, evidence: Evidence = _UNKNOWN) -> Trial:
    return Trial(
        1,
        TrialState.MEASURED,
        {},
        accuracy=measured(accuracy, samples=samples, evidence=evidence),
        judgement=judgement,
    )


def _judge_trial(correct: int, samples: int, rule: Rule, look: int, evidence: Evidence) -> Trial:
    judgement = judge(correct / samples, samples, rule, look, evidence)
    return _make_trial(correct / samples, samples, judgement, evidence)


@pytest.mark.parametrize(
    ("trial", "ending"),
    [
        (
            _judge_trial(812, 1000, _RULE, 3, _UNKNOWN),
            "0.812 is not far enough above the threshold of 0.80 to be conclusive: "
            "lower bound 0.777 at 95% confidence, 0.834 is needed on 1000 samples, 3 models evaluated on this test set so far",
        ),
        (_judge_trial(700, 1000, Rule(0.8), 3, _UNKNOWN), "0.700 is below the threshold of 0.80"),
        (_judge_trial(850, 1000, Rule(0.8), 3, Evidence(chance=0.5)), "0.850 reaches the threshold of 0.80"),
        (
            _judge_trial(475, 500, Rule(0.8), 1, _UNBALANCED),
            "0.950 is not clearly above the accuracy of always answering 'no' (0.940): "
            "0.958 or more is clearly above chance on 500 samples",
        ),
        (
            _judge_trial(450, 500, Rule(0.8), 1, Evidence(chance=0.94)),
            "0.900 is not above the accuracy of always giving the most frequent answer (0.940): "
            "0.958 or more is clearly above chance on 500 samples",
        ),
        (
            _judge_trial(350, 500, Rule(0.8), 1, _UNBALANCED),
            "0.700 is below the threshold of 0.80: 0.958 or more is clearly above chance on 500 samples",
        ),
        (
            _judge_trial(500, 500, Rule(0.8), 1, _UNBALANCED),
            "1.000 reaches the threshold of 0.80: 0.958 or more is clearly above chance on 500 samples",
        ),
        (
            _judge_trial(20, 20, _RULE, 9, _UNKNOWN),
            "no accuracy is high enough on 20 samples, 9 models evaluated on this test set so far",
        ),
    ],
)
def test_verdict_gives_its_grounds(trial: Trial, ending: str) -> None:
    """The line gives the bound, the required accuracy and the look if they mattered, otherwise only the comparison."""
    assert describe_verdict(trial, 0.8).endswith(ending)


def test_bound_is_not_rounded_up_to_the_threshold() -> None:
    """A bound that is below the threshold must not look equal to it."""
    judgement = Judgement(Verdict.BELOW, 1, 0.95, 0.025, 0.79996, 0.825)
    assert describe_certainty(_make_trial(0.82, 1000, judgement), 0.8).startswith("lower bound 0.79996 ")


def test_doubt_is_given_only_over_the_threshold() -> None:
    """No doubt is mentioned if a trial is below the threshold or has passed."""
    assert describe_doubt(_judge_trial(812, 1000, _RULE, 1, _UNKNOWN), 0.8) == "not certain enough (lower bound 0.786)"
    assert (
        describe_doubt(_judge_trial(475, 500, _RULE, 1, _UNBALANCED), 0.8)
        == "not clearly above chance (always answering 'no' gives 0.940)"
    )
    assert describe_doubt(_judge_trial(350, 500, _RULE, 1, _UNBALANCED), 0.8) == ""
    assert describe_doubt(_judge_trial(490, 500, _RULE, 1, _UNBALANCED), 0.8) == ""


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({}, "The test rows were not checked: the script did not report them."),
        (
            {"unchecked": "the data are augmented\n\x1b[2J"},
            "The test rows were not checked: the data are augmented[2J.",
        ),
        ({"unchecked": "x" * 200}, f"The test rows were not checked: {'x' * 120}."),
        ({"checked": True}, "The test rows were checked: none of them is identical to a training row."),
        (
            {"checked": True, "seen": 0.52, "accepted": True},
            "The test rows were checked: 52% of them were seen in training, which repeated_rows = true in epochal.toml allows.",
        ),
        (
            {"checked": True, "seen": 0.03, "expected": 0.01},
            "The test rows were checked: 3% of them were also in the training data; even a clean split would yield 1%, "
            "because rows repeat in this data.",
        ),
        (
            {"checked": True, "seen": 0.01, "expected": 0.01},
            "The test rows were checked: 1% of them are identical to training rows, no more than expected.",
        ),
    ],
)
def test_evidence_says_whether_test_rows_were_checked(known: dict[str, Any], sentence: str) -> None:
    """Text from the training code must not send control characters to the terminal."""
    assert describe_evidence(_judge_trial(850, 1000, _RULE, 1, Evidence(**known)), 0.8)[0] == sentence


def test_evidence_gives_chance_and_odds() -> None:
    """Without confidence, the text gives the odds that a model five points below the threshold would pass."""
    assert describe_evidence(_judge_trial(850, 1000, _RULE, 1, _UNKNOWN), 0.8)[1:] == ["The chance level is unknown."]
    assert describe_evidence(_judge_trial(288, 360, Rule(0.8), 3, Evidence(chance=0.25, answer="7")), 0.8)[1:] == [
        "Always answering '7' gives 0.250.",
        "If evaluated once on 360 test samples, a model with a true accuracy of 0.75 would pass by luck with a probability of "
        "1.5%.",
        "This test set has been used to evaluate 3 models from this branch, including this one.",
    ]
    several = _judge_trial(288, 360, Rule(0.8), 23, _UNKNOWN)
    assert several.accuracy
    several = replace(several, accuracy=replace(several.accuracy, looks=20))
    assert describe_evidence(several, 0.8)[2:] == [
        "The script evaluated 20 models (or epochs of a model) on all or some of these test rows. If it chose the "
        "best model or epoch, this accuracy is probably too high.",
        "This test set has been used to evaluate 23 models from this branch, including this one.",
    ]
    new = _judge_trial(200, 360, Rule(0.8), 3, Evidence(new_labels=0.25))
    assert describe_evidence(new, 0.8)[2:] == [
        "25% of the test rows have a label that no training row has; split the data so that both parts contain every class."
    ]
    # Below the threshold, nothing passed.
    assert len(describe_evidence(_judge_trial(200, 360, Rule(0.8), 3, _UNKNOWN), 0.8)) == 2
    failed = Trial(1, TrialState.FAILED, {})
    assert describe_evidence(failed, 0.8) == []
