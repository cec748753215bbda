"""The gate's comparison."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epochal.errors import Reason, RunFailed
from epochal.records import Evidence, Judgement, Trial, TrialState, Verdict
from epochal.results.gate import (
    Hopeless,
    Rule,
    binomial_tail,
    compare,
    judge,
    least_correct,
    lower_bound,
    pass_probability,
    permitted_error,
    wanted_accuracy,
)
from epochal.results.interval import wilson_interval
from epochal.results.wording import certainty_in_words, doubt_in_words, evidence_in_words, in_words, verdict_in_words
from tests.messages.reports import unhurried
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
def test_the_threshold_itself_is_reached(accuracy: float, threshold: float, verdict: Verdict) -> None:
    """An accuracy equal to the threshold reaches it, the next smaller number does not."""
    assert compare(accuracy, threshold) is verdict


@given(st.floats(), st.floats())
def test_numbers_outside_of_the_range_are_refused(accuracy: float, threshold: float) -> None:
    """The gate never gives a verdict on what is no accuracy."""
    if 0 <= accuracy <= 1 and 0 <= threshold <= 1:
        assert (compare(accuracy, threshold) is Verdict.REACHED) == (accuracy >= threshold)
    else:
        with pytest.raises(ValueError, match="not between 0 and 1"):
            compare(accuracy, threshold)


@unhurried
@given(st.floats(0, 1), st.floats(0, 1))
@example(0.7999999999999999, 0.8)
@example(0.1 + 0.2, 0.3)
@example(5e-324, 1e-05)
def test_what_is_shown_compares_as_the_gate_did(accuracy: float, threshold: float) -> None:
    """Whoever compares the two numbers as they are printed comes to the verdict."""
    shown, wanted = in_words(accuracy, threshold)
    assert (Decimal(shown) >= Decimal(wanted)) == (accuracy >= threshold)
    assert "E" not in f"{shown}{wanted}".upper()


@pytest.mark.parametrize(
    ("correct", "samples", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(correct: int, samples: int, low: float, high: float) -> None:
    """Wilson's intervals as Newcombe's article gives them, to four decimals."""
    assert wilson_interval(correct / samples, samples) == pytest.approx((low, high), abs=5e-5)


@unhurried
@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), st.floats(1e-6, 0.4))
def test_bounds_are_ordered(counted: tuple[int, int], error: float) -> None:
    """An interval lies around its accuracy and within 0 to 1; more right answers and more error raise the bound."""
    correct, samples = counted
    low, high = wilson_interval(correct / samples, samples)
    assert 0 <= low <= correct / samples <= high <= 1
    bound = lower_bound(correct, samples, error)
    assert 0 <= bound <= correct / samples
    assert bound < lower_bound(correct + 1, samples, error) <= 1
    assert bound <= lower_bound(correct, samples, min(2 * error, 0.49))


@unhurried
@given(st.integers(1, 300), st.floats(0.3, 0.99), st.floats(1e-4, 0.3))
def test_the_error_is_never_more_than_permitted(samples: int, bar: float, error: float) -> None:
    """A network exactly at the bar gets the fewest right answers with at most that probability, and with more than that
    if one right answer less were enough: added up from the binomial distribution."""
    least = least_correct(samples, bar, error)
    chance = [math.comb(samples, right) * bar**right * (1 - bar) ** (samples - right) for right in range(samples + 1)]
    assert math.fsum(chance[least:]) <= error * (1 + 1e-9)
    assert math.fsum(chance[least - 1 :]) >= error * (1 - 1e-9)


@unhurried
@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0, 1))
@example((3, 3), 1.0)
@example((0, 3), 0.0)
def test_the_binomial_distribution_is_scipys(counted: tuple[int, int], accuracy: float) -> None:
    """The tail is that of SciPy's binomial distribution, up to seven digits for a million samples."""
    from scipy.stats import binom

    wanted = float(binom.sf(counted[0] - 1, counted[1], accuracy))
    assert binomial_tail(*counted, accuracy) == pytest.approx(wanted, rel=1e-7, abs=1e-200)


