"""Gates: the table of verdicts, and what no figure can do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.binomial import lower_bound, upper_bound
from crossfade.core.dimension import Status
from crossfade.core.gate import NOTHING, Fact, Gate, NoData, at_end, judge

LEAST, MOST = Gate("quality.accuracy", "business", least=95), Gate("quality.error_rate", "business", most=1)


@pytest.mark.parametrize(("gate", "fact", "status"), [
    (LEAST, NOTHING, "no data"),
    (LEAST, Fact(math.nan, 5), "no data"),
    (LEAST, Fact(99, 0), "no data"),
    (LEAST, Fact(99, 10, k=11), "no data"),
    (LEAST, Fact(99, 10, low=9, high=1), "no data"),
    (LEAST, Fact(95, 1), "pass"),
    (LEAST, Fact(94.999, 1), "fail"),
    (LEAST, Fact(100, 58, k=58), "inconclusive"),
    (LEAST, Fact(100, 59, k=59), "pass"),
    (LEAST, Fact(80, 10, k=8), "inconclusive"),
    (LEAST, Fact(50, 10, k=5), "fail"),
    (LEAST, Fact(70, 9, low=70, high=100), "inconclusive"),
    (MOST, Fact(0, 298, k=0), "inconclusive"),
    (MOST, Fact(0, 299, k=0), "pass"),
    (MOST, Fact(10, 100, k=10), "fail"),
    (MOST, Fact(1, 1), "pass"),
    (MOST, Fact(1.001, 1), "fail"),
    (Gate("live.x", most=1, sample=10), Fact(9, 9), "inconclusive"),
    (Gate("live.x", most=1, sample=10), Fact(9, 10), "fail"),
    (Gate("quality.latency_p95", "business", most=250), Fact(900, 58), "inconclusive"),
    (Gate("quality.latency_p95", "business", most=250), Fact(900, 59), "fail"),
    (Gate("quality.latency_p99", "business", most=250), Fact(1, 298), "inconclusive"),
    (Gate("quality.latency_p99", "business", most=250), Fact(1, 299), "pass"),
])
def test_the_table(gate: Gate, fact: Fact, status: str) -> None:
    assert judge(gate, fact).status == status


def test_a_verdict_keeps_its_evidence() -> None:
    verdict = judge(MOST, Fact(10.0, 100, k=10, example="a timeout at noon"))
    assert verdict.gate == "business:quality.error_rate:most"
    assert verdict.evidence.figure == 10
    assert (verdict.evidence.n, verdict.evidence.threshold) == (100, 1)
    assert verdict.evidence.low == 100 * lower_bound(10, 100)
    assert verdict.evidence.high == 100 * upper_bound(10, 100)
    assert verdict.sentence.endswith("For example, a timeout at noon.")
    assert "is 10, where at most 1 is wanted: fail (100 measured" in verdict.sentence


@pytest.mark.parametrize(("no_data", "counts"), [
    (NoData.HOLD, Status.INCONCLUSIVE), (NoData.FAIL, Status.FAIL), (NoData.PASS, Status.PASS)])
def test_what_no_data_means_at_the_end(no_data: NoData, counts: Status) -> None:
    gate = Gate("live.x", least=1, no_data=no_data)
    assert at_end(gate, judge(gate)) is counts
    assert at_end(gate, judge(gate, Fact(0, 1))) is Status.FAIL


@pytest.mark.parametrize(("wrong", "why"), [
    ({}, "either"), ({"least": 1, "most": 2}, "either"), ({"least": math.nan}, "finite"),
    ({"most": math.inf}, "finite"), ({"least": 1, "sample": 0}, "sample"), ({"least": 1, "window": 0}, "window")])
def test_a_gate_that_cannot_be_judged_is_none(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Gate("live.x", **wrong)


FIGURES = st.none() | st.floats()
FACTS = st.builds(Fact, FIGURES, st.integers(-5, 5_000), k=st.none() | st.integers(-5, 5_000),
                  low=FIGURES, high=FIGURES)


@given(FACTS, st.floats(0, 100), st.sampled_from(["least", "most"]))
def test_no_figure_is_too_odd(fact: Fact, threshold: float, side: str) -> None:
    verdict = judge(Gate("live.x", **{side: threshold}), fact)
    assert verdict.sentence
    if verdict.status in {Status.PASS, Status.FAIL}:
        assert fact.value is not None
        assert fact.n >= 1


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0, 100))
def test_at_least_and_at_most_never_both_fail(k: int, n: int, threshold: float) -> None:
    fact = Fact(1.0, max(k, n), k=min(k, n))
    found = {judge(Gate("live.x", least=threshold), fact).status, judge(Gate("live.x", most=threshold), fact).status}
    assert found != {Status.FAIL}
