"""A healthy system passes every gate that can be passed, once enough was measured; and what a plan asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.dimension import Status
from crossfade.core.fact import ALERTS, EVENTS, PLAIN, SHARES
from crossfade.core.freeze import Freeze
from crossfade.core.gate import Gate, NoData, When, judge
from crossfade.core.healthy import healthy
from crossfade.core.plan import Phase, Plan
from crossfade.core.wanted import wanted

PROVED = ["ledger.completeness", *(f"quality.{name}" for name in SHARES)]
OTHERS = [*(f"quality.{name}" for name in PLAIN if name not in {"calls", "served"}),
          *(f"ledger.{name}" for name in EVENTS if name != "completeness"), *(f"alerts.{name}" for name in ALERTS),
          "live.system.errorRate"]


@given(st.sampled_from(OTHERS), st.floats(-1e6, 1e6), st.booleans())
def test_a_figure_is_on_the_right_side(figure: str, limit: float, least: bool) -> None:
    gate = Gate(figure, "x", least=limit) if least else Gate(figure, "x", most=limit)
    assert judge(gate, healthy(gate, HOUR)).status is Status.PASS


@given(st.sampled_from(PROVED), st.floats(1, 99), st.booleans(), st.integers(1, DAY), st.integers(0, DAY))
def test_a_share_is_proved_in_time_and_stays_so(figure: str, limit: float, least: bool, watched: int,
                                                more: int) -> None:
    gate = Gate(figure, "x", least=limit) if least else Gate(figure, "x", most=limit)
    assert judge(gate, healthy(gate, DAY)).status is Status.PASS
    one, other = (judge(gate, healthy(gate, span)) for span in (watched, watched + more))
    assert one.evidence.n <= other.evidence.n
    assert one.status is not Status.FAIL
    assert one.status is not Status.PASS or other.status is Status.PASS


def test_who_asks_for_more_than_comes_waits() -> None:
    gate = Gate("quality.error_rate", "x", most=1)
    assert judge(gate, healthy(gate, 298 * SECOND)).status is Status.INCONCLUSIVE
    assert judge(gate, healthy(gate, 299 * SECOND)).status is Status.PASS
    assert judge(Gate("live.a.b", most=1, sample=2), healthy(Gate("live.a.b", most=1), DAY)).status \
        is Status.INCONCLUSIVE
    assert judge(Gate("quality.calls", "x", least=100), healthy(Gate("quality.calls", "x", least=100), MINUTE)) \
        .status is Status.FAIL


def test_what_a_plan_asks_for_is_told() -> None:
    friday = Freeze(("fri",), "12:00", "00:00")
    gates = (Gate("quality.accuracy", "businessMetrics", least=95, judged=When.AT_END),
             Gate("quality.error_rate", "businessMetrics", most=0),
             Gate("quality.errors", "businessMetrics", most=5, sample=20, no_data=NoData.FAIL))
    phase = Phase("A", {"use_real_business_metrics": True}, HOUR, DAY, gates, ramp=(5, 100), approval=True,
                  needs=("use_real_system_metrics",))
    assert wanted(Plan("p", (phase,), (friday,))) == (
        "A: watched for 2 h by all processes, and passed within 1 d.",
        "A: use_real_system_metrics on for every viewer before.",
        "A: approved by somebody.",
        "A: no step fri 12:00 to 00:00 (UTC).",
        ("A: businessMetrics: quality.accuracy at least 95, at the soak's end, proved by 59 without an exception, "
         "or more with some; with nothing measured it waits."),
        ("A: businessMetrics: quality.error_rate at most 0, all the time, which nothing can prove: no number of looks "
         "excludes the opposite."),
        "A: businessMetrics: quality.errors at most 5, all the time, made of 20; with nothing measured it fails.",
    )


@pytest.mark.parametrize("figure", ["quality.error_rate", "ledger.completeness"])
def test_proofs_that_are_named_are_those_that_pass(figure: str) -> None:
    gate = Gate(figure, "" if figure.startswith("ledger") else "x", least=99.5) if figure.startswith("ledger") \
        else Gate(figure, "x", most=0.5)
    told = wanted(Plan("p", (Phase("A", {}, HOUR, DAY, (gate,)),)))[1]
    assert "proved by 598 without" in told