@unhurried
@given(st.integers(1, 10**4).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.floats(1e-6, 0.4))
def test_the_lower_bound_is_scipys(counted: tuple[int, int], error: float) -> None:
    """The bound is the quantile of the beta distribution that Clopper and Pearson's is."""
    from scipy.stats import beta

    correct, samples = counted
    assert lower_bound(correct, samples, error) == pytest.approx(float(beta.ppf(error, correct, samples - correct + 1)))


_RULE = Rule(0.8, 0.95)
_UNKNOWN = Evidence()
_UNBALANCED = Evidence(chance=0.94, answer="no")


def test_with_confidence_the_lower_bound_counts() -> None:
    """What may be over the threshold by chance is below; enough over it is reached; without confidence both are."""
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
def test_a_later_look_asks_for_more(look: int, correct: int) -> None:
    """At look k the error is 0.05/(k(k+1)): the right answers of 1,000 that it takes, by the binomial distribution."""
    from scipy.stats import binom

    error = 0.05 / (look * (look + 1))
    assert binom.sf(correct - 1, 1000, 0.8) < error <= binom.sf(correct - 2, 1000, 0.8)
    assert judge(correct / 1000, 1000, _RULE, look, _UNKNOWN).verdict is Verdict.REACHED
    below = judge((correct - 1) / 1000, 1000, _RULE, look, _UNKNOWN)
    assert (below.verdict, below.look, below.required) == (Verdict.BELOW, look, correct / 1000)
    assert below.spent == pytest.approx(error)


def test_all_looks_together_stay_within_the_error() -> None:
    """Of any number of looks, no more is spent than 1 - confidence."""
    spent = math.fsum(permitted_error(_RULE, look) for look in range(1, 100_000))
    assert 0.0499 < spent < 0.05


@pytest.mark.parametrize("rule", [Rule(0.8), Rule(0.8, 0.95)])
def test_an_accuracy_has_to_be_above_chance(rule: Rule) -> None:
    """Of 500 rows of which 94 % are one answer 479 have to be right: 478 have a lower 95 % bound under 0.94."""
    from scipy.stats import beta

    assert beta.ppf(0.05, 478, 23) < 0.94 < beta.ppf(0.05, 479, 22)
    below, reached = (judge(correct / 500, 500, rule, 1, _UNBALANCED) for correct in (478, 479))
    assert (below.verdict, below.required) == (Verdict.BELOW, 0.958)
    assert (reached.verdict, reached.required) == (Verdict.REACHED, 0.958)
    assert wanted_accuracy(500, rule, 1, _UNBALANCED) == 0.958
    assert judge(478 / 500, 500, rule, 1, _UNKNOWN).verdict is Verdict.REACHED


def test_chance_below_the_threshold_asks_for_nothing_more() -> None:
    """The highest of what threshold, confidence and chance ask for counts."""
    even = Evidence(chance=0.5)
    assert judge(0.8, 500, Rule(0.8), 1, even) == Judgement(Verdict.REACHED, 1, required=0.8)
    assert judge(0.95, 500, Rule(0.97), 1, _UNBALANCED).required == 0.97
    assert judge(0.84, 1000, _RULE, 1, even).required == 0.825


def test_what_a_retrain_stops_at_is_what_the_gate_lets_through() -> None:
    """The wanted accuracy is the smallest that is reached at that look; the bare threshold without confidence."""
    wanted = wanted_accuracy(1000, _RULE, 4, _UNKNOWN)
    assert isinstance(wanted, float)
    assert judge(wanted, 1000, _RULE, 4, _UNKNOWN).verdict is Verdict.REACHED
    assert judge(wanted - 0.001, 1000, _RULE, 4, _UNKNOWN).verdict is Verdict.BELOW
    assert wanted_accuracy(1000, Rule(0.8), 4, _UNKNOWN) == 0.8
    assert wanted_accuracy(None, Rule(0.8), None, _UNKNOWN) == 0.8


