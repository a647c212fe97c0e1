"""What gates look at: every figure there is can be read, of whatever was measured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core import fact
from crossfade.core.alert import Alert, AlertKey, Evidence, Severity
from crossfade.core.alert import Status as AlertStatus
from crossfade.core.dimension import Status
from crossfade.core.gate import NOTHING, Fact, Gate, judge
from crossfade.core.ledger import Standing
from crossfade.core.quality import assess
from crossfade.core.tally import Agreement, Tally

from .tally_samples import NOW, WINDOW, quality, tallies

WHOLE = Gate("quality.quality", "c", least=95)


@given(tallies, st.sampled_from(fact.FIGURES["quality"]))
def test_every_figure_of_quality_is_judged(found: Tally, name: str) -> None:
    assert judge(Gate(f"quality.{name}", "c", most=1), fact.of_quality(assess(found, WINDOW, now=NOW), name)).sentence


@given(tallies)
def test_the_whole_passes_and_fails_as_quality_does(found: Tally) -> None:
    seen = assess(found, WINDOW, now=NOW)
    verdict = judge(WHOLE, fact.of_quality(seen, "quality")).status
    if seen.calls > 0 and seen.quality is not None:
        assert verdict == seen.status
    else:
        assert verdict is Status.NO_DATA


@pytest.mark.parametrize(("changes", "status"), [
    ({}, "pass"), ({"valid": 500}, "fail"), ({"compared": {"recount": Agreement(10, 10)}}, "inconclusive"),
    ({"compared": {}}, "inconclusive"), ({"compared": {"recount": Agreement(1, 10)}}, "fail"),
    ({"compared": {"recount": Agreement(10, 10)}, "valid": 500}, "fail"),
])
def test_quality_that_is_not_proved_does_not_fail(changes: dict[str, Any], status: str) -> None:
    assert judge(WHOLE, fact.of_quality(quality(**changes), "quality")).status == status


def test_shares_are_judged_by_their_counts() -> None:
    seen = quality(errors={"real": {"timeout": 2}}, served={"real/flag": 90, "mock/fallback": 10, "mock/flag": 900})
    assert (fact.of_quality(seen, "error_rate").k, fact.of_quality(seen, "error_rate").n) == (2, 100)
    assert (fact.of_quality(seen, "fallback_rate").k, fact.of_quality(seen, "fallback_rate").n) == (10, 100)
    assert (fact.of_quality(seen, "accuracy").k, fact.of_quality(seen, "accuracy").n) == (100, 100)
    assert fact.of_quality(seen, "consistency") == NOTHING


def test_readings_that_were_to_be_mock_do_not_prove_that_none_fell_back() -> None:
    seen = quality(served={"real/flag": 5, "mock/flag": 995})
    assert fact.of_quality(seen, "fallback_rate") == Fact(0, 5, k=0)


def test_the_ledgers_figures() -> None:
    standing = Standing(100, 80, 79, 1, {"invalid": 2, "key": 1}, {"overflow": 4}, 10, 3)
    found = {name: fact.of_ledger(standing, name).value for name in fact.EVENTS}
    assert found == {"completeness": 100 * 80 / 90, "sent": 100, "stored": 79, "waiting": 10, "missing": 3,
                     "rejected": 3, "dropped": 4}
    assert fact.of_ledger(Standing(0, 0, 0, 0, {}, {}, 0, 0), "completeness") == NOTHING


def test_open_alerts_are_counted() -> None:
    def alert(component: str, severity: Severity, status: AlertStatus = AlertStatus.OPEN) -> Alert:
        return Alert(AlertKey(component, "x"), severity, "cause", f"{component} is bad", Evidence(), status, 0)

    alerts = [alert("a", Severity.CRITICAL), alert("b", Severity.WARNING, AlertStatus.ACKNOWLEDGED),
              alert("a", Severity.CRITICAL, AlertStatus.CLOSED), alert("a", Severity.CRITICAL, AlertStatus.PENDING)]
    assert [fact.of_alerts(alerts, name).value for name in ("any", "critical", "warning", "info")] == [2, 1, 1, 0]
    assert fact.of_alerts(alerts, "any", "b") == Fact(1, 1, example="b is bad")


@pytest.mark.parametrize(("value", "found"), [(3, Fact(3, 1)), (2.5, Fact(2.5, 1)), (None, NOTHING), ("3", NOTHING),
                                              (True, NOTHING), (float("nan"), NOTHING), (10**400, NOTHING)])
def test_a_live_figure_is_a_number(value: object, found: Fact) -> None:
    assert fact.of_live(value) == found


@pytest.mark.parametrize("figure", ["quality.accuracy", "ledger.missing", "live.system.errorRate", "alerts.critical"])
def test_there_are_figures(figure: str) -> None:
    assert fact.refusal(figure) is None


@pytest.mark.parametrize("figure", ["", "quality", "quality.", "live.", "live.a..b", "ledger.x", "alerts.bad", "x.y"])
def test_there_are_no_others(figure: str) -> None:
    assert "there is no figure" in (fact.refusal(figure) or "")


def test_what_is_not_there_is_not_read() -> None:
    with pytest.raises(ValueError, match="no figure"):
        fact.of_quality(quality(), "sentence")
    with pytest.raises(ValueError, match="no figure"):
        fact.of_ledger(Standing(0, 0, 0, 0, {}, {}, 0, 0), "gaps")
