"""The gate's comparison."""

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epochal.errors import Reason, RunFailed
from epochal.gate import (
    Hopeless,
    Rule,
    certainty_in_words,
    decide,
    in_words,
    judge,
    lower_bound,
    permitted_error,
    required_accuracy,
    verdict_in_words,
    wanted_accuracy,
    wilson_interval,
)
from epochal.records import Judgement, Verdict
from tests.notices.reports import unhurried


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
    assert judge(accuracy, threshold) is verdict


@given(st.floats(), st.floats())
def test_numbers_outside_of_the_range_are_refused(accuracy: float, threshold: float) -> None:
    """The gate never gives a verdict on what is no accuracy."""
    if 0 <= accuracy <= 1 and 0 <= threshold <= 1:
        assert (judge(accuracy, threshold) is Verdict.REACHED) == (accuracy >= threshold)
    else:
        with pytest.raises(ValueError, match="not between 0 and 1"):
            judge(accuracy, threshold)


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
def test_the_error_is_never_more_than_permitted(samples: int, threshold: float, error: float) -> None:
    """A network exactly at the threshold gets the required accuracy with no more than that probability, and with more
    if one right answer less were enough: added up from the binomial distribution."""
    required = required_accuracy(samples, threshold, error)
    least = samples + 1 if required is None else round(required * samples)
    chance = [
        math.comb(samples, right) * threshold**right * (1 - threshold) ** (samples - right)
        for right in range(samples + 1)
    ]
    assert math.fsum(chance[least:]) <= error * (1 + 1e-9)
    assert math.fsum(chance[least - 1 :]) >= error * (1 - 1e-9)


_RULE = Rule(0.8, 0.95, 20)


def _looks(accuracy: float, rule: Rule, earlier: list[Judgement], count: int) -> list[Judgement]:
    """``earlier`` and so many looks more, at 1,000 test samples."""
    for _ in range(count):
        earlier = [*earlier, decide(accuracy, 1000, rule, earlier)]
    return earlier


def test_with_confidence_the_lower_bound_counts() -> None:
    """What is over the threshold by chance as well as not is below; enough over it is reached; without confidence both are."""
    near, far = (decide(accuracy, 1000, _RULE, []) for accuracy in (0.82, 0.84))
    assert (near.verdict, far.verdict) == (Verdict.BELOW, Verdict.REACHED)
    assert near.required == far.required == 0.836
    assert decide(0.836, 1000, _RULE, []).verdict is Verdict.REACHED
    assert decide(0.835, 1000, _RULE, []).verdict is Verdict.BELOW
    assert decide(0.8359999656677246, 1000, _RULE, []).verdict is Verdict.REACHED  # 0.836 as 32-bit floats have it
    assert decide(0.82, 1000, Rule(0.8), []) == Judgement(Verdict.REACHED, 1)
    assert decide(0.82, None, Rule(0.8), []) == Judgement(Verdict.REACHED)


def test_every_look_is_paid_for() -> None:
    """Twenty looks spend the five percent evenly; at the next one nothing is reached, and a person is told how to go on."""
    looks = _looks(0.82, _RULE, [], 20)
    assert [judgement.look for judgement in looks] == list(range(1, 21))
    assert {round(judgement.spent, 9) for judgement in looks} == {0.0025}
    beyond = decide(0.99, 1000, _RULE, looks)
    assert (beyond.verdict, beyond.look, beyond.bound) == (Verdict.BELOW, 21, None)
    hopeless = wanted_accuracy(1000, _RULE, looks)
    assert isinstance(hopeless, Hopeless)
    assert hopeless.reason is Reason.NO_LOOKS
    assert "Measure on test data that no training of the branch was measured on." in hopeless.explanation


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.0, 0.9, 0.95, 0.99]), st.integers(0, 15)), max_size=6))
def test_what_was_spent_stays_spent(changes: list[tuple[int, float, int]]) -> None:
    """However often looks and confidence are changed, never is more spent than the lowest confidence permits."""
    looks: list[Judgement] = []
    for planned, confidence, count in changes:
        looks = _looks(0.7, Rule(0.8, confidence, planned), looks, count)
    asked = [confidence for _, confidence, _ in changes if confidence]
    assert math.fsum(judgement.spent for judgement in looks) <= 1 - min(asked, default=1) + 1e-9


