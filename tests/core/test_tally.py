"""Tallies: sums of a fixed size that add up in any order."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.check import Failure
from crossfade.core.clock import SECOND
from crossfade.core.comparison import Comparison, Reference, Tolerance, compare
from crossfade.core.observation import ErrorKind, Observation, Served
from crossfade.core.reading import Origin, Reason
from crossfade.core.sketch import MOST, bucket, quantiles_ms
from crossfade.core.tally import KEPT, Agreement, Example, Tally, decode, encode, merge, merge_all

NOW = 1_790_000_000_000_000

texts = st.sampled_from(["a", "b", "c", "ü" * 90, "\x00" * 400])
moments = st.integers(NOW, NOW + 5 * SECOND)
observations = st.builds(
    Observation, st.just("c"), st.sampled_from(Origin), moments, st.integers(0, 10**10),
    st.none() | st.integers(NOW - 9 * SECOND, NOW + 9 * SECOND), st.none() | st.sampled_from(ErrorKind), texts,
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9),
    st.lists(st.builds(Failure, texts, texts, texts) | st.just(Failure("asOf", "x", "y")), max_size=5).map(tuple))
comparisons = st.builds(
    Comparison, st.just("c"), texts, moments, moments, st.none() | st.integers(0, 3), st.none() | st.integers(0, 3),
    st.sampled_from(Reference), st.just(Tolerance()), st.booleans(), st.sampled_from([0.0, 1.0]), moments)
servings = st.builds(Served, st.just("c"), moments, st.sampled_from(Origin), st.sampled_from(Reason), st.booleans(),
                     st.integers(0, 9))
facts = st.lists(observations | comparisons | servings, max_size=30)


def tally_of(seen: list[Observation | Comparison | Served]) -> Tally:
    tally = Tally("c")
    for fact in seen:
        tally.add(fact)
    return tally


def observation(**changes: object) -> Observation:
    seen = Observation("c", Origin.REAL, NOW, 2_000, NOW - SECOND, None, None, 6, 6, 6)
    return msgspec.structs.replace(seen, **changes)


def test_what_a_tally_counts() -> None:
    tally = tally_of([
        observation(),
        observation(at=NOW + 9, as_of=NOW - 3 * SECOND, present=5, valid=4, failures=(Failure("f", "-1", "below 0"),)),
        observation(at=NOW + 8, as_of=None, error_kind=ErrorKind.TIMEOUT, error="late", expected=0, present=0, valid=0),
        observation(source=Origin.MOCK, latency_us=10**9, at=NOW + 10),
        observation(source=Origin.MOCK, error_kind=ErrorKind.FAILED, error="no"),
        compare("c", "f", 7, 7, Reference.RECOUNT, window=(NOW, NOW + SECOND), at=NOW),
        compare("c", "f", 7, 8, Reference.RECOUNT, window=(NOW, NOW + SECOND), at=NOW),
        compare("c", "f", 7, 8, Reference.LEGACY, window=(NOW, NOW + SECOND), at=NOW, again=9),
        Served("c", NOW, Origin.REAL, Reason.FLAG, count=5),
        Served("c", NOW, Origin.MOCK, Reason.FALLBACK, synthetic=True, count=2),
        Served("c", NOW, Origin.MOCK, Reason.FLAG, synthetic=True),
    ])
    tally.add_shed(3)
    assert (tally.since, tally.until) == (NOW, NOW + 10)
    assert tally.calls == {"real": 3, "mock": 2}
    assert tally.errors == {"real": {"timeout": 1}, "mock": {"failed": 1}}
    assert (tally.expected, tally.present, tally.valid) == (12, 11, 10)
    assert tally.newest == (NOW + 9, NOW - 3 * SECOND)
    assert tally.oldest_age == 3 * SECOND + 9
    assert tally.served == {"real/flag": 5, "mock/fallback": 2, "mock/flag": 1}
    assert (tally.synthetic, tally.undeclared, tally.shed, tally.ahead) == (3, 2, 3, 0)
    assert tally.compared == {"recount": Agreement(1, 2), "legacy": Agreement(1, 1, 1)}
    assert quantiles_ms(tally.latency, 0.5, 0.99) == pytest.approx((2, 2), rel=0.02)
    assert [example.words for example in tally.examples] == [
        "f is -1: below 0", "timeout: late",
        "f is 7: the recount says 8, for 2026-09-21T14:13:20Z to 2026-09-21T14:13:21Z",
    ]


def test_data_from_the_future_is_counted() -> None:
    tally = tally_of([observation(as_of=NOW + 9 * SECOND, failures=(Failure("asOf", "x", "lies in the future"),))])
    assert tally.ahead == 1
    assert tally.oldest_age == -9 * SECOND


def test_examples_are_the_newest_of_each_sort_and_none_comes_twice() -> None:
    tally = Tally("c")
    for step in range(50):
        tally.add(observation(at=NOW + step, failures=(
            Failure("same", str(step), "wrong"), Failure(f"field{step % 7}", "x", "wrong"))))
        tally.add(observation(at=NOW + step, error_kind=ErrorKind.FAILED, error=f"error {step}"))
    assert [(each.sort, each.field, each.value, each.reason) for each in tally.examples] == [
        ("invalid", "same", "49", "wrong"), ("invalid", "field0", "x", "wrong"),
        ("error", "", "failed", "error 49"), ("error", "", "failed", "error 48"),
    ]


@given(facts, facts, facts)
def test_merging_is_associative_and_commutative(one: list, two: list, three: list) -> None:
    a, b, c = tally_of(one), tally_of(two), tally_of(three)
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, Tally("c")) == merge(Tally("c"), a) == a
    assert merge_all("c", [a, b, c]) == merge(merge(a, b), c)


@given(facts, facts)
def test_adding_is_merging(one: list, two: list) -> None:
    assert tally_of([*one, *two]) == merge(tally_of(one), tally_of(two))


@given(facts)
def test_merging_leaves_its_parts_alone(seen: list) -> None:
    tally, before = tally_of(seen), tally_of(seen)
    merge(tally, tally)
    merged = merge(tally, Tally("c"))
    merged.add(observation())
    merged.add(compare("c", "f", 1, 1, Reference.RECOUNT, window=(0, 1), at=0))
    merged.add(Served("c", NOW, Origin.REAL, Reason.FLAG))
    merged.add(observation(source=Origin.MOCK, error_kind=ErrorKind.FAILED))
    assert tally == before


@given(facts)
def test_a_tally_goes_to_json_and_back(seen: list) -> None:
    tally = tally_of(seen)
    assert decode(encode(tally)) == tally
    assert merge(decode(encode(tally)), tally) == merge(tally, tally)


@given(st.lists(st.integers(0, 10**8), max_size=400), st.lists(st.integers(0, 10**8), max_size=400),
       st.lists(st.integers(0, 10**8), max_size=400))
def test_a_sketch_keeps_its_slow_end_whatever_the_order(one: list[int], two: list[int], three: list[int]) -> None:
    a, b, c = (tally_of([observation(latency_us=latency) for latency in part]) for part in (one, two, three))
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert left.latency == right.latency
    assert len(left.latency) <= MOST
    assert sum(left.latency.values()) == len(one) + len(two) + len(three)
    if one + two + three:
        exact = max(one + two + three)
        assert quantiles_ms(left.latency, 1.0)[0] == pytest.approx(max(exact / 1_000, 0.01), rel=0.0201)


def test_a_sketch_that_is_full_counts_the_quick_calls_in_its_lowest_bucket() -> None:
    tally = tally_of([observation(latency_us=int(1.05**step)) for step in range(50, 370)])
    assert len(tally.latency) == MOST
    assert sum(tally.latency.values()) == 320
    numbers = sorted({bucket(int(1.05**step)) for step in range(50, 370)})
    assert sorted(tally.latency) == numbers[-MOST:]
    assert tally.latency[numbers[-MOST]] > 200


def test_a_tally_stays_small_whatever_comes() -> None:
    tally = Tally("businessMetrics")
    for step in range(3_000):
        failures = tuple(Failure(f"field{step}{'x' * 500}", "y" * 40, "z" * 500) for _ in range(5))
        for source in Origin:
            tally.add(Observation("businessMetrics", source, NOW + step, int(1.01**step), NOW, ErrorKind.FAILED,
                                  f"{step}" + "e" * 200, 10**6, 10**6, 10**6, 5, failures))
        for kind in Reference:
            tally.add(compare("businessMetrics", "f" * 500, step, -1, kind, window=(step, NOW), at=step))
        for reason in Reason:
            tally.add(Served("businessMetrics", NOW, Origin.REAL, reason, count=10**6))
    assert len(encode(tally)) < 3_500
    assert len(tally.examples) == 3 * KEPT


def test_an_ordinary_minute_is_some_hundred_bytes() -> None:
    tally = tally_of([observation(at=NOW + step * SECOND, latency_us=1_000 + 37 * step) for step in range(60)])
    tally.add(Served("c", NOW, Origin.REAL, Reason.FLAG, count=600))
    tally.add(compare("c", "f", 7, 7, Reference.RECOUNT, window=(NOW, NOW), at=NOW))
    assert len(encode(tally)) < 1_000


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert decode(b'{"component":"c","calls":{"real":1,"psychic":2},"aura":{"x":[1]},"examples":[{"at":1,'
                  b'"sort":"invalid","field":"f","hue":3}]}') == Tally(
        "c", calls={"real": 1, "psychic": 2}, examples=(Example(1, "invalid", "f"),))


def test_another_components_facts_are_refused() -> None:
    with pytest.raises(ValueError, match="a tally of c cannot take in what is of d"):
        Tally("c").add(Served("d", NOW, Origin.REAL, Reason.FLAG))
    with pytest.raises(ValueError, match="a tally of c cannot take in what is of d"):
        merge(Tally("c"), Tally("d"))
