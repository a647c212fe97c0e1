"""Faults: where they are placed, and what each does to what is measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, MINUTE
from crossfade.core.dimension import Status
from crossfade.core.fact import ALERTS, EVENTS, PLAIN, SHARES
from crossfade.core.fault import FAULTS, FaultError, Placed, place, spoil
from crossfade.core.gate import NOTHING, Fact, Gate, judge
from crossfade.core.healthy import healthy
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse

PLAN = parse(DEFAULT)
assert isinstance(PLAN, Plan)
BUSINESS = "businessMetrics"
FIGURES = [*(f"quality.{name}" for name in (*SHARES, *PLAIN)), *(f"ledger.{name}" for name in EVENTS),
           *(f"alerts.{name}" for name in ALERTS), "live.system.errorRate", "live.system.responseTimeP95",
           "live.business.activeUsers"]


def spoilt(fault: str, figure: str, component: str = BUSINESS, age: int = MINUTE, **limit: float) -> Status:
    gate = Gate(figure, component, **limit)
    return judge(gate, spoil(FAULTS[fault], gate, healthy(gate, HOUR), age)).status


@pytest.mark.parametrize(("fault", "figure", "limit", "status"), [
    ("bad-accuracy", "quality.accuracy", {"least": 95}, Status.FAIL),
    ("bad-accuracy", "quality.quality", {"least": 95}, Status.FAIL),
    ("bad-accuracy", "quality.mismatches", {"most": 0}, Status.FAIL),
    ("bad-accuracy", "alerts.critical", {"most": 0}, Status.FAIL),
    ("bad-accuracy", "alerts.info", {"most": 0}, Status.PASS),
    ("bad-accuracy", "quality.latency_p95", {"most": 250}, Status.PASS),
    ("missing-events", "ledger.missing", {"most": 0}, Status.FAIL),
    ("missing-events", "ledger.completeness", {"least": 99}, Status.FAIL),
    ("slow-source", "quality.latency_p95", {"most": 250}, Status.FAIL),
    ("slow-source", "live.system.responseTimeP95", {"most": 250}, Status.FAIL),
    ("slow-source", "live.system.errorRate", {"most": 1}, Status.PASS),
    ("source-down", "quality.error_rate", {"most": 1}, Status.FAIL),
    ("source-down", "quality.freshness", {"most": 30}, Status.FAIL),
    ("source-down", "quality.validity", {"least": 95}, Status.NO_DATA),
    ("source-down", "live.system.errorRate", {"most": 1}, Status.NO_DATA),
    ("error-rate", "quality.error_rate", {"most": 1}, Status.FAIL),
    ("error-rate", "quality.error_rate", {"most": 20}, Status.PASS),
    ("error-rate", "live.system.errorRate", {"most": 1}, Status.FAIL),
    ("mock-leak", "quality.leaks", {"most": 0}, Status.FAIL),
    ("source-down", "quality.leaks", {"most": 0}, Status.PASS),
    ("stale-data", "quality.freshness", {"most": 30}, Status.FAIL),
    ("invalid-values", "quality.validity", {"least": 95}, Status.FAIL),
    ("clock-wrong", "quality.clock_errors", {"most": 0}, Status.FAIL),
    ("no-traffic", "quality.calls", {"least": 1}, Status.NO_DATA),
    ("no-traffic", "ledger.missing", {"most": 0}, Status.NO_DATA),
    ("no-traffic", "live.system.errorRate", {"most": 1}, Status.PASS),
    ("alert", "alerts.any", {"most": 0}, Status.FAIL),
    ("crash", "quality.quality", {"least": 95}, Status.PASS),
])
def test_what_a_fault_does_to_a_gate(fault: str, figure: str, limit: dict[str, float], status: Status) -> None:
    assert spoilt(fault, figure, **limit) is status


def test_only_what_is_fed_by_events_feels_that_some_are_missing() -> None:
    assert spoilt("missing-events", "quality.completeness", "systemMetrics", least=95) is Status.PASS
    assert spoilt("missing-events", "quality.completeness", "historicalData", least=95) is Status.FAIL


def test_a_flapping_source_is_there_by_turns() -> None:
    found = [spoilt("flapping", "live.system.errorRate", "", minute * MINUTE, most=1) for minute in range(4)]
    assert found == [Status.NO_DATA, Status.PASS, Status.NO_DATA, Status.PASS]


def test_data_that_stands_still_becomes_older() -> None:
    ages = [spoil(FAULTS["stale-data"], Gate("quality.freshness", BUSINESS, most=1), Fact(1, 5), age).value
            for age in (0, MINUTE, HOUR)]
    assert ages == [1, 61, 3601]


FIGURE, LIMIT = st.sampled_from(FIGURES), st.floats(-200, 200)
SOME_GATES = (st.builds(Gate, FIGURE, st.just(BUSINESS), least=LIMIT)
              | st.builds(Gate, FIGURE, st.just(BUSINESS), most=LIMIT))


@given(st.sampled_from(sorted(FAULTS)), SOME_GATES, st.integers(0, 10 * HOUR), st.booleans())
def test_no_fault_makes_a_figure_that_cannot_be(fault: str, gate: Gate, age: int, known: bool) -> None:
    fact = spoil(FAULTS[fault], gate, healthy(gate, age) if known else NOTHING, age)
    assert fact.k is None or 0 <= fact.k <= fact.n
    judge(gate, fact)


@pytest.mark.parametrize(("text", "placed"), [
    ("crash", Placed(FAULTS["crash"])),
    ("crash@5B", Placed(FAULTS["crash"], phase=1)),
    (" crash @ 5b SYSTEM ", Placed(FAULTS["crash"], phase=1)),
    ("freeze@infra", Placed(FAULTS["freeze"], phase=3)),
    ("crash@+10min", Placed(FAULTS["crash"], after=10 * MINUTE)),
])
def test_where_a_fault_is_placed(text: str, placed: Placed) -> None:
    assert place(text, PLAN) == placed


@pytest.mark.parametrize(("text", "said"), [
    ("flood", "there is no fault 'flood'; there are: bad-accuracy, missing-events"),
    ("crash@5", "more than one phase of the plan; there are: 5A business"),
    ("crash@9", "'9' is no phase"),
    ("crash@+soon", "'soon' is no duration"),
    ("", "there is no fault ''"),
])
def test_what_is_no_fault_is_said(text: str, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        place(text, PLAN)
