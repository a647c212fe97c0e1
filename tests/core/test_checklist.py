"""The guide's ten criteria: the table of each, and that nothing is met without evidence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.checklist import SIGNABLE, checklist, is_met
from crossfade.core.clock import DAY, HOUR
from crossfade.core.criterion import (
    Answered,
    Counted,
    Documented,
    Facts,
    Failed,
    Mocked,
    Mocks,
    Rehearsed,
    Row,
    Standing,
    Statement,
    Switches,
    Tracked,
    Unknown,
)
from crossfade.core.flag import Stage
from crossfade.core.gate import Fact, Gate, Verdict, judge
from crossfade.core.quality import assess
from crossfade.core.tally import Agreement
from crossfade.core.threshold import Window

from .tally_samples import NOW, WINDOW, quality, tallies

VALID = Gate("quality.validity", "businessMetrics", least=95, sample=20)
P95 = Gate("quality.latency_p95", "businessMetrics", most=250)
ERRORS = Gate("quality.error_rate", "businessMetrics", most=1)
LATENCY_GOOD, LATENCY_BAD = judge(P95, Fact(20, 100)), judge(P95, Fact(300, 100, example="slow"))
FEW = judge(P95, Fact(20, 10))
ERRORS_GOOD, ERRORS_OPEN = judge(ERRORS, Fact(0, 300, k=0)), judge(ERRORS, Fact(0, 100, k=0))
ERRORS_BAD = judge(ERRORS, Fact(10, 300, k=30))
STATED = Statement("ann", NOW, "wiki/metrics tells of all four")
DRILL = Rehearsed(NOW, "a drill by ann", 86_400, 3)


def mocks(*parts: Mocked, hours: int = 30) -> Mocks:
    return Mocks(parts, Window(NOW - hours * HOUR, NOW))


REAL_ONLY = Mocked("a", Stage.REAL_ONLY, served=100, synthetic=0)
RETIRED = replace(REAL_ONLY, stage=Stage.RETIRED)
GOOD: dict[str, Any] = {
    "flags": Switches(14, (), ()), "tracking": Tracked(5, 100, 98, 2, 0), "business": judge(VALID, Fact(100, 60)),
    "aggregation": Counted("2026-09-20", NOW, 30, ()), "quality": (quality(),),
    "latency": Answered((LATENCY_GOOD,), 12.0, 100), "errors": Failed(WINDOW, (ERRORS_GOOD,)), "rollback": DRILL,
    "mocks": mocks(RETIRED), "documentation": Documented(("a",), (), STATED),
}
NAMES = tuple(GOOD)


def row(name: str, **changes: object) -> Row:
    return next(each for each in checklist(Facts(**GOOD | changes)) if each.name == name)


def test_all_ten_are_met_by_evidence() -> None:
    rows = checklist(Facts(**GOOD))
    assert is_met(rows)
    assert [each.number for each in rows] == list(range(1, 11))
    assert [each.name for each in rows] == list(NAMES)
    assert all(each.sentence and each.command.startswith("crossfade ") for each in rows)


def test_what_nobody_looked_at_is_unknown() -> None:
    rows = checklist(Facts())
    assert {each.standing for each in rows} == {Standing.UNKNOWN}
    assert not is_met(rows)


@pytest.mark.parametrize("name", NAMES)
def test_one_that_cannot_be_told_is_unknown_alone(name: str) -> None:
    rows = checklist(Facts(**GOOD | {name: Unknown("the event store is away")}))
    assert [each.name for each in rows if each.standing is not Standing.MET] == [name]
    assert row(name, **{name: Unknown("the event store is away")}).sentence == "Not known: the event store is away."
    assert not is_met(rows)


@pytest.mark.parametrize(("name", "found", "standing", "told"), [
    ("flags", Switches(13, ("use_real_x",), ()), "unmet", "These flags are not there: use_real_x."),
    ("flags", Switches(14, (), ("web-2",)), "unmet", "Not known to have the newest flags: web-2."),
    ("flags", Switches(0, (), ()), "unmet", "not there: all"),
    ("tracking", Tracked(5, 100, 97, 0, 3), "unmet", "3 of 100 events that trackers sent are missing."),
    ("tracking", Tracked(0, 100, 100, 0, 0), "unmet", "No event of the last 24 hours is stored."),
    ("tracking", Tracked(5, 0, 0, 0, 0), "met", "no tracker numbers them"),
    ("business", judge(VALID, Fact(100, 19)), "unknown", "19 measured, where 20 are needed"),
    ("business", judge(VALID, Fact(90, 60)), "unmet", "90, where at least 95"),
    ("business", judge(VALID), "unknown", "nothing was measured"),
    ("aggregation", Counted("2026-09-20", NOW, 30, ("2026-09-18",)), "unmet", "not counted: 2026-09-18"),
    ("aggregation", Counted("2026-09-20", None, 3, ()), "unknown", "Nothing ran on 2026-09-20"),
    ("aggregation", Counted("2026-09-20", NOW, 30, ()), "met", "2026-09-20 was counted at 2026-09-21 14:13 UTC"),
    ("quality", (quality(), quality(valid=500)), "unmet", "Validity is 83.33 %"),
    ("quality", (quality(compared={}),), "unknown", "Nothing was compared yet"),
    ("quality", (quality(calls={}, expected=0, present=0, valid=0, newest=None, compared={}),), "unknown",
     "No real data was read of c."),
    ("quality", (quality(compared={}), quality(
        calls={}, expected=0, present=0, valid=0, newest=None, compared={})), "unknown",
     "would prove 95 %. No real data was read of c."),
    ("quality", (), "unknown", "there is no component"),
    ("quality", (replace(quality(), quality=95.0),), "unmet", "Not above 95 %: c 95 %."),
    ("quality", (replace(quality(), quality=95.1),), "met", "c 95.1 %"),
    ("latency", Answered((LATENCY_GOOD, LATENCY_BAD), 12.0, 100), "unmet", "300, where at most 250 is wanted"),
    ("latency", Answered((LATENCY_GOOD, FEW), 12.0, 100), "unknown", "Not proved yet of 1: it takes more calls."),
    ("latency", Answered((LATENCY_GOOD, judge(P95)), None, 0), "unknown", "Nothing was measured of businessMetrics."),
    ("latency", Answered((LATENCY_GOOD,), 251.0, 59), "unmet", "251 ms. At most 250 ms are wanted."),
    ("latency", Answered((LATENCY_GOOD,), 251.0, 58), "met", "businessMetrics 20 (n = 100)"),
    ("latency", Answered((), 12.0, 100), "unknown", "Nothing was measured of any component."),
    ("errors", Failed(WINDOW, (ERRORS_GOOD, ERRORS_OPEN)), "unknown", "up to 2.951 (n = 100)"),
    ("errors", Failed(WINDOW, (ERRORS_GOOD, ERRORS_BAD)), "unmet", "is 10, where at most 1 is wanted: fail"),
    ("errors", Failed(WINDOW, (ERRORS_GOOD,)), "met", "Since 2026-09-21 13:58 UTC"),
    ("rollback", None, "unmet", "No rollback has been rehearsed"),
    ("rollback", replace(DRILL, problem="web-2 did not answer."), "unmet", "did not work: web-2 did not answer."),
    ("rollback", replace(DRILL, holds=False), "unknown", "but the flags, components or settings have changed since."),
    ("rollback", DRILL, "met", "A drill by ann at 2026-09-21 14:13 UTC had the flags back in 86.4 ms."),
    ("rollback", Rehearsed(NOW, "the way back of rollout 2", None, None), "met", "had the flags back."),
    ("mocks", mocks(RETIRED, replace(REAL_ONLY, stage=Stage.LIVE)), "unmet", "a is live"),
    ("mocks", mocks(replace(REAL_ONLY, synthetic=2)), "unmet", "2 of 100 readings were made up"),
    ("mocks", mocks(REAL_ONLY), "met", "not retired yet: a"),
    ("mocks", mocks(REAL_ONLY, hours=23), "unknown", "known of 23 h"),
    ("mocks", mocks(replace(REAL_ONLY, served=0)), "unknown", "none of 0 readings"),
    ("mocks", mocks(REAL_ONLY, hours=-1), "unknown", "known of 0 h"),
    ("mocks", Mocks((), None), "unknown", "there is no component"),
    ("mocks", Mocks((RETIRED, RETIRED), None), "met", "The mocks of all 2 components are retired."),
    ("documentation", Documented(("a",), (), None), "unknown", "read them, and sign for it"),
    ("documentation", Documented(("a",), ("b",), STATED), "unmet", "The real source of b does not say"),
])
def test_each_row_of_the_tables(name: str, found: object, standing: str, told: str) -> None:
    made = row(name, **{name: found})
    assert made.standing.value == standing
    assert told in made.sentence


def test_what_somebody_states_is_shown_as_stated_and_not_as_measured() -> None:
    made = row("documentation")
    assert made.stated == STATED
    assert made.sentence == ("Stated by ann at 2026-09-21 14:13 UTC, not measured: wiki/metrics tells of all four")
    assert row("documentation", documentation=Documented(("a",), ("b",), STATED)).stated is None
    assert [each.name for each in checklist(Facts(**GOOD)) if each.stated] == list(SIGNABLE)


def test_the_command_of_the_error_rate_looks_at_the_same_span() -> None:
    assert row("errors").command == "crossfade quality --window 2026-09-21T13:58:20Z"


COUNTS = st.integers(-10, 10**6) | st.integers(-2**63, 2**63 - 1)
FIGURES = st.none() | st.floats()
VERDICTS = st.sampled_from([LATENCY_GOOD, LATENCY_BAD, FEW, ERRORS_GOOD, ERRORS_BAD, ERRORS_OPEN, judge(P95)]) | (
    st.builds(judge, st.just(P95), st.builds(Fact, FIGURES, COUNTS)))
WINDOWS = st.builds(Window, COUNTS, COUNTS)
TEXTS = st.lists(st.text(max_size=9), max_size=12).map(tuple)
QUALITIES = st.lists(tallies.map(lambda tally: assess(tally, WINDOW, now=NOW)), max_size=3).map(tuple)
ODD = {
    "flags": st.builds(Switches, COUNTS, TEXTS, TEXTS),
    "tracking": st.builds(Tracked, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    "business": VERDICTS,
    "aggregation": st.builds(Counted, st.text(), st.none() | COUNTS, COUNTS, TEXTS),
    "quality": QUALITIES,
    "latency": st.builds(Answered, st.lists(VERDICTS).map(tuple), FIGURES, COUNTS),
    "errors": st.builds(Failed, WINDOWS, st.lists(VERDICTS).map(tuple)),
    "rollback": st.none() | st.builds(Rehearsed, COUNTS, st.text(), st.none() | COUNTS, COUNTS, st.none() | st.text()),
    "mocks": st.builds(Mocks, st.lists(st.builds(
        Mocked, st.text(), st.sampled_from(list(Stage)), COUNTS, COUNTS)).map(tuple),
        st.none() | WINDOWS),
    "documentation": st.builds(Documented, TEXTS, TEXTS, st.none() | st.builds(
        Statement, st.text(), COUNTS, st.text())),
}


@given(st.fixed_dictionaries({}, optional={name: st.builds(Unknown, st.text()) | odd for name, odd in ODD.items()}))
def test_odd_facts_are_told_too_and_prove_nothing(found: dict[str, Any]) -> None:
    rows = checklist(Facts(**found))
    assert len(rows) == 10
    assert all(each.sentence for each in rows)
    unknown = [each for each in rows if isinstance(found.get(each.name, Unknown("")), Unknown)]
    assert all(each.standing is Standing.UNKNOWN for each in unknown)
    made = {each.name: each.standing is Standing.MET for each in rows}
    if made["quality"]:
        assert all(one.status == "pass" for one in found["quality"])
    for name in ("latency", "errors"):
        if made[name]:
            verdicts: tuple[Verdict, ...] = found[name].sources
            assert verdicts
            assert all(one.status == "pass" for one in verdicts)
    if made["tracking"]:
        assert found["tracking"].events > 0


def test_a_day_is_wanted_and_no_less() -> None:
    window = Window(NOW - DAY + 1, NOW)
    assert row("mocks", mocks=Mocks((REAL_ONLY,), window)).standing is Standing.UNKNOWN
    assert row("mocks", mocks=Mocks((REAL_ONLY,), Window(NOW - DAY, NOW))).standing is Standing.MET


def test_agreement_below_the_proof_is_not_quality() -> None:
    assert row("quality", quality=(quality(compared={"recount": Agreement(50, 50)}),)).standing is Standing.UNKNOWN