@pytest.mark.parametrize(
    ("samples", "rule", "look", "evidence", "said"),
    [
        (10, Rule(0.8, 0.95), 1, _UNKNOWN, "certain at look 1 that the threshold is reached. Measure on at least 17;"),
        (20, Rule(0.8, 0.95), 4, _UNKNOWN, "certain at look 4 that the threshold is reached. Measure on at least 27;"),
        (900, Rule(1.0, 0.95), 1, _UNKNOWN, "lower the threshold."),
        (48, Rule(0.8), 1, _UNBALANCED, "better than always answering 'no' (0.940). Measure on at least 49;"),
        (900, Rule(0.8), 1, Evidence(chance=1.0), "measure on test data with other labels, too."),
    ],
)
def test_too_few_samples_are_said(samples: int, rule: Rule, look: int, evidence: Evidence, said: str) -> None:
    """If not even all right answers would be enough, the explanation says how many samples it takes."""
    hopeless = wanted_accuracy(samples, rule, look, evidence)
    assert isinstance(hopeless, Hopeless)
    assert hopeless.reason is Reason.TOO_FEW_SAMPLES
    assert said in hopeless.explanation
    assert judge(1.0, samples, rule, look, evidence).verdict is Verdict.BELOW


@pytest.mark.parametrize(
    ("samples", "rule", "look", "evidence"),
    [(17, _RULE, 1, _UNKNOWN), (27, _RULE, 4, _UNKNOWN), (49, Rule(0.8), 1, _UNBALANCED)],
)
def test_so_many_samples_are_enough(samples: int, rule: Rule, look: int, evidence: Evidence) -> None:
    """All answers right on as many samples as the explanation names are let through."""
    assert judge(1.0, samples, rule, look, evidence).verdict is Verdict.REACHED


def test_without_samples_no_confidence() -> None:
    """The gate does not guess how certain an accuracy is: the run fails, with what to write."""
    with pytest.raises(RunFailed, match=r"accuracy\.json") as failure:
        judge(0.9, None, _RULE, None, _UNKNOWN)
    assert failure.value.reason is Reason.NO_SAMPLES


@pytest.mark.parametrize(
    ("accuracy", "samples", "threshold", "odds"),
    [
        # All four have to be right, or three; SciPy's binom.sf(287, 360, 0.75) and binom.sf(6, 100, 0.02): seven of a
        # hundred reach 0.07, though 0.07 * 100 is over 7 in floats.
        (0.75, 4, 0.8, 0.75**4),
        (0.75, 4, 0.75, 0.75**4 + 4 * 0.75**3 * 0.25),
        (0.75, 360, 0.8, 0.01498864597),
        (0.02, 100, 0.07, 0.00406205408),
    ],
)
def test_how_likely_a_worse_network_passes(accuracy: float, samples: int, threshold: float, odds: float) -> None:
    """The odds are those of the binomial distribution at the smallest number of right answers that is enough."""
    assert pass_probability(accuracy, samples, threshold) == pytest.approx(odds)


def _judged(accuracy: float, samples: int | None, said: Judgement, evidence: Evidence = _UNKNOWN) -> Trial:
    return Trial(
        1,
        TrialState.MEASURED,
        {},
        accuracy=measured(accuracy, samples=samples, evidence=evidence),
        judgement=said,
    )


