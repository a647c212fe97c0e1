"""Alerts and recommendations: which conditions hold, what they say, and by what evidence."""

from typing import Any

import pytest
from hypothesis import given

from crossfade.core.advice import recommend
from crossfade.core.alarm import CLOCK, FAILING, LEAK, OLD, SLOW, WRONG, alerts
from crossfade.core.alert import AlertKey, Evidence, Severity
from crossfade.core.clock import SECOND
from crossfade.core.quality import Quality, assess
from crossfade.core.tally import Agreement, Example, Tally
from crossfade.core.threshold import Thresholds, Window

from .tally_samples import NOW, PROVED, WINDOW, quality, tallies

ERRORS = {"errors": {"real": {"timeout": 1}}}


def held(seen: Quality, **more: Any) -> list[tuple[str, str, str]]:
    return [(each.key.check, each.severity.value, each.cause) for each in alerts([seen], **more)]


@pytest.mark.parametrize(("changes", "conditions"), [
    ({}, []),
    ({"served": {"mock/flag": 1_000}, "synthetic": 1_000}, []),
    ({"served": {"real/flag": 99, "mock/fallback": 1}, "synthetic": 1, "undeclared": 1}, []),
    ({"errors": {"real": {"leak": 1}}}, [("mockLeak", "critical", LEAK)]),
    ({"served": {"mock/fallback": 10}}, []),
    ({"served": {"mock/fallback": 11}}, [("fallbacks", "info", FAILING)]),
    ({"served": {"mock/fallback": 50}}, [("fallbacks", "info", FAILING)]),
    ({"served": {"mock/fallback": 51}}, [("fallbacks", "warning", FAILING)]),
    ({"calls": {"real": 1_000}, "errors": {"real": {"timeout": 5}}}, []),
    ({"calls": {"real": 1_000}, "errors": {"real": {"timeout": 3, "failed": 3}}}, [("errors", "info", FAILING)]),
    ({"calls": {"real": 100}, **ERRORS}, []),
    ({"calls": {"real": 99}, **ERRORS}, [("errorRate", "warning", FAILING)]),
    ({"calls": {"real": 10}, **ERRORS},
     [("errorRate", "warning", FAILING), ("completeness", "warning", FAILING)]),
    ({"newest": (NOW, NOW - 300 * SECOND)}, []),
    ({"newest": (NOW, NOW - 301 * SECOND)}, [("stale", "warning", OLD)]),
    ({"newest": (NOW, NOW - 301 * SECOND), **ERRORS}, [("stale", "warning", FAILING)]),
    ({"newest": (NOW, NOW + 2 * SECOND)}, [("clock", "warning", CLOCK)]),
    ({"ahead": 1}, [("clock", "warning", CLOCK)]),
    ({"present": 569, "valid": 569}, [("completeness", "warning", WRONG)]),
    ({"present": 570, "valid": 570}, []),
    ({"valid": 569}, [("validity", "critical", WRONG)]),
    ({"valid": 570}, []),
    ({"compared": {"recount": Agreement(9_999, 10_000)}}, [("accuracy", "warning", WRONG)]),
    ({"compared": {"recount": Agreement(95, 100)}}, [("accuracy", "warning", WRONG)]),
    ({"compared": {"recount": Agreement(94, 100)}}, [("accuracy", "critical", WRONG)]),
    ({"compared": {"second_reader": Agreement(95, 100)}}, []),
    ({"compared": {"second_reader": Agreement(94, 100)}}, [("accuracy", "critical", WRONG)]),
    ({"compared": {"legacy": Agreement(95, 100)}}, []),
    ({"compared": {"legacy": Agreement(94, 100)}}, [("consistency", "warning", WRONG)]),
    ({"compared": {"recount": Agreement(1, 1)}}, []),
    ({"compared": {}}, []),
    ({"latency": {250: 94, 300: 6}}, [("latency", "warning", SLOW)]),
    ({"latency": {250: 95, 300: 5}}, []),
])
def test_the_table_of_conditions(changes: dict[str, Any], conditions: list[tuple[str, str, str]]) -> None:
    assert held(quality(**changes)) == conditions


def test_no_data_is_only_missed_where_the_flag_asks_for_it() -> None:
    seen = assess(Tally("c"), WINDOW, now=NOW)
    assert held(seen) == held(seen, real={"d"}) == []
    assert held(seen, real={"c"}) == [("noData", "warning", FAILING)]
    assert held(quality(), real={"c"}) == []


