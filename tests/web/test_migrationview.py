"""The verdict in a sentence, and the rows of the components."""

import msgspec
import pytest

from crossfade.core.clock import SECOND
from crossfade.core.comparison import Reference
from crossfade.core.flag import Flags, Stage
from crossfade.core.quality import Quality, assess
from crossfade.core.tally import Agreement, Tally
from crossfade.core.threshold import GUIDE, Window
from crossfade.state.flags import FlagRow
from crossfade.web.migrationview import cells, rows, stops, verdict, why

from .page_samples import COMPONENTS, NOW

WINDOW = Window(NOW - 900 * SECOND, NOW)
PARTS = {component.name: component for component in COMPONENTS}


def quality(name: str = "businessMetrics", agreeing: int = 59, compared: int = 59, *, valid: int = 100,
            undeclared: int = 0, errors: int = 0) -> Quality:
    """Of a hundred good calls."""
    tally = Tally(name, calls={"real": 100}, expected=100, present=100, valid=valid, newest=(NOW, NOW), oldest_age=0,
                  served={"real/flag": 100}, undeclared=undeclared, synthetic=undeclared)
    if errors:
        tally.errors = {"real": {"failed": errors}}
    if compared:
        tally.compared = {Reference.RECOUNT.value: Agreement(agreeing, compared)}
    return assess(tally, WINDOW, now=NOW)


def unread(name: str = "businessMetrics") -> Quality:
    return assess(Tally(name), WINDOW, now=NOW)


@pytest.mark.parametrize(("found", "sentence", "tone"), [
    ([quality(), quality("historicalData", 41, 41)],
     "1 of 2 ready; historicalData held: 41 of 59 windows compared", "open"),
    ([quality(), quality("systemMetrics")], "2 of 2 ready", "pass"),
    ([quality(valid=50), quality("historicalData", 41, 41)],
     "0 of 2 ready; businessMetrics fails: validity 50 %, where 95 % is wanted", "fail"),
    ([quality(compared=0)], "0 of 1 ready; businessMetrics held: no window compared yet", "open"),
    ([unread(), unread("systemMetrics")],
     "0 of 2 ready; businessMetrics not measured (and 1 more): its real source is not read", "none"),
    ([], "0 of 0 ready", "none"),
    ([quality(undeclared=3)],
     "1 of 1 ready; 3 made-up readings of businessMetrics were shown in place of real ones", "fail"),
])
def test_the_verdict_is_one_sentence(found: list[Quality], sentence: str, tone: str) -> None:
    told = verdict(found, PARTS)
    assert (told.sentence.replace("\u00a0", " "), told.tone) == (sentence, tone)


def test_what_else_is_to_be_known_stands_behind() -> None:
    assert verdict([quality()], PARTS, ("the rollout guide is paused: lunch",)).sentence == \
        "1 of 1 ready; the rollout guide is paused: lunch"


def test_what_nobody_reads_neither_fails_nor_is_held() -> None:
    found = [quality(valid=50), quality("historicalData", 41, 41)]
    assert verdict(found, {"historicalData"}).sentence == "0 of 2 ready; historicalData held: 41 of 59 windows compared"
    assert verdict(found, ()).sentence == \
        "0 of 2 ready; businessMetrics not measured (and 1 more): its real source is not read"
    assert verdict([quality()], ()).sentence == "1 of 1 ready"


def test_who_is_ready_needs_no_reason() -> None:
    assert why(quality()) == ""


@pytest.mark.parametrize("at", list(Stage))
def test_the_way_goes_through_one_stage(at: Stage) -> None:
    standings = [stop.standing for stop in stops(at)]
    here = standings.index("here")
    assert standings == ["passed"] * here + ["here"] + ["ahead"] * (len(standings) - here - 1)
    assert stops(at)[here].name == at.value


def test_each_figure_stands_beside_its_limit() -> None:
    slow = msgspec.structs.replace(quality(errors=2), latency_p95=250.1, error_rate=1.0)
    told = {cell.label: cell for cell in cells(slow, GUIDE)}
    assert (told["P95"].tone, told["P95"].hint) == ("fail", "limit 250\u00a0ms, of 100 calls")
    assert told["Error rate"].tone == "pass", "what is at its limit is good"
    assert told["Reference"].text == "recount, n\u00a0=\u00a059"
    assert told["Reference"].hint.startswith("59 agree, which proves 95.0")


def test_what_nobody_measured_is_neither_good_nor_bad() -> None:
    told = {cell.label: cell for cell in cells(unread(), GUIDE)}
    assert told["P95"].text == "—"
    assert {cell.tone for label, cell in told.items() if label != "Quality"} == {""}
    assert (told["Quality"].tone, told["Quality"].hint) == ("none", "nothing measured")


@pytest.mark.parametrize(("found", "hint"), [
    (quality(), "worst: accuracy; 95\u00a0% wanted"),
    (quality(compared=0), "worst: completeness; no window compared yet"),
    (quality(agreeing=41, compared=41), "worst: accuracy; 41 of 59 windows compared"),
    (quality(valid=50), "worst: validity; 95\u00a0% wanted"),
])
def test_the_worst_dimension_is_named_with_what_is_lacking(found: Quality, hint: str) -> None:
    assert cells(found, GUIDE)[0].hint == hint


def changed(*names: str) -> list[FlagRow]:
    return [FlagRow(name, True, index + 1, f"user {index}") for index, name in enumerate(names)]


def test_the_last_change_is_of_any_of_its_flags() -> None:
    flags = Flags({"use_real_business": True, "percent_business": 50})
    found = rows([quality()], {"businessMetrics": PARTS["businessMetrics"]}, flags,
                 changed("use_real_business", "percent_business", "use_real_system"), thresholds=GUIDE, sources={})
    assert found[0].last is not None
    assert (found[0].last.name, found[0].last.by) == ("percent_business", "user 1")
    assert found[0].stage is Stage.RAMPING
    assert found[0].can_go_back


def test_a_retired_component_has_no_switch_and_no_way_back() -> None:
    flags = Flags({}, retired=frozenset({"use_real_business"}))
    found = rows([], {"businessMetrics": PARTS["businessMetrics"]}, flags, changed("use_real_business"),
                 thresholds=GUIDE, sources={})[0]
    assert (found.stage, found.last, found.switches, found.can_go_back) == (Stage.RETIRED, None, (), False)
    assert found.sentence == "Nothing is known of it yet."