def test_looks_without_confidence_cost_looks_and_no_certainty() -> None:
    """A test set that was looked at without confidence has fewer looks left, which more of them bring back."""
    looks = _looks(0.82, Rule(0.8), [], 20)
    hopeless = wanted_accuracy(1000, _RULE, looks)
    assert isinstance(hopeless, Hopeless)
    assert hopeless.explanation.endswith("or raise looks.")
    assert permitted_error(Rule(0.8, 0.95, 30), looks) == pytest.approx(0.005)
    spent = _looks(0.82, Rule(0.8, 0.95, 30), looks, 10)
    assert permitted_error(Rule(0.8, 0.95, 1000), spent) == 0.0


def test_what_a_retrain_stops_at_is_what_the_gate_lets_through() -> None:
    """The wanted accuracy is the smallest that is reached at the next look; the bare threshold without confidence."""
    looks = _looks(0.82, _RULE, [], 3)
    wanted = wanted_accuracy(1000, _RULE, looks)
    assert isinstance(wanted, float)
    assert decide(wanted, 1000, _RULE, looks).verdict is Verdict.REACHED
    assert decide(wanted - 0.001, 1000, _RULE, looks).verdict is Verdict.BELOW
    assert wanted_accuracy(1000, Rule(0.8), looks) == 0.8


@pytest.mark.parametrize(("samples", "threshold", "told"), [(20, 0.8, "It takes 27 at least"), (900, 1.0, "lower the")])
def test_too_few_samples_are_told(samples: int, threshold: float, told: str) -> None:
    """Where not even all answers right would be enough, a person hears how many samples it takes."""
    hopeless = wanted_accuracy(samples, Rule(threshold, 0.95, 20), [])
    assert isinstance(hopeless, Hopeless)
    assert hopeless.reason is Reason.TOO_FEW_SAMPLES
    assert told in hopeless.explanation
    assert decide(1.0, samples, Rule(threshold, 0.95, 20), []).verdict is Verdict.BELOW
    assert required_accuracy(27, 0.8, 0.0025) == 1.0


def test_without_samples_no_confidence() -> None:
    """The gate does not guess how certain an accuracy is: the run fails, with what to write."""
    with pytest.raises(RunFailed, match=r"accuracy\.json") as failure:
        decide(0.9, None, _RULE, [])
    assert failure.value.reason is Reason.NO_SAMPLES


@pytest.mark.parametrize(
    ("accuracy", "said", "told"),
    [
        (
            0.812,
            decide(0.812, 1000, _RULE, []),
            "0.812 is not certain enough to reach the threshold 0.80: "
            "lower bound 0.775 at 95 % confidence, 0.836 is needed, look 1 of 20 at this test set",
        ),
        (0.7, Judgement(Verdict.BELOW, 3), "0.700 is below the threshold 0.80"),
        (
            0.812,
            Judgement(Verdict.BELOW, 21, 20, 0.95),
            "0.812 is not certain enough to reach the threshold 0.80: look 21 at this test set, of 20: none was left",
        ),
    ],
)
def test_a_verdict_says_what_it_rests_on(accuracy: float, said: Judgement, told: str) -> None:
    """The line names the bound, what is needed, and which look it was; without confidence it is the comparison alone."""
    assert verdict_in_words(accuracy, 0.8, said) == told


def test_a_bound_below_never_looks_over() -> None:
    """A bound just under the threshold is not rounded up to it."""
    said = Judgement(Verdict.BELOW, 1, 20, 0.95, 0.0025, 0.79996, 0.836)
    assert certainty_in_words(said, 0.8).startswith("lower bound 0.79996 ")