def test_one_outage_has_one_cause() -> None:
    seen = quality(calls={"real": 100}, errors={"real": {"timeout": 100}}, expected=0, present=0, valid=0,
                   newest=(NOW, NOW - 900 * SECOND), served={"mock/fallback": 100}, undeclared=100, synthetic=100)
    found = alerts([seen])
    assert {each.key.check for each in found} == {
        "fallbacks", "errors", "errorRate", "stale", "completeness"}
    assert {each.cause for each in found} == {FAILING}


def test_a_condition_brings_its_evidence() -> None:
    example = Example(NOW, "mismatch", "file_processed", "the recount says 8, for 12:00 to 12:01", "7")
    seen = quality(compared={"recount": Agreement(9_999, 10_000)}, examples=(example,))
    (found,) = alerts([seen])
    assert found.key == AlertKey("c", "accuracy")
    assert found.message == "1 of 10,000 compared windows of c do not agree (99.99 % do)."
    assert found.evidence == Evidence(99.99, 95.0, 10_000, example.words)
    assert found.severity is Severity.WARNING


def test_thresholds_can_be_others() -> None:
    seen = quality(latency={200: 100})
    assert held(seen) == []
    assert held(seen, thresholds=Thresholds(p95_ms=1)) == [("latency", "warning", SLOW)]


@given(tallies)
def test_nothing_makes_it_fail(found: Tally) -> None:
    seen = assess(found, Window(0, NOW), now=NOW)
    conditions = alerts([seen, quality()], real={"c"})
    keys = [each.key for each in conditions]
    assert len(set(keys)) == len(keys)
    for each in conditions:
        assert each.message
        assert each.evidence.figure is not None or each.key.check == "clock"
    for advice in recommend([seen]):
        assert advice.text


@pytest.mark.parametrize(("changes", "check", "text"), [
    ({"served": {"real/flag": 89, "mock/fallback": 11}}, "fallbacks",
     ("High fallback rate for c. Check data availability. (11 of 100 readings fell back to the mock; "
      "more than 10 are too many.)")),
    ({"calls": {"real": 1_000}, "errors": {"real": {"timeout": 6}},
      "examples": (Example(NOW, "error", "", "no answer", "timeout"),)}, "errors",
     ("Multiple errors in c. Review error logs. (6 of 1,000 calls failed; more than 5 are too many. "
      "The newest: timeout: no answer.)")),
    ({"compared": {"recount": Agreement(94, 100)}}, "accuracy",
     "Low data accuracy in c. Validate data sources. (94 of 100 windows agree: 94 %, where 95 % is wanted.)"),
    ({"compared": {"recount": Agreement(999, 1_000)}}, "accuracy",
     ("c differs from the recount. Run `crossfade audit`. (999 of 1,000 windows agree: 99.9 %, where 95 % is "
      "wanted.)")),
    ({"compared": {"recount": Agreement(10, 10)}}, "accuracy",
     ("Wait for more windows of c to be compared. (10 of 10 agree, which proves 74.11 %; 49 more that agree would "
      "prove 95 %.)")),
    ({"present": 500, "valid": 500}, "completeness",
     ("Values of c are missing. Check that its collectors run. (Completeness is 83.33 %, where 95 % is wanted: "
      "500 of 600 expected values were there.)")),
    ({"valid": 599}, "validity",
     ("Values of c are not what they should be. Mend the source or the model's checks. (Validity is 99.83 %: "
      "599 of 600 values passed their checks.)")),
    ({"newest": (NOW, NOW - 400 * SECOND)}, "freshness",
     ("Data of c stands still. Check that events arrive and are loaded. (The newest is 400 s old; 300 s are "
      "allowed.)")),
    ({"ahead": 2}, "clock",
     "Set the clocks of whatever feeds c. (2 of 100 answers had data from the future.)"),
    ({"latency": {300: 100}}, "latency",
     ("The real source of c is slow. Look at its queries. (P95 of 100 calls is 1,598 ms; 250 ms are allowed.)")),
])
def test_recommendations_cite_their_evidence(changes: dict[str, Any], check: str, text: str) -> None:
    (advice,) = recommend([quality(**changes)])
    assert (advice.component, advice.check, advice.text) == ("c", check, text)
    assert advice.n > 0


def test_who_does_well_needs_no_advice() -> None:
    assert recommend([quality(compared=PROVED)]) == ()