def _decided(correct: int, samples: int, rule: Rule, look: int, evidence: Evidence) -> Trial:
    said = judge(correct / samples, samples, rule, look, evidence)
    return _judged(correct / samples, samples, said, evidence)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (
            _decided(812, 1000, _RULE, 3, _UNKNOWN),
            "0.812 is not certain enough to reach the threshold 0.80: "
            "lower bound 0.777 at 95 % confidence, 0.834 is needed on 1000 samples, look 3 at this test set",
        ),
        (_decided(700, 1000, Rule(0.8), 3, _UNKNOWN), "0.700 is below the threshold 0.80"),
        (_decided(850, 1000, Rule(0.8), 3, Evidence(chance=0.5)), "0.850 reaches the threshold 0.80"),
        (
            _decided(475, 500, Rule(0.8), 1, _UNBALANCED),
            "0.950 is not clearly above what always answering 'no' gives (0.940): 0.958 is needed on 500 samples",
        ),
        (
            _decided(450, 500, Rule(0.8), 1, Evidence(chance=0.94)),
            "0.900 is not above what always giving the most frequent answer gives (0.940): 0.958 is needed on 500 samples",
        ),
        (
            _decided(350, 500, Rule(0.8), 1, _UNBALANCED),
            "0.700 is below the threshold 0.80: 0.958 is needed on 500 samples",
        ),
        (_decided(20, 20, _RULE, 9, _UNKNOWN), "no accuracy is enough on 20 samples, look 9 at this test set"),
    ],
)
def test_a_verdict_says_what_it_rests_on(trial: Trial, said: str) -> None:
    """The line names the bound, what is needed, and which look it was; without more it is the comparison alone."""
    assert verdict_in_words(trial, 0.8).endswith(said)


def test_a_bound_below_never_looks_over() -> None:
    """A bound just under the threshold is not rounded up to it."""
    said = Judgement(Verdict.BELOW, 1, 0.95, 0.025, 0.79996, 0.825)
    assert certainty_in_words(_judged(0.82, 1000, said), 0.8).startswith("lower bound 0.79996 ")


def test_doubt_is_said_only_of_what_is_not_below() -> None:
    """Over the threshold and not let through, a trial has its reason; below it, or let through, it needs none."""
    assert doubt_in_words(_decided(812, 1000, _RULE, 1, _UNKNOWN), 0.8) == "not certain enough (lower bound 0.786)"
    assert (
        doubt_in_words(_decided(475, 500, _RULE, 1, _UNBALANCED), 0.8)
        == "not clearly above chance (always answering 'no' gives 0.940)"
    )
    assert doubt_in_words(_decided(350, 500, _RULE, 1, _UNBALANCED), 0.8) == ""
    assert doubt_in_words(_decided(490, 500, _RULE, 1, _UNBALANCED), 0.8) == ""


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "Test rows not checked: nn.py did not report them."),
        ({"unchecked": "the data are augmented\n\x1b[2J"}, "Test rows not checked: the data are augmented[2J."),
        ({"unchecked": "x" * 200}, f"Test rows not checked: {'x' * 120}."),
        ({"checked": True}, "Test rows checked: not used in training."),
        (
            {"checked": True, "seen": 0.52, "accepted": True},
            "Test rows checked: 52 % of them were seen in training, and repeated_rows = true in epochal.toml accepts that.",
        ),
        (
            {"checked": True, "seen": 0.03, "expected": 0.01},
            "Test rows checked: 3 % of them were also in the training data; 1 % expected.",
        ),
        (
            {"checked": True, "seen": 0.01, "expected": 0.01},
            "Test rows checked: 1 % of them equal training rows, no more than expected.",
        ),
    ],
)
def test_each_verdict_says_whether_its_rows_were_checked(known: dict[str, Any], said: str) -> None:
    """One sentence says it; what the training wrote cannot reach the terminal's controls."""
    assert evidence_in_words(_decided(850, 1000, _RULE, 1, Evidence(**known)), 0.8)[0] == said


def test_each_verdict_says_what_it_is_worth() -> None:
    """Chance is named, or that it is not known; without confidence also the odds of a network five points too bad."""
    assert evidence_in_words(_decided(850, 1000, _RULE, 1, _UNKNOWN), 0.8)[1:] == [
        "Chance is not known: the test labels were not seen."
    ]
    assert evidence_in_words(_decided(288, 360, Rule(0.8), 3, Evidence(chance=0.25, answer="7")), 0.8)[1:] == [
        "Always answering '7' gives 0.250.",
        "A network of true accuracy 0.75 would pass one look at 360 test samples with a probability of 1.5 %. "
        "This was look 3 at this test set.",
    ]
    nothing = Trial(1, TrialState.FAILED, {})
    assert evidence_in_words(nothing, 0.8) == []
