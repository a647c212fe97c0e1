"""Exact binomial bounds, against scipy and against their own definition."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from crossfade.core.binomial import lower_bound, needed, upper_bound

cases = st.integers(0, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_a_thousand_random_cases_are_as_scipy_has_them() -> None:
    dice = random.Random(59)
    for _ in range(1_000):
        n = int(10 ** dice.uniform(0, 6.5))
        edge = dice.randint(0, min(n, 9))
        k = dice.choice([dice.randint(0, n), edge, n - edge])
        confidence = dice.choice([0.5, 0.9, 0.95, 0.99, 0.999])
        low = beta.ppf(1 - confidence, k, n - k + 1) if k else 0.0
        high = beta.ppf(confidence, k + 1, n - k) if k < n else 1.0
        assert lower_bound(k, n, confidence) == pytest.approx(low, rel=1e-6, abs=1e-13), (k, n, confidence)
        assert upper_bound(k, n, confidence) == pytest.approx(high, rel=1e-6, abs=1e-13), (k, n, confidence)


@given(cases)
def test_under_the_lower_bound_so_many_successes_have_a_chance_of_five_per_cent(case: tuple[int, int]) -> None:
    k, n = case
    low = lower_bound(k, n)
    if k:
        chance = math.fsum(
            math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
                     + i * math.log(low) + (n - i) * math.log1p(-low)) for i in range(k, n + 1))
        assert chance == pytest.approx(0.05, rel=1e-6)
    else:
        assert low == 0


def test_59_of_59_prove_more_than_95_per_cent_and_58_do_not() -> None:
    assert lower_bound(59, 59) > 0.95 > lower_bound(58, 58)
    assert lower_bound(92, 93) > 0.95 > lower_bound(91, 92)


@pytest.mark.parametrize("n", [1, 2, 59, 10**6, 10**9, 10**12])
def test_the_ends(n: int) -> None:
    assert lower_bound(0, n) == 0
    assert upper_bound(n, n) == 1
    assert lower_bound(n, n) == pytest.approx(0.05 ** (1 / n))
    assert upper_bound(0, n) == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-3)
    assert 0 < lower_bound(n - 1, n) < lower_bound(n, n) if n > 1 else lower_bound(n - 1, n) == 0


def test_without_a_trial_anything_is_possible() -> None:
    assert (lower_bound(0, 0), upper_bound(0, 0)) == (0, 1)


@given(cases, st.sampled_from([0.6, 0.9, 0.95, 0.999]))
def test_bounds_hold_the_share_and_grow_with_it(case: tuple[int, int], confidence: float) -> None:
    k, n = case
    low, high = lower_bound(k, n, confidence), upper_bound(k, n, confidence)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= k / n <= high
    if k < n:
        assert low < lower_bound(k + 1, n, confidence)
        assert high < upper_bound(k + 1, n, confidence) or k + 1 == n
    assert lower_bound(k + 1, n + 1, confidence) > low
    assert lower_bound(k, n + 1, confidence) <= low
    assert lower_bound(k, n, 0.9999) <= low


@pytest.mark.parametrize(("k", "n"), [(2**62, 2**63), (1, 2**63), (10**10 - 1, 10**10), (10**30 // 3, 10**30)])
def test_more_trials_than_there_can_be_prove_no_more_than_their_share(k: int, n: int) -> None:
    assert k / n - 1e-3 < lower_bound(k, n) <= k / n <= upper_bound(k, n) < k / n + 1e-3


@pytest.mark.parametrize(("k", "n", "share", "more"), [
    (0, 0, 0.95, 59), (10, 10, 0.95, 49), (58, 58, 0.95, 1), (59, 59, 0.95, 0), (58, 59, 0.95, 34),
    (0, 0, 0.0, 0), (0, 0, 1.0, None), (0, 10**7, 0.95, None),
    (0, 10**4, 0.95, 193_238), (0, 10**20, 0.95, None), (10**20, 10**20, 0.95, 0),
])
def test_how_many_more_prove_a_share(k: int, n: int, share: float, more: int | None) -> None:
    assert needed(k, n, share) == more


@given(cases, st.floats(0.01, 0.99))
def test_needed_is_the_least_that_does(case: tuple[int, int], share: float) -> None:
    k, n = case
    more = needed(k, n, share)
    if more is not None:
        assert lower_bound(k + more, n + more) >= share
        assert more == 0 or lower_bound(k + more - 1, n + more - 1) < share


@pytest.mark.parametrize(("k", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (0, -1, 0.95), (1, 2, 0), (1, 2, 1)])
def test_nonsense_is_refused(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no bounds"):
        lower_bound(k, n, confidence)
    with pytest.raises(ValueError, match="no bounds"):
        upper_bound(k, n, confidence)
